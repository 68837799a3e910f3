"""Room: the verdict. Comparison audits: claimed results against confirmed ones, and the claim-integrity axis.

A sealed receipt says that C of N units are successes and commits to every unit's result. A later audit opens
results of challenged units only and confirms them. Overstated units are claimed successes that were not
confirmed. With K successes in truth there are at least C - K of them, so "K misses the threshold K_t" means
at least C - K_t + 1 overstated units: the frame test over all N units, a success being one that is not
overstated, whose declared count is N (all claims true). Nothing outside the challenged units is conceded,
so nobody needs to know what was claimed of the others. A VIOLATION needs confirmed failures, as everywhere:
an understated unit may make up for an overstated one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, NamedTuple

from parley_attestation.canonical import Fields
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.frametest import CERTAIN, Decision, FramePlan, FrameResult, OneSided, count_low

MAX_CLAIMED = 64  # claims of one receipt


@dataclass(frozen=True, slots=True)
class ClaimedResults:
    """The sealed receipt that an exercise audits.

    Attributes:
        receipt: Digest of the receipt's statement.
        exercise: The sealed exercise.
        result_root: Root over its committed results.
        counts: For every sampled claim of the terms, how many successes the receipt says, or fewer.
        tolerance: Share of false results allowed for benign nondeterminism, 0 to below 1.
    """

    receipt: Digest
    exercise: Digest
    result_root: Digest
    counts: tuple[int, ...]
    tolerance: Fraction

    def document(self) -> dict[str, Any]:
        """What stands in the terms."""
        return {
            "receipt": self.receipt.hex(),
            "exercise": self.exercise.hex(),
            "result_root": self.result_root.hex(),
            "counts": list(self.counts),
            "tolerance": f"{self.tolerance.numerator}/{self.tolerance.denominator}",
        }


class Compared(NamedTuple):
    """One unit: what was claimed of it, and what was confirmed; None where it was not answered."""

    claimed: bool
    confirmed: bool | None

    @property
    def overstated(self) -> bool:
        """A claimed success that is not confirmed; an unanswered unit counts for the worst."""
        return self.claimed and self.confirmed is not True

    @property
    def as_claimed(self) -> bool:
        """The confirmed result is no other than the claimed one; an unanswered unit accuses nobody."""
        return self.confirmed is None or self.confirmed is self.claimed


def comparison_plan(plan: FramePlan, claimed: int) -> FramePlan:
    """The plan over units that are not overstated, from the plan over successes and the claimed count.

    Raises:
        PeerError: BAD_COUNT, where the claimed count misses the threshold itself or exceeds the frame.
    """
    if not plan.threshold <= claimed <= plan.frame:
        raise PeerError(
            Reason.BAD_COUNT,
            f"expected a claimed count in {plan.threshold}..{plan.frame}, got {claimed}",
        )
    return FramePlan(
        plan.frame,
        plan.frame - claimed + plan.threshold,
        plan.frame,
        plan.alpha_compliant,
        plan.alpha_violation,
        plan.budget,
    )


class ComparisonTest:
    """The two tests of one claim of a receipt, fed unit by unit in ticket order.

    Args:
        plan: Over successes, without a declared count.
        claimed: Successes that the receipt says, C.
        tolerance: Share of false results allowed.
    """

    def __init__(self, plan: FramePlan, claimed: int, tolerance: Fraction) -> None:
        """Start with no unit opened. Raises `PeerError` (BAD_COUNT)."""
        self.plan = plan
        self.claimed = claimed
        self.tolerance = tolerance
        self.decision: Decision | None = None
        self._over = comparison_plan(plan, claimed)
        self._compliant = OneSided(self._over.frame, self._over.threshold - 1, self._over.declared)
        self._violation = OneSided(plan.frame, plan.frame - plan.threshold, None)
        self._path: list[Compared] = []

    @property
    def n(self) -> int:
        """Units opened so far."""
        return len(self._path)

    @property
    def total(self) -> int:
        """Confirmed successes so far."""
        return sum(unit.confirmed is True for unit in self._path)

    def observe(self, unit: Compared) -> Decision | None:
        """Take the next unit and say whether the test is decided. Raises `PeerError` (OVER_BUDGET)."""
        if self.decision is not None:
            raise PeerError(Reason.OVER_BUDGET, f"expected no unit after {self.decision} at {self.n}")
        self._path.append(unit)
        self._compliant.push(not unit.overstated)
        self._violation.push(unit.confirmed is False)
        met = self._compliant.crosses(self.plan.alpha_compliant)
        missed = self._violation.crosses(self.plan.alpha_violation)
        if met and missed:
            self.decision = Decision.INCONCLUSIVE
        elif met or missed:
            self.decision = Decision.COMPLIANT if met else Decision.VIOLATION
        elif self.n == self.plan.budget:
            self.decision = Decision.INCONCLUSIVE
        return self.decision

    def result(self) -> FrameResult:
        """Everything the path so far shows; the lower bound is the claimed count less what may be overstated."""
        plan, frame = self.plan, self.plan.frame
        honest = [not unit.overstated for unit in self._path]
        failures = [unit.confirmed is False for unit in self._path]
        overstated = frame - count_low(frame, frame, plan.alpha_compliant, honest)
        return FrameResult(
            self.decision,
            self.n if self.decision is not None else None,
            self.n,
            self.total,
            sum(failures),
            CERTAIN if self._compliant.certain else self._compliant.e_value(),
            self._violation.e_value(),
            self._compliant.p_value(),
            self._violation.p_value(),
            max(self.claimed - overstated, self.total),
            frame - count_low(frame, None, plan.alpha_violation, failures),
        )


def read_claimed(fields: Fields, tolerance: Fraction) -> ClaimedResults:
    """Read the receipt of the terms, whose tolerance has been read. Raises `PeerError` (BAD_TERMS)."""
    counts = fields.list("counts", MAX_CLAIMED, 1)
    if not all(type(count) is int and count >= 1 for count in counts):
        fields.refuse("counts", "whole numbers of at least 1")
    if not 0 <= tolerance < 1:
        fields.refuse("tolerance", "a share of at least 0/1 and below 1/1")
    found = ClaimedResults(
        fields.digest("receipt"),
        fields.digest("exercise"),
        fields.digest("result_root"),
        tuple(counts),
        tolerance,
    )
    fields.end()
    return found


class Integrity(StrEnum):
    """The second axis of a comparison verdict: whether the signed per-unit claims are true."""

    INTACT = "INTACT"
    WITHIN_TOLERANCE = "WITHIN-TOLERANCE"
    BREACHED = "BREACHED"


@dataclass(frozen=True, slots=True)
class IntegrityFinding:
    """What the opened units say about the claims.

    Attributes:
        integrity: The word.
        mismatches: Opened units whose confirmed result is not the claimed one.
        tolerated: False claims that the tolerance allows in the whole frame.
        p_value: Anytime-valid p-value against "at most `tolerated` claims are false".
    """

    integrity: Integrity
    mismatches: int
    tolerated: int
    p_value: Fraction


def claim_integrity(
    frame: int, opened: Sequence[bool], tolerance: Fraction, alpha: Fraction
) -> IntegrityFinding:
    """Judge the signed claims of a frame by the units opened so far.

    BREACHED means that more than floor(tolerance * frame) claims are false, at risk `alpha` and by the
    same test that decides everything else; with tolerance 0 one mismatch is proof. It blocks COMPLIANT
    on the basis of comparison: the parties fall back to polling over all units.

    Args:
        frame: Units in the frame.
        opened: In ticket order, whether each unit's confirmed result is as claimed.
        tolerance: Share of false claims allowed for benign nondeterminism, 0 to below 1.
        alpha: Risk of a false BREACHED.

    Raises:
        PeerError: BAD_TERMS, where the tolerance lies outside its range.
    """
    if not 0 <= tolerance < 1:
        raise PeerError(Reason.BAD_TERMS, f"expected a tolerance of at least 0 and below 1, got {tolerance}")
    tolerated = tolerance.numerator * frame // tolerance.denominator
    test = OneSided(frame, tolerated, None)
    breached = False
    for as_claimed in opened:
        if test.certain:
            break
        test.push(success=not as_claimed)
        breached = breached or test.crosses(alpha)
    mismatches = sum(not as_claimed for as_claimed in opened)
    seen = Integrity.WITHIN_TOLERANCE if mismatches else Integrity.INTACT
    return IntegrityFinding(Integrity.BREACHED if breached else seen, mismatches, tolerated, test.p_value())
