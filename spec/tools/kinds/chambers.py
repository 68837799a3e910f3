"""Vectors of what binds evidence to a session and of sealed content with its released key."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from parley_attestation import sealing as sealed_content
from parley_attestation.encoding import Bytes32, Digest, Nonce
from parley_attestation.errors import PeerError, Role
from parley_attestation.evidence.binder import Exercise, binders, gpu_nonce
from parley_attestation.sealing import CHUNK, Grant, RecipientKey, Sealed, seal, unseal, unwrap

from kinds.basics import Test, secret

_KEM, _SUITE = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"  # X25519, HKDF-SHA256, AES-256-GCM


def binder() -> Iterator[Test]:
    """Both binders, with and without GPU reports and an HPKE key."""
    for comment, hpke, reports in (
        ("open mode, no accelerator", b"", []),
        ("open mode, two accelerators", b"", [b"first report", b"second report"]),
        ("sealed mode, one accelerator", secret("hpke"), [secret("report") * 3]),
    ):
        exercise = Exercise(
            Digest(secret("transcript")),
            Nonce(secret("prover nonce")),
            Nonce(secret("verifier nonce")),
            Bytes32(secret("answering key")),
            hpke,
        )
        yield {
            "comment": comment,
            "requirement": "EVID-2",
            "transcript": exercise.transcript.hex(),
            "prover_nonce": exercise.prover_nonce.hex(),
            "verifier_nonce": exercise.verifier_nonce.hex(),
            "answering_key": exercise.answering_key.hex(),
            "hpke_key": hpke.hex(),
            "gpu_reports": [one.hex() for one in reports],
            "gpu32": gpu_nonce(exercise).hex(),
            "bind64": binders(exercise, reports).bind64.hex(),
            "result": "valid",
        }


def _reader(raw: bytes):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a `read` over bytes
    at = 0

    def read(size: int) -> bytes:
        nonlocal at
        found = raw[at : at + size]
        at += len(found)
        return found

    return read


def _extract(salt: bytes, label: bytes, value: bytes, suite: bytes) -> bytes:
    mac = HMAC(salt or bytes(32), SHA256())
    mac.update(b"HPKE-v1" + suite + label + value)
    return mac.finalize()


def _expand(prk: bytes, label: bytes, info: bytes, size: int, suite: bytes) -> bytes:
    return HKDFExpand(SHA256(), size, size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info).derive(prk)


def wrap_with(ephemeral: bytes, data_key: bytes, recipient: bytes, info: bytes) -> bytes:
    """HPKE base mode (RFC 9180, sections 4.1 and 5.1) under a given ephemeral key, so that it repeats."""
    private = X25519PrivateKey.from_private_bytes(ephemeral)
    enc = private.public_key().public_bytes_raw()
    shared = private.exchange(X25519PublicKey.from_public_bytes(recipient))
    secret_ = _expand(_extract(b"", b"eae_prk", shared, _KEM), b"shared_secret", enc + recipient, 32, _KEM)
    context = b"\x00" + _extract(b"", b"psk_id_hash", b"", _SUITE) + _extract(b"", b"info_hash", info, _SUITE)
    prk = _extract(secret_, b"secret", b"", _SUITE)
    key = _expand(prk, b"key", context, 32, _SUITE)
    return enc + AESGCM(key).encrypt(_expand(prk, b"base_nonce", context, 12, _SUITE), data_key, b"")


def sealing() -> Iterator[Test]:
    """Sealed contents and wrapped keys; plain content is `size` bytes that count up from 0."""
    recipient = RecipientKey.of_entropy(Bytes32(secret("chamber")))
    for role, size in ((Role.VERIFIER, 0), (Role.PROVER, 5), (Role.VERIFIER, 1000)):
        what = Sealed(role, Digest(secret("session")), Digest(secret("commitment")), size)
        grant = Grant(what, Digest(secret("keys")), Digest(secret("terms")))
        data_key = Bytes32(secret("data key", role, size))
        plain = bytes(n % 256 for n in range(size))
        good = b"".join(seal(what, data_key, _reader(plain)))
        wrapped = wrap_with(secret("ephemeral", role, size), data_key, recipient.public, grant.info())
        head = sealed_content.HEADER
        other = Grant(what, Digest(secret("other keys")), Digest(secret("terms")))
        foreign = wrap_with(secret("ephemeral", role, size), data_key, recipient.public, other.info())
        cases = [
            ("whole", "HPKE-2", good, wrapped),
            ("cut off", "HPKE-2", good[:-1], wrapped),
            ("a byte more", "HPKE-2", good + b"\0", wrapped),
            ("of the other party", "HPKE-2", good[:14] + bytes([good[14] ^ 3]) + good[15:], wrapped),
            ("a changed byte", "HPKE-2", good[:head] + bytes([good[head] ^ 1]) + good[head + 1 :], wrapped),
            ("released to other keys", "HPKE-4", good, foreign),
            ("a wrapped key cut off", "HPKE-4", good, wrapped[:-1]),
        ]
        for comment, requirement, content, key in cases:
            yield {
                "comment": f"{comment}, {size} bytes of the {role}",
                "requirement": requirement,
                "role": role.value,
                "session": what.session.hex(),
                "commitment": what.commitment.hex(),
                "size": size,
                "keys": secret("keys").hex(),
                "terms": secret("terms").hex(),
                "recipient": secret("chamber").hex(),
                "info": grant.info().hex(),
                "wrapped": key.hex(),
                "data_key": data_key.hex(),
                "sealed": content.hex(),
                **_opened(what, grant, recipient, key, content, plain),
            }
    assert CHUNK == 1 << 20


def _opened(
    what: Sealed, grant: Grant, recipient: RecipientKey, wrapped: bytes, content: bytes, plain: bytes
) -> Test:
    try:
        opened = b"".join(unseal(what, unwrap(wrapped, recipient, grant), _reader(content)))
    except PeerError as error:
        return {"result": "invalid", "reason": error.reason.value}
    assert opened == plain
    return {"result": "valid"}
