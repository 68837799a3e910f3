"""Signature checks: the vendors' algorithms and sizes, and nothing else."""

import evidence_forge as forge
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from parley_attestation.evidence import EvidenceError, Finding, crypto, x509
from parley_attestation.evidence.crypto import Algorithm

F = Finding
RSA = rsa.generate_private_key(65537, 2048)


def spki(key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def refusal(call, *arguments) -> Finding:
    with pytest.raises(EvidenceError) as caught:
        call(*arguments)
    return caught.value.finding


@pytest.mark.parametrize("key", [forge.p256(), forge.p384(), RSA], ids=["p256", "p384", "rsa"])
def test_the_vendors_keys_are_loaded(key):
    assert crypto.load_key(spki(key)) == key.public_key()


@pytest.mark.parametrize(
    "raw",
    [
        spki(ec.generate_private_key(ec.SECP521R1())),
        spki(ec.generate_private_key(ec.SECP256K1())),
        spki(ed25519.Ed25519PrivateKey.generate()),
        rsa.RSAPublicNumbers(65537, (1 << 1023) | 1)
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        rsa.RSAPublicNumbers((1 << 33) + 1, (1 << 2047) | 1)
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        b"",
        b"\x30\x00",
        spki(RSA) + b"\0",
    ],
    ids=range(8),  # fresh keys: their bytes must not name the tests
)
def test_other_keys_are_refused(raw):
    assert refusal(crypto.load_key, raw) is F.UNSUPPORTED_ALGORITHM


def test_a_key_of_more_bytes_than_any_vendors_is_not_even_loaded(monkeypatch):
    monkeypatch.setattr(crypto, "load_der_public_key", lambda _: pytest.fail("loaded"))
    assert refusal(crypto.load_key, bytes(1201)) is F.UNSUPPORTED_ALGORITHM


def test_points_have_one_size_and_lie_on_their_curve():
    assert refusal(crypto.point_key, bytes(63), Algorithm.ECDSA_P256_SHA256) is F.MALFORMED
    assert refusal(crypto.point_key, bytes(96), Algorithm.ECDSA_P256_SHA256) is F.MALFORMED
    assert refusal(crypto.point_key, bytes(64), Algorithm.ECDSA_P256_SHA256) is F.SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("key", "algorithm", "digest", "size"),
    [
        (forge.p256(), Algorithm.ECDSA_P256_SHA256, hashes.SHA256(), 32),
        (forge.p384(), Algorithm.ECDSA_P384_SHA384, hashes.SHA384(), 48),
    ],
)
def test_an_ecdsa_signature_has_one_size_and_both_of_its_values_hold(key, algorithm, digest, size):
    public = key.public_key()
    good = forge.raw_signature(key, b"m", digest, size)
    crypto.verify(public, algorithm, b"m", good)
    order = {32: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551}.get(
        size,
        int(
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
            16,
        ),
    )
    other = order - int.from_bytes(good[size:], "big")
    crypto.verify(public, algorithm, b"m", good[:size] + other.to_bytes(size, "big"))
    padded = good[:size] + b"\0" + good[size:]
    for bad in (good[:-1], good + b"\0", padded, bytes(2 * size), b"\xff" * (2 * size), b""):
        assert refusal(crypto.verify, public, algorithm, b"m", bad) is F.SIGNATURE_INVALID
    assert refusal(crypto.verify, public, algorithm, b"n", good) is F.SIGNATURE_INVALID


def test_a_key_of_another_kind_than_the_algorithm_is_refused():
    good = forge.raw_signature(forge.p256(), b"m", hashes.SHA256(), 32)
    p384, p256 = forge.p384().public_key(), forge.p256().public_key()
    rsa_public = RSA.public_key()
    for public, algorithm, signature in (
        (p384, Algorithm.ECDSA_P256_SHA256, good),
        (rsa_public, Algorithm.ECDSA_P256_SHA256, good),
        (p256, Algorithm.RSA_PSS_SHA384, bytes(256)),
        (p256, Algorithm.RSA_PKCS1_SHA256, bytes(256)),
    ):
        assert refusal(crypto.verify, public, algorithm, b"m", signature) is F.SIGNATURE_INVALID


def test_rsa_schemes_are_told_apart():
    pkcs1 = RSA.sign(b"m", padding.PKCS1v15(), hashes.SHA256())
    pss = RSA.sign(b"m", padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA384())
    short = RSA.sign(b"m", padding.PSS(padding.MGF1(hashes.SHA384()), 47), hashes.SHA384())
    public = RSA.public_key()
    crypto.verify(public, Algorithm.RSA_PKCS1_SHA256, b"m", pkcs1)
    crypto.verify(public, Algorithm.RSA_PSS_SHA384, b"m", pss)
    assert refusal(crypto.verify, public, Algorithm.RSA_PSS_SHA384, b"m", pkcs1) is F.SIGNATURE_INVALID
    assert refusal(crypto.verify, public, Algorithm.RSA_PSS_SHA384, b"m", short) is F.SIGNATURE_INVALID
    assert refusal(crypto.verify, public, Algorithm.RSA_PKCS1_SHA256, b"m", pss) is F.SIGNATURE_INVALID


def test_numbers_too_large_for_the_curve_become_a_signature_that_never_holds():
    raw = crypto.raw_ecdsa((1 << 384, 5), Algorithm.ECDSA_P384_SHA384)
    assert raw == bytes(48) + (5).to_bytes(48, "big")


def edited(raw: bytes, old: bytes, new: bytes, which: int) -> bytes:
    """Replace one occurrence of `old`."""
    parts = raw.split(old)
    return old.join(parts[: which + 1]) + new + old.join(parts[which + 1 :])


def test_a_certificate_says_its_version_and_its_algorithm_once_and_the_same():
    raw = forge.issue("leaf", forge.p256()).der
    sha256, sha384 = bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d040303")
    for which in (0, 1):
        assert refusal(x509.parse_certificate, edited(raw, sha256, sha384, which)) is F.BAD_CERTIFICATE
    version = bytes.fromhex("a003020102")
    assert refusal(x509.parse_certificate, edited(raw, version, version[:-1] + b"\1", 0)) is F.BAD_CERTIFICATE


def test_pss_with_other_parameters_is_refused():
    name = forge.name("x")
    builder = forge.x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.public_key(RSA.public_key())
    builder = builder.not_valid_before(forge.when(0)).not_valid_after(forge.when(9))
    for digest, salt in ((hashes.SHA256(), 32), (hashes.SHA384(), 32)):
        scheme = padding.PSS(padding.MGF1(digest), salt)
        raw = builder.sign(RSA, digest, rsa_padding=scheme).public_bytes(Encoding.DER)
        assert refusal(x509.parse_certificate, raw) is F.UNSUPPORTED_ALGORITHM
    plain = builder.sign(RSA, hashes.SHA384()).public_bytes(Encoding.DER)
    assert refusal(x509.parse_certificate, plain) is F.UNSUPPORTED_ALGORITHM


def test_a_crl_says_its_version_and_its_algorithm_once_and_the_same():
    raw = forge.crl(forge.issue("ca", forge.p256()), [5])
    assert x509.revoked_serials(x509.parse_crl(raw, 9999)) == {5}
    sha256, sha384 = bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d040303")
    assert refusal(x509.parse_crl, edited(raw, sha256, sha384, 1), 9999) is F.BAD_ENDORSEMENT
    version = bytes.fromhex("020101300a")
    assert refusal(x509.parse_crl, edited(raw, version, b"\2\1\0\x30\x0a", 0), 9999) is F.BAD_ENDORSEMENT
