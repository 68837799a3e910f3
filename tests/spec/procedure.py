"""The statistical procedure as the text states it, from its formulas alone, for small populations.

Nothing here is fast and nothing comes from the implementation: e-values and crossings are evaluated as the draft
writes them, and bounds found by trying every value in the order that its words give.
"""

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

from evaluate import NUMBERS, value_of
from reading import also, section

INFINITY = math.inf
Path = Sequence[bool]


def e_value(frame: int, null: int, declared: int | None, s: int, f: int) -> Any:
    """E of the frame test against "at most `null` successes among `frame` units"."""
    parts = ("T = sum", "D = ", "E = T", "E = (C(", "E = infinity", "E = 0")
    return _e_value(tuple(also("frame-test", part) for part in parts), frame, null, declared, s, f)


@cache
def _e_value(texts: Any, frame: int, null: int, declared: int | None, s: int, f: int) -> Any:
    total, product, plain, mixed, certain, impossible = texts
    names: dict[str, Any] = {**NUMBERS, "F": frame, "K0": null, "s": s, "f": f, "k": 0, "infinity": INFINITY}
    for one in (certain, impossible):
        if value_of(one.condition, names):
            return value_of(one.right, names)
    names |= {"T": value_of(total.right, names), "D": value_of(product.right, names)}
    assert (plain.condition, mixed.condition) == ("without K*", "with K*")
    if declared is None:
        return value_of(plain.right, names)
    return value_of(mixed.right, {**names, "K*": max(declared, null)})


def e_values(frame: int, null: int, declared: int | None, path: Path) -> list[Any]:
    """E after each unit of a path."""
    found, s = [], 0
    for n, success in enumerate(path, 1):
        s += success
        found.append(e_value(frame, null, declared, s, n - s))
    return found


def crosses(e: Any, risk: Fraction, kind: str) -> bool:
    """Whether a test crosses at its risk; `kind` is `compliant` or `violation`."""
    said = also("frame-test", f"E alpha_{kind} ").text
    return e == INFINITY or value_of(said, {"E": e, f"alpha_{kind}": risk})


def p_value(values: Sequence[Any], path: Path) -> Any:
    """The anytime-valid p-value over the E after each success."""
    after = [e for e, success in zip(values, path, strict=True) if success]
    if INFINITY in after:
        return 0
    names = {f"E_{n}": e for n, e in enumerate(after, 1)}
    return value_of(also("frame-test", "1 / max(").text, {**names, **NUMBERS}, len(after))


def count_low(frame: int, declared: int | None, path: Path, risk: Fraction, kind: str) -> int:
    """The least K0 from the successes to F whose test crosses after no success of the path."""
    for null in range(sum(path), frame):
        values = e_values(frame, null, declared, path)
        after = (e for e, success in zip(values, path, strict=True) if success)
        if not any(crosses(e, risk, kind) for e in after):
            return null
    return frame


class Graded:
    """The process against "the total of F scores in 0..x is at most T0"."""

    def __init__(self, frame: int, null: int) -> None:
        bets = re.search(r"c in \{([\d, ]+)\}, each (\d+\^\d+) before", section("graded-test"))
        assert bets
        self.frame, self.null, self.j, self.total = frame, null, 1, 0
        self.kept = {int(c): value_of(bets[2], {}) for c in bets[1].split(", ")}
        self.sums = [sum(self.kept.values())]

    def push(self, score: int) -> None:
        """Take the score of the next unit."""
        names = {**NUMBERS, "F": self.frame, "T0": self.null, "S": self.total, "s": score, "j": self.j}
        rules = [also("graded-test", start) for start in ("w_c = floor(w_c ((", "w_c = floor(w_c (32-c) /")]
        (rule,) = [one for one in rules if value_of(one.condition, names)]
        for c, w in self.kept.items():
            self.kept[c] = value_of(rule.right, {**names, "c": c, "w_c": w})
        self.total, self.j = self.total + score, self.j + 1
        self.sums.append(sum(self.kept.values()))

    def crosses(self, risk: Fraction) -> bool:
        """Whether it crosses after the units so far."""
        said = also("graded-test", "alpha W").text
        return self.total > self.null or value_of(said, {"alpha": risk, "W": self.sums[-1]})

    def p_value(self) -> Any:
        """The anytime-valid p-value."""
        names = {f"W_{n}": one for n, one in enumerate(self.sums)}
        said = also("graded-test", "7 2^64 / max(").text
        return 0 if self.total > self.null else value_of(said, {**names, **NUMBERS}, len(self.sums) - 1)


def total_low(frame: int, top: int, scores: Sequence[int], risk: Fraction) -> int:
    """The least T0 from the sum of the path to F x whose test crosses nowhere on the path."""
    for null in range(sum(scores), frame * top):
        process, crossed = Graded(frame, null), False
        for score in scores:
            process.push(score)
            crossed = crossed or process.crosses(risk)
        if not crossed:
            return null
    return frame * top


def decision(met: bool, missed: bool, done: bool) -> str | None:  # noqa: FBT001 - three plain facts
    """Both: INCONCLUSIVE. One: COMPLIANT or VIOLATION. None, and the budget reached: INCONCLUSIVE."""
    if met and missed:
        return "INCONCLUSIVE"
    if met or missed:
        return "COMPLIANT" if met else "VIOLATION"
    return "INCONCLUSIVE" if done else None
