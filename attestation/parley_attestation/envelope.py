"""Room: the floor. DSSE: signatures over the pre-authentication encoding of the bytes as received.

One payload type per message and version, checked before anything is parsed. Two carriers share this
module: the protobuf envelope of the wire and the JSON envelope of durable statements.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.encoding import MAX_ENVELOPE, MAX_STATEMENT, Digest
from parley_attestation.errors import PeerError, Reason

MAX_SIGNATURES = 8
MAX_PAYLOAD_TYPE = 128


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE v1 pre-authentication encoding.

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature: the raw public key that is said to have made it, and 64 bytes."""

    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope as received. Nothing in it is trusted before a signature over `pae` has held."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        if len(self.payload) > MAX_ENVELOPE:
            raise PeerError(
                Reason.TOO_LARGE,
                f"expected a payload of at most {MAX_ENVELOPE} bytes, got {len(self.payload)}",
            )
        if not 1 <= len(self.payload_type) <= MAX_PAYLOAD_TYPE or not self.payload_type.isascii():
            raise PeerError(
                Reason.MALFORMED, f"expected a payload type of 1..{MAX_PAYLOAD_TYPE} ASCII characters"
            )
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise PeerError(Reason.MALFORMED, f"expected 1..{MAX_SIGNATURES} signatures")

    def pae(self) -> bytes:
        """The bytes that signatures cover."""
        return pae(self.payload_type, self.payload)

    def head(self) -> Digest:
        """SHA-256 of the pre-authentication encoding: what the next message names as its predecessor."""
        return Digest(hashlib.sha256(self.pae()).digest())


def to_json(envelope: Envelope) -> bytes:
    """Serialise as the DSSE JSON envelope, canonical."""
    return canonical.dump(
        {
            "payload": base64.b64encode(envelope.payload).decode(),
            "payloadType": envelope.payload_type,
            "signatures": [
                {"keyid": s.key.hex(), "sig": base64.b64encode(s.value).decode()} for s in envelope.signatures
            ],
        }
    )


def from_json(raw: bytes) -> Envelope:
    """Parse a canonical DSSE JSON envelope. Raises `PeerError` (MALFORMED, NOT_CANONICAL, TOO_LARGE)."""
    fields = Fields(canonical.load(raw, limit=2 * MAX_STATEMENT))
    payload = _base64(fields.text("payload", 2 * MAX_STATEMENT, empty=True))
    kind = fields.text("payloadType", MAX_PAYLOAD_TYPE)
    signatures = fields.items("signatures", _signature, MAX_SIGNATURES, 1)
    fields.end()
    return Envelope(kind, payload, signatures)


def _signature(fields: Fields) -> Signature:
    signature = Signature(fields.hex("keyid"), _base64(fields.text("sig", 128)))
    fields.end()
    return signature


def _base64(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PeerError(Reason.MALFORMED, "expected standard base64") from error
    if base64.b64encode(raw).decode() != text:
        raise PeerError(Reason.NOT_CANONICAL, "expected the one canonical base64 spelling")
    return raw
