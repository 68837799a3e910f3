"""Room: the floor. in-toto Statements v1 in canonical JSON, signed with DSSE: every durable artefact.

A statement's digest is over its payload bytes, never over its envelope: signatures can be added
without giving it another name.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from parley_attestation import canonical, envelope
from parley_attestation.canonical import Fields
from parley_attestation.ed25519 import PublicKey, SigningKey, verify
from parley_attestation.encoding import MAX_STATEMENT, Digest
from parley_attestation.errors import PeerError, Reason

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
MAX_SUBJECTS = 64


@dataclass(frozen=True, slots=True)
class Subject:
    """What a statement is about: a name and a SHA-256 digest."""

    name: str
    sha256: Digest


@dataclass(frozen=True, slots=True)
class Statement:
    """One in-toto statement. `raw` is the payload as signed or received; it is derived when absent."""

    predicate_type: str
    subjects: tuple[Subject, ...]
    predicate: Any
    raw: bytes = field(default=b"")

    def payload(self) -> bytes:
        """The canonical bytes."""
        return self.raw or canonical.dump(
            {
                "_type": STATEMENT_TYPE,
                "subject": [{"name": s.name, "digest": {"sha256": s.sha256.hex()}} for s in self.subjects],
                "predicateType": self.predicate_type,
                "predicate": self.predicate,
            }
        )

    def digest(self) -> Digest:
        """The statement's name: SHA-256 over its payload bytes."""
        return Digest(hashlib.sha256(self.payload()).digest())

    def fields(self, reason: Reason = Reason.BAD_STATEMENT) -> Fields:
        """A strict reader over the predicate that refuses with `reason`."""
        return Fields(self.predicate, "predicate", reason=reason)

    def expect(self, predicate_type: str) -> "Statement":
        """Return this statement if it has the given type. Raises `PeerError` (BAD_STATEMENT)."""
        if self.predicate_type != predicate_type:
            raise PeerError(
                Reason.BAD_STATEMENT,
                f"expected a statement of type {predicate_type}, got {self.predicate_type}",
            )
        return self


def parse(payload: bytes) -> Statement:
    """Parse the payload of a statement. Raises `PeerError`; checks no signature."""
    fields = Fields(canonical.load(payload, limit=MAX_STATEMENT), reason=Reason.BAD_STATEMENT)
    if fields.text("_type") != STATEMENT_TYPE:
        fields.refuse("_type", STATEMENT_TYPE)
    subjects = fields.items("subject", _subject, MAX_SUBJECTS, 1)
    kind = fields.text("predicateType", 256)
    predicate = fields.raw("predicate")
    fields.end()
    return Statement(kind, subjects, predicate, payload)


def _subject(fields: Fields) -> Subject:
    name = fields.text("name", 512)
    digests = fields.object("digest")
    value = digests.digest("sha256")
    digests.end()
    fields.end()
    return Subject(name, value)


def seal(said: Statement, *keys: SigningKey) -> bytes:
    """Sign a statement and return the DSSE envelope as canonical JSON."""
    payload = said.payload()
    if len(payload) > MAX_STATEMENT:
        raise PeerError(Reason.TOO_LARGE, f"expected a statement of at most {MAX_STATEMENT} bytes")
    message = envelope.pae(PAYLOAD_TYPE, payload)
    signatures = tuple(envelope.Signature(key.public, key.sign(message)) for key in keys)
    return envelope.to_json(envelope.Envelope(PAYLOAD_TYPE, payload, signatures))


def signer(sealed: bytes) -> PublicKey:
    """The key that a sealed statement says signed it first; proves nothing by itself."""
    return PublicKey(envelope.from_json(sealed).signatures[0].key)


def open_sealed(sealed: bytes, *keys: bytes) -> Statement:
    """Verify that every one of `keys` signed the statement, then parse it.

    Raises:
        PeerError: BAD_SIGNATURE where a key did not sign, BAD_STATEMENT or MALFORMED otherwise.
    """
    carrier = envelope.from_json(sealed)
    if carrier.payload_type != PAYLOAD_TYPE:
        raise PeerError(Reason.BAD_STATEMENT, f"expected the payload type {PAYLOAD_TYPE}")
    if not keys:
        raise PeerError(Reason.BAD_SIGNATURE, "expected at least one key to check a statement against")
    message = carrier.pae()
    for key in keys:
        signature = next((s for s in carrier.signatures if s.key == key), None)
        if signature is None:
            raise PeerError(Reason.BAD_SIGNATURE, f"the key {key.hex()[:16]}… did not sign the statement")
        verify(key, message, signature.value)
    return parse(carrier.payload)
