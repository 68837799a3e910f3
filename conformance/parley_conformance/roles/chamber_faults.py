"""Room: the suite. For a chamber under test: sessions in which one party broke one rule before the seed.

The faults are those that provers and verifiers are shown. A chamber is shown the same messages afterwards,
by a party: it must refuse with the same reason, and the honest message in that place must not be refused so.
"""

from typing import Any

from parley_attestation.errors import Reason, Role
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn, envelope_to_wire

from parley_conformance.arena import PEER, Stop
from parley_conformance.cases import PROVER
from parley_conformance.cases.base import Case
from parley_conformance.cases.says import terms
from parley_conformance.deviations import Say, deviations
from parley_conformance.harness import Failure, Refused
from parley_conformance.roles.chamber import Chamber, refuses
from parley_conformance.roles.lies import LIES
from parley_conformance.untestable import UNTESTABLE

S = State
_EARLY = frozenset({S.START, S.GREETED, S.READY, S.PROPOSED, S.ACCEPTED, S.COIN_SHOWN})
# What shows towards a channel, by frames, over sets that are no single prompts, or in open mode only.
_ELSEWHERE = frozenset({"WIRE-2", "WIRE-3", "WIRE-5", "RES-8", "SIDE-1", "TEST-4"})
_NOT_HERE = frozenset(
    {
        *("hello-over-another-channel", "key-before-channel", "reply-unpinned", "reply-mode"),
        *("sealed-terms-in-open-mode", "payload-over-limit", "coin-before-terms"),
        *("audit-count-too-high", "audit-count-too-low"),
    }
)


def _case(
    name: str, what: str, needs: tuple[str, ...], at: tuple[Role, State], say: Say, reasons: Any
) -> Case:
    role, state = at

    def run(target: Chamber) -> None:
        session = target.session(target.plan(), Stop(role, state))
        if session.draft is None:
            raise Failure(f"the session did not come to state {state}")
        speaker = session.speaker(role)
        known = [side for side in (role, PEER[role]) if session.ends[side].row is not None]
        before = target.envelopes(session, known[0]) if known else []
        said = say(speaker)
        wire = envelope_to_wire(said.envelope) if isinstance(said, Turn) else said[0].envelope
        refuses(target.open([*before, wire]), *reasons)
        honest = target.open([*before, envelope_to_wire(speaker.turn().envelope)])
        if isinstance(honest, Refused) and honest.reason not in _UNFINISHED - frozenset(reasons):
            raise Failure(f"without the fault: expected no refusal but an early one, got {honest.reason}")

    held = tuple(one for one in needs if one not in UNTESTABLE["chamber"])
    return Case(f"shown-{name}", what, held, run, frozenset(reasons))


_UNFINISHED = frozenset({Reason.OUT_OF_ORDER, Reason.UNKNOWN_PARTY, Reason.BAD_RUNTIME})


def _of_the_verifier(case: Case) -> Case:
    assert case.fault is not None
    where = case.fault.where
    return _case(
        case.id,
        case.what,
        case.requirements,
        (Role.VERIFIER, where.state),
        case.fault.say,
        case.reasons,
    )


_FROM_PROVER_SUITE = (
    case
    for case in PROVER
    if case.fault is not None
    and case.fault.where.state in _EARLY
    and case.fault.where.shape == "plain"
    and not _ELSEWHERE & set(case.requirements)
    and case.id not in _NOT_HERE
)
_FROM_VERIFIER_SUITE = (
    one
    for one in (*LIES, *deviations(Role.PROVER))
    if one.state in _EARLY
    and one.shape == "plain"
    and not _ELSEWHERE & set(one.requirements)
    and one.id not in _NOT_HERE
    and "misplaced" not in one.id
    and not one.id.endswith(("out-of-turn", "second"))
)
SHOWN: tuple[Case, ...] = (
    *(_of_the_verifier(case) for case in _FROM_PROVER_SUITE),
    *(
        _case(f"prover-{one.id}", one.what, one.requirements, (one.role, one.state), one.say, {one.reason})
        for one in _FROM_VERIFIER_SUITE
    ),
    _case(
        "sealed-terms-missing",
        "terms of sealed mode without what belongs to it",
        ("SEAL-1",),
        (Role.VERIFIER, S.READY),
        terms(sealed=None),
        {Reason.BAD_TERMS},
    ),
    _case(
        "more-operators-than-terms",
        "a quorum of more chambers than operators",
        ("SEAL-1",),
        (Role.VERIFIER, S.READY),
        terms(sealed=SealedTerms(quorum=2)),
        {Reason.BAD_TERMS},
    ),
)
