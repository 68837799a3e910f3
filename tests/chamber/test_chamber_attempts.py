"""Second attempts in sealed mode: the chamber knows every attempt, and nothing follows a run."""

from dataclasses import replace

import grpc
import pytest
from chamber_kit import boxed
from kit import pipe, seed
from parley.v1 import chamber_pb2 as pb
from parley_attestation.edge.attempts import replay
from parley_attestation.edge.endpoint import Draft
from parley_attestation.edge.transport import to_error
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.session import messages as m
from parley_attestation.session.tables import State
from parley_chamber.ledger import RunLedger
from parley_verifier.sealed import SealedVerifierPolicy

pytestmark = boxed


class Quitter(SealedVerifierPolicy):
    """A verifier that gives up in one state."""

    at = State.EVIDENCED

    def propose(self, machine, secret):
        if machine.state is self.at:
            return Draft(m.Abort("TIMEOUT", "somebody pulled the plug"))
        return super().propose(machine, secret)


class Late(Quitter):
    """It gives up when both keys are released and the chamber has run."""

    at = State.RUNNING

    def propose(self, machine, secret):
        if machine.state is self.at:
            self._custody.outcomes(machine)
        return super().propose(machine, secret)


def attempt(exercise, number, **more):
    """One more session at the exercise, with randomness of its own."""
    v, p = exercise.ends(attempt=("attempt", number), **more)
    pipe(v, p)
    v.journal.note(v.row, ended=True)
    return v, p


def runs(place):
    return RunLedger(place.folder / "chamber" / "runs").outcomes()


def test_after_an_abort_before_any_release_a_second_attempt_succeeds(place):
    exercise = place.exercise()
    first, _ = attempt(exercise, 1, verifier=Quitter)
    assert first.machine.state is State.ABORTED
    second, p = attempt(exercise, 2)
    facts = second.machine.facts
    assert second.machine.state is p.machine.state is State.FINISHED, facts.ending
    assert (facts.attempt, facts.verdict.predicate["overall"]) == (2, "COMPLIANT")
    assert facts.session_id != first.machine.facts.session_id
    assert facts.seed == first.machine.facts.seed
    assert runs(place) == ["done"], "the attempt before it has not run"


def test_a_third_attempt_shows_both_before_it(place):
    exercise = place.exercise()
    for number in (1, 2):
        attempt(exercise, number, verifier=Quitter)
    v, _ = attempt(exercise, 3)
    assert v.machine.state is State.FINISHED, v.machine.facts.ending
    assert v.machine.facts.attempt == 3


def test_a_verifier_that_hides_the_earlier_attempt_from_the_prover_is_blamed(place):
    exercise = place.exercise()
    attempt(exercise, 1, verifier=Quitter)
    exercise.journal(Role.VERIFIER).close()
    (place.folder / "verifier.journal").unlink()
    with pytest.raises(PeerError) as caught:
        attempt(exercise, 2)
    assert (caught.value.reason, caught.value.blamed) == (Reason.BAD_ATTEMPT, Role.VERIFIER)


def forget(place, exercise):
    """Both parties lose their journals, as if they had agreed to."""
    for role in (Role.PROVER, Role.VERIFIER):
        exercise.journal(role).close()
        (place.folder / f"{role}.journal").unlink()


def test_parties_that_both_hide_the_earlier_attempt_get_no_keys(place):
    exercise = place.exercise()
    attempt(exercise, 1, verifier=Quitter)
    forget(place, exercise)
    v, _ = attempt(exercise, 2)
    assert v.machine.state is State.ABORTED
    assert (v.machine.facts.ending.reason, v.machine.facts.attempt) == ("BAD_ATTEMPT", 1)
    assert runs(place) == []


@pytest.mark.parametrize("hidden", ["all", "the newest", "the oldest", "none, but one twice"])
def test_a_chamber_is_shown_every_earlier_attempt_in_its_order(place, hidden):
    exercise = place.exercise()
    for number in (1, 2, 3):
        v, _ = attempt(exercise, number, verifier=Quitter)
    link = v.policy._custody.links[0]
    shown = link._shown(v.machine)
    first, second = shown["earlier"]
    link._stub.Open(pb.OpenRequest(**shown), timeout=20)
    shown["earlier"] = {
        "all": [],
        "the newest": [first],
        "the oldest": [second],
        "none, but one twice": [first, second, second],
    }[hidden]
    with pytest.raises(grpc.RpcError) as caught:
        link._stub.Open(pb.OpenRequest(**shown), timeout=20)
    assert to_error(caught.value).reason is Reason.BAD_ATTEMPT


