"""Room: the core. The verdict statement of a sealed session, from what its chambers signed.

Receipts hold counts of the whole set: nothing is sampled, so no risk is spent and nothing is corrected
for. A count that is stated rounded decides only where both ends of what it can mean agree. Assurance is
derived from who ran the chambers and from their appraised evidence; the weakest of them speaks.
"""

from typing import TYPE_CHECKING, Any

from parley_attestation.because import Because
from parley_attestation.claims import ASSURANCE_ORDER, Claim, ComputeClaim, IdentityClaim, MetricClaim
from parley_attestation.evidence import Assurance, AttestationResult
from parley_attestation.frametest import Decision, threshold_count
from parley_attestation.receipt import ChamberRefusal, Outcome, Receipt, StatedKeys
from parley_attestation.sealed_terms import SECOND_PLACE, SealedTerms
from parley_attestation.statement import Statement, Subject
from parley_attestation.verdict import NOT_CONCLUDED, VERDICT, compute_verdict, labelled, short_of

if TYPE_CHECKING:
    from parley_attestation.session.facts import Facts

# What a sealed run does not cover; printed on its verdict.
OPERATOR = "Boxes protect the parties from each other's code: the machine's operator and side channels are not covered."
UNPADDED = "The outcome left when it was there: the time it took may tell of the tests."
HANDED_OVER = "The verifier was given the result of every unit, and may show some to the prover in an audit."
SWAPPED = "A chamber's machine has swap space: what was opened in it may have been written to a disk."
_RUN_BY = {"neutral": "neutral-operator", "verifier": "re-executed", "prover": "declared"}


def derive(mode: str, facts: "Facts") -> Statement:
    """The verdict statement of a sealed session whose outcomes hold."""
    terms = facts.terms
    assert terms is not None
    assert terms.sealed is not None
    assert facts.terms_statement is not None
    assert facts.exercise is not None
    assert facts.seed is not None
    assert facts.test_set is not None
    level = assurance(facts)
    open_ = undecided(facts.outcomes)
    claims = [_claim(claim, facts, level, open_) for claim in terms.claims]
    predicate = {
        "exercise": facts.exercise.hex(),
        "session": facts.session_id.hex(),
        "attempt": facts.attempt,
        "terms": facts.terms_statement.digest().hex(),
        "mode": mode,
        "model_claim": terms.model_claim.hex(),
        "seed": facts.seed.hex(),
        "assurance": level,
        "roots": _roots(facts.appraisals) if level == "attested" else [],
        "claims": claims,
        "identity": _identity(level, open_, terms.sealed)[0].value,
        "overall": overall([claim["verdict"] for claim in claims]),
        "opened": 0,
        "chambers": [_chamber(*one) for one in zip(facts.chambers, facts.outcomes, strict=True)],
        "not_concluded": [*NOT_CONCLUDED, *_not_covered(facts, terms.sealed), *terms.scope[2]],
    }
    subjects = (Subject("test-set", facts.test_set.root), Subject("exercise", facts.exercise))
    return Statement(VERDICT, subjects, predicate)


def assurance(facts: "Facts") -> str:
    """What stands behind every outcome: simulated, attested, a neutral operator, or a party's own chamber."""
    if any(stated.keys.simulated for stated in facts.chambers):
        return "simulated"
    levels = [_level(*one) for one in zip(facts.chambers, facts.appraisals, strict=True)]
    return min(levels, key=ASSURANCE_ORDER.index)


def _level(stated: StatedKeys, result: AttestationResult | None) -> str:
    if result is not None and result.assurance is Assurance.ATTESTED:
        return "attested"
    return _RUN_BY[stated.operator.run_by]


def _roots(appraisals: tuple[AttestationResult | None, ...]) -> list[str]:
    return sorted({root for result in appraisals if result is not None for root in result.roots})


def undecided(outcomes: tuple[Outcome, ...]) -> list[str]:
    """Why these outcomes decide nothing: a chamber refused, or they differ; empty where they decide."""
    refused = [one.reason.value for one in outcomes if isinstance(one, ChamberRefusal)]
    if refused:
        return [Because.CHAMBER_REFUSED.says(reasons=", ".join(refused))]
    stated = {one.counts for one in outcomes if isinstance(one, Receipt)}
    return [Because.CHAMBERS_DIFFER.says()] if len(stated) > 1 else []


