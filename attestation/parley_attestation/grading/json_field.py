"""Room: grading. `json_field`: one scalar in a JSON output equals the scalar in the reference."""

import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, NoReturn, Self

from parley_attestation.canonical import Fields
from parley_attestation.grading import number
from parley_attestation.grading.grader import Grader, outcome_of
from parley_attestation.grading.outcome import Outcome
from parley_attestation.grading.pattern import Pattern
from parley_attestation.grading.text import bad_reference

MAX_DEPTH = 32  # levels of objects and arrays
MAX_PATH = 16  # steps to the field
MAX_INDEX = 1 << 20
Scalar = str | Fraction | bool | None


class _Unreadable(Exception):  # noqa: N818 - never leaves this module
    """Not JSON as the rule below reads it, or no scalar at the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonField(Grader):
    """The field at `path` of the output, which is one JSON text (RFC 8259), equals the reference.

    JSON is read strictly: UTF-8 without a byte order mark, every key of an object once, no unpaired
    surrogate, at most 32 levels, numbers within the bounds of `number.py` and read as exact decimals.
    The reference is a JSON scalar. Scalars are equal where they have one type and value: strings by code
    points, numbers by value (`1.0` equals `1`). Anything else in the output is invalid.

    Attributes:
        path: Object keys (strings) and array positions (integers from 0) from the top.
        ignore_case: ASCII capitals and small letters in strings are the same.
    """

    KIND: ClassVar[str] = "json_field"
    path: tuple[str | int, ...]
    ignore_case: bool

    @classmethod
    def read(cls, fields: Fields, refusal: Pattern | None) -> Self:
        """Read the options."""
        path = fields.list("path", MAX_PATH)
        for step in path:
            if not (isinstance(step, str) and len(step) <= 256) and not (
                type(step) is int and 0 <= step < MAX_INDEX
            ):
                fields.refuse("path", f"keys of at most 256 characters and positions below {MAX_INDEX}")
        return cls(path=tuple(path), ignore_case=fields.boolean("ignore_case"), refusal=refusal)

    def options(self) -> dict[str, Any]:
        """The options as they stand in the document."""
        return {"path": list(self.path), "ignore_case": self.ignore_case}

    def compare(self, output: bytes, reference: bytes) -> Outcome:
        """Pass where the scalars are equal."""
        try:
            right = self._scalar(_read(reference))
            found = _read(output)
            for step in self.path:
                found = _step(found, step)
            answer = self._scalar(found)
        except _Unreadable:
            return Outcome.INVALID
        return outcome_of(type(answer) is type(right) and answer == right)

    def accept_reference(self, reference: bytes) -> None:
        """Refuse a reference that is no JSON scalar."""
        try:
            self._scalar(_read(reference))
        except _Unreadable as error:
            raise bad_reference("one JSON string, number, true, false or null") from error

    def _scalar(self, value: Any) -> Scalar:
        if isinstance(value, dict | list):
            raise _Unreadable
        if isinstance(value, str) and self.ignore_case:
            return value.translate(_SMALL)
        return value  # type: ignore[no-any-return]


_SMALL = {n: n + 32 for n in range(ord("A"), ord("Z") + 1)}


def _step(value: Any, step: str | int) -> Any:
    if isinstance(step, str) and isinstance(value, dict) and step in value:
        return value[step]
    if isinstance(step, int) and isinstance(value, list) and step < len(value):
        return value[step]
    raise _Unreadable


def _read(raw: bytes) -> Any:
    """Parse JSON strictly, numbers as fractions. Raises `_Unreadable`."""
    if _levels(raw) > MAX_DEPTH:
        raise _Unreadable
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_number,
            parse_int=_number,
            parse_constant=_refuse,
        )
        _paired(value)
    except ValueError as error:
        raise _Unreadable from error
    return value


def _paired(value: Any) -> None:
    """Refuse unpaired surrogates, which JSON can spell and UTF-8 cannot. Raises `ValueError`."""
    if isinstance(value, str):
        value.encode("utf-8")
    elif isinstance(value, dict):
        for key, inner in value.items():
            key.encode("utf-8")
            _paired(inner)
    elif isinstance(value, list):
        for inner in value:
            _paired(inner)


def _levels(raw: bytes) -> int:
    """How deep objects and arrays nest, for text that is JSON; what is not fails in the parser."""
    depth = deepest = 0
    quoted = escaped = False
    for byte in raw:
        if quoted:
            quoted, escaped = escaped or byte != 0x22, not escaped and byte == 0x5C
        elif byte == 0x22:
            quoted = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Unreadable
    return value


def _number(text: str) -> Fraction:
    value = number.parse(text.encode())
    if value is None:
        raise _Unreadable
    return value


def _refuse(_: str) -> NoReturn:
    raise _Unreadable
