"""Room: the chamber. Its gRPC service: sessions in, sealed uploads in, one receipt out.

It admits pinned parties alone and replays every session itself. What leaves it are keys, evidence,
receipts, reason codes, and to the verifier alone sealed results.
"""

import contextlib
import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc
from parley.v1 import chamber_pb2 as pb
from parley.v1 import chamber_pb2_grpc as rpc
from parley_attestation.edge import transport
from parley_attestation.edge.party import Party, PeerCard
from parley_attestation.encoding import MAX_CHUNK, Bytes32, Digest
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.evidence.collect import Collector
from parley_attestation.runtime import Runtime
from parley_attestation.session.facts import Earlier
from parley_attestation.session.machine import Machine
from parley_attestation.session.turns import Turn, envelope_from_wire

from parley_chamber import evaluation
from parley_chamber.holding import Sessions
from parley_chamber.ledger import RunLedger
from parley_chamber.reexecute import Chamber
from parley_chamber.retention import Retention
from parley_chamber.sandbox import Limits, Sandbox
from parley_chamber.sessions import MAX_UPLOAD, ChamberSession, forget_uploads, results_of

MAX_MESSAGES = 64  # messages of a sealed session
MAX_ATTEMPTS = 16  # sessions at one exercise
SPARE_CALLS = 2  # calls of a party beside the one in each of its sessions
# What is said with these codes tells of this chamber's limits, which are no secret.
_TOLD = frozenset({Reason.TOO_LARGE, Reason.SESSION_LIMIT})
T = TypeVar("T")
log = logging.getLogger("parley.chamber")  # session ids and codes, nothing else


@dataclass(frozen=True, slots=True)
class Setup:
    """A chamber that serves.

    Attributes:
        party: The operator.
        peers: The parties to admit; a session is between a prover and a verifier of these.
        folder: Where sealed uploads and the run ledger lie.
        runtimes: The runtimes that terms may name.
        sandbox: How boxes are made here.
        limits: What a box may use.
        sessions: Sessions of one prover and one verifier held at once.
        upload: Bytes of one sealed upload at most.
        collectors: Where evidence comes from.
        keep: How long and how many results wait for their verifiers.
        wait: Waits so many seconds.
    """

    party: Party = field(repr=False)
    peers: tuple[PeerCard, ...]
    folder: Path
    runtimes: tuple[Runtime, ...]
    sandbox: Sandbox
    limits: Limits = field(default_factory=Limits)
    sessions: int = 16
    upload: int = MAX_UPLOAD
    collectors: tuple[Collector, ...] = ()
    keep: Retention = field(default_factory=Retention)
    wait: Callable[[float], None] = time.sleep

    @property
    def calls(self) -> int:
        """Calls of one party at once: a run in each of its sessions holds one until its outcome may leave."""
        return self.sessions + SPARE_CALLS


class _NoContents:
    """Messages of a sealed session have no content."""

    def get(self, digest: bytes) -> bytes | None:
        """None."""
        del digest
        return None


def _machine(envelopes: Sequence[Any], earlier: Earlier | None) -> Machine:
    """One session, replayed; `earlier` is the attempt before it."""
    if len(envelopes) > MAX_MESSAGES:
        raise PeerError(Reason.TOO_LARGE, f"expected at most {MAX_MESSAGES} messages")
    known = {} if earlier is None else {earlier.facts.exercise: earlier}
    machine = Machine(_NoContents(), mode="sealed", earlier=known.get)
    for envelope in envelopes:
        machine.step(Turn(envelope_from_wire(envelope)))
    return machine


