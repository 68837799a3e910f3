"""Room: the command line. `parley check|show|redact`: what anyone does with a record, offline."""

import json
from pathlib import Path
from typing import Any

import click
from parley_attestation.edge import party
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.graded import GradedPlan
from parley_attestation.judge import Judgement, checks, ended, judge
from parley_attestation.statement import Statement
from parley_attestation.transcript import RecordReader, RecordWriter
from parley_attestation.transcript import redact as redact_record

from parley_cli.lines import say

# What an assurance that rests on a chamber does not cover, for the first line.
_NOT_COVERED = {
    "re-executed": " (not covered: whoever operates the chamber's machine; side channels)",
    "neutral-operator": " (not covered: whoever operates the chamber's machine; side channels)",
    "attested": " (not covered: physical attacks on the attested hardware; side channels)",
    "simulated": " (a laboratory exercise: nothing is covered, it supports no claim)",
}


def read_pin(text: str) -> Digest:
    """A fingerprint, given as 64 hexadecimal digits or as a peer card."""
    path = Path(text)
    if path.exists():
        return party.read_card(path).fingerprint
    try:
        return Digest.of_hex(text)
    except PeerError as error:
        raise LocalError(Reason.CONFIG, f"--pin {text}: neither a peer card nor a fingerprint") from error


@click.command()
@click.argument("record", type=click.Path(exists=True, path_type=Path))
@click.option("--pin", "pins", multiple=True, help="A party's card or root fingerprint; give both parties'.")
@click.option("--json", "machine", is_flag=True, help="Print one JSON object, for programs.")
def check(record: Path, pins: tuple[str, ...], *, machine: bool) -> int:
    """Judge RECORD offline: 0 valid, 1 not, whatever the verdict."""
    with record.open("rb") as source:
        try:
            found = judge(source, [read_pin(p) for p in pins])
        except PeerError as error:
            broken = {"valid": False, "reason": error.reason.value, "blamed": ""}
            say(json.dumps(broken) if machine else f"INVALID: {error.message} [{error.reason}]")
            return 1
    if machine:
        click.echo(json.dumps(summary(found)))
        return 0 if found.valid and found.pinned else 1
    return _print(found)


def summary(found: Judgement) -> dict[str, Any]:
    """What a judge says, for programs: the members that the conformance suite asks a judge for."""
    fault, verdict, standing = found.fault, found.verdict, found.standing
    overall = verdict.predicate["overall"] if verdict else ""
    return {
        "valid": found.valid,
        "pinned": found.pinned,
        "reason": fault.reason.value if fault else "",
        "blamed": fault.blamed.value if fault and fault.blamed else "",
        "sequence": fault.sequence if fault else 0,
        "state": found.state.value,
        "turn": found.turn.value if found.turn else "",
        "unseen": list(found.unseen),
        "verdict": verdict.digest().hex() if verdict else "",
        "overall": overall,
        "differing": [role.value for role in found.differing],
        "unqualified": overall == "VIOLATION" and found.qualifier is None,
        "opening": standing.opening.time if standing.opening else 0,
        "ended": standing.end.time if standing.end else 0,
        "default": standing.default.verdict.value if standing.default else "",
    }


def _print(found: Judgement) -> int:
    """Print a judgement for people; the exit code."""
    say(headline(found))
    for one, times in checks(found):
        say(f"  {one.number:2}  {one.title:75} {f'{times} times' if times else 'not reached'}")
    if found.fault is not None:
        blamed = f"the {found.fault.blamed}, by its own signature" if found.fault.blamed else "nobody"
        say(f"fault: message {found.fault.sequence}: {found.fault.message} [{found.fault.reason}]")
        say(f"blame: {blamed}")
        return 1
    for role in (Role.PROVER, Role.VERIFIER):
        if role in found.machine.facts.histories:
            say(f"{role}: {found.machine.facts.histories[role].owner.hex()}")
    say("redacted" if found.unseen else "full" + (": all content is in the record" if found.verdict else ""))
    if found.unseen:
        say(f"unseen items: {', '.join(str(n) for n in found.unseen)}")
    standing = found.standing
    alone = "unwitnessed: two colluding parties could have made this record up"
    say(f"witnesses: {standing}" if standing.opening else alone)
    if standing.default is not None:
        consequences = found.machine.facts.terms.consequences if found.machine.facts.terms else ("", "")
        say(f"{standing.default.verdict}: {consequences[standing.default.verdict.name == 'VERIFIER']}")
    if len(standing.attempts) > 1:
        say(f"attempts shown: {', '.join(str(n) for n in standing.attempts)}")
    if standing.opening is not None:
        say("attempts that no witness was shown, or that were not shown here, cannot be known")
    say(f"session: {ended(found)}")
    _print_conclusion(found)
    if not found.pinned:
        say("hint: name both parties with --pin CARD or --pin FINGERPRINT", err=True)
        return 1
    return 0


def headline(found: Judgement) -> str:
    """The first line: whether the record holds, and whether that says anything about who made it."""
    if found.fault is not None:
        return "INVALID"
    if not found.pinned:
        return "SELF-CONSISTENT, PARTIES UNKNOWN"
    verdict = found.verdict
    if verdict is None:
        return "VALID"
    level = verdict.predicate["assurance"]
    return f"VALID, assurance {level}{_NOT_COVERED.get(level, '')}"


