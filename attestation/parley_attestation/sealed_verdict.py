"""Room: the core. The verdict statement of a sealed session, from its receipt: exact counts of the whole set.

Nothing here is sampled, so no risk is spent and nothing is corrected for; assurance is derived from who
ran the chamber and from its appraised evidence.
"""

from typing import TYPE_CHECKING, Any

from parley_attestation.claims import Claim, ComputeClaim, IdentityClaim, MetricClaim
from parley_attestation.evidence import Assurance
from parley_attestation.frametest import Decision, threshold_count
from parley_attestation.receipt import Count, Receipt, StatedKeys
from parley_attestation.statement import Statement, Subject
from parley_attestation.verdict import NOT_CONCLUDED, VERDICT, compute_verdict, labelled, short_of

if TYPE_CHECKING:
    from parley_attestation.session.facts import Facts

# What a sealed run does not cover; printed on its verdict.
NOT_COVERED = (
    "Boxes protect the parties from each other's code: the machine's operator and side channels are not covered.",
)


def derive(mode: str, facts: "Facts") -> Statement:
    """The verdict statement of a sealed session whose receipt holds."""
    terms, receipt, stated = facts.terms, facts.receipt, facts.chamber
    assert terms is not None
    assert receipt is not None
    assert stated is not None
    assert facts.terms_statement is not None
    assert facts.exercise is not None
    assert facts.seed is not None
    assert facts.test_set is not None
    level = assurance(facts)
    counts = {count.claim_id: count for count in receipt.counts}
    claims = [_claim(claim, counts.get(claim.claim_id), level) for claim in terms.claims]
    result = facts.chamber_result
    predicate = {
        "exercise": facts.exercise.hex(),
        "session": facts.session_id.hex(),
        "attempt": facts.attempt,
        "terms": facts.terms_statement.digest().hex(),
        "mode": mode,
        "model_claim": terms.model_claim.hex(),
        "seed": facts.seed.hex(),
        "assurance": level,
        "roots": list(result.roots) if result is not None and level == "attested" else [],
        "claims": claims,
        "identity": _identity(level)[0].value,
        "overall": overall([claim["verdict"] for claim in claims]),
        "opened": 0,
        "chamber": _chamber(stated, receipt),
        "not_concluded": [*NOT_CONCLUDED, *NOT_COVERED, *terms.scope[2]],
    }
    subjects = (Subject("test-set", facts.test_set.root), Subject("exercise", facts.exercise))
    return Statement(VERDICT, subjects, predicate)


def assurance(facts: "Facts") -> str:
    """What stands behind a receipt: simulated, attested, a neutral operator, or a party's own chamber."""
    assert facts.chamber is not None
    if facts.chamber.keys.simulated:
        return "simulated"
    if facts.chamber_result is not None and facts.chamber_result.assurance is Assurance.ATTESTED:
        return "attested"
    return {"neutral": "neutral-operator", "verifier": "re-executed"}.get(
        facts.chamber.operator.run_by, "declared"
    )


def overall(verdicts: list[str]) -> str:
    """One word for a profile of exact results: COMPLIANT needs every claim, VIOLATION one."""
    if Decision.VIOLATION in verdicts:
        return Decision.VIOLATION.value
    if all(said == Decision.COMPLIANT for said in verdicts):
        return Decision.COMPLIANT.value
    return Decision.INCONCLUSIVE.value


def _chamber(stated: StatedKeys, receipt: Receipt) -> dict[str, Any]:
    """Who ran the chamber, how, how often, and how many bits left it."""
    return {
        "keys": stated.statement.digest().hex(),
        "operator": stated.operator.document(),
        "sandbox": stated.keys.sandbox,
        "runtime": receipt.runtime.hex(),
        "execution_class": receipt.execution_class,
        "run": receipt.run,
        "bits": receipt.bits,
    }


def _identity(level: str) -> tuple[Decision, list[str]]:
    if level == "simulated":
        return Decision.INCONCLUSIVE, ["simulated evidence supports nothing outside a laboratory"]
    if level == "declared":
        return Decision.INCONCLUSIVE, ["a chamber that the prover runs adds nothing to the prover's word"]
    return Decision.COMPLIANT, []


def _claim(claim: Claim, count: Count | None, level: str) -> dict[str, Any]:
    if isinstance(claim, ComputeClaim):
        return compute_verdict(claim, level, None)
    if isinstance(claim, IdentityClaim):
        said, because = _identity(level)
        if said is Decision.COMPLIANT and (short := short_of(claim, level)):
            said, because = Decision.INCONCLUSIVE, short
        return {"id": claim.claim_id, "type": "identity", "verdict": said.value, "because": because}
    assert count is not None
    assert isinstance(claim, MetricClaim)  # the terms of a sealed session hold no graded one
    return _metric(claim, count, level)


def _metric(claim: MetricClaim, count: Count, level: str) -> dict[str, Any]:
    needed = threshold_count(
        claim.threshold.numerator, claim.threshold.denominator, count.population, at_most=claim.at_most
    )
    found = Decision.COMPLIANT if count.successes >= needed else Decision.VIOLATION
    said, because = labelled(claim, found, level)
    if level == "simulated":
        said, because = Decision.INCONCLUSIVE, ["simulated evidence supports nothing outside a laboratory"]
    return {
        "id": claim.claim_id,
        "type": "metric",
        "verdict": said.value,
        "test": found.value,
        "because": because,
        "population": count.population,
        "threshold_count": needed,
        "counted": count.population,
        "successes": count.successes,
        "failures": count.population - count.successes,
        "count_low": count.successes,
        "count_high": count.successes,
    }
