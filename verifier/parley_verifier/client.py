"""Room: the verifier. The gRPC client: runs one exercise against a prover and writes its record."""

import contextlib
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from parley.v1 import session_pb2 as pb
from parley.v1 import session_pb2_grpc as rpc
from parley_attestation.edge import transport
from parley_attestation.edge.attempts import earlier_attempts, replay
from parley_attestation.edge.endpoint import Endpoint, Secret
from parley_attestation.edge.journal import Journal, SessionRow
from parley_attestation.edge.notary import Notary
from parley_attestation.edge.party import Party, PeerCard
from parley_attestation.edge.records import write_record
from parley_attestation.edge.sealed import Custody
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, Reason, Role
from parley_attestation.session.facts import Channel
from parley_attestation.session.machine import Machine

from parley_verifier.challenge import HiddenSet, Progress, VerifierPolicy
from parley_verifier.results import SealedResults
from parley_verifier.sealed import SealedVerifierPolicy, fetch_results

_END = None
LEAVE_SECONDS = 10.0  # how long a verifier whose message is the last one waits for it to be taken


@dataclass(frozen=True, slots=True)
class Run:
    """What one exercise needs.

    Attributes:
        party: The verifier.
        peer: The prover's pinned card.
        terms: The sealed terms.
        tests: The hidden test set.
        journal: Where turns are kept.
        notary: The way to the witnesses; None asks none.
        silence: Seconds without a frame after which the prover counts as gone.
        seconds: Seconds of one stream.
        chamber: Has a chamber re-execute, where the terms demand it; None stops the exercise there.
        results: The results of the sealed run, where the terms audit its receipt.
        sealed: Joins the journal to the chambers of sealed terms; None where the terms are open.
    """

    party: Party
    peer: PeerCard
    terms: bytes
    tests: HiddenSet
    journal: Path
    notary: Notary | None = None
    silence: float = 120.0
    seconds: float = 6 * 3600.0
    chamber: Callable[[Machine], bytes] | None = None
    results: SealedResults | None = None
    sealed: Callable[[Journal], AbstractContextManager[Custody]] | None = None


def run(
    job: Run, *, resume: SessionRow | None = None, progress: Callable[[Progress], None] = lambda _: None
) -> Endpoint:
    """Run an exercise to its end over one connection.

    Raises:
        PeerError: The prover broke the protocol, or refused with a reason.
        LocalError: UNREACHABLE, where the connection failed: run again to resume. Others, ours.
    """
    with contextlib.ExitStack() as held:
        journal = held.enter_context(contextlib.closing(Journal(job.journal)))
        channel = held.enter_context(_channel(job))
        custody = held.enter_context(job.sealed(journal)) if job.sealed is not None else None
        endpoint = open_endpoint(job, journal, resume, progress, custody)
        if not endpoint.done:
            _drive(job, endpoint, rpc.ProverStub(channel))  # type: ignore[no-untyped-call]
        return endpoint


def open_endpoint(
    job: Run,
    journal: Journal,
    row: SessionRow | None,
    progress: Callable[[Progress], None] = lambda _: None,
    custody: Custody | None = None,
) -> Endpoint:
    """The verifier's end of a new session, or of the one in `row`; with `custody`, of a sealed one."""
    seen = Channel(job.party.card.tls_digest, job.peer.tls_digest)
    policy = (
        VerifierPolicy(
            job.party.history, seen, job.terms, job.tests, progress, journal, job.chamber, job.results
        )
        if custody is None
        else SealedVerifierPolicy(job.party.history, seen, job.terms, job.tests, journal, custody)
    )
    pins: dict[Role, Digest] = {
        Role.VERIFIER: job.party.card.fingerprint,
        Role.PROVER: job.peer.fingerprint,
    }
    mode = "open" if custody is None else "sealed"
    earlier = earlier_attempts(journal, Role.VERIFIER, row)
    machine = Machine(journal, mode=mode, pins=pins, channel=seen, earlier=earlier)
    endpoint = Endpoint(policy, job.party.session, journal, machine, secrets.token_bytes(32), job.notary)
    if row is not None:
        endpoint.load(row)
    return endpoint


