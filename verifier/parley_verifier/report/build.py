"""Room: the report. From a judgement to the page's view; the command line calls it."""

from typing import Any

from parley_attestation.claims import GradedClaim, MetricClaim, SampledClaim
from parley_attestation.errors import Role
from parley_attestation.graded import GradedPlan
from parley_attestation.judge import Judgement, checks, ended
from parley_attestation.pairs import PairEvents
from parley_attestation.session.machine import Machine
from parley_attestation.terms import Terms
from parley_attestation.verdict import NOT_CONCLUDED

from parley_verifier.planning import boundaries
from parley_verifier.report.view import (
    AttemptRow,
    ClaimView,
    EventRow,
    ExposureRow,
    Fact,
    ReportView,
    SignerRow,
)

_SIGNED = {
    "open": {
        Role.VERIFIER: "the test set, the terms, every challenge, the references, the verdict",
        Role.PROVER: "the model claim, the acceptance, every answer, the verdict",
    },
    "sealed": {
        Role.VERIFIER: "the test set, the terms, what the chambers showed and left, its release, the verdict",
        Role.PROVER: "the model claim, the acceptance, its release, the verdict",
    },
}


_SEEN_BY = {
    "open": "nobody but the owner saw them",
    "sealed": "opened in the chambers alone; the prover saw none",
}


def build(found: Judgement, name: str) -> ReportView:
    """Everything that the page says about one record.

    Args:
        found: The record, judged.
        name: How the command that rechecks it calls the file.
    """
    facts = found.machine.facts
    said = found.verdict.predicate if found.verdict is not None else None
    terms = facts.terms
    return ReportView(
        title=terms.title if terms is not None else "A session without terms",
        verdict=said["overall"] if said is not None else "none",
        assurance=said["assurance"] if said is not None else "none",
        validity=_validity(found),
        labels=_labels(found, said),
        integrity=said.get("integrity", "") if said is not None else "",
        identifiers=(*_identifiers(found), *_chambers(said)),
        shown=tuple(f"{check.title} ({times})" for check, times in checks(found) if times),
        not_shown=tuple(check.title for check, times in checks(found) if not times),
        signers=tuple(
            SignerRow(role.value, history.owner.hex(), _SIGNED[found.machine.mode][role], found.pinned)
            for role, history in facts.histories.items()
        ),
        claims=_claims(found, said),
        burn=(*_burn(found.machine), *_spent(said)),
        exposure=_exposure(found.machine),
        attempts=(AttemptRow(facts.attempt or 1, ended(found), str(found.standing)),),
        timeline=tuple(
            EventRow(n, author.value, kind, "")
            for n, (author, kind) in enumerate(
                zip(found.machine.authors, found.machine.kinds, strict=True), 1
            )
        ),
        recheck=(f"parley check {name} --pin PROVER-CARD --pin VERIFIER-CARD", f"parley show {name}"),
        not_concluded=tuple(said["not_concluded"]) if said is not None else NOT_CONCLUDED,
    )


def _validity(found: Judgement) -> str:
    if found.fault is not None:
        return f"invalid: {found.fault.message}"
    return "valid, both parties pinned" if found.pinned else "self-consistent, parties unknown"


def _labels(found: Judgement, said: dict[str, Any] | None) -> tuple[str, ...]:
    labels = []
    if found.standing.opening is None:
        labels.append("unwitnessed")
    if said is not None and found.qualifier is None:
        labels.append("unqualified test set")
    if found.unseen:
        labels.append("redacted")
    if found.verdict is None and found.acknowledged:
        labels.append("verdict as acknowledged, not recomputed")
    return tuple(labels)


def _identifiers(found: Judgement) -> tuple[Fact, ...]:
    facts = found.machine.facts
    rows = [("Session", facts.session_id.hex()), ("Last message", found.machine.head.hex())]
    if facts.exercise is not None:
        rows.append(("Exercise", facts.exercise.hex()))
    if facts.test_set is not None:
        rows += [("Test set root", facts.test_set.root.hex()), ("Items", str(facts.test_set.size))]
    if facts.model_claim is not None:
        rows += [
            ("Model claim", facts.model_claim.digest.hex()),
            ("Model, as the prover calls it", facts.model_claim.name),
        ]
    if found.verdict is not None:
        rows.append(("Verdict statement", found.verdict.digest().hex()))
    return tuple(Fact(name, value) for name, value in rows)


