"""Room: log. C2SP checkpoints: the signed size and root of a log, always together.

Source: c2sp.org/tlog-checkpoint v1.0.0. A size is only ever taken from here.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.log import note
from parley_attestation.log.note import Note, NoteKey
from parley_attestation.merkle import EMPTY_ROOT, verify_consistency

MAX_SIZE = (1 << 63) - 1
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log signs: its origin, the number of its entries, the root over them."""

    origin: str
    size: int
    root: Digest
    extensions: tuple[str, ...] = ()

    def text(self) -> bytes:
        """The note text."""
        root = base64.b64encode(self.root).decode()
        return "".join(f"{x}\n" for x in (self.origin, self.size, root, *self.extensions)).encode()


def parse_text(text: bytes) -> Checkpoint:
    """Read a note text as a checkpoint; what it says is as true as its signatures.

    Raises:
        PeerError: BAD_CHECKPOINT.
    """
    lines = text.decode(errors="replace").removesuffix("\n").split("\n")
    if len(lines) < 3 or "" in lines:
        raise PeerError(Reason.BAD_CHECKPOINT, "expected origin, size and root, and no empty line")
    if not _SIZE.fullmatch(lines[1]) or int(lines[1]) > MAX_SIZE:
        raise PeerError(Reason.BAD_CHECKPOINT, "expected a size in decimal without leading zeros")
    try:
        root = Digest(note.unbase64(lines[2]))
    except PeerError as error:
        raise PeerError(Reason.BAD_CHECKPOINT, "expected a root of 32 bytes in base64") from error
    found = Checkpoint(lines[0], int(lines[1]), root, tuple(lines[3:]))
    if found.size == 0 and found.root != EMPTY_ROOT:
        raise PeerError(Reason.BAD_CHECKPOINT, "the root of an empty log is another")
    return found


def open_checkpoint(raw: bytes, log_key: NoteKey, origin: str | None = None) -> tuple[Checkpoint, Note]:
    """Verify a checkpoint under the log's key.

    Args:
        raw: The signed note.
        log_key: The log's key.
        origin: What the log calls itself, where that is not the name of its key.

    Raises:
        PeerError: BAD_SIGNATURE, MALFORMED, TOO_LARGE, BAD_CHECKPOINT.
    """
    signed = note.parse(raw)
    signed.signed_by(log_key)
    found = parse_text(signed.text)
    expected = log_key.name if origin is None else origin
    if found.origin != expected:
        raise PeerError(Reason.BAD_CHECKPOINT, f"expected the log {expected}, got {found.origin}")
    return found, signed


def check_extends(old: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> None:
    """Check that the log only grew from `old` to `new`. From size 0 anything grows, with an empty proof.

    Raises:
        PeerError: BAD_PROOF, or BAD_CHECKPOINT where the two are of different logs.
    """
    if old.origin != new.origin:
        raise PeerError(Reason.BAD_CHECKPOINT, "the two checkpoints are of different logs")
    if old.size == 0:
        if proof:
            raise PeerError(Reason.BAD_PROOF, "expected no proof from an empty log")
        return
    verify_consistency(old.size, old.root, new.size, new.root, proof)


def check_one_history(first: bytes, second: bytes, log_key: NoteKey, origin: str | None = None) -> None:
    """Check that two signed checkpoints of a log can both be true as far as they show by themselves.

    Raises:
        PeerError: EQUIVOCATION, with both as evidence, where the log signed two roots for one size: a
            split view that only the holder of the log's key can make; or as `open_checkpoint`.
    """
    one, _ = open_checkpoint(first, log_key, origin)
    two, _ = open_checkpoint(second, log_key, origin)
    if one.size == two.size and one.root != two.root:
        raise PeerError(
            Reason.EQUIVOCATION,
            f"the log {one.origin} signed two roots for the size {one.size}",
            evidence=(first, second),
        )
