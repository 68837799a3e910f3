"""Room: the core. The verdict statement, derived from a session's facts and from nothing else.

Assurance is derived here and never claimed. What a level of assurance cannot carry is not said: a
claim that refusing every prompt would meet is never COMPLIANT at `declared`, and neither is identity.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeGuard

from parley_attestation.because import Because
from parley_attestation.binding import NO, UNANSWERED, YES, Bound
from parley_attestation.claims import (
    ASSURANCE_ORDER,
    Claim,
    ComputeClaim,
    GradedClaim,
    IdentityClaim,
    MetricClaim,
)
from parley_attestation.comparison import Compared, ComparisonTest, Integrity, claim_integrity
from parley_attestation.evidence import Assurance
from parley_attestation.evidence.compute.verdict import judge_claim
from parley_attestation.frametest import Decision, FrameTest
from parley_attestation.graded import GradedTest
from parley_attestation.profile import profile_verdict
from parley_attestation.spending import spent, summed
from parley_attestation.statement import Statement, Subject

if TYPE_CHECKING:
    from parley_attestation.session.facts import Facts

VERDICT = "tag:parley,2026:verdict/v1"
Test = FrameTest | GradedTest | ComparisonTest
SAMPLED = ("metric", "graded")  # types of claims that a test over sampled units decides
DIGITS = 12  # decimal digits of a printed p-value, rounded up

# What no verdict of this protocol shows, whatever it says; printed on every verdict.
NOT_CONCLUDED = (
    "The verdict concerns the committed items under the stated system; a match says nothing about deployment.",
    "It does not show the absence of sandbagging, nor behaviour with other scaffolds, users, tools or versions.",
    "It does not measure the validity of the references or of the grader.",
)


def derive(mode: str, facts: "Facts", tests: tuple[Test, ...]) -> Statement:
    """The verdict statement of a session whose references have all been shown.

    Args:
        mode: Mode of the session.
        facts: What the session established.
        tests: The test of every metric and graded claim, run to its decision.
    """
    terms, audit = facts.terms, facts.audit
    assert terms is not None
    assert facts.terms_statement is not None
    assert audit is not None
    assert facts.test_set is not None
    assert facts.exercise is not None
    assert facts.seed is not None
    assurance = derived_assurance(facts)
    by_claim = dict(zip((c.claim_id for c in terms.sampled_claims), tests, strict=True))
    identity = _identity(facts.binding)
    claims = [_claim(claim, by_claim.get(claim.claim_id), assurance, facts) for claim in terms.claims]
    again = facts.binding is not None  # whoever runs the chamber: the claims rest on the same results
    p_values = [audit.p_violation(n, reproduced=again) for n in range(len(audit.claims))]
    predicate: dict[str, Any] = {
        "exercise": facts.exercise.hex(),
        "session": facts.session_id.hex(),
        "attempt": facts.attempt,
        "terms": facts.terms_statement.digest().hex(),
        "mode": mode,
        "model_claim": terms.model_claim.hex(),
        "seed": facts.seed.hex(),
        "assurance": assurance,
        "roots": list(facts.support.result.roots) if assurance == "attested" else [],
        "claims": claims,
        "identity": identity[0].value,
        "overall": overall(claims, p_values, min(claim.alpha_violation for claim in audit.claims)),
        "opened": len({unit.name[0] for unit in audit.units}),
        "not_concluded": [*NOT_CONCLUDED, *terms.scope[2]],
    }
    if facts.binding is not None:
        predicate["binding"] = _binding(facts.binding)
    if terms.prior:
        predicate["spent"] = summed(terms.prior, spent(facts.exercise, terms.sampled_claims))
    if terms.audited is not None:
        words = [Integrity(claim["comparison"]["integrity"]) for claim in claims if "comparison" in claim]
        predicate["audited"] = terms.audited.document()
        predicate["integrity"] = max(words, key=list(Integrity).index).value
    subjects = (Subject("test-set", facts.test_set.root), Subject("exercise", facts.exercise))
    return Statement(VERDICT, subjects, predicate)


def overall(claims: list[dict[str, Any]], p_values: list[Fraction], risk: Fraction) -> str:
    """One word for a profile.

    COMPLIANT needs every claim, each at its own risk (intersection-union). An accusation that rests on
    sampling is corrected for the number of such claims by Holm's procedure, at the smallest of their
    risks; a violated identity or compute claim rests on no sampling and needs no correction.

    Args:
        claims: The claims of the verdict.
        p_values: For each sampled claim in order, the p-value against "it is met" over all challenged units.
        risk: The least alpha_violation of the sampled claims.
    """
    metric = [Decision(c["verdict"]) for c in claims if c["type"] in SAMPLED]
    others = [Decision(c["verdict"]) for c in claims if c["type"] not in SAMPLED]
    profile = profile_verdict(metric, p_values, risk)
    found = profile.decision
    if found is Decision.VIOLATION and all(metric[n] is not Decision.VIOLATION for n in profile.accused):
        found = Decision.INCONCLUSIVE  # a claim's own verdict was fixed at its own crossing
    if Decision.VIOLATION in (found, *others):
        return Decision.VIOLATION.value
    if all(said is Decision.COMPLIANT for said in (found, *others)):
        return Decision.COMPLIANT.value
    return Decision.INCONCLUSIVE.value


def derived_assurance(facts: "Facts") -> str:
    """The level that a session's own evidence carries: simulated hardware lifts nothing."""
    support = facts.support
    if support is not None and support.result is not None and support.result.assurance is Assurance.ATTESTED:
        return "attested"
    return "re-executed" if _independent(facts.binding) else "declared"


