"""The evaluator of formulas reads what it should and nothing else."""

from fractions import Fraction

import pytest
from evaluate import BYTES, NUMBERS, expand, value_of


@pytest.mark.parametrize(
    ("text", "names", "value"),
    [
        ("p F / q", {"p": 3, "F": 5, "q": 10}, Fraction(3, 2)),
        ("F - floor(p F / q)", {"p": 3, "F": 5, "q": 10, **NUMBERS}, 4),
        ("2 (F-K0) D", {"F": 9, "K0": 4, "D": 3}, 30),
        ("(m - r) p", {"m": 5, "r": 2, "p": Fraction(1, 6)}, Fraction(1, 2)),
        ("K* + K - 1", {"K*": 7, "K": 2}, 8),
        ("7 2^64", {}, 7 * 2**64),
        ("10 - 2 - 3", {}, 5),
        ("2^3^1", {}, AssertionError),
        ("sum over k = K0+1..F of k k", {"k": 0, "K0": 1, "F": 3}, 13),
        ("a <= b < c", {"a": 1, "b": 1, "c": 1}, False),
        ('0x00 || "ab" || u64(len(x))', {"x": b"12", **BYTES}, b"\0ab" + bytes(7) + b"\2"),
        ("exercise id || id", {"exercise id": b"a", "id": b"b"}, b"ab"),
        ("max(1, E_1, ..., E_n)", {"E_1": 4, "E_2": 9, **NUMBERS}, 9),
        ("F + G", {"F": 1}, AssertionError),
        ("F F)", {"F": 1}, AssertionError),
    ],
)
def test_a_formula_has_its_value(text, names, value):
    if value is AssertionError:
        with pytest.raises(AssertionError):
            value_of(text, names, 2)
    else:
        assert value_of(text, names, 2) == value


@pytest.mark.parametrize(
    ("text", "count", "written"),
    [
        ("f(a, b_1, ..., b_n)", 3, "f(a, b_1, b_2, b_3)"),
        ("max(W_0, ..., W_n)", 2, "max(W_0, W_1, W_2)"),
        ("l || len(p1) || p1 || ... || len(pn) || pn", 2, "l || len(p1) || p1 || len(p2) || p2"),
        ("l || u(p1) || p1 || ... || u(pn) || pn", 0, "l"),
    ],
)
def test_dots_stand_for_as_many_terms_as_there_are(text, count, written):
    assert expand(text, count) == written


def test_dots_that_do_not_repeat_what_stands_before_them_are_refused():
    with pytest.raises(AssertionError):
        expand("f(a_1, ..., b_n)", 2)
