"""Room: the suite. Both parties of an exercise, played by the suite itself: honest until a case takes the word.

Suites for verifiers, judges, witnesses and chambers need sessions to show. The two parties run in memory
over the project's own endpoints and journals; a case stops one of them before any message and speaks there.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parley.v1 import session_pb2 as pb
from parley_attestation.edge import party
from parley_attestation.edge.attempts import earlier_attempts
from parley_attestation.edge.endpoint import Draft, Endpoint, Policy, Secret
from parley_attestation.edge.journal import Also, Journal, SessionRow
from parley_attestation.edge.party import Party
from parley_attestation.edge.records import write_record
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import Role
from parley_attestation.model.claim import read_claim
from parley_attestation.session import messages as m
from parley_attestation.session.facts import Channel
from parley_attestation.session.machine import Machine
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn
from parley_prover.answering import Offer, ProverPolicy
from parley_prover.budget import DisclosureBudget, Limits
from parley_prover.engines.base import EngineInfo, Prompt
from parley_prover.weights import register_model
from parley_verifier.challenge import VerifierPolicy

from parley_conformance.harness import Mutate, signed
from parley_conformance.world import Exercise, World

_YEARS = 50
_SINCE = 1_700_000_000  # Unix seconds from which the suite's own keys are valid
_BUDGET = Limits(1 << 30, 1 << 40)
PEER = {Role.VERIFIER: Role.PROVER, Role.PROVER: Role.VERIFIER}


class Adder:
    """The suite's own model: it adds, and is wrong in every `wrong`-th sum; 0 is never wrong."""

    def __init__(self, wrong: int = 0) -> None:
        self.wrong = wrong

    def describe(self) -> EngineInfo:
        """What it is."""
        return EngineInfo("adder", "1", deterministic=True)

    def generate(self, prompts: Sequence[Prompt]) -> list[bytes]:
        """Answer sums; anything else gets a question mark."""
        return [self._sum(prompt.content) for prompt in prompts]

    def close(self) -> None:
        """Nothing is held."""

    def _sum(self, prompt: bytes) -> bytes:
        try:
            first, second = (int(part) for part in prompt.split(b"+"))
        except ValueError:
            return b"?"
        right = not self.wrong or first % self.wrong
        return str(first + second if right else -1).encode()


class Pause(Exception):  # noqa: N818 - an interruption, not an error
    """An honest party is about to speak where the case wants the word; `draft` is what it would say."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft


class Stoppable:
    """A policy whose drafts `mutate` changes, and that pauses before its `nth` message in `state`."""

    def __init__(
        self, inner: Policy, state: State | None = None, nth: int = 1, mutate: Mutate | None = None
    ) -> None:
        self.role = inner.role
        self._inner, self._state, self._left, self._mutate = inner, state, nth, mutate

    def propose(self, machine: Machine, secret: Secret) -> Draft:
        """The honest draft, changed. Raises `Pause`."""
        draft = self._inner.propose(machine, secret)
        if self._mutate is not None:
            draft = self._mutate(machine, draft)
        if machine.state is self._state:
            self._left -= 1
            if self._left == 0:
                raise Pause(draft)
        return draft

    def received(self, machine: Machine, body: m.Body) -> tuple[Also, ...]:
        """As the honest party."""
        return self._inner.received(machine, body)

    def side_record(self, machine: Machine, sealed: bytes) -> None:
        """As the honest party."""
        self._inner.side_record(machine, sealed)


@dataclass(frozen=True, slots=True)
class Stand:
    """The cheating party's own place: its keys, the world its exercises come from, and fresh bytes."""

    party: Party
    world: World
    fresh: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Speaker:
    """A party that has the word, with the honest message at hand; cases build what it says from this."""

    target: Stand
    exercise: Exercise
    endpoint: Endpoint
    draft: Draft

    @property
    def machine(self) -> Machine:
        """The session as it stands."""
        return self.endpoint.machine

    @property
    def journal(self) -> Journal:
        """The party's journal."""
        return self.endpoint.journal

    @property
    def header(self) -> m.Header:
        """The header of the next message."""
        return self.machine.next_header()

    def turn(self, body: m.Body | None = None, blobs: tuple[bytes, ...] | None = None) -> Turn:
        """A turn for the next place; the honest one where nothing is given."""
        body = self.draft.body if body is None else body
        content = self.draft.blobs if blobs is None else blobs
        return Turn(signed(self.target.party.session, self.header, body), content)


