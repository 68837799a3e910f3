"""Room: the suite. The way to a verifier under test: the prover that the suite plays, and the harness's one call."""

import contextlib
import io
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from parley.conformance.v1 import harness_pb2 as pb
from parley.conformance.v1 import harness_pb2_grpc as rpc
from parley_attestation.commitment import Field
from parley_attestation.edge.party import Party
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.judge import Judgement, judge

from parley_conformance.arena import Arena
from parley_conformance.counterpart import Prover, Script, serve
from parley_conformance.harness import Failure
from parley_conformance.world import Exercise

MAX_MESSAGE = 64 << 20
GRACE = 15.0  # seconds beyond the verifier's own deadline in which the harness must answer
UNREACHABLE = frozenset({Reason.UNREACHABLE.value, Reason.TIMEOUT.value})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the verifier decided, and what its transcript shows; None where it gave none."""

    verdict: str
    reason: str
    blamed: str
    transcript: bytes
    judged: Judgement | None


class Verifier:
    """The verifier under test, and the suite's own side towards it.

    Args:
        endpoint: host:port of the harness.
        seed: Text that every value of the run follows from.
        folder: Where the suite's own parties and journals go.
        seconds: Deadline of one session.
        listen: host:port on which the suite's prover serves; the verifier connects there.

    Raises:
        LocalError: UNREACHABLE, where no harness answers.
    """

    def __init__(
        self, endpoint: str, seed: str, folder: Path, seconds: float = 30.0, listen: str = "127.0.0.1:0"
    ) -> None:
        self.name = endpoint
        self.capabilities: tuple[str, ...] = ()
        self.seconds = seconds
        self.arena = Arena(folder, seed)
        self.prover = Prover(self.arena, folder / "counterpart.journal")
        self._server, port = serve(self.prover, self.arena.prover, self.arena.verifier, listen)
        self.address = f"{listen.rpartition(':')[0]}:{port}"
        self._channel = grpc.insecure_channel(
            endpoint, [("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.enable_retries", 0)]
        )
        self._stub = rpc.VerifierHarnessStub(self._channel)  # type: ignore[no-untyped-call]
        try:
            grpc.channel_ready_future(self._channel).result(seconds)
        except grpc.FutureTimeoutError:
            self.close()
            raise LocalError(Reason.UNREACHABLE, f"{endpoint}: no harness answers") from None

    def release(self) -> None:
        """Put the suite's model back, and close what the last case left open."""
        self.arena.engine.wrong = 0
        self.arena.release()

    def close(self) -> None:
        """Hang up."""
        self.arena.release()
        self._channel.close()
        self._server.stop(0).wait()

    def journal(self) -> str:
        """The name of a journal that the harness has not seen."""
        return f"j-{self.arena.fresh().hex()[:32]}"

    def run(
        self,
        exercise: Exercise,
        script: Script | None = None,
        *,
        journal: str = "",
        seconds: float = 0.0,
        prover: Party | None = None,
    ) -> Outcome:
        """Have the verifier run one session against a prover that follows a script.

        Args:
            exercise: What it proposes.
            script: What the prover does; None is honest.
            journal: The name of the harness's journal; empty for a new one.
            seconds: The verifier's deadline; the run's own where 0.
            prover: Whom to pin; the suite's own prover where None.

        Raises:
            Failure: The harness gave no answer, or one that is none.
        """
        limit = seconds or self.seconds
        self.prover.follow(script, exercise)
        request = self._request(exercise, prover or self.arena.prover)
        request.journal, request.deadline_seconds = journal or self.journal(), max(int(limit), 1)
        try:
            answer = self._stub.RunSession(request, timeout=limit + GRACE)
        except grpc.RpcError as error:
            code = error.code().name if isinstance(error, grpc.Call) else "UNKNOWN"
            raise Failure(f"the harness did not answer: {code}") from None
        return outcome(answer, self.arena)

    def _request(self, exercise: Exercise, prover: Party) -> Any:
        own, tests = self.arena.verifier, exercise.tests
        items = [
            pb.Item(
                prompt=tests.prompt(n),
                prompt_key=tests.key(n, Field.PROMPT),
                reference=tests.reference(n),
                reference_key=tests.key(n, Field.REFERENCE),
            )
            for n in range(tests.public.size)
        ]
        return pb.RunSessionRequest(
            endpoint=self.address,
            prover=pb.PinnedProver(
                root=prover.card.fingerprint, certificate=prover.card.certificate.encode()
            ),
            verifier=pb.VerifierIdentity(
                root_key=own.root.public,
                session_seed=own.session.seed(),
                key_history=own.history,
                certificate=own.card.certificate.encode(),
                certificate_key=own.tls_key,
            ),
            terms=exercise.sealed,
            registration=tests.registration,
            items=items,
        )

    def side_by_side(self, exercises: list[Exercise]) -> list[Outcome]:
        """Run several honest sessions at once. Raises `Failure`."""
        with futures.ThreadPoolExecutor(len(exercises)) as pool:
            return list(pool.map(self.run, exercises))


