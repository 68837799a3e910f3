"""Witnesses in the session: what is cosigned, what the record then says, and what a pause does."""

import io
from dataclasses import replace

import pytest
from kit import Exercise, pipe, seed
from parley_attestation import keys
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.records import write_record
from parley_attestation.edge.witness_store import WitnessStore
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.judge import judge
from parley_attestation.log.panel import DefaultVerdict
from parley_attestation.log.witness import Event, Request
from parley_attestation.session.tables import State
from parley_attestation.terms import Witnesses
from parley_attestation.witnessing import deadline, position

NOW = 1_000_000


class Bench:
    """Witnesses in memory with one clock; a party's notary asks those that are up."""

    def __init__(self, folder, count=1):
        self.stores = [
            WitnessStore(folder / f"w{n}.sqlite", f"w{n}", SigningKey(seed("witness", n)))
            for n in range(count)
        ]
        self.up = list(range(count))
        self.now = NOW

    @property
    def keys(self):
        return tuple(keys.PublicKey(store.public) for store in self.stores)

    def notary(self, side):
        bench = self

        class Notary:
            def cosign(self, machine, at, event, record):
                assert record.head() == at.head
                return bench.ask(side, machine, at, event, record=record)

        return Notary()

    def ask(self, side, machine, at, event, *, seconds=0, record=None):
        terms = machine.facts.terms
        request = Request(at, event, side.role, terms.prover, terms.verifier, seconds)
        sealed = request.sealed(side.session)
        return tuple(self.stores[n].cosign(request, sealed, self.now, record) for n in self.up)


def witnessed_exercise(tmp_path, count=1, threshold=1, unreachable="unwitnessed", **more):
    bench = Bench(tmp_path, count)
    exercise = Exercise(
        tmp_path, terms_changes={"witnesses": Witnesses(bench.keys, threshold, unreachable)}, **more
    )
    return bench, exercise


def run_with(bench, exercise):
    exercise.notary = bench.notary(exercise.verifier)
    v = exercise.verifier_end()
    exercise.notary = bench.notary(exercise.prover)
    p = exercise.prover_end()
    pipe(v, p)
    return v, p


def record(end, path):
    write_record(end.journal, end.row, path)
    return io.BytesIO(path.read_bytes())


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
