"""Room: the session. What a session has established, and what a checked message still waits for."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parley_attestation.binding import Bound
from parley_attestation.encoding import Digest
from parley_attestation.errors import Role
from parley_attestation.evidence import AttestationResult
from parley_attestation.keys import KeyHistory
from parley_attestation.model.claim import ModelClaim
from parley_attestation.receipt import Outcome, StatedKeys
from parley_attestation.registration import TestSet
from parley_attestation.sealing import Grant
from parley_attestation.session.audit import Audit
from parley_attestation.session.checks import Check
from parley_attestation.session.turns import Blob, Contents
from parley_attestation.statement import Statement
from parley_attestation.terms import Terms


@dataclass(frozen=True, slots=True)
class Channel:
    """SHA-256 digests of the two TLS certificates of a connection."""

    verifier: Digest
    prover: Digest


@dataclass(frozen=True, slots=True)
class Ending:
    """Who ended a session before its last message, and why."""

    role: Role
    kind: str  # "decline" or "abort"
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Objection:
    """A party's dissent: the digest of the verdict that it derived, and what it objects to, in words."""

    verdict: Digest
    detail: str


@dataclass
class Facts:
    """Facts of one session; each is set once, by the message that shows it."""

    offers: frozenset[tuple[int, int, str]] = frozenset()
    histories: dict[Role, KeyHistory] = field(default_factory=dict)
    session_keys: dict[Role, bytes] = field(default_factory=dict)
    nonces: dict[Role, bytes] = field(default_factory=dict)
    channel: Channel | None = None
    session_id: bytes = b""
    terms: Terms | None = None
    terms_statement: Statement | None = None
    test_set: TestSet | None = None
    model_claim: ModelClaim | None = None
    attempt: int = 0
    earlier_heads: tuple[Digest, ...] = ()  # last heads of the earlier attempts, oldest first
    earlier: "Facts | None" = None  # what the attempt before this one established
    exercise: Digest | None = None
    coin_commitments: dict[Role, Digest] = field(default_factory=dict)
    coins: dict[Role, bytes] = field(default_factory=dict)
    seed: Digest | None = None
    audit: Audit | None = None
    support: Any = None  # `backing.Support`: appraised evidence and compute records
    pending: int = 0  # units of the last challenge, while it is unanswered
    stop_counts: tuple[int, ...] = ()
    binding: Bound | None = None
    chambers: tuple[StatedKeys, ...] = ()
    chambers_said: tuple[tuple[bytes, bytes], ...] = ()  # keys and evidence of each, as embedded
    appraisals: tuple[AttestationResult | None, ...] = ()  # of each chamber's evidence, under the terms
    released: dict[Role, tuple[Grant, ...]] = field(default_factory=dict)  # one per chamber
    wrapped: dict[Role, tuple[bytes, ...]] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()  # what each chamber signed: a receipt, or its refusal
    verdict: Statement | None = None
    acknowledged: dict[Role, Digest] = field(default_factory=dict)
    result_bits: dict[Role, bytes] = field(default_factory=dict)  # one byte per claim and unit
    result_roots: dict[Role, Digest] = field(default_factory=dict)
    dissents: dict[Role, Objection] = field(default_factory=dict)
    ending: Ending | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier attempt at an exercise, as far as it went."""

    facts: Facts
    head: Digest
    over: bool  # it was declined, or references were shown: nothing may continue it


@dataclass
class Context:
    """What the handlers of a machine work with.

    Attributes:
        contents: Blobs of earlier turns by digest.
        mode: The mode whose table applies.
        pins: Root fingerprints the parties must have; an absent role is not pinned.
        channel: The certificates that the own transport saw; None where there is no transport.
        earlier: The latest earlier attempt at an exercise, by exercise id; None where there was none.
        facts: What the session has established.
        checks: How often each check has held.
    """

    contents: Contents
    mode: str
    pins: Mapping[Role, Digest]
    channel: Channel | None
    earlier: Callable[[Digest], Earlier | None] = lambda _: None
    facts: Facts = field(default_factory=Facts)
    checks: Counter[Check] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Expect:
    """A message that holds so far: the sizes of its blobs, and what to do once they are there.

    `finish` raises `PeerError` before it changes anything.
    """

    sizes: tuple[int, ...]
    finish: Callable[[Sequence[Blob]], None]


def plain(record: Callable[[], None]) -> Expect:
    """A message without content: it holds, and `record` takes it."""
    return Expect((), lambda _blobs: record())


def keyed(sizes: Sequence[int], finish: Callable[[Sequence[Blob]], None]) -> Expect:
    """Content in blobs of 32 bytes of key and then `sizes` bytes each."""
    return Expect(tuple(32 + size for size in sizes), finish)


def agreed(at: Context) -> tuple[Terms, TestSet]:
    """The terms and the test set, once proposed."""
    assert at.facts.terms is not None
    assert at.facts.test_set is not None
    return at.facts.terms, at.facts.test_set


def audit_of(at: Context) -> Audit:
    """The audit, once accepted."""
    assert at.facts.audit is not None
    return at.facts.audit


def exercise_of(at: Context) -> Digest:
    """The exercise id, once proposed."""
    assert at.facts.exercise is not None
    return at.facts.exercise
