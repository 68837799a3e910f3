"""Room: the verifier. The terms file that a person writes, and the terms made of it; `parley terms` calls it."""

from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from parley_attestation import canonical
from parley_attestation.claims import ratio
from parley_attestation.comparison import ClaimedResults
from parley_attestation.edge.journal import Journal
from parley_attestation.edge.spending import spent_before
from parley_attestation.encoding import Digest, Nonce
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.judge import judge
from parley_attestation.registration import TestSet
from parley_attestation.runtime import read_runtime
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.session.audit import Audit
from parley_attestation.session.audited import check_audited, first_receipt
from parley_attestation.session.facts import Facts
from parley_attestation.session.schedule import check_graders, frames, without
from parley_attestation.statement import Statement, Subject
from parley_attestation.terms import TERMS, Terms, read_terms
from parley_attestation.verdict import SAMPLED
from pydantic import BaseModel, ConfigDict, Field

Rate = str  # "p/q", a decimal such as "0.85", or a percentage such as "5 %"


class ClaimFile(BaseModel):
    """One claim as a person writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=64, description="Name of the claim.")
    type: Literal["metric", "graded", "identity", "compute"] = Field(
        default="metric", description="metric (a rate), graded (a mean score), identity or compute."
    )
    kind: Literal["at-most", "at-least", "exclusive", "devices"] = Field(
        default="at-least", description="Compute claims: what is claimed."
    )
    flop: str = Field(default="0", description="Compute claims: the bound in FLOP, a whole number.")
    devices: list[str] = Field(default_factory=list, description="Compute claims: the devices.")
    run: str = Field(default="", description="Compute claims: the run, 64 hexadecimal digits.")
    stratum: str = Field(default="", description="Stratum; empty for the whole set.")
    grader: dict[str, Any] = Field(default_factory=dict, description="The grader's document.")
    events: list[str] | dict[str, list[str]] = Field(
        default=["pass"], description="Outcomes that count; in a set of pairs by member."
    )
    direction: Literal["at-least", "at-most"] = Field(
        default="at-least", description="Side of the threshold."
    )
    threshold: Rate = Field(
        default="1/2", description="The rate; of a graded claim the share of the greatest score."
    )
    alpha_compliant: Rate = Field(default="1/20", description="Risk of a false COMPLIANT.")
    alpha_violation: Rate = Field(default="1/100", description="Risk of a false VIOLATION.")
    min_assurance: str = Field(default="declared", description="Least assurance the claim asks for.")


class OperatorFile(BaseModel):
    """Who may run the chamber."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(description="The operator's session key, 64 hexadecimal digits.")
    run_by: Literal["neutral", "prover", "verifier"] = Field(description="On whose side it stands.")
    reads: list[Literal["tests", "weights"]] = Field(
        default=["tests", "weights"], description="The secrets that it could read."
    )


class SealedFile(BaseModel):
    """What may leave the chambers of sealed mode, when, and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bits: int = Field(default=256, description="Bits that may leave all chambers at most.")
    hand_over: bool = Field(
        default=False,
        description="Give the verifier the result of every unit, for an audit: 3 bits each, counted in bits.",
    )
    program: bool = Field(
        default=False, description="Whether the prover supplies the program that runs its model."
    )
    quorum: int = Field(default=1, description="Chambers, each of another operator, that must agree.")
    release_seconds: int = Field(
        default=0, description="The outcome leaves so long after the run began; 0: when it is there."
    )
    round_to: int = Field(default=1, description="Counts are rounded down to a multiple of this.")
    runs: int = Field(
        default=1, description="How often this set and this model may meet in one chamber, failures included."
    )


class ChamberFile(BaseModel):
    """A chamber: in open mode it re-executes every opened item, in sealed mode it runs all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operators: list[OperatorFile] = Field(min_length=1, description="Any of these may sign.")
    runtime: Path = Field(
        description="The runtime's document, canonical JSON; a relative path is to the terms."
    )
    sealed: SealedFile | None = Field(
        default=None, description="Rules of sealed mode; in sealed mode its defaults where absent."
    )


class AuditedFile(BaseModel):
    """The sealed receipt that an exercise audits; its claims and populations must be the same."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    record: Path = Field(description="Record of the sealed session; a relative path is to the terms.")
    tolerance: Rate = Field(default="0", description="Share of false results allowed; above: BREACHED.")


class PlanFile(BaseModel):
    """How much is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int = Field(default=1, ge=1, description="Samples per item.")
    batch: int = Field(default=64, ge=1, description="Units in one challenge at most.")
    budget: int | None = Field(default=None, description="Units per frame at most; default: all.")


