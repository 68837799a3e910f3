"""A whole exercise in memory: two parties, a hidden set, terms, and a pipe between their endpoints."""

import hashlib
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from parley_attestation import keys, statement
from parley_attestation.canonical import Fields
from parley_attestation.claims import MetricClaim
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.attempts import earlier_attempts
from parley_attestation.edge.endpoint import Endpoint
from parley_attestation.edge.journal import Journal
from parley_attestation.encoding import Bytes32, Digest, Nonce
from parley_attestation.errors import Role
from parley_attestation.grading import Outcome, OutcomeMap, read_grader
from parley_attestation.model.claim import read_claim
from parley_attestation.registration import Stratum
from parley_attestation.session.facts import Channel
from parley_attestation.session.machine import Machine
from parley_attestation.terms import Caps, Plan, Terms, TestSetRef, Witnesses
from parley_conformance import hidden
from parley_prover.answering import Offer, ProverPolicy
from parley_prover.budget import DisclosureBudget, Limits
from parley_prover.engines.base import EngineInfo
from parley_prover.weights import register_model
from parley_verifier.challenge import VerifierPolicy

EXACT = read_grader(Fields({"kind": "exact", "trim": True, "ignore_case": False}))


def seed(*what) -> bytes:
    """32 bytes that depend on `what` alone."""
    return hashlib.sha256(repr(what).encode()).digest()


@dataclass
class Side:
    root: SigningKey
    session: SigningKey
    role: Role
    history: tuple[bytes, ...] = ()

    def __post_init__(self):
        if not self.history:
            certificate = keys.Certificate(self.root.public, self.session.public, self.role, 0, 1 << 40)
            self.history = (certificate.sealed(self.root),)

    @property
    def owner(self) -> Digest:
        return keys.fingerprint(self.root.public)


def side(role: Role, name: str = "") -> Side:
    return Side(SigningKey(seed(role, name, "root")), SigningKey(seed(role, name, "session")), role)


class MemorySet(hidden.MemorySet):
    """A registered test set of a side, held in memory."""

    def __init__(
        self, owner: Side, items, strata=(), set_seed=b"set", graders=(EXACT,), item_kind="single", members=()
    ):
        super().__init__(
            owner.root,
            items,
            set_id=Bytes32(seed(set_seed)),
            master=Bytes32(seed(set_seed, "master")),
            graders=graders,
            strata=[Stratum(*s) for s in strata],
            item_kind=item_kind,
            members=members,
        )


def model_claim(owner: Side, content: bytes = b"weights") -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.bin").write_bytes(content)
        return register_model(
            folder, root_key=owner.root, name="model", entropy=Bytes32(seed("model"))
        ).claim.sealed


def metric(claim_id="accuracy", threshold=Fraction(4, 5), **changes) -> MetricClaim:
    claim = MetricClaim(
        claim_id=claim_id,
        stratum="",
        grader=EXACT,
        events=OutcomeMap(frozenset({Outcome.PASS})),
        at_most=False,
        threshold=threshold,
        alpha_compliant=Fraction(1, 20),
        alpha_violation=Fraction(1, 100),
        min_assurance="declared",
    )
    return replace(claim, **changes)


def make_terms(verifier: Side, prover: Side, tests: MemorySet, claim: bytes, **changes) -> Terms:
    size = tests.public.size
    terms = Terms(
        nonce=Nonce(seed("nonce")),
        title="an exercise in memory",
        mode="open",
        prover=prover.owner,
        verifier=verifier.owner,
        test_set=TestSetRef(tests.public.statement.digest(), tests.public.root, size, ()),
        model_claim=read_claim(claim).statement.digest(),
        system={"scaffold": "none", "runtime": "memory", "decoding": "greedy"},
        claims=(metric(),),
        plan=Plan(1, 8, (("", size),)),
        caps=Caps(1 << 16, 1 << 12, 1 << 12, 1 << 20),
        answer_seconds=60,
        turn_seconds=60,
        witnesses=Witnesses((), 0, "unwitnessed"),
        consequences=("the exercise counts as failed", "the exercise counts as withdrawn"),
        binding="none",
        operators=(),
        qualifiers=(),
        evidence_policy=None,
        inventory=None,
        scope=("addition", "generated sums", ("nothing about other sums",)),
    )
    return replace(terms, **changes)


class FunctionEngine:
    """An engine over a Python function of (prompt, seed)."""

    def __init__(self, answer: Callable[[bytes, int], bytes]):
        self.answer = answer
        self.calls = 0

    def describe(self):
        return EngineInfo("function", "1", deterministic=True)

    def generate(self, prompts):
        self.calls += 1
        return [self.answer(p.content, p.seed) for p in prompts]

    def close(self):
        pass


