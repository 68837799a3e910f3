"""Room: the core. The claims of the terms: what is said to hold, at which risks; pure, read strictly."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import Any

from parley_attestation.canonical import Fields
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import PeerError, Reason
from parley_attestation.evidence.compute import verdict as compute
from parley_attestation.grading import Grader, Outcome, OutcomeMap, read_grader, read_outcome_map
from parley_attestation.pairs import PairEvents, read_pair_events

_RATIO = re.compile(r"(0|[1-9][0-9]{0,17})/([1-9][0-9]{0,17})")

ASSURANCE_ORDER = ("declared", "re-executed", "neutral-operator", "attested", "proven")


def read_ratio(fields: Fields, name: str) -> Fraction:
    """An exact ratio spelled p/q in lowest terms."""
    found = _RATIO.fullmatch(fields.text(name, 40))
    if not found or gcd(int(found[1]), int(found[2])) != 1:
        fields.refuse(name, "a ratio p/q in lowest terms")
    return Fraction(int(found[1]), int(found[2]))


def ratio(value: Fraction) -> str:
    """The one spelling of a ratio."""
    return f"{value.numerator}/{value.denominator}"


@dataclass(frozen=True, slots=True)
class MetricClaim:
    """The rate of an event over a committed population is at least, or at most, a threshold.

    `events` are the outcomes that count, in a set of pairs by member. `stratum` is empty for the whole set.
    """

    claim_id: str
    stratum: str
    grader: Grader
    events: OutcomeMap | PairEvents
    at_most: bool
    threshold: Fraction
    alpha_compliant: Fraction
    alpha_violation: Fraction
    min_assurance: str

    @property
    def degradable(self) -> bool:
        """Whether outputs spoiled, refused or filtered on purpose would be a success of the claim.

        A success is an outcome that counts, or under a cap one that does not: "at most a tenth fail,
        refuse or are invalid" and "at least nine tenths pass" are one claim, and neither is degradable.
        Neither is a claim over pairs of which one member has to pass.
        """
        if isinstance(self.events, PairEvents):
            return not self.events.spoiled_always_counts if self.at_most else self.events.spoiled_can_count
        events = OutcomeMap(frozenset(Outcome) - self.events.counted) if self.at_most else self.events
        return events.rewards_degradation

    def grade(self, output: bytes, reference: bytes) -> Outcome:
        """Grade one output."""
        return self.grader.grade(output, reference)

    def result(self, outcomes: Mapping[str, Outcome]) -> bool:
        """Whether a unit with these outcomes is a success; by member, "" in a set without pairs."""
        events = self.events
        met = events.counts(outcomes) if isinstance(events, PairEvents) else events.counts(outcomes[""])
        return met is not self.at_most

    def document(self) -> dict[str, Any]:
        """The claim as it is signed."""
        return {
            "type": "metric",
            "id": self.claim_id,
            "stratum": self.stratum,
            "grader": self.grader.document(),
            "events": self.events.document(),
            "direction": "at-most" if self.at_most else "at-least",
            "threshold": ratio(self.threshold),
            "alpha_compliant": ratio(self.alpha_compliant),
            "alpha_violation": ratio(self.alpha_violation),
            "min_assurance": self.min_assurance,
        }


@dataclass(frozen=True, slots=True)
class GradedClaim:
    """The mean score over a committed population is at least, or at most, a share of the greatest score."""

    claim_id: str
    stratum: str
    grader: Grader
    at_most: bool
    threshold: Fraction
    alpha_compliant: Fraction
    alpha_violation: Fraction
    min_assurance: str

    @property
    def degradable(self) -> bool:
        """Whether outputs spoiled on purpose would meet the claim: they score nothing."""
        return self.at_most

    def grade(self, output: bytes, reference: bytes) -> int:
        """Score one output."""
        return self.grader.score(output, reference)

    def result(self, scores: Mapping[str, int]) -> int:
        """What a unit adds to the total that has to be reached."""
        return self.grader.top - scores[""] if self.at_most else scores[""]

    def document(self) -> dict[str, Any]:
        """The claim as it is signed."""
        return {
            "type": "graded",
            "id": self.claim_id,
            "stratum": self.stratum,
            "grader": self.grader.document(),
            "direction": "at-most" if self.at_most else "at-least",
            "threshold": ratio(self.threshold),
            "alpha_compliant": ratio(self.alpha_compliant),
            "alpha_violation": ratio(self.alpha_violation),
            "min_assurance": self.min_assurance,
        }


SampledClaim = MetricClaim | GradedClaim


@dataclass(frozen=True, slots=True)
class IdentityClaim:
    """The evaluated model is the registered one."""

    claim_id: str
    min_assurance: str

    def document(self) -> dict[str, Any]:
        """The claim as it is signed."""
        return {"type": "identity", "id": self.claim_id, "min_assurance": self.min_assurance}


@dataclass(frozen=True, slots=True)
class ComputeClaim:
    """Something about the compute on record: a bound on FLOP, devices, or their exclusive use."""

    claim_id: str
    claim: compute.Claim
    min_assurance: str

    def document(self) -> dict[str, Any]:
        """The claim as it is signed."""
        return {
            "type": "compute",
            "id": self.claim_id,
            "kind": self.claim.kind.value,
            "flop": str(self.claim.flop),
            "devices": sorted(self.claim.devices),
            "run": self.claim.run.hex() if self.claim.run is not None else "",
            "min_assurance": self.min_assurance,
        }


Claim = MetricClaim | GradedClaim | IdentityClaim | ComputeClaim


def read_claim(fields: Fields) -> Claim:
    """Read one claim of the terms. Raises `PeerError` (BAD_TERMS)."""
    kind = fields.choice("type", {k: k for k in ("metric", "graded", "identity", "compute")})
    claim_id = fields.text("id", 64)
    assurance = fields.choice("min_assurance", {a: a for a in ASSURANCE_ORDER})
    claim: Claim
    if kind == "identity":
        claim = IdentityClaim(claim_id, assurance)
    elif kind == "compute":
        claim = ComputeClaim(claim_id, _compute(fields), assurance)
    else:
        claim = _sampled(fields, kind, claim_id, assurance)
    fields.end()
    return claim


def _sampled(fields: Fields, kind: str, claim_id: str, assurance: str) -> SampledClaim:
    stratum, grader = fields.text("stratum", 64, empty=True), read_grader(fields.object("grader"))
    at_most = fields.choice("direction", {"at-least": False, "at-most": True})
    threshold = read_ratio(fields, "threshold")
    if not 0 <= threshold <= 1:
        fields.refuse("threshold", "a rate between 0/1 and 1/1")
    risks = _alpha(fields, "alpha_compliant"), _alpha(fields, "alpha_violation")
    if kind == "graded":
        if grader.top < 2:
            fields.refuse("grader", "a grader that gives points")
        return GradedClaim(claim_id, stratum, grader, at_most, threshold, *risks, assurance)
    events = read_events(fields.raw("events"))
    return MetricClaim(claim_id, stratum, grader, events, at_most, threshold, *risks, assurance)


def read_events(value: Any) -> OutcomeMap | PairEvents:
    """Read the outcomes that a claim counts, in a set of pairs by member. Raises `PeerError` (BAD_TERMS)."""
    return read_pair_events(value) if isinstance(value, dict) else read_outcome_map(value)


def _compute(fields: Fields) -> compute.Claim:
    flop, run = fields.decimal("flop"), fields.text("run", 64, empty=True)
    if not flop.isdigit() or int(flop) >= 1 << 128:
        fields.refuse("flop", "a whole number below 2^128")
    return compute.Claim(
        fields.choice("kind", {k.value: k for k in compute.ClaimKind}),
        int(flop),
        fields.names("devices", 4096),
        _run(fields, run),
    )


def _run(fields: Fields, text: str) -> Bytes32 | None:
    try:
        return Bytes32.of_hex(text) if text else None
    except PeerError:
        fields.refuse("run", "64 lower-case hexadecimal digits or nothing")


def _alpha(fields: Fields, name: str) -> Fraction:
    value = read_ratio(fields, name)
    if not 0 < value <= Fraction(1, 2):
        fields.refuse(name, "a risk above 0/1 and at most 1/2")
    return value


def refuse_contradictions(claims: tuple[SampledClaim, ...]) -> None:
    """Refuse claims that cannot hold together. Raises `PeerError` (BAD_TERMS)."""
    for n, one in enumerate(claims):
        for other in claims[:n]:
            if one.at_most != other.at_most and _subject(one) == _subject(other):
                low, high = (other, one) if one.at_most else (one, other)
                if low.threshold > high.threshold:
                    raise PeerError(
                        Reason.BAD_TERMS, f"claims {low.claim_id} and {high.claim_id} contradict each other"
                    )


def _subject(claim: SampledClaim) -> tuple[Any, ...]:
    events = claim.events.document() if isinstance(claim, MetricClaim) else None
    return type(claim), claim.stratum, claim.grader.document(), events
