"""Room: the floor. Signed key histories: who a party is, and which keys may sign for it when.

A party is its root key. The root certifies session keys with a role and a time range; a revocation
ends a key at a time. A key is judged at the time that a witness gives, never at a clock read here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from parley_attestation import statement
from parley_attestation.canonical import Fields
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.encoding import Digest, Label, digest
from parley_attestation.errors import PeerError, Reason, Role

CERTIFICATE = "tag:parley,2026:key-certificate/v1"
REVOCATION = "tag:parley,2026:key-revocation/v1"
MAX_HISTORY = 64  # certificates and revocations in one key history
MAX_TIME = 1 << 42  # Unix seconds; far beyond any date this protocol will see


def fingerprint(root: PublicKey) -> Digest:
    """The name of a party: a digest of its root key."""
    return digest(Label.ROOT_KEY, root)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a root key says about one session key; times in Unix seconds, both ends inclusive."""

    root: PublicKey
    key: PublicKey
    role: Role
    not_before: int
    not_after: int

    def sealed(self, root: SigningKey) -> bytes:
        """The signed statement, as bytes of a DSSE envelope in JSON."""
        predicate = {
            "root": self.root.hex(),
            "key": self.key.hex(),
            "role": self.role.value,
            "not_before": self.not_before,
            "not_after": self.not_after,
        }
        subject = statement.Subject("key", digest(Label.ROOT_KEY, self.key))
        return statement.seal(statement.Statement(CERTIFICATE, (subject,), predicate), root)


@dataclass(frozen=True, slots=True)
class Revocation:
    """The root key withdraws a session key from `since` (Unix seconds) on."""

    root: PublicKey
    key: PublicKey
    since: int

    def sealed(self, root: SigningKey) -> bytes:
        """The signed statement, as bytes of a DSSE envelope in JSON."""
        predicate = {"root": self.root.hex(), "key": self.key.hex(), "since": self.since}
        subject = statement.Subject("key", digest(Label.ROOT_KEY, self.key))
        return statement.seal(statement.Statement(REVOCATION, (subject,), predicate), root)


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """Everything one root key has said about its session keys, verified."""

    root: PublicKey
    certificates: tuple[Certificate, ...]
    revocations: tuple[Revocation, ...]

    @property
    def owner(self) -> Digest:
        """Fingerprint of the root key."""
        return fingerprint(self.root)

    def certified(self, key: bytes, role: Role, at: int | None) -> Certificate:
        """The certificate of `key` for `role`, valid at the witnessed time `at`.

        Without a witnessed time (`at` is None) only certification and role are judged; the caller
        says so in what it prints.

        Raises:
            PeerError: KEY_NOT_CERTIFIED.
        """
        found = [c for c in self.certificates if c.key == key and c.role is role]
        if not found:
            raise PeerError(Reason.KEY_NOT_CERTIFIED, f"the root key certifies no such key as {role}")
        if at is None:
            return found[-1]
        live = [c for c in found if c.not_before <= at <= c.not_after]
        if not live:
            raise PeerError(Reason.KEY_NOT_CERTIFIED, f"the key was not valid at the witnessed time {at}")
        if any(r.key == key and r.since <= at for r in self.revocations):
            raise PeerError(Reason.KEY_NOT_CERTIFIED, f"the key was revoked before the witnessed time {at}")
        return live[-1]


def read_history(sealed: Sequence[bytes]) -> KeyHistory:
    """Verify a key history: every entry signed by one and the same root key.

    Raises:
        PeerError: BAD_KEY, BAD_SIGNATURE, BAD_STATEMENT.
    """
    if not 1 <= len(sealed) <= MAX_HISTORY:
        raise PeerError(Reason.BAD_KEY, f"expected 1..{MAX_HISTORY} entries in a key history")
    root = statement.signer(sealed[0])
    certificates: list[Certificate] = []
    revocations: list[Revocation] = []
    for one in sealed:
        said = statement.open_sealed(one, root)
        fields = said.fields(Reason.BAD_KEY)
        if fields.bytes32("root") != root:
            raise PeerError(Reason.BAD_KEY, "an entry of the key history names another root key")
        if said.predicate_type == CERTIFICATE:
            certificates.append(_certificate(fields, root))
        elif said.predicate_type == REVOCATION:
            revocations.append(
                Revocation(root, PublicKey(fields.hex("key")), fields.integer("since", 0, MAX_TIME))
            )
        else:
            raise PeerError(Reason.BAD_KEY, "expected key certificates and revocations only")
        fields.end()
    return KeyHistory(root, tuple(certificates), tuple(revocations))


def _certificate(fields: Fields, root: PublicKey) -> Certificate:
    return Certificate(
        root,
        PublicKey(fields.hex("key")),
        fields.choice("role", {r.value: r for r in Role}),
        fields.integer("not_before", 0, MAX_TIME),
        fields.integer("not_after", 0, MAX_TIME),
    )
