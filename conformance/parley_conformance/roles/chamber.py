"""Room: the suite. The way to a chamber under test: its endpoint, and both parties of sealed sessions.

The suite brings a model of 125 bytes in ONNX: the largest of three numbers. So the chamber must offer a
runtime over `model.onnx` with the shape (3,); the operator gives the suite that runtime's document.
"""

import base64
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
from parley.v1 import chamber_pb2 as pb
from parley.v1 import chamber_pb2_grpc as rpc
from parley_attestation import statement
from parley_attestation.claims import IdentityClaim
from parley_attestation.edge import packages, transport
from parley_attestation.edge.attempts import earlier_attempts
from parley_attestation.edge.chamber_client import ChamberClient
from parley_attestation.edge.endpoint import Endpoint
from parley_attestation.edge.journal import Journal, SessionRow
from parley_attestation.edge.party import Party, PeerCard
from parley_attestation.edge.sealed import Custody, Rules
from parley_attestation.encoding import MAX_CHUNK, Bytes32
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.runtime import OnnxRuntime
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.session.machine import Machine
from parley_attestation.session.tables import State
from parley_attestation.session.turns import envelope_to_wire
from parley_attestation.terms import Operator
from parley_prover.answering import Offer, ProverPolicy
from parley_prover.budget import DisclosureBudget, Limits
from parley_verifier.sealed import SealedVerifierPolicy

from parley_conformance.arena import PEER, Arena, Session, Stop, Stoppable, pipe
from parley_conformance.harness import Failure, Lost, Refused, ending
from parley_conformance.hidden import Item, MemorySet
from parley_conformance.world import Exercise

MODEL = base64.b64decode(  # y = x W, W the unit matrix of three
    "CAk6cwoRCgF4CgFXEgF5IgZNYXRNdWwSAWcqLwgDCAMQAUIBV0okAACAPwAAAAAAAAAAAAAAAAAAgD8AAAAAAAAAAAAAAAAAAIA/"
    "WhQKAXgSDwoNCAESCQoDEgFOCgIIA2IUCgF5Eg8KDQgBEgkKAxIBTgoCCANCBAoAEBE="
)
OTHER_MODEL = MODEL.replace(b"\x80\x3f", b"\x80\xbf", 1)  # the first weight is -1
FILE = "model.onnx"
ITEMS = 24
_BUDGET = Limits(1 << 30, 1 << 40)
_RULES = Rules(unsandboxed=True, swap=True)  # the suite's model and tests are no secret
Upload = Callable[["Link", bytes, bytes], None]


def triples() -> list[Item]:
    """Three different numbers, and which of them is the largest."""
    draw = random.Random(7)  # noqa: S311 - the same set every time
    numbers = [draw.sample(range(30), 3) for _ in range(ITEMS)]
    return [(json.dumps(x, separators=(",", ":")).encode(), str(x.index(max(x))).encode()) for x in numbers]


class Link(ChamberClient):
    """A party's way to the chamber, whose upload a case may replace."""

    def __init__(self, target: "Chamber", role: Role, journal: Journal, upload: Upload | None) -> None:
        super().__init__(target.arena.parties[role], target.card, journal, target.seconds)
        self.target, self.role, self._replaced = target, role, upload

    def upload(self, machine: Machine, role: Role, parts: Iterable[bytes]) -> None:
        """Send sealed content, or what the case sends instead. Raises `PeerError`."""
        content, session = b"".join(parts), bytes(machine.facts.session_id)
        if self._replaced is not None:
            self._replaced(self, session, content)
        else:
            super().upload(machine, role, [content])

    def send(self, session: bytes, offset: int, data: bytes) -> int:
        """Upload bytes at an offset; how many are there then. Raises `PeerError`."""
        answer = self.target.call(self.role, "Upload", iter(_parts(session, offset, data)))
        if isinstance(answer, Refused):
            raise PeerError(Reason(answer.reason), "the chamber refuses")
        if isinstance(answer, Lost):
            raise Failure(f"an upload ended without an answer ({answer.code.name})")
        return int(answer.received)


def _parts(session: bytes, offset: int, data: bytes) -> Iterator[Any]:
    for at in range(0, len(data), MAX_CHUNK):
        yield pb.UploadRequest(session_id=session, offset=offset + at, data=data[at : at + MAX_CHUNK])


@dataclass(frozen=True, slots=True)
class Plan:
    """What one sealed session is made of.

    Attributes:
        exercise: The exercise.
        weights: The model that the prover seals; not the registered one where a case swaps it.
        items: What the verifier seals.
        uploads: What a party sends instead of its sealed content.
        seed: Of the result tree, which the verifier seals with its items.
    """

    exercise: Exercise
    weights: bytes
    items: Sequence[Item]
    uploads: dict[Role, Upload]
    seed: Bytes32


