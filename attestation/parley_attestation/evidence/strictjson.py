"""Room: evidence. Vendors' JSON: not canonical, but read without duplicates, floats, depth or surprise."""

import json
from typing import Any, NoReturn

from parley_attestation.canonical import Fields
from parley_attestation.errors import Reason
from parley_attestation.evidence.findings import EvidenceError, Finding, refuse

_STRUCTURE = (b"[", b"{", b",", b":")
_MAX_DEPTH = 12


def load(raw: bytes, limit: int, what: str, elements: int = 20_000) -> Any:
    """Parse JSON of at most `limit` bytes and `elements` values.

    Raises:
        EvidenceError: MALFORMED, SIZE, DUPLICATE_KEY.
    """
    if len(raw) > limit:
        refuse(Finding.SIZE, f"{what}: expected at most {limit} bytes of JSON, got {len(raw)}")
    if sum(map(raw.count, _STRUCTURE)) > elements:
        refuse(Finding.MALFORMED, f"{what}: expected fewer elements")
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_number,
            parse_constant=_number,
            parse_int=_integer,
        )
        _depth(value, _MAX_DEPTH)
    except EvidenceError:
        raise
    except (ValueError, RecursionError):
        refuse(Finding.MALFORMED, f"{what}: expected one JSON value in UTF-8")
    return value


def fields(raw: bytes, limit: int, what: str) -> Fields:
    """A field reader over a JSON object. Raises `EvidenceError`; the reader raises BAD_EVIDENCE."""
    return Fields(load(raw, limit, what), what, reason=Reason.BAD_EVIDENCE)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        refuse(Finding.DUPLICATE_KEY, "expected every key of a JSON object once")
    return value


def _number(_text: str) -> NoReturn:
    refuse(Finding.MALFORMED, "expected integers only in JSON")


def _integer(text: str) -> int:
    if len(text) > 20:
        refuse(Finding.MALFORMED, "expected integers of at most 64 bits in JSON")
    return int(text)


def _depth(value: Any, left: int) -> None:
    if left < 0:
        refuse(Finding.MALFORMED, f"expected JSON nested at most {_MAX_DEPTH} deep")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        _depth(one, left - 1)