def outcome(answer: Any, arena: Arena) -> Outcome:
    """Read an answer of the harness. Raises `Failure`, where it is none."""
    if answer.verdict not in {"", "COMPLIANT", "VIOLATION", "INCONCLUSIVE"}:
        raise Failure("the harness gave a verdict that there is not")
    if answer.reason and answer.reason not in set(Reason):
        raise Failure("the harness gave a reason that is not in the error table")
    if answer.verdict and answer.reason:
        raise Failure("the harness gave a verdict and a refusal")
    judged = None
    if answer.transcript:
        try:
            judged = judge(io.BytesIO(answer.transcript), list(arena.pins.values()))
        except PeerError as error:
            raise Failure(f"the transcript is no record: {error.reason}") from None
    return Outcome(answer.verdict, answer.reason, answer.blamed, answer.transcript, judged)


def finished(target: Verifier, found: Outcome, verdict: str = "") -> None:
    """Check an honest end: a verdict, and a transcript that judges to the same.

    Raises:
        Failure: Anything else.
    """
    for refusal in target.prover.refusals:
        raise Failure(f"an honest prover refuses what the verifier says: {refusal.reason}: {refusal.message}")
    if not found.verdict:
        raise Failure(f"an honest session ended without a verdict ({found.reason or 'no reason'})")
    if found.judged is None or found.judged.verdict is None:
        fault = found.judged.fault if found.judged is not None else None
        raise Failure(f"the transcript judges to no verdict: {fault.reason if fault else 'incomplete'}")
    derived = found.judged.verdict.predicate["overall"]
    if found.verdict != derived:
        raise Failure(f"the verifier says {found.verdict}, its transcript gives {derived}")
    if verdict and derived != verdict:
        raise Failure(f"expected {verdict}, got {derived}")


def refused(script: Script, found: Outcome, reason: Reason, *, provable: bool) -> None:
    """Check that the verifier refused what the script said, for the one reason, and blames by signed bytes.

    Raises:
        Failure: Anything else.
    """
    if not script.reached:
        raise Failure(f"the session did not come to the fault ({found.reason or found.verdict})")
    if found.reason != reason:
        went_on = script.accepted or found.verdict
        got = f"acceptance: {went_on}" if went_on else found.reason or "none"
        raise Failure(f"expected a refusal with {reason}, got {got}")
    wanted = Role.PROVER.value if provable else ""
    if found.blamed != wanted:
        raise Failure(f"expected to blame {wanted or 'nobody'}, got {found.blamed or 'nobody'}")
    if provable:
        fault = found.judged.fault if found.judged is not None else None
        if fault is None or (fault.reason, fault.blamed) != (reason, Role.PROVER):
            raise Failure(f"the transcript does not prove the fault: {fault.reason if fault else 'no fault'}")
    elif found.judged is not None and found.judged.fault is not None:
        fault = found.judged.fault
        if fault.blamed is not None:
            raise Failure(f"the transcript blames the {fault.blamed} for a fault that nobody's bytes prove")


@contextlib.contextmanager
def opened(make: Callable[[], Verifier]) -> Iterator[Verifier]:
    """A verifier under test that is hung up in the end."""
    made = make()
    try:
        yield made
    finally:
        made.close()
