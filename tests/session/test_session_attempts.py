"""Attempts at one exercise: a later one continues the earlier, and nobody retries quietly."""

import io
from dataclasses import replace

import pytest
from kit import CHANNEL, Exercise, Plan, pipe, right, seed, side
from parley.v1 import session_pb2 as pb
from parley_attestation import statement
from parley_attestation.edge.endpoint import Draft, signed
from parley_attestation.edge.records import write_record
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.judge import judge
from parley_attestation.session import agreement
from parley_attestation.session import messages as m
from parley_attestation.session.tables import FINAL, State
from parley_attestation.session.turns import envelope_to_wire
from parley_verifier.challenge import VerifierPolicy
from witnessed_kit import record


class Quitter(VerifierPolicy):
    """A verifier that gives up after its first answered challenge."""

    def propose(self, machine, secret):
        if machine.state is State.SEEDED and machine.facts.audit.units:
            return Draft(m.Abort("TIMEOUT", "somebody pulled the plug"))
        return super().propose(machine, secret)


class Vanished(Exception):  # noqa: N818 - a power cut
    """The verifier is gone."""


class Vanisher(VerifierPolicy):
    """A verifier that goes away after its first answered challenge, without a word."""

    def propose(self, machine, secret):
        if machine.state is State.SEEDED and machine.facts.audit.units:
            raise Vanished
        return super().propose(machine, secret)


def quitter(exercise, kind=Quitter):
    journal = exercise.journal(Role.VERIFIER)
    return kind(exercise.verifier.history, CHANNEL, exercise.sealed_terms, exercise.tests, journal=journal)


def exercise_of(tmp_path, **more):
    return Exercise(tmp_path, terms_changes={"plan": Plan(1, 4, (("", 60),))}, **more)


def first_attempt(exercise):
    v, p = exercise.verifier_end(policy=quitter(exercise)), exercise.prover_end()
    pipe(v, p)
    assert v.machine.state is p.machine.state is State.ABORTED
    v.journal.note(v.row, ended=True)
    return v, p


def test_a_later_attempt_has_the_same_seed_and_goes_on_at_the_next_ticket(tmp_path):
    exercise = exercise_of(tmp_path)
    v1, _ = first_attempt(exercise)
    v2, p2 = exercise.verifier_end(b"second"), exercise.prover_end(b"p second")
    pipe(v2, p2)
    one, two = v1.machine.facts, v2.machine.facts
    assert two.attempt == 2
    assert two.seed == one.seed
    assert two.session_id != one.session_id
    names = [unit.name for unit in two.audit.units]
    assert names[:4] == [unit.name for unit in one.audit.units]
    assert len(set(names)) == len(names)
    assert two.verdict.predicate["attempt"] == 2
    assert two.verdict.digest() == p2.machine.facts.verdict.digest()


def test_the_record_of_a_later_attempt_carries_the_earlier_and_the_judge_follows(tmp_path):
    exercise = exercise_of(tmp_path)
    first_attempt(exercise)
    v2, p2 = exercise.verifier_end(b"second"), exercise.prover_end(b"p second")
    pipe(v2, p2)
    write_record(v2.journal, v2.row, tmp_path / "v.parley")
    write_record(p2.journal, p2.row, tmp_path / "p.parley")
    raw = (tmp_path / "v.parley").read_bytes()
    assert raw == (tmp_path / "p.parley").read_bytes()
    found = judge(io.BytesIO(raw), list(exercise.pins.values()))
    assert found.fault is None
    assert found.verdict.payload() == v2.machine.facts.verdict.payload()


def test_a_challenge_left_unanswered_counts_against_compliance_only(tmp_path):
    exercise = exercise_of(tmp_path)

    class BrokenError(Exception):
        pass

    def fail(_prompt, _seed):
        raise BrokenError

    exercise.engine.answer = fail
    v, p = exercise.verifier_end(), exercise.prover_end()
    with pytest.raises(BrokenError):
        pipe(v, p)
    assert v.machine.state is State.CHALLENGED
    for end in (v, p):
        end.journal.note(end.row, ended=True)
    # The prover never saw or never took the challenge that it did not answer: bring both to one head.
    exercise.engine.answer = right
    v2, p2 = exercise.verifier_end(b"second"), exercise.prover_end(b"p second")
    pipe(v2, p2)
    audit = v2.machine.facts.audit
    assert [unit.output is None for unit in audit.units[:4]] == [True] * 4
    tests, _ = audit.tests()
    assert tests[0].successes + tests[0].failures == tests[0].n - 4
    assert v2.machine.facts.verdict.digest() == p2.machine.facts.verdict.digest()


def test_a_quiet_retry_is_refused_and_blames_the_verifier(tmp_path):
    exercise = exercise_of(tmp_path)
    first_attempt(exercise)
    (tmp_path / "verifier.journal").rename(tmp_path / "hidden.journal")
    p = exercise.prover_end(b"p quiet")
    with pytest.raises(PeerError) as caught:
        pipe(exercise.verifier_end(b"quiet"), p)
    assert caught.value.reason is Reason.BAD_ATTEMPT
    assert caught.value.blamed is Role.VERIFIER
    found = judge(record(p, tmp_path / "p.parley"), list(exercise.pins.values()))
    assert (found.fault.blamed, found.fault.reason) == (Role.VERIFIER, Reason.BAD_ATTEMPT)


