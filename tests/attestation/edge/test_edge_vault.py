import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parley_attestation.edge import atomic, vault
from parley_attestation.edge.vault import (
    BLOCK,
    BODY,
    SealedReader,
    VaultKey,
    open_file,
    seal_file,
    sealed_writer,
)
from parley_attestation.errors import LocalError, Reason

KEY = VaultKey(b"k" * 32, passphrase=False)
CHEAP = VaultKey(b"correct horse", passphrase=True, operations=1, memory=8192)
STEP = BLOCK + 16
shared = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def refused(reason, call, *parts):
    with pytest.raises(LocalError) as caught:
        call()
    assert caught.value.reason is reason
    for part in parts:
        assert part in caught.value.message


def names(folder):
    return {one.name for one in folder.iterdir()}


def corrupt(path, *parts, key=KEY):
    def read_all():
        with SealedReader(path, key) as reader:
            reader.read(0, reader.size)

    refused(Reason.CORRUPT, read_all, str(path), *parts)


@pytest.fixture
def sealed(tmp_path):
    path = tmp_path / "s"
    content = os.urandom(3 * BLOCK + 100)
    seal_file(path, content, KEY)
    return path, content


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 5 * BLOCK + 7])
@pytest.mark.parametrize("key", [KEY, CHEAP], ids=["key file", "passphrase"])
def test_what_was_sealed_comes_back_whole_and_in_any_part(tmp_path, size, key):
    content = os.urandom(size)
    seal_file(tmp_path / "s", content, key)
    assert open_file(tmp_path / "s", key) == content
    with SealedReader(tmp_path / "s", key) as reader:
        assert reader.size == size
        for start in {0, size // 2, max(size - 3, 0)}:
            assert reader.read(start, size - start) == content[start:]


@pytest.mark.parametrize("size", [0, BLOCK, BLOCK + 1, 2 * BLOCK])
def test_reading_nothing_at_the_end_gives_nothing(tmp_path, size):
    with sealed_writer(tmp_path / "s", KEY) as writer:
        writer.write(bytes(size))
        assert writer.read(size, 0) == b""
    with SealedReader(tmp_path / "s", KEY) as reader:
        assert reader.read(size, 0) == b""


@shared
@given(st.data())
def test_writing_in_any_pieces_gives_the_same_content_and_reads_back_at_once(tmp_path, data):
    sizes = st.integers(0, 2 * BLOCK) | st.sampled_from([0, BLOCK - 1, BLOCK, BLOCK + 1])
    pieces = data.draw(st.lists(sizes, max_size=6))
    content = os.urandom(sum(pieces))
    at = 0
    with sealed_writer(tmp_path / "s", KEY, replace=True) as writer:
        for size in pieces:
            writer.write(content[at : at + size])
            at += size
            start = data.draw(st.integers(0, at))
            assert writer.size == at
            assert writer.read(start, at - start) == content[start:at]
    assert open_file(tmp_path / "s", KEY) == content


def test_small_blocks_that_still_wait_in_a_buffer_read_back_too(tmp_path, monkeypatch):
    monkeypatch.setattr(vault, "BLOCK", 64)
    content = os.urandom(1000)
    with sealed_writer(tmp_path / "s", KEY) as writer:
        writer.write(content)
        assert writer.read(10, 900) == content[10:910]


def test_nothing_of_the_content_and_not_its_key_stands_in_the_file(tmp_path):
    seal_file(tmp_path / "s", b"hidden question " * 100, KEY)
    raw = (tmp_path / "s").read_bytes()
    assert b"hidden" not in raw
    assert KEY.secret not in raw
    seal_file(tmp_path / "again", b"hidden question " * 100, KEY)
    assert raw[BODY:] != (tmp_path / "again").read_bytes()[BODY:]


@shared
@given(st.data())
def test_any_changed_byte_is_refused_with_the_file_and_where(sealed, data):
    path, _ = sealed
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1) | st.integers(0, BODY))
    raw[at] ^= data.draw(st.integers(1, 255))
    broken = path.with_name("broken")
    broken.write_bytes(raw)
    corrupt(broken, *([f"offset {BODY + (at - BODY) // STEP * STEP} "] if at >= BODY else []))


