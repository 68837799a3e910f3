"""Room: the verdict. Two versions on one test set: the exact McNemar test on opened result bits."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb

from parley_attestation.errors import PeerError, Reason


@dataclass(frozen=True, slots=True)
class Paired:
    """Two versions item by item.

    Attributes:
        both: Successes of both.
        neither: Failures of both.
        lost: Success of the first, failure of the second (b).
        gained: Failure of the first, success of the second (c).
        p_value: Two-sided exact p-value against "lost and gained are equally likely".
        p_worse: One-sided exact p-value against "the second is no worse".
    """

    both: int
    neither: int
    lost: int
    gained: int
    p_value: Fraction
    p_worse: Fraction


def paired(first: Sequence[bool], second: Sequence[bool]) -> Paired:
    """Compare the result bits of two versions, unit by unit in one order.

    Raises:
        PeerError: WRONG_RESULT_BITS, where they do not cover the same number of units.
    """
    if len(first) != len(second):
        raise PeerError(
            Reason.WRONG_RESULT_BITS, f"expected as many results of both, got {len(first)} and {len(second)}"
        )
    pairs = list(zip(first, second, strict=True))
    lost, gained = pairs.count((True, False)), pairs.count((False, True))
    return Paired(
        pairs.count((True, True)),
        pairs.count((False, False)),
        lost,
        gained,
        mcnemar(lost, gained),
        binomial_tail(lost + gained, lost),
    )


def mcnemar(lost: int, gained: int) -> Fraction:
    """The two-sided exact p-value: twice the smaller binomial tail, at most 1 (McNemar 1947)."""
    return min(2 * binomial_tail(lost + gained, max(lost, gained)), Fraction(1))


def binomial_tail(n: int, least: int) -> Fraction:
    """P(at least `least` heads in `n` tosses of a fair coin), exactly."""
    return Fraction(sum(comb(n, k) for k in range(least, n + 1)), 1 << n)
