"""Room: log. Follows a log and says what concerns a counterparty; `parley log monitor` calls it.

Entries are digests, so a log alone tells that something was registered, not what. A monitor is also
given the signed statements it was shown; it says which of them the log holds, which it does not, and
what they mean about one party: further attempts, timeout claims, revoked keys, a test set used again.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from parley_attestation import statement
from parley_attestation.canonical import Fields
from parley_attestation.ed25519 import PublicKey
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.keys import REVOCATION, fingerprint
from parley_attestation.log.checkpoint import Checkpoint, check_extends, open_checkpoint
from parley_attestation.log.note import NoteKey
from parley_attestation.log.tiles import Read, TileTree
from parley_attestation.log.witness import COSIGNATURE, Cosignature, Event, cosignature_of
from parley_attestation.statement import Statement
from parley_attestation.terms import TERMS, exercise_id

MAX_STATEMENTS = 1 << 16  # statements weighed at once


class Kind(StrEnum):
    """What an alert is about."""

    RETRY = "retry"
    DEFAULT = "default"
    REVOCATION = "revocation"
    REPEATED_TEST_SET = "repeated-test-set"
    NOT_LOGGED = "not-logged"


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that a person should look at; `statements` are the digests that show it."""

    kind: Kind
    text: str
    statements: tuple[Digest, ...]


def follow(
    old: Checkpoint | None, raw: bytes, log_key: NoteKey, read: Read, origin: str | None = None
) -> tuple[Checkpoint, tuple[Digest, ...]]:
    """Verify that a log only grew since `old` and return its checkpoint and the entries that are new.

    Args:
        old: The last checkpoint that this monitor verified, or None at first.
        raw: The checkpoint that the log serves now.
        log_key: The log's key.
        read: Reads the log's files; they are not trusted.
        origin: What the log calls itself, where that is not the name of its key.

    Raises:
        PeerError: BAD_CHECKPOINT where it shrank, BAD_PROOF where its tiles lead elsewhere, EQUIVOCATION
            where the size is the same and the root is not; BAD_SIGNATURE, MALFORMED.
    """
    new, _ = open_checkpoint(raw, log_key, origin)
    start = old.size if old else 0
    if new.size < start:
        raise PeerError(Reason.BAD_CHECKPOINT, f"the log shrank from {start} to {new.size} entries")
    if old and new.size == start and new.root != old.root:
        raise PeerError(Reason.EQUIVOCATION, f"the log signed two roots for the size {start}")
    tree = TileTree(read, new.size)
    if tree.root() != new.root:
        raise PeerError(Reason.BAD_PROOF, "the log's tiles lead to another root than its checkpoint")
    if old:
        check_extends(old, new, tree.consistency(start))
    return new, tuple(Digest(entry) for entry in tree.entries(start))


def alerts(party: Digest, shown: Iterable[bytes], logged: AbstractSet[Digest]) -> tuple[Alert, ...]:
    """Say what the statements that were shown mean about one party.

    A cosignature counts where a witness signed it that the shown terms of its exercise name, and a
    revocation where the party's own root key signed it. Statements of other kinds only count as logged
    or not.

    Args:
        party: Fingerprint of the party's root key.
        shown: Sealed statements.
        logged: The entries of the log.

    Raises:
        PeerError: TOO_LARGE; as `statement.open_sealed` for one that does not verify.
    """
    said: dict[Digest, _Said] = {}
    for sealed in shown:
        key = statement.signer(sealed)
        one = statement.open_sealed(sealed, key)
        said[one.digest()] = _Said(key, one)
        if len(said) > MAX_STATEMENTS:
            raise PeerError(Reason.TOO_LARGE, f"expected at most {MAX_STATEMENTS} statements")
    terms = {d: s.statement for d, s in said.items() if _names(s.statement, party)}
    events = _events(said, {exercise_id(t): _witnesses(t) for t in terms.values()})
    return (
        *_revocations(party, said),
        *_retries(events),
        *_defaults(events),
        *_repeated(terms),
        *(
            Alert(
                Kind.NOT_LOGGED, f"a statement of type {s.statement.predicate_type} is not in the log", (d,)
            )
            for d, s in said.items()
            if d not in logged
        ),
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """A verified statement and the key that signed it."""

    key: PublicKey
    statement: Statement


def _names(said: Statement, party: Digest) -> bool:
    if said.predicate_type != TERMS:
        return False
    parties = said.fields(Reason.BAD_TERMS).object("parties")
    return party in (parties.digest("prover"), parties.digest("verifier"))


def _witnesses(terms: Statement) -> frozenset[str]:
    return frozenset(terms.fields(Reason.BAD_TERMS).object("witnesses").texts("keys"))


def _events(
    said: dict[Digest, _Said], exercises: dict[Digest, frozenset[str]]
) -> list[tuple[Digest, Cosignature]]:
    found = [
        (d, s.key, cosignature_of(s.statement))
        for d, s in said.items()
        if s.statement.predicate_type == COSIGNATURE
    ]
    return [(d, c) for d, key, c in found if key.hex() in exercises.get(c.position.exercise, ())]


def _revocations(party: Digest, said: dict[Digest, _Said]) -> list[Alert]:
    found = []
    for digest, one in said.items():
        if one.statement.predicate_type != REVOCATION or fingerprint(one.key) != party:
            continue
        fields = one.statement.fields(Reason.BAD_KEY)
        key, since = fields.hex("key").hex(), fields.integer("since")
        found.append(Alert(Kind.REVOCATION, f"key {key[:16]}… is revoked since {since}", (digest,)))
    return found


def _retries(events: Sequence[tuple[Digest, Cosignature]]) -> list[Alert]:
    attempts: dict[Digest, dict[int, Digest]] = {}
    for digest, one in events:
        if one.event is Event.ACCEPTED:
            attempts.setdefault(one.position.exercise, {})[one.position.attempt] = digest
    return [
        Alert(
            Kind.RETRY,
            f"exercise {exercise.hex()[:16]}… has {max(by_number)} attempts, {len(by_number)} were shown",
            tuple(by_number.values()),
        )
        for exercise, by_number in attempts.items()
        if max(by_number) > 1
    ]


def _defaults(events: Sequence[tuple[Digest, Cosignature]]) -> list[Alert]:
    return [
        Alert(
            Kind.DEFAULT,
            f"the {one.requester} claimed at {one.time} that nothing followed message "
            f"{one.position.sequence} of attempt {one.position.attempt}",
            (digest,),
        )
        for digest, one in events
        if one.event is Event.DEFAULT
    ]


def _repeated(terms: dict[Digest, Statement]) -> list[Alert]:
    sets: dict[Digest, list[Digest]] = {}
    for digest, one in terms.items():
        test_set: Fields = one.fields(Reason.BAD_TERMS).object("test_set")
        sets.setdefault(test_set.digest("root"), []).append(digest)
    return [
        Alert(Kind.REPEATED_TEST_SET, f"test set {root.hex()[:16]}… is in {len(used)} exercises", tuple(used))
        for root, used in sets.items()
        if len(used) > 1
    ]
