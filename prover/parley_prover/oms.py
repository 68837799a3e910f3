"""Room: the prover. Signs OpenSSF Model Signing bundles, for a party that wants its own archive signed."""

from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from parley_attestation.encoding import Digest
from parley_attestation.envelope import pae
from parley_attestation.errors import LocalError, Reason
from parley_attestation.model.oms import PAYLOAD_TYPE, build_bundle, build_payload
from parley_attestation.model.oms_verify import key_hint


def sign_oms(
    name: str, files: Mapping[str, Digest], private_key: bytes, ignored: tuple[str, ...] = ()
) -> bytes:
    """Sign the digests of a model's files.

    Args:
        name: What the bundle calls the model.
        files: SHA-256 by path, from `file_digests`.
        private_key: PEM of an unencrypted P-256 key: `model_signing` takes no Ed25519.
        ignored: Paths that were left out.

    Raises:
        LocalError: CONFIG, for any other key.
    """
    try:
        key = serialization.load_pem_private_key(private_key, password=None)
    except (ValueError, TypeError) as error:
        raise LocalError(Reason.CONFIG, "expected an unencrypted private key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise LocalError(
            Reason.CONFIG, "expected a P-256 key", hint="openssl ecparam -name prime256v1 -genkey"
        )
    payload = build_payload(name, files, ignored)
    signature = key.sign(pae(PAYLOAD_TYPE, payload), ec.ECDSA(hashes.SHA256()))
    return build_bundle(payload, signature, key_hint(key.public_key()))
