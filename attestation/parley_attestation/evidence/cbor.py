"""Room: evidence. Hostile CBOR (RFC 8949), decoded by `cbor2` only after its shape was walked here.

The walk refuses whatever could make a decoder allocate or recurse: announced lengths beyond the input,
depth, tags, big numbers, floats, and bytes after the one value. Indefinite lengths are the vendor's
choice (AWS uses them) and allowed; the same value is never re-encoded, so nothing canonical is asked.
"""

from typing import Any

import cbor2

from parley_attestation.evidence.findings import Finding, refuse

MAX_DEPTH = 8
MAX_NODES = 4096
_BREAK = 0xFF


def load(raw: bytes, what: str) -> Any:
    """Decode exactly one value made of integers, strings, arrays, maps, booleans and null.

    Raises:
        EvidenceError: MALFORMED, TRAILING_BYTES, DUPLICATE_KEY.
    """
    walk = _Walk(raw, what)
    walk.value(0, 0)
    if walk.at != len(raw):
        refuse(Finding.TRAILING_BYTES, f"{what}: expected no bytes after the CBOR value")
    try:
        return cbor2.loads(raw, max_depth=MAX_DEPTH + 2, allow_duplicate_keys=False)
    except cbor2.CBORDecodeError as error:
        duplicate = "uplicate" in str(error)
        refuse(
            Finding.DUPLICATE_KEY if duplicate else Finding.MALFORMED,
            f"{what}: expected {'every map key once' if duplicate else 'well-formed CBOR'}",
        )


class _Walk:
    """Checks that a value is well-formed and small, without building it."""

    def __init__(self, raw: bytes, what: str) -> None:
        self.raw = raw
        self.at = 0
        self.what = what
        self.nodes = 0

    def bad(self, message: str) -> None:
        refuse(Finding.MALFORMED, f"{self.what}: CBOR: {message} at offset {self.at}")

    def head(self) -> tuple[int, int, int | None]:
        """Read one initial byte and its argument: (major type, argument size class, argument)."""
        if self.at >= len(self.raw):
            self.bad("expected a value")
        first = self.raw[self.at]
        major, info = first >> 5, first & 31
        self.at += 1
        if info < 24:
            return major, info, info
        if info == 31:
            return major, info, None
        size = {24: 1, 25: 2, 26: 4, 27: 8}.get(info)
        if size is None or self.at + size > len(self.raw):
            self.bad("expected a complete argument")
        argument = int.from_bytes(self.raw[self.at : self.at + (size or 0)], "big")
        self.at += size or 0
        return major, info, argument

    def value(self, depth: int, key_of: int) -> None:
        """Walk one value; `key_of` is 1 where it is a map key, which must be an integer or text."""
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            self.bad(f"expected at most {MAX_DEPTH} levels and {MAX_NODES} values")
        major, info, argument = self.head()
        if key_of and major not in {0, 1, 3}:
            self.bad("expected an integer or text as a map key")
        if major in {0, 1}:
            if argument is None:
                self.bad("expected a definite integer")
        elif major in {2, 3}:
            self.string(major, argument)
        elif major in {4, 5}:
            self.container(major, argument, depth)
        elif major == 6:
            self.bad("expected no tag")
        elif info not in {20, 21, 22}:
            self.bad("expected true, false or null")

    def string(self, major: int, size: int | None) -> None:
        """Walk a byte or text string, definite or in definite chunks."""
        if size is None:
            while self.raw[self.at : self.at + 1] != b"\xff":
                inner, _, part = self.head()
                if inner != major or part is None:
                    self.bad("expected definite chunks of one type")
                self.skip(part or 0)
                self.nodes += 1
            self.at += 1
        else:
            self.skip(size)

    def skip(self, size: int) -> None:
        """Move over `size` bytes of content."""
        if size > len(self.raw) - self.at:
            self.bad(f"expected {size} more bytes")
        self.at += size

    def container(self, major: int, count: int | None, depth: int) -> None:
        """Walk an array or a map."""
        width = major - 3
        if count is None:
            while self.raw[self.at : self.at + 1] != b"\xff":
                self.entry(width, depth)
            self.at += 1
            return
        if count * width > len(self.raw) - self.at:
            self.bad(f"expected {count} entries in what is left")
        for _ in range(count):
            self.entry(width, depth)

    def entry(self, width: int, depth: int) -> None:
        """Walk one array element or one key and value."""
        for n in range(width):
            self.value(depth + 1, int(width == 2 and n == 0))