class ChamberService(rpc.ChamberServicer):
    """Answers for one chamber."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._cards = {card.tls_digest: card for card in setup.peers}
        self._chamber = Chamber(setup.party.session, setup.sandbox, setup.limits)
        self._ledger = RunLedger(setup.folder / "runs")
        forget_uploads(setup.folder)
        setup.keep.apply(setup.folder, time.time())
        self._sessions = Sessions(setup.sessions)
        self._lock = threading.Lock()
        self._calls: Counter[Digest] = Counter()

    def Describe(self, _request: Any, _context: Any) -> Any:  # noqa: N802 - named by the proto
        """What this chamber can do."""
        return pb.ChamberDescribeResponse(
            sandbox=evaluation.kept_apart(self._setup.sandbox),
            operator=bytes(self._setup.party.session.public),
            runtimes=[bytes(one.digest()) for one in self._setup.runtimes],
        )

    def Open(self, request: Any, context: Any) -> Any:  # noqa: N802 - named by the proto
        """Take a session up to its seed; the same session gets the same keys."""
        return _shielded(context, lambda card: self._open(request, card), self._admitted)

    def Upload(self, requests: Iterator[Any], context: Any) -> Any:  # noqa: N802 - named by the proto
        """Take the caller's sealed content."""
        return _shielded(context, lambda card: self._upload(requests, card), self._admitted)

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802 - named by the proto
        """Run once, and give the receipt or the refusal when the terms say."""
        return _shielded(context, lambda card: self._run(request, card), self._admitted)

    def Results(self, request: Any, context: Any) -> Any:  # noqa: N802 - named by the proto
        """Give the verifier the results of its ended session, where the terms hand them over."""
        return _shielded(context, lambda card: self._results(request, card), self._admitted)

    @contextlib.contextmanager
    def _admitted(self, context: grpc.ServicerContext) -> Iterator[PeerCard]:
        """The pinned caller, within its share of this chamber's workers: nobody takes another party's."""
        card = self._card(context)
        with self._lock:
            if self._calls[card.fingerprint] >= self._setup.calls:
                raise PeerError(
                    Reason.SESSION_LIMIT, f"a party has at most {self._setup.calls} calls at once"
                )
            self._calls[card.fingerprint] += 1
        try:
            yield card
        finally:
            with self._lock:
                self._calls[card.fingerprint] -= 1

    def _card(self, context: grpc.ServicerContext) -> PeerCard:
        card = self._cards.get(transport.client_certificate(context))
        if card is None:
            raise PeerError(Reason.UNKNOWN_PARTY, "this chamber does not know the caller")
        return card

    def _replay(self, request: Any, card: PeerCard) -> Machine:
        """The session of a request, after the earlier attempts at its exercise."""
        if len(request.earlier) >= MAX_ATTEMPTS:
            raise PeerError(Reason.TOO_LARGE, f"expected at most {MAX_ATTEMPTS} attempts")
        earlier: Earlier | None = None
        for attempt in request.earlier:
            if not attempt.envelopes:
                raise PeerError(Reason.BAD_ATTEMPT, "an attempt without a message is none")
            earlier = _machine(attempt.envelopes, earlier).as_earlier()
        machine = _machine(request.envelopes, earlier)
        parties = {history.owner for history in machine.facts.histories.values()}
        if card.fingerprint not in parties or not parties <= {c.fingerprint for c in self._setup.peers}:
            raise PeerError(Reason.UNKNOWN_PARTY, "the session is not one between parties of this chamber")
        return machine

    def _open(self, request: Any, card: PeerCard) -> Any:
        machine = self._replay(request, card)
        session = self._sessions.open(machine, lambda: self._begin(machine)).session
        return pb.OpenResponse(
            keys=session.keys, evidence=session.evidence, received=session.received(_role(card))
        )

    def _begin(self, machine: Machine) -> ChamberSession:
        terms = machine.facts.terms
        runtime = next((r for r in self._setup.runtimes if terms and r.digest() == terms.runtime), None)
        if runtime is None:
            raise PeerError(Reason.BAD_RUNTIME, "this chamber cannot run the runtime that the terms name")
        self._setup.keep.apply(self._setup.folder, time.time())
        session = ChamberSession(
            self._chamber,
            machine,
            runtime,
            ledger=self._ledger,
            folder=self._folder(machine),
            entropy=Bytes32(secrets.token_bytes(32)),
            collectors=self._setup.collectors,
            now=int(time.time()),
            most=self._setup.upload,
        )
        log.info("session %s: opened, fresh keys", _short(machine.facts.session_id))
        return session

    def _upload(self, requests: Iterator[Any], card: PeerCard) -> Any:
        received, role, session = 0, _role(card), b""
        for request in requests:
            if not 1 <= len(request.data) <= MAX_CHUNK:
                raise PeerError(Reason.TOO_LARGE, f"expected parts of 1..{MAX_CHUNK} bytes")
            session = request.session_id
            with self._sessions.using(session, card.fingerprint) as held:
                held.session.append(role, request.offset, request.data)
                received = held.session.received(role)
        log.info("session %s: sealed upload of the %s", _short(session), role)
        return pb.UploadResponse(received=received)

    def _run(self, request: Any, card: PeerCard) -> Any:
        machine = self._replay(request, card)
        with self._sessions.using(machine.facts.session_id, card.fingerprint) as held:
            held.receipt = held.receipt or self._outcome(held.session, machine)
            return pb.RunResponse(receipt=held.receipt)

    def _results(self, request: Any, card: PeerCard) -> Any:
        machine = self._replay(request, card)
        if machine.facts.histories[Role.VERIFIER].owner != card.fingerprint:
            raise PeerError(Reason.BAD_CUSTODY, "results are for the verifier alone")
        sealed = results_of(self._folder(machine), machine)
        log.info("session %s: the results leave, sealed for the verifier", _short(machine.facts.session_id))
        return pb.ResultsResponse(sealed=sealed)

    def _folder(self, machine: Machine) -> Path:
        return self._setup.folder / machine.facts.session_id.hex()

    def _outcome(self, session: ChamberSession, machine: Machine) -> bytes:
        """Run, and hold the outcome back until the time that the terms fix, whatever it is."""
        terms = machine.facts.terms
        assert terms is not None
        assert terms.sealed is not None
        begun, name = int(time.time()), _short(machine.facts.session_id)
        log.info("session %s: both keys released, the run begins", name)
        with self._held_back(begun + terms.sealed.release_seconds if terms.sealed.release_seconds else 0):
            outcome = session.receipt(machine, begun)
        # Not before: a party can see how much of its upload is here.
        session.discard()
        log.info("session %s: the outcome leaves", name)
        return outcome

    @contextlib.contextmanager
    def _held_back(self, until: int) -> Iterator[None]:
        """Wait until then (Unix seconds, 0 for not at all) also where a run fails; a refusal to run waits for nothing."""
        try:
            yield
        except PeerError:
            until = 0
            raise
        finally:
            if until:
                self._setup.wait(max(0.0, until - time.time()))


