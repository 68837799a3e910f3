"""Room: the model. OpenSSF Model Signing bundles: read, and build for signing; `oms_verify` judges them.

Only the profile that the `model_signing` command line itself verifies is read: method `files`, SHA-256,
ECDSA. A bundle carries bare file digests, which name every public model: it is a private exhibit, for a
party's own archive, and never part of a claim. Source: ossf/model-signing-spec v1.0; sigstore bundle v0.3.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parley_attestation.canonical import Fields
from parley_attestation.encoding import Digest
from parley_attestation.envelope import pae
from parley_attestation.errors import PeerError, Reason
from parley_attestation.model.layout import MAX_FILES, MAX_PATH, check_path

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
MAX_BUNDLE = 64 << 20  # bytes
MAX_CERTIFICATES = 8
SINGLE = "."  # how model_signing names a model that is one file


@dataclass(frozen=True, slots=True)
class OmsStatement:
    """What a bundle says about a model; `ignored` are paths that the signer left out."""

    name: str
    files: dict[str, Digest]
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A transparency-log entry in a bundle: the logged body and its inclusion proof."""

    body: bytes
    index: int
    size: int
    root: Digest
    proof: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class OmsBundle:
    """A bundle as parsed. Its signature is not checked yet.

    `hint` names a public key; or `certificates` (DER, leaf first) carry it.
    """

    said: OmsStatement
    payload: bytes
    signature: bytes
    hint: str | None
    certificates: tuple[bytes, ...]
    sigstore: bool
    entries: tuple[LogEntry, ...]

    def pae(self) -> bytes:
        """The bytes that the signature covers."""
        return pae(PAYLOAD_TYPE, self.payload)


def read_bundle(raw: bytes) -> OmsBundle:
    """Parse a bundle strictly; checks no signature.

    Raises:
        PeerError: MALFORMED; TOO_LARGE; UNSUPPORTED for another method, hash or predicate.
    """
    fields = _fields(raw, "")
    if fields.text("mediaType") != BUNDLE_TYPE:
        raise PeerError(Reason.UNSUPPORTED, f"mediaType: expected {BUNDLE_TYPE}")
    envelope = fields.object("dsseEnvelope")
    payload = _base64(envelope.text("payload", MAX_BUNDLE))
    if envelope.text("payloadType") != PAYLOAD_TYPE:
        envelope.refuse("payloadType", PAYLOAD_TYPE)
    (signature,) = envelope.items("signatures", _signature, 1, 1)
    envelope.end()
    material = fields.object("verificationMaterial")
    entries = material.items("tlogEntries", _entry, 16)
    hint, certificates, sigstore = _key(material)
    if material.has("timestampVerificationData"):
        material.raw("timestampVerificationData")
    material.end()
    fields.end()
    return OmsBundle(_statement(payload), payload, signature, hint, certificates, sigstore, entries)


def build_payload(name: str, files: Mapping[str, Digest], ignored: tuple[str, ...] = ()) -> bytes:
    """The statement that signs `files` (path to SHA-256); what `sign` in the prover puts in a bundle."""
    rows = sorted(files.items())
    root = hashlib.sha256(b"".join(sha256 for _, sha256 in rows)).hexdigest()
    return json.dumps(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": root}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "resources": [
                    {"name": path, "algorithm": "sha256", "digest": sha256.hex()} for path, sha256 in rows
                ],
                "serialization": {
                    "method": "files",
                    "hash_type": "sha256",
                    "allow_symlinks": False,
                    "ignore_paths": list(ignored),
                },
            },
        },
        sort_keys=True,
    ).encode()


def build_bundle(payload: bytes, signature: bytes, hint: str) -> bytes:
    """The bundle around a signed payload; `hint` is the SHA-256 of the public key's PEM, in hexadecimal."""
    return json.dumps(
        {
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
            },
        }
    ).encode()


def _key(material: Fields) -> tuple[str | None, tuple[bytes, ...], bool]:
    if material.has("publicKey"):
        key = material.object("publicKey")
        hint = key.text("hint", 128)
        key.end()
        return hint, (), False
    if material.has("certificate"):
        return None, (_certificate(material.object("certificate")),), True
    chain = material.object("x509CertificateChain")
    found = chain.items("certificates", _certificate, MAX_CERTIFICATES, 1)
    chain.end()
    return None, found, False


