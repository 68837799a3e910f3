"""Room: the suite. Records taken apart and put together again: every running digest holds, whatever was done."""

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from parley_attestation.encoding import Label, frame, u64
from parley_attestation.errors import Role
from parley_attestation.session.turns import Turn
from parley_attestation.transcript import MAGIC, Kind, RecordReader, encode_envelope

from parley_conformance.arena import PEER, Session
from parley_conformance.deviations import Said

_START = hashlib.sha256(frame(Label.RECORD)).digest()
Part = tuple[int, bytes]  # kind and body


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a record with its content: the envelope's entry, then its blobs."""

    parts: tuple[Part, ...]


def parts(record: bytes) -> list[Part]:
    """The entries of a whole record, without the one that ends it."""
    return [(int(entry.kind), entry.body) for entry in RecordReader(io.BytesIO(record)).entries()]


def join(found: Iterable[Part], count: int | None = None, *, end: bool = True) -> bytes:
    """A record of these entries, with its end and the count in it, or another count, or none."""
    out, running = bytearray(MAGIC), _START
    entries = list(found)
    if end:
        entries.append((int(Kind.END), u64(len(entries) if count is None else count)))
    for kind, body in entries:
        head = bytes([kind]) + u64(len(body))
        running = hashlib.sha256(running + head + body).digest()
        out += head + body + running
    return bytes(out)


def messages(record: bytes) -> list[Message]:
    """The messages of a record of one attempt, in order; what stands after them is left out."""
    found: list[list[Part]] = []
    for kind, body in parts(record):
        if kind == Kind.ENVELOPE:
            found.append([])
        if kind in {Kind.ENVELOPE, Kind.BLOB, Kind.WITHHELD}:
            found[-1].append((kind, body))
    return [Message(tuple(one)) for one in found]


def of_messages(found: Sequence[Message], more: Iterable[Part] = ()) -> bytes:
    """A record of these messages, and other entries after them."""
    return join([*(part for one in found for part in one.parts), *more])


def boundaries(record: bytes) -> list[int]:
    """The offsets at which entries begin, and the end of the file."""
    found = [len(MAGIC)]
    for _, body in [*parts(record), (int(Kind.END), u64(0))]:
        found.append(found[-1] + 9 + len(body) + 32)
    return found


def entries(turn: Turn) -> list[Part]:
    """What a turn leaves in a record."""
    envelope = (int(Kind.ENVELOPE), encode_envelope(turn.envelope))
    return [envelope, *((int(Kind.BLOB), blob) for blob in turn.blobs if isinstance(blob, bytes))]


def left(said: Said, sizes: list[int]) -> list[Part]:
    """What a turn, or frames, leave in a record; the content of frames is cut into blobs of these sizes."""
    if isinstance(said, Turn):
        return entries(said)
    found: list[Part] = []
    for one in said:
        if one.WhichOneof("kind") == "envelope":
            found.append((int(Kind.ENVELOPE), encoded(one.envelope)))
        elif one.WhichOneof("kind") == "chunk":
            data = io.BytesIO(one.chunk.data)
            found += [(int(Kind.BLOB), data.read(size)) for size in sizes]
    return found


def encoded(envelope: Any) -> bytes:
    """An envelope as records hold it, also one that no honest party would write."""
    found = [envelope.payload_type.encode(), envelope.payload]
    for one in envelope.signatures:
        found += [one.key, one.value]
    return b"".join(u64(len(part)) + part for part in found)


def so_far(session: Session, role: Role) -> list[Part]:
    """The entries of a party's record of a session so far, or of the other's where it has none."""
    end = session.ends[role]
    if end.row is None:
        other = session.ends[PEER[role]]
        return parts(session.record(PEER[role])) if other.row is not None else []
    return parts(session.record(role))