def test_an_empty_attempt_and_too_many_of_them_are_refused(place):
    exercise = place.exercise()
    v, _ = attempt(exercise, 1, verifier=Quitter)
    link = v.policy._custody.links[0]
    shown = link._shown(v.machine)
    for earlier, reason in (([pb.Attempt()], Reason.BAD_ATTEMPT), ([pb.Attempt()] * 16, Reason.TOO_LARGE)):
        with pytest.raises(grpc.RpcError) as caught:
            link._stub.Open(pb.OpenRequest(**(shown | {"earlier": earlier})), timeout=20)
        assert to_error(caught.value).reason is reason


def test_no_attempt_follows_a_run_and_a_run_that_ended_in_an_abort_uses_the_quota(place):
    exercise = place.exercise(sealed=SealedTerms(runs=1))
    first, _ = attempt(exercise, 1, verifier=Late)
    assert first.machine.state is State.ABORTED
    assert runs(place) == ["done"], "it ran, and its receipt is on no record"
    with pytest.raises(LocalError) as caught:
        attempt(exercise, 2)
    assert caught.value.reason is Reason.CONFIG, "the verifier itself knows that the exercise is over"
    again = place.exercise(sealed=SealedTerms(runs=1), nonce=Digest(seed("new terms")))
    v, _ = attempt(again, 3)
    (chamber,) = v.machine.facts.verdict.predicate["chambers"]
    assert (chamber["refused"], chamber["run"]) == ("QUOTA_EXHAUSTED", 2)
    assert runs(place) == ["done", "QUOTA_EXHAUSTED"]


class Forgetful(Quitter):
    """It has the prover's key, keeps the session open at the chamber, and lets every journal forget it."""

    at = State.RUNNING


def test_of_two_attempts_that_were_both_opened_the_earlier_one_no_longer_runs(place):
    """The parties show the chamber the first one up to its seed: nothing was released in what they show."""
    exercise = place.exercise(sealed=SealedTerms(runs=2))
    v, _ = attempt(exercise, 1, verifier=Forgetful)
    link = v.policy._custody.links[0]
    released = link._shown(v.machine)
    del released["envelopes"][-1]  # its Abort, which the chamber need not see
    for role in (Role.PROVER, Role.VERIFIER):
        journal = exercise.journal(role)
        row = journal.last(role)
        with journal.transaction() as db:
            db.execute("DELETE FROM turn WHERE session=? AND sequence>6", (row.id,))
            db.execute("UPDATE session SET ended=1 WHERE id=?", (row.id,))
    second, _ = attempt(exercise, 2, verifier=Quitter)
    assert second.machine.facts.attempt == 2
    with pytest.raises(grpc.RpcError) as caught:
        link._stub.Run(pb.RunRequest(**released), timeout=60)
    assert to_error(caught.value).reason is Reason.BAD_ATTEMPT
    assert runs(place) == []


def test_the_ledger_of_attempts_gives_each_place_to_one_session(tmp_path):
    ledger = RunLedger(tmp_path / "runs")
    exercise, (one, two, three) = Digest(seed("exercise")), [seed("session", n) for n in range(3)]
    ledger.attempt(exercise, [one])
    ledger.attempt(exercise, [one])
    ledger.attempt(Digest(seed("another exercise")), [two])
    ledger.attempt(exercise, [one, two])
    for sessions in ([two], [one], [one, three], [three, two], [two, two, three]):
        with pytest.raises(PeerError) as caught:
            ledger.attempt(exercise, sessions)
        assert caught.value.reason is Reason.BAD_ATTEMPT
    with pytest.raises(PeerError, match="has followed the session") as caught:
        ledger.begin(Digest(seed("set")), Digest(seed("claim")), Digest(one))
    assert caught.value.reason is Reason.BAD_ATTEMPT
    assert ledger.outcomes() == []
    ledger.begin(Digest(seed("set")), Digest(seed("claim")), Digest(two))
    ledger.attempt(exercise, [one, two])
    with pytest.raises(PeerError, match="has had its run"):
        ledger.attempt(exercise, [one, two, three])


def test_an_attempt_that_the_chamber_never_saw_is_no_obstacle(place):
    exercise = place.exercise()
    first, _ = attempt(exercise, 1, verifier=type("Early", (Quitter,), {"at": State.SEEDED}))
    assert first.machine.state is State.ABORTED
    v, _ = attempt(exercise, 2)
    assert v.machine.state is State.FINISHED, v.machine.facts.ending
    assert replace(v.machine.facts).attempt == 2
    assert replay(v.journal, Role.VERIFIER, v.row).state is State.FINISHED
