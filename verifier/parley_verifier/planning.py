"""Room: planning. What a frame test will cost, by exact dynamic programming; `parley terms lint` calls it.

Boundaries come from the exact test; only the probabilities over them are floats, and nothing here
decides anything. Under a true count K the next unit is a success with probability (K - s) / (F - n), so
one forward pass over (n, s) gives the law of the stopping time. Probabilities are multiplied and added
as they are, never as clamped logarithms.
"""

import copy
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from parley_attestation.frametest import FramePlan, OneSided

from parley_verifier.fixedn import clopper_pearson_plan, hypergeometric_plan, wilson_plan

_POWER = 0.95  # of the single-look plans that a sequential one is compared with
_NEGLIGIBLE = 1e-20  # tail mass dropped at either end of one step; 2e-16 in all over 10,000 units


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Where a plan stops, after n = 0..budget units.

    Attributes:
        compliant: Least number of successes that crosses, per n; n + 1 where none does.
        violation: Greatest number of successes that crosses the other way, per n; -1 where none does.
    """

    compliant: tuple[int, ...]
    violation: tuple[int, ...]


def boundaries(plan: FramePlan) -> Boundaries:
    """The exact stopping boundaries of `plan`."""
    return _boundaries(plan)


@lru_cache(maxsize=16)
def _boundaries(plan: FramePlan) -> Boundaries:
    up = _walk(OneSided(plan.frame, plan.threshold - 1, plan.declared), plan.alpha_compliant, plan.budget)
    down = _walk(OneSided(plan.frame, plan.frame - plan.threshold, None), plan.alpha_violation, plan.budget)
    return Boundaries(tuple(up), tuple(n - least for n, least in enumerate(down)))


def _walk(test: OneSided, alpha: Fraction, budget: int) -> list[int]:
    """The least crossing count after each n; it grows by 0 or 1 per unit, so one walk finds all."""
    least = [1]
    crossed = False
    for n in range(1, budget + 1):
        if not crossed:
            test.push(success=True)
            crossed = test.crosses(alpha)
            least.append(n if crossed else n + 1)
            continue
        after_failure = copy.copy(test)
        after_failure.push(success=False)
        if after_failure.crosses(alpha):
            test = after_failure
        else:
            test.push(success=True)
        least.append(test.successes)
    return least


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a plan does when the frame truly holds a given count of successes.

    Attributes:
        compliant: Probability of COMPLIANT.
        violation: Probability of VIOLATION.
        inconclusive: Probability of INCONCLUSIVE.
        stops: Probability of stopping after n units, per n.
    """

    compliant: float
    violation: float
    inconclusive: float
    stops: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Expected units opened."""
        return sum(n * p for n, p in enumerate(self.stops))

    def quantile(self, level: float) -> int:
        """Least n by which the test has stopped with probability `level`."""
        total = 0.0
        for n, p in enumerate(self.stops):
            total += p
            if total >= level - 1e-12:
                return n
        return len(self.stops) - 1


def forecast(plan: FramePlan, true_count: int) -> Forecast:
    """The law of verdict and openings where `true_count` of the frame's units are successes."""
    bounds = boundaries(plan)
    law = {0: 1.0}
    compliant = violation = inconclusive = 0.0
    stops = [0.0]
    for n in range(1, plan.budget + 1):
        high, low = bounds.compliant[n], bounds.violation[n]
        law = _next(law, plan.frame - n + 1, true_count)
        stopped = 0.0
        for s in [s for s in law if s >= high or s <= low]:
            p = law.pop(s)
            stopped += p
            if s >= high and s <= low:
                inconclusive += p
            elif s >= high:
                compliant += p
            else:
                violation += p
        stops.append(stopped)
        if not law:
            break
    left = sum(law.values())
    stops[-1] += left
    return Forecast(compliant, violation, inconclusive + left, tuple(stops))


def _next(law: dict[int, float], left: int, count: int) -> dict[int, float]:
    """One unit more: `left` units are still closed, `count` successes stand in the whole frame."""
    after: dict[int, float] = {}
    carried = 0.0
    first, last = next(iter(law)), 0
    for s, p in law.items():
        up = p * (count - s) / left
        after[s] = p - up + carried
        carried = up
        last = s
    after[last + 1] = carried
    for end in (first, last + 1):
        if after[end] < _NEGLIGIBLE:
            del after[end]
    return after


@dataclass(frozen=True, slots=True)
class PlanCost:
    """What `parley terms lint` prints about one plan before anybody signs it.

    Attributes:
        mean: Expected units opened where the true count is as declared.
        percentile95: Units within which 95 % of such runs stop.
        compliant: Probability of COMPLIANT where the true count is as declared.
        inconclusive: Probability of INCONCLUSIVE where the true count is as declared.
        false_compliant: Probability of COMPLIANT one unit below the threshold: the worst case.
        false_violation: Probability of VIOLATION exactly at the threshold: the worst case.
        hypergeometric: Units of a single look with the exact test at 95 % power.
        clopper_pearson: Units of a single look with the Clopper-Pearson bound at 95 % power.
        wilson: Units of a single look with the Wilson bound at 95 % power.
    """

    mean: float
    percentile95: int
    compliant: float
    inconclusive: float
    false_compliant: float
    false_violation: float
    hypergeometric: int
    clopper_pearson: int
    wilson: int


def plan_cost(plan: FramePlan, true_count: int) -> PlanCost:
    """Everything about the cost of `plan` where `true_count` of the frame's units are successes."""
    expected = forecast(plan, true_count)
    alpha, rate = float(plan.alpha_compliant), plan.threshold / plan.frame
    return PlanCost(
        mean=expected.mean,
        percentile95=expected.quantile(0.95),
        compliant=expected.compliant,
        inconclusive=expected.inconclusive,
        false_compliant=forecast(plan, plan.threshold - 1).compliant,
        false_violation=forecast(plan, plan.threshold).violation,
        hypergeometric=hypergeometric_plan(plan.frame, plan.threshold, true_count, alpha, _POWER).n,
        clopper_pearson=clopper_pearson_plan(plan.frame, rate, true_count, alpha, _POWER).n,
        wilson=wilson_plan(plan.frame, rate, true_count, alpha, _POWER).n,
    )
