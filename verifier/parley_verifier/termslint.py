"""Room: planning. What terms will cost and what they cannot say, before anyone signs; `parley terms` calls it.

Nothing here is part of the protocol: it explains. What the protocol refuses, `read_terms`, the frame
plan and `require_decidable` refuse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from parley_attestation.claims import (
    ASSURANCE_ORDER,
    Claim,
    ComputeClaim,
    GradedClaim,
    IdentityClaim,
    MetricClaim,
)
from parley_attestation.comparison import comparison_plan
from parley_attestation.evidence.compute.verdict import ClaimKind
from parley_attestation.frametest import Decision, FramePlan, earliest, require_decidable, threshold_count
from parley_attestation.graded import GradedPlan, GradedTest
from parley_attestation.graded import require_decidable as require_graded
from parley_attestation.terms import Terms

from parley_verifier.inspection import deterred_ratio, leakage
from parley_verifier.planning import PlanCost, plan_cost

USES = (1, 3, 10, 30)  # verdicts on one set for which leakage is shown
_OFTEN_INCONCLUSIVE = 0.1


@dataclass(frozen=True, slots=True)
class ClaimCost:
    """One metric claim: its plan, what it costs, and the true count that was assumed."""

    claim_id: str
    plan: FramePlan
    assumed: int
    cost: PlanCost
    deterred: Fraction


@dataclass(frozen=True, slots=True)
class GradedCost:
    """One graded claim: its plan, and when it decides at the soonest and where every unit scores alike.

    Attributes:
        claim_id: As in the terms.
        plan: Its plan.
        compliant: Units to COMPLIANT where every unit scores the most; None where out of reach.
        violation: Units to VIOLATION where every unit scores the least; None where out of reach.
        assumed: The score that every unit is assumed to have, rounded down.
        steady: Units to COMPLIANT then; None where it is not reached. Scores that vary take longer.
    """

    claim_id: str
    plan: GradedPlan
    compliant: int | None
    violation: int | None
    assumed: int
    steady: int | None


@dataclass(frozen=True, slots=True)
class Lint:
    """Everything `parley terms lint` prints.

    Attributes:
        costs: One entry per metric claim.
        graded: One entry per graded claim.
        leakage: Verdicts on the set, and how far they may let its score drift.
        notes: What the terms cannot say or will surprise with, one sentence each.
    """

    costs: tuple[ClaimCost, ...]
    graded: tuple[GradedCost, ...]
    leakage: tuple[tuple[int, float], ...]
    notes: tuple[str, ...]


def lint(terms: Terms, populations: Mapping[str, int], margin: Fraction) -> Lint:
    """Explain terms.

    Args:
        terms: The terms, read.
        populations: Units in the population of each stratum ("" for the whole set), less exclusions.
        margin: How far beyond its threshold each claim is assumed to hold and to be declared, as a share.

    Raises:
        PeerError: BAD_TERMS, where a plan means nothing or cannot lead to any verdict.
    """
    budgets = dict(terms.plan.budgets)
    notes = _notes(terms)
    costs: list[ClaimCost] = []
    for number, claim in enumerate(terms.metric_claims):
        count = terms.audited.counts[number] if terms.audited is not None else None
        cost = _cost(claim, populations[claim.stratum], budgets[claim.stratum], margin, count)
        costs.append(cost)
        notes += _warnings(cost)
    graded = tuple(
        _graded(claim, populations[claim.stratum], budgets[claim.stratum], margin)
        for claim in terms.claims
        if isinstance(claim, GradedClaim)
    )
    for one in graded:
        if one.compliant is None:
            notes.append(f"{one.claim_id}: COMPLIANT is out of reach within {one.plan.budget} units")
        if one.violation is None:
            notes.append(f"{one.claim_id}: VIOLATION is out of reach within {one.plan.budget} units")
    drift = tuple((uses, leakage(terms.test_set.size, uses)) for uses in USES)
    return Lint(tuple(costs), graded, drift, tuple(notes))


def _cost(claim: MetricClaim, size: int, budget: int, margin: Fraction, audited: int | None) -> ClaimCost:
    """What one claim costs; `audited` is the count of the receipt that is audited."""
    least = threshold_count(*claim.threshold.as_integer_ratio(), size, at_most=claim.at_most)
    assumed = min(size, least + margin.numerator * size // margin.denominator)
    risks = claim.alpha_compliant, claim.alpha_violation
    if audited is None:
        plan = FramePlan(size, least, assumed, *risks, budget)
    else:
        plan, assumed = comparison_plan(FramePlan(size, least, None, *risks, budget), audited), size
    require_decidable(plan)
    cost = plan_cost(plan, assumed)
    return ClaimCost(claim.claim_id, plan, assumed, cost, deterred_ratio(claim.alpha_compliant))


def _warnings(one: ClaimCost) -> list[str]:
    plan, notes = one.plan, []
    soonest = earliest(plan)
    if soonest.compliant is None:
        notes.append(f"{one.claim_id}: COMPLIANT is out of reach within {plan.budget} units")
    if soonest.violation is None:
        notes.append(f"{one.claim_id}: VIOLATION is out of reach within {plan.budget} units")
    if one.cost.inconclusive > _OFTEN_INCONCLUSIVE:
        notes.append(
            f"{one.claim_id}: INCONCLUSIVE with probability {one.cost.inconclusive:.0%} even if the claim"
            f" holds with {one.assumed} of {plan.frame}; raise the budget of {plan.budget} units"
        )
    return notes


def _graded(claim: GradedClaim, size: int, budget: int, margin: Fraction) -> GradedCost:
    top = claim.grader.top
    whole = size * top
    needed = threshold_count(*claim.threshold.as_integer_ratio(), whole, at_most=claim.at_most)
    plan = GradedPlan(size, top, needed, claim.alpha_compliant, claim.alpha_violation, budget)
    require_graded(plan)
    assumed = min(top, (needed + margin.numerator * whole // margin.denominator) // size)
    return GradedCost(
        claim.claim_id,
        plan,
        _units(plan, top, Decision.COMPLIANT),
        _units(plan, 0, Decision.VIOLATION),
        assumed,
        _units(plan, assumed, Decision.COMPLIANT),
    )


def _units(plan: GradedPlan, score: int, decision: Decision) -> int | None:
    """Units to a decision where every unit scores `score`."""
    test = GradedTest(plan)
    while test.decision is None:
        test.observe(score)
    return test.n if test.decision is decision else None


def _notes(terms: Terms) -> list[str]:
    """The honest-label rules that will bite."""
    notes: list[str] = []
    alone = terms.mode == "open" and all(one.run_by == "prover" for one in terms.operators)
    reachable = "declared" if alone else "re-executed" if terms.mode == "open" else ASSURANCE_ORDER[-1]
    for claim in terms.claims:
        if reachable == "declared":
            notes += _at_declared(claim)
    if terms.binding == "none" and terms.mode == "open":
        notes.append(
            "without a chamber the counts mean units that the prover's side answered by any means"
            " without the references"
        )
    if terms.audited is not None:
        notes.append(
            "an audit of a receipt is planned as if every claimed result were true and confirmed: more than"
            f" {terms.audited.tolerance} of false ones is BREACHED, and then no claim becomes COMPLIANT"
        )
    if not terms.witnesses.keys:
        notes.append("without witnesses nobody is blamed for silence, and the verdict prints unwitnessed")
    elif terms.witnesses.unreachable == "unwitnessed":
        notes.append("where the witnesses cannot be reached, the verdict prints unwitnessed")
    if not terms.qualifiers:
        notes.append("without a qualifier a VIOLATION prints unqualified test set")
    return notes


def _at_declared(claim: Claim) -> list[str]:
    if isinstance(claim, IdentityClaim):
        return [f"{claim.claim_id}: identity stays INCONCLUSIVE at assurance declared"]
    if isinstance(claim, ComputeClaim):
        if claim.claim.kind in {ClaimKind.AT_MOST, ClaimKind.EXCLUSIVE}:
            return [
                f"{claim.claim_id}: records never show absence; cannot become COMPLIANT without attested inventory"
            ]
        return []
    notes = []
    if claim.degradable:
        notes.append(
            f"{claim.claim_id}: cannot become COMPLIANT at assurance declared,"
            " since refusing or degrading outputs would meet it"
        )
    if claim.min_assurance != "declared":
        notes.append(
            f"{claim.claim_id}: asks for assurance {claim.min_assurance}, which these terms cannot give,"
            " so it cannot become COMPLIANT"
        )
    return notes


@dataclass(frozen=True, slots=True)
class Change:
    """One place where two versions of terms differ; None where a version has nothing there."""

    path: str
    before: Any
    after: Any


def diff(before: Any, after: Any, path: str = "") -> tuple[Change, ...]:
    """Compare two JSON documents, such as two versions of terms in a negotiation.

    Objects are compared field by field and lists of claims by their `id`; other lists as a whole.
    """
    if before == after:
        return ()
    if isinstance(before, dict) and isinstance(after, dict):
        return tuple(
            change
            for name in sorted(before.keys() | after.keys())
            for change in diff(before.get(name), after.get(name), f"{path}.{name}".lstrip("."))
        )
    if _named(before) and _named(after):
        ours, theirs = ({entry["id"]: entry for entry in entries} for entries in (before, after))
        return tuple(
            change
            for name in sorted(ours.keys() | theirs.keys())
            for change in diff(ours.get(name), theirs.get(name), f"{path}[{name}]")
        )
    return (Change(path, before, after),)


def _named(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) and "id" in entry for entry in value)
