"""Holds a document's reader to what a table or an object of the text says of its fields.

`members` reads `{a, b: 1..4, c (only with x), d?}`. `Document.follow` tries what the words of a rule allow and
refuse: `1..64 characters`, `32 random bytes`, `0..16 fingerprints`, `boolean`, `"a" or "b"`, `null or ...`, objects
with rules of their own. It says which part of a rule it understood; a test names the rest.
"""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from evaluate import value_of
from parley_attestation.errors import PeerError

_NUMBER = r"\d+(?:\^\d+)?(?: - \d+)?"
_RANGE = rf"({_NUMBER})\.\.({_NUMBER})"
Path = tuple[str | int, ...]


class Member(NamedTuple):
    """A field of an object, what the text says of it, and whether it may be absent."""

    name: str
    rule: str
    optional: bool


def _split(text: str) -> Iterator[str]:
    depth, start, quoted = 0, 0, False
    for place, sign in enumerate(text):
        quoted ^= sign == '"'
        depth += 0 if quoted else (sign in "({[") - (sign in ")}]")
        if sign == "," and not depth and not quoted:
            yield text[start:place].strip()
            start = place + 1
    yield text[start:].strip()


def braces(text: str) -> tuple[str, str]:
    """What stands in the first braces of a rule, and what stands behind them."""
    start, depth = text.index("{"), 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            return text[start + 1 : place], text[place + 1 :]
    raise ValueError(text)


def members(text: str) -> tuple[Member, ...]:
    """The fields of the first `{...}` in a rule."""
    found: list[Member] = []
    for part in _split(braces(text)[0]):
        one = re.match(r'"?(\w+)"?(\?)?(?:: (.*)| \((.*)\)| (>= .*))?$', part)
        if one is None:  # a comma within a rule, as in `"only", "first" or "last"`
            found[-1] = found[-1]._replace(rule=f"{found[-1].rule}, {part}")
            continue
        rule = one[3] or one[4] or one[5] or ""
        found.append(Member(one[1], rule, bool(one[2]) or rule.startswith("only ")))
    return tuple(found)


def names(text: str) -> list[str]:
    """The names of the fields of `{...}`, in their order."""
    return [one.name for one in members(text)]


def limits(text: str) -> list[tuple[int, int]]:
    """Every range `low..high` in a rule."""
    return [(value_of(low, {}), value_of(high, {})) for low, high in re.findall(_RANGE, text)]


