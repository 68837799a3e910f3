"""Room: the suite. For a chamber under test: what it gives when a session has ended, and attempts that are hidden."""

import time
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any

from parley_attestation.edge.journal import Journal
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn, envelope_to_wire
from parley_verifier.results import handed_over

from parley_conformance.arena import PEER, Session, Stop
from parley_conformance.cases.base import Case
from parley_conformance.harness import Failure, Lost, Refused
from parley_conformance.roles.chamber import Chamber, Plan, finished, outcome, refuses

S, R = State, Reason
V, P = Role.VERIFIER, Role.PROVER
SEEDED = 6
HELD = 4  # seconds for which an outcome is held back while parties ask
_EVERY = 0.1  # seconds between two questions
_HANDS_OVER = SealedTerms(hand_over=True)


# -- results


def _given(target: Chamber, envelopes: list[Any]) -> bytes:
    """The results that the verifier gets. Raises `Failure`."""
    answer = target.results(envelopes)
    if isinstance(answer, Refused | Lost):
        raise Failure("the verifier is refused its results")
    return bytes(answer.sealed)


def _early_results(target: Chamber) -> None:
    """Results are given when both parties have ended the session, and not before."""
    session = target.session(target.plan(sealed=_HANDS_OVER))
    finished(session)
    whole = target.envelopes(session)
    for count in (SEEDED, len(whole) - 2, len(whole) - 1):  # no keys, a receipt, one party's end
        refuses(target.results(whole[:count]), R.OUT_OF_ORDER)
    _given(target, whole)


def _provers_results(target: Chamber) -> None:
    """Results are for the verifier: the prover that ended the same session gets none."""
    session = target.session(target.plan(sealed=_HANDS_OVER))
    finished(session)
    refuses(target.results(target.envelopes(session, P), P), R.BAD_CUSTODY)
    _given(target, target.envelopes(session))


def _unagreed_results(target: Chamber) -> None:
    """Of terms that hand over nothing a chamber keeps nothing; nor of a run that it refused."""
    session = target.session(target.plan())
    finished(session)
    refuses(target.results(target.envelopes(session)), R.WRONG_SESSION)
    plan = target.plan(sealed=_HANDS_OVER)
    finished(target.session(plan))
    refused = target.session(target.again(plan, sealed=_HANDS_OVER))
    if outcome(refused)[0] != R.QUOTA_EXHAUSTED:
        raise Failure("a second run of one set and model was not refused")
    refuses(target.results(target.envelopes(refused)), R.WRONG_SESSION)


def _right_results(target: Chamber) -> None:
    """The results open under the verifier's own seed, give the root and the counts of the receipt, and come again."""
    plan = target.plan(sealed=_HANDS_OVER)
    session = target.session(plan)
    finished(session)
    whole = target.envelopes(session)
    first = _given(target, whole)
    try:
        handed_over(session.ends[V].machine.facts, plan.seed, first)
    except PeerError as error:
        raise Failure(f"a verifier refuses the results that the chamber gave: {error.reason}") from None
    if _given(target, whole) != first:
        raise Failure("the results of one session came twice and differ")


# -- attempts

Journals = Mapping[Role, Journal]


def _copied(target: Chamber, journals: Journals) -> Journals:
    """The parties' journals as they stand: what follows, parties with these copies have agreed to forget."""
    found = {role: target.arena.journal() for role in PEER}
    for role, journal in journals.items():
        journal.connection.backup(found[role].connection)
    return found


def _fresh(target: Chamber) -> Journals:
    return {role: target.arena.journal() for role in PEER}


def _seeded(target: Chamber, plan: Plan, journals: Journals) -> list[Any]:
    """The messages up to the seed of the next attempt, which the chamber has not been shown."""
    session = target.session(plan, Stop(P, S.COIN_SHOWN), journals=journals)
    said = session.speaker(P).turn()
    assert isinstance(said, Turn)
    return [*target.envelopes(session, P), envelope_to_wire(said.envelope)]


def _opened(target: Chamber, plan: Plan, journals: Journals) -> tuple[Session, list[Any]]:
    """An attempt that ends with the chamber's keys on its record, and its messages."""
    session = target.session(plan, Stop(V, S.EVIDENCED), journals=journals)
    return session, target.envelopes(session)


