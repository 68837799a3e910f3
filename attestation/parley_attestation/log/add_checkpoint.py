"""Room: log. The C2SP witness protocol, pure: the messages of add-checkpoint and what a witness decides.

Source: c2sp.org/tlog-witness v1.0.0. Our witness cosigns the public logs it is told of, and public
witnesses cosign ours.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.log import note
from parley_attestation.log.checkpoint import MAX_SIZE, Checkpoint, check_extends, parse_text
from parley_attestation.log.note import MAX_NOTE, Note, NoteKey
from parley_attestation.merkle import EMPTY_ROOT

MAX_HASHES = 63
MAX_BODY = MAX_NOTE + 4096  # bytes
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


class SubmissionError(PeerError):
    """A refusal with its HTTP status; `size` is what the witness cosigned last, for a conflict."""

    def __init__(self, reason: Reason, status: int, message: str, size: int | None = None) -> None:
        super().__init__(reason, message)
        self.status, self.size = status, size


@dataclass(frozen=True, slots=True)
class Submission:
    """The body of add-checkpoint."""

    old_size: int
    proof: tuple[Digest, ...]
    checkpoint: Note

    def dump(self) -> bytes:
        """The body's bytes."""
        lines = [f"old {self.old_size}", *(base64.b64encode(h).decode() for h in self.proof)]
        return ("\n".join(lines) + "\n\n").encode() + self.checkpoint.dump()


def parse_submission(raw: bytes) -> Submission:
    """Parse the body of add-checkpoint. Raises `SubmissionError` (400)."""
    head, blank, rest = raw[: MAX_BODY + 1].partition(b"\n\n")
    lines = head.decode("ascii", errors="replace").split("\n")
    old = _OLD.fullmatch(lines[0])
    if len(raw) > MAX_BODY or not blank or old is None or len(lines) > 1 + MAX_HASHES:
        raise SubmissionError(Reason.MALFORMED, 400, f"expected an old size and at most {MAX_HASHES} hashes")
    try:
        proof = tuple(Digest(note.unbase64(line)) for line in lines[1:])
        return Submission(int(old[1]), proof, note.parse(rest))
    except PeerError as error:
        raise SubmissionError(error.reason, 400, error.message) from error


def admit(submission: Submission, logs: Sequence[tuple[str, NoteKey]]) -> Checkpoint:
    """Check a submission against the logs that the witness knows, by origin and key.

    Raises:
        SubmissionError: 404 for an unknown origin, 403 where no known key signed, 400 for what is no
            checkpoint or claims to shrink.
    """
    try:
        found = parse_text(submission.checkpoint.text)
    except PeerError as error:
        raise SubmissionError(error.reason, 400, error.message) from error
    keys = [key for origin, key in logs if origin == found.origin]
    if not keys:
        raise SubmissionError(Reason.UNKNOWN_PARTY, 404, "unknown log")
    try:
        submission.checkpoint.signed_by(*keys)
    except PeerError as error:
        raise SubmissionError(error.reason, 403, error.message) from error
    if submission.old_size > found.size or found.size > MAX_SIZE:
        raise SubmissionError(Reason.BAD_CHECKPOINT, 400, "expected an old size up to the new one")
    return found


def decide(latest: Checkpoint | None, submission: Submission, new: Checkpoint) -> None:
    """Decide whether an admitted checkpoint follows the latest one that was cosigned for its origin.

    The caller reads `latest`, calls this and writes `new` down in one transaction, then cosigns.

    Raises:
        SubmissionError: 409 where the old size is not the latest or the root differs at one size, 422
            where the consistency proof does not verify.
    """
    old = latest or Checkpoint(new.origin, 0, EMPTY_ROOT)
    if submission.old_size != old.size:
        raise SubmissionError(Reason.HEAD_MISMATCH, 409, f"the latest size is {old.size}", old.size)
    if old.size == new.size and old.root != new.root:
        raise SubmissionError(Reason.EQUIVOCATION, 409, "another root was cosigned for this size", old.size)
    try:
        check_extends(old, new, submission.proof)
    except PeerError as error:
        raise SubmissionError(error.reason, 422, error.message) from error