def _independent(bound: Bound | None) -> TypeGuard[Bound]:
    """A chamber that the prover runs adds nothing to the prover's word."""
    return bound is not None and bound.operator.run_by != "prover"


def _identity(bound: Bound | None) -> tuple[Decision, list[str]]:
    """Whether the registered weights gave the outputs, and why no more can be said."""
    if not _independent(bound):
        return Decision.INCONCLUSIVE, [Because.ONLY_PROVERS_WORD.says()]
    found = bound.binding.reproduced
    if NO in found:
        answered = len(found) - found.count(UNANSWERED)
        return Decision.VIOLATION, [Because.NOT_REPRODUCED.says(number=found.count(NO), answered=answered)]
    if YES not in found:
        return Decision.INCONCLUSIVE, [Because.NO_ANSWER.says()]
    return Decision.COMPLIANT, []


def _binding(bound: Bound) -> dict[str, Any]:
    """Who re-executed, how, under whose eyes, and what came of it."""
    said = bound.binding
    return {
        "statement": bound.statement.digest().hex(),
        "operator": bound.operator.document(),
        "runtime": said.runtime.hex(),
        "execution_class": said.execution_class,
        "sandbox": said.sandbox,
        "reproduced": said.reproduced.count(YES),
        "not_reproduced": said.reproduced.count(NO),
        "unanswered": said.reproduced.count(UNANSWERED),
    }


def compute_verdict(claim: ComputeClaim, assurance: str, support: Any) -> dict[str, Any]:
    """The verdict of a compute claim over what the prover showed."""
    if support is None or support.records is None:
        said, because, flop = Decision.INCONCLUSIVE, [Because.NO_RECORDS.says()], 0
    else:
        found = judge_claim(support.records, claim.claim, support.inventory, support.backing)
        said, because, flop = found.decision, list(found.reasons), found.flop
    if said is Decision.COMPLIANT and (short := short_of(claim, assurance)):
        said = Decision.INCONCLUSIVE
        because += short
    return {
        "id": claim.claim_id,
        "type": "compute",
        "verdict": said.value,
        "because": because,
        "flop_on_record": str(flop),
    }


def short_of(claim: Claim, assurance: str) -> list[str]:
    """Why a level of assurance is less than a claim asks for; empty where it is enough."""
    if assurance not in ASSURANCE_ORDER:
        return [Because.ASSURANCE_NONE.says(asked=claim.min_assurance, given=assurance)]
    if ASSURANCE_ORDER.index(assurance) < ASSURANCE_ORDER.index(claim.min_assurance):
        return [Because.ASSURANCE_BELOW.says(asked=claim.min_assurance, given=assurance)]
    return []