def _chambers(said: dict[str, Any] | None) -> tuple[Fact, ...]:
    """Who ran each chamber of a sealed run, what its operator could read, and how the run ended."""
    rows = []
    for one in (said or {}).get("chambers", ()):
        operator = one["operator"]
        read = " and ".join(operator["reads"]) or "neither secret"
        kept = "" if one["sandbox"] != "none" else "; without boxes"
        swapped = "" if one["swap"] == "absent" else "; memory could be swapped out"
        ending = "a receipt"
        if "refused" in one:
            ending = f"refused ({one['refused']})" + (
                f", blames the {one['blamed']}" if one["blamed"] else ""
            )
        run_by = "a neutral operator" if operator["run_by"] == "neutral" else f"the {operator['run_by']}"
        rows.append(
            Fact(
                "Chamber",
                f"run by {run_by}, who could read {read}{kept}{swapped}; run {one['run']}: {ending}",
            )
        )
    return tuple(rows)


def _claims(found: Judgement, said: dict[str, Any] | None) -> tuple[ClaimView, ...]:
    terms, audit = found.machine.facts.terms, found.machine.facts.audit
    if terms is None or said is None or audit is None:
        return ()
    numbers = {claim.claim_id: n for n, claim in enumerate(audit.claims)}
    views = []
    for claim, result in zip(terms.claims, said["claims"], strict=True):
        if isinstance(claim, GradedClaim):
            views.append(_graded(claim, result, terms))
        elif not isinstance(claim, MetricClaim):
            words = f"{result['type']} claim"
            views.append(ClaimView(claim.claim_id, words, result["verdict"], tuple(result["because"]), ()))
        elif "p_violation_at_most" in result:
            views.append(_sampled(found, claim, result, numbers[claim.claim_id]))
        else:
            views.append(_whole(claim, result, terms))
    return tuple(views)


def _sampled(found: Judgement, claim: MetricClaim, result: dict[str, Any], number: int) -> ClaimView:
    """A claim that a sequential test decided: its bounds and its path."""
    facts = found.machine.facts
    assert facts.audit is not None
    assert facts.terms is not None
    plan = facts.audit.plan(number)
    assert not isinstance(plan, GradedPlan)
    bounds = boundaries(plan)
    again = facts.binding is not None  # the path that the verdict rests on
    units = facts.audit.successes(number, reproduced=again)[: result["counted"]]
    return ClaimView(
        claim_id=claim.claim_id,
        statement=_words(claim, facts.terms),
        verdict=result["verdict"],
        because=tuple(result["because"]),
        facts=_facts(claim, result),
        frame=plan.frame,
        threshold=plan.threshold,
        count_low=result["count_low"],
        count_high=result["count_high"],
        units="".join("?" if unit is None else "01"[unit] for unit in units),
        compliant_boundary=bounds.compliant,
        violation_boundary=bounds.violation,
    )


def _whole(claim: MetricClaim, result: dict[str, Any], terms: Terms) -> ClaimView:
    """A claim of a sealed run, which ran all units: its count, and no risk, test or path."""
    low, high = result["count_low"], result["count_high"]
    return ClaimView(
        claim_id=claim.claim_id,
        statement=_words(claim, terms),
        verdict=result["verdict"],
        because=tuple(result["because"]),
        facts=(
            Fact("Units that the chambers counted", f"{result['counted']} of {result['population']}"),
            Fact("Successes in all", str(low) if low == high else f"{low} to {high}"),
            Fact("Successes needed", str(result["threshold_count"])),
        ),
        frame=result["population"],
        threshold=result["threshold_count"],
        count_low=low,
        count_high=high,
    )


def _graded(claim: SampledClaim, result: dict[str, Any], terms: Terms) -> ClaimView:
    """A claim about points: its bounds, without a plot of successes."""
    facts = (
        *_risks(claim),
        Fact("Counted units", str(result["counted"])),
        Fact("Points, each unit at most", f"{result['total']}, {result['top']}"),
        Fact("Points of the whole population needed", str(result["threshold_total"])),
        Fact("Points of the whole population", f"{result['total_low']} to {result['total_high']}"),
        *_p_values(result),
    )
    words = _words(claim, terms)
    return ClaimView(claim.claim_id, words, result["verdict"], tuple(result["because"]), facts)


