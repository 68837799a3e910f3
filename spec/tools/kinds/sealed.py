"""Vectors of sealed exercises: what parties and chambers signed, and what a judge must say of it.

The chambers state whatever a vector needs and run nothing; wrapped keys repeat, under a fixed ephemeral key.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import evidence_cases as cases
import pytest
from cheats import Pause, Standoff, Wrapped, flip, terms
from kit import pipe, seed
from parley_attestation import canonical
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.endpoint import Draft
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import Reason, Role
from parley_attestation.evidence.collect import SimulatedCollector
from parley_attestation.evidence.simulated import SimulatedEnclave
from parley_attestation.receipt import SimulatedReceipt
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.sealing import Grant
from parley_attestation.session import messages as m
from parley_attestation.session.tables import State
from parley_verifier.sealed import SealedVerifierPolicy
from sealed_kit import SealedParties, StatedChamber

from kinds.basics import Test
from kinds.chambers import wrap_with
from kinds.endings import proposed
from kinds.records import folder, judged, record_of

V, P = Role.VERIFIER, Role.PROVER
ROOT = SigningKey(seed("simulated root"))
VALUES = {"kind": "simulated", "name": "lab", "holds_key": True, "values": {"measurement": ["07" * 48]}}
RULES = cases.rules(kinds=["simulated"], products=["simulated"], references=[VALUES])
POLICY = cases.make_policy(cases.laboratory(RULES, ROOT.public.hex(), binder_required=True))


def _wrap(data_key: Bytes32, recipient: Bytes32, grant: Grant) -> bytes:
    return wrap_with(
        seed("ephemeral", bytes(recipient), grant.sealed.role), data_key, recipient, grant.info()
    )


def _simulated(name: str = "") -> StatedChamber:
    enclave = SimulatedEnclave(ROOT, "lab-1", b"\x07" * 48)
    return StatedChamber(name, collectors=(SimulatedCollector(enclave),))


def _two(**second: Any) -> tuple[StatedChamber, ...]:
    return StatedChamber(), StatedChamber("second", **second)


# comment, requirement, chambers, what else the parties are made of
HONEST: tuple[tuple[str, str, Callable[[], tuple[StatedChamber, ...]], dict[str, Any]], ...] = (
    ("a sealed exercise that ends COMPLIANT", "SEAL-5", lambda: (StatedChamber(),), {}),
    ("a sealed exercise that ends in VIOLATION", "SEAL-5", lambda: (StatedChamber(successes=30),), {}),
    (
        "counts rounded so far down that neither side of the threshold is sure",
        "SEAL-5",
        lambda: (StatedChamber(successes=49),),
        {"rules": SealedTerms(round_to=20)},
    ),
    ("two chambers that state the same counts", "VERD-1", _two, {}),
    ("two chambers that state different counts", "VERD-1", lambda: _two(successes=50), {}),
    (
        "two chambers of which one refuses",
        "VERD-1",
        lambda: _two(refuses=(Reason.BOX_TIME, None)),
        {},
    ),
    (
        "a chamber that found other weights than registered",
        "SEAL-7",
        lambda: (StatedChamber(refuses=(Reason.BAD_MODEL_CLAIM, P)),),
        {},
    ),
    (
        "a chamber that found other tests than registered",
        "SEAL-7",
        lambda: (StatedChamber(refuses=(Reason.BAD_OPENING, V)),),
        {},
    ),
    (
        "a chamber whose quota is used up",
        "SEAL-6",
        lambda: (StatedChamber(refuses=(Reason.QUOTA_EXHAUSTED, None)),),
        {},
    ),
    (
        "a program that the prover supplied",
        "SEAL-5",
        lambda: (StatedChamber(),),
        {"rules": SealedTerms(program=True)},
    ),
    (
        "results handed over, an outcome in padded time",
        "SEAL-5",
        lambda: (StatedChamber(),),
        {"rules": SealedTerms(hand_over=True, release_seconds=60)},
    ),
    (
        "a machine with swap space and no boxes, which both accept",
        "SEAL-4",
        lambda: (StatedChamber(sandbox="none", swap="present"),),
        {"accept": True},
    ),
    (
        "a chamber that the prover runs, which the verifier accepts",
        "SEAL-5",
        lambda: (StatedChamber(run_by="prover"),),
        {"accept": True},
    ),
    (
        "a chamber that the prover runs, which the verifier refuses",
        "SEAL-4",
        lambda: (StatedChamber(run_by="prover"),),
        {},
    ),
    (
        "a chamber that the verifier runs, which the prover refuses",
        "SEAL-4",
        lambda: (StatedChamber(run_by="verifier"),),
        {},
    ),
    ("a laboratory run, which is no receipt", "SEAL-5", lambda: (_simulated(),), {"evidence_policy": POLICY}),
)


def honest() -> Iterator[Test]:
    """Sealed exercises in which both parties keep to the rules."""
    for comment, requirement, chambers, changes in HONEST:
        with folder() as where:
            exercise = SealedParties(where, chambers(), **changes)
            v, _ = exercise.run()
            yield judged(comment, requirement, exercise, record_of(exercise, v))


class _Quitter(SealedVerifierPolicy):
    def propose(self, machine: Any, secret: Any) -> Draft:
        if machine.state is State.EVIDENCED:
            return Draft(m.Abort("TIMEOUT", "the verifier goes home"))
        return super().propose(machine, secret)


def attempts() -> Iterator[Test]:
    """An abort before any release, and the attempt that continues it."""
    with folder() as where:
        exercise = SealedParties(where)
        v, _ = exercise.run(verifier=_Quitter, attempt=("first",))
        v.journal.note(v.row, ended=True)
        v, _ = exercise.run(attempt=("second",))
        yield judged("two attempts at one sealed exercise", "ATT-1", exercise, record_of(exercise, v))


def stopped(where: Path, role: Role, state: State, **changes: Any) -> Standoff:
    """A new sealed exercise, stopped where `role` is about to speak in `state`."""
    return halted(SealedParties(where, **changes), role, state)


def halted(
    exercise: SealedParties, role: Role, state: State, attempt: tuple[Any, ...] = (), draft: Any = None
) -> Standoff:
    """A sealed exercise, stopped where `role` is about to speak in `state`, and say `draft` or what is due."""
    inner = {}

    def pausing(policy: Any) -> Any:
        if policy.role is not role:
            return policy
        inner[role] = policy
        return Wrapped(policy, state)

    ends = dict(zip((V, P), exercise.ends(wrapped=pausing, attempt=attempt), strict=True))
    with pytest.raises(Pause):
        pipe(ends[V], ends[P])
    cheat, victim = ends[role], ends[P if role is V else V]
    for frame in list(cheat.resend(victim.machine.sequence)):
        list(victim.feed(frame))
    due = Draft(draft) if draft else inner[role].propose(cheat.machine, cheat._secret)  # noqa: SLF001
    return Standoff(exercise, cheat, victim, due)


def _receipt(**changes: Any) -> Callable[[Standoff], Any]:
    """A receipt about something else, signed by its chamber all the same."""

    def say(s: Standoff) -> m.Receipt:
        (chamber,) = s.exercise.links
        good = chamber.outcome(s.cheat.machine.facts)
        return m.Receipt((chamber.signed(replace(good, **changes)),))

    return say


def _count(**changes: Any) -> Callable[[Standoff], Any]:
    def say(s: Standoff) -> m.Receipt:
        (chamber,) = s.exercise.links
        good = chamber.outcome(s.cheat.machine.facts)
        counts = (replace(good.counts[0], **changes),)
        return m.Receipt((chamber.signed(replace(good, counts=counts)),))

    return say


def _of_another_type(s: Standoff) -> m.Receipt:
    (chamber,) = s.exercise.links
    good = chamber.outcome(s.cheat.machine.facts)
    simulated = chamber.states["simulated"]
    return m.Receipt(((good if simulated else SimulatedReceipt(good)).sealed(chamber.receipt_key),))


def _signed_by_another(s: Standoff) -> m.Receipt:
    (chamber,) = s.exercise.links
    return m.Receipt((chamber.outcome(s.cheat.machine.facts).sealed(SigningKey(seed("stranger"))),))


def _keys(**changes: Any) -> Callable[[Standoff], Any]:
    def say(s: Standoff) -> m.Evidence:
        (chamber,) = s.exercise.links
        return m.Evidence((m.ChamberEvidence(chamber.stated(s.cheat.machine.facts, **changes), b""),))

    return say


def _unproved(s: Standoff) -> m.Evidence:
    """Keys of which the operator does not show that it holds the receipt key."""
    (chamber,) = s.exercise.links
    facts, own = s.cheat.machine.facts, chamber.receipt_key
    chamber.receipt_key = SigningKey(seed("another receipt"))
    made = chamber.stated(facts, receipt=Bytes32(own.public))
    chamber.receipt_key = own
    return m.Evidence((m.ChamberEvidence(made, b""),))


def _elsewhere(s: Standoff) -> m.Release:
    (one,) = s.draft.body.keys
    return replace(s.draft.body, keys=(replace(one, keys_digest=Digest(seed("other keys"))),))


def _body(**changes: Callable[[Any], Any]) -> Callable[[Standoff], Any]:
    def say(s: Standoff) -> Any:
        return replace(s.draft.body, **{name: change(s.draft.body) for name, change in changes.items()})

    return say


def _rules(**changes: Any) -> Callable[[Standoff], Any]:
    """The proposal with other rules of sealed mode."""
    return lambda s: terms(s, sealed=replace(s.exercise.terms.sealed, **changes))


def _altered(s: Standoff) -> m.Receipt:
    """The honest receipt with a count changed after it was signed."""
    (chamber,) = s.exercise.links
    good = chamber.outcome(s.cheat.machine.facts)
    sealed = canonical.load(chamber.signed(good))
    counts = (replace(good.counts[0], successes=good.counts[0].successes + 1),)
    other = canonical.load(chamber.signed(replace(good, counts=counts)))
    return m.Receipt((canonical.dump({**sealed, "payload": other["payload"]}),))


OTHER = Digest(seed("something else"))
# comment, requirement, who, where, what is said there, what else the exercise is made of
CHEATS: tuple[tuple[str, str, Role, State, Callable[[Standoff], Any], dict[str, Any]], ...] = (
    ("more bits could leave than the terms allow", "SEAL-1", V, State.READY, _rules(bits=5), {}),
    ("too few bits for results to hand over", "SEAL-1", V, State.READY, _rules(bits=185, hand_over=True), {}),
    ("a quorum of two with one operator", "SEAL-1", V, State.READY, _rules(quorum=2), {}),
    ("a receipt altered after it was signed", "SEAL-5", V, State.RUNNING, _altered, {}),
    ("keys for another session", "SEAL-2", V, State.SEEDED, _keys(session=OTHER), {}),
    ("keys under other terms", "SEAL-2", V, State.SEEDED, _keys(terms=OTHER), {}),
    ("a receipt key that its chamber does not hold", "SEAL-2", V, State.SEEDED, _unproved, {}),
    ("keys that say simulated without evidence", "SEAL-2", V, State.SEEDED, _keys(simulated=True), {}),
    (
        "one chamber where the terms ask for two",
        "SEAL-2",
        V,
        State.SEEDED,
        _body(chambers=lambda b: b.chambers[:1]),
        {"chambers": (StatedChamber(), StatedChamber("second"))},
    ),
    ("a verifier's key released elsewhere", "SEAL-4", V, State.EVIDENCED, _elsewhere, {}),
    ("a prover's key released elsewhere", "SEAL-4", P, State.RELEASED, _elsewhere, {}),
    ("a receipt of another run", "SEAL-5", V, State.RUNNING, _receipt(keys=OTHER), {}),
    ("a receipt of another session", "SEAL-5", V, State.RUNNING, _receipt(session=OTHER), {}),
    ("a receipt of another exercise", "SEAL-5", V, State.RUNNING, _receipt(exercise=OTHER), {}),
    ("a receipt about another model claim", "SEAL-5", V, State.RUNNING, _receipt(model_claim=OTHER), {}),
    ("a receipt about another test set", "SEAL-5", V, State.RUNNING, _receipt(test_set=OTHER), {}),
    ("a receipt about another runtime", "SEAL-5", V, State.RUNNING, _receipt(runtime=OTHER), {}),
    ("a receipt of a program without one", "SEAL-5", V, State.RUNNING, _receipt(execution_class="none"), {}),
    ("a run beyond the quota", "SEAL-5", V, State.RUNNING, _receipt(run=9), {"rules": SealedTerms(runs=8)}),
    (
        "results handed over that the terms keep back",
        "SEAL-5",
        V,
        State.RUNNING,
        _receipt(handed_over=60),
        {},
    ),
    (
        "results kept back that the terms hand over",
        "SEAL-5",
        V,
        State.RUNNING,
        _receipt(handed_over=0),
        {"rules": SealedTerms(hand_over=True)},
    ),
    ("a count over a part of the set", "SEAL-5", V, State.RUNNING, _count(population=59, successes=50), {}),
    ("a count of another claim", "SEAL-5", V, State.RUNNING, _count(claim_id="another"), {}),
    (
        "a count that is not rounded",
        "SEAL-5",
        V,
        State.RUNNING,
        _count(successes=49),
        {"rules": SealedTerms(round_to=20)},
    ),
    ("a laboratory's outcome passed off as a receipt", "SEAL-5", V, State.RUNNING, _of_another_type, {}),
    (
        "a receipt from a laboratory",
        "SEAL-5",
        V,
        State.RUNNING,
        _of_another_type,
        {"chambers": (_simulated(),), "evidence_policy": POLICY},
    ),
    ("a receipt that its chamber did not sign", "SEAL-5", V, State.RUNNING, _signed_by_another, {}),
    (
        "an outcome less than there are chambers",
        "SEAL-5",
        V,
        State.RUNNING,
        _body(statements=lambda b: b.statements[:1]),
        {"chambers": (StatedChamber(), StatedChamber("second"))},
    ),
    (
        "a sealed verdict that does not follow",
        "ACK-2",
        V,
        State.RECEIVED,
        _body(verdict_digest=lambda b: flip(b.verdict_digest)),
        {},
    ),
    (
        "a root that the receipt does not have",
        "ACK-3",
        P,
        State.CONFIRMED,
        _body(result_root=lambda b: flip(b.result_root)),
        {},
    ),
)


def cheating() -> Iterator[Test]:
    """The victim's record of every lie about a sealed run that signed bytes prove."""
    for comment, requirement, role, state, say, changes in CHEATS:
        with folder() as where:
            s = stopped(where, role, state, **changes)
            s.refused(s.turn(say(s)))
            yield judged(comment, requirement, s.exercise, s.record())


def dissent() -> Iterator[Test]:
    """A party that ends a sealed exercise with another verdict than the other derived."""
    with folder() as where:
        s = stopped(where, P, State.CONFIRMED)
        s.victim.machine.step(turn := s.turn(m.Dissent(OTHER, "we count otherwise")))
        s.victim._keep(turn, ())  # noqa: SLF001 - as the endpoint does with what it received
        yield judged("a prover that dissents from a sealed verdict", "JUDGE-6", s.exercise, s.record())


def released() -> Iterator[Test]:
    """An attempt at an exercise whose keys were released."""
    with folder() as where:
        exercise = SealedParties(where)
        first, _ = exercise.run(attempt=("first",))
        first.journal.note(first.row, ended=True)
        s = halted(exercise, V, State.READY, attempt=("second",), draft=proposed(first))
        again = replace(s.draft.body, attempt=2, earlier_heads=(first.machine.heads[-1],))
        s.refused(s.turn(again))
        yield judged("an attempt after the keys were released", "ATT-3", exercise, s.record())


def sealed() -> Iterator[Test]:
    """All of them."""
    with patch("parley_attestation.edge.sealed.wrap", _wrap):
        yield from honest()
        yield from attempts()
        yield from cheating()
        yield from dissent()
        yield from released()
