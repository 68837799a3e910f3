"""Room: planning. Inspection sampling: detection, deterrence, leakage; research forms of nuclear safeguards.

Sources: IAEA sampling form and Jaech / Cannon-Roe form (INMM 44(3)); inspection games (Avenhaus, von
Stengel, Zamir); adaptive union bound after Blum and Hardt 2015.
"""

import math
from fractions import Fraction

VERDICT_BITS = math.log2(3)  # what one of three verdicts can tell


def non_detection(size: int, bad: int, opened: int) -> Fraction:
    """Probability that `opened` of `size` units miss all `bad` ones, exactly."""
    return Fraction(math.comb(size - bad, opened), math.comb(size, opened))


def hypergeometric_cdf(size: int, bad: int, opened: int, most: int) -> Fraction:
    """P(at most `most` bad ones among `opened` of `size`), exactly."""
    ways = sum(math.comb(bad, d) * math.comb(size - bad, opened - d) for d in range(min(most, opened) + 1))
    return Fraction(ways, math.comb(size, opened))


def smallest_sample(size: int, bad: int, beta: Fraction) -> int:
    """Least sample that misses all `bad` units with probability at most `beta`; integer products only."""
    missed, all_ways = 1, 1
    for n in range(size + 1):
        if missed * beta.denominator <= all_ways * beta.numerator:
            return n
        missed *= max(size - bad - n, 0)
        all_ways *= size - n
    return size


def iaea_sample(size: int, bad: int, beta: float) -> int:
    """The IAEA form N (1 - beta^(1/D)), rounded up; at most 3 above the exact size."""
    return math.ceil(size * (1 - math.pow(beta, 1 / bad)))


def jaech_sample(size: int, bad: int, beta: float) -> int:
    """The Jaech / Cannon-Roe form (1 - beta^(1/D)) (N - (D-1)/2), rounded up; at most 1 above the exact."""
    return math.ceil((1 - math.pow(beta, 1 / bad)) * (size - (bad - 1) / 2))


def imperfect_non_detection(size: int, bad: int, opened: int, found: Fraction) -> Fraction:
    """Non-detection where a check finds an opened bad unit only with probability `found`, exactly."""
    ways = sum(
        math.comb(bad, d) * math.comb(size - bad, opened - d) * (1 - found) ** d
        for d in range(min(bad, opened) + 1)
    )
    return Fraction(ways) / math.comb(size, opened)


def deterring_risk(
    gain: Fraction,
    penalty: Fraction,
    false_alarm_cost: Fraction = Fraction(0),
    false_alarm: Fraction = Fraction(0),
) -> Fraction:
    """The greatest non-detection probability at which honesty still pays: (b - e a) / (b + d).

    Args:
        gain: What cheating undetected earns, d.
        penalty: What being caught costs, b; the same unit.
        false_alarm_cost: What a false accusation costs an honest party, e.
        false_alarm: Probability of a false accusation, a.
    """
    return max((penalty - false_alarm_cost * false_alarm) / (penalty + gain), Fraction(0))


def deterred_ratio(risk: Fraction) -> Fraction:
    """The greatest gain per penalty that a non-detection probability of `risk` still deters."""
    return (1 - risk) / risk


def leakage(size: int, verdicts: int, *, delta: float = 0.05, stopping_units: int = 1) -> float:
    """How far the score on a reused set may drift from the population's, at confidence 1 - delta.

    Args:
        size: Units in the set.
        verdicts: Verdicts issued on it.
        delta: Risk of the statement.
        stopping_units: Stopping times that could have been seen, 1 where only the verdict came out.
    """
    bits = verdicts * (VERDICT_BITS + math.log2(stopping_units))
    return math.sqrt((bits * math.log(2) + math.log(2 / delta)) / (2 * size))