class Chamber:
    """The chamber under test.

    Args:
        card: Its pinned card, with its endpoint.
        parties: The suite's own verifier and prover, both admitted.
        runtime: The runtime that the operator configured for the suite.
        seed: Text that every value of the run follows from.
        folder: Where the suite's journals go.
        seconds: Deadline of a call.

    Raises:
        ParleyError: Nobody answers, or does not admit the parties.
    """

    def __init__(
        self,
        card: PeerCard,
        parties: dict[Role, Party],
        runtime: OnnxRuntime,
        seed: str,
        folder: Path,
        seconds: float = 120.0,
    ) -> None:
        self.card, self.runtime, self.seconds = card, runtime, seconds
        self.arena = Arena(folder, seed, given=parties, model=(FILE, MODEL))
        self._channels = {
            role: transport.open_channel(one.card, one.tls_key, card) for role, one in parties.items()
        }
        self._stubs = {role: rpc.ChamberStub(c) for role, c in self._channels.items()}  # type: ignore[no-untyped-call]
        self._links: list[Link] = []
        described = self.call(Role.VERIFIER, "Describe", pb.ChamberDescribeRequest())
        if isinstance(described, Refused | Lost):
            self.close()
            raise LocalError(Reason.UNREACHABLE, f"{card.endpoint}: no chamber answers")
        self.described = described

    @property
    def name(self) -> str:
        """The operator's key."""
        return bytes(self.described.operator).hex()

    @property
    def capabilities(self) -> tuple[str, ...]:
        """How boxes are kept apart, and the runtimes that it can run."""
        return (self.described.sandbox, *(bytes(one).hex() for one in self.described.runtimes))

    def release(self) -> None:
        """Hang up the parties' connections and close their journals."""
        for link in self._links:
            link.close()
        self._links.clear()
        self.arena.release()

    def close(self) -> None:
        """Hang up."""
        self.release()
        for channel in self._channels.values():
            channel.close()

    def call(self, role: Role, method: str, message: Any) -> Any:
        """One call by a party: the response, or how it ended."""
        try:
            return getattr(self._stubs[role], method)(
                message, timeout=self.seconds, wait_for_ready=method == "Describe"
            )
        except grpc.RpcError as error:
            return ending(error)

    # -- sessions

    def plan(
        self,
        *,
        registered: Sequence[Item] = (),
        items: Sequence[Item] = (),
        weights: bytes = MODEL,
        **terms: Any,
    ) -> Plan:
        """A sealed exercise over a set that the chamber has not seen; `items` and `weights` swap content."""
        arena = self.arena
        registered = registered or triples()
        tests = MemorySet(
            arena.verifier.root,
            registered,
            set_id=Bytes32(arena.fresh()),
            master=Bytes32(arena.fresh()),
            graders=arena.exercise().tests.graders,
        )
        seed = Bytes32(arena.fresh())
        return Plan(self.over(tests, **terms), weights, items or registered, {}, seed)

    def again(self, plan: Plan, **terms: Any) -> Plan:
        """Another exercise over the same set and model."""
        return replace(plan, exercise=self.over(plan.exercise.tests, **terms))

    def over(self, tests: MemorySet, **changes: Any) -> Exercise:
        """A sealed exercise over any set."""
        arena = self.arena
        open_terms = arena.world.exercise_over(tests, arena.fresh().hex()).terms
        claims = (
            replace(open_terms.metric_claims[0], min_assurance="neutral-operator"),
            IdentityClaim("identity", "neutral-operator"),
        )
        operator = Operator(Bytes32(bytes(self.described.operator)), "neutral", ("tests", "weights"))
        sealed: dict[str, Any] = {
            "mode": "sealed",
            "claims": claims,
            "binding": "chamber",
            "operators": (operator,),
            "runtime": self.runtime.digest(),
            "sealed": SealedTerms(),
        }
        terms = replace(open_terms, **(sealed | changes))
        return Exercise(tests, terms, statement.seal(terms.statement(), arena.verifier.session))

    def session(
        self,
        plan: Plan,
        stop: Stop | None = None,
        kind: type[Endpoint] = Endpoint,
        journals: Mapping[Role, Journal] | None = None,
    ) -> Session:
        """A sealed session in memory, the chamber over the wire, run to the pause or to its end.

        Args:
            plan: What it is made of.
            stop: Where it pauses.
            kind: What carries it.
            journals: The parties' own; where they hold an attempt at the exercise, this is the next one.

        Raises:
            PeerError: The chamber refused a call on which the session cannot go on.
        """
        ends = {}
        for role in PEER:
            journal = journals[role] if journals is not None else self.arena.journal()
            policy: Any = self._policy(role, plan, journal)
            if stop is not None and stop.role is role:
                policy = Stoppable(policy, stop.state, stop.nth, stop.mutate)
            ends[role] = self._end(policy, journal, None, kind)
        return Session(self.arena, plan.exercise, ends, pipe(ends))

    def go_on(self, plan: Plan, paused: Session) -> Session:
        """A paused session, which both parties carry to its end."""
        ends = {}
        for role in PEER:
            journal, row = paused.ends[role].journal, paused.ends[role].row
            ends[role] = self._end(self._policy(role, plan, journal), journal, row, Endpoint)
        return Session(self.arena, plan.exercise, ends, pipe(ends))

    def _end(self, policy: Any, journal: Journal, row: SessionRow | None, kind: type[Endpoint]) -> Endpoint:
        arena, role = self.arena, policy.role
        earlier = earlier_attempts(journal, role, row)
        machine = Machine(journal, mode="sealed", pins=arena.pins, channel=arena.channel, earlier=earlier)
        made = kind(policy, arena.parties[role].session, journal, machine, arena.fresh())
        if row is not None:
            made.load(row)
        return made

    def _policy(self, role: Role, plan: Plan, journal: Journal) -> Any:
        arena = self.arena
        link = Link(self, role, journal, plan.uploads.get(role))
        self._links.append(link)
        if role is Role.VERIFIER:
            tests = plan.exercise.tests
            plain = b"".join(packages.write_tests(tests.master, plan.seed, plan.items))
            custody = Custody(role, (link,), lambda _: iter([plain]), len(plain), _RULES)
            history = arena.verifier.history
            return SealedVerifierPolicy(history, arena.channel, plan.exercise.sealed, tests, journal, custody)
        place = arena.folder / f"{arena.fresh().hex()}.onnx"
        place.write_bytes(plan.weights)
        plain = b"".join(packages.write_weights(arena.secret, [(FILE, place)]))
        custody = Custody(role, (link,), lambda _: iter([plain]), len(plain), _RULES)
        offer = Offer(arena.prover.history, (arena.claim,), custody=custody, hand_over=True)
        budget = DisclosureBudget(journal.connection, arena.verifier.card.fingerprint, _BUDGET)
        return ProverPolicy(offer, arena.channel, arena.engine, journal, budget)

    # -- calls with envelopes

    def envelopes(self, session: Session, role: Role = Role.VERIFIER, count: int | None = None) -> list[Any]:
        """The messages of a session as a party's journal has them, or the first `count`."""
        end = session.ends[role]
        assert end.row is not None
        found = [envelope_to_wire(turn.envelope) for _, turn in end.journal.turns(end.row)]
        return found if count is None else found[:count]

    def open(
        self, envelopes: Iterable[Any], role: Role = Role.VERIFIER, earlier: Iterable[list[Any]] = ()
    ) -> Any:
        """Show the chamber a session after earlier attempts: the response, or how the call ended."""
        before = [pb.Attempt(envelopes=one) for one in earlier]
        return self.call(role, "Open", pb.OpenRequest(envelopes=list(envelopes), earlier=before))

    def results(self, envelopes: Iterable[Any], role: Role = Role.VERIFIER) -> Any:
        """Ask for the results of an ended session: the response, or how the call ended."""
        return self.call(role, "Results", pb.ResultsRequest(envelopes=list(envelopes)))

    def run(self, envelopes: Iterable[Any], role: Role = Role.VERIFIER) -> Any:
        """Have the chamber run: the response, or how the call ended."""
        return self.call(role, "Run", pb.RunRequest(envelopes=list(envelopes)))


