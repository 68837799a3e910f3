"""Room: the suite. The way to a witness under test: its normal endpoint, and two parties to ask it."""

from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
from parley.v1 import witness_pb2 as pb
from parley.v1 import witness_pb2_grpc as rpc
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.edge.party import SERVER_NAME, Party
from parley_attestation.edge.witness_client import Address
from parley_attestation.edge.witness_wire import MAX_MESSAGE, MAX_METADATA, record_message
from parley_attestation.encoding import Digest
from parley_attestation.envelope import Envelope
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.log.witness import (
    Cosignature,
    Event,
    Position,
    Receipt,
    Request,
    read_cosignature,
    read_receipt,
)
from parley_attestation.session import messages as m

from parley_conformance.arena import Arena
from parley_conformance.harness import Failure, Lost, Refused, ending, signed

METHODS = {Event.DEFAULT: "Claim", Event.POSTED: "Post"}  # all other events: Cosign
Answer = bytes | Refused | Lost


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at an exercise, as far as a witness sees one: heads of signed messages, without content."""

    target: "Witness"
    exercise: Digest
    session: Digest
    number: int = 1

    def party(self, role: Role) -> Party:
        """A party of the exercise."""
        return self.target.arena.parties[role]

    def message(self, sequence: int, author: Role, text: str = "") -> Envelope:
        """A message of the attempt, signed by its author; other text, another head."""
        header = m.Header(self.session, sequence, self.session)
        return signed(self.party(author).session, header, m.Abort(Reason.ABORTED.value, text))

    def request(
        self, event: Event, requester: Role, sequence: int, record: Envelope, deadline: int = 0
    ) -> Request:
        """A request about a message."""
        place = Position(self.exercise, self.number, self.session, sequence, Digest(record.head()))
        pins = self.target.arena.pins
        return Request(place, event, requester, pins[Role.PROVER], pins[Role.VERIFIER], deadline)

    def ask(
        self, event: Event, requester: Role, sequence: int, author: Role | None = None, **how: Any
    ) -> Answer:
        """Ask about the message at `sequence`, by `author` or the requester itself."""
        record = self.message(sequence, author or requester, how.pop("text", ""))
        return self.target.ask(self.request(event, requester, sequence, record, **how), record)

    def accept(self) -> Cosignature:
        """Have message 4 cosigned as accepted. Raises `Failure`."""
        return self.target.cosigned(self.ask(Event.ACCEPTED, Role.PROVER, 4))

    def later(self) -> "Attempt":
        """The next attempt, in another session."""
        return replace(self, number=self.number + 1, session=Digest(self.target.arena.fresh()))


class Witness:
    """The witness under test.

    Args:
        address: Where it is, its key, and credentials where it serves with TLS.
        seed: Text that every value of the run follows from; a witness that has seen one needs another.
        folder: Where the suite's own parties go.
        seconds: Deadline of a call.

    Raises:
        LocalError: UNREACHABLE.
    """

    def __init__(self, address: Address, seed: str, folder: Path, seconds: float = 10.0) -> None:
        self.name = bytes(address.key).hex()
        self.capabilities: tuple[str, ...] = ()
        self.key = PublicKey(address.key)
        self.seconds = seconds
        self.arena = Arena(folder, seed)
        self._channel = _channel(address)
        self.stub = rpc.WitnessStub(self._channel)  # type: ignore[no-untyped-call]
        try:
            grpc.channel_ready_future(self._channel).result(seconds)
        except grpc.FutureTimeoutError:
            self._channel.close()
            raise LocalError(Reason.UNREACHABLE, f"{address.target}: no witness answers") from None

    def release(self) -> None:
        """Nothing stays open between cases."""

    def close(self) -> None:
        """Hang up."""
        self.arena.release()
        self._channel.close()

    def attempt(self) -> Attempt:
        """The first attempt at an exercise that the witness has not seen."""
        return Attempt(self, Digest(self.arena.fresh()), Digest(self.arena.fresh()))

    # -- calls

    def call(self, method: str, message: Any) -> Any:
        """One call: the response, or how it ended."""
        try:
            return getattr(self.stub, method)(message, timeout=self.seconds)
        except grpc.RpcError as error:
            return ending(error)

    def ask(
        self,
        request: Request,
        record: Envelope | None = None,
        *,
        key: SigningKey | None = None,
        history: tuple[bytes, ...] | None = None,
        method: str = "",
        sealed: bytes = b"",
    ) -> Answer:
        """Send a request as its requester signs it, or as the arguments say."""
        own = self.arena.parties[request.requester]
        said = pb.SignedRequest(
            sealed=sealed or request.sealed(key or own.session),
            key_history=own.history if history is None else history,
        )
        name = method or METHODS.get(request.event, "Cosign")
        if name == "Claim":
            message: Any = pb.ClaimRequest(request=said)
        else:
            kind = pb.PostRequest if name == "Post" else pb.CosignRequest
            message = kind(request=said, record=record_message(record) if record is not None else None)
        answer = self.call(name, message)
        return answer if isinstance(answer, Refused | Lost) else bytes(answer.cosignature)

    def register(self, digest: bytes) -> Answer:
        """Register a digest."""
        answer = self.call("Register", pb.RegisterRequest(digest=digest))
        return answer if isinstance(answer, Refused | Lost) else bytes(answer.receipt)

    def at_once(self, calls: list[Callable[[], Answer]]) -> list[Answer]:
        """Make calls at the same time."""
        with futures.ThreadPoolExecutor(len(calls)) as pool:
            return [one.result() for one in [pool.submit(call) for call in calls]]

    # -- what came

    def cosigned(self, answer: Answer, request: Request | None = None) -> Cosignature:
        """The cosignature, verified under the witness's key; of `request` where one is given.

        Raises:
            Failure: It is none, or of something else.
        """
        said: Cosignature = self._read(answer, read_cosignature)
        if request is not None and said.position != request.position:
            raise Failure("the witness cosigned another position than was asked")
        if request is not None and said.event not in {request.event, Event.LATE}:
            raise Failure(f"the witness cosigned the event {said.event}, asked was {request.event}")
        return said

    def receipt(self, answer: Answer, digest: bytes) -> Receipt:
        """The receipt, verified under the witness's key. Raises `Failure`."""
        said: Receipt = self._read(answer, read_receipt)
        if said.digest != digest:
            raise Failure("the receipt is for another digest")
        return said

    def _read(self, answer: Answer, read: Callable[[bytes, bytes], Any]) -> Any:
        if not isinstance(answer, bytes):
            raise Failure(f"expected a signed statement, got {_shown(answer)}")
        try:
            return read(answer, self.key)
        except PeerError as error:
            raise Failure(f"the witness's statement does not hold: {error}") from None

    def refuses(self, answer: Answer, *reasons: Reason) -> Refused:
        """Check that a call was refused for one of the reasons, and says nothing of its inside.

        Raises:
            Failure: Anything else.
        """
        if not isinstance(answer, Refused) or answer.reason not in reasons:
            raise Failure(f"expected a refusal with {' or '.join(reasons)}, got {_shown(answer)}")
        if "Traceback" in answer.text or ".py" in answer.text:
            raise Failure("the text of an internal failure reached the peer")
        return answer


def _shown(answer: Answer) -> str:
    if isinstance(answer, Refused):
        return f"a refusal with {answer.reason}"
    return f"the end of the call ({answer.code.name})" if isinstance(answer, Lost) else "a signed statement"


def _channel(address: Address) -> grpc.Channel:
    options: list[tuple[str, int | str]] = [
        ("grpc.max_receive_message_length", MAX_MESSAGE),
        ("grpc.max_send_message_length", 4 * MAX_MESSAGE),
        ("grpc.max_metadata_size", MAX_METADATA),
        ("grpc.enable_retries", 0),
    ]
    if address.credentials is None:
        return grpc.insecure_channel(address.target, options)
    options.append(("grpc.ssl_target_name_override", SERVER_NAME))
    return grpc.secure_channel(address.target, address.credentials, options)
