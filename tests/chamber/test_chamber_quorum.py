"""Chambers of a quorum run at once: no longer than the slowest of them, and none is waited for in vain."""

import threading
from dataclasses import replace

from chamber_kit import boxed
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.session.tables import State
from parley_attestation.terms import Operator
from parley_chamber.service import ChamberService
from sealed_kit import SealedParties, StatedChamber
from test_chamber_service import Place
from test_chamber_session import SealedExercise

PATIENCE = 20  # seconds, for a test that fails


def chambers(count=2):
    return tuple(StatedChamber(f"number {n}") for n in range(count))


def backwards(links):
    """Let every chamber end after the next one; they can only if all of them run at once."""
    ended = [threading.Event() for _ in links]

    def late(number, honest):
        def receipt(machine):
            if number + 1 < len(links):
                assert ended[number + 1].wait(PATIENCE)
            ended[number].set()
            return honest(machine)

        return receipt

    for number, link in enumerate(links):
        link.receipt = late(number, link.receipt)


def test_the_chambers_of_a_quorum_run_at_once_and_stand_on_the_record_in_their_order(tmp_path):
    links = chambers(3)
    backwards(links)
    v, p = SealedParties(tmp_path, links).run()
    assert v.machine.state is p.machine.state is State.FINISHED
    said = [one["operator"]["key"] for one in v.machine.facts.verdict.predicate["chambers"]]
    assert said == [link.operator.key.hex() for link in links]


def test_a_chamber_that_leaves_nothing_ends_the_session_while_another_one_still_runs(tmp_path):
    links, over, ended = chambers(), threading.Event(), []

    def refuse(_machine):
        raise PeerError(Reason.BOX_FAILED, "nothing")

    def run_on(_machine):
        ended.append(over.wait(PATIENCE))
        raise PeerError(Reason.BOX_FAILED, "nobody waits for this")

    links[0].receipt, links[1].receipt = run_on, refuse
    try:
        v, p = SealedParties(tmp_path, links).run()
        assert ended == [], "the other one still runs"
    finally:
        over.set()
    assert v.machine.state is p.machine.state is State.ABORTED
    assert v.machine.facts.ending.reason == Reason.BOX_FAILED


@boxed
def test_two_chambers_over_the_wire_run_at_once_and_agree(tmp_path, monkeypatch):
    met, honest = threading.Barrier(2, timeout=PATIENCE), ChamberService._outcome

    def together(self, session, machine):
        met.wait()
        return honest(self, session, machine)

    monkeypatch.setattr(ChamberService, "_outcome", together)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    places = Place(tmp_path / "one"), Place(tmp_path / "two", operator="second")
    keys = [Bytes32(place.parties[Role.CHAMBER].session.public) for place in places]
    exercise = SealedExercise(
        tmp_path,
        operators=tuple(Operator(key, "neutral", ("tests", "weights")) for key in keys),
        sealed=SealedTerms(quorum=2),
    )
    custody = exercise.custody

    def links(role):
        journal = exercise.journal(role)
        return replace(custody(role), links=tuple(place.client(role, journal) for place in places))

    exercise.custody = links
    try:
        v, _ = exercise.run()
        said = v.machine.facts.verdict.predicate
        assert (v.machine.state, said["overall"]) == (State.FINISHED, "COMPLIANT")
        assert [one["operator"]["key"] for one in said["chambers"]] == [key.hex() for key in keys]
    finally:
        for place in places:
            for client in place.clients:
                client.close()
            place.server.stop(None).wait()