def _certificate(fields: Fields) -> bytes:
    raw = _base64(fields.text("rawBytes", 1 << 16))
    fields.end()
    return raw


def _signature(fields: Fields) -> bytes:
    value = _base64(fields.text("sig", 1024))
    if fields.has("keyid"):
        fields.text("keyid", 256, empty=True)
    fields.end()
    return value


def _entry(fields: Fields) -> LogEntry:
    for name in ("logIndex", "logId", "kindVersion", "integratedTime", "inclusionPromise"):
        if fields.has(name):
            fields.raw(name)
    body = _base64(fields.text("canonicalizedBody", MAX_BUNDLE))
    proof = fields.object("inclusionProof")
    index, size = _decimal(proof, "logIndex"), _decimal(proof, "treeSize")
    root = Digest(_base64(proof.text("rootHash", 64)))
    hashes = tuple(Digest(_base64(h)) for h in proof.texts("hashes", 64))
    proof.raw("checkpoint")
    proof.end()
    fields.end()
    return LogEntry(body, index, size, root, hashes)


def _decimal(fields: Fields, name: str) -> int:
    text = fields.decimal(name)
    if not text.isdigit() or len(text) > 16:
        fields.refuse(name, "a whole number")
    return int(text)


def _statement(payload: bytes) -> OmsStatement:
    fields = _fields(payload, "statement")
    if fields.text("_type") != STATEMENT_TYPE or fields.text("predicateType") != PREDICATE_TYPE:
        raise PeerError(Reason.UNSUPPORTED, f"expected an in-toto statement of type {PREDICATE_TYPE}")
    ((name, root),) = fields.items("subject", _subject, 1, 1)
    predicate = fields.object("predicate")
    rows = predicate.items("resources", _resource, MAX_FILES, 1)
    how = predicate.object("serialization")
    method, kind = how.text("method"), how.text("hash_type")
    if (method, kind) != ("files", "sha256"):
        raise PeerError(Reason.UNSUPPORTED, "expected the method 'files' with sha256, got another")
    ignored = how.texts("ignore_paths", 4096) if how.has("ignore_paths") else ()
    if how.has("allow_symlinks") and how.boolean("allow_symlinks"):
        raise PeerError(Reason.UNSUPPORTED, "expected a model signed without symbolic links")
    for one in (how, predicate, fields):
        one.end()
    files = dict(rows)
    if len(files) != len(rows) or (SINGLE in files and len(files) > 1):
        raise PeerError(Reason.MALFORMED, "expected every file of the bundle once")
    if hashlib.sha256(b"".join(sha256 for _, sha256 in rows)).digest() != root:
        raise PeerError(Reason.MALFORMED, "the subject's digest is not that of the resources")
    return OmsStatement(name, files, ignored)


def _subject(fields: Fields) -> tuple[str, Digest]:
    name = fields.text("name", MAX_PATH)
    digests = fields.object("digest")
    root = digests.digest("sha256")
    digests.end()
    fields.end()
    return name, root


def _resource(fields: Fields) -> tuple[str, Digest]:
    name = fields.text("name", MAX_PATH)
    if name != SINGLE:
        check_path(name)
    if fields.text("algorithm") != "sha256":
        raise PeerError(Reason.UNSUPPORTED, f"{fields.path}.algorithm: expected sha256")
    sha256 = fields.digest("digest")
    if fields.has("annotations"):
        fields.raw("annotations")
    fields.end()
    return name, sha256


def _fields(raw: bytes, path: str) -> Fields:
    """JSON in any spelling, but every key once."""
    if len(raw) > MAX_BUNDLE:
        raise PeerError(Reason.TOO_LARGE, f"expected a bundle of at most {MAX_BUNDLE} bytes")
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise PeerError(Reason.MALFORMED, "expected one JSON value in UTF-8") from error
    return Fields(value, path)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise PeerError(Reason.MALFORMED, "expected every key of a JSON object once")
    return made


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PeerError(Reason.MALFORMED, "expected standard base64") from error
