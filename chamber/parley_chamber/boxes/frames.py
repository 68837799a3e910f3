"""Room: the chamber. Byte strings over a pipe, each with its length; both sides of a box call it."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from parley_attestation.errors import PeerError, Reason

_LENGTH = struct.Struct(">Q")
MAX_FRAME = 1 << 30  # bytes of one frame
MODEL = "/in/model"  # where boxes find the files of the model
PROGRAM = "/in/program"  # where the run box finds the prover's program
ANSWER, NO_ANSWER = b"\0", b"\1"  # first byte of an answer


def pack(part: bytes) -> bytes:
    """One frame."""
    return _LENGTH.pack(len(part)) + part


def read(source: BinaryIO) -> Iterator[bytes]:
    """Every frame until the end. Raises `PeerError` (MALFORMED) where a frame is cut or too long."""
    while head := source.read(_LENGTH.size):
        if len(head) != _LENGTH.size:
            raise PeerError(Reason.MALFORMED, "expected whole frames")
        (size,) = _LENGTH.unpack(head)
        if size > MAX_FRAME or len(part := source.read(size)) != size:
            raise PeerError(Reason.MALFORMED, f"expected a whole frame of at most {MAX_FRAME} bytes")
        yield part