class CapsFile(BaseModel):
    """Bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt_bytes: int | None = Field(default=None, description="Longest prompt; default: the set's.")
    reference_bytes: int | None = Field(default=None, description="Longest reference; default: the set's.")
    output_bytes: int = Field(default=65_536, ge=1, description="Longest output.")
    turn_bytes: int = Field(default=64 << 20, ge=64, description="Content of one turn.")


class TermsFile(BaseModel):
    """The treaty as a person writes it; `parley terms new` fills in what follows from the other files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=1, max_length=200, description="What the exercise is about.")
    mode: Literal["open", "sealed"] = Field(
        default="open", description="open: the prover answers what is sampled. sealed: a chamber runs it all."
    )
    system: dict[str, str] = Field(description="scaffold, runtime and decoding, in words or digests.")
    claims: list[ClaimFile] = Field(min_length=1, description="What is claimed.")
    plan: PlanFile = Field(default_factory=PlanFile)
    caps: CapsFile = Field(default_factory=CapsFile)
    answer_seconds: int = Field(default=600, description="Deadline of an answer.")
    turn_seconds: int = Field(default=120, description="Deadline of any other message.")
    excluded: list[tuple[int, int]] = Field(
        default_factory=list, description="[start, count] runs seen before."
    )
    witnesses: list[str] = Field(default_factory=list, description="Public keys of witnesses.")
    witness_threshold: int = Field(default=0, description="How many must cosign.")
    unreachable: Literal["pause", "unwitnessed"] = Field(
        default="unwitnessed", description="Without witnesses."
    )
    prover_default: str = Field(default="The exercise counts as not passed.", description="Consequence.")
    verifier_default: str = Field(default="The exercise counts as withdrawn.", description="Consequence.")
    chamber: ChamberFile | None = Field(
        default=None,
        description="open: demand re-execution by a chamber. sealed: the chamber that runs all items.",
    )
    audited: AuditedFile | None = Field(default=None, description="Audit the results of a sealed receipt.")
    evidence_policy: dict[str, Any] | None = Field(default=None, description="The agreed appraisal policy.")
    inventory: dict[str, Any] | None = Field(default=None, description="A complete chip-time inventory.")
    qualifiers: list[str] = Field(default_factory=list, description="Roots that may qualify the test set.")
    measures: str = Field(description="The construct: what the items are meant to measure.")
    sampling_frame: str = Field(description="Where the items come from.")
    not_concluded: list[str] = Field(min_length=1, description="What this exercise does not show.")


def parse_rate(text: str) -> Fraction:
    """An exact rate from "p/q", a decimal or a percentage. Raises `LocalError` (CONFIG)."""
    try:
        if text.rstrip().endswith("%"):
            return Fraction(text.rstrip()[:-1].strip()) / 100
        return Fraction(text.replace(" ", ""))
    except (ValueError, ZeroDivisionError) as error:
        raise LocalError(Reason.CONFIG, f"expected a rate such as 4/5, 0.8 or 80 %, got {text!r}") from error


def make_terms(
    written: TermsFile,
    *,
    test_set: TestSet,
    prover: Digest,
    model_claim: Digest,
    nonce: Nonce,
    base: Path = Path(),
    journal: Path | None = None,
) -> Terms:
    """Terms from what a person wrote and from the artefacts that they name.

    Raises:
        LocalError: CONFIG, with what is wrong and where: nothing that no prover would sign is made.
    """
    document = {
        "nonce": nonce.hex(),
        "parties": {"prover": prover.hex(), "verifier": test_set.owner.hex()},
        "model_claim": model_claim.hex(),
        "binding": _binding(written.chamber, base, sealed=written.mode == "sealed"),
        **_of_the_set(written, test_set),
        **_as_written(written),
    }
    sealed = None if written.audited is None else _sealed(base / written.audited.record)
    if written.audited is not None and sealed is not None:
        document["audited"] = _audited(sealed, parse_rate(written.audited.tolerance))
    try:
        terms = read_terms(Statement(TERMS, (Subject("test-set", test_set.root),), document))
        check_graders(terms, test_set)
        if sealed is not None:
            check_audited(terms, sealed)
        Audit.begin(terms, frames(terms, test_set), (0,) * len(terms.sampled_claims))
    except PeerError as error:
        raise LocalError(
            Reason.CONFIG, f"these terms cannot be signed: {error.message}", hint=error.hint
        ) from error
    if journal is None:
        return terms
    with closing(Journal(journal)) as sessions:
        return replace(terms, prior=spent_before(sessions, Role.VERIFIER, terms))