@dataclass
class Arena:
    """Two parties of the suite's own, and the exercises between them.

    Attributes:
        folder: Where parties and journals go.
        seed: Text that every value but the TLS certificates follows from.
        engine: What answers.
        given: Parties to play; made from the seed where none are given.
        model: The one file of the prover's model, by its name.
    """

    folder: Path
    seed: str
    engine: Adder = field(default_factory=Adder)
    given: Mapping[Role, Party] = field(default_factory=dict)
    model: tuple[str, bytes] = ("model.bin", b"an adder")

    def __post_init__(self) -> None:
        self._count = 0
        self._journals: list[Journal] = []
        self.parties = {role: self.given.get(role) or self._party(role) for role in PEER}
        self.verifier, self.prover = self.parties[Role.VERIFIER], self.parties[Role.PROVER]
        self.channel = Channel(self.verifier.card.tls_digest, self.prover.card.tls_digest)
        self.pins = {role: one.card.fingerprint for role, one in self.parties.items()}
        self.model_folder = self.folder / "model"
        self.model_folder.mkdir()
        (self.model_folder / self.model[0]).write_bytes(self.model[1])
        made = register_model(
            str(self.model_folder),
            root_key=self.prover.root,
            name="adder",
            entropy=Bytes32(self._derive("model")),
        )
        self.claim, self.secret = made.claim.sealed, made.secret
        self.world = World(self.verifier, self.prover.card, read_claim(self.claim), self.seed)

    def _derive(self, *what: object) -> bytes:
        return World.derive_from(self.seed, *what)

    def _party(self, role: Role) -> Party:
        entropy = self._derive(role.value, "root") + self._derive(role.value, "session")
        where = self.folder / f"party-{role}"
        return party.create(where, name=f"suite {role}", role=role, entropy=entropy, now=_SINCE, years=_YEARS)

    def fresh(self) -> bytes:
        """32 bytes that nothing else in the run has."""
        self._count += 1
        return self._derive("fresh", self._count)

    def exercise(self, shape: str = "plain") -> Exercise:
        """An exercise that nobody has seen."""
        return self.world.exercise(self.fresh().hex(), shape)

    def stand(self, role: Role) -> Stand:
        """A party's own place."""
        return Stand(self.parties[role], self.world, self.fresh)

    def journal(self) -> Journal:
        """A fresh journal."""
        self._count += 1
        made = Journal(self.folder / f"{self._count}.journal")
        self._journals.append(made)
        return made

    def release(self) -> None:
        """Close every journal."""
        for journal in self._journals:
            journal.close()
        self._journals.clear()

    def policy(self, role: Role, exercise: Exercise, journal: Journal) -> Policy:
        """The honest policy of a role."""
        if role is Role.VERIFIER:
            history = self.verifier.history
            return VerifierPolicy(history, self.channel, exercise.sealed, exercise.tests, journal=journal)
        budget = DisclosureBudget(journal.connection, self.verifier.card.fingerprint, _BUDGET)
        offer = Offer(self.prover.history, (self.claim,))
        return ProverPolicy(offer, self.channel, self.engine, journal, budget)

    def endpoint(
        self, policy: Policy, journal: Journal, row: SessionRow | None = None, kind: type[Endpoint] = Endpoint
    ) -> Endpoint:
        """One party's end of a new session, or of the one in `row`."""
        earlier = earlier_attempts(journal, policy.role, row)
        machine = Machine(journal, pins=self.pins, channel=self.channel, earlier=earlier)
        made = kind(policy, self.parties[policy.role].session, journal, machine, self.fresh())
        if row is not None:
            made.load(row)
        return made

    def session(
        self,
        exercise: Exercise,
        stop: "Stop | None" = None,
        *,
        kind: type[Endpoint] = Endpoint,
        journals: Mapping[Role, Journal] | None = None,
    ) -> "Session":
        """An exercise in memory, run to the pause or to its end; journals that hold an attempt make it the next."""
        ends = {}
        for role in PEER:
            journal = journals[role] if journals is not None else self.journal()
            policy = self.policy(role, exercise, journal)
            if stop is not None and stop.role is role:
                policy = Stoppable(policy, stop.state, stop.nth, stop.mutate)
            ends[role] = self.endpoint(policy, journal, kind=kind)
        return Session(self, exercise, ends, pipe(ends))


@dataclass(frozen=True, slots=True)
class Stop:
    """Where an exercise stops: before the `nth` message that `role` says in `state`."""

    role: Role
    state: State | None
    nth: int = 1
    mutate: Mutate | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A session between the suite's parties; `draft` is what the paused one would say, if one paused."""

    arena: Arena
    exercise: Exercise
    ends: dict[Role, Endpoint]
    draft: Draft | None

    def speaker(self, role: Role) -> Speaker:
        """The paused party, which has the word."""
        assert self.draft is not None
        return Speaker(self.arena.stand(role), self.exercise, self.ends[role], self.draft)

    def record(self, role: Role) -> bytes:
        """The record that a party's journal gives."""
        end = self.ends[role]
        assert end.row is not None
        path = self.arena.folder / f"{self.arena.fresh().hex()}.parley"
        write_record(end.journal, end.row, path)
        return path.read_bytes()


def pipe(ends: dict[Role, Endpoint]) -> Draft | None:
    """Carry frames between two ends until nobody has more to say, or one pauses: then its honest draft."""
    waiting: dict[Role, deque[pb.Frame]] = {role: deque() for role in PEER}
    draft = _feed(waiting[Role.PROVER], ends[Role.VERIFIER].pump())
    while any(waiting.values()):
        for role in PEER:
            if waiting[role]:
                paused = _feed(waiting[PEER[role]], ends[role].feed(waiting[role].popleft()))
                draft = paused or draft
    return draft


def _feed(out: "deque[pb.Frame]", frames: Iterator[pb.Frame] | Iterable[pb.Frame]) -> Draft | None:
    try:
        out.extend(frames)
    except Pause as pause:
        return pause.draft
    return None


def sides(endpoint: Endpoint) -> Any:
    """The side records of an end's session."""
    assert endpoint.row is not None
    return endpoint.journal.extras(endpoint.row)[0]