@shared
@given(st.data())
def test_any_cut_or_added_byte_is_refused(sealed, data):
    path, _ = sealed
    raw = path.read_bytes()
    broken = path.with_name("broken")
    broken.write_bytes(raw[: data.draw(st.integers(0, len(raw) - 1) | st.sampled_from([BODY, BODY + STEP]))])
    corrupt(broken)
    broken.write_bytes(raw + data.draw(st.binary(min_size=1, max_size=100)))
    corrupt(broken)


def test_a_file_cut_between_blocks_is_refused_when_it_is_opened(sealed):
    path, _ = sealed
    path.write_bytes(path.read_bytes()[: BODY + 2 * STEP])
    refused(Reason.CORRUPT, lambda: SealedReader(path, KEY), f"offset {BODY + STEP} ")


def test_reordered_and_repeated_blocks_are_refused_with_their_offset(sealed):
    path, _ = sealed
    raw = path.read_bytes()
    first, second, rest = raw[BODY : BODY + STEP], raw[BODY + STEP : BODY + 2 * STEP], raw[BODY + 2 * STEP :]
    path.write_bytes(raw[:BODY] + second + first + rest)
    corrupt(path, f"offset {BODY} ")
    path.write_bytes(raw[:BODY] + first + first + rest)
    corrupt(path, f"offset {BODY + STEP} ")


def test_a_block_of_another_file_under_the_same_key_is_refused(sealed):
    path, content = sealed
    other = path.with_name("other")
    seal_file(other, content, KEY)
    raw, spliced = other.read_bytes(), path.read_bytes()
    path.write_bytes(spliced[: BODY + STEP] + raw[BODY + STEP : BODY + 2 * STEP] + spliced[BODY + 2 * STEP :])
    corrupt(path, f"offset {BODY + STEP} ")


def test_undamaged_blocks_stay_readable_beside_a_damaged_one(sealed):
    path, content = sealed
    raw = bytearray(path.read_bytes())
    raw[BODY + STEP] ^= 1
    path.write_bytes(raw)
    with SealedReader(path, KEY) as reader:
        assert reader.read(0, BLOCK) == content[:BLOCK]
        assert reader.read(2 * BLOCK, 50) == content[2 * BLOCK : 2 * BLOCK + 50]
        refused(Reason.CORRUPT, lambda: reader.read(BLOCK - 1, 2), f"offset {BODY + STEP} ")


def test_another_key_or_kind_of_key_is_refused(tmp_path, sealed):
    path, _ = sealed
    corrupt(path, "another passphrase or key", key=VaultKey(b"x" * 32, passphrase=False))
    corrupt(path, "a key file", key=CHEAP)
    seal_file(tmp_path / "p", b"x", CHEAP)
    corrupt(tmp_path / "p", "another passphrase or key", key=VaultKey(b"wrong horse", passphrase=True))
    corrupt(tmp_path / "p", "a passphrase")


@pytest.mark.parametrize(
    ("offset", "value"), [(16, b"\xff" * 4), (20, b"\xff" * 8), (20, bytes(8)), (16, bytes(4))]
)
def test_costs_that_nobody_should_pay_are_refused_before_they_are_paid(tmp_path, offset, value):
    seal_file(tmp_path / "p", b"x", CHEAP)
    raw = bytearray((tmp_path / "p").read_bytes())
    raw[offset : offset + len(value)] = value
    (tmp_path / "p").write_bytes(raw)
    corrupt(tmp_path / "p", "unbounded", key=CHEAP)


def test_other_files_and_missing_files_are_refused(tmp_path):
    refused(Reason.CONFIG, lambda: open_file(tmp_path / "none", KEY), "none")
    (tmp_path / "other").write_bytes(b"#!/bin/sh\n" * 100)
    corrupt(tmp_path / "other", "not a sealed file")


def test_reading_outside_the_content_is_refused(sealed):
    path, content = sealed
    with SealedReader(path, KEY) as reader:
        for offset, size in ((len(content), 1), (-1, 1), (0, len(content) + 1), (0, -1)):
            refused(Reason.CORRUPT, lambda offset=offset, size=size: reader.read(offset, size))
    refused(Reason.CORRUPT, lambda: open_file(path, KEY, limit=10), "at most 10")


