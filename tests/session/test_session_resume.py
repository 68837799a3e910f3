"""Broken streams and lost processes: whatever breaks where, the exercise goes on to the same end."""

import contextlib
import io
import itertools
import sqlite3
import tempfile
from pathlib import Path

import pytest
from kit import Exercise, Plan, pipe, right, sums
from parley_attestation.edge.records import write_record
from parley_attestation.errors import Reason, Role
from parley_attestation.judge import judge
from parley_attestation.transcript import encode_envelope
from parley_prover.budget import DisclosureBudget

ITEMS = 8
SHORT = {"items": sums(ITEMS), "terms_changes": {"plan": Plan(1, 3, (("", ITEMS),))}}


def sampler():
    """An engine that never says the same thing twice, though always something right."""
    count = itertools.count()
    return lambda prompt, _: right(prompt) + b" " * next(count)


@pytest.fixture(name="tmp_path")
def _memory(tmp_path):
    """Journals that sync to memory, where there is such a folder: the same code, ten times as fast."""
    if not Path("/dev/shm").is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def exercise_in(folder, name, **changes):
    (folder / name).mkdir()
    return Exercise(folder / name, **{**SHORT, **changes})


def prover_again(exercise, v):
    """The prover's end as its server opens it: by what the verifier names, ended or not."""
    journal = exercise.journal(Role.PROVER)
    hello = next(iter(v.journal.turns(v.row)))[1].envelope.head() if v.row else b""
    row = journal.find(session_id=v.machine.facts.session_id) or journal.find(hello=hello)
    journal.close()
    return exercise.prover_end(load=False, row=row)


def again(exercise):
    v = exercise.verifier_end()
    return v, prover_again(exercise, v)


def turns(end):
    if end.row is None:
        return []
    return [(encode_envelope(t.envelope), t.blobs) for _, t in end.journal.turns(end.row)]


def record(end, path):
    write_record(end.journal, end.row, path)
    return path.read_bytes()


def frames_in_all(folder, **changes):
    exercise = exercise_in(folder, "whole", **changes)
    v, p = exercise.verifier_end(), exercise.prover_end()
    return pipe(v, p), v


def finish(exercise, v, p, so_far):
    """Resume, and check that both parties end alike and that nothing that was said is unsaid."""
    pipe(v, p)
    assert v.done
    assert p.done
    for end, earlier in zip((v, p), so_far, strict=True):
        assert turns(end)[: len(earlier)] == earlier
        assert end.journal.extras(end.row)[1] == []
    one, two = (record(end, exercise.folder / f"{end.policy.role}.parley") for end in (v, p))
    assert one == two
    found = judge(io.BytesIO(one), list(exercise.pins.values()))
    assert found.fault is None
    return found.verdict


@pytest.mark.parametrize("lost", [{Role.VERIFIER, Role.PROVER}, {Role.VERIFIER}, {Role.PROVER}])
def test_a_stream_cut_after_any_frame_resumes_to_the_same_verdict(tmp_path, lost):
    count, whole = frames_in_all(tmp_path)
    expected = whole.machine.facts.verdict.payload()
    for cut in range(count):
        exercise = exercise_in(tmp_path, f"cut{cut}")
        v, p = exercise.verifier_end(), exercise.prover_end()
        assert pipe(v, p, cut_after=cut) == cut
        so_far = turns(v), turns(p)
        if Role.VERIFIER in lost:
            v = exercise.verifier_end(b"other randomness" if v.row else b"v")
        if Role.PROVER in lost:
            p = prover_again(exercise, v)
        assert finish(exercise, v, p, so_far).payload() == expected, f"cut after frame {cut}"


def test_a_sampling_engine_never_makes_an_honest_prover_equivocate(tmp_path):
    """Cut again and again, after every frame: what was said once is said again, byte for byte."""
    count, _ = frames_in_all(tmp_path, answer=sampler())
    for cut in range(count):
        exercise = exercise_in(tmp_path, f"cut{cut}", answer=sampler())
        pipe(exercise.verifier_end(), exercise.prover_end(), cut_after=cut)
        pipe(*again(exercise), cut_after=2)
        v, p = again(exercise)
        verdict = finish(exercise, v, p, (turns(v), turns(p)))
        assert verdict.predicate["overall"] == "COMPLIANT"


