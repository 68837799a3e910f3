"""Vectors of graded claims: the integer test by itself, and whole exercises that it decides."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from cheats import CONFIRMED, PROPOSED, P, body, wrong_bits
from kit import Exercise
from parley_attestation.canonical import Fields
from parley_attestation.claims import GradedClaim
from parley_attestation.graded import GradedPlan, GradedProcess, GradedTest
from parley_attestation.grading import read_grader
from parley_attestation.terms import Plan

from kinds.basics import Test
from kinds.records import folder, judged, record_of
from kinds.staged import cheats

POINTS = read_grader(Fields({"kind": "checklist", "points": 10, "ignore_case": False, "whole_words": True}))
_RISKS = (Fraction(1, 20), Fraction(1, 100))
# size, top, threshold total, budget, scores (None: not answered)
_PATHS: tuple[tuple[int, int, int, int, list[int | None]], ...] = (
    (60, 10, 300, 60, [10] * 60),
    (60, 10, 480, 60, [9, 10, 8, 10] * 15),
    (60, 10, 300, 60, [0] * 60),
    (60, 10, 300, 20, [5] * 20),
    (40, 2, 40, 40, [2, 1, None, 2] * 10),
    (10, 3, 30, 10, [3] * 10),
    (10, 3, 1, 10, [0] * 10),
    (10, 254, 5, 10, [254]),
    (1000, 10, 7001, 300, [7, 10, 9, 8, 10] * 60),
)


def graded_test() -> Iterator[Test]:
    """Paths of scores, -1 for a unit that was not answered, and where they lead."""
    for size, top, threshold, budget, path in _PATHS:
        test = GradedTest(GradedPlan(size, top, threshold, *_RISKS, budget))
        met, missed = GradedProcess(size, threshold - 1), GradedProcess(size, size * top - threshold)
        taken = []
        for score in path:
            if test.decision is not None or test.n == budget:
                break
            test.observe(score)
            met.push(0 if score is None else score)
            missed.push(0 if score is None else top - score)
            taken.append(-1 if score is None else score)
        found = test.result()
        yield {
            "comment": f"{found.decision} after {found.opened} of {size}, scores up to {top}",
            "requirement": "TEST-5",
            "size": size,
            "top": top,
            "threshold_total": threshold,
            "alpha_compliant": str(_RISKS[0]),
            "alpha_violation": str(_RISKS[1]),
            "budget": budget,
            "path": taken,
            "decision": found.decision.value if found.decision else "",
            "total": found.total,
            "w_compliant": [str(one) for one in met.products],
            "w_violation": [str(one) for one in missed.products],
            "p_compliant": str(found.p_compliant),
            "p_violation": str(found.p_violation),
            "total_low": found.total_low,
            "total_high": found.total_high,
            "result": "valid",
        }


def _items() -> list[tuple[bytes, bytes]]:
    return [(f"colours {n}".encode(), b'["red","green","blue"]') for n in range(60)]


def _says(words: bytes) -> Any:
    return lambda _prompt, _seed=0: words


def _exercise(where: Path, words: bytes = b"red, green and blue", *, at_most: bool = False) -> Exercise:
    claim = GradedClaim("points", "", POINTS, at_most, Fraction(7, 10), *_RISKS, "declared")
    return Exercise(
        where,
        items=_items(),
        answer=_says(words),
        graders=(POINTS,),
        terms_changes={"claims": (claim,), "plan": Plan(1, 8, (("", 60),))},
    )


def graded() -> Iterator[Test]:
    """Whole exercises with a claim over points, and provers that cheat in them."""
    for comment, words, at_most in (
        ("every point is reached", b"red, green and blue", False),
        ("two words of three give 6 points of 10: too few for 7 of 10", b"red and green", False),
        ("an upper bound that degrading would meet", b"nothing", True),
    ):
        with folder() as where:
            exercise = _exercise(where, words, at_most=at_most)
            v, _ = exercise.run()
            yield judged(comment, "TEST-5", exercise, record_of(exercise, v))
    yield from cheats(
        _exercise,
        (
            ("a count declared for a graded claim", "ACC-1", P, PROPOSED, 1, body(declared_counts=(50,))),
            ("other points than the outputs have", "ACK-3", P, CONFIRMED, 1, wrong_bits),
        ),
    )
