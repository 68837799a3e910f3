"""Room: the suite. Exercises over items that are not single prompts, and over scores; some of them badly registered.

Any engine can sit the sound ones, whatever it answers. The others are what a verifier without scruples registers.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.claims import GradedClaim, MetricClaim
from parley_attestation.frametest import OneSided
from parley_attestation.grading import Grader, Outcome, OutcomeMap, read_grader
from parley_attestation.pairs import PairEvents, mark
from parley_attestation.registration import SCRIPT, SINGLE
from parley_attestation.terms import Caps, Plan, Terms

from parley_conformance.hidden import Item

ITEMS = 24
PAIRS = 24
TIE = 6  # failures after which "tie" is decided; "below-tie" needs one more
MEMBERS = ("one", "two")
LAST = read_grader(Fields({"kind": "exact", "trim": True, "ignore_case": False, "answers": "last"}))
EXACT = read_grader(Fields({"kind": "exact", "trim": True, "ignore_case": False}))
POINTS = read_grader(Fields({"kind": "checklist", "points": 10, "ignore_case": False, "whole_words": False}))
_PASS = OutcomeMap(frozenset({Outcome.PASS}))
_SLOTS = 2
_DENOMINATORS = 10**18 - 1  # the greatest that a ratio of terms may have


@dataclass(frozen=True, slots=True)
class Shape:
    """A set and what its exercises have otherwise than plain ones.

    Attributes:
        items: Prompts with references, as they are committed to.
        grader: The one that the set is registered for.
        change: The plain terms, changed.
        kind: What every item is.
        members: Names of the members of a pair.
        told: What the verifier grades by, where it is not what it committed to.
    """

    items: Sequence[Item]
    grader: Grader
    change: Callable[[Terms], Terms]
    kind: str = SINGLE
    members: tuple[str, ...] = ()
    told: Sequence[Item] = ()


def _sum(n: int) -> bytes:
    return f"{n}+{n * 7 % 13}".encode()


def _scripts() -> list[Item]:
    turns = [[{"role": "user", "content": _sum(n).decode()}, {"role": "assistant"}] for n in range(ITEMS)]
    return [(canonical.dump(one * _SLOTS), b"5") for one in turns]


def _singles() -> list[Item]:
    return [(_sum(n), b"5") for n in range(ITEMS)]


def _pairs(first: bytes, second: bytes) -> list[Item]:
    one, two = (
        [(b"%d+%d" % (n, k), marked) for n in range(PAIRS)] for k, marked in ((1, first), (2, second))
    )
    return [item for pair in zip(one, two, strict=True) for item in pair]


def _scored() -> list[Item]:
    reference = canonical.dump([f"point {n} that no answer holds" for n in range(10)])
    return [(_sum(n), reference) for n in range(ITEMS)]


def _by_last_answer(terms: Terms) -> Terms:
    return replace(terms, claims=(replace(terms.metric_claims[0], grader=LAST),))


def _narrow(terms: Terms) -> Terms:
    """Outputs may not even hold an empty answer to every slot."""
    return replace(_by_last_answer(terms), caps=Caps(1 << 10, 1 << 10, 3 * _SLOTS, 1 << 15))


def by_pairs(terms: Terms) -> Terms:
    """A claim over pairs, and a batch that holds one and a half of them."""
    claim: MetricClaim = replace(
        terms.metric_claims[0], events=PairEvents(tuple((name, _PASS) for name in MEMBERS))
    )
    return replace(terms, claims=(claim,), plan=Plan(1, 4, (("", PAIRS),)))


def _by_points(terms: Terms) -> Terms:
    claim = GradedClaim(
        "points", "", POINTS, False, Fraction(1, 2), Fraction(1, 20), Fraction(1, 20), "declared"
    )
    return replace(terms, claims=(claim,))


def _unanswerable() -> list[Item]:
    """Sums, and references that no output is."""
    return [(_sum(n), hashlib.sha256(b"%d" % n).hexdigest().encode()) for n in range(ITEMS)]


def _tie() -> Fraction:
    """The risk that `TIE` failures in a row meet exactly, of a claim of one half over the plain set."""
    test = OneSided(ITEMS, ITEMS // 2, None)
    for _ in range(TIE):
        test.push(True)
    return test.p_value()


def _below(value: Fraction) -> Fraction:
    """The greatest ratio below `value` that terms can hold: nearer than a binary64 number can tell."""
    least = pow(value.numerator, -1, value.denominator)
    denominator = least + (_DENOMINATORS - least) // value.denominator * value.denominator
    return Fraction((value.numerator * denominator - 1) // value.denominator, denominator)


def _at_risk(risk: Fraction) -> Callable[[Terms], Terms]:
    return lambda terms: replace(terms, claims=(replace(terms.metric_claims[0], alpha_violation=risk),))


_SOUND = _pairs(mark(0, b"5"), mark(1, b"5"))
SHAPES: dict[str, Shape] = {
    "scripts": Shape(_scripts(), LAST, _by_last_answer, SCRIPT),
    "no-scripts": Shape(_singles(), LAST, _by_last_answer, SCRIPT),
    "narrow-scripts": Shape(_scripts(), LAST, _narrow, SCRIPT),
    "scripts-graded-whole": Shape(_scripts(), EXACT, lambda terms: terms, SCRIPT),
    "pairs": Shape(_SOUND, EXACT, by_pairs, members=MEMBERS),
    "pairs-of-nobody": Shape(
        _pairs(mark(0, b"5"), mark(2, b"5")), EXACT, by_pairs, members=MEMBERS, told=_SOUND
    ),
    "pairs-of-one": Shape(
        _pairs(mark(0, b"5"), mark(0, b"5")), EXACT, by_pairs, members=MEMBERS, told=_SOUND
    ),
    "tie": Shape(_unanswerable(), EXACT, _at_risk(_tie())),
    "below-tie": Shape(_unanswerable(), EXACT, _at_risk(_below(_tie()))),
    "points": Shape(_scored(), POINTS, _by_points),
}