def overall(verdicts: list[str]) -> str:
    """One word for a profile of exact results: COMPLIANT needs every claim, VIOLATION one."""
    if Decision.VIOLATION in verdicts:
        return Decision.VIOLATION.value
    if all(said == Decision.COMPLIANT for said in verdicts):
        return Decision.COMPLIANT.value
    return Decision.INCONCLUSIVE.value


def _not_covered(facts: "Facts", rules: SealedTerms) -> list[str]:
    return [
        OPERATOR,
        *([SECOND_PLACE] if rules.quorum > 1 else []),
        *([HANDED_OVER] if rules.hand_over else []),
        *([UNPADDED] if not rules.release_seconds else []),
        *([SWAPPED] if any(stated.keys.swap == "present" for stated in facts.chambers) else []),
    ]


def _chamber(stated: StatedKeys, outcome: Outcome) -> dict[str, Any]:
    """Who ran a chamber, how, how often, and how many bits left it, or why it refused."""
    said: dict[str, Any] = {
        "keys": stated.statement.digest().hex(),
        "operator": stated.operator.document(),
        "sandbox": stated.keys.sandbox,
        "swap": stated.keys.swap,
        "run": outcome.run,
    }
    if isinstance(outcome, ChamberRefusal):
        blamed = outcome.blamed.value if outcome.blamed is not None else ""
        return said | {"refused": outcome.reason.value, "blamed": blamed}
    return said | {
        "runtime": outcome.runtime.hex(),
        "execution_class": outcome.execution_class,
        "begun": outcome.begun,
        "round_to": outcome.round_to,
        "counts": [count.document() for count in outcome.counts],
        "bits": outcome.bits,
    }


def _identity(level: str, open_: list[str], rules: SealedTerms) -> tuple[Decision, list[str]]:
    because = list(open_)
    if level == "simulated":
        because.append(Because.LABORATORY.says())
    if level == "declared":
        because.append(Because.PROVERS_CHAMBER.says())
    if rules.program:
        because.append(Because.PROVERS_PROGRAM.says())
    return (Decision.INCONCLUSIVE if because else Decision.COMPLIANT), because


def _claim(claim: Claim, facts: "Facts", level: str, open_: list[str]) -> dict[str, Any]:
    assert facts.terms is not None
    assert facts.terms.sealed is not None
    if isinstance(claim, ComputeClaim):
        return compute_verdict(claim, level, None)
    if isinstance(claim, IdentityClaim):
        said, because = _identity(level, open_, facts.terms.sealed)
        if said is Decision.COMPLIANT and (short := short_of(claim, level)):
            said, because = Decision.INCONCLUSIVE, short
        return {"id": claim.claim_id, "type": "identity", "verdict": said.value, "because": because}
    assert isinstance(claim, MetricClaim)  # the terms of a sealed session hold no graded one
    return _metric(claim, facts, level, open_)


def _metric(claim: MetricClaim, facts: "Facts", level: str, open_: list[str]) -> dict[str, Any]:
    assert facts.audit is not None
    population = facts.audit.frames[facts.audit.frame_of(claim)].size
    needed = threshold_count(
        claim.threshold.numerator, claim.threshold.denominator, population, at_most=claim.at_most
    )
    low, high = (0, population) if open_ else _interval(claim, facts.outcomes)
    found = _decision(low, high, needed)
    said, because = labelled(claim, found, level)
    if level == "simulated":
        said, because = Decision.INCONCLUSIVE, [Because.LABORATORY.says()]
    if found is Decision.INCONCLUSIVE:
        because += open_ or [Because.ROUNDED.says()]
    return {
        "id": claim.claim_id,
        "type": "metric",
        "verdict": said.value,
        "test": found.value,
        "because": because,
        "population": population,
        "threshold_count": needed,
        "counted": 0 if open_ else population,
        "successes": low,
        "failures": population - high,
        "count_low": low,
        "count_high": high,
    }


def _interval(claim: MetricClaim, outcomes: tuple[Outcome, ...]) -> tuple[int, int]:
    """The exact counts that the stated one can mean; every receipt states the same."""
    receipt = next(one for one in outcomes if isinstance(one, Receipt))
    count = next(one for one in receipt.counts if one.claim_id == claim.claim_id)
    return count.successes, count.highest(receipt.round_to)


def _decision(low: int, high: int, needed: int) -> Decision:
    if low >= needed:
        return Decision.COMPLIANT
    return Decision.VIOLATION if high < needed else Decision.INCONCLUSIVE
