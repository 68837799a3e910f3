"""Room: the verdict. Comparison audits: frames over claimed results, and the claim-integrity axis.

Where every unit carries a committed claimed result, only claims that matter are opened: a COMPLIANT
assertion is tested on the claimed successes with everything else conceded as failures, and a VIOLATION
assertion on the claimed failures with everything else conceded as successes (spec "Frame test").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from parley_attestation.errors import PeerError, Reason
from parley_attestation.frametest import FramePlan, OneSided


@dataclass(frozen=True, slots=True)
class ComparisonFrame:
    """The units to open, by position, and the test over them.

    The plan of a VIOLATION assertion counts confirmed failures: its COMPLIANT means that the violation
    is shown, its VIOLATION that the accusation is false.
    """

    units: tuple[int, ...]
    plan: FramePlan


def compliant_frame(
    claimed: Sequence[bool], threshold: int, alpha_compliant: Fraction, alpha_violation: Fraction, budget: int
) -> ComparisonFrame:
    """The frame of claimed successes.

    Args:
        claimed: The committed result of every unit.
        threshold: Least number of successes that meets the claim.
        alpha_compliant: Risk of a false COMPLIANT.
        alpha_violation: Risk of a false VIOLATION.
        budget: Most units to open; what the frame does not hold is cut.

    Raises:
        PeerError: BAD_COUNT, where the claimed results themselves miss the threshold.
    """
    units = tuple(n for n, success in enumerate(claimed) if success)
    if len(units) < threshold:
        raise PeerError(
            Reason.BAD_COUNT, f"expected at least {threshold} claimed successes, got {len(units)}"
        )
    size = len(units)
    return ComparisonFrame(
        units, FramePlan(size, threshold, size, alpha_compliant, alpha_violation, min(budget, size))
    )


def violation_frame(
    claimed: Sequence[bool], threshold: int, alpha_compliant: Fraction, alpha_violation: Fraction, budget: int
) -> ComparisonFrame:
    """The frame of claimed failures, for an accuser; the risks swap their places with the roles.

    Raises:
        PeerError: BAD_COUNT, where the claimed failures are too few to miss the threshold.
    """
    units = tuple(n for n, success in enumerate(claimed) if not success)
    needed = len(claimed) - threshold + 1
    if len(units) < needed:
        raise PeerError(Reason.BAD_COUNT, f"expected at least {needed} claimed failures, got {len(units)}")
    size = len(units)
    return ComparisonFrame(
        units, FramePlan(size, needed, size, alpha_violation, alpha_compliant, min(budget, size))
    )


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
