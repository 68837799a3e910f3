"""Room: evidence. COSE_Sign1 with ES384 (RFC 9052 section 4.2), as AWS Nitro writes it; this room only."""

from dataclasses import dataclass

import cbor2

from parley_attestation.evidence import cbor, crypto
from parley_attestation.evidence.crypto import Algorithm, PublicKey
from parley_attestation.evidence.findings import Finding, refuse

_TAG_18 = b"\xd2"  # the tag is optional: AWS leaves it out
_ES384 = -35  # RFC 9053 table 1
_ALG = 1


@dataclass(frozen=True, slots=True)
class Sign1:
    """The parts of a COSE_Sign1 object; nothing in the payload is trusted before `verify`."""

    protected: bytes
    payload: bytes
    signature: bytes


def parse(raw: bytes, what: str) -> Sign1:
    """Parse COSE_Sign1, tagged or not: ES384 in the protected header alone, nothing unprotected.

    Raises:
        EvidenceError: MALFORMED, TRAILING_BYTES, UNPROTECTED_HEADER, UNSUPPORTED_ALGORITHM.
    """
    value = cbor.load(raw.removeprefix(_TAG_18), what)
    if not isinstance(value, list) or len(value) != 4:
        refuse(Finding.MALFORMED, f"{what}: expected an array of 4")
    protected, unprotected, payload, signature = value
    if not all(isinstance(part, bytes) for part in (protected, payload, signature)):
        refuse(Finding.MALFORMED, f"{what}: expected byte strings for header, payload and signature")
    if unprotected != {} or not isinstance(unprotected, dict):
        refuse(Finding.UNPROTECTED_HEADER, f"{what}: expected an empty unprotected header")
    header = cbor.load(protected, f"{what} header") if protected else {}
    if header != {_ALG: _ES384} or type(header[_ALG]) is not int:
        refuse(Finding.UNSUPPORTED_ALGORITHM, f"{what}: expected ES384 and nothing else in the header")
    return Sign1(protected, payload, signature)


def verify(signed: Sign1, key: PublicKey) -> bytes:
    """Check the signature over the bytes as received and return the payload.

    Raises:
        EvidenceError: SIGNATURE_INVALID.
    """
    structure = cbor2.dumps(["Signature1", signed.protected, b"", signed.payload])
    crypto.verify(key, Algorithm.ECDSA_P384_SHA384, structure, signed.signature)
    return signed.payload
