"""Room: planning. Fixed-n peers of the frame test: exact hypergeometric, Clopper-Pearson, Wilson.

For comparison in `parley terms lint` and for super-population bounds in reports; never for verdicts,
since each is valid at one n announced beforehand and none may be looked at twice.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist


class _Tail:
    """P(X >= c) for a count X that grows draw by draw, followed while n and c grow by one at a time.

    Args:
        size: Population of draws without replacement; None draws with replacement.
        good: Successes in the population, or their probability.
    """

    def __init__(self, size: int | None, good: float) -> None:
        self._size = size
        self._good = good
        self.n = 0
        self.c = 1
        self.tail = 0.0
        self._below = 1.0  # P(X = c - 1)

    def draw(self) -> None:
        """One draw more."""
        n, x = self.n, self.c - 1
        hit = self._good if self._size is None else max(self._good - x, 0) / (self._size - n)
        self.tail += self._below * hit
        self._below *= (1 - hit) * (n + 1) / (n + 1 - x) if self._size is None else self._shrink(n, x)
        self.n = n + 1

    def _shrink(self, n: int, x: int) -> float:
        assert self._size is not None
        return (self._size - self._good - n + x) / (n + 1 - x) * (n + 1) / (self._size - n)

    def raise_c(self) -> None:
        """Ask for one success more."""
        x, n = self.c, self.n
        if self._size is None:
            odds = self._good / (1 - self._good) if self._good < 1 else 0.0
            here = self._below * odds * (n - x + 1) / x
        else:
            missing = self._size - self._good - n + x
            here = self._below * (self._good - x + 1) / x * (n - x + 1) / missing if missing > 0 else 0.0
        self.tail = max(self.tail - here, 0.0)
        self._below = max(here, 0.0)
        self.c = x + 1


@dataclass(frozen=True, slots=True)
class FixedPlan:
    """A single-look plan: draw `n`, say COMPLIANT from `critical` successes on."""

    n: int
    critical: int


def _smallest(size: int, count: int, power: float, criticals: Iterator[int]) -> FixedPlan:
    """The least n at which `criticals` (per n from 1) are met with `power` when `count` are successes."""
    truth = _Tail(size, count)
    critical = 0
    for critical in criticals:
        if truth.n == size:
            break
        truth.draw()
        while truth.c < min(critical, truth.n + 1):  # beyond n + 1 nothing changes
            truth.raise_c()
        if truth.tail >= power:
            return FixedPlan(truth.n, critical)
    return FixedPlan(size, critical)


def _followed(null: _Tail, alpha: float) -> Iterator[int]:
    while True:
        null.draw()
        while null.tail > alpha and null.c <= null.n:
            null.raise_c()
        yield null.c


def hypergeometric_plan(size: int, threshold: int, count: int, alpha: float, power: float) -> FixedPlan:
    """The least n of an exact test of "fewer than `threshold` successes among `size`".

    Args:
        size: Units in the population.
        threshold: Least count that meets the claim.
        count: The true count for which `power` is asked.
        alpha: Risk of a false COMPLIANT.
        power: Probability of COMPLIANT asked for.
    """
    return _smallest(size, count, power, _followed(_Tail(size, threshold - 1), alpha))


def clopper_pearson_plan(size: int, rate: float, count: int, alpha: float, power: float) -> FixedPlan:
    """The least n at which the one-sided Clopper-Pearson bound exceeds `rate`; `size` where none does."""
    return _smallest(size, count, power, _followed(_Tail(None, rate), alpha))


def wilson_plan(size: int, rate: float, count: int, alpha: float, power: float) -> FixedPlan:
    """The least n at which the one-sided Wilson bound exceeds `rate`; `size` where none does."""
    z = NormalDist().inv_cdf(1 - alpha)

    def criticals() -> Iterator[int]:
        n = 0
        while True:
            n += 1
            yield math.ceil(n * rate + z * math.sqrt(n * rate * (1 - rate)))

    return _smallest(size, count, power, criticals())


def wilson(x: int, n: int, confidence: float) -> tuple[float, float]:
    """The two-sided Wilson score interval for x successes in n draws (Wilson 1927)."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (x + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(x * (n - x) / n + z * z / 4)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def clopper_pearson(x: int, n: int, tail: float) -> tuple[float, float]:
    """The exact interval for x successes in n draws (Clopper and Pearson 1934).

    Args:
        x: Successes.
        n: Draws.
        tail: Risk at each end: (1 - confidence) / 2, or the whole risk of a one-sided bound.
    """
    low = 0.0 if x == 0 else _bisect(lambda p: 1 - binomial_cdf(x - 1, n, p) < tail)
    high = 1.0 if x == n else _bisect(lambda p: binomial_cdf(x, n, p) > tail)
    return low, high


def _bisect(below: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2


def binomial_cdf(c: int, n: int, p: float) -> float:
    """P(X <= c) for n draws with success probability p."""
    logs = math.log(p), math.log1p(-p)
    whole = math.lgamma(n + 1)
    return math.fsum(
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * logs[0] + (n - k) * logs[1])
        for k in range(c + 1)
    )
