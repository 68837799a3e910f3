"""Both tests of one claim over a whole record, against the plain formula evaluated afresh per unit."""

import random
import time
from fractions import Fraction
from math import comb

from parley_attestation.frametest import FramePlan, FrameTest

NEVER = Fraction(1, 10**60)  # a risk at which only certainty decides, so that the whole record is read


def plain(plan, units, every):
    """Evaluate the closed form of the specification at every `every`-th unit, both directions."""
    n = s = 0
    for unit in units:
        n, s = n + 1, s + unit
        if n % every:
            continue
        for null, good in ((plan.threshold - 1, s), (plan.frame - plan.threshold, n - s)):
            total = sum(comb(null + 1, j) * comb(plan.frame - null, n + 1 - j) for j in range(good + 1))
            under = comb(null, good) * comb(plan.frame - null, n - good)
            if total * NEVER.numerator >= under * (plan.frame - null) * NEVER.denominator:
                return


def main():
    print(f"{'units':>8} {'incremental':>12} {'with bounds':>12} {'plain formula':>14}")
    for size in (1000, 10_000):
        plan = FramePlan(size, size * 4 // 5, size * 81 // 100, NEVER, NEVER, size)
        units = [True] * (size * 4 // 5) + [False] * (size - size * 4 // 5)
        random.Random(7).shuffle(units)
        start = time.perf_counter()
        test = FrameTest(plan)
        for unit in units:
            if test.observe(unit):
                break
        incremental = time.perf_counter() - start
        test.result()
        bounds = time.perf_counter() - start
        every = 20 if size == 1000 else 500  # the plain formula is sampled and scaled up
        start = time.perf_counter()
        plain(plan, units, every)
        slow = (time.perf_counter() - start) * every
        print(f"{test.n:>8} {incremental:>11.3f}s {bounds:>11.3f}s {slow:>13.1f}s")


if __name__ == "__main__":
    main()