def finished(session: Session, overall: str = "COMPLIANT") -> None:
    """Check an honest end with one verdict. Raises `Failure`."""
    machine = session.ends[Role.VERIFIER].machine
    if machine.state is not State.FINISHED or machine.facts.verdict is None:
        found = machine.facts.ending
        raise Failure(
            f"a sealed session ended in state {machine.state} ({found.reason if found else 'no reason'})"
        )
    derived = machine.facts.verdict.predicate["overall"]
    if derived != overall:
        raise Failure(f"expected {overall}, got {derived}")


def outcome(session: Session) -> tuple[str, str]:
    """The reason with which the chamber refused to give a receipt, on the record, and the party it names.

    Both are empty where it gave a receipt; a refused call that ended the session names nobody.
    """
    facts = session.ends[Role.VERIFIER].machine.facts
    if facts.ending is not None:
        return facts.ending.reason, ""
    assert facts.verdict is not None
    (said,) = facts.verdict.predicate["chambers"]
    return said.get("refused", ""), said.get("blamed", "")


def refuses(answer: Any, *reasons: Reason) -> None:
    """Check that a call was refused for one of the reasons, and says nothing of its inside.

    Raises:
        Failure: Anything else.
    """
    wanted = " or ".join(reasons)
    if not isinstance(answer, Refused):
        got = f"the end of the call ({answer.code.name})" if isinstance(answer, Lost) else "an answer"
        raise Failure(f"expected a refusal with {wanted}, got {got}")
    if answer.reason not in reasons:
        raise Failure(f"expected a refusal with {wanted}, got {answer.reason}")
    if any(trace in answer.text for trace in ("Traceback", ".py", "/tmp", "Error:")):  # noqa: S108 - looked for
        raise Failure("the text of an internal failure reached the peer")
