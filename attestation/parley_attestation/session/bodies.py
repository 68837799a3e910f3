"""Room: the session. The signed messages as typed values; nothing here reads or writes a byte."""

from dataclasses import dataclass
from typing import ClassVar

from parley_attestation.encoding import Digest, Nonce, Salt


@dataclass(frozen=True, slots=True)
class Header:
    """Where a message stands in its session's chain."""

    session: bytes
    sequence: int
    previous: bytes


@dataclass(frozen=True, slots=True)
class Hello:
    """Message 1: what the verifier offers, who it is, and the channel it sees."""

    kind: ClassVar[str] = "hello"
    versions: tuple[int, ...]
    suites: tuple[int, ...]
    modes: tuple[str, ...]
    key_history: tuple[bytes, ...]
    nonce: Nonce
    verifier_tls: Digest
    prover_tls: Digest


@dataclass(frozen=True, slots=True)
class HelloReply:
    """Message 2: what the prover chose, who it is, and the channel it sees."""

    kind: ClassVar[str] = "hello-reply"
    version: int
    suite: int
    mode: str
    key_history: tuple[bytes, ...]
    nonce: Nonce
    verifier_tls: Digest
    prover_tls: Digest


@dataclass(frozen=True, slots=True)
class Propose:
    """Message 3: the terms, the attempt, the registered test set, a commitment to V's coin."""

    kind: ClassVar[str] = "propose"
    terms: bytes
    attempt: int
    earlier_heads: tuple[Digest, ...]
    coin_commitment: Digest
    test_set: bytes


@dataclass(frozen=True, slots=True)
class Accept:
    """Message 4: the terms accepted, declared counts, a commitment to P's coin, claim and evidence."""

    kind: ClassVar[str] = "accept"
    terms_digest: Digest
    declared_counts: tuple[int, ...]
    coin_commitment: Digest
    model_claim: bytes
    evidence: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Decline:
    """Message 4 where the prover refuses."""

    kind: ClassVar[str] = "decline"
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Coin:
    """Messages 5 and 6: a coin and the key that opens its commitment."""

    kind: ClassVar[str] = "coin"
    coin: Nonce
    key: Salt


@dataclass(frozen=True, slots=True)
class Unit:
    """One challenged unit and the proof that its item stands in the committed set."""

    item: int
    sample: int
    prompt_commitment: Digest
    reference_commitment: Digest
    proof: tuple[Digest, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Challenge:
    """Message 7: the next units in ticket order; one blob a unit, key || prompt."""

    kind: ClassVar[str] = "challenge"
    units: tuple[Unit, ...]
    stream_digest: Digest


@dataclass(frozen=True, slots=True)
class Answer:
    """The commitment to one output, and its size in bytes."""

    output_commitment: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Answers:
    """Message 8: one answer a unit; one blob a unit, key || output."""

    kind: ClassVar[str] = "answers"
    answers: tuple[Answer, ...]
    stream_digest: Digest


@dataclass(frozen=True, slots=True)
class Stop:
    """Message 9: how many units of each frame count."""

    kind: ClassVar[str] = "stop"
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ClaimedResult:
    """What a receipt's root commits to of one unit: a byte for every claim, under its own key."""

    codes: bytes
    key: Salt
    proof: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Open:
    """Message 10: references of the next challenged units; one blob a unit, key || reference.

    `results` has one entry a unit where the terms audit a receipt, and none otherwise.
    """

    kind: ClassVar[str] = "open"
    sizes: tuple[int, ...]
    stream_digest: Digest
    results: tuple[ClaimedResult, ...] = ()


@dataclass(frozen=True, slots=True)
class Binding:
    """Message 11: a chamber's sealed statement about re-execution."""

    kind: ClassVar[str] = "binding"
    statement: bytes


@dataclass(frozen=True, slots=True)
class ChamberEvidence:
    """One chamber's keys for this session, and its evidence where the terms have a policy for it."""

    keys: bytes
    evidence: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """Sealed mode: what every chamber of the quorum shows, embedded by the verifier."""

    kind: ClassVar[str] = "evidence"
    chambers: tuple[ChamberEvidence, ...]


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key, wrapped to the chamber whose keys the digest names."""

    keys_digest: Digest
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Release:
    """Sealed mode: one party's data key, wrapped to every chamber in the order of Evidence."""

    kind: ClassVar[str] = "release"
    keys: tuple[WrappedKey, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Sealed mode: a party does not release its key."""

    kind: ClassVar[str] = "refusal"
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Sealed mode: every chamber's receipt or refusal, in the order of Evidence, embedded by the verifier."""

    kind: ClassVar[str] = "receipt"
    statements: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Message 12: the digest of the derived verdict; one blob, seed || result bits."""

    kind: ClassVar[str] = "acknowledge"
    verdict_digest: Digest
    result_root: Digest
    stream_digest: Digest


@dataclass(frozen=True, slots=True)
class Dissent:
    """Message 12 from a party that objects."""

    kind: ClassVar[str] = "dissent"
    verdict_digest: Digest
    detail: str


@dataclass(frozen=True, slots=True)
class Abort:
    """The party whose turn it is ends the session."""

    kind: ClassVar[str] = "abort"
    reason: str
    detail: str


Body = (
    Hello
    | HelloReply
    | Propose
    | Accept
    | Decline
    | Coin
    | Challenge
    | Answers
    | Stop
    | Open
    | Binding
    | Evidence
    | Release
    | Refusal
    | Receipt
    | Acknowledge
    | Dissent
    | Abort
)