def _unshown(target: Chamber) -> None:
    """A third attempt that is shown without one of the two before it, or with them in another order."""
    plan, journals = target.plan(), _fresh(target)
    (_, first), (_, second) = (_opened(target, plan, journals) for _ in range(2))
    third = _seeded(target, plan, _copied(target, journals))
    for shown in ([], [first], [second], [second, first], [first, second, second]):
        refuses(target.open(third, earlier=shown), R.BAD_ATTEMPT)
    finished(target.session(plan, journals=journals))


def _forgotten(target: Chamber) -> None:
    """Parties that agree to forget an attempt to which the chamber gave keys get none in its place."""
    plan, journals = target.plan(), _fresh(target)
    _, first = _opened(target, plan, journals)
    forgetful = _copied(target, journals)
    _opened(target, plan, journals)
    refuses(target.open(_seeded(target, plan, forgetful), earlier=[first]), R.BAD_ATTEMPT)
    finished(target.session(plan, journals=journals))


def _forgotten_run(target: Chamber) -> None:
    """Parties that agree to forget the run of an attempt, and show it as far as before both releases."""
    plan, journals = target.plan(), _fresh(target)
    session, first = _opened(target, plan, journals)
    forgetful = _copied(target, journals)
    finished(target.go_on(plan, session))
    refuses(target.open(_seeded(target, plan, forgetful), earlier=[first]), R.BAD_ATTEMPT)
    other, again = target.plan(), _fresh(target)
    _opened(target, other, again)
    finished(target.session(other, journals=again))


def _followed(target: Chamber) -> None:
    """Of two attempts that were both opened, and of which neither has run, the later one runs alone."""
    plan, journals = target.plan(), _fresh(target)
    first, _ = _opened(target, plan, journals)
    again = _copied(target, journals)
    second, _ = _opened(target, plan, again)
    got = outcome(target.go_on(plan, first))[0]
    if got != R.BAD_ATTEMPT:
        raise Failure(f"an attempt that another has followed: expected BAD_ATTEMPT, got {got or 'a receipt'}")
    finished(target.go_on(plan, second))


def _ended_unseen(target: Chamber) -> None:
    """Until the outcome may leave, nothing that a party asks for changes with the end of the run."""
    plan = target.plan(sealed=SealedTerms(release_seconds=HELD))
    session = target.session(plan, Stop(P, S.RELEASED))
    said = session.speaker(P).turn()
    assert isinstance(said, Turn)
    released = [*target.envelopes(session, P), envelope_to_wire(said.envelope)]
    uploaded = _received(target, released[:SEEDED])
    with futures.ThreadPoolExecutor(1) as pool:
        until, outcome_of = time.monotonic() + HELD - 1, pool.submit(target.run, released)
        while time.monotonic() < until:  # terms count whole seconds
            if _received(target, released[:SEEDED]) != uploaded:
                raise Failure("a party sees that the run has ended before its outcome may leave")
            futures.wait([outcome_of], timeout=_EVERY)
    if isinstance(outcome_of.result(), Refused | Lost):
        raise Failure("a session with a release time got no outcome")


def _received(target: Chamber, seeded: list[Any]) -> list[int]:
    """How much of each party's upload the chamber says is there. Raises `Failure`."""
    answers = [target.open(seeded, role) for role in PEER]
    if any(isinstance(one, Refused | Lost) for one in answers):
        raise Failure("a session is refused while its outcome is held back")
    return [one.received for one in answers]


def _case(name: str, what: str, needs: str, run: Callable[[Chamber], None]) -> Case:
    return Case(name, what, tuple(needs.split()), run)


ENDED: tuple[Case, ...] = (
    _case("results-early", "results before both have ended the session", "SEAL-12", _early_results),
    _case("results-for-the-prover", "results that the prover asks for", "SEAL-12", _provers_results),
    _case("results-unagreed", "results that the terms do not hand over", "SEAL-9", _unagreed_results),
    _case("results", "the results of a session", "CH-RUN CH-ONCE", _right_results),
    _case("attempt-unshown", "an attempt that is not shown", "SEAL-15", _unshown),
    _case("attempt-forgotten", "an attempt that both parties forget", "SEAL-15", _forgotten),
    _case("attempt-followed", "a run of an attempt that another has followed", "SEAL-15", _followed),
    _case("ended-unseen", "what is asked while an outcome is held back", "SEAL-8", _ended_unseen),
    _case("run-forgotten", "a run that both parties forget", "SEAL-15", _forgotten_run),
)
