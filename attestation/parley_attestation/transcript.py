"""Room: the core. The record of an exercise: one file format, one canonical encoding, any change refused.

A record is a magic line and a run of entries. Each entry is its kind (1 byte), the length of its body
(8 bytes, big-endian), the body, and a running SHA-256 over the previous digest, kind, length and body;
the last entry is the trailer. Envelopes stand in order, each followed by its blobs; a marker begins the
next attempt at the same exercise; side records and evidence of equivocation follow. Functions work on
binary streams that the caller opened.
"""

import contextlib
import hashlib
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO

from parley_attestation.encoding import MAX_BLOB, MAX_ENVELOPE, MAX_STATEMENT, Digest, Label, frame, u64
from parley_attestation.envelope import Envelope, Signature
from parley_attestation.errors import PeerError, Reason
from parley_attestation.session import messages
from parley_attestation.session.turns import Blob, Turn, Withheld, blob_digest, blob_size

MAGIC = b"PARLEY RECORD 1\n"
_HEAD = struct.Struct(">BQ")
_BASE = hashlib.sha256(frame(Label.RECORD)).digest()


class Kind(IntEnum):
    """Kinds of entries."""

    ENVELOPE = 1
    BLOB = 2
    WITHHELD = 3
    SIDE = 4
    EVIDENCE = 5
    ATTEMPT = 6
    END = 7


_LIMITS = {
    Kind.ENVELOPE: MAX_ENVELOPE + 4096,
    Kind.BLOB: MAX_BLOB + 32,
    Kind.WITHHELD: 40,
    Kind.SIDE: 2 * MAX_STATEMENT,
    Kind.EVIDENCE: MAX_ENVELOPE + 4096,
    Kind.ATTEMPT: 0,
    Kind.END: 8,
}


def encode_envelope(envelope: Envelope) -> bytes:
    """The one encoding of an envelope in records and journals: parts, each with its length."""
    parts = [envelope.payload_type.encode(), envelope.payload]
    for signature in envelope.signatures:
        parts += [signature.key, signature.value]
    return b"".join(u64(len(part)) + part for part in parts)


def decode_envelope(raw: bytes) -> Envelope:
    """Read an envelope back. Raises `PeerError` (MALFORMED) for anything but the one encoding."""
    parts: list[bytes] = []
    at = 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 8], "big")
        if len(raw) - at < 8 + size or len(parts) > 20:
            raise PeerError(Reason.MALFORMED, "an envelope in the record is cut short")
        parts.append(raw[at + 8 : at + 8 + size])
        at += 8 + size
    if len(parts) < 4 or len(parts) % 2:
        raise PeerError(Reason.MALFORMED, "an envelope in the record lacks a part")
    try:
        kind = parts[0].decode("ascii")
    except UnicodeDecodeError as error:
        raise PeerError(Reason.MALFORMED, "expected a payload type in ASCII") from error
    signatures = tuple(Signature(parts[n], parts[n + 1]) for n in range(2, len(parts), 2))
    return Envelope(kind, parts[1], signatures)


class RecordWriter:
    """Writes a record to a binary stream, entry by entry."""

    def __init__(self, out: BinaryIO) -> None:
        """Start a record."""
        self._out = out
        self._running = _BASE
        self._count = 0
        out.write(MAGIC)

    def turn(self, turn: Turn) -> None:
        """Add a turn with its content."""
        self._entry(Kind.ENVELOPE, encode_envelope(turn.envelope))
        for blob in turn.blobs:
            self.blob(blob)

    def blob(self, blob: Blob) -> None:
        """Add one blob of the turn whose envelope came last."""
        if isinstance(blob, Withheld):
            self._entry(Kind.WITHHELD, blob.digest + u64(blob.size))
        else:
            self._entry(Kind.BLOB, blob)

    def copy(self, entry: "Entry") -> None:
        """Add an entry of another record as it stands."""
        self._entry(entry.kind, entry.body)

    def attempt(self) -> None:
        """Begin the next attempt at the same exercise."""
        self._entry(Kind.ATTEMPT, b"")

    def side(self, sealed: bytes) -> None:
        """Add a side record: a statement in a DSSE envelope in JSON."""
        self._entry(Kind.SIDE, sealed)

    def evidence(self, envelope: Envelope) -> None:
        """Add a second, different message for a slot that the record already fills."""
        self._entry(Kind.EVIDENCE, encode_envelope(envelope))

    def end(self) -> None:
        """Close the record with its trailer."""
        self._entry(Kind.END, u64(self._count))

    def _entry(self, kind: Kind, body: bytes) -> None:
        head = _HEAD.pack(kind, len(body))
        self._running = _chain(self._running, head, body)
        self._count += 1
        for part in (head, body, self._running):
            self._out.write(part)


