"""Room: the model. A bounded forward reader over a file's bytes; the format readers call it."""

import struct
from collections.abc import Callable
from typing import NoReturn

from parley_attestation.errors import PeerError, Reason, printable

Read = Callable[[int, int], bytes]  # (offset, size) -> exactly that many bytes of the file
MAX_HEADER = 100_000_000  # bytes of header that any reader parses; the limit of the safetensors format
_BLOCK = 64 << 10


class Cursor:
    """Reads a file of `size` bytes from the start, in blocks, and never past its end."""

    def __init__(self, path: str, size: int, read: Read) -> None:
        """Start at byte 0."""
        self.path = path
        self.position = 0
        self._size = size
        self._read = read
        self._block = b""
        self._start = 0

    def refuse(self, message: str) -> NoReturn:
        """Raise the refusal of this file. Raises `PeerError` (BAD_MODEL_CLAIM)."""
        raise PeerError(Reason.BAD_MODEL_CLAIM, f"file {printable(self.path)!r}: {message}")

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if not 0 <= size <= min(MAX_HEADER, self._size - self.position):
            self.refuse(f"expected {size} more bytes of header at byte {self.position}")
        at = self.position - self._start
        if not 0 <= at <= len(self._block) - size:
            self._start, at = self.position, 0
            self._block = self._read(self.position, min(max(size, _BLOCK), self._size - self.position))
        self.position += size
        return self._block[at : at + size]

    def skip(self, size: int) -> None:
        """Pass over `size` bytes without reading them."""
        if not 0 <= size <= self._size - self.position:
            self.refuse(f"expected {size} more bytes at byte {self.position}")
        self.position += size

    def u32(self) -> int:
        """A 32-bit little-endian integer."""
        value: int = struct.unpack("<I", self.take(4))[0]
        return value

    def u64(self) -> int:
        """A 64-bit little-endian integer."""
        value: int = struct.unpack("<Q", self.take(8))[0]
        return value

    def varint(self) -> int:
        """A protobuf varint of at most ten bytes."""
        value = shift = 0
        while (byte := self.take(1)[0]) >= 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift == 70:
                self.refuse("expected a varint of at most ten bytes")
        return value | byte << shift

    def text(self, size: int, limit: int) -> str:
        """A UTF-8 string of `size` bytes, at most `limit`."""
        if size > limit:
            self.refuse(f"expected a string of at most {limit} bytes, got {size}")
        try:
            return self.take(size).decode("utf-8")
        except UnicodeDecodeError:
            self.refuse(f"expected UTF-8 before byte {self.position}")
