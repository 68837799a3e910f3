import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.weights import verify_model
from parley_attestation.edge.weights.source import open_source
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.model.chunks import RUN
from parley_prover.weights import register_model

ROOT = SigningKey(bytes(32))


def _register(location, **options):
    return register_model(
        str(location), root_key=ROOT, name="m", **{"entropy": Bytes32(b"e" * 32), **options}
    )


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "model"
    (made / "sub").mkdir(parents=True)
    (made / "weights.bin").write_bytes(bytes(range(256)) * 1000)
    (made / "sub" / "tokenizer.json").write_bytes(b"{}")
    (made / "empty").write_bytes(b"")
    return made


def test_a_folder_and_a_single_file_are_registered_and_verify(folder):
    for location in (folder, folder / "weights.bin"):
        made = _register(location)
        assert verify_model(str(location), made.claim, made.secret).manifest == made.secret.manifest


def test_the_claim_is_the_same_on_any_executor_and_progress_ends_at_the_total(tmp_path):
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(RUN + 70_000)
        file.seek(RUN - 5)
        file.write(b"0123456789")
    seen = []
    alone = _register(big, progress=lambda done, total: seen.append((done, total)))
    with ThreadPoolExecutor(2) as pool:
        assert _register(big, executor=pool).claim == alone.claim
    assert seen == [(RUN, RUN + 70_000), (RUN + 70_000, RUN + 70_000)]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda f: (f / "weights.bin").write_bytes(bytes(256_000)), "file 'weights.bin' differs"),
        (lambda f: os.truncate(f / "weights.bin", 255_999), "file 'weights.bin' is laid out differently"),
        (lambda f: (f / "new").write_bytes(b""), "file 'new' is not in the claim"),
        (lambda f: (f / "empty").unlink(), "file 'empty' is missing"),
        (
            lambda f: (f / "empty").rename(f / "void"),
            "file 'void' is not in the claim, file 'empty' is missing",
        ),
    ],
)
def test_verify_names_the_file_that_changed(folder, change, named):
    made = _register(folder)
    change(folder)
    with pytest.raises(PeerError) as refused:
        verify_model(str(folder), made.claim, made.secret)
    assert refused.value.reason is Reason.BAD_MODEL_CLAIM
    assert refused.value.message == "not the claimed model: " + named


def test_links_special_files_and_empty_folders_are_refused(folder, tmp_path):
    (tmp_path / "void").mkdir()
    with pytest.raises(LocalError, match="expected 1"):
        _register(tmp_path / "void")
    with pytest.raises(LocalError, match="no model at"):
        _register(tmp_path / "absent")
    (folder / "link").symlink_to(folder / "weights.bin")
    with pytest.raises(LocalError, match="'link' is a symbolic link") as refused:
        _register(folder)
    assert "cp -rL" in refused.value.hint
    (folder / "link").unlink()
    (folder / "sub" / "folder-link").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(LocalError, match="'sub/folder-link' is a symbolic link"):
        _register(folder)
    (folder / "sub" / "folder-link").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(LocalError, match="'pipe' is no regular file"):
        _register(folder)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(2 * RUN)

    def write(done, total):
        if done < total:
            with big.open("r+b") as file:
                file.write(b"x")

    with pytest.raises(LocalError, match=r"file 'big.bin' changed while it was read"):
        _register(big, progress=write)


def test_a_file_that_appears_while_the_model_is_read_is_refused(folder):
    with pytest.raises(LocalError, match="'a' changed while"):
        _register(folder, progress=lambda *_: (folder / "a").write_bytes(b""))


def test_a_claim_of_the_same_bytes_joins_the_series_and_other_bytes_are_refused(folder):
    first = _register(folder)
    second = _register(folder, entropy=Bytes32(b"f" * 32), same_as=first.secret)
    assert second.claim.commitment != first.claim.commitment
    assert second.secret.content() == first.secret.content()
    (folder / "weights.bin").write_bytes(bytes(256_000))
    with pytest.raises(LocalError, match=r"file 'weights.bin' differs"):
        _register(folder, same_as=first.secret)


class _StopError(Exception):
    pass


def test_an_interrupted_registration_resumes_at_the_last_finished_file(folder, tmp_path):
    journal = tmp_path / "journal"

    def stop(done, total):
        if done == total:
            raise _StopError

    with pytest.raises(_StopError):
        _register(folder, journal=journal, progress=stop)
    assert journal.stat().st_mode & 0o777 == 0o600
    seen = []
    resumed = _register(
        folder, journal=journal, entropy=Bytes32(b"f" * 32), progress=lambda done, _: seen.append(done)
    )
    assert seen == [256_002]  # sub/tokenizer.json was done, weights.bin was not
    assert resumed.claim == _register(folder).claim


@pytest.mark.parametrize("spoil", ["plan", "torn", "altered"])
def test_a_journal_about_other_files_or_with_a_bad_line_is_not_believed(folder, tmp_path, spoil):
    journal = tmp_path / "journal"
    made = _register(folder, journal=journal)
    raw = journal.read_bytes()
    if spoil == "plan":
        (folder / "weights.bin").write_bytes(bytes(256_000))
    elif spoil == "torn":
        journal.write_bytes(raw[:-10])
    else:
        journal.write_bytes(
            raw.replace(raw[-20:-4], raw[-20:-4].translate(bytes.maketrans(b"0123", b"1230")))
        )
    seen = []
    again = _register(folder, journal=journal, progress=lambda done, _: seen.append(done))
    assert seen  # something was hashed again
    assert (again.claim == made.claim) is (spoil != "plan")
    assert verify_model(str(folder), again.claim, again.secret)


def test_a_model_in_an_object_store_gives_the_same_claim_and_changes_there_are_seen(folder):
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.pipe(
        {f"/models/m/{p.relative_to(folder)}": p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    )
    try:
        made = _register("memory://models/m")
        assert made.claim == _register(folder).claim
        one = _register("memory://models/m/weights.bin")
        assert one.claim == _register(folder / "weights.bin").claim
        store.pipe("/models/m/weights.bin", bytes(256_000))
        with pytest.raises(PeerError, match=r"file 'weights.bin' differs"):
            verify_model("memory://models/m", made.claim, made.secret)
        with pytest.raises(LocalError, match=r"changed while it was read"):
            _register(
                "memory://models/m", progress=lambda *_: store.pipe("/models/m/weights.bin", b"x" * 256_000)
            )
        with pytest.raises(LocalError, match="expected 1"):
            _register("memory://models/none")
    finally:
        store.rm("/models", recursive=True)
    with pytest.raises(LocalError, match="not the local disk"):
        _register(folder.as_uri())


def test_a_file_that_changed_since_it_was_listed_is_not_read_at_all(tmp_path):
    (tmp_path / "w").write_bytes(b"one")
    source = open_source(str(tmp_path))
    (info,) = source.scan()
    (tmp_path / "w").write_bytes(b"two")
    with pytest.raises(PeerError, match="changed"), source.reading(info):
        pytest.fail("it was opened")
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.pipe("/listed/w", b"one")
    try:
        source = open_source("memory://listed")
        (info,) = source.scan()
        store.pipe("/listed/w", b"two")
        with pytest.raises(PeerError, match="changed"), source.reading(info):
            pytest.fail("it was opened")
    finally:
        store.rm("/listed", recursive=True)