def _short(session: bytes) -> str:
    return session.hex()[:16]


def _role(card: PeerCard) -> Role:
    if card.role not in {Role.PROVER, Role.VERIFIER}:
        raise PeerError(Reason.UNKNOWN_PARTY, "expected a prover or a verifier")
    return card.role


def _shielded(
    context: grpc.ServicerContext,
    answer: Callable[[PeerCard], T],
    admitted: Callable[[grpc.ServicerContext], contextlib.AbstractContextManager[PeerCard]],
) -> T:
    """Answer a call; of a failure only a code leaves."""
    try:
        with admitted(context) as card:
            return answer(card)
    except PeerError as error:
        told = error.message if error.reason in _TOLD else "the chamber refuses"
        refused = PeerError(error.reason, told)
    except Exception as error:  # noqa: BLE001 - the last line before the wire
        transport.fail(context, error)
    return transport.refuse(context, refused)


def serve(setup: Setup, address: str) -> tuple[grpc.Server, int]:
    """Start a chamber at `address` (host:port) that admits the pinned parties alone.

    Raises:
        LocalError: UNREACHABLE, where the address cannot be bound.
    """
    setup.folder.mkdir(mode=0o700, exist_ok=True, parents=True)
    parties = {card.fingerprint for card in setup.peers}
    workers = len(parties) * setup.calls + SPARE_CALLS
    server = grpc.server(
        futures.ThreadPoolExecutor(workers, thread_name_prefix="chamber"),
        options=transport.OPTIONS,
        maximum_concurrent_rpcs=workers,
    )
    rpc.add_ChamberServicer_to_server(ChamberService(setup), server)  # type: ignore[no-untyped-call]
    credentials = transport.server_credentials(setup.party.card, setup.party.tls_key, setup.peers)
    try:
        port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise LocalError(Reason.UNREACHABLE, f"{address}: cannot listen there") from error
    server.start()
    return server, port
