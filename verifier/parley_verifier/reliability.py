"""Room: planning. Agreement of human or model graders; for reports, never for verdicts.

Sources: Cohen 1960, Fleiss 1971, Krippendorff 2011, Shrout and Fleiss 1979, Gwet 2008.
"""

import itertools
import math
from collections.abc import Callable, Sequence

Ratings = Sequence[Sequence[int | None]]


def krippendorff(ratings: Ratings, level: str) -> float:
    """Krippendorff's alpha.

    Args:
        ratings: One row per rater, one column per unit; None where a rater did not rate.
        level: Of measurement: nominal, ordinal, interval or ratio.
    """
    units = [[v for v in column if v is not None] for column in zip(*ratings, strict=True)]
    units = [unit for unit in units if len(unit) > 1]
    values = sorted({v for unit in units for v in unit})
    totals = {v: float(sum(unit.count(v) for unit in units)) for v in values}
    distance = _distance(level, totals)
    n = sum(totals.values())
    observed = sum(
        distance(a, b) / (len(unit) - 1) for unit in units for a, b in itertools.permutations(unit, 2)
    )
    expected = sum(totals[a] * totals[b] * distance(a, b) for a in values for b in values)
    return 1 - (n - 1) * observed / expected if expected else 1.0


def _distance(level: str, totals: dict[int, float]) -> Callable[[int, int], float]:
    def ordinal(a: int, b: int) -> float:
        low, high = min(a, b), max(a, b)
        between = sum(count for value, count in totals.items() if low <= value <= high)
        return math.pow(between - (totals[a] + totals[b]) / 2, 2)

    def ratio(a: int, b: int) -> float:
        return math.pow((a - b) / (a + b), 2) if a + b else 0.0

    forms: dict[str, Callable[[int, int], float]] = {
        "nominal": lambda a, b: float(a != b),
        "ordinal": ordinal,
        "interval": lambda a, b: math.pow(a - b, 2),
        "ratio": ratio,
    }
    return forms[level]


def fleiss(table: Sequence[Sequence[int]]) -> float:
    """Fleiss' kappa; one row per unit, one column per category, counts of raters."""
    raters: float = sum(table[0])
    observed = sum(sum(c * (c - 1) for c in row) for row in table) / (len(table) * raters * (raters - 1))
    shares = [sum(column) / (len(table) * raters) for column in zip(*table, strict=True)]
    expected = sum(share * share for share in shares)
    return float((observed - expected) / (1 - expected))


def cohen(table: Sequence[Sequence[int]]) -> float:
    """Cohen's kappa of two raters; a square table of counts."""
    observed, rows, columns = _shares(table)
    expected = sum(r * c for r, c in zip(rows, columns, strict=True))
    return (observed - expected) / (1 - expected)


def gwet_ac1(table: Sequence[Sequence[int]]) -> float:
    """Gwet's AC1 of two raters, which stays meaningful where one class is rare."""
    observed, rows, columns = _shares(table)
    shares = [(r + c) / 2 for r, c in zip(rows, columns, strict=True)]
    expected = sum(share * (1 - share) for share in shares) / (len(table) - 1)
    return (observed - expected) / (1 - expected)


def _shares(table: Sequence[Sequence[int]]) -> tuple[float, list[float], list[float]]:
    total = sum(map(sum, table))
    rows = [sum(row) / total for row in table]
    columns = [sum(column) / total for column in zip(*table, strict=True)]
    return sum(table[i][i] for i in range(len(table))) / total, rows, columns


def intraclass(scores: Sequence[Sequence[float]]) -> dict[str, float]:
    """The six intraclass correlations of Shrout and Fleiss; one row per unit, one column per rater."""
    n, k = len(scores), len(scores[0])
    grand = sum(map(sum, scores)) / (n * k)
    units = [sum(row) / k for row in scores]
    raters = [sum(column) / n for column in zip(*scores, strict=True)]
    between = k * sum((m - grand) ** 2 for m in units)
    judges = n * sum((m - grand) ** 2 for m in raters)
    within = sum((x - units[i]) ** 2 for i, row in enumerate(scores) for x in row)
    bms, wms = between / (n - 1), within / (n * (k - 1))
    jms, ems = judges / (k - 1), (within - judges) / ((n - 1) * (k - 1))
    return {
        "ICC11": (bms - wms) / (bms + (k - 1) * wms),
        "ICC21": (bms - ems) / (bms + (k - 1) * ems + k * (jms - ems) / n),
        "ICC31": (bms - ems) / (bms + (k - 1) * ems),
        "ICC1k": (bms - wms) / bms,
        "ICC2k": (bms - ems) / (bms + (jms - ems) / n),
        "ICC3k": (bms - ems) / bms,
    }
