import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parley_attestation import merkle, statement
from parley_attestation.canonical import Fields
from parley_attestation.commitment import Field, SetName, item_leaf, verify_item
from parley_attestation.edge import vault
from parley_attestation.edge.vault import VaultKey, seal_file
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.grading import read_grader
from parley_attestation.keys import fingerprint
from parley_attestation.registration import Stratum, read_registration
from parley_verifier.testset import Phase, SealedTestSet, register
from testset_kit import ENTROPY, EXACT, KEY, ROOT, json_lines, refused, setup

shared = settings(
    max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
ITEMS = [{"prompt": f"question {n}", "reference": f"answer {n}", "id": f"q{n}"} for n in range(50)]


def registered(folder, rows, **more):
    register(json_lines(folder, rows), folder / "set", setup(**more))
    return SealedTestSet(folder / "set", KEY)


def open_items(tests):
    """Check every item against the public registration alone, and return what was opened."""
    public = read_registration(tests.registration, ROOT.public)
    name = SetName(public.owner, public.set_id)
    found = []
    for n in range(public.size):
        prompt, reference = tests.prompt(n), tests.reference(n)
        c_prompt, c_reference = (tests.commitment(n, field) for field in Field)
        verify_item(tests.key(n, Field.PROMPT), name, n, Field.PROMPT, prompt, c_prompt)
        verify_item(tests.key(n, Field.REFERENCE), name, n, Field.REFERENCE, reference, c_reference)
        merkle.verify_inclusion(
            item_leaf(c_prompt, c_reference), n, public.size, tests.inclusion(n), public.root
        )
        found.append((prompt, reference, tests.own_id(n)))
    return found


@shared
@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=20, unique=True))
def test_every_item_opens_against_the_public_registration(tmp_path, contents):
    rows = [{"prompt": c.hex(), "reference": c.hex()[::-1]} for c in contents]
    with registered(tmp_path, rows, replace=True) as tests:
        found = open_items(tests)
    assert sorted(found) == sorted((r["prompt"].encode(), r["reference"].encode(), "") for r in rows)


def test_the_order_is_secret_and_follows_from_the_entropy(tmp_path):
    with registered(tmp_path, ITEMS) as tests:
        first = [own_id for _, _, own_id in open_items(tests)]
    assert first != [row["id"] for row in ITEMS]
    with registered(tmp_path, ITEMS, replace=True) as tests:
        assert [tests.own_id(n) for n in range(50)] == first
    other = ENTROPY[:64] + bytes(32)
    with registered(tmp_path, ITEMS, replace=True, entropy=other) as tests:
        assert [tests.own_id(n) for n in range(50)] != first


def test_set_id_keys_and_order_come_from_different_parts_of_the_entropy(tmp_path):
    with registered(tmp_path, ITEMS) as tests:
        before = tests.public.set_id, tests.key(0, Field.PROMPT), tests.own_id(0)
    assert before[0] == ENTROPY[:32]
    with registered(tmp_path, ITEMS, replace=True, entropy=ENTROPY[:32] + bytes(32) + ENTROPY[64:]) as tests:
        assert (tests.public.set_id, tests.own_id(0)) == (before[0], before[2])
        assert tests.key(0, Field.PROMPT) != before[1]
    refused(Reason.INTERNAL, lambda: setup(entropy=bytes(32)), "96")


def test_strata_are_contiguous_ranges_by_name_and_shuffled_within(tmp_path):
    rows = [row | {"stratum": "ab"[n % 3 == 0]} for n, row in enumerate(ITEMS)]
    with registered(tmp_path, rows) as tests:
        open_items(tests)
        assert tests.public.strata == (Stratum("a", 0, 33), Stratum("b", 33, 17))
        ids = [int(tests.own_id(n)[1:]) for n in range(50)]
    assert all(n % 3 != 0 for n in ids[:33])
    assert all(n % 3 == 0 for n in ids[33:])
    assert ids[:33] != sorted(ids[:33])
    assert ids[33:] != sorted(ids[33:])


def test_the_registration_says_what_the_set_is_and_nothing_of_its_items(tmp_path):
    sealed = register(json_lines(tmp_path, ITEMS), tmp_path / "set", setup(baselines={"passed": True}))
    found = read_registration(sealed, ROOT.public)
    assert found.owner == fingerprint(ROOT.public)
    assert (found.size, found.prompt_bytes, found.reference_bytes) == (50, 11, 9)
    assert (found.strata, found.graders, found.baselines) == ((), (EXACT.digest(),), {"passed": True})
    payload = statement.open_sealed(sealed, ROOT.public).payload()
    assert b"question" not in payload
    assert b"q1" not in payload