def _of_the_set(written: TermsFile, test_set: TestSet) -> dict[str, Any]:
    """What the terms say that depends on the registered test set: its statement, the plan, the caps."""
    names = list(dict.fromkeys(c.stratum for c in written.claims if c.type in SAMPLED))
    spans = {s.name: (s.start, s.start + s.count) for s in test_set.strata} | {"": (0, test_set.size)}
    budgets = []
    for name in names:
        left = sum(b - a for a, b in without(spans.get(name, (0, 0)), tuple(written.excluded)))
        full = left * written.plan.samples // test_set.group
        budgets.append({"stratum": name, "units": max(min(written.plan.budget or full, full), 1)})
    return {
        "test_set": {
            "statement": test_set.statement.digest().hex(),
            "root": test_set.root.hex(),
            "size": test_set.size,
            "excluded": [list(run) for run in written.excluded],
        },
        "plan": {"samples": written.plan.samples, "batch": written.plan.batch, "budgets": budgets},
        "caps": {
            "prompt_bytes": written.caps.prompt_bytes or test_set.prompt_bytes,
            "reference_bytes": written.caps.reference_bytes or test_set.reference_bytes,
            "output_bytes": written.caps.output_bytes,
            "turn_bytes": written.caps.turn_bytes,
        },
    }


def _as_written(written: TermsFile) -> dict[str, Any]:
    """What goes from the file into the terms as it stands."""
    return {
        "title": written.title,
        "mode": written.mode,
        "system": written.system,
        "claims": [_claim(c) for c in written.claims],
        "deadlines": {"answer_seconds": written.answer_seconds, "turn_seconds": written.turn_seconds},
        "witnesses": {
            "keys": written.witnesses,
            "threshold": written.witness_threshold,
            "unreachable": written.unreachable,
        },
        "consequences": {
            "prover_default": written.prover_default,
            "verifier_default": written.verifier_default,
        },
        "qualifiers": written.qualifiers,
        "evidence_policy": written.evidence_policy,
        "inventory": written.inventory,
        "scope": {
            "construct": written.measures,
            "sampling_frame": written.sampling_frame,
            "not_concluded": written.not_concluded,
        },
    }


def _sealed(path: Path) -> Facts:
    """What a sealed session established, by its record. Raises `LocalError` (CONFIG)."""
    try:
        with path.open("rb") as source:
            found = judge(source)
    except (OSError, PeerError) as error:
        raise LocalError(Reason.CONFIG, f"{path}: no record ({error})") from error
    if found.fault is not None:
        raise LocalError(Reason.CONFIG, f"{path}: expected a valid record ({found.fault.message})")
    return found.machine.facts


def _audited(sealed: Facts, tolerance: Fraction) -> dict[str, Any]:
    try:
        receipt, said = first_receipt(sealed)
    except PeerError as error:
        raise LocalError(Reason.CONFIG, error.message) from error
    return ClaimedResults(
        said.digest(),
        receipt.exercise,
        receipt.result_root,
        tuple(count.successes for count in receipt.counts),
        tolerance,
    ).document()


def _binding(chamber: ChamberFile | None, base: Path, *, sealed: bool = False) -> dict[str, Any]:
    if chamber is None:
        return {"kind": "none", "operators": []}
    path = base / chamber.runtime
    try:
        runtime = read_runtime(canonical.load(path.read_bytes()))
    except (OSError, PeerError) as error:
        raise LocalError(Reason.CONFIG, f"{path}: no runtime's document ({error})") from error
    rules = chamber.sealed or (SealedFile() if sealed else None)
    return {
        "kind": "chamber",
        "operators": [one.model_dump() for one in chamber.operators],
        "runtime": runtime.digest().hex(),
    } | ({} if rules is None else {"sealed": SealedTerms(**rules.model_dump()).document()})


def _claim(written: ClaimFile) -> dict[str, Any]:
    if written.type == "identity":
        return {"type": "identity", "id": written.id, "min_assurance": written.min_assurance}
    if written.type == "compute":
        return {
            "type": "compute",
            "id": written.id,
            "kind": written.kind,
            "flop": written.flop,
            "devices": sorted(written.devices),
            "run": written.run,
            "min_assurance": written.min_assurance,
        }
    events = {"events": written.events} if written.type == "metric" else {}
    return events | {
        "type": written.type,
        "id": written.id,
        "stratum": written.stratum,
        "grader": written.grader,
        "direction": written.direction,
        "threshold": ratio(parse_rate(written.threshold)),
        "alpha_compliant": ratio(parse_rate(written.alpha_compliant)),
        "alpha_violation": ratio(parse_rate(written.alpha_violation)),
        "min_assurance": written.min_assurance,
    }
