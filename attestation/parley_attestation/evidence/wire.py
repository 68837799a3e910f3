"""Room: evidence. A bounded reader over hostile bytes with exact length accounting; this room only."""

from parley_attestation.evidence.findings import Finding, refuse


class Reader:
    """Reads fixed-size fields from one buffer, front to back; running short is a refusal, never an error."""

    __slots__ = ("_at", "_end", "_raw", "_what")

    def __init__(self, raw: bytes, what: str, at: int = 0, end: int | None = None) -> None:
        """Read `raw` from offset `at` up to `end`; `what` names it in refusals."""
        self._raw = raw
        self._at = at
        self._end = len(raw) if end is None else end
        self._what = what

    @property
    def at(self) -> int:
        """The offset of the next byte."""
        return self._at

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return self._end - self._at

    def take(self, size: int) -> bytes:
        """The next `size` bytes. Raises `EvidenceError` (MALFORMED) where fewer are left."""
        if size < 0 or size > self._end - self._at:
            refuse(
                Finding.MALFORMED,
                f"{self._what}: expected {size} more bytes at offset {self._at}, got {self.left}",
            )
        start = self._at
        self._at = start + size
        return self._raw[start : self._at]

    def little(self, size: int) -> int:
        """A little-endian unsigned integer of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def big(self, size: int) -> int:
        """A big-endian unsigned integer of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def part(self, size: int, what: str) -> "Reader":
        """A reader over exactly the next `size` bytes."""
        start = self._at
        self.take(size)
        return Reader(self._raw, what, start, start + size)

    def end(self) -> None:
        """Refuse any byte that is left."""
        if self.left:
            refuse(Finding.TRAILING_BYTES, f"{self._what}: expected its end, got {self.left} more bytes")

    def zeros(self) -> int:
        """Take what is left as zero padding and return its size; any other byte is refused."""
        size = self.left
        if self._raw.count(b"\0", self._at, self._end) != size:
            refuse(Finding.TRAILING_BYTES, f"{self._what}: expected zeros only in {size} bytes of padding")
        self._at = self._end
        return size
