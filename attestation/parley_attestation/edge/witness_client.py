"""Room: the edge. Asks all witnesses of an exercise at once, each with a time-out; roles call it.

Every answer is verified before it is returned. Who did not answer or refused is listed with the cause;
whether that pauses the exercise or ends it `unwitnessed` stands in the terms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import grpc
from parley.v1 import witness_pb2, witness_pb2_grpc

from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.edge.party import SERVER_NAME, Party, PeerCard
from parley_attestation.edge.transport import channel_credentials
from parley_attestation.edge.witness_wire import (
    MAX_MESSAGE,
    MAX_METADATA,
    raise_refusal,
    read_record,
    record_message,
)
from parley_attestation.encoding import Digest
from parley_attestation.envelope import Envelope
from parley_attestation.errors import ParleyError, PeerError, Reason
from parley_attestation.log.witness import (
    Cosignature,
    Event,
    Request,
    read_cosignature,
    read_receipt,
)

TIMEOUT = 10.0  # seconds for one witness
MAX_PAGES = 8  # look-ups that one exercise takes at most


@dataclass(frozen=True, slots=True)
class Address:
    """Where a witness is and the key that the terms name for it; without credentials in the clear."""

    target: str
    key: PublicKey
    credentials: grpc.ChannelCredentials | None = None

    @classmethod
    def of_card(cls, card: PeerCard, own: Party) -> "Address":
        """The address on a witness's card: it signs with its root key; both certificates are pinned."""
        credentials = channel_credentials(own.card, own.tls_key, card)
        return cls(card.endpoint, PublicKey(bytes.fromhex(card.root_key)), credentials)


@dataclass(frozen=True, slots=True)
class Collected:
    """What came back.

    Attributes:
        sealed: Verified signed statements, for `panel.k_of_n`, `registered` or `default_stands`.
        refusals: By witness key, why nothing came: `PeerError` a refusal, `LocalError` no answer.
    """

    sealed: tuple[bytes, ...]
    refusals: dict[bytes, ParleyError]


@dataclass(frozen=True, slots=True)
class Found:
    """What one witness showed for an exercise: cosignatures and, where asked for, a record."""

    sealed: tuple[bytes, ...]
    record: Envelope | None


class WitnessPanel:
    """The witnesses of an exercise. Close it, or use it as a context manager."""

    def __init__(self, addresses: Sequence[Address], timeout: float = TIMEOUT) -> None:
        """Open a channel to each; `timeout` in seconds bounds every call."""
        self._timeout = timeout
        self._channels = [_channel(a) for a in addresses]
        self._stubs = {
            bytes(a.key): witness_pb2_grpc.WitnessStub(c)  # type: ignore[no-untyped-call] # generated code
            for a, c in zip(addresses, self._channels, strict=True)
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all channels."""
        for channel in self._channels:
            channel.close()

    def cosign(
        self, request: Request, key: SigningKey, history: Sequence[bytes], record: Envelope
    ) -> Collected:
        """Have an acceptance, a decline or an end cosigned; `record` is the one behind the head."""
        message = witness_pb2.CosignRequest(
            request=_signed(request, key, history), record=record_message(record)
        )
        return self._ask("Cosign", message, lambda k, r: _expected(k, r.cosignature, request))

    def post(
        self, request: Request, key: SigningKey, history: Sequence[bytes], record: Envelope
    ) -> Collected:
        """Leave a record, signed by `key`, with all witnesses: the other party's clock starts."""
        message = witness_pb2.PostRequest(
            request=_signed(request, key, history), record=record_message(record)
        )
        return self._ask("Post", message, lambda k, r: _expected(k, r.cosignature, request))

    def claim(self, request: Request, key: SigningKey, history: Sequence[bytes]) -> Collected:
        """Claim that the other party did not answer in time."""
        message = witness_pb2.ClaimRequest(request=_signed(request, key, history))
        return self._ask("Claim", message, lambda k, r: _expected(k, r.cosignature, request))

    def register(self, digest: Digest) -> Collected:
        """Register the digest of a durable statement."""
        message = witness_pb2.RegisterRequest(digest=digest)

        def check(key: bytes, response: Any) -> bytes:
            sealed: bytes = response.receipt
            if read_receipt(sealed, key).digest != digest:
                raise PeerError(Reason.BAD_REGISTRATION, "the receipt is for another digest")
            return sealed

        return self._ask("Register", message, check)

    def lookup(self, witness_key: bytes, exercise: Digest, *, head: bytes = b"") -> Found:
        """What one witness signed for an exercise, and the record behind `head`.

        Raises:
            PeerError: The answer does not verify, or it is endless.
            LocalError: UNREACHABLE.
        """
        sealed: list[bytes] = []
        record: Envelope | None = None
        first = 0
        for _ in range(MAX_PAGES):
            message = witness_pb2.LookupRequest(exercise=exercise, first_number=first, head=head)
            try:
                page = self._stubs[witness_key].Lookup(message, timeout=self._timeout)
            except grpc.RpcError as error:
                raise_refusal(error)
            read = [read_cosignature(one, witness_key) for one in page.sealed]
            if any(c.position.exercise != exercise or c.number < first for c in read):
                raise PeerError(Reason.BAD_COSIGNATURE, "the witness shows what was not asked for")
            sealed += page.sealed
            record = read_record(page.record) if page.HasField("record") else None
            if not page.more:
                return Found(tuple(sealed), record)
            first = max((c.number for c in read), default=first) + 1
        raise PeerError(Reason.TOO_LARGE, f"expected an exercise on at most {MAX_PAGES} pages")

    def _ask(self, method: str, message: Any, check: Callable[[bytes, Any], bytes]) -> Collected:
        calls = {
            key: getattr(stub, method).future(message, timeout=self._timeout)
            for key, stub in self._stubs.items()
        }
        sealed: list[bytes] = []
        refusals: dict[bytes, ParleyError] = {}
        for key, call in calls.items():
            try:
                sealed.append(check(key, _result(call)))
            except ParleyError as error:
                refusals[key] = error
        return Collected(tuple(sealed), refusals)


def _result(call: Any) -> Any:
    try:
        return call.result()
    except grpc.RpcError as error:
        raise_refusal(error)


def _channel(address: Address) -> grpc.Channel:
    options: list[tuple[str, int | str]] = [
        ("grpc.max_receive_message_length", MAX_MESSAGE),
        ("grpc.max_metadata_size", MAX_METADATA),
    ]
    if address.credentials is None:
        return grpc.insecure_channel(address.target, options)
    options.append(("grpc.ssl_target_name_override", SERVER_NAME))
    return grpc.secure_channel(address.target, address.credentials, options)


def _signed(request: Request, key: SigningKey, history: Sequence[bytes]) -> Any:
    return witness_pb2.SignedRequest(sealed=request.sealed(key), key_history=list(history))


def _expected(key: bytes, sealed: bytes, request: Request) -> bytes:
    """Refuse a cosignature of anything but what was asked for."""
    said: Cosignature = read_cosignature(sealed, key)
    events = (Event.POSTED, Event.LATE) if request.event is Event.POSTED else (request.event,)
    if said.position != request.position or said.event not in events:
        raise PeerError(Reason.BAD_COSIGNATURE, "the witness cosigned another head or event")
    return sealed
