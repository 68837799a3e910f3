"""Room: grading. Exact decimal numbers in prose and in grader documents.

A number is an optional sign, then digits, "." and digits, or "." and digits, then an optional exponent:
`-3`, `+0.50`, `.5`, `6.02e23`. With `thousands`, the digits before the point may be grouped by commas in
threes. It has at most 100 digits and an exponent within +-400, so that exact comparison stays cheap.
"""

import re
from collections import deque
from fractions import Fraction
from itertools import islice

MAX_DIGITS = 100
MAX_EXPONENT = 400
_ALONE = rb"(?<![A-Za-z0-9_.\x80-\xff])"
_NUMBER = _ALONE + rb"([+-]?)(%s|(?=\.[0-9]))(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?"
_PLAIN = re.compile(_NUMBER % rb"[0-9]+")
_GROUPED = re.compile(_NUMBER % rb"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+")


def parse(text: bytes, *, thousands: bool = False) -> Fraction | None:
    """The number that `text` is as a whole; None where it is not one or is out of bounds."""
    found = (_GROUPED if thousands else _PLAIN).fullmatch(text)
    return _value(found) if found else None


def find(text: bytes, *, last: bool, thousands: bool = False) -> Fraction | None:
    """The first or last number that stands in `text`.

    The text is searched from left to right: at each position the longest number there is taken and the
    search goes on behind it; a position after an ASCII letter or digit, "_", "." or a byte from 0x80 on
    starts none. So `H2O` holds no number and `3-5` holds 3 and 5. None where there is none, or where the
    one asked for is out of bounds.
    """
    standing = (_GROUPED if thousands else _PLAIN).finditer(text)
    chosen = deque(standing if last else islice(standing, 1), maxlen=1)
    return _value(chosen[0]) if chosen else None


def _value(found: re.Match[bytes]) -> Fraction | None:
    sign, whole, part, exponent_sign, exponent = (found[n] or b"" for n in range(1, 6))
    digits = whole.replace(b",", b"") + part
    if not digits or len(digits) > MAX_DIGITS or len(exponent) > len(str(MAX_EXPONENT)):
        return None
    power = int(exponent or b"0")
    if power > MAX_EXPONENT:
        return None
    power = (-power if exponent_sign == b"-" else power) - len(part)
    value = int(digits) * Fraction(10) ** power
    return -value if sign == b"-" else value