def _claim(claim: Claim, test: Test | None, assurance: str, facts: "Facts") -> dict[str, Any]:
    if isinstance(claim, ComputeClaim):
        return compute_verdict(claim, assurance, facts.support)
    if isinstance(claim, IdentityClaim):
        said, because = _identity(facts.binding)
        if said is Decision.COMPLIANT and (short := short_of(claim, assurance)):
            said, because = Decision.INCONCLUSIVE, short
        return {"id": claim.claim_id, "type": "identity", "verdict": said.value, "because": because}
    assert test is not None
    assert facts.audit is not None
    assert isinstance(claim, MetricClaim | GradedClaim)
    if not isinstance(test, ComparisonTest):
        return sampled(claim, test, assurance)
    units = facts.audit.compared(facts.audit.claims.index(claim), reproduced=facts.binding is not None)
    return compared(claim, test, assurance, units)


def compared(
    claim: MetricClaim | GradedClaim, test: ComparisonTest, assurance: str, units: Sequence[Compared]
) -> dict[str, Any]:
    """The verdict of a claim of an audited receipt; `units` are all that were challenged."""
    found = claim_integrity(
        test.plan.frame, [unit.as_claimed for unit in units], test.tolerance, claim.alpha_violation
    )
    said = sampled(claim, test, assurance)
    if found.integrity is Integrity.BREACHED and said["test"] == Decision.COMPLIANT:
        said["verdict"] = Decision.INCONCLUSIVE.value
        said["because"].append(Because.RESULTS_FALSE.says())
    said["comparison"] = {
        "claimed": test.claimed,
        "overstated": sum(unit.overstated for unit in units[: test.n]),
        "mismatches": found.mismatches,
        "tolerated": found.tolerated,
        "integrity": found.integrity.value,
        "p_integrity_at_most": decimal_above(found.p_value),
    }
    return said


def sampled(claim: MetricClaim | GradedClaim, test: Test, assurance: str) -> dict[str, Any]:
    """The verdict of a claim that a test over sampled units decides."""
    decision = test.decision or Decision.INCONCLUSIVE
    said, because = labelled(claim, decision, assurance)
    if test.decision is None:
        because.append(Because.UNDECIDED_AGAIN.says())
    return {
        "id": claim.claim_id,
        "type": "graded" if isinstance(test, GradedTest) else "metric",
        "verdict": said.value,
        "test": decision.value,
        "because": because,
    } | (_graded(test) if isinstance(test, GradedTest) else _counted(test))


def _counted(test: FrameTest | ComparisonTest) -> dict[str, Any]:
    result = test.result()
    return {
        "population": test.plan.frame,
        "threshold_count": test.plan.threshold,
        "declared_count": test.plan.declared or 0,
        "counted": result.opened,
        "successes": result.successes,
        "failures": result.failures,
        "count_low": result.count_low,
        "count_high": result.count_high,
        "p_compliant_at_most": decimal_above(result.p_compliant),
        "p_violation_at_most": decimal_above(result.p_violation),
    }


def _graded(test: GradedTest) -> dict[str, Any]:
    result = test.result()
    return {
        "population": test.plan.size,
        "top": test.plan.top,
        "threshold_total": test.plan.threshold,
        "counted": result.opened,
        "total": result.total,
        "total_low": result.total_low,
        "total_high": result.total_high,
        "p_compliant_at_most": decimal_above(result.p_compliant),
        "p_violation_at_most": decimal_above(result.p_violation),
    }


def labelled(
    claim: MetricClaim | GradedClaim, decision: Decision, assurance: str
) -> tuple[Decision, list[str]]:
    """What may honestly be said of a decided metric claim at a level of assurance, and why not more."""
    because = []
    if decision is Decision.COMPLIANT:
        if claim.degradable and assurance == "declared":
            because.append(Because.DEGRADABLE.says())
        because += short_of(claim, assurance)
    return (Decision.INCONCLUSIVE if because else decision), because


def decimal_above(value: Fraction) -> str:
    """A decimal with `DIGITS` places that is not below `value`, in its shortest spelling."""
    scaled = -(-value.numerator * 10**DIGITS // value.denominator)
    whole, rest = divmod(min(scaled, 10**DIGITS), 10**DIGITS)
    return f"{whole}.{rest:0{DIGITS}d}".rstrip("0").rstrip(".") if rest else str(whole)