def _print_conclusion(found: Judgement) -> None:
    for role in found.differing:
        say(f"dissent over another verdict: the {role} derived another one than this record gives")
    if found.qualifier is not None:
        say(f"qualified test set: {found.qualifier.hex()} vouches for its references")
    else:
        say("unqualified test set: no third party named in the terms vouches for its references")
    if found.verdict is not None:
        print_verdict(found.verdict)
    elif found.acknowledged:
        say("verdict as acknowledged, not recomputed:")
        for role, digest in found.acknowledged.items():
            say(f"  {role}: {digest.hex()}")
    else:
        say("verdict: none")


def print_verdict(verdict: Statement) -> None:
    """Print a verdict statement for people."""
    said = verdict.predicate
    say(f"verdict: {said['overall']} at assurance {said['assurance']}; identity {said['identity']}")
    if "spent" in said:
        risks = said["spent"]
        say(
            f"  exercises on this set and model: {len(risks['exercises']) + 1}; their risks add up to"
            f" {risks['alpha_compliant']} (false COMPLIANT) and {risks['alpha_violation']} (false VIOLATION)"
        )
    for chamber in said.get("chambers", ()):
        operator = chamber["operator"]
        if operator["run_by"] != "neutral":
            read = " and ".join(operator["reads"]) or "neither secret"
            say(
                f"  custody: the {operator['run_by']} runs a chamber and could read {read};"
                " the other party accepted that"
            )
        if "refused" in chamber:
            blamed = f" and blames the {chamber['blamed']}" if chamber["blamed"] else ""
            say(f"  a chamber refused the run ({chamber['refused']}){blamed}, by its own signature")
    for claim in said["claims"]:
        say(f"  {claim['id']}: {claim['verdict']}")
        if claim["type"] == "graded":
            say(
                f"    {claim['total']} points in {claim['counted']} counted units of at most {claim['top']} each; of the "
                f"whole population {claim['total_low']}..{claim['total_high']} (needed {claim['threshold_total']})"
            )
        if claim["type"] == "metric":
            say(
                f"    {claim['successes']} of {claim['counted']} counted units are successes; of the population of "
                f"{claim['population']}, {claim['count_low']}..{claim['count_high']} (needed {claim['threshold_count']})"
            )
        if "comparison" in claim:
            audited = claim["comparison"]
            say(
                f"    {audited['integrity']}: {audited['mismatches']} opened results of the receipt are false,"
                f" {audited['tolerated']} in all are tolerated"
            )
        for reason in claim["because"]:
            say(f"    because {reason}")
    for sentence in said["not_concluded"]:
        say(f"  not concluded: {sentence}")


@click.command()
@click.argument("record", type=click.Path(exists=True, path_type=Path))
@click.option("--units", is_flag=True, help="Add every metric claim's plan and its results in ticket order.")
def show(record: Path, *, units: bool) -> int:
    """Print what RECORD says, as JSON: terms, verdict, course. Checks it, pins nobody."""
    with record.open("rb") as source:
        found = judge(source)
    facts = found.machine.facts
    click.echo(
        json.dumps(
            {
                "valid": found.valid,
                "fault": None if found.fault is None else found.fault.message,
                "state": found.state.value,
                "messages": found.machine.sequence,
                "parties": {role.value: history.owner.hex() for role, history in facts.histories.items()},
                "exercise": facts.exercise.hex() if facts.exercise else None,
                "terms": facts.terms.document() if facts.terms else None,
                "verdict": found.verdict.predicate if found.verdict else None,
                "unseen": list(found.unseen),
            }
            | ({"units": _units(found)} if units else {}),
            indent=2,
        )
    )
    return 0 if found.valid else 1


def _units(found: Judgement) -> list[dict[str, Any]]:
    """Plans and results: all that a second program needs to decide again (conformance/recompute)."""
    audit, bound = found.machine.facts.audit, found.machine.facts.binding
    if audit is None or found.verdict is None:
        return []
    rows: list[dict[str, Any]] = []
    for number, claim in enumerate(audit.claims):
        plan = audit.plan(number)
        again = [all(one.reproduced for one in unit) for unit in audit.frame_units(audit.frame_of(claim))]
        units = audit.successes(number)
        row = {
            "id": claim.claim_id,
            "budget": plan.budget,
            "threshold": plan.threshold,
            "reproduced": "".join("01"[one] for one in again) if bound is not None else None,
        }
        if isinstance(plan, GradedPlan):
            rows.append(row | {"size": plan.size, "top": plan.top, "scores": units})
        else:
            bits = "".join("?" if one is None else "01"[one] for one in units)
            if audit.receipt is not None:
                told = audit.compared(number, reproduced=False)
                row["claimed"] = "".join("01"[one.claimed] for one in told)
            rows.append(row | {"frame": plan.frame, "declared": plan.declared, "bits": bits})
    return rows


@click.command()
@click.argument("record", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--item", "items", multiple=True, type=int, help="Withhold these items only; default: all.")
def redact(record: Path, out: Path, items: tuple[int, ...]) -> int:
    """Copy RECORD to OUT without prompts, outputs and references."""
    with record.open("rb") as source:
        found = judge(source)
        if not found.valid:
            assert found.fault is not None
            raise PeerError(found.fault.reason, found.fault.message)
        source.seek(0)
        try:
            with out.open("xb") as target:
                count = redact_record(
                    RecordReader(source), RecordWriter(target), set(items) if items else None
                )
        except FileExistsError as error:
            raise LocalError(Reason.CONFIG, f"{out}: exists already") from error
    click.echo(f"{count} pieces of content withheld in {out}")
    return 0