def test_the_sealed_file_shows_nothing_and_neither_does_a_representation(tmp_path):
    with registered(tmp_path, ITEMS) as tests:
        assert "question" not in repr(tests) + repr(setup())
        assert "\\x" not in repr(setup())
    raw = (tmp_path / "set").read_bytes()
    assert b"question" not in raw
    assert (tmp_path / "set").stat().st_mode & 0o777 == 0o600


def test_items_larger_than_a_block_and_mixed_sizes_come_back(tmp_path):
    (tmp_path / "image").write_bytes(os.urandom(3_000_001))
    rows = [*ITEMS, {"prompt_file": "image", "reference": "r" * 20_000}, {"prompt": "last", "reference": "r"}]
    with registered(tmp_path, rows) as tests:
        found = {p: r for p, r, _ in open_items(tests)}
    assert found[(tmp_path / "image").read_bytes()] == b"r" * 20_000
    assert found[b"last"] == b"r"


@pytest.mark.parametrize(
    ("rows", "line", "part"),
    [
        ([*ITEMS, {"prompt": "question 7", "reference": "x"}], 51, "same prompt as in line 8"),
        ([*ITEMS, {"prompt": "new", "reference": "x", "id": "q3"}], 51, "same id as in line 4"),
        ([ITEMS[0], ITEMS[1] | {"stratum": "a"}], 2, "every item or in none"),
        ([ITEMS[0] | {"stratum": "a"}, ITEMS[1]], 2, "every item or in none"),
        (
            [ITEMS[n % 50] | {"prompt": f"{n}", "id": f"{n}", "stratum": f"{n}"} for n in range(65)],
            65,
            "64 strata",
        ),
        ([ITEMS[0], {"prompt": "p", "reference": "r" * 100_000}], 2, ""),
    ],
)
def test_what_a_set_may_not_hold_is_refused_with_the_line_and_leaves_no_file(tmp_path, rows, line, part):
    source = json_lines(tmp_path, rows)
    refused(Reason.CONFIG, lambda: register(source, tmp_path / "set", setup()), f"line {line}:", part)
    assert {one.name for one in tmp_path.iterdir()} == {"items.jsonl"}


def test_a_prompt_may_stand_twice_where_the_owner_says_so(tmp_path):
    with registered(tmp_path, [{"prompt": "p", "reference": "r"}] * 2, allow_duplicates=True) as tests:
        assert len(open_items(tests)) == 2
        assert tests.commitment(0, Field.PROMPT) != tests.commitment(1, Field.PROMPT)


def test_an_empty_source_and_an_existing_file_are_refused(tmp_path):
    empty, full = json_lines(tmp_path, [], "empty.jsonl"), json_lines(tmp_path, ITEMS)
    refused(Reason.CONFIG, lambda: register(empty, tmp_path / "set", setup()), "at least one item")
    (tmp_path / "set").write_bytes(b"mine")
    refused(Reason.CONFIG, lambda: register(full, tmp_path / "set", setup()), "exists already")
    assert (tmp_path / "set").read_bytes() == b"mine"


def test_a_source_that_changes_meanwhile_changes_nothing(tmp_path):
    source = json_lines(tmp_path, ITEMS)

    def tamper(phase, done, total):
        if phase is not Phase.READ:
            source.write_text("")

    register(source, tmp_path / "set", setup(), tamper)
    with SealedTestSet(tmp_path / "set", KEY) as tests:
        assert len(open_items(tests)) == 50


def test_progress_goes_through_the_phases_in_order(tmp_path):
    seen = []
    register(json_lines(tmp_path, ITEMS), tmp_path / "set", setup(), lambda phase, *_: seen.append(phase))
    assert list(dict.fromkeys(seen)) == list(Phase)


def test_a_process_killed_before_the_end_leaves_no_set(tmp_path):
    source = json_lines(tmp_path, ITEMS)
    crash = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from parley_verifier.testset import Phase, register
