"""Room: the edge. The witness as a gRPC service; `parley witness serve` and tests start it.

It checks form and signatures, reads the clock, and hands everything else to the store.
"""

import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
from parley.v1 import witness_pb2, witness_pb2_grpc

from parley_attestation.ed25519 import verify
from parley_attestation.edge.witness_store import WitnessStore
from parley_attestation.edge.witness_wire import (
    MAX_MESSAGE,
    MAX_METADATA,
    MAX_REQUEST,
    NoExceptionText,
    read_record,
    record_message,
)
from parley_attestation.encoding import Digest
from parley_attestation.envelope import Envelope
from parley_attestation.errors import PeerError, Reason
from parley_attestation.keys import MAX_HISTORY
from parley_attestation.log.witness import COSIGNED, Event, Request, read_request
from parley_attestation.session import messages
from parley_attestation.statement import signer

MAX_CERTIFICATE = 4 << 10  # bytes of one entry of a key history
WORKERS = 8
MAX_INTEGER = (1 << 63) - 1  # what SQLite can hold
MAX_CALLS = 64  # calls in progress or waiting


def _now() -> int:
    return int(time.time())


class WitnessService(witness_pb2_grpc.WitnessServicer):
    """Answers for one store. `clock` gives Unix seconds."""

    def __init__(self, store: WitnessStore, clock: Callable[[], int] = _now) -> None:
        self._store, self._clock = store, clock

    def Cosign(self, request: Any, _context: Any) -> Any:  # noqa: N802 - named by the proto
        """Cosign an acceptance, a decline, an end, or a record that a party relays."""
        asked, now = self._read(request.request, *COSIGNED, Event.RELAYED)
        record = _shown(request.record, asked)
        answer = self._store.cosign(asked, request.request.sealed, now, record)
        return witness_pb2.CosignResponse(cosignature=answer)

    def Claim(self, request: Any, _context: Any) -> Any:  # noqa: N802 - named by the proto
        """Cosign a timeout claim."""
        asked, now = self._read(request.request, Event.DEFAULT)
        answer = self._store.cosign(asked, request.request.sealed, now)
        return witness_pb2.ClaimResponse(cosignature=answer)

    def Post(self, request: Any, _context: Any) -> Any:  # noqa: N802 - named by the proto
        """Keep a record and cosign its head."""
        asked, now = self._read(request.request, Event.POSTED)
        record = _shown(request.record, asked)
        if record.signatures[0].key != signer(request.request.sealed):
            raise PeerError(Reason.HEAD_MISMATCH, "expected a record by the key that signed the request")
        answer = self._store.cosign(asked, request.request.sealed, now, record)
        return witness_pb2.PostResponse(cosignature=answer)

    def Register(self, request: Any, _context: Any) -> Any:  # noqa: N802 - named by the proto
        """Give a receipt for a digest."""
        digest = Digest(request.digest)
        return witness_pb2.RegisterResponse(receipt=self._store.register(digest, self._clock()))

    def Lookup(self, request: Any, _context: Any) -> Any:  # noqa: N802 - named by the proto
        """Show what was signed for an exercise or a digest, and a record that was left."""
        if request.WhichOneof("subject") == "digest":
            receipt = self._store.receipt(Digest(request.digest))
            return witness_pb2.LookupResponse(sealed=[receipt] if receipt else [])
        exercise = Digest(request.exercise)
        sealed, more = self._store.exercise(exercise, min(request.first_number, MAX_INTEGER))
        answer = witness_pb2.LookupResponse(sealed=sealed, more=more)
        record = self._store.record(exercise, request.head)
        if record is not None:
            answer.record.CopyFrom(record_message(record))
        return answer

    def _read(self, message: Any, *events: Event) -> tuple[Request, int]:
        if len(message.sealed) > MAX_REQUEST:
            raise PeerError(Reason.TOO_LARGE, f"expected a request of at most {MAX_REQUEST} bytes")
        history = tuple(message.key_history)
        if len(history) > MAX_HISTORY or any(len(one) > MAX_CERTIFICATE for one in history):
            raise PeerError(
                Reason.TOO_LARGE, f"expected key history entries of at most {MAX_CERTIFICATE} bytes"
            )
        now = self._clock()
        asked = read_request(message.sealed, history, now)
        if asked.event not in events:
            raise PeerError(Reason.BAD_STATEMENT, "expected " + " or ".join(events) + f", got {asked.event}")
        return asked, now


def _shown(message: Any, asked: Request) -> Envelope:
    """The message behind a head, with its first signature, which holds. Raises `PeerError`."""
    record = read_record(message)
    if record.head() != asked.position.head:
        raise PeerError(Reason.HEAD_MISMATCH, "expected the record whose head the request names")
    signature = record.signatures[0]
    verify(signature.key, record.pae(), signature.value)
    _placed(record, asked)
    return Envelope(record.payload_type, record.payload, (signature,))


def _placed(record: Envelope, asked: Request) -> None:
    """Refuse a record that is no message for the slot it is left for: it would answer nothing there."""
    kind = messages.KINDS.get(record.payload_type)
    if kind is None:
        raise PeerError(Reason.UNSUPPORTED, "expected a message of a session")
    header, _ = messages.parse(kind, record.payload)
    if (header.session, header.sequence) != (asked.position.session, asked.position.sequence):
        raise PeerError(Reason.HEAD_MISMATCH, "expected a message for the slot that the request names")


def serve(
    store: WitnessStore,
    address: str,
    credentials: grpc.ServerCredentials | None = None,
    clock: Callable[[], int] = _now,
) -> tuple[grpc.Server, int]:
    """Start a witness and return the running server and its port.

    Args:
        store: The witness's memory; it must outlive the server.
        address: host:port to listen on; port 0 takes a free one.
        credentials: TLS, with client certificates where asked for; None serves in the clear.
        clock: Unix seconds.
    """
    server = grpc.server(
        futures.ThreadPoolExecutor(WORKERS),
        interceptors=[NoExceptionText()],
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE),
            ("grpc.max_metadata_size", MAX_METADATA),
            ("grpc.so_reuseport", 0),
        ],
        maximum_concurrent_rpcs=MAX_CALLS,
    )
    add = witness_pb2_grpc.add_WitnessServicer_to_server
    add(WitnessService(store, clock), server)  # type: ignore[no-untyped-call] # generated code has no types
    port = (
        server.add_insecure_port(address)
        if credentials is None
        else server.add_secure_port(address, credentials)
    )
    server.start()
    return server, port