class Document:
    """A document that is read, and its reader.

    Args:
        valid: A document that the reader takes.
        read: The reader; it raises `PeerError` for what it refuses.
        mend: Called with a changed document and the path of the change: makes the rest fit it.
        more: How a list at a path grows: the path's names to a function from a number to an entry.
        default: The rule of a value whose field has none, by its type or its name, and what a rule of one word means.
    """

    def __init__(
        self,
        valid: dict[str, Any],
        read: Callable[[dict[str, Any]], object],
        mend: Callable[[dict[str, Any], Path], None] = lambda _document, _path: None,
        more: dict[str, Callable[[int], Any]] | None = None,
        default: dict[type | str, str] | None = None,
    ) -> None:
        self.valid, self.read, self.mend = valid, read, mend
        self.more, self.default = more or {}, default or {}
        assert self.takes(valid)

    def takes(self, document: dict[str, Any]) -> bool:
        """Whether the reader takes a document."""
        try:
            self.read(document)
        except PeerError:
            return False
        return True

    def at(self, path: Path) -> Any:
        """The value at a path of the valid document."""
        value: Any = self.valid
        for step in path:
            value = value[step]
        return value

    def with_value(self, path: Path, value: Any) -> bool:
        """Whether the reader takes the document with another value at a path."""
        changed = copy.deepcopy(self.valid)
        inner: Any = changed
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value
        self.mend(changed, path)
        return self.takes(changed)

    def has(self, fields: tuple[Member, ...], path: Path = ()) -> None:
        """The object at a path has these fields: no other, and none less but where the text says so."""
        inner = self.at(path)
        named, required = {one.name for one in fields}, {one.name for one in fields if not one.optional}
        assert required <= set(inner) <= named, (path, set(inner) ^ named)
        for name in required & set(inner):
            less = {key: value for key, value in inner.items() if key != name}
            assert not self._whole(path, less), f"{(*path, name)} is not required"
        assert not self._whole(path, {**inner, "flags": []}), f"an unknown field in {path} is taken"

    def _whole(self, path: Path, value: Any) -> bool:
        if path:
            return self.with_value(path, value)
        return self.takes(value)

    def follow(self, rule: str, path: Path) -> bool:
        """Try what a rule allows and refuses; whether any of its words were understood."""
        value = self.at(path)
        rule = re.sub(r"^(?:laboratory )?only[^:{]*: ", "", rule) or str(path[-1])
        rule = self.default.get(rule, self.default.get(type(value), "") if rule == path[-1] else rule)
        if rule.startswith("null or "):
            assert self.with_value(path, None), path
            return self.follow(rule.removeprefix("null or "), path)
        if "{" in rule and isinstance(value, dict):
            return self._object(rule, path)
        if "{" in rule and isinstance(value, list):
            return self._object(braces(rule)[0].join("{}"), (*path, 0)) and self._ranges(rule, path, value)
        chosen = re.findall(r'["`]([\w-]+)["`]', rule)
        if isinstance(value, str) and chosen and value in chosen:
            assert all(self.with_value(path, one) for one in chosen), path
            return not self.with_value(path, "something else")
        if isinstance(value, bool):
            assert rule.startswith("boolean"), f"{path} is a boolean, the text says {rule!r}"
            return self.with_value(path, not value) and not self.with_value(path, 1)
        if isinstance(value, str) and (sized := re.match(r"(\d+) random bytes|digest|fingerprint", rule)):
            size = int(sized[1] or 32)
            assert len(value) == 2 * size, path
            wrong = ("ab" * (size - 1), "ab" * (size + 1), "AB" * size)
            assert not any(self.with_value(path, text) for text in wrong), path
            return True
        return self._ranges(rule, path, value)

    def _object(self, rule: str, path: Path) -> bool:
        fields, rest = members(rule), braces(rule)[1]
        each = re.match(rf"`?, ({_NUMBER}\.\.{_NUMBER})( characters)?(?: each)?", rest)
        self.has(fields, path)
        for one in fields:
            if one.name in self.at(path):
                self.follow(one.rule or (each[1] + (each[2] or "") if each else ""), (*path, one.name))
        return True

    def _ranges(self, rule: str, path: Path, value: Any) -> bool:
        found = re.match(rf"(?:{_RANGE}|>= (\d+))", rule)
        if found is None:
            return False
        if found[3]:
            self.between(path, int(found[3]), None, lambda size: size)
            return True
        ((low, high),) = limits(found[0])
        made = self.sized(path, value)
        self.between(path, low, high, made)
        each = re.search(rf"of {_RANGE}( characters)?", rule)
        if each and isinstance(value, list) and value and not isinstance(value[0], dict):
            ((least, most),) = limits(each[0])
            rest = made(max(low, 1))[:-1]
            if isinstance(value[0], str):
                self.between(path, least, most, lambda size: [*rest, "z" * size])
            else:
                self.between(path, least, most, lambda size: [*rest, size])
        return True

    def between(self, path: Path, low: int, high: int | None, made: Callable[[int], Any]) -> None:
        """The sizes from low to high are taken, one less and one more are not."""
        sizes = [(low, True), (low - 1, False)] + ([] if high is None else [(high, True), (high + 1, False)])
        for size, taken in sizes:
            if size >= 0 or isinstance(made(0), int):
                assert self.with_value(path, made(size)) == taken, f"{path}: {size} of {low}..{high}"

    def sized(self, path: Path, value: Any) -> Callable[[int], Any]:
        """How a value of a size is made at a path."""
        if isinstance(value, str):
            return lambda size: "x" * size
        if isinstance(value, int):
            return lambda size: size
        grow = self.more[".".join(map(str, path))]
        return lambda size: [grow(n) for n in range(size)]


def hexadecimal(n: int) -> str:
    """32 bytes that differ by number."""
    return n.to_bytes(32, "big").hex()


def fields(rows: tuple[tuple[str, ...], ...]) -> tuple[Member, ...]:
    """The rows of a table of fields."""
    named = ((name, row[1]) for row in rows for name in row[0].split(", "))
    return tuple(Member(name, rule, rule.startswith("only ")) for name, rule in named)


def followed(document: Document, rows: tuple[Member, ...], rest: set[str]) -> None:
    """Follow every row that the document has; the words of the rest are not for a machine."""
    document.has(rows)
    not_understood = {
        one.name for one in rows if one.name in document.valid and not document.follow(one.rule, (one.name,))
    }
    assert not_understood == rest
