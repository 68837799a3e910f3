"""Evaluates a formula of the draft as it stands there, with hashlib, hmac and fractions and no code of Parley.

Names are those that the caller gives, the longest first, so that `exercise id` is one name and `p F` a product
of two. `||` joins byte strings, a hexadecimal literal is a byte, a string its ASCII bytes. `x_1, ..., x_n` stands
for as many terms as the caller's `n` says, whatever stands on both sides of the dots.
"""

import hashlib
import hmac
import math
import re
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

from reading import also

_COMPARE = {
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}
_OPERATORS = ("||", "<=", ">=", "..", *"()[],+-/^<>=")
_OPENS_TERM = ("(", "[", "number", "bytes", "name", "sum")


def u64(value: int) -> bytes:
    """`u64(n)` is n in 8 bytes, big-endian."""
    return value.to_bytes(8, "big")


def choose(n: int, k: int) -> int:
    """The binomial coefficient, 0 outside its range."""
    return math.comb(n, k) if 0 <= k <= n else 0


def sha256(data: bytes) -> bytes:
    """H."""
    return hashlib.sha256(data).digest()


NUMBERS: dict[str, Any] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "min": lambda *of: min(of),
    "max": lambda *of: max(of),
    "C": choose,
}
BYTES: dict[str, Any] = {
    "H": sha256,
    "SHA-384": lambda data: hashlib.sha384(data).digest(),
    "SHA-512": lambda data: hashlib.sha512(data).digest(),
    "u64": u64,
    "len": len,
    "LF": b"\n",
}


