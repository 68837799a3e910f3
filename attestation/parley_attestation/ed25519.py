"""Room: the floor. Ed25519 under one exact acceptance rule.

Acceptance (spec section "Suite 1"): canonical encodings, S < L, neither the public key nor R of small
order, and the encoding of [S]B - [k]A equals R byte for byte. Points with a component of small order
beside another one pass. libsodium computes that; other libraries accept more and must be wrapped.
"""

import nacl.bindings
import nacl.exceptions
import nacl.signing

from parley_attestation.encoding import Bytes32
from parley_attestation.errors import PeerError, Reason


class PublicKey(Bytes32):
    """An Ed25519 public key as it stands in a certificate; checked when it verifies."""

    __slots__ = ()


class SigningKey:
    """An Ed25519 private key. Its bytes appear in no representation, error or log."""

    def __init__(self, seed: bytes) -> None:
        """Take the 32-byte seed of RFC 8032."""
        self._key = nacl.signing.SigningKey(Bytes32(seed))
        self.public = PublicKey(bytes(self._key.verify_key))

    def __repr__(self) -> str:
        return f"SigningKey({self.public.hex()[:16]}…)"

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of `message`."""
        return self._key.sign(message).signature

    def seed(self) -> bytes:
        """The secret itself, for sealing at rest and for nothing else."""
        return bytes(self._key)


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Check one signature under the rule of suite 1.

    Raises:
        PeerError: BAD_SIGNATURE, which blames nobody: the bytes are not known to be anyone's.
    """
    if len(public) != 32 or len(signature) != 64:
        raise PeerError(Reason.BAD_SIGNATURE, "expected a key of 32 and a signature of 64 bytes")
    try:
        nacl.bindings.crypto_sign_open(signature + message, bytes(public))
    except (nacl.exceptions.BadSignatureError, nacl.exceptions.CryptoError) as error:
        raise PeerError(Reason.BAD_SIGNATURE, "the signature does not verify under the stated key") from error