def test_there_is_no_attempt_after_the_references_were_shown(tmp_path):
    exercise = exercise_of(tmp_path)
    v, _ = exercise.run()
    v.journal.note(v.row, ended=True)
    with pytest.raises(LocalError) as caught:
        pipe(exercise.verifier_end(b"again"), exercise.prover_end(b"p again"))
    assert caught.value.reason is Reason.CONFIG


def test_a_session_that_a_later_attempt_superseded_is_not_resumed(tmp_path):
    """Else a verifier could draw answers to the same units twice and put the attempt that it likes on record."""
    exercise = exercise_of(tmp_path)
    v, p = exercise.verifier_end(policy=quitter(exercise, Vanisher)), exercise.prover_end()
    with pytest.raises(Vanished):
        pipe(v, p)
    assert p.machine.state not in FINAL
    for end in (v, p):
        end.journal.note(end.row, ended=True)
    pipe(exercise.verifier_end(b"second"), exercise.prover_end(b"p second"))
    with pytest.raises(PeerError) as caught:
        exercise.prover_end(row=p.journal.find(session_id=p.machine.facts.session_id))
    assert caught.value.reason is Reason.ABORTED


def test_proof_against_the_verifier_from_an_earlier_attempt_stands_in_the_record_of_a_later_one(tmp_path):
    """The record of the honest prover would not hold at all, and blame nobody, if it stood in another place."""
    exercise = exercise_of(tmp_path)
    v, p = exercise.verifier_end(policy=quitter(exercise, Vanisher)), exercise.prover_end()
    with pytest.raises(Vanished):
        pipe(v, p)
    machine = p.machine
    second = signed(
        m.Header(machine.facts.session_id, 5, machine.heads[3]),
        m.Abort("TIMEOUT", "another word for the same slot"),
        exercise.verifier.session,
    )
    with pytest.raises(PeerError) as caught:
        list(p.feed(pb.Frame(envelope=envelope_to_wire(second))))
    assert (caught.value.reason, caught.value.blamed) == (Reason.EQUIVOCATION, Role.VERIFIER)
    v.journal.note(v.row, ended=True)
    v2, p2 = exercise.verifier_end(b"second"), exercise.prover_end(b"p second")
    pipe(v2, p2)
    assert p2.machine.state is State.FINISHED
    found = judge(record(p2, tmp_path / "p.parley"), list(exercise.pins.values()))
    assert (found.fault.reason, found.fault.blamed) == (Reason.EQUIVOCATION, Role.VERIFIER)


def test_who_proposes_another_partys_terms_does_not_get_that_partys_attempts_into_the_record(tmp_path):
    exercise = exercise_of(tmp_path)
    v, _ = first_attempt(exercise)
    _, body = m.read("propose", v.journal.envelope(v.row, 3).payload)
    stranger = exercise_of(tmp_path)
    stranger.verifier = side(Role.VERIFIER, "stranger")
    stranger.pins = exercise.pins | {Role.VERIFIER: stranger.verifier.owner}

    class Thief(VerifierPolicy):
        def propose(self, machine, secret):
            if machine.state is State.READY:
                raise Vanished
            return super().propose(machine, secret)

    (tmp_path / "verifier.journal").rename(tmp_path / "first.journal")
    v2, p2 = stranger.verifier_end(b"thief", quitter(stranger, Thief)), stranger.prover_end(b"p thief")
    with pytest.raises(Vanished):
        pipe(v2, p2)
    stolen = replace(body, terms=statement.seal(exercise.terms.statement(), stranger.verifier.session))
    turn = signed(p2.machine.next_header(), stolen, stranger.verifier.session)
    with pytest.raises(PeerError) as caught:
        list(p2.feed(pb.Frame(envelope=envelope_to_wire(turn))))
    assert (caught.value.reason, caught.value.blamed) == (Reason.BAD_TERMS, Role.VERIFIER)
    write_record(p2.journal, p2.row, tmp_path / "p.parley")
    raw = (tmp_path / "p.parley").read_bytes()
    assert not any(prompt in raw for prompt, _ in exercise.items if len(prompt) > 3)
    found = judge(io.BytesIO(raw), list(stranger.pins.values()))
    assert (found.fault.reason, found.fault.blamed) == (Reason.BAD_TERMS, Role.VERIFIER)


@pytest.mark.parametrize("done", [m.MAX_ATTEMPTS - 1, m.MAX_ATTEMPTS])
def test_there_are_at_most_64_attempts(tmp_path, done):
    exercise = exercise_of(tmp_path)
    v, _ = first_attempt(exercise)
    earlier = v.machine.as_earlier()
    heads = tuple(Digest(seed("head", n)) for n in range(done - 1))
    earlier = replace(earlier, facts=replace(earlier.facts, attempt=done, earlier_heads=heads))
    turn = next(turn for number, turn in v.journal.turns(v.row) if number == 3)
    _, said = m.read("propose", turn.envelope.payload)
    again = replace(said, attempt=done + 1, earlier_heads=(*heads, earlier.head))
    if done < m.MAX_ATTEMPTS:
        agreement._check_attempt(again, earlier)
    else:
        with pytest.raises(PeerError) as caught:
            agreement._check_attempt(again, earlier)
        assert caught.value.reason is Reason.BAD_ATTEMPT