def test_files_are_for_their_owner_alone_and_never_overwritten_unasked(tmp_path):
    path = tmp_path / "s"
    seal_file(path, b"old", KEY)
    assert path.stat().st_mode & 0o777 == 0o600
    refused(Reason.CONFIG, lambda: seal_file(path, b"new", KEY), "exists already")
    assert open_file(path, KEY) == b"old"
    seal_file(path, b"new", KEY, replace=True)
    assert open_file(path, KEY) == b"new"
    assert names(tmp_path) == {"s"}


def test_a_file_that_appears_while_writing_is_not_overwritten(tmp_path):
    path = tmp_path / "s"

    def write():
        with sealed_writer(path, KEY) as writer:
            path.write_bytes(b"theirs")
            writer.write(b"ours")

    refused(Reason.CONFIG, write, "exists already")
    assert path.read_bytes() == b"theirs"
    assert names(tmp_path) == {"s"}


def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "s"
    seal_file(path, b"old", KEY)

    def fail():
        with sealed_writer(path, KEY, replace=True) as writer:
            writer.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert open_file(path, KEY) == b"old"
    assert names(tmp_path) == {"s"}


@pytest.mark.parametrize("replace", [True, False])
def test_a_crash_between_write_and_rename_leaves_what_was_there(tmp_path, replace):
    path = tmp_path / "s"
    if replace:
        seal_file(path, b"old", KEY)
    crash = f"""
import os
from pathlib import Path
from parley_attestation.edge import atomic, vault
os.link = lambda *_: os._exit(9)
Path.replace = lambda *_: os._exit(9)
vault.seal_file(Path({str(path)!r}), b"new", vault.VaultKey(b"k" * 32, passphrase=False), replace={replace})
"""
    assert subprocess.run([sys.executable, "-c", crash], check=False).returncode == 9
    left = names(tmp_path)
    if replace:
        assert open_file(path, KEY) == b"old"
    else:
        assert "s" not in left
    assert all(name.startswith(".s.") for name in left - {"s"})
    seal_file(path, b"later", KEY, replace=replace)
    assert open_file(path, KEY) == b"later"


def test_content_is_synced_before_it_gets_its_name_and_the_folder_after(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(
        atomic.os, "fsync", lambda fd: done.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
    )
    real = os.link
    monkeypatch.setattr(atomic.os, "link", lambda a, b: (done.append("name"), real(a, b)))
    seal_file(tmp_path / "s", b"x", KEY)
    assert done[0].endswith(".part")
    assert done[1:] == ["name", str(tmp_path)]


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    refused(Reason.CONFIG, lambda: seal_file(tmp_path / "no" / "s", b"", KEY), "No such file")


def test_key_files_are_random_private_and_checked(tmp_path):
    first, second = VaultKey.create_file(tmp_path / "a"), VaultKey.create_file(tmp_path / "b")
    assert first != second
    assert VaultKey.of_file(tmp_path / "a") == first
    refused(Reason.CONFIG, lambda: VaultKey.create_file(tmp_path / "a"), "exists already")
    (tmp_path / "a").chmod(0o644)
    refused(Reason.CONFIG, lambda: VaultKey.of_file(tmp_path / "a"), "others can read")
    refused(Reason.CONFIG, lambda: VaultKey.of_file(tmp_path / "none"), "none")
    for raw in (second.secret, second.secret.hex().upper().encode() + b"\r\n"):
        (tmp_path / "b").write_bytes(raw)
        assert VaultKey.of_file(tmp_path / "b") == second
    for bad in (b"", b"zz" * 32, b"ab" * 31, b"\xff" * 64, b"a" * 33):
        (tmp_path / "b").write_bytes(bad)
        refused(Reason.CONFIG, lambda: VaultKey.of_file(tmp_path / "b"), "hexadecimal")


def test_an_empty_passphrase_or_a_short_key_is_refused():
    refused(Reason.CONFIG, lambda: VaultKey(b"", passphrase=True))
    refused(Reason.CONFIG, lambda: VaultKey(b"k" * 31, passphrase=False))


def test_no_representation_shows_a_secret():
    for key in (KEY, CHEAP):
        assert "horse" not in repr(key)
        assert "kkk" not in repr(key)
    assert vault.MAGIC
