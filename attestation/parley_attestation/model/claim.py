"""Room: the model. The model claim: what a prover states about its weights, and the secret behind it.

A claim is a signed statement around one keyed commitment. It carries no bare digest, size, count or
tensor name: published models are listed by digest, and sizes alone identify most of them. A prover may
state a name and file formats, in its own words.

The commitment is HMAC(key, frame(label, owner, claim id, content commitment)); the content commitment
(`manifest.commit_content`) is keyed by the secret of a *series*. Two claims of one series over the same
bytes share it: that is how `same` proves equality and shows nothing else.
"""

from dataclasses import dataclass, field

from parley_attestation import canonical, statement
from parley_attestation.canonical import Fields
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.encoding import Bytes32, Digest, Label, Salt, mac
from parley_attestation.errors import PeerError, Reason
from parley_attestation.keys import fingerprint
from parley_attestation.model.layout import MAX_FILES, check_printable
from parley_attestation.model.manifest import MAX_MANIFEST, Blinded, Manifest, blind, read_manifest
from parley_attestation.statement import Statement, Subject

PREDICATE_TYPE = "tag:parley,2026:model-claim/v1"
SCHEME = "sha256-chunks-64k/v1"  # 64 KiB chunks restarting at each segment, salted, RFC 9162
FORMATS = ("gguf", "onnx", "other", "safetensors")
MAX_CLAIM_NAME = 200  # characters


@dataclass(frozen=True, slots=True)
class ModelClaim:
    """A claim as read from its sealed statement. Its owner signed it; what it commits to stays hidden."""

    owner: Digest
    claim_id: Bytes32
    commitment: Digest
    name: str
    formats: tuple[str, ...]
    statement: Statement
    sealed: bytes

    @property
    def digest(self) -> Digest:
        """The claim's name in terms and registrations: the digest of its statement."""
        return self.statement.digest()


@dataclass(frozen=True, slots=True)
class ClaimSecret:
    """What opens a claim. It never leaves the prover, except into a chamber that both parties accept.

    `key` blinds this claim; `series` salts the bytes and is shared by all claims of one series.
    """

    claim_id: Bytes32
    key: Salt = field(repr=False)
    series: Bytes32 = field(repr=False)
    manifest: Manifest = field(repr=False)

    def encode(self) -> bytes:
        """Canonical JSON, for storage readable by the prover alone."""
        return canonical.dump(
            {
                "scheme": SCHEME,
                "claim_id": self.claim_id.hex(),
                "key": self.key.hex(),
                "series": self.series.hex(),
                "files": self.manifest.to_json(),
            }
        )

    def blinded(self) -> Blinded:
        """The manifest with its keys and tree, recomputed."""
        return blind(self.manifest, self.series)

    def content(self) -> Digest:
        """The content commitment, recomputed."""
        return self.blinded().content()


def commit(key: Salt, owner: Digest, claim_id: Bytes32, content: Digest) -> Digest:
    """The commitment that a claim publishes."""
    return mac(key, Label.MODEL_CLAIM, owner, claim_id, content)


def seal_claim(
    root_key: SigningKey, *, secret: ClaimSecret, name: str, formats: tuple[str, ...] = ()
) -> bytes:
    """Sign the claim that `secret` opens; returns a DSSE envelope in JSON.

    Args:
        root_key: The prover's root key; its fingerprint becomes the owner.
        secret: Manifest and keys.
        name: What the prover calls the model, 1..200 characters; it becomes public.
        formats: File formats the prover chooses to state; may be empty.

    Raises:
        PeerError: BAD_MODEL_CLAIM, for a name or formats that no reader would accept.
    """
    owner = fingerprint(root_key.public)
    commitment = commit(secret.key, owner, secret.claim_id, secret.content())
    predicate = {
        "owner": owner.hex(),
        "claim_id": secret.claim_id.hex(),
        "scheme": SCHEME,
        "commitment": commitment.hex(),
        "name": name,
        "formats": sorted(formats),
    }
    sealed = statement.seal(
        Statement(PREDICATE_TYPE, (Subject("model-claim", commitment),), predicate), root_key
    )
    return read_claim(sealed, root_key.public).sealed


def read_claim(sealed: bytes, root: PublicKey | None = None) -> ModelClaim:
    """Verify and read a sealed claim.

    Args:
        sealed: The DSSE envelope in JSON.
        root: The root key that must have signed. Without it the claim is only consistent with the key
            that it names: compare `owner` with a pinned fingerprint.

    Raises:
        PeerError: BAD_SIGNATURE; BAD_MODEL_CLAIM; MALFORMED, NOT_CANONICAL, TOO_LARGE or BAD_STATEMENT
            for bytes that are no statement.
    """
    key = root if root is not None else statement.signer(sealed)
    said = statement.open_sealed(sealed, key)
    if said.predicate_type != PREDICATE_TYPE:
        raise PeerError(Reason.BAD_MODEL_CLAIM, f"expected a statement of type {PREDICATE_TYPE}")
    fields = said.fields(Reason.BAD_MODEL_CLAIM)
    owner = fields.digest("owner")
    claim_id = fields.bytes32("claim_id")
    fields.choice("scheme", {SCHEME: SCHEME})
    commitment = fields.digest("commitment")
    name = fields.text("name", MAX_CLAIM_NAME)
    formats = fields.texts("formats", len(FORMATS))
    fields.end()
    if owner != fingerprint(key):
        raise PeerError(Reason.BAD_MODEL_CLAIM, "owner: expected the fingerprint of the signing root key")
    if said.subjects != (Subject("model-claim", commitment),):
        raise PeerError(Reason.BAD_MODEL_CLAIM, "subject: expected 'model-claim' with the commitment")
    if list(formats) != sorted(set(formats)) or not set(formats) <= set(FORMATS):
        raise PeerError(
            Reason.BAD_MODEL_CLAIM, "formats: expected distinct, sorted names among " + ", ".join(FORMATS)
        )
    check_printable(name)
    return ModelClaim(owner, claim_id, commitment, name, formats, said, sealed)


def read_secret(raw: bytes) -> ClaimSecret:
    """Read a claim's secret strictly. Raises `PeerError` (BAD_MODEL_CLAIM, MALFORMED, NOT_CANONICAL)."""
    fields = Fields(canonical.load(raw, limit=MAX_MANIFEST), reason=Reason.BAD_MODEL_CLAIM)
    fields.choice("scheme", {SCHEME: SCHEME})
    claim_id = fields.bytes32("claim_id")
    key = Salt(fields.hex("key"))
    series = fields.bytes32("series")
    manifest = read_manifest(fields.list("files", MAX_FILES, 1))
    fields.end()
    return ClaimSecret(claim_id, key, series, manifest)


def verify_secret(claim: ModelClaim, secret: ClaimSecret) -> Manifest:
    """Check that `secret` opens `claim`; returns the manifest that the claim commits to.

    Raises:
        PeerError: BAD_OPENING.
    """
    opened = commit(secret.key, claim.owner, secret.claim_id, secret.content())
    if secret.claim_id != claim.claim_id or opened != claim.commitment:
        raise PeerError(Reason.BAD_OPENING, "the secret does not open the model claim")
    return secret.manifest
