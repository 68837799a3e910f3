"""Room: the verdict. Strata: one frame, one order and one test each, joined as a profile."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from parley_attestation.errors import PeerError, Reason
from parley_attestation.frametest import FramePlan, threshold_count


def stratum_plans(
    sizes: Mapping[str, int],
    rate: Fraction,
    alphas: tuple[Fraction, Fraction],
    budgets: Mapping[str, int],
    *,
    at_most: bool,
) -> dict[str, FramePlan]:
    """One plan per stratum for a rate that every stratum has to meet.

    The threshold is rounded within each stratum, so meeting all of them implies the rate overall.

    Args:
        sizes: Units of each stratum.
        rate: The threshold rate of the claim.
        alphas: Risks of a false COMPLIANT and of a false VIOLATION in each stratum.
        budgets: Most units that may be opened in each stratum.
        at_most: The rate caps failures.

    Raises:
        PeerError: BAD_TERMS, where budgets and strata differ or a plan means nothing.
    """
    if not sizes or set(sizes) != set(budgets):
        raise PeerError(Reason.BAD_TERMS, "expected exactly one budget for every stratum")
    return {
        name: FramePlan(
            size,
            threshold_count(rate.numerator, rate.denominator, size, at_most=at_most),
            None,
            *alphas,
            budgets[name],
        )
        for name, size in sizes.items()
    }


def composite_low(weights: Sequence[int], lows: Sequence[Fraction]) -> Fraction:
    """The lower bound of a weighted composite: sum of w L over sum of w.

    With every L a lower bound at risk alpha/M the composite holds at risk alpha. It informs and never
    compensates: each claim's own threshold stays binding.

    Raises:
        PeerError: BAD_TERMS, where the weights are not positive integers, one per bound.
    """
    if not weights or len(weights) != len(lows) or min(weights) < 1:
        raise PeerError(Reason.BAD_TERMS, "expected one positive integer weight per bound")
    return sum((w * low for w, low in zip(weights, lows, strict=True)), Fraction(0)) * Fraction(
        1, sum(weights)
    )
