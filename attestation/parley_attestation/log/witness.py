"""Room: log. What parties ask of a witness and what a witness signs; sessions, judge and edges call it.

A witness sees digests and, where a party posts one, a signed record; it never sees content. It states
that it saw a head at a place of an exercise at a time, and that it saw a statement's digest at a time.
Everything it signs carries a running number of its own: a witness whose store was put back to an
earlier state signs a number twice, and two statements with one number are proof against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from parley_attestation import statement
from parley_attestation.canonical import Fields
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import SAFE_INTEGER, Digest
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.keys import MAX_TIME, read_history
from parley_attestation.statement import Statement, Subject

REQUEST = "tag:parley,2026:cosignature-request/v1"
COSIGNATURE = "tag:parley,2026:cosignature/v1"
RECEIPT = "tag:parley,2026:registration-receipt/v1"
MAX_ATTEMPTS = 64  # attempts of one exercise
MAX_SEQUENCE = 1 << 32  # messages of one session
MAX_DEADLINE = 366 * 24 * 3600  # seconds that a turn may last
_PARTIES = {r.value: r for r in (Role.PROVER, Role.VERIFIER)}


class Event(StrEnum):
    """Why a head is shown to a witness; spec section "Witness"."""

    ACCEPTED = "accepted"  # the prover accepted the terms: the attempt exists
    DECLINE = "decline"  # the prover declined the terms
    POSTED = "posted"  # a party left a record with the witness, which starts the clock of the answer
    LATE = "late"  # the same, after the other party's timeout claim; a witness says it, nobody asks it
    DEFAULT = "default"  # a timeout claim: no record follows this head
    END = "end"  # the last record of the exercise
    RELAYED = "relayed"  # a party shows the other one's record, which starts the clock of the next


COSIGNED = (Event.ACCEPTED, Event.DECLINE, Event.END)  # what has one head, whoever asks
ONCE = (Event.ACCEPTED, Event.DECLINE)  # given once, whoever asks first; all else once to each party
SILENT = (Event.DEFAULT, Event.LATE)  # what starts no clock
ASKED = {e.value: e for e in Event if e is not Event.LATE}
SIGNED = {e.value: e for e in Event}


@dataclass(frozen=True, slots=True)
class Position:
    """A record's place: the session's chain at `sequence` (1 for the first message) has this head."""

    exercise: Digest
    attempt: int
    session: Digest
    sequence: int
    head: Digest

    def slot(self) -> tuple[Digest, int, int]:
        """What may have one head only."""
        return (self.exercise, self.attempt, self.sequence)

    def later(self, earlier: "Position") -> bool:
        """Say whether this stands anywhere after `earlier` in the same attempt."""
        same = self.slot()[:2] == earlier.slot()[:2]
        return same and self.sequence > earlier.sequence

    def predicate(self) -> dict[str, Any]:
        """The fields of a statement about this position."""
        return {
            "exercise": self.exercise.hex(),
            "attempt": self.attempt,
            "session": self.session.hex(),
            "sequence": self.sequence,
            "head": self.head.hex(),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Position":
        """Read it back. Raises `PeerError`."""
        return cls(
            fields.digest("exercise"),
            fields.integer("attempt", 1, MAX_ATTEMPTS),
            fields.digest("session"),
            fields.integer("sequence", 1, MAX_SEQUENCE),
            fields.digest("head"),
        )


@dataclass(frozen=True, slots=True)
class Request:
    """A party asks a witness to cosign; with the event `default` it is a timeout claim.

    Attributes:
        position: The record in question; for a timeout claim the last one before the silence.
        event: Why; never `late`.
        requester: The role of the party that asks.
        prover: Fingerprint of the prover's root key, as in the terms.
        verifier: Fingerprint of the verifier's root key, as in the terms.
        deadline: For a timeout claim, the seconds that the terms allow for the answer; else 0.
    """

    position: Position
    event: Event
    requester: Role
    prover: Digest
    verifier: Digest
    deadline: int = 0

    @property
    def parties(self) -> tuple[Digest, Digest]:
        """Both fingerprints, the prover's first."""
        return (self.prover, self.verifier)

    def sealed(self, key: SigningKey) -> bytes:
        """The signed statement, by a session key of the requester."""
        predicate = self.position.predicate() | {
            "event": self.event.value,
            "requester": self.requester.value,
            "prover": self.prover.hex(),
            "verifier": self.verifier.hex(),
            "deadline": self.deadline,
        }
        subject = Subject("head", self.position.head)
        return statement.seal(Statement(REQUEST, (subject,), predicate), key)


def read_request(sealed: bytes, history: Sequence[bytes], at: int | None) -> Request:
    """Verify a request under a key that the requester's key history certifies at the time `at`.

    Args:
        sealed: The signed request.
        history: The requester's key history, as `keys.read_history` takes it.
        at: The witness's time in Unix seconds, or None where only certification can be judged.

    Raises:
        PeerError: BAD_SIGNATURE, BAD_STATEMENT, BAD_KEY, KEY_NOT_CERTIFIED, or UNKNOWN_PARTY where the
            history belongs to neither party that the request names.
    """
    key = statement.signer(sealed)
    said = statement.open_sealed(sealed, key).expect(REQUEST)
    request = _request(said)
    party = request.prover if request.requester is Role.PROVER else request.verifier
    known = read_history(history)
    if known.owner != party:
        raise PeerError(Reason.UNKNOWN_PARTY, f"expected the key history of the {request.requester} it names")
    known.certified(key, request.requester, at)
    return request


