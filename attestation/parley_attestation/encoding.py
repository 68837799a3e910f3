"""Room: the floor. Labels, framing, limits and sized byte types; everything hashed goes through here.

`frame` is the one encoding of everything that is hashed or authenticated (spec section "Framing"):
a label from one table, then every part, each with its length as a 64-bit big-endian integer.
"""

import hashlib
import hmac
import struct
from enum import StrEnum
from typing import Self

from parley_attestation.errors import PeerError, Reason

# Limits; spec section "Limits".
MAX_ENVELOPE = 1 << 20  # bytes of one signed payload, and of one protobuf message on the wire
MAX_CHUNK = 256 << 10  # bytes of one blob chunk
MAX_STATEMENT = 512 << 10  # bytes of one in-toto statement
MAX_ITEMS = 1 << 32  # items in a test set
MAX_UNITS_PER_TURN = 1024  # units of one Challenge; more would not fit an envelope with their proofs
MAX_BLOB = 1 << 30  # bytes of one detached blob
SAFE_INTEGER = 1 << 53  # JSON integers stay below this


class Label(StrEnum):
    """Every domain-separation label of the protocol; spec registry "Labels"."""

    CONTENT = "parley/v1/content"
    ITEM = "parley/v1/item"
    SEED_LEFT = "parley/v1/seed-left"
    SEED_RIGHT = "parley/v1/seed-right"
    FIELD_SEED = "parley/v1/field-seed"
    OUTPUT = "parley/v1/output"
    RESULT_BIT = "parley/v1/result-bit"
    BLOB = "parley/v1/blob"
    STREAM = "parley/v1/stream"
    ROOT_KEY = "parley/v1/root-key"
    SESSION = "parley/v1/session"
    EXERCISE = "parley/v1/exercise"
    COIN = "parley/v1/coin"
    SEED = "parley/v1/seed"
    TICKET = "parley/v1/ticket"
    SAMPLING = "parley/v1/sampling"
    LOCAL = "parley/v1/local"
    MODEL_MANIFEST = "parley/v1/model-manifest"
    MODEL_CHUNK = "parley/v1/model-chunk"
    MODEL_SALT = "parley/v1/model-salt"
    MODEL_CLAIM = "parley/v1/model-claim"
    MODEL_SERIES = "parley/v1/model-series"
    RECORD = "parley/v1/record"
    BINDER = "parley/v1/binder"
    BINDER_GPU = "parley/v1/binder-gpu"
    TRANSCRIPT = "parley/v1/transcript"
    SEAL = "parley/v1/seal"
    BINDING = "parley/v1/binding"
    RUNTIME = "parley/v1/runtime"
    WITNESS = "parley/v1/witness"
    COMPUTE = "parley/v1/compute"
    EVIDENCE_POLICY = "parley/v1/evidence-policy"
    EVIDENCE_SIMULATED = "parley/v1/evidence-simulated"


class Bytes32(bytes):
    """Exactly 32 bytes. Raises `PeerError` (MALFORMED) for any other length."""

    __slots__ = ()

    def __new__(cls, value: bytes) -> Self:
        """Check the length."""
        if len(value) != 32:
            raise PeerError(Reason.MALFORMED, f"expected 32 bytes for {cls.__name__}, got {len(value)}")
        return super().__new__(cls, value)

    @classmethod
    def of_hex(cls, text: str) -> Self:
        """Parse 64 lower-case hexadecimal digits. Raises `PeerError` (MALFORMED)."""
        return cls(unhex(text, 32))


class Digest(Bytes32):
    """A SHA-256 output."""

    __slots__ = ()


class Salt(Bytes32):
    """A secret that hides committed content until it is shown."""

    __slots__ = ()


class Nonce(Bytes32):
    """32 random bytes that make an exercise or a session new."""

    __slots__ = ()


def unhex(text: str, size: int) -> bytes:
    """Return the `size` bytes that lower-case hexadecimal `text` spells. Raises `PeerError`."""
    if len(text) != 2 * size or any(c not in "0123456789abcdef" for c in text):
        raise PeerError(Reason.MALFORMED, f"expected {2 * size} lower-case hexadecimal digits")
    return bytes.fromhex(text)


def u64(value: int) -> bytes:
    """Encode `value` in 8 bytes, big-endian. Raises `PeerError` for a value outside 0..2^64-1."""
    try:
        return struct.pack(">Q", value)
    except struct.error as error:
        raise PeerError(Reason.MALFORMED, "expected an integer in 0..2^64-1") from error


def frame(label: Label, *parts: bytes) -> bytes:
    """Frame `parts` under `label`; injective, so that two different inputs never frame alike.

    >>> frame(Label.COIN, b"ab").hex()
    '000000000000000e7061726c65792f76312f636f696e00000000000000026162'
    """
    name = label.encode()
    return b"".join((struct.pack(">Q", len(name)), name, *(struct.pack(">Q", len(p)) + p for p in parts)))


def digest(label: Label, *parts: bytes) -> Digest:
    """SHA-256 over `frame(label, *parts)`."""
    return Digest(hashlib.sha256(frame(label, *parts)).digest())


def mac(key: bytes, label: Label, *parts: bytes) -> Digest:
    """HMAC-SHA-256 under a 32-byte `key` over `frame(label, *parts)`.

    A key of any other length is refused: HMAC hashes long keys first, which would give one tag two keys.
    """
    if len(key) != 32:
        raise PeerError(Reason.MALFORMED, f"expected a key of 32 bytes, got {len(key)}")
    return Digest(hmac.digest(key, frame(label, *parts), "sha256"))
