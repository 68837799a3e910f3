"""Room: the floor. RFC 8785 (JCS) JSON, read strictly: what is read is what was signed, byte for byte.

Numbers are integers below 2^53; anything else is a decimal string. Duplicate keys, floats, other
spellings of the same value and deep nesting are refused.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

import rfc8785

from parley_attestation.encoding import MAX_STATEMENT, SAFE_INTEGER, Bytes32, Digest, unhex
from parley_attestation.errors import PeerError, Reason

MAX_DEPTH = 32
_DECIMAL = re.compile(r"(0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]*[1-9])")
T = TypeVar("T")


def dump(value: Any) -> bytes:
    """Serialise `value` (dict, list, str, int, bool, None) as canonical JSON.

    Raises:
        PeerError: MALFORMED, where the value holds a float or an integer outside +-(2^53 - 1).
    """
    _check(value, MAX_DEPTH)
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError) as error:
        raise PeerError(Reason.MALFORMED, f"not expressible in canonical JSON: {error}") from error


def load(raw: bytes, *, limit: int = MAX_STATEMENT) -> Any:
    """Parse canonical JSON of at most `limit` bytes.

    Raises:
        PeerError: TOO_LARGE, MALFORMED, or NOT_CANONICAL where the bytes spell a value in another way.
    """
    if len(raw) > limit:
        raise PeerError(Reason.TOO_LARGE, f"expected at most {limit} bytes of JSON, got {len(raw)}")
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_refuse_float,
            parse_constant=_refuse_float,
            parse_int=_integer,
        )
    except (ValueError, RecursionError) as error:
        raise PeerError(Reason.MALFORMED, "expected one JSON value in UTF-8") from error
    if dump(value) != raw:
        raise PeerError(Reason.NOT_CANONICAL, "expected RFC 8785 canonical JSON")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise PeerError(Reason.MALFORMED, "expected every key of a JSON object once")
    return value


def _refuse_float(text: str) -> NoReturn:
    raise PeerError(Reason.MALFORMED, f"expected integers only, got the number {text[:40]}")


def _integer(text: str) -> int:
    if len(text) > 17 or abs(number := int(text)) >= SAFE_INTEGER:
        raise PeerError(Reason.MALFORMED, "expected integers below 2^53")
    return number


def _check(value: Any, left: int) -> None:
    if left < 0:
        raise PeerError(Reason.MALFORMED, f"expected JSON nested at most {MAX_DEPTH} deep")
    if isinstance(value, dict):
        for inner in value.values():
            _check(inner, left - 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(inner, left - 1)
    elif isinstance(value, float):
        raise PeerError(Reason.MALFORMED, "expected integers only, got a floating-point number")


class Fields:
    """Reads one JSON object field by field and refuses what nobody asked for.

    Every getter raises `PeerError` with the path of the field. Call `end()` last: it refuses unknown
    fields. `reason` is the code of every refusal, so that terms, claims and statements answer with
    their own.
    """

    def __init__(self, value: Any, path: str = "", *, reason: Reason = Reason.MALFORMED) -> None:
        self.path = path
        self.reason = reason
        if not isinstance(value, dict):
            self.refuse("", "an object")
        self._left: dict[str, Any] = dict(value)

    def refuse(self, name: str, expected: str) -> NoReturn:
        """Raise the refusal for field `name`."""
        where = f"{self.path}.{name}".strip(".") or "value"
        raise PeerError(self.reason, f"{where}: expected {expected}")

    def _take(self, name: str, expected: str) -> Any:
        if name not in self._left:
            self.refuse(name, f"{expected}, found nothing")
        return self._left.pop(name)

    def has(self, name: str) -> bool:
        """Say whether the field is still there to be read."""
        return name in self._left

    def integer(self, name: str, low: int = 0, high: int = SAFE_INTEGER - 1) -> int:
        """An integer in low..high."""
        value = self._take(name, "an integer")
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.refuse(name, f"an integer in {low}..{high}")
        return value

    def boolean(self, name: str) -> bool:
        """True or false."""
        value = self._take(name, "true or false")
        if not isinstance(value, bool):
            self.refuse(name, "true or false")
        return value

    def text(self, name: str, limit: int = 4096, *, empty: bool = False) -> str:
        """A string of at most `limit` characters."""
        value = self._take(name, "a string")
        if not isinstance(value, str) or len(value) > limit or not (value or empty):
            self.refuse(name, f"a string of {0 if empty else 1}..{limit} characters")
        return value

    def decimal(self, name: str) -> str:
        """An exact decimal number in its one shortest spelling, as a string."""
        value = self.text(name, 64)
        if not _DECIMAL.fullmatch(value):
            self.refuse(name, "a decimal number in shortest form, as a string")
        return value

    def choice(self, name: str, allowed: Mapping[str, T]) -> T:
        """One of the names in `allowed`; returns what stands behind it."""
        value = self._take(name, "one of " + ", ".join(allowed))
        if not isinstance(value, str) or value not in allowed:
            self.refuse(name, "one of " + ", ".join(allowed))
        return allowed[value]

    def hex(self, name: str, size: int = 32) -> bytes:
        """`size` bytes in lower-case hexadecimal."""
        try:
            return unhex(self.text(name, 2 * size), size)
        except PeerError:
            self.refuse(name, f"{2 * size} lower-case hexadecimal digits")

    def digest(self, name: str) -> Digest:
        """A SHA-256 digest in lower-case hexadecimal."""
        return Digest(self.hex(name))

    def bytes32(self, name: str) -> Bytes32:
        """32 bytes in lower-case hexadecimal."""
        return Bytes32(self.hex(name))

    def object(self, name: str) -> "Fields":
        """A nested object, to be read with its own `Fields`."""
        return Fields(self._take(name, "an object"), f"{self.path}.{name}".strip("."), reason=self.reason)

    def items(
        self, name: str, read: Callable[["Fields"], T], high: int = 4096, low: int = 0
    ) -> tuple[T, ...]:
        """A list of low..high objects, each read by `read`."""
        return tuple(
            read(Fields(one, f"{self.path}.{name}[{n}]".strip("."), reason=self.reason))
            for n, one in enumerate(self.list(name, high, low))
        )

    def list(self, name: str, high: int = 4096, low: int = 0) -> list[Any]:
        """A list of low..high values of any kind; the caller checks each."""
        value = self._take(name, "a list")
        if not isinstance(value, list) or not low <= len(value) <= high:
            self.refuse(name, f"a list of {low}..{high} entries")
        return value

    def texts(self, name: str, high: int = 4096, low: int = 0) -> tuple[str, ...]:
        """A list of low..high non-empty strings."""
        values = self.list(name, high, low)
        for n, one in enumerate(values):
            if not isinstance(one, str) or not one or len(one) > 4096:
                self.refuse(f"{name}[{n}]", "a string of 1..4096 characters")
        return tuple(values)

    def names(self, name: str, high: int = 4096, low: int = 0) -> frozenset[str]:
        """A set of low..high non-empty strings: ascending by code point, each once."""
        found = self.texts(name, high, low)
        if list(found) != sorted(set(found)):
            self.refuse(name, "strings in ascending order, each once")
        return frozenset(found)

    def raw(self, name: str) -> Any:
        """The value as it stands; the caller checks it."""
        return self._take(name, "a value")

    def end(self) -> None:
        """Refuse every field that was not read."""
        if self._left:
            raise PeerError(
                self.reason if self.reason is not Reason.MALFORMED else Reason.UNKNOWN_FIELD,
                f"{self.path or 'value'}: unknown field {min(self._left)!r}",
            )
