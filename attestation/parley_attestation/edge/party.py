"""Room: the edge. A party's folder: root key, session key, TLS key, and the peer card to hand out.

The root key may live elsewhere: serving and running need the session key alone. Files are mode 0600;
private keys are sealed under a passphrase where one is given.
"""

import datetime as dt
import json
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parley_attestation import keys
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, ParleyError, PeerError, Reason, Role

CARD = "card.json"
_YEAR = 365 * 24 * 3600


class PeerCard(BaseModel):
    """What people exchange and pin: who a party is and where it answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200, description="A name for people; proves nothing.")
    role: Role = Field(description="prover, verifier, chamber or witness.")
    root: str = Field(pattern="^[0-9a-f]{64}$", description="Fingerprint of the root key.")
    root_key: str = Field(pattern="^[0-9a-f]{64}$", description="The root public key, Ed25519.")
    certificate: str = Field(max_length=8192, description="The TLS certificate, PEM.")
    endpoint: str = Field(default="", max_length=300, description="host:port, where the party serves.")

    @property
    def fingerprint(self) -> Digest:
        """Fingerprint of the root key."""
        return Digest(bytes.fromhex(self.root))

    @property
    def tls_digest(self) -> Digest:
        """SHA-256 of the TLS certificate in DER."""
        return certificate_digest(self.certificate.encode())


def certificate_digest(pem: bytes) -> Digest:
    """SHA-256 over the DER form of a PEM certificate. Raises `LocalError` (CONFIG)."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise LocalError(Reason.CONFIG, "expected one X.509 certificate in PEM") from error
    return Digest(certificate.fingerprint(hashes.SHA256()))


def read_card(path: Path) -> PeerCard:
    """Read a peer card and check that its fingerprint is its key's. Raises `LocalError` (CONFIG)."""
    try:
        card = PeerCard.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise LocalError(
            Reason.CONFIG,
            f"{path}: not a peer card ({_first(error)})",
            hint="ask the other party for its card.json",
        ) from error
    if keys.fingerprint(PublicKey(bytes.fromhex(card.root_key))).hex() != card.root:
        raise LocalError(Reason.CONFIG, f"{path}: the fingerprint is not the root key's")
    card.tls_digest  # noqa: B018 - raises where the certificate is not one
    return card


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        one = error.errors()[0]
        return f"{'.'.join(str(p) for p in one['loc'])}: {one['msg']}"
    return str(error)


@dataclass(frozen=True)
class Party:
    """An opened party folder. Its representation shows no secret."""

    folder: Path
    card: PeerCard
    session: SigningKey
    history: tuple[bytes, ...]
    tls_key: bytes

    def __repr__(self) -> str:
        return f"Party({self.card.name!r}, {self.card.role})"

    @property
    def root(self) -> SigningKey:
        """The root key, read when it is needed. Raises `LocalError` (CONFIG) where it is kept elsewhere."""
        return _read_key(self.folder / "root.key")


def create(
    folder: Path, *, name: str, role: Role, entropy: bytes, now: int, endpoint: str = "", years: int = 2
) -> Party:
    """Make a party: keys, certificate, history and card, in a folder that must not hold one yet.

    Args:
        folder: Where to put it; created with mode 0700.
        name: A name for people.
        role: What the session key may sign as.
        entropy: 64 random bytes: seeds of the root and the session key.
        now: Unix seconds, start of validity.
        endpoint: host:port, for a party that serves.
        years: Validity of the session key and the certificate.

    Raises:
        LocalError: CONFIG, where the folder holds a party already.
    """
    if (folder / CARD).exists():
        raise LocalError(Reason.CONFIG, f"{folder}: holds a party already", hint="choose another folder")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    root, session = SigningKey(entropy[:32]), SigningKey(entropy[32:64])
    certificate, tls_key = _self_signed(name, now, now + years * _YEAR)
    certified = keys.Certificate(root.public, session.public, role, now - 300, now + years * _YEAR)
    history = (certified.sealed(root),)
    card = PeerCard(
        name=name,
        role=role,
        root=keys.fingerprint(root.public).hex(),
        root_key=root.public.hex(),
        certificate=certificate.decode(),
        endpoint=endpoint,
    )
    _write(folder / "root.key", root.seed().hex().encode() + b"\n")
    _write(folder / "session.key", session.seed().hex().encode() + b"\n")
    _write(folder / "tls.key", tls_key)
    _write(folder / "history.json", json.dumps([h.decode() for h in history]).encode())
    _write(folder / CARD, card.model_dump_json(indent=2).encode() + b"\n", mode=0o644)
    return Party(folder, card, session, history, tls_key)


def load(folder: Path) -> Party:
    """Open a party folder.

    Raises:
        LocalError: CONFIG or CORRUPT, naming the file.
    """
    card = read_card(folder / CARD)
    session = _read_key(folder / "session.key")
    try:
        history = tuple(str(h).encode() for h in json.loads((folder / "history.json").read_text()))
        tls_key = (folder / "tls.key").read_bytes()
    except (OSError, ValueError, TypeError) as error:
        raise LocalError(Reason.CONFIG, f"{folder}: {error}") from error
    try:
        found = keys.read_history(history)
        found.certified(session.public, card.role, None)
    except ParleyError as error:
        raise LocalError(Reason.CORRUPT, f"{folder / 'history.json'}: {error.message}") from error
    if found.owner != card.fingerprint:
        raise LocalError(Reason.CORRUPT, f"{folder}: the card and the key history name different root keys")
    return Party(folder, card, session, history, tls_key)


def _read_key(path: Path) -> SigningKey:
    try:
        if path.stat().st_mode & 0o077:
            raise LocalError(Reason.CONFIG, f"{path}: others can read this key", hint=f"chmod 600 {path}")
        return SigningKey(bytes.fromhex(path.read_text().strip()))
    except OSError as error:
        raise LocalError(Reason.CONFIG, f"{path}: {error.strerror}", hint="run parley keygen") from error
    except (ValueError, PeerError):
        raise LocalError(Reason.CORRUPT, f"{path}: expected 64 hexadecimal digits") from None


def _write(path: Path, data: bytes, mode: int = 0o600) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise LocalError(Reason.CONFIG, f"{path}: {error.strerror}", hint="choose another folder") from error
    with os.fdopen(handle, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _self_signed(name: str, start: int, end: int) -> tuple[bytes, bytes]:
    """A pinned, self-signed P-256 certificate: gRPC takes no Ed25519 certificates."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime.fromtimestamp(start - 300, dt.UTC))
        .not_valid_after(dt.datetime.fromtimestamp(end, dt.UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )  # else two pinned parties of one name shut each other out
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), pem


SERVER_NAME = "parley.invalid"  # every certificate carries it; what is checked is the pinned certificate