@contextlib.contextmanager
def _channel(job: Run) -> Iterator[grpc.Channel]:
    channel = transport.open_channel(job.party.card, job.party.tls_key, job.peer)
    try:
        yield channel
    finally:
        channel.close()


def _drive(job: Run, endpoint: Endpoint, stub: Any) -> None:
    out: queue.Queue[pb.Frame | None] = queue.Queue(maxsize=64)
    call = stub.Session(_requests(out), timeout=job.seconds)
    watch = _Watch(call, job.silence)
    send = _sender(out, call)
    try:
        _begin(endpoint, send)
        watch.waiting()
        for response in call:
            watch.busy()
            for frame in endpoint.feed(response.frame):
                send(frame)
            if endpoint.done:
                break
            watch.waiting()
        if endpoint.done:
            _take_leave(out, call)
            return
        raise LocalError(Reason.UNREACHABLE, "the prover ended the stream early", hint="run again to resume")
    except grpc.RpcError as error:
        raise transport.to_error(error) from None
    finally:
        watch.stop()
        with contextlib.suppress(queue.Full):
            out.put_nowait(_END)
        if not endpoint.done:
            call.cancel()


def _take_leave(out: "queue.Queue[pb.Frame | None]", call: Any) -> None:
    """Say no more, and wait until the prover has taken the last message and ended the stream."""
    timer = threading.Timer(LEAVE_SECONDS, call.cancel)
    timer.start()
    try:
        with contextlib.suppress(grpc.RpcError, queue.Full):
            out.put(_END, timeout=LEAVE_SECONDS)
            for _ in call:
                pass
    finally:
        timer.cancel()


def _begin(endpoint: Endpoint, send: Callable[[pb.Frame], None]) -> None:
    if endpoint.machine.sequence >= 2:
        send(endpoint.resume())
        return
    frames = endpoint.resend(0) if endpoint.machine.sequence else endpoint.pump()
    for frame in frames:
        send(frame)


def _requests(out: "queue.Queue[pb.Frame | None]") -> Iterator[pb.SessionRequest]:
    while (frame := out.get()) is not _END:
        yield pb.SessionRequest(frame=frame)


def _sender(out: "queue.Queue[pb.Frame | None]", call: Any) -> Callable[[pb.Frame], None]:
    def send(frame: pb.Frame) -> None:
        while True:
            with contextlib.suppress(queue.Full):
                out.put(frame, timeout=1.0)
                return
            if not call.is_active():
                raise LocalError(
                    Reason.UNREACHABLE, "the connection ended while sending", hint="run again to resume"
                )

    return send


class _Watch:
    """Cancels a call on which nothing came for too long; a prover that thinks sends pings.

    What the verifier itself takes, such as the hours of a chamber's run, is not the prover's silence.
    """

    def __init__(self, call: Any, silence: float) -> None:
        self._call = call
        self._silence = silence
        self._since: float | None = None
        self._stop = threading.Event()
        threading.Thread(target=self._loop, name="parley-watch", daemon=True).start()

    def waiting(self) -> None:
        self._since = time.monotonic()

    def busy(self) -> None:
        self._since = None

    def stop(self) -> None:
        self._stop.set()

    def _loop(self) -> None:
        while not self._stop.wait(1.0):
            since = self._since
            if since is not None and time.monotonic() - since > self._silence:
                self._call.cancel()
                return


def results_of(job: Run, row: SessionRow) -> SealedResults:
    """The results of an ended sealed session, from its chamber. Raises what `fetch_results` raises."""
    assert job.sealed is not None
    with (
        contextlib.closing(Journal(job.journal)) as journal,
        job.sealed(journal) as custody,
    ):
        return fetch_results(custody, replay(journal, Role.VERIFIER, row), Secret(row.secret))


def save_record(job: Run, row: SessionRow, path: Path) -> None:
    """Write the record of a session from the journal; only then has the session ended for the journal."""
    with contextlib.closing(Journal(job.journal)) as journal:
        write_record(journal, row, path)
        journal.note(row, ended=True)


def save_partial(job: Run, path: Path) -> None:
    """After a failure, write the record of a session that a provable fault has ended; others can resume."""
    with contextlib.closing(Journal(job.journal)) as journal:
        row = journal.last(Role.VERIFIER)
        if row is not None and row.ended and not path.exists():
            write_record(journal, row, path)