def _close(text: str, at: int) -> int:
    """Where the brackets that are open at a place close, or the end."""
    depth = 0
    for place in range(at, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth < 0:
            return place
    return len(text)


@cache
def expand(text: str, count: int) -> str:
    """Write out what three dots stand for; what follows them, with 1 for n, must stand before them."""
    found = re.search(r"(, | \|\| )\.\.\.(?:,| \|\|) ", text)
    if found is None:
        return text
    end = _close(text, found.end())
    pattern, before = text[found.end() : end], text[: found.start()]
    indexed = set(re.findall(r"\b[A-Za-z]+_?(?=n\b)", pattern))
    names = "|".join(name for name in indexed if re.search(rf"\b{name}[01]\b", before))

    def number(n: int) -> str:
        return re.sub(rf"\b({names})n\b", rf"\g<1>{n}", pattern)

    first = 0 if before.endswith(number(0)) else 1
    assert before.endswith(number(first)), f"what stands before the dots is not the first of {pattern}"
    head = before.removesuffix(number(first))
    terms = found[1].join(number(n) for n in range(first, count + 1))
    return (head + terms if terms else head.removesuffix(found[1])) + text[end:]


class _Parser:
    """One pass over one formula; the names decide what is a word."""

    def __init__(self, text: str, names: dict[str, Any]) -> None:
        self.names = dict(names)
        words = "|".join(re.escape(n) for n in sorted(names, key=len, reverse=True)) or "(?!)"
        self.tokens = re.compile(
            rf"\s*(?:(?P<sum>sum over\b)|(?P<of>of\b)|(?P<bytes>0x[0-9a-f]{{2}}|\"[^\"]*\")|(?P<number>\d+)"
            rf"|(?P<name>(?<![\w])(?:{words})(?![\w*]))|(?P<op>{'|'.join(map(re.escape, _OPERATORS))}))"
        )
        self.text, self.at = text.strip(), 0
        self.kind = self.value = ""
        self.step()

    def step(self) -> None:
        if self.at == len(self.text):
            self.kind, self.value = "end", ""
            return
        found = self.tokens.match(self.text, self.at)
        assert found, f"expected a name of {sorted(self.names)} at {self.text[self.at :]!r} in {self.text!r}"
        self.kind = str(found.lastgroup)
        self.value = found[self.kind]
        self.kind = self.value if self.kind == "op" else self.kind
        self.start, self.at = found.start(), found.end()

    def take(self, kind: str) -> str:
        assert self.kind == kind, f"expected {kind} before {self.text[self.at :]!r} in {self.text!r}"
        value = self.value
        self.step()
        return value

    def compared(self) -> Any:
        value, holds = self.joined(), []
        while self.kind in _COMPARE:
            test = _COMPARE[self.take(self.kind)]
            after = self.joined()
            holds.append(test(value, after))
            value = after
        return all(holds) if holds else value

    def joined(self) -> Any:
        value = self.added()
        while self.kind == "||":
            self.step()
            value = bytes(value) + bytes(self.added())
        return value

    def added(self) -> Any:
        value = self.product()
        while self.kind in ("+", "-"):
            sign = self.take(self.kind)
            after = self.product()
            value = value + after if sign == "+" else value - after
        return value

    def product(self) -> Any:
        value = self.power()
        while self.kind == "/" or self.kind in _OPENS_TERM:
            if self.kind == "/":
                self.step()
                value = Fraction(value) / Fraction(self.power())
            else:
                value = value * self.power()
        return value

    def power(self) -> Any:
        value = self.atom()
        if self.kind == "^":
            self.step()
            value = value ** self.atom()
        return value

    def atom(self) -> Any:
        kind = self.kind
        if kind in ("(", "["):
            self.step()
            value = self.compared()
            self.take({"(": ")", "[": "]"}[kind])
            return value
        if kind == "number":
            return int(self.take(kind))
        if kind == "bytes":
            word = self.take(kind)
            return word[1:-1].encode() if word[0] == '"' else bytes.fromhex(word[2:])
        if kind == "sum":
            return self.sum()
        value = self.names[self.take("name")]
        return value(*self.arguments()) if callable(value) else value

    def arguments(self) -> list[Any]:
        self.take("(")
        found: list[Any] = []
        while self.kind != ")":
            found.append(self.compared())
            if self.kind != ")":
                self.take(",")
        self.step()
        return found

    def sum(self) -> Any:
        self.step()
        name = self.take("name")
        self.take("=")
        low = self.added()
        self.take("..")
        high = self.added()
        assert self.kind == "of"
        body, total = self.at, 0
        for value in range(low, high + 1):
            self.at = body
            self.names[name] = value
            self.step()
            total += self.product()
        if high < low:
            self.at, self.kind = len(self.text), "end"
        return total


def value_of(text: str, names: dict[str, Any], count: int = 0) -> Any:
    """The value of a formula.

    Args:
        text: As the draft has it, without a left side.
        names: What its names stand for: numbers, bytes, functions.
        count: How many terms three dots stand for.
    """
    parser = _Parser(expand(text, count), names)
    value = parser.compared()
    assert parser.kind == "end", f"nothing was expected at {parser.text[parser.start :]!r}"
    return value


def hashing(**names: Any) -> dict[str, Any]:
    """The functions of the text over bytes, `frame` and `digest` by their own definitions, and more names."""
    framed = also("framing", "u64(len(label))").text
    hashed = also("framing", "H(frame(").text.replace("p...", "p1, ..., pn")
    keyed = also("framing", "frame(label, p...)").text.replace("p...", "p1, ..., pn")

    def over(text: str, more: dict[str, Any]) -> Callable[..., Any]:
        def call(label: bytes, *parts: bytes) -> Any:
            given = {f"p{n}": part for n, part in enumerate(parts, 1)}
            return value_of(text, {**BYTES, **more, **given, "label": label}, len(parts))

        return call

    frame = over(framed, {})
    message = over(keyed, {"frame": frame})
    found = {**BYTES, "frame": frame, "digest": over(hashed, {"frame": frame})}
    found["mac"] = lambda key, label, *parts: hmac.digest(key, message(label, *parts), "sha256")
    return {**found, **names}
