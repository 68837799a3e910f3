"""Room: the floor. The two error roots, told apart by whose fault it is; everyone may import this."""

from enum import StrEnum
from typing import Self


class Role(StrEnum):
    """A party of an exercise; spec section "Roles"."""

    PROVER = "prover"
    VERIFIER = "verifier"
    CHAMBER = "chamber"
    WITNESS = "witness"


class Reason(StrEnum):
    """Stable codes of the specification's error table. A code is never renamed or reused."""

    # Bytes that cannot be read.
    MALFORMED = "MALFORMED"
    TOO_LARGE = "TOO_LARGE"
    NOT_CANONICAL = "NOT_CANONICAL"
    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    # Signatures, keys, identities.
    BAD_SIGNATURE = "BAD_SIGNATURE"
    BAD_KEY = "BAD_KEY"
    UNKNOWN_PARTY = "UNKNOWN_PARTY"
    KEY_NOT_CERTIFIED = "KEY_NOT_CERTIFIED"
    CHANNEL_MISMATCH = "CHANNEL_MISMATCH"
    # The session.
    OUT_OF_ORDER = "OUT_OF_ORDER"
    WRONG_SESSION = "WRONG_SESSION"
    WRONG_SEQUENCE = "WRONG_SEQUENCE"
    WRONG_PREVIOUS = "WRONG_PREVIOUS"
    EQUIVOCATION = "EQUIVOCATION"
    HEAD_MISMATCH = "HEAD_MISMATCH"
    UNSUPPORTED_VERSION = "UNSUPPORTED_VERSION"
    UNSUPPORTED = "UNSUPPORTED"
    SESSION_LIMIT = "SESSION_LIMIT"
    ABORTED = "ABORTED"
    TIMEOUT = "TIMEOUT"
    UNDELIVERED = "UNDELIVERED"
    # Witnesses.
    CLAIM_VOID = "CLAIM_VOID"
    CLAIM_EARLY = "CLAIM_EARLY"
    # Commitments, proofs, content.
    BAD_PROOF = "BAD_PROOF"
    BAD_OPENING = "BAD_OPENING"
    STREAM_MISMATCH = "STREAM_MISMATCH"
    BLOB_MISMATCH = "BLOB_MISMATCH"
    OVER_CAP = "OVER_CAP"
    BAD_SEAL = "BAD_SEAL"
    # The exercise.
    BAD_TERMS = "BAD_TERMS"
    WRONG_TERMS = "WRONG_TERMS"
    BAD_ATTEMPT = "BAD_ATTEMPT"
    BAD_COIN = "BAD_COIN"
    BAD_PROMPT = "BAD_PROMPT"
    BAD_COUNT = "BAD_COUNT"
    WRONG_INDEX = "WRONG_INDEX"
    WRONG_UNITS = "WRONG_UNITS"
    OVER_BUDGET = "OVER_BUDGET"
    STOP_TOO_EARLY = "STOP_TOO_EARLY"
    STOP_TOO_LATE = "STOP_TOO_LATE"
    BAD_BINDING = "BAD_BINDING"
    BAD_CUSTODY = "BAD_CUSTODY"
    WRONG_VERDICT = "WRONG_VERDICT"
    WRONG_RESULT_BITS = "WRONG_RESULT_BITS"
    DECLINED = "DECLINED"
    # Registrations, models, logs, evidence.
    BAD_STATEMENT = "BAD_STATEMENT"
    BAD_REGISTRATION = "BAD_REGISTRATION"
    BAD_MODEL_CLAIM = "BAD_MODEL_CLAIM"
    BAD_RUNTIME = "BAD_RUNTIME"
    PICKLED = "PICKLED"
    BAD_RECEIPT = "BAD_RECEIPT"
    BAD_EVIDENCE = "BAD_EVIDENCE"
    BAD_CHECKPOINT = "BAD_CHECKPOINT"
    BAD_COSIGNATURE = "BAD_COSIGNATURE"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    QUOTA_EXHAUSTED = "QUOTA_EXHAUSTED"
    # Our own side.
    CONFIG = "CONFIG"
    CORRUPT = "CORRUPT"
    MISSING_EXTRA = "MISSING_EXTRA"
    ENGINE = "ENGINE"
    BOX_TIME = "BOX_TIME"
    BOX_OUTPUT = "BOX_OUTPUT"
    BOX_FAILED = "BOX_FAILED"
    UNREACHABLE = "UNREACHABLE"
    CLOCK = "CLOCK"
    INTERNAL = "INTERNAL"


def printable(text: str, limit: int = 200) -> str:
    """Return `text` fit for a terminal or a log: control characters escaped, cut at `limit` characters."""
    safe = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:limit])
    return safe if len(text) <= limit else safe + "…"


class ParleyError(Exception):
    """Root of everything this project raises on purpose.

    Attributes:
        reason: Stable code of the error table.
        message: What was expected and what came, printable.
        hint: What to do about it; may be empty.
    """

    def __init__(self, reason: Reason, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = printable(message, 1000)
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class PeerError(ParleyError):
    """Bytes that came from somebody else break the protocol.

    `blamed` names a party only when bytes that the party signed prove the fault: an altered byte on
    the way, a bad signature or a blob that does not match is refused and is nobody's provable fault.
    `evidence` then holds the signed envelopes that prove it.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        hint: str = "",
        blamed: Role | None = None,
        evidence: tuple[bytes, ...] = (),
    ) -> None:
        super().__init__(reason, message, hint=hint)
        self.blamed = blamed
        self.evidence = evidence

    def blame(self, role: Role, *evidence: bytes) -> Self:
        """Name the party whose signed bytes prove the fault, unless somebody is named already."""
        if self.blamed is None:
            self.blamed = role
            self.evidence = evidence
        return self


class LocalError(ParleyError):
    """We failed: configuration, our own files, our own engine, or a peer that cannot be reached."""
