"""Room: evidence. The signature checks of the vendors' algorithms, over `cryptography`; this room only.

Keys of other types, other curves or unreasonable sizes are refused before any arithmetic, so that no
input makes a check slow.
"""

from enum import StrEnum

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from parley_attestation.evidence.findings import Finding, refuse


class Algorithm(StrEnum):
    """Signature algorithms that vendors use in evidence and its endorsements."""

    ECDSA_P256_SHA256 = "ecdsa-p256-sha256"
    ECDSA_P384_SHA384 = "ecdsa-p384-sha384"
    RSA_PSS_SHA384 = "rsa-pss-sha384"
    RSA_PKCS1_SHA256 = "rsa-pkcs1-sha256"
    RSA_PSS_SHA256 = "rsa-pss-sha256"


_CURVES: dict[Algorithm, tuple[type[ec.EllipticCurve], hashes.HashAlgorithm, int]] = {
    Algorithm.ECDSA_P256_SHA256: (ec.SECP256R1, hashes.SHA256(), 32),
    Algorithm.ECDSA_P384_SHA384: (ec.SECP384R1, hashes.SHA384(), 48),
}
_RSA: dict[Algorithm, tuple[padding.AsymmetricPadding, hashes.HashAlgorithm]] = {
    Algorithm.RSA_PSS_SHA384: (padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA384()),
    Algorithm.RSA_PKCS1_SHA256: (padding.PKCS1v15(), hashes.SHA256()),
    Algorithm.RSA_PSS_SHA256: (padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()),
}
_MAX_SPKI = 1200  # bytes; RSA-8192 needs 1,062
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


def load_key(spki: bytes) -> PublicKey:
    """Load a SubjectPublicKeyInfo: P-256, P-384 or RSA of 2048..8192 bits.

    Raises:
        EvidenceError: UNSUPPORTED_ALGORITHM.
    """
    if len(spki) > _MAX_SPKI:
        refuse(Finding.UNSUPPORTED_ALGORITHM, f"expected a public key of at most {_MAX_SPKI} bytes")
    try:
        key = load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        refuse(Finding.UNSUPPORTED_ALGORITHM, "expected a public key that can be loaded")
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        return key
    if (
        not isinstance(key, rsa.RSAPublicKey)
        or not 2048 <= key.key_size <= 8192
        or key.public_numbers().e > 0xFFFFFFFF
    ):
        refuse(Finding.UNSUPPORTED_ALGORITHM, "expected a key on P-256 or P-384, or RSA of 2048..8192 bits")
    return key


def point_key(point: bytes, algorithm: Algorithm) -> PublicKey:
    """Load an uncompressed point x || y on the algorithm's curve. Raises `EvidenceError`."""
    curve, _, size = _CURVES[algorithm]
    if len(point) != 2 * size:
        refuse(Finding.MALFORMED, f"expected a point of {2 * size} bytes, got {len(point)}")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curve(), b"\x04" + point)
    except ValueError:
        refuse(Finding.SIGNATURE_INVALID, "expected a public key that is a point on its curve")


def rsa_key(modulus: int, exponent: int) -> PublicKey:
    """An RSA key from its numbers, 2048..8192 bits. Raises `EvidenceError`."""
    if not 2048 <= modulus.bit_length() <= 8192 or not 3 <= exponent <= 0xFFFFFFFF:
        refuse(Finding.UNSUPPORTED_ALGORITHM, "expected an RSA key of 2048..8192 bits")
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:
        refuse(Finding.UNSUPPORTED_ALGORITHM, "expected an RSA key that can be loaded")


def verify(
    key: PublicKey,
    algorithm: Algorithm,
    message: bytes,
    signature: bytes,
    finding: Finding = Finding.SIGNATURE_INVALID,
) -> None:
    """Check a signature; ECDSA signatures are r || s, big-endian, each of the curve's size.

    Both s and n - s are accepted, as the vendors do: evidence bytes are no unique name of anything.

    Raises:
        EvidenceError: `finding`.
    """
    if algorithm in _CURVES:
        size = _CURVES[algorithm][2]
        if len(signature) != 2 * size:
            refuse(finding, f"expected a signature of {2 * size} bytes, got {len(signature)}")
        r, s = (int.from_bytes(signature[at : at + size], "big") for at in (0, size))
        signature = encode_dss_signature(r, s)
    verify_der(key, algorithm, message, signature, finding)


def verify_der(
    key: PublicKey,
    algorithm: Algorithm,
    message: bytes,
    signature: bytes,
    finding: Finding = Finding.SIGNATURE_INVALID,
) -> None:
    """Check a signature as X.509 carries it; ECDSA signatures are DER. Raises `EvidenceError` (`finding`)."""
    try:
        if algorithm in _CURVES:
            curve, digest, _ = _CURVES[algorithm]
            if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, curve):
                refuse(finding, f"expected a key for {algorithm}")
            key.verify(signature, message, ec.ECDSA(digest))
        else:
            pad, digest = _RSA[algorithm]
            if not isinstance(key, rsa.RSAPublicKey):
                refuse(finding, f"expected a key for {algorithm}")
            key.verify(signature, message, pad, digest)
    except (InvalidSignature, ValueError):
        refuse(finding, f"the {algorithm} signature does not verify under the stated key")


def raw_ecdsa(numbers: tuple[int, int], algorithm: Algorithm) -> bytes:
    """Two numbers as r || s of the curve's size; numbers out of range become 0, which never verifies."""
    size = _CURVES[algorithm][2]
    return b"".join((n if n < 1 << (8 * size) else 0).to_bytes(size, "big") for n in numbers)
