"""Room: the suite. Talks to a prover under test over real gRPC: an honest verifier that can stop anywhere.

The honest side is the project's own endpoint and verifier policy over a journal of its own. A case stops
it before one message and sends something else there. Every stream has a deadline.
"""

import queue
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from parley.v1 import session_pb2 as pb
from parley.v1 import session_pb2_grpc as rpc
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge import transport
from parley_attestation.edge.attempts import earlier_attempts
from parley_attestation.edge.endpoint import Draft, Endpoint, Secret
from parley_attestation.edge.journal import Also, Journal
from parley_attestation.edge.party import Party, PeerCard
from parley_attestation.envelope import Envelope, Signature, pae
from parley_attestation.errors import LocalError, PeerError, Reason, Role, printable
from parley_attestation.model.claim import read_claim
from parley_attestation.session import messages as m
from parley_attestation.session.facts import Channel
from parley_attestation.session.machine import Machine
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn
from parley_verifier.challenge import VerifierPolicy

from parley_conformance.world import Exercise, World

Mutate = Callable[[Machine, Draft], Draft]


class Failure(Exception):  # noqa: N818 - a verdict on the implementation, not an error of the suite
    """The implementation under test broke what the case checks."""


class Skip(Exception):  # noqa: N818 - an outcome
    """The case does not apply here; the report shows why."""


