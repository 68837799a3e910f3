"""Room: the session. A turn is one envelope and its detached content; frames go in, turns come out.

A turn's envelope carries the digest of its blobs. A blob is a 32-byte key and the content it hides,
so a blob's digest shows nothing about the content, and content can be withheld from a record without
breaking the signature chain.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from parley.v1 import session_pb2 as pb

from parley_attestation.encoding import MAX_CHUNK, Digest, Label, digest, frame, u64
from parley_attestation.envelope import Envelope, Signature
from parley_attestation.errors import PeerError, Reason

_BLOB_HEAD = frame(Label.BLOB)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A blob that a redacted record does not show: its digest and size in bytes."""

    digest: Digest
    size: int


Blob = bytes | Withheld


class Contents(Protocol):
    """Where the machine finds content of earlier turns: blobs by digest, immutable."""

    def get(self, digest: bytes) -> bytes | None:
        """The blob, or None where it was withheld."""


def blob_digest(blob: Blob) -> Digest:
    """The digest of one blob; of a withheld blob, the digest it is listed under."""
    if isinstance(blob, Withheld):
        return blob.digest
    return Digest(hashlib.sha256(_BLOB_HEAD + u64(len(blob)) + blob).digest())


def blob_size(blob: Blob) -> int:
    """Size in bytes, the key included."""
    return blob.size if isinstance(blob, Withheld) else len(blob)


def stream_digest(blobs: Sequence[Blob]) -> Digest:
    """The digest over a turn's blobs that its envelope signs."""
    return digest(Label.STREAM, *(blob_digest(blob) for blob in blobs))


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a session with all its content."""

    envelope: Envelope
    blobs: tuple[Blob, ...] = ()


def envelope_to_wire(envelope: Envelope) -> pb.Envelope:
    """The protobuf form of an envelope."""
    return pb.Envelope(
        payload_type=envelope.payload_type,
        payload=envelope.payload,
        signatures=[pb.Signature(key=s.key, value=s.value) for s in envelope.signatures],
    )


def envelope_from_wire(message: pb.Envelope) -> Envelope:
    """Read the carrier of an envelope; nothing inside is trusted. Raises `PeerError`."""
    return Envelope(
        message.payload_type,
        message.payload,
        tuple(Signature(s.key, s.value) for s in message.signatures),
    )


def to_frames(turn: Turn) -> Iterator[pb.Frame]:
    """The frames that carry a turn: the envelope, then its blobs as one run of chunks."""
    yield pb.Frame(envelope=envelope_to_wire(turn.envelope))
    offset, held = 0, bytearray()
    for blob in turn.blobs:
        assert isinstance(blob, bytes), "a withheld blob cannot be sent"
        at = 0
        while at < len(blob):
            part = blob[at : at + MAX_CHUNK - len(held)]
            held += part
            at += len(part)
            if len(held) == MAX_CHUNK:
                yield pb.Frame(chunk=pb.BlobChunk(offset=offset, data=bytes(held)))
                offset += len(held)
                held.clear()
    if held:
        yield pb.Frame(chunk=pb.BlobChunk(offset=offset, data=bytes(held)))


class Assembler:
    """Collects the content of one turn, whose sizes the signed payload fixed before the first byte came."""

    def __init__(self, sizes: Sequence[int]) -> None:
        """Expect blobs of exactly `sizes` bytes, in order."""
        self._sizes = tuple(sizes)
        self._total = sum(sizes)
        self._content = bytearray()

    @property
    def complete(self) -> bool:
        """Whether every byte has come."""
        return len(self._content) == self._total

    def add(self, chunk: pb.BlobChunk) -> None:
        """Take the next chunk. Raises `PeerError` (BLOB_MISMATCH), which blames nobody."""
        if self.complete or chunk.offset != len(self._content):
            raise PeerError(Reason.BLOB_MISMATCH, "a chunk came out of order")
        if not 1 <= len(chunk.data) <= MAX_CHUNK or len(self._content) + len(chunk.data) > self._total:
            raise PeerError(
                Reason.BLOB_MISMATCH, f"expected {self._total} bytes of content in chunks of 1..{MAX_CHUNK}"
            )
        self._content += chunk.data

    def blobs(self) -> tuple[bytes, ...]:
        """The blobs, once all have come."""
        assert self.complete
        found, at = [], 0
        with memoryview(self._content) as content:
            for size in self._sizes:
                found.append(bytes(content[at : at + size]))
                at += size
        return tuple(found)