def test_streams_that_all_break_after_five_frames_still_end(tmp_path):
    """At most five frames a stream, two of which say where each party stands."""
    exercise = exercise_in(tmp_path, "slow", answer=sampler())
    for _ in range(60):
        v, p = again(exercise)
        if v.done and p.done:
            break
        pipe(v, p, cut_after=5)
    finish(exercise, *again(exercise), ([], []))


def copy_of(journal, path):
    with contextlib.closing(sqlite3.connect(path)) as target:
        journal.connection.backup(target)


def rolled_back(exercise, role, copy):
    """The party's journal is replaced by the older copy."""
    path = exercise.folder / f"{role}.journal"
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    copy.rename(path)


@pytest.mark.parametrize("role", [Role.PROVER, Role.VERIFIER])
def test_a_journal_restored_from_an_old_copy_catches_up_and_says_nothing_else(tmp_path, role):
    count, _ = frames_in_all(tmp_path, answer=sampler())
    for cut in range(3, count - 6, 2):
        exercise = exercise_in(tmp_path, f"cut{cut}", answer=sampler())
        v, p = exercise.verifier_end(), exercise.prover_end()
        pipe(v, p, cut_after=cut)
        end = p if role is Role.PROVER else v
        copy_of(end.journal, exercise.folder / "old")
        v, p = again(exercise)
        pipe(v, p, cut_after=8)
        so_far = [], []
        kept = turns(v if role is Role.PROVER else p)
        for one in (v, p):
            one.journal.close()
        rolled_back(exercise, role, exercise.folder / "old")
        v, p = again(exercise)
        finish(exercise, v, p, so_far)
        assert turns(v)[: len(kept)] == kept


def test_a_prover_that_lost_its_journal_altogether_knows_no_session(tmp_path):
    exercise = exercise_in(tmp_path, "lost")
    pipe(exercise.verifier_end(), exercise.prover_end(), cut_after=6)
    (exercise.folder / "prover.journal").rename(exercise.folder / "gone")
    v, p = exercise.verifier_end(), exercise.prover_end()
    with pytest.raises(Exception, match="resumes another session") as caught:
        pipe(v, p)
    assert caught.value.reason is Reason.WRONG_SESSION
    assert caught.value.blamed is None


def test_journals_that_differ_are_noticed_and_nothing_more_is_said(tmp_path):
    """The prover ran two sessions out of one Hello; only one of them is the verifier's."""
    exercise = exercise_in(tmp_path, "one", answer=sampler())
    pipe(exercise.verifier_end(), exercise.prover_end(), cut_after=8)
    v = exercise.verifier_end()
    frame = v.resume()
    frame.resume.head = bytes(32)
    p = exercise.prover_end()
    with pytest.raises(Exception, match="one of the parties equivocated") as caught:
        list(p.feed(frame))
    assert caught.value.reason is Reason.HEAD_MISMATCH
    assert caught.value.blamed is None


def test_a_restored_budget_is_debited_for_the_answers_it_had_lost(tmp_path):
    """Else restoring an old copy would give a counterparty its answers back."""
    whole = exercise_in(tmp_path, "whole budget")
    _, p = whole.run()
    spent = DisclosureBudget(p.journal.connection, whole.verifier.owner, whole.limits).left()
    for cut in (3, 8):
        exercise = exercise_in(tmp_path, f"budget{cut}")
        pipe(exercise.verifier_end(), exercise.prover_end(), cut_after=cut)
        journal = exercise.journal(Role.PROVER)
        copy_of(journal, exercise.folder / "old")
        journal.close()
        pipe(*again(exercise), cut_after=12)
        rolled_back(exercise, Role.PROVER, exercise.folder / "old")
        v, p = again(exercise)
        pipe(v, p)
        assert v.done
        assert (
            DisclosureBudget(p.journal.connection, exercise.verifier.owner, exercise.limits).left() == spent
        )