class _Pause(Exception):  # noqa: N818 - an interruption, not an error
    """The honest verifier is about to speak where the case wants the word."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A typed refusal: `google.rpc.ErrorInfo` of the domain "parley"."""

    reason: str
    code: grpc.StatusCode
    text: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A stream that ended without a typed refusal; `code` OK is an orderly end."""

    code: grpc.StatusCode
    text: str


class Stream:
    """One `Session` call. Pings are answered and not shown."""

    def __init__(self, stub: Any, seconds: float) -> None:
        """Open a stream that lives `seconds` at most."""
        self._out: queue.Queue[pb.Frame | None] = queue.Queue()
        self._call = stub.Session(self._requests(), timeout=seconds, wait_for_ready=True)

    def _requests(self) -> Iterator[pb.SessionRequest]:
        while (frame := self._out.get()) is not None:
            yield pb.SessionRequest(frame=frame)

    def send(self, frames: Iterable[pb.Frame]) -> None:
        """Send frames."""
        for frame in frames:
            self._out.put(frame)

    def receive(self) -> pb.Frame | Refused | Lost:
        """The next frame, or how the stream ended."""
        while True:
            got = self._next()
            if not isinstance(got, pb.Frame) or got.WhichOneof("kind") != "ping":
                return got
            if not got.ping.reply:
                self.send([pb.Frame(ping=pb.Ping(reply=True))])

    def _next(self) -> pb.Frame | Refused | Lost:
        try:
            response = next(self._call, None)
        except grpc.RpcError as error:
            self.finish()
            return ending(error)
        if response is None:
            self.finish()
            return Lost(grpc.StatusCode.OK, "")
        frame: pb.Frame = response.frame
        return frame

    def answer(self) -> pb.Frame | Refused | Lost:
        """The next envelope, or how the stream ended; whatever carries no message is passed over."""
        while True:
            got = self.receive()
            if not isinstance(got, pb.Frame) or got.WhichOneof("kind") == "envelope":
                return got

    def settle(self) -> None:
        """Wait until the prover has taken all that was sent; drop what it says till then. Raises `Failure`."""
        self.send([pb.Frame(ping=pb.Ping())])
        while True:
            got = self._next()
            if isinstance(got, Lost) and got.code is grpc.StatusCode.OK:
                return  # the session has ended
            if not isinstance(got, pb.Frame):
                raise Failure(f"expected an answer to a ping, got {shown(got)}")
            if got.ping.reply:
                return

    def finish(self) -> None:
        """Say that nothing more comes."""
        self._out.put(None)

    def close(self) -> None:
        """Say that nothing more comes, and wait for the end of the stream."""
        self.finish()
        while isinstance(self.receive(), pb.Frame):
            pass

    def cut(self) -> None:
        """Break the stream off, as a network does."""
        self.finish()
        self._call.cancel()


def ending(error: grpc.RpcError) -> Refused | Lost:
    """What a failed call says; only a typed refusal is one."""
    call: Any = error
    code, text = call.code(), str(call.details() or "")
    try:
        status = rpc_status.from_call(call)
    except ValueError as mismatch:
        return Lost(code, f"status details differ from the status: {mismatch}")
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info) and info.domain == transport.DOMAIN:
            return Refused(info.reason, code, text)
    return Lost(code, text)


def shown(got: pb.Frame | Refused | Lost) -> str:
    """What came, for a person."""
    if isinstance(got, Refused):
        return f"a refusal with {printable(got.reason, 60)}"
    if isinstance(got, Lost):
        return f"the end of the stream without a typed refusal ({got.code.name})"
    kind = m.KINDS.get(got.envelope.payload_type, "an unknown message")
    return f"acceptance: {kind}" if got.WhichOneof("kind") == "envelope" else str(got.WhichOneof("kind"))


def signed(key: SigningKey, header: m.Header, body: m.Body) -> Envelope:
    """Any body under any header and key."""
    return sealed(key, m.payload_type(body.kind), m.write(header, body))


def sealed(key: SigningKey, kind: str, payload: bytes) -> Envelope:
    """Any payload under any type and key."""
    return Envelope(kind, payload, (Signature(key.public, key.sign(pae(kind, payload))),))


class _Stoppable:
    """The honest policy, whose drafts `mutate` changes, and that pauses before the `nth` one in `state`."""

    role = Role.VERIFIER

    def __init__(self, inner: VerifierPolicy, state: State | None, nth: int, mutate: Mutate | None) -> None:
        self._inner = inner
        self._state, self._left, self._mutate = state, nth, mutate
        self.draft: Draft | None = None

    def propose(self, machine: Machine, secret: Secret) -> Draft:
        draft = self._inner.propose(machine, secret)
        if self._mutate is not None:
            draft = self._mutate(machine, draft)
        if machine.state is self._state:
            self._left -= 1
            if self._left == 0:
                self.draft = draft
                raise _Pause
        return draft

    def received(self, machine: Machine, body: m.Body) -> tuple[Also, ...]:
        return self._inner.received(machine, body)

    def side_record(self, machine: Machine, sealed: bytes) -> None:
        self._inner.side_record(machine, sealed)


class Player:
    """An honest verifier in one session; `play` runs it to the pause or to the end."""

    def __init__(  # noqa: PLR0913 - one argument for each way in which a session can differ
        self,
        target: "Target",
        exercise: Exercise,
        state: State | None = None,
        nth: int = 1,
        mutate: Mutate | None = None,
        earlier: "Player | None" = None,
        *,
        journal: Journal | None = None,
        endpoint: type[Endpoint] = Endpoint,
    ) -> None:
        """Begin a session, or go on with `earlier`'s; a `journal` that holds an attempt makes this the next one."""
        self.target, self.exercise = target, exercise
        self.journal: Journal = earlier.journal if earlier is not None else journal or target.journal()
        party, peer = target.party, target.peer
        seen = Channel(party.card.tls_digest, peer.tls_digest)
        inner = VerifierPolicy(party.history, seen, exercise.sealed, exercise.tests, journal=self.journal)
        self._policy = _Stoppable(inner, state, nth, mutate)
        row = earlier.endpoint.row if earlier is not None else None
        machine = Machine(
            self.journal,
            pins={Role.VERIFIER: party.card.fingerprint, Role.PROVER: peer.fingerprint},
            channel=seen,
            earlier=earlier_attempts(self.journal, Role.VERIFIER, row),
        )
        self.endpoint: Endpoint = endpoint(self._policy, party.session, self.journal, machine, target.fresh())
        if row is not None:
            self.endpoint.load(row)
        self.stream = target.stream()

    @property
    def machine(self) -> Machine:
        """The session as it stands."""
        return self.endpoint.machine

    @property
    def draft(self) -> Draft:
        """What the honest verifier would say where it paused."""
        assert self._policy.draft is not None
        return self._policy.draft

    @property
    def header(self) -> m.Header:
        """The header of the next message."""
        return self.machine.next_header()

    def turn(self, body: m.Body | None = None, blobs: tuple[bytes, ...] | None = None) -> Turn:
        """A turn for the next place; the honest one where nothing is given."""
        body = self.draft.body if body is None else body
        content = self.draft.blobs if blobs is None else blobs
        return Turn(signed(self.target.party.session, self.header, body), content)

    def play(self) -> None:
        """Run to the pause, or to the end.

        Raises:
            Failure: The prover said something that an honest verifier refuses, or refused.
        """
        self._run(self._opening)

    def say(self) -> None:
        """Say the honest message where a pause was, and what else comes before the prover's turn; read nothing."""
        self.stream.send(self.endpoint.pump())

    def go_on(self) -> None:
        """Run on to the end after a pause, on the same stream. Raises `Failure`."""
        self._run(self.endpoint.pump)

    def _run(self, first: Callable[[], Iterable[pb.Frame]]) -> None:
        try:
            self.stream.send(first())
            while not self.endpoint.done:
                got = self.stream.receive()
                if not isinstance(got, pb.Frame):
                    raise Failure(
                        f"in state {self.machine.state}: expected the next message, got {shown(got)}"
                    )
                self.stream.send(self.endpoint.feed(got))
            self.stream.close()
        except _Pause:
            return
        except PeerError as error:
            raise Failure(f"the prover's message breaks the protocol: {error}") from None

    def _opening(self) -> Iterable[pb.Frame]:
        if self.machine.sequence >= 2:
            return [self.endpoint.resume()]
        return self.endpoint.resend(0) if self.machine.sequence else self.endpoint.pump()

    def resumed(self) -> "Player":
        """Come back on another stream and run on to the end. Raises `Failure`."""
        again = Player(self.target, self.exercise, earlier=self)
        again.play()
        return again