def sums(count: int = 60):
    """Prompts "a+b" with their sums as references."""
    return [(f"{n}+{n * 7 % 13}".encode(), str(n + n * 7 % 13).encode()) for n in range(count)]


def right(prompt: bytes, _seed: int = 0) -> bytes:
    a, b = prompt.split(b"+")
    return str(int(a) + int(b)).encode()


def wrong_every(k: int):
    """An answerer that is wrong for a fixed one in `k` of the prompts."""

    def answer(prompt: bytes, _seed: int = 0) -> bytes:
        return b"?" if seed(prompt)[0] % k == 0 else right(prompt)

    return answer


CHANNEL = Channel(Digest(seed("tls v")), Digest(seed("tls p")))


@dataclass
class Exercise:
    """Everything about one exercise; `connect` makes fresh endpoints over the same journals."""

    folder: Path
    items: list = field(default_factory=sums)
    answer: Callable[[bytes, int], bytes] = right
    strata: tuple = ()
    terms_changes: dict = field(default_factory=dict)
    limits: Limits = field(default_factory=lambda: Limits(10_000, 1 << 30))
    graders: tuple = (EXACT,)
    item_kind: str = "single"
    members: tuple = ()
    declared: dict = field(default_factory=dict)
    notary: object = None
    offer_changes: dict = field(default_factory=dict)

    def __post_init__(self):
        self.verifier = side(Role.VERIFIER)
        self.prover = side(Role.PROVER)
        self.tests = MemorySet(
            self.verifier,
            self.items,
            self.strata,
            graders=self.graders,
            item_kind=self.item_kind,
            members=self.members,
        )
        self.claim = model_claim(self.prover)
        self.terms = make_terms(self.verifier, self.prover, self.tests, self.claim, **self.terms_changes)
        self.sealed_terms = statement.seal(self.terms.statement(), self.verifier.session)
        self.engine = FunctionEngine(self.answer)
        self.pins = {Role.VERIFIER: self.verifier.owner, Role.PROVER: self.prover.owner}

    def journal(self, role: Role) -> Journal:
        return Journal(self.folder / f"{role}.journal")

    def verifier_end(self, secret=b"v", policy=None) -> Endpoint:
        journal = self.journal(Role.VERIFIER)
        policy = policy or VerifierPolicy(
            self.verifier.history, CHANNEL, self.sealed_terms, self.tests, journal=journal
        )
        row = next(iter(journal.unfinished(Role.VERIFIER)), None)
        return self._end(policy, self.verifier.session, journal, row, secret)

    def _end(self, policy, key, journal, row, secret) -> Endpoint:
        earlier = earlier_attempts(journal, policy.role, row)
        machine = Machine(journal, pins=self.pins, channel=CHANNEL, earlier=earlier)
        end = Endpoint(policy, key, journal, machine, seed(secret), self.notary)
        if row is not None:
            end.load(row)
        return end

    def prover_end(self, secret=b"p", policy=None, *, load=True, row=None) -> Endpoint:
        journal = self.journal(Role.PROVER)
        budget = DisclosureBudget(journal.connection, self.verifier.owner, self.limits)
        offer = Offer(self.prover.history, (self.claim,), self.declared, **self.offer_changes)
        policy = policy or ProverPolicy(offer, CHANNEL, self.engine, journal, budget)
        if load and row is None:
            row = next(iter(journal.unfinished(Role.PROVER)), None)
        return self._end(policy, self.prover.session, journal, row, secret)

    def run(self) -> tuple[Endpoint, Endpoint]:
        """One exercise over a pipe that never breaks."""
        v, p = self.verifier_end(), self.prover_end()
        pipe(v, p)
        v.journal.note(v.row, ended=True)  # as the client does when it has written the record
        return v, p


def pipe(v: Endpoint, p: Endpoint, *, cut_after: int | None = None) -> int:
    """Carry frames between two endpoints until nobody has more to say; `cut_after` frames, stop."""
    to_p, to_v = deque(), deque()
    sent = 0
    resumed = v.machine.sequence >= 2
    if resumed:
        to_p.append(v.resume())
    elif v.machine.sequence == 1:
        to_p.extend(v.resend(0))
    else:
        to_p.extend(v.pump())
    if p.machine.sequence >= 2 and not resumed:
        to_v.extend(p.resend(1))
        to_p.clear()
    while to_p or to_v:
        for queue, end, back in ((to_p, p, to_v), (to_v, v, to_p)):
            if queue:
                frame = queue.popleft()
                if cut_after is not None and sent >= cut_after:
                    return sent
                sent += 1
                if end is p and frame.WhichOneof("kind") == "resume" and p.machine.sequence:
                    back.append(p.resume())
                back.extend(end.feed(frame))
    return sent
