"""Witnesses in the session: what is cosigned, what the record then says, and what a pause does."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from kit import pipe, seed
from parley_attestation import keys
from parley_attestation.ed25519 import SigningKey
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.judge import judge
from parley_attestation.log.panel import MAX_SHOWN, DefaultVerdict
from parley_attestation.log.witness import Cosignature, Event
from parley_attestation.session.tables import State
from parley_attestation.witnessing import deadline, due, position, standing
from parley_prover.budget import Limits
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


def declining(tmp_path):
    """An exercise whose prover answers no set of this size."""
    bench, exercise = witnessed_exercise(tmp_path)
    exercise.limits = Limits(1, 1)
    return bench, exercise


def after(tmp_path, messages):
    """The verifier's and the prover's end of a witnessed exercise that stops after so many messages."""
    bench, exercise = witnessed_exercise(tmp_path)
    exercise.notary = bench.notary(exercise.verifier)
    v = exercise.verifier_end()
    exercise.notary = bench.notary(exercise.prover)
    p = exercise.prover_end()
    pipe(v, p, cut_after=messages)
    return v, p


def default_of(end, folder, claimant):
    """What a judge makes of a head that was witnessed, and of a claim of silence in due time after it."""
    witness, at = SigningKey(seed("witness", 0)), position(end.machine, end.machine.sequence)
    shown = Cosignature(at, Event.POSTED, claimant, NOW, 101, "w0")
    claim = Cosignature(at, Event.DEFAULT, claimant, NOW + 10_000, 102, "w0")
    for one in (shown, claim):
        end.journal.side(end.row, one.sealed(witness))
    return judge(record(end, folder / "r")).standing.default


def test_silence_can_be_claimed_from_the_decision_on_and_not_before(tmp_path):
    v, _ = after(tmp_path, 2)
    assert (v.machine.sequence, v.machine.turn) == (3, Role.PROVER)
    assert default_of(v, tmp_path, Role.VERIFIER) is None
    (tmp_path / "decided").mkdir()
    _, p = after(tmp_path / "decided", 3)
    assert (p.machine.sequence, p.machine.turn) == (4, Role.VERIFIER)
    assert default_of(p, tmp_path / "decided", Role.PROVER).verdict is DefaultVerdict.VERIFIER


def test_nobody_is_silent_after_the_end(tmp_path):
    bench, exercise = witnessed_exercise(tmp_path)
    v, _ = run_with(bench, exercise)
    assert default_of(v, tmp_path, Role.PROVER) is None


def test_a_decline_that_enough_witnesses_saw_is_the_opening(tmp_path):
    bench, exercise = declining(tmp_path)
    v, p = run_with(bench, exercise)
    assert v.machine.state is p.machine.state is State.DECLINED
    found = judge(record(v, tmp_path / "v"))
    assert (found.fault, found.standing.opening.time, found.standing.end) == (None, NOW, None)


def test_nothing_is_due_where_the_terms_name_no_witness():
    def told(state, keys):
        terms = SimpleNamespace(witnesses=SimpleNamespace(keys=keys))
        return due(SimpleNamespace(state=state, facts=SimpleNamespace(terms=terms)))

    assert told(State.ACCEPTED, (b"key",)) is Event.ACCEPTED
    assert told(State.ACCEPTED, ()) is None
    assert told(State.CHALLENGED, (b"key",)) is None
    assert due(SimpleNamespace(state=State.START, facts=SimpleNamespace(terms=None))) is None


def test_the_deadline_is_that_of_the_state_that_is_asked_about():
    terms = SimpleNamespace(answer_seconds=7, turn_seconds=3)
    machine = SimpleNamespace(state=State.CHALLENGED, facts=SimpleNamespace(terms=terms))
    assert (deadline(machine), deadline(machine, State.SEEDED)) == (7, 3)
    machine.state = State.SEEDED
    assert (deadline(machine), deadline(machine, State.CHALLENGED)) == (3, 7)


def test_what_witnesses_signed_last_is_weighed_whatever_stands_before_it(tmp_path):
    """Else whoever fills earlier attempts with side records takes the witnesses away from the last one."""
    bench, exercise = witnessed_exercise(tmp_path)
    v, _ = run_with(bench, exercise)
    sides, _ = v.journal.extras(v.row)
    junk = [b"%d" % n for n in range(MAX_SHOWN)]
    assert standing(v.machine, [*junk, *sides]).opening.time == NOW
    assert standing(v.machine, [*sides, *junk]).opening is None