class Target:
    """The prover under test, and the suite's own side towards it.

    Args:
        party: The suite's party, a verifier that the prover admits.
        peer: The pinned card of the prover, with its endpoint.
        seed: Text that every value of the run follows from; a prover that remembers needs a new one.
        seconds: Deadline of one stream.
        folder: Where the suite's journals go.
    """

    def __init__(self, party: Party, peer: PeerCard, seed: str, seconds: float, folder: Path) -> None:
        self.party, self.peer, self.seconds = party, peer, seconds
        self._folder = folder
        self._journals: list[Journal] = []
        self._count = 0
        self._channel = transport.open_channel(party.card, party.tls_key, peer)
        self._stub = rpc.ProverStub(self._channel)  # type: ignore[no-untyped-call]
        self.described = self._describe()
        if not self.described.model_claims:
            raise LocalError(Reason.CONFIG, "the prover describes no model claim", hint="register a model")
        claim = read_claim(self.described.model_claims[0])
        self.world = World(party, peer, claim, seed)

    @property
    def name(self) -> str:
        """The fingerprint of the prover's root key."""
        return self.peer.fingerprint.hex()

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the prover claims to be able to do."""
        return tuple(self.described.capabilities)

    def _describe(self) -> Any:
        try:
            return self._stub.Describe(pb.DescribeRequest(), timeout=self.seconds, wait_for_ready=True)
        except grpc.RpcError as error:
            raise transport.to_error(error) from None

    def fresh(self) -> bytes:
        """32 bytes that nothing else in the run has."""
        self._count += 1
        return self.world.derive("fresh", self._count)

    def exercise(self, shape: str = "plain") -> Exercise:
        """An exercise that the prover has not seen."""
        return self.world.exercise(self.fresh().hex(), shape)

    def journal(self) -> Journal:
        """A journal of the suite's own."""
        self._count += 1
        made = Journal(self._folder / f"{self._count}.journal")
        self._journals.append(made)
        return made

    def stream(self) -> Stream:
        """A new stream to the prover."""
        return Stream(self._stub, self.seconds)

    def begin(
        self,
        state: State | None = None,
        nth: int = 1,
        *,
        shape: str = "plain",
        mutate: Mutate | None = None,
        exercise: Exercise | None = None,
    ) -> Player:
        """A fresh session, run to the pause or to the end. Raises `Failure`."""
        player = Player(self, exercise or self.exercise(shape), state, nth, mutate)
        player.play()
        return player

    def release(self) -> None:
        """Close what the last case left open."""
        for journal in self._journals:
            journal.close()
        self._journals.clear()

    def close(self) -> None:
        """Hang up."""
        self.release()
        self._channel.close()


def expect_refusal(stream: Stream, allowed: frozenset[Reason]) -> Refused:
    """The refusal that the case is about.

    Raises:
        Failure: Anything else came: acceptance, another reason, or an end that is no typed refusal.
    """
    got = stream.answer()
    wanted = " or ".join(sorted(allowed))
    if isinstance(got, Refused) and got.reason in allowed:
        return got
    raise Failure(f"expected a refusal with {wanted}, got {shown(got)}")
