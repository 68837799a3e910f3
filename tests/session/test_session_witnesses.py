"""Witnesses in the session: what is cosigned, what the record then says, and what a pause does."""

from dataclasses import replace

import pytest
from parley_attestation import keys
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.judge import judge
from parley_attestation.log.panel import DefaultVerdict
from parley_attestation.log.witness import Event
from parley_attestation.session.tables import State
from parley_attestation.witnessing import deadline, position
from witnessed_kit import NOW, record, run_with, witnessed_exercise


def test_both_parties_records_are_witnessed_at_the_decision_and_at_the_end(tmp_path):
    bench, exercise = witnessed_exercise(tmp_path, count=3, threshold=2)
    for end, name in zip(run_with(bench, exercise), "vp", strict=True):
        found = judge(record(end, tmp_path / name), list(exercise.pins.values()))
        assert found.fault is None
        assert len(found.standing.opening.keys) == 3
        assert found.standing.opening.time == NOW
        assert found.standing.end is not None
        assert str(found.standing).startswith("witnessed by 3 of 3")


def test_too_few_witnesses_leave_the_record_unwitnessed_where_the_terms_allow_it(tmp_path):
    bench, exercise = witnessed_exercise(tmp_path, count=3, threshold=2)
    bench.up = [0]
    v, _ = run_with(bench, exercise)
    found = judge(record(v, tmp_path / "v"), list(exercise.pins.values()))
    assert found.fault is None
    assert str(found.standing) == "unwitnessed"


def test_the_verifier_shows_no_coin_while_the_terms_pause_and_goes_on_when_a_witness_answers(tmp_path):
    bench, exercise = witnessed_exercise(tmp_path, unreachable="pause")
    bench.up = []
    with pytest.raises(LocalError) as caught:
        run_with(bench, exercise)
    assert caught.value.reason is Reason.UNREACHABLE
    bench.up = [0]
    v, p = run_with(bench, exercise)
    assert v.machine.state is State.FINISHED
    assert v.machine.facts.verdict.digest() == p.machine.facts.verdict.digest()


def test_a_session_key_that_was_revoked_before_the_witnessed_time_spoils_the_record(tmp_path):
    bench, exercise = witnessed_exercise(tmp_path)
    revoked = keys.Revocation(exercise.prover.root.public, exercise.prover.session.public, NOW - 1)
    exercise.prover = replace(
        exercise.prover, history=(*exercise.prover.history, revoked.sealed(exercise.prover.root))
    )
    v, _ = run_with(bench, exercise)
    found = judge(record(v, tmp_path / "v"), list(exercise.pins.values()))
    assert found.fault.reason is Reason.KEY_NOT_CERTIFIED
    assert found.fault.blamed is None


def test_a_revocation_after_the_witnessed_time_spoils_nothing(tmp_path):
    bench, exercise = witnessed_exercise(tmp_path)
    revoked = keys.Revocation(exercise.prover.root.public, exercise.prover.session.public, NOW + 1)
    exercise.prover = replace(
        exercise.prover, history=(*exercise.prover.history, revoked.sealed(exercise.prover.root))
    )
    v, _ = run_with(bench, exercise)
    assert judge(record(v, tmp_path / "v"), list(exercise.pins.values())).fault is None


def silent_prover(tmp_path):
    """An exercise whose prover falls silent at its first challenge."""
    bench, exercise = witnessed_exercise(tmp_path)

    class SilentError(Exception):
        pass

    def fall_silent(_prompt, _seed):
        raise SilentError

    exercise.engine.answer = fall_silent
    with pytest.raises(SilentError):
        run_with(bench, exercise)
    return bench, exercise, exercise.verifier_end()


def test_silence_after_a_witnessed_head_and_deadline_is_the_provers_default(tmp_path):
    bench, exercise, v = silent_prover(tmp_path)
    at, envelope = position(v.machine, v.machine.sequence), last_envelope(v)
    sides = bench.ask(exercise.verifier, v.machine, at, Event.POSTED, record=envelope)
    bench.now += deadline(v.machine)
    sides += bench.ask(exercise.verifier, v.machine, at, Event.DEFAULT, seconds=deadline(v.machine))
    for sealed in sides:
        v.journal.side(v.row, sealed)
    found = judge(record(v, tmp_path / "v"), list(exercise.pins.values()))
    assert found.standing.default.verdict is DefaultVerdict.PROVER


def test_a_claim_before_the_deadline_is_refused_and_nobody_is_blamed(tmp_path):
    bench, exercise, v = silent_prover(tmp_path)
    at = position(v.machine, v.machine.sequence)
    bench.ask(exercise.verifier, v.machine, at, Event.POSTED, record=last_envelope(v))
    bench.now += deadline(v.machine) - 1
    with pytest.raises(PeerError) as caught:
        bench.ask(exercise.verifier, v.machine, at, Event.DEFAULT, seconds=deadline(v.machine))
    assert caught.value.reason is Reason.CLAIM_EARLY
    assert judge(record(v, tmp_path / "v")).standing.default is None


def test_without_a_witness_silence_is_nobodys_fault(tmp_path):
    _, exercise, v = silent_prover(tmp_path)
    found = judge(record(v, tmp_path / "v"), list(exercise.pins.values()))
    assert found.fault is None
    assert found.turn is Role.PROVER
    assert found.verdict is None
    assert found.standing.default is None


def last_envelope(end):
    return list(end.journal.turns(end.row))[-1][1].envelope