def _chain(running: bytes, head: bytes, body: bytes) -> bytes:
    state = hashlib.sha256(running + head)
    state.update(body)
    return state.digest()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry that holds: its kind, its body, and where it starts in the file."""

    number: int
    kind: Kind
    body: bytes
    offset: int


class RecordReader:
    """Reads a record once, front to back, and finds blobs again by digest."""

    def __init__(self, source: BinaryIO) -> None:
        """Take a seekable binary stream at its start. Raises `PeerError` (MALFORMED)."""
        self._source = source
        self._blobs: dict[bytes, tuple[int, int]] = {}
        if source.read(len(MAGIC)) != MAGIC:
            raise PeerError(Reason.MALFORMED, "byte 0: this is not a Parley record, version 1")

    def entries(self) -> Iterator[Entry]:
        """Every entry but the trailer. Raises `PeerError` (MALFORMED), naming entry and offset."""
        source, running, number, offset = self._source, _BASE, 0, len(MAGIC)
        while True:
            source.seek(offset)
            head = source.read(_HEAD.size)
            if len(head) != _HEAD.size:
                raise PeerError(Reason.MALFORMED, f"byte {offset}: the record ends without its trailer")
            code, size = _HEAD.unpack(head)
            if code not in Kind.__members__.values() or size > _LIMITS[Kind(code)]:
                raise PeerError(
                    Reason.MALFORMED, f"entry {number} at byte {offset}: not an entry of a record"
                )
            kind = Kind(code)
            body, stated = source.read(size), source.read(32)
            running = _chain(running, head, body)
            if stated != running:
                raise PeerError(
                    Reason.MALFORMED,
                    f"entry {number} ({kind.name.lower()}) at byte {offset}: changed since it was recorded",
                )
            if kind is Kind.END:
                if body != u64(number) or source.read(1):
                    raise PeerError(Reason.MALFORMED, f"byte {offset}: the trailer does not fit the record")
                return
            if kind is Kind.BLOB:
                self._blobs[blob_digest(body)] = (offset + _HEAD.size, size)
            yield Entry(number, kind, body, offset)
            number, offset = number + 1, offset + _HEAD.size + size + 32

    def get(self, digest: bytes) -> bytes | None:
        """A blob that was read before, by digest; None where the record does not show it."""
        found = self._blobs.get(digest)
        if found is None:
            return None
        self._source.seek(found[0])
        return self._source.read(found[1])


def withheld(entry: Entry) -> Withheld:
    """Read the body of a WITHHELD entry. Raises `PeerError` (MALFORMED)."""
    if len(entry.body) != 40:
        raise PeerError(Reason.MALFORMED, f"entry {entry.number}: expected 40 bytes")
    return Withheld(Digest(entry.body[:32]), int.from_bytes(entry.body[32:], "big"))


def redact(reader: RecordReader, writer: RecordWriter, items: Collection[int] | None) -> int:
    """Copy a record without the prompts, outputs and references of `items`, or of all with None.

    The result bits stay: they commit to what was graded and show no content. Returns how many blobs
    were withheld.
    """
    challenged: list[int] = []
    waiting: list[int] = []  # item of every blob still to come in this turn
    opened = hidden = 0
    for entry in reader.entries():
        if entry.kind is Kind.ENVELOPE:
            envelope = decode_envelope(entry.body)
            writer.turn(Turn(envelope))
            waiting, body = [], None
            with contextlib.suppress(PeerError):  # what cannot be read announced no content
                body = messages.read(messages.KINDS.get(envelope.payload_type, "abort"), envelope.payload)[1]
            if isinstance(body, messages.Challenge):
                waiting = [unit.item for unit in body.units]
                challenged += waiting
            elif isinstance(body, messages.Answers):
                waiting = challenged[len(challenged) - len(body.answers) :]
            elif isinstance(body, messages.Open):
                waiting = challenged[opened : opened + len(body.sizes)]
                opened += len(body.sizes)
        elif entry.kind in {Kind.BLOB, Kind.WITHHELD}:
            blob: Blob = entry.body if entry.kind is Kind.BLOB else withheld(entry)
            item = waiting.pop(0) if waiting else None
            if item is not None and (items is None or item in items) and isinstance(blob, bytes):
                blob = Withheld(blob_digest(blob), blob_size(blob))
                hidden += 1
            writer.blob(blob)
        else:
            opened = 0 if entry.kind is Kind.ATTEMPT else opened
            writer.copy(entry)
    writer.end()
    return hidden
