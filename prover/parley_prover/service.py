"""Room: the prover. The gRPC server: moves frames between a stream and a session, and knows no protocol."""

import contextlib
import queue
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc
from parley.v1 import session_pb2 as pb
from parley.v1 import session_pb2_grpc as rpc
from parley_attestation.edge import transport
from parley_attestation.edge.attempts import earlier_attempts, session_mode
from parley_attestation.edge.endpoint import Endpoint
from parley_attestation.edge.journal import Journal, SessionRow
from parley_attestation.edge.notary import Notary
from parley_attestation.edge.party import Party, PeerCard
from parley_attestation.encoding import MAX_ENVELOPE
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.session.agreement import SUITE, VERSION
from parley_attestation.session.facts import Channel
from parley_attestation.session.machine import Machine
from parley_attestation.session.modes import offered_mode
from parley_attestation.session.turns import envelope_from_wire

from parley_prover.answering import Offer, ProverPolicy
from parley_prover.budget import DisclosureBudget, Limits
from parley_prover.engines.base import Engine

PING_SECONDS = 10.0
SPARE_CALLS = 4  # calls of a party beside the one in each of its sessions
TAKEOVER_SECONDS = 60.0  # how long a returning verifier waits for its broken stream to let go
_DONE = object()


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What the server grants each verifier: sessions at once, seconds of one stream, and its budget."""

    sessions: int = 4
    stream_seconds: float = 6 * 3600
    disclosure: Limits = field(default_factory=lambda: Limits(100_000, 1 << 32))


class ProverService(rpc.ProverServicer):
    """The servicer of `parley.v1.Prover`."""

    def __init__(
        self,
        party: Party,
        peers: Sequence[PeerCard],
        engine: Engine | None,
        offer: Offer,
        journal: Path,
        limits: ServerLimits,
        notary: Notary | None = None,
    ) -> None:
        """Serve the verifiers in `peers`, each known by its pinned certificate and root.

        Without an engine there is no open mode, without a model for a chamber no sealed one.
        """
        self._party = party
        self._peers = {peer.tls_digest: peer for peer in peers}
        self._engine = engine
        self._engine_lock = threading.Lock()
        self._offer = offer
        self._journal = journal
        self._limits = limits
        self._notary = notary
        self._slots = {digest: threading.BoundedSemaphore(limits.sessions) for digest in self._peers}
        self._calls: Counter[bytes] = Counter()
        self._busy: dict[bytes, tuple[threading.Lock, grpc.ServicerContext]] = {}
        self._busy_lock = threading.Lock()

    def Describe(  # noqa: N802 - the name of the call
        self, request: pb.DescribeRequest, context: grpc.ServicerContext
    ) -> pb.DescribeResponse:
        """Tell what this prover can do."""
        del request
        try:
            self._peer(context)
        except PeerError as error:
            transport.refuse(context, error)
        except Exception as error:  # noqa: BLE001 - the last line before the wire
            transport.fail(context, error)
        return pb.DescribeResponse(
            versions=[VERSION],
            suites=[SUITE],
            modes=[
                mode
                for mode, part in (("open", self._engine), ("sealed", self._offer.sealed))
                if part is not None
            ],
            root=self._party.card.fingerprint,
            model_claims=self._offer.model_claims,
            max_payload=MAX_ENVELOPE,
            max_sessions=self._limits.sessions,
            capabilities=["resume", "redaction", "audit"],
        )

    def Session(  # noqa: N802 - the name of the call
        self, request_iterator: Iterator[pb.SessionRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.SessionResponse]:
        """Carry one session."""
        for frame in transport.shielded(lambda c: self._session(request_iterator, c), context):
            yield pb.SessionResponse(frame=frame)

    def _peer(self, context: grpc.ServicerContext) -> PeerCard:
        peer = self._peers.get(transport.client_certificate(context))
        if peer is None:
            raise PeerError(Reason.UNKNOWN_PARTY, "this certificate is not pinned here")
        return peer

    def _session(
        self, requests: Iterator[pb.SessionRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.Frame]:
        peer = self._peer(context)
        stream = _Stream(lambda put: self._work(peer, requests, context, put), context)
        with self._admitted(peer):
            yield from stream.frames(time.monotonic() + self._limits.stream_seconds)

    @contextlib.contextmanager
    def _admitted(self, peer: PeerCard) -> Iterator[None]:
        """A verifier's share of this server's workers: nobody takes another one's, not even by saying nothing."""
        share = self._limits.sessions + SPARE_CALLS
        with self._busy_lock:
            if self._calls[peer.tls_digest] >= share:
                raise PeerError(Reason.SESSION_LIMIT, f"a verifier has at most {share} streams at once")
            self._calls[peer.tls_digest] += 1
        try:
            yield
        finally:
            with self._busy_lock:
                self._calls[peer.tls_digest] -= 1

    @contextlib.contextmanager
    def _slot(self, peer: PeerCard) -> Iterator[None]:
        """A place among a verifier's sessions at once; taken after a takeover, which frees the older one."""
        slots = self._slots[peer.tls_digest]
        if not slots.acquire(blocking=False):
            raise PeerError(Reason.SESSION_LIMIT, f"{self._limits.sessions} sessions are running already")
        try:
            yield
        finally:
            slots.release()

    def _work(
        self,
        peer: PeerCard,
        requests: Iterator[pb.SessionRequest],
        context: grpc.ServicerContext,
        put: Callable[[pb.Frame], None],
    ) -> None:
        first = next(requests, None)
        if first is None:
            return
        journal = Journal(self._journal)
        with contextlib.ExitStack() as held:
            held.enter_context(contextlib.closing(journal))
            held.enter_context(self._alone(peer.tls_digest + _hello(journal, first.frame), context))
            held.enter_context(self._slot(peer))
            row = _known(journal, first.frame)
            endpoint = held.enter_context(
                self._endpoint(peer, journal, row, _mode(journal, row, first.frame))
            )
            for frame in self._begin(endpoint, row, first.frame):
                put(frame)
            for request in requests:
                for frame in endpoint.feed(request.frame):
                    put(frame)
                if endpoint.done:
                    return

    @contextlib.contextmanager
    def _endpoint(
        self, peer: PeerCard, journal: Journal, row: SessionRow | None, mode: str
    ) -> Iterator[Endpoint]:
        channel = Channel(peer.tls_digest, self._party.card.tls_digest)
        budget = DisclosureBudget(journal.connection, peer.fingerprint, self._limits.disclosure)
        pins = {Role.VERIFIER: peer.fingerprint, Role.PROVER: self._party.card.fingerprint}
        earlier = earlier_attempts(journal, Role.PROVER, row)
        machine = Machine(journal, mode=mode, pins=pins, channel=channel, earlier=earlier)
        with self._offering(mode, journal) as offer:
            policy = ProverPolicy(offer, channel, self._engine, journal, budget, self._engine_lock)
            yield Endpoint(
                policy, self._party.session, journal, machine, secrets.token_bytes(32), self._notary
            )

    @contextlib.contextmanager
    def _offering(self, mode: str, journal: Journal) -> Iterator[Offer]:
        """What this session is offered: in sealed mode the one model that a chamber may have."""
        sealed = self._offer.sealed
        if mode != "sealed" or sealed is None:
            yield self._offer
            return
        with sealed.custody(journal) as custody:
            yield replace(self._offer, model_claims=(sealed.claim,), custody=custody)

    def _begin(self, endpoint: Endpoint, row: SessionRow | None, frame: pb.Frame) -> Iterator[pb.Frame]:
        """Begin a new session, or find the one that the first frame continues."""
        if row is None:
            yield from endpoint.feed(frame)
            return
        endpoint.load(row)
        if frame.WhichOneof("kind") == "envelope":
            yield from endpoint.resend(1)
        else:
            yield endpoint.resume()
            yield from endpoint.feed(frame)

    @contextlib.contextmanager
    def _alone(self, key: bytes, context: grpc.ServicerContext) -> Iterator[None]:
        """One stream a session: a returning verifier takes over from its own broken stream."""
        with self._busy_lock:
            lock, older = self._busy.get(key, (threading.Lock(), None))
            self._busy[key] = (lock, context)
        if older is not None:
            older.cancel()  # type: ignore[no-untyped-call]
        if not lock.acquire(timeout=TAKEOVER_SECONDS):
            raise PeerError(Reason.SESSION_LIMIT, "this session is still busy on another stream")
        try:
            yield
        finally:
            with self._busy_lock:
                if self._busy.get(key, (None, None))[1] is context:
                    del self._busy[key]
            lock.release()