from testset_kit import setup
stop = lambda phase, done, total: os._exit(9) if (phase, done) == (Phase.FINISH, 50) else None
register(Path({str(source)!r}), Path({str(tmp_path / "set")!r}), setup(), stop)
"""
    assert subprocess.run([sys.executable, "-c", crash], check=False).returncode == 9
    assert not (tmp_path / "set").exists()
    register(source, tmp_path / "set", setup())


@shared
@given(st.data())
def test_any_changed_byte_of_a_sealed_set_is_refused_with_file_and_offset(tmp_path, data):
    path = tmp_path / "set"
    if not path.exists():
        big = [{"prompt": f"{n} " + "x" * 3000, "reference": "r"} for n in range(30)]
        register(json_lines(tmp_path, big), path, setup())
    raw = bytearray(path.read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    broken = tmp_path / "broken"
    broken.write_bytes(raw)

    def read_all():
        with SealedTestSet(broken, KEY) as tests:
            open_items(tests)

    refused(Reason.CORRUPT, read_all, str(broken))


@shared
@given(st.data())
def test_a_cut_sealed_set_is_refused_when_it_is_opened(tmp_path, data):
    if not (tmp_path / "set").exists():
        register(json_lines(tmp_path, ITEMS), tmp_path / "set", setup())
    raw = (tmp_path / "set").read_bytes()
    broken = tmp_path / "broken"
    broken.write_bytes(raw[: data.draw(st.integers(0, len(raw) - 1))])
    refused(Reason.CORRUPT, lambda: SealedTestSet(broken, KEY), str(broken))


@shared
@given(st.binary(max_size=300))
def test_a_vault_that_holds_something_else_is_refused(tmp_path, content):
    seal_file(tmp_path / "other", content, KEY, replace=True)
    refused(Reason.CORRUPT, lambda: SealedTestSet(tmp_path / "other", KEY), "other")


def test_tables_that_do_not_fit_the_registration_are_refused(tmp_path, monkeypatch):
    real = vault.SealedWriter.write
    dropped = []

    def drop_one_commitment(self, part):
        if len(part) == 64 * 50 and not dropped:
            dropped.append(part)
            part = part[64:]
        real(self, part)

    monkeypatch.setattr(vault.SealedWriter, "write", drop_one_commitment)
    register(json_lines(tmp_path, ITEMS), tmp_path / "set", setup())
    assert dropped
    refused(Reason.CORRUPT, lambda: SealedTestSet(tmp_path / "set", KEY), "another size")


def test_commitments_that_do_not_give_the_registered_root_are_refused(tmp_path, monkeypatch):
    real = vault.SealedWriter.write
    monkeypatch.setattr(
        vault.SealedWriter,
        "write",
        lambda s, part: real(s, bytes(len(part)) if len(part) == 64 * 50 else part),
    )
    register(json_lines(tmp_path, ITEMS), tmp_path / "set", setup())
    with SealedTestSet(tmp_path / "set", KEY) as tests:
        refused(Reason.CORRUPT, lambda: tests.inclusion(0), "another root")


def test_a_wrong_key_and_an_item_that_is_not_there_are_refused(tmp_path):
    with registered(tmp_path, ITEMS) as tests:
        for n in (-1, 50):
            for read in (tests.prompt, tests.reference, tests.own_id, tests.inclusion):
                refused(Reason.INTERNAL, lambda read=read, n=n: read(n), "below 50")
            refused(Reason.INTERNAL, lambda n=n: tests.key(n, Field.PROMPT))
            refused(Reason.INTERNAL, lambda n=n: tests.commitment(n, Field.PROMPT))
    wrong = VaultKey(b"x" * 32, passphrase=False)
    refused(Reason.CORRUPT, lambda: SealedTestSet(tmp_path / "set", wrong), "another passphrase or key")


def test_a_set_sealed_under_a_passphrase_opens_with_it(tmp_path):
    words = VaultKey(b"correct horse", passphrase=True, operations=1, memory=8192)
    register(json_lines(tmp_path, ITEMS), tmp_path / "set", setup(key=words))
    with SealedTestSet(tmp_path / "set", VaultKey(b"correct horse", passphrase=True)) as tests:
        assert len(open_items(tests)) == 50


def test_a_registration_that_no_reader_would_accept_leaves_no_file(tmp_path):
    source = json_lines(tmp_path, ITEMS)
    with pytest.raises(PeerError) as caught:
        register(source, tmp_path / "set", setup(media_type="x" * 200))
    assert caught.value.reason is Reason.BAD_REGISTRATION
    assert not (tmp_path / "set").exists()
    assert json.loads(source.read_text().splitlines()[0]) == ITEMS[0]
    assert LocalError


def test_a_set_of_scripts_is_registered_as_one_and_mixes_with_nothing_else(tmp_path):
    turns = [{"role": "user", "content": "1+1?"}, {"role": "assistant"}]
    rows = [{"script": turns, "reference": "2"}]
    last = read_grader(Fields(EXACT.document() | {"answers": "last"}))
    sealed = register(json_lines(tmp_path, rows), tmp_path / "set", setup(graders=(last,)))
    assert read_registration(sealed, ROOT.public).item_kinds == ("script",)
    cases = [
        ([*rows, {"prompt": "p", "reference": "2"}], (last,), "in every item or in none"),
        (rows, (EXACT,), "not one for this kind of item"),
        ([{"prompt": "p", "reference": "2"}], (last,), "not one for this kind of item"),
        ([{"script": turns[:1], "reference": "2"}], (last,), "script: expected an assistant turn"),
        ([{"script": turns, "prompt": "p", "reference": "2"}], (last,), "not both"),
    ]
    for n, (items, graders, why) in enumerate(cases):
        source = json_lines(tmp_path, items)
        refused(
            Reason.CONFIG,
            lambda s=source, n=n, g=graders: register(s, tmp_path / f"set{n}", setup(graders=g)),
            why,
        )
