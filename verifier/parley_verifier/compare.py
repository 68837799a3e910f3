"""Room: the verifier. Two records of one set, unit by unit: result bits without content, exact McNemar.

The bits come from the verifier's acknowledgement, whose committed root the judge has checked, so
redacted records compare as well as full ones. A sealed record shows no bits; the record of an audit of its
receipt shows those of the challenged units, so these two compare as claimed and confirmed results.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from parley_attestation.claims import MetricClaim
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.frametest import Decision
from parley_attestation.grading import Outcome
from parley_attestation.judge import Judgement, judge
from parley_attestation.mcnemar import paired
from parley_attestation.profile import Agreement, agreement
from parley_attestation.session.audit import OUTCOMES, Audit
from parley_attestation.session.audited import check_audited
from parley_attestation.session.results import split
from parley_attestation.session.schedule import UnitName


@dataclass(frozen=True, slots=True)
class Comparison:
    """One claim in both records.

    Attributes:
        claim_id: As in both terms.
        shared: Units that both exercises challenged.
        only_first: Shared units that succeed in the first record only.
        only_second: Shared units that succeed in the second record only.
        p_value: Of the exact McNemar test, as a ratio.
        verdicts: Of both records, as far as they can be recomputed.
    """

    claim_id: str
    shared: int
    only_first: int
    only_second: int
    p_value: str
    verdicts: tuple[str, str]


def compare(first: BinaryIO, second: BinaryIO) -> tuple[Comparison, ...]:
    """Compare every claim that both records have over the same grader and events.

    Raises:
        LocalError: CONFIG, where the records are of different sets, one audits another receipt than the other
            has, or they show no result bits.
    """
    one, other = judge(first), judge(second)
    sets = [j.machine.facts.test_set for j in (one, other)]
    if sets[0] is None or sets[1] is None or sets[0].root != sets[1].root:
        raise LocalError(Reason.CONFIG, "the two records are of different test sets")
    told = _told(one, other), _told(other, one)
    rows = []
    for claim, twin in _twins(one, other):
        a, b = _successes(one, claim, told[0]), _successes(other, twin, told[1])
        names = sorted(a.keys() & b.keys())
        found = paired([a[n] for n in names], [b[n] for n in names])
        rows.append(
            Comparison(
                claim.claim_id,
                len(names),
                found.lost,
                found.gained,
                str(found.p_value),
                (_said(one, claim), _said(other, claim)),
            )
        )
    return tuple(rows)


def _audits(audit: Judgement, sealed: Judgement) -> bool:
    """Whether a record audits the receipt of the other. Raises `LocalError` (CONFIG), where of another one."""
    terms = audit.machine.facts.terms
    if terms is None or terms.audited is None or sealed.machine.mode != "sealed":
        return False
    try:
        check_audited(terms, sealed.machine.facts)
    except PeerError as error:
        raise LocalError(Reason.CONFIG, f"one record audits another receipt: {error.message}") from error
    return True


def _twins(one: Judgement, other: Judgement) -> Iterator[tuple[MetricClaim, MetricClaim]]:
    """The claims that are in both; an audit judges those of its receipt, whatever their risks."""
    related = _audits(one, other) or _audits(other, one)
    for claim in _claims(one):
        for twin in _claims(other):
            if twin.document() == claim.document() or (related and twin.claim_id == claim.claim_id):
                yield claim, twin


def agreements(sources: Sequence[BinaryIO]) -> tuple[tuple[str, Agreement], ...]:
    """How the verdicts of several evaluators agree, for every metric claim of the first record that all share.

    Most of them make a panel's verdict. A record whose verdict cannot be recomputed has no voice.

    Raises:
        PeerError: MALFORMED, for a file that is no record.
    """
    found = [one for one in (judge(source) for source in sources) if one.verdict is not None]
    rows = []
    for claim in _claims(found[0]) if found else ():
        if all(any(c.document() == claim.document() for c in _claims(one)) for one in found):
            said = [Decision(_said(one, claim)) for one in found]
            rows.append((claim.claim_id, agreement(said, len(said) // 2 + 1)))
    return tuple(rows)


def _claims(found: Judgement) -> tuple[MetricClaim, ...]:
    terms = found.machine.facts.terms
    return terms.metric_claims if terms is not None else ()


def _said(found: Judgement, claim: MetricClaim) -> str:
    if found.verdict is None:
        return "as acknowledged"
    return next(str(c["verdict"]) for c in found.verdict.predicate["claims"] if c["id"] == claim.claim_id)


def _told(found: Judgement, other: Judgement) -> tuple[Audit, dict[UnitName, bytes]]:
    """The units that a record tells the results of; of a sealed one those that its audit has opened."""
    if _audits(other, found):
        audit = other.machine.facts.audit
        assert audit is not None
        return audit, {unit.name: unit.claimed for unit in audit.units[: audit.opened]}
    facts = found.machine.facts
    bits = facts.result_bits.get(Role.VERIFIER)
    if facts.audit is None or bits is None:
        raise LocalError(Reason.CONFIG, "a record shows no result bits of the verifier")
    codes = split(bits, [len(facts.audit.claims_of(unit.frame)) for unit in facts.audit.units])
    return facts.audit, {unit.name: code for unit, code in zip(facts.audit.units, codes, strict=True)}


def _successes(
    found: Judgement, claim: MetricClaim, told: tuple[Audit, dict[UnitName, bytes]]
) -> dict[UnitName, bool]:
    audit, codes = told
    own = found.machine.facts.audit
    assert own is not None
    frame = own.frame_of(claim)
    position = [c.claim_id for c in own.claims_of(frame)].index(claim.claim_id)
    results = {}
    for unit in audit.frame_units(frame):
        if audit.frames[frame].members and not all(one.member for one in unit):
            raise LocalError(
                Reason.CONFIG, "a redacted record of a set of pairs does not show which is which"
            )
        outcomes = {one.member: _OUTCOMES.get(codes[one.name][position]) for one in unit if one.name in codes}
        known = {member: outcome for member, outcome in outcomes.items() if outcome is not None}
        if len(known) == len(unit):
            results[unit[0].name] = claim.result(known)
    return results


_OUTCOMES: dict[int, Outcome] = {code: outcome for outcome, code in OUTCOMES.items()}
