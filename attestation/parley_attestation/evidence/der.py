"""Room: evidence. The little DER (X.690 section 10) that certificates and CRLs need; this room only.

Strict and total: definite minimal lengths, single-byte tags, no trailing bytes, bounded element counts.
It exists because vendors sign certificates that general parsers are about to refuse (AMD's serial 0).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from parley_attestation.evidence.findings import Finding, refuse

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, ENUMERATED = 1, 2, 3, 4, 5, 6, 10
UTF8, PRINTABLE, IA5, UTC_TIME, GENERALIZED_TIME = 0x0C, 0x13, 0x16, 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31
MAX_CHILDREN = 64


@dataclass(frozen=True, slots=True)
class Node:
    """One element: its tag byte, and where its header and body lie in `source`."""

    source: bytes
    tag: int
    start: int
    body_at: int
    end: int

    @property
    def raw(self) -> bytes:
        """The whole encoding."""
        return self.source[self.start : self.end]

    @property
    def body(self) -> bytes:
        """The contents."""
        return self.source[self.body_at : self.end]


def _bad(message: str, at: int) -> NoReturn:
    refuse(Finding.BAD_CERTIFICATE, f"DER: {message} at offset {at}")


def _node(source: bytes, at: int, end: int) -> Node:
    if end - at < 2:
        _bad("expected an element", at)
    tag, first = source[at], source[at + 1]
    if tag & 0x1F == 0x1F:
        _bad("expected a single-byte tag", at)
    body_at, size = at + 2, first
    if first >= 0x80:
        count = first - 0x80
        if not 1 <= count <= 4 or end - body_at < count:
            _bad("expected a definite length of at most 4 bytes", at)
        size = int.from_bytes(source[body_at : body_at + count], "big")
        if size < 0x80 or size >> (8 * (count - 1)) == 0:
            _bad("expected a minimal length", at)
        body_at += count
    if size > end - body_at:
        _bad(f"expected {size} more bytes", body_at)
    return Node(source, tag, at, body_at, body_at + size)


def parse(raw: bytes, tag: int = SEQUENCE) -> Node:
    """Parse exactly one element of the given tag. Raises `EvidenceError` (BAD_CERTIFICATE)."""
    node = expect(_node(raw, 0, len(raw)), tag)
    if node.end != len(raw):
        _bad("expected no bytes after the element", node.end)
    return node


def expect(node: Node, tag: int) -> Node:
    """Return `node` if it has the given tag. Raises `EvidenceError` (BAD_CERTIFICATE)."""
    if node.tag != tag:
        _bad(f"expected tag {tag:#04x}, got {node.tag:#04x}", node.start)
    return node


def each(node: Node) -> Iterator[Node]:
    """The elements inside a constructed node, one at a time."""
    at = node.body_at
    while at < node.end:
        child = _node(node.source, at, node.end)
        yield child
        at = child.end


def children(node: Node, low: int = 0, high: int = MAX_CHILDREN) -> list[Node]:
    """The low..high elements inside a constructed node."""
    found: list[Node] = []
    for child in each(node):
        if len(found) == high:
            _bad(f"expected at most {high} elements", child.start)
        found.append(child)
    if len(found) < low:
        _bad(f"expected at least {low} elements, got {len(found)}", node.start)
    return found


def only(node: Node, tag: int) -> Node:
    """The one element inside an explicitly tagged node."""
    return expect(children(node, 1, 1)[0], tag)


def integer(node: Node) -> int:
    """A non-negative INTEGER of at most 64 bytes; minimal encoding, zero allowed."""
    body = expect(node, INTEGER).body
    if not 1 <= len(body) <= 64 or body[0] >= 0x80 or (len(body) > 1 and body[0] == 0 and body[1] < 0x80):
        _bad("expected a minimal non-negative integer of at most 64 bytes", node.start)
    return int.from_bytes(body, "big")


def boolean(node: Node) -> bool:
    """A BOOLEAN."""
    body = expect(node, BOOLEAN).body
    if body not in {b"\x00", b"\xff"}:
        _bad("expected true or false", node.start)
    return body == b"\xff"


def bits(node: Node) -> bytes:
    """A BIT STRING with no unused bits."""
    body = expect(node, BIT_STRING).body
    if not body or body[0] != 0:
        _bad("expected a bit string of whole bytes", node.start)
    return body[1:]


def named_bits(node: Node) -> int:
    """A named-bit list (X.680 section 22.7) of at most 16 bits; bit n of the result is named bit n."""
    body = expect(node, BIT_STRING).body
    if not 2 <= len(body) <= 3 or body[0] > 7:
        _bad("expected a named-bit list", node.start)
    return sum(1 << n for n in range(8 * len(body) - 8) if body[1 + n // 8] >> (7 - n % 8) & 1)


def time(node: Node) -> int:
    """A UTCTime or GeneralizedTime in seconds since 1970, in the one form of RFC 5280 4.1.2.5."""
    text = node.body.decode("ascii", "replace")
    if node.tag == UTC_TIME and len(text) == 13:
        text = ("19" if text >= "5" else "20") + text
    elif node.tag != GENERALIZED_TIME:
        _bad("expected a time", node.start)
    if len(text) != 15 or not (text[:14].isascii() and text[:14].isdigit()) or text[14] != "Z":
        _bad("expected a time as YYYYMMDDHHMMSSZ", node.start)
    try:
        moment = datetime(*(int(text[a:b]) for a, b in _TIME_FIELDS), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        refuse(Finding.BAD_CERTIFICATE, f"DER: expected a date that exists at offset {node.start}")
    return int(moment.timestamp())


_TIME_FIELDS = ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14))


def oid(dotted: str) -> bytes:
    """The contents bytes of an OBJECT IDENTIFIER, for constants.

    >>> oid("1.2.840.113741.1.13.1").hex()
    '2a864886f84d010d01'
    """
    first, second, *rest = (int(part) for part in dotted.split("."))
    out = bytearray()
    for value in (40 * first + second, *rest):
        chunk = [value & 0x7F]
        while value := value >> 7:
            chunk.append(0x80 | value & 0x7F)
        out += bytes(reversed(chunk))
    return bytes(out)
