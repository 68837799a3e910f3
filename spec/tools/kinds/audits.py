"""Vectors of audits of a sealed receipt: its results against confirmed ones, and results it never committed to."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

from cheats import PROPOSED, READY, STOPPED, P, Standoff, V, body, terms
from kit import right
from parley_attestation.terms import Plan
from parley_prover import answering
from test_session_audited import SIZE, Audited, wrong_at

from kinds.basics import Test
from kinds.records import folder, judged, record_of
from kinds.staged import Cheat, cheats


def _audit(where: Path, answer: Callable[..., bytes] = right, *, budget: int = SIZE, **how: Any) -> Audited:
    return Audited(where, how.pop("codes", [1] * SIZE), answer, plan=Plan(1, 8, (("", budget),)), **how)


def _results(change: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> Callable[[Standoff], Any]:
    """The draft of Open with other results of the receipt."""

    def say(s: Standoff) -> Any:
        assert s.draft is not None
        return replace(s.draft.body, results=change(s.draft.body.results))  # type: ignore[type-var, union-attr]

    return say


def _receipt(**changes: Any) -> Callable[[Standoff], Any]:
    """The proposal with something else said of the audited receipt."""
    return lambda s: terms(s, audited=replace(s.exercise.terms.audited, **changes))


CHEATS: tuple[Cheat, ...] = (
    ("two counts for one claim", "AUD-1", V, READY, 1, _receipt(counts=(60, 60))),
    ("a count below the threshold count", "AUD-4", V, READY, 1, _receipt(counts=(47,))),
    ("a count above the population", "AUD-4", V, READY, 1, _receipt(counts=(61,))),
    ("a count declared beside the receipt's", "AUD-4", P, PROPOSED, 1, body(declared_counts=(55,))),
    (
        "a result that the receipt did not commit to",
        "AUD-3",
        V,
        STOPPED,
        1,
        _results(lambda found: (replace(found[0], codes=b"\0"), *found[1:])),
    ),
    (
        "the key of another result",
        "AUD-3",
        V,
        STOPPED,
        1,
        _results(lambda found: (replace(found[0], key=found[1].key), *found[1:])),
    ),
    (
        "two results exchanged",
        "AUD-3",
        V,
        STOPPED,
        1,
        _results(lambda found: (found[1], found[0], *found[2:])),
    ),
    (
        "a code that is none",
        "AUD-3",
        V,
        STOPPED,
        1,
        _results(lambda found: (replace(found[0], codes=b"\5"), *found[1:])),
    ),
    ("a result less than references", "AUD-3", V, STOPPED, 1, _results(lambda found: found[:-1])),
    ("no results", "AUD-3", V, STOPPED, 1, _results(lambda _: ())),
)


def audits() -> Iterator[Test]:
    """Audits whose receipt says the truth, a little else, or something false."""
    understated = [int(n % 10 != 3) for n in range(SIZE)]
    with mock.patch.object(answering, "check_audited"):  # no sealed session stands behind these
        for comment, requirement, make in (
            ("an audit that confirms the receipt: INTACT", "AUD-5", _audit),
            (
                "six false results of sixty: BREACHED",
                "AUD-5",
                lambda where: _audit(where, wrong_at(range(0, 60, 10))),
            ),
            (
                "two false results, a tenth tolerated: WITHIN-TOLERANCE",
                "AUD-5",
                lambda where: _audit(where, wrong_at(range(0, 60, 30)), tolerance=Fraction(1, 10)),
            ),
            (
                "understated results, a fifth tolerated",
                "AUD-5",
                lambda where: _audit(where, codes=understated, tolerance=Fraction(1, 5)),
            ),
            (
                "a model that fails what was claimed of it",
                "AUD-5",
                lambda where: _audit(where, lambda *_: b"?"),
            ),
        ):
            with folder() as where:
                exercise = make(where)
                v, _ = exercise.run()
                yield judged(comment, requirement, exercise, record_of(exercise, v))
        yield from cheats(_audit, CHEATS)
