"""Room: the model. Verifies OpenSSF Model Signing bundles offline, and says what it could not verify.

A bundle signed with a bare key is verified in full. One with a certificate chain is verified up to the
roots that the caller hands in. One from Sigstore is verified as far as no key of Sigstore is needed: the
signature, and that the log entry is about this signature and stands in the tree that it names; the
identity provider's chain, the log's own signature and timestamps are reported as open.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from parley_attestation.errors import PeerError, Reason
from parley_attestation.merkle import leaf_hash, verify_inclusion
from parley_attestation.model.oms import LogEntry, OmsBundle, OmsStatement, read_bundle

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
_SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


@dataclass(frozen=True, slots=True)
class VerifiedOms:
    """What a bundle says, under a signature that holds; `unverified` lists what nobody checked here."""

    said: OmsStatement
    unverified: tuple[str, ...]


def key_hint(key: ec.EllipticCurvePublicKey) -> str:
    """How `model_signing` names a public key: SHA-256 of its PEM, in hexadecimal."""
    return hashlib.sha256(key.public_bytes(serialization.Encoding.PEM, _SPKI)).hexdigest()


def verify_oms(
    raw: bytes, *, public_key: bytes | None = None, roots: Sequence[bytes] = (), at: int | None = None
) -> VerifiedOms:
    """Verify a bundle.

    Args:
        raw: The bundle.
        public_key: PEM of the signer's public key; needed for bundles that carry only a hint, and
            compared where they carry a certificate.
        roots: PEM certificates that a chain may end at.
        at: Unix seconds at which certificates must be valid; without it, validity is left open.

    Raises:
        PeerError: BAD_SIGNATURE; BAD_KEY for keys and chains that do not fit; BAD_PROOF for log entries
            that do not; MALFORMED, TOO_LARGE, UNSUPPORTED.
    """
    bundle = read_bundle(raw)
    pinned = _public_key(public_key) if public_key is not None else None
    if bundle.hint is not None:
        if pinned is None:
            raise PeerError(Reason.BAD_KEY, "expected the signer's public key: the bundle only hints at it")
        if bundle.hint != key_hint(pinned):
            raise PeerError(Reason.BAD_KEY, "the bundle names another public key")
        _check_signature(bundle, pinned)
        return VerifiedOms(bundle.said, ())
    chain = [_certificate(c) for c in bundle.certificates]
    key = _ec(chain[0].public_key())
    if pinned is not None and key_hint(pinned) != key_hint(key):
        raise PeerError(Reason.BAD_KEY, "the bundle's certificate is for another public key")
    _check_signature(bundle, key)
    unverified = [] if pinned is not None else _chain(chain, [_pem(r) for r in roots], at)
    if bundle.sigstore and not bundle.entries:
        unverified.append("the signature stands in no transparency log")
    for entry in bundle.entries:
        _check_entry(entry, bundle)
        unverified.append("the log's signature over its tree, and the time it gives")
    return VerifiedOms(bundle.said, tuple(unverified))


def _check_signature(bundle: OmsBundle, key: ec.EllipticCurvePublicKey) -> None:
    try:
        key.verify(bundle.signature, bundle.pae(), ec.ECDSA(_HASHES[key.curve.name]))
    except InvalidSignature as error:
        raise PeerError(Reason.BAD_SIGNATURE, "the bundle's signature does not verify") from error


def _ec(key: object) -> ec.EllipticCurvePublicKey:
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _HASHES:
        raise PeerError(Reason.BAD_KEY, "expected an ECDSA key on P-256, P-384 or P-521")
    return key


def _public_key(pem: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return _ec(serialization.load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PeerError(Reason.BAD_KEY, "expected a public key in PEM") from error


def _certificate(der: bytes) -> x509.Certificate:
    try:
        found = x509.load_der_x509_certificate(der)
        found.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PeerError(Reason.BAD_KEY, "expected an X.509 certificate") from error
    return found


def _pem(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise PeerError(Reason.BAD_KEY, "expected a root certificate in PEM") from error


def _chain(chain: list[x509.Certificate], roots: list[x509.Certificate], at: int | None) -> list[str]:
    """Check that each certificate is issued by the next, and the last by one of `roots`."""
    for issued, issuer in pairwise(chain):
        if not _issued(issued, issuer):
            raise PeerError(Reason.BAD_KEY, "a certificate of the chain is not issued by the next")
    if at is not None and not all(
        c.not_valid_before_utc.timestamp() <= at <= c.not_valid_after_utc.timestamp() for c in chain
    ):
        raise PeerError(Reason.BAD_KEY, f"a certificate of the chain was not valid at {at}")
    validity = [] if at is not None else ["that the certificates were valid when the bundle was signed"]
    if not roots:
        return ["that the certificate chain ends at a trusted root", *validity]
    if not any(chain[-1] == root or _issued(chain[-1], root) for root in roots):
        raise PeerError(Reason.BAD_KEY, "the certificate chain ends at none of the given roots")
    return validity


def _issued(issued: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        authority = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        issued.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    return authority


def _check_entry(entry: LogEntry, bundle: OmsBundle) -> None:
    verify_inclusion(leaf_hash(entry.body), entry.index, entry.size, entry.proof, entry.root)
    try:
        spec = json.loads(entry.body)["spec"]
        logged = spec["payloadHash"]["value"]
        signatures = [base64.b64decode(s["signature"], validate=True) for s in spec["signatures"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PeerError(Reason.BAD_PROOF, "expected a log entry about a DSSE envelope") from error
    if logged != hashlib.sha256(bundle.payload).hexdigest() or signatures != [bundle.signature]:
        raise PeerError(Reason.BAD_PROOF, "the log entry is about another signature")
