"""Room: the suite. The prover that the suite plays over gRPC: honest, but for one place of a script.

It admits the suite's own verifier identity alone. One script is in force at a time; a stream that starts
takes it, and the next one is honest again unless another script is set.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from parley.v1 import session_pb2 as pb
from parley.v1 import session_pb2_grpc as rpc
from parley_attestation.edge import transport
from parley_attestation.edge.endpoint import Endpoint
from parley_attestation.edge.journal import Journal
from parley_attestation.edge.party import Party
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.session.tables import State
from parley_attestation.session.turns import envelope_from_wire

from parley_conformance.arena import Arena, Pause, Speaker, Stoppable
from parley_conformance.deviations import Said, frames_of
from parley_conformance.harness import Mutate
from parley_conformance.world import Exercise

WORKERS = 16
Requests = Iterator[pb.SessionRequest]


@dataclass
class Script:
    """What one stream of the prover does that an honest one does not.

    Attributes:
        state: Before the `nth` message in this state the prover speaks by `say`; None never.
        say: What it says there; nothing breaks the stream off.
        mutate: Changes honest drafts on their way into the session.
        resume: Changes the frame with which it answers a resumption.
        sent: After so many frames the stream breaks off, whatever was to come.
        kind: What carries the session.
        silent: Says nothing more at all once it would break off, and keeps the stream open.
        reached: Set once the prover did it.
        accepted: What the verifier sent after it, if it went on.
    """

    state: State | None = None
    say: Callable[[Speaker], Said] = field(default=lambda _: [])
    nth: int = 1
    mutate: Mutate | None = None
    resume: Callable[[pb.Resume], None] | None = None
    sent: int | None = None
    kind: type[Endpoint] = Endpoint
    silent: bool = False
    reached: bool = False
    accepted: str = ""


class Prover(rpc.ProverServicer):
    """The servicer; `exercises` finds what a verifier proposes, for scripts to look at."""

    def __init__(self, arena: Arena, journal: Path) -> None:
        self._arena, self._journal = arena, journal
        self._lock = threading.Lock()
        self._script: Script | None = None
        self.exercise: Exercise | None = None
        self.refusals: list[PeerError] = []
        self.calls = 0

    def follow(self, script: Script | None, exercise: Exercise) -> None:
        """Have the next stream follow a script."""
        with self._lock:
            self._script, self.exercise = script, exercise
            self.refusals.clear()
            self.calls = 0

    def Describe(  # noqa: N802 - the name of the call
        self, request: pb.DescribeRequest, context: grpc.ServicerContext
    ) -> pb.DescribeResponse:
        """Tell what this prover can do."""
        del request, context
        return pb.DescribeResponse(
            versions=[1],
            suites=[1],
            modes=["open"],
            root=self._arena.prover.card.fingerprint,
            model_claims=[self._arena.claim],
            max_payload=1 << 20,
            max_sessions=WORKERS,
            capabilities=["resume"],
        )

    def Session(  # noqa: N802 - the name of the call
        self, request_iterator: Requests, context: grpc.ServicerContext
    ) -> Iterator[pb.SessionResponse]:
        """Carry one session by the script."""
        with self._lock:
            script, self._script = self._script or Script(), None
            self.calls += 1
        frames = transport.shielded(lambda c: self._frames(script, request_iterator, c), context)
        for count, frame in enumerate(frames):
            if script.sent is not None and count >= script.sent:
                script.reached = True
                return
            yield pb.SessionResponse(frame=frame)

    def _frames(
        self, script: Script, requests: Requests, context: grpc.ServicerContext
    ) -> Iterator[pb.Frame]:
        del context
        journal = Journal(self._journal)
        try:
            yield from self._session(script, requests, journal)
        except PeerError as error:
            self.refusals.append(error)
            raise
        except grpc.RpcError:
            return  # the verifier hung up
        finally:
            journal.close()

    def _session(self, script: Script, requests: Requests, journal: Journal) -> Iterator[pb.Frame]:
        first = next(requests, None)
        if first is None:
            return
        endpoint = self._endpoint(script, journal, first.frame)
        try:
            yield from self._answers(script, endpoint, first.frame)
            for request in requests:
                yield from endpoint.feed(request.frame)
                if endpoint.done:
                    return
        except Pause as pause:
            script.reached = True
            assert self.exercise is not None
            speaker = Speaker(self._arena.stand(Role.PROVER), self.exercise, endpoint, pause.draft)
            said = frames_of(script.say(speaker))
            yield from said
            if said or script.silent:
                self._watch(script, requests)

    def _watch(self, script: Script, requests: Requests) -> None:
        """Wait for the verifier to hang up; a message instead means that it took what was said."""
        for request in requests:
            kind = request.frame.WhichOneof("kind")
            if kind in {"envelope", "chunk"} and not script.silent:
                script.accepted = str(kind)
                return

    def _endpoint(self, script: Script, journal: Journal, first: pb.Frame) -> Endpoint:
        assert self.exercise is not None
        kind = first.WhichOneof("kind")
        if kind == "resume":
            row = journal.find(session_id=first.resume.session_id)
        elif kind == "envelope":
            row = journal.find(hello=envelope_from_wire(first.envelope).head())
        else:
            raise PeerError(Reason.OUT_OF_ORDER, "expected a Hello or a Resume as the first frame")
        if kind == "resume" and row is None:
            raise PeerError(Reason.WRONG_SESSION, "no such session is known here")
        policy = self._arena.policy(Role.PROVER, self.exercise, journal)
        stoppable = Stoppable(policy, script.state, script.nth, script.mutate)
        return self._arena.endpoint(stoppable, journal, row, script.kind)

    def _answers(self, script: Script, endpoint: Endpoint, first: pb.Frame) -> Iterator[pb.Frame]:
        """Begin a new session, or go on in the one that the first frame names."""
        if endpoint.row is None:
            yield from endpoint.feed(first)
        elif first.WhichOneof("kind") == "envelope":
            yield from endpoint.resend(1)
        else:
            frame = endpoint.resume()
            if script.resume is not None:
                script.resume(frame.resume)
                script.reached = True
            yield frame
            yield from endpoint.feed(first)


def serve(service: Prover, own: Party, verifier: Party, address: str) -> tuple[grpc.Server, int]:
    """Start the prover at `address` (host:port) for one verifier; the server and its port."""
    server = grpc.server(
        futures.ThreadPoolExecutor(WORKERS, thread_name_prefix="counterpart"),
        options=transport.OPTIONS,
        maximum_concurrent_rpcs=WORKERS,
    )
    rpc.add_ProverServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    credentials = transport.server_credentials(own.card, own.tls_key, [verifier.card])
    port = server.add_secure_port(address, credentials)
    server.start()
    return server, port
