"""Room: log. C2SP tlog-proof receipts: one file that shows offline that a log holds a statement.

Source: c2sp.org/tlog-proof@v1. Our entries are the 32 bytes of a statement's digest, never content.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.log.checkpoint import Checkpoint, open_checkpoint
from parley_attestation.log.cosignature import Cosigned, cosigned
from parley_attestation.log.note import MAX_NOTE, NoteKey, unbase64
from parley_attestation.merkle import MAX_PROOF, leaf_hash, verify_inclusion

HEADER = "c2sp.org/tlog-proof@v1"
MAX_RECEIPT = MAX_NOTE + (16 << 10)  # bytes
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class LogProof:
    """A receipt as received. `extra` is authenticated by nothing."""

    index: int
    hashes: tuple[Digest, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def dump(self) -> bytes:
        """The receipt's bytes, for a file with the extension .tlog-proof."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append("extra " + base64.b64encode(self.extra).decode())
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(h).decode() for h in self.hashes]
        return ("\n".join(lines) + "\n\n").encode() + self.checkpoint


def parse_proof(raw: bytes) -> LogProof:
    """Parse a receipt; checks no signature.

    Raises:
        PeerError: TOO_LARGE, MALFORMED.
    """
    if len(raw) > MAX_RECEIPT:
        raise PeerError(Reason.TOO_LARGE, f"expected a receipt of at most {MAX_RECEIPT} bytes")
    head, blank, checkpoint = raw.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise PeerError(Reason.MALFORMED, "expected a receipt that begins in ASCII") from error
    if not blank or lines.pop(0) != HEADER:
        raise PeerError(Reason.MALFORMED, f"expected a receipt that begins with {HEADER}")
    extra = unbase64(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else None
    index = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if index is None or len(lines) > MAX_PROOF:
        raise PeerError(Reason.MALFORMED, f"expected an index and at most {MAX_PROOF} hashes")
    return LogProof(int(index[1]), tuple(Digest(unbase64(x)) for x in lines), checkpoint, extra)


@dataclass(frozen=True, slots=True)
class Logged:
    """A statement's digest stands in a log, at `index` of `checkpoint`."""

    index: int
    checkpoint: Checkpoint
    witnessed: Cosigned


def verify_logged(
    raw: bytes,
    entry: Digest,
    log_key: NoteKey,
    *,
    witnesses: Sequence[NoteKey] = (),
    threshold: int = 0,
    origin: str | None = None,
) -> Logged:
    """Verify a receipt offline.

    Args:
        raw: The receipt.
        entry: The digest of the statement that should be in the log.
        log_key: The log's key.
        witnesses: Cosigners that the caller trusts together.
        threshold: How many of them must have cosigned.
        origin: What the log calls itself, where that is not the name of its key.

    Raises:
        PeerError: MALFORMED, TOO_LARGE, BAD_SIGNATURE, BAD_CHECKPOINT, BAD_COSIGNATURE, BAD_PROOF.
    """
    proof = parse_proof(raw)
    checkpoint, signed = open_checkpoint(proof.checkpoint, log_key, origin)  # (1) the log's signature
    witnessed = cosigned(signed, witnesses, threshold)  # (2) enough witnesses
    verify_inclusion(  # (3) the entry, under the size and root that were signed together
        leaf_hash(entry), proof.index, checkpoint.size, proof.hashes, checkpoint.root
    )
    return Logged(proof.index, checkpoint, witnessed)