def _request(said: Statement) -> Request:
    fields = said.fields()
    request = Request(
        Position.read(fields),
        fields.choice("event", ASKED),
        fields.choice("requester", _PARTIES),
        fields.digest("prover"),
        fields.digest("verifier"),
        fields.integer("deadline", 0, MAX_DEADLINE),
    )
    fields.end()
    if request.deadline and request.event is not Event.DEFAULT:
        fields.refuse("deadline", "0 where nothing is claimed")
    _subject(said, "head", request.position.head)
    return request


def _subject(said: Statement, name: str, digest: Digest) -> None:
    if said.subjects != (Subject(name, digest),):
        raise PeerError(Reason.BAD_STATEMENT, f"expected the one subject {name} that the predicate names")


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness saw `position` for the reason `event` at `time` (its own clock, Unix seconds).

    Attributes:
        witness: The witness's name for people; what identifies it is its key.
        number: The running number of what this witness signed, over everything, from 1.
        requester: On whose request.
    """

    position: Position
    event: Event
    requester: Role
    time: int
    number: int
    witness: str

    def statement(self) -> Statement:
        """The unsigned statement; a witness persists its payload before it signs it."""
        predicate = self.position.predicate() | {
            "event": self.event.value,
            "requester": self.requester.value,
            "time": self.time,
            "number": self.number,
            "witness": self.witness,
        }
        return Statement(COSIGNATURE, (Subject("head", self.position.head),), predicate)

    def sealed(self, key: SigningKey) -> bytes:
        """The cosignature, signed by the witness."""
        return statement.seal(self.statement(), key)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A witness saw the digest of a durable statement at `time`; it did not see the statement."""

    digest: Digest
    time: int
    number: int
    witness: str

    def statement(self) -> Statement:
        """The unsigned statement; a witness persists its payload before it signs it."""
        predicate = {
            "statement": self.digest.hex(),
            "time": self.time,
            "number": self.number,
            "witness": self.witness,
        }
        return Statement(RECEIPT, (Subject("statement", self.digest),), predicate)

    def sealed(self, key: SigningKey) -> bytes:
        """The receipt, signed by the witness."""
        return statement.seal(self.statement(), key)


def two_heads(one: "Request | Cosignature", two: "Request | Cosignature") -> bool:
    """Say whether two heads are named for one slot, where there may be only one.

    A party has one head in a slot, and so have the events that both parties may ask for. A record that
    one party leaves takes no slot from the other, and who relays two records proves the other's fault.
    """
    if one.position.slot() != two.position.slot() or one.position.head == two.position.head:
        return False
    if Event.RELAYED in (one.event, two.event):
        return False
    return one.requester is two.requester or (one.event in COSIGNED and two.event in COSIGNED)


def voids(shown: Cosignature, claim: Position, claimant: Role) -> bool:
    """Say whether a shown record answers a timeout claim, or makes it idle.

    The party that is said to be silent left it, signed by its own key, for the awaited slot or a later
    one: then the claim is about a past that both parties have left behind.
    """
    own = shown.event in (Event.POSTED, Event.LATE) and shown.requester is not claimant
    return own and shown.position.later(claim)


def read_cosignature(sealed: bytes, witness_key: bytes) -> Cosignature:
    """Verify a cosignature under the key of a witness.

    Raises:
        PeerError: BAD_SIGNATURE, or BAD_COSIGNATURE where the signed statement is not a cosignature.
    """
    return cosignature_of(statement.open_sealed(sealed, witness_key))


def cosignature_of(said: Statement) -> Cosignature:
    """Read an already verified statement as a cosignature. Raises `PeerError` (BAD_COSIGNATURE)."""
    if said.predicate_type != COSIGNATURE:
        raise PeerError(Reason.BAD_COSIGNATURE, f"expected a statement of type {COSIGNATURE}")
    fields = said.fields(Reason.BAD_COSIGNATURE)
    found = Cosignature(
        Position.read(fields),
        fields.choice("event", SIGNED),
        fields.choice("requester", _PARTIES),
        fields.integer("time", 0, MAX_TIME),
        fields.integer("number", 1, SAFE_INTEGER - 1),
        fields.text("witness", 128),
    )
    fields.end()
    _subject(said, "head", found.position.head)
    return found


def read_receipt(sealed: bytes, witness_key: bytes) -> Receipt:
    """Verify a registration receipt under the key of a witness.

    Raises:
        PeerError: BAD_SIGNATURE, or BAD_REGISTRATION where the signed statement is not a receipt.
    """
    return receipt_of(statement.open_sealed(sealed, witness_key))


def receipt_of(said: Statement) -> Receipt:
    """Read an already verified statement as a receipt. Raises `PeerError` (BAD_REGISTRATION)."""
    if said.predicate_type != RECEIPT:
        raise PeerError(Reason.BAD_REGISTRATION, f"expected a statement of type {RECEIPT}")
    fields = said.fields(Reason.BAD_REGISTRATION)
    found = Receipt(
        fields.digest("statement"),
        fields.integer("time", 0, MAX_TIME),
        fields.integer("number", 1, SAFE_INTEGER - 1),
        fields.text("witness", 128),
    )
    fields.end()
    _subject(said, "statement", found.digest)
    return found