def _words(claim: SampledClaim, terms: Terms) -> str:
    side = "at most" if claim.at_most else "at least"
    where = f"stratum {claim.stratum}" if claim.stratum else "the whole set"
    if isinstance(claim, GradedClaim):
        return (
            f"the mean score of {where} ({terms.plan.samples} sample(s) an item) by the grader "
            f"{claim.grader.KIND} is {side} {claim.threshold} of {claim.grader.top} points"
        )
    events = _events(claim)
    units = "pairs" if isinstance(claim.events, PairEvents) else "units"
    return (
        f"{side} {claim.threshold} of the {units} of {where} ({terms.plan.samples} sample(s) an item) "
        f"are graded {events} by the grader {claim.grader.KIND}"
    )


def _events(claim: MetricClaim) -> str:
    if isinstance(claim.events, PairEvents):
        each = (f"{' or '.join(events)} for {name}" for name, events in claim.events.document().items())
        return " and ".join(each)
    return ", ".join(claim.events.document())


def _risks(claim: SampledClaim) -> tuple[Fact, ...]:
    return (
        Fact("Risk of a false COMPLIANT", str(claim.alpha_compliant)),
        Fact("Risk of a false VIOLATION", str(claim.alpha_violation)),
    )


def _p_values(result: dict[str, Any]) -> tuple[Fact, ...]:
    return (
        Fact("p-value against compliance missed, at most", result["p_compliant_at_most"]),
        Fact("p-value against compliance met, at most", result["p_violation_at_most"]),
    )


def _facts(claim: SampledClaim, result: dict[str, Any]) -> tuple[Fact, ...]:
    return (
        *_risks(claim),
        Fact("Counted units", str(result["counted"])),
        Fact("Successes", str(result["successes"])),
        Fact("Failures", str(result["failures"])),
        Fact("Declared count", str(result["declared_count"] or "none")),
        *_p_values(result),
        *_compared(result.get("comparison")),
    )


def _compared(audited: dict[str, Any] | None) -> tuple[Fact, ...]:
    """What an audited receipt claims and what became of it."""
    if audited is None:
        return ()
    return (
        Fact("Successes that the receipt claims", str(audited["claimed"])),
        Fact("Claimed successes not confirmed, counted units", str(audited["overstated"])),
        Fact(
            "False results opened, and tolerated in all", f"{audited['mismatches']}, {audited['tolerated']}"
        ),
        Fact("Integrity of the claims", audited["integrity"]),
        Fact("p-value against the tolerance kept, at most", audited["p_integrity_at_most"]),
    )


def _spent(said: dict[str, Any] | None) -> tuple[Fact, ...]:
    """The risks of all exercises that the terms name, this one included."""
    if said is None or "spent" not in said:
        return ()
    risks = said["spent"]
    count = len(risks["exercises"]) + 1
    return (
        Fact(
            f"Risk of a false COMPLIANT in {count} exercises on this set and model", risks["alpha_compliant"]
        ),
        Fact(
            f"Risk of a false VIOLATION in {count} exercises on this set and model", risks["alpha_violation"]
        ),
        *(Fact("Earlier exercise", one) for one in risks["exercises"]),
    )


def _burn(machine: Machine) -> tuple[Fact, ...]:
    audit = machine.facts.audit
    if audit is None:
        return ()
    return tuple(
        Fact(f"Units of {frame.stratum or 'the whole set'}", f"{used} of a budget of {frame.budget}")
        for frame, used in zip(audit.frames, map(audit.challenged, range(len(audit.frames))), strict=True)
    )


def _exposure(machine: Machine) -> tuple[ExposureRow, ...]:
    audit, test_set = machine.facts.audit, machine.facts.test_set
    if audit is None or test_set is None:
        return ()
    challenged = {unit.name[0] for unit in audit.units}
    opened = {unit.name[0] for unit in audit.units[: audit.opened]}
    return (
        ExposureRow("sealed", test_set.size - len(challenged), _SEEN_BY[machine.mode]),
        ExposureRow("prompt seen", len(challenged - opened), "the prover saw the prompt"),
        ExposureRow("public to the prover", len(opened), "the prover saw prompt and reference"),
    )