def _known(journal: Journal, frame: pb.Frame) -> SessionRow | None:
    """The session that a first frame continues, where the journal has it."""
    if frame.WhichOneof("kind") == "envelope":
        return journal.find(hello=envelope_from_wire(frame.envelope).head())
    return journal.find(session_id=frame.resume.session_id)


def _mode(journal: Journal, row: SessionRow | None, frame: pb.Frame) -> str:
    """The mode of a session that a first frame continues, or of the one that it begins."""
    if row is not None:
        return session_mode(journal, row)
    return offered_mode(envelope_from_wire(frame.envelope))


def _hello(journal: Journal, frame: pb.Frame) -> bytes:
    """The head of the Hello of the session that a first frame begins or continues.

    Raises:
        PeerError: OUT_OF_ORDER or WRONG_SESSION, where the frame does neither.
    """
    kind = frame.WhichOneof("kind")
    if kind == "envelope":
        return envelope_from_wire(frame.envelope).head()
    if kind != "resume":
        raise PeerError(Reason.OUT_OF_ORDER, "expected a Hello or a Resume as the first frame")
    row = journal.find(session_id=frame.resume.session_id)
    if row is None:
        raise PeerError(Reason.WRONG_SESSION, "no such session is known here")
    return row.hello


class _Stream:
    """Runs a session in a worker thread and pings while it thinks."""

    def __init__(
        self, work: Callable[[Callable[[object], None]], None], context: grpc.ServicerContext
    ) -> None:
        self._work = work
        self._context = context
        self._queue: queue.Queue[object] = queue.Queue(maxsize=64)

    def _put(self, item: object) -> None:
        while self._context.is_active():
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=1.0)
                return
        raise LocalError(Reason.UNREACHABLE, "the verifier's stream is gone")

    def _run(self) -> None:
        try:
            self._work(self._put)
        except Exception as error:  # noqa: BLE001 - handed to the stream's own thread
            outcome: object = error
        else:
            outcome = _DONE
        with contextlib.suppress(LocalError):
            self._put(outcome)

    def _wake(self) -> None:
        """The call has ended: a stream that waits lets go of its place at once, not at the next ping."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(_DONE)

    def frames(self, until: float) -> Iterator[pb.Frame]:
        """The frames to send, with a ping wherever the worker is silent, `until` a monotonic time.

        Raises:
            PeerError: TIMEOUT.
        """
        if not self._context.add_callback(self._wake):
            return
        worker = threading.Thread(target=self._run, name="parley-session", daemon=True)
        worker.start()
        while True:
            if time.monotonic() > until:
                raise PeerError(Reason.TIMEOUT, "this stream has lasted as long as one may")
            try:
                item = self._queue.get(timeout=PING_SECONDS)
            except queue.Empty:
                if not self._context.is_active():
                    return
                yield pb.Frame(ping=pb.Ping())
                continue
            if item is _DONE:
                return
            if isinstance(item, Exception):
                raise item
            assert isinstance(item, pb.Frame)
            yield item


def serve(
    service: ProverService, party: Party, peers: Sequence[PeerCard], address: str, sessions: int
) -> tuple[grpc.Server, int]:
    """Start a server at `address` (host:port) that admits the pinned peers alone.

    Raises:
        LocalError: UNREACHABLE, where the address cannot be bound.
    """
    workers = len({peer.tls_digest for peer in peers}) * (sessions + SPARE_CALLS) + SPARE_CALLS
    server = grpc.server(
        futures.ThreadPoolExecutor(workers, thread_name_prefix="parley"),
        options=transport.OPTIONS,
        maximum_concurrent_rpcs=workers,
    )
    rpc.add_ProverServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    credentials = transport.server_credentials(party.card, party.tls_key, peers)
    try:
        port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise LocalError(Reason.UNREACHABLE, f"{address}: cannot listen there") from error
    server.start()
    return server, port
