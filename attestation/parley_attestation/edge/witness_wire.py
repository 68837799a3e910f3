"""Room: the edge. Records and refusals on the wire of a witness; only its service and client call it.

Our refusals cross with their code, anything else as INTERNAL with a random reference: the text of an
exception never reaches a peer.
"""

import logging
import secrets
from collections.abc import Callable
from typing import Any, NoReturn

import grpc
from google.rpc import code_pb2, status_pb2
from grpc_status import rpc_status
from parley.v1 import session_pb2, witness_pb2

from parley_attestation.edge import transport
from parley_attestation.encoding import MAX_ENVELOPE
from parley_attestation.envelope import Envelope, Signature
from parley_attestation.errors import LocalError, PeerError, Reason

MAX_EVIDENCE = 2  # signed requests that travel with a refusal; metadata is small
MAX_REQUEST = 2 << 10  # bytes of one signed request, so that two of them fit there
MAX_MESSAGE = MAX_ENVELOPE + (512 << 10)  # bytes of one call: a record, a request, a key history
MAX_METADATA = 32 << 10
_log = logging.getLogger("parley.witness")
_OWN_FAULT = (Reason.CLOCK, Reason.CORRUPT, Reason.INTERNAL)
Handler = Callable[[Any, grpc.ServicerContext], Any]


class NoExceptionText(grpc.ServerInterceptor):  # type: ignore[type-arg] # generic in the stubs only
    """Outermost interceptor of a witness: nothing that a handler raises leaves as it is."""

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Any],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the unary handler of the call."""
        handler = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        return grpc.unary_unary_rpc_method_handler(
            _guarded(handler.unary_unary),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


def _guarded(inner: Handler) -> Handler:
    def call(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return inner(request, context)
        except Exception as error:  # noqa: BLE001 - the outermost guard: whatever it is, its text stays here
            status = to_status(error)
        context.abort_with_status(rpc_status.to_status(status))
        return None

    return call


def to_status(error: Exception) -> Any:
    """The google.rpc.Status for an exception: typed for our own, a random reference for the rest."""
    if isinstance(error, PeerError):
        sealed = [e for e in error.evidence[:MAX_EVIDENCE] if len(e) <= MAX_REQUEST]
        shown = [witness_pb2.RefusalEvidence(sealed=sealed)] if sealed else []
        return transport.refusal(error, error.message, transport.status_code(error), *shown)
    reference = secrets.token_hex(8)
    _log.error("call failed, reference %s: %s", reference, transport.describe(error))
    if isinstance(error, LocalError):
        return transport.refusal(
            error, f"the witness cannot answer, reference {reference}", code_pb2.UNAVAILABLE
        )
    return status_pb2.Status(code=code_pb2.INTERNAL, message=f"reference {reference}")


def raise_refusal(call: grpc.RpcError) -> NoReturn:
    """Turn a failed call into a typed error. What a witness says of the cause blames nobody.

    Raises:
        PeerError: The witness refused; `evidence` holds the signed requests that it showed.
        LocalError: UNREACHABLE, where no answer of a witness came.
    """
    error = transport.to_error(call)
    if not isinstance(error, PeerError) or error.reason in _OWN_FAULT:
        name = call.code().name if isinstance(call, grpc.Call) else "UNKNOWN"
        raise LocalError(Reason.UNREACHABLE, f"the witness gave no answer: {name}") from call
    shown = transport.detail_of(transport.status_of(call), witness_pb2.RefusalEvidence())
    error.evidence = tuple(shown.sealed)[:MAX_EVIDENCE] if shown is not None else ()
    raise error from call


def read_record(message: Any) -> Envelope:
    """Read a record off the wire. Raises `PeerError` (TOO_LARGE, MALFORMED)."""
    signatures = tuple(Signature(s.key, s.value) for s in message.signatures)
    return Envelope(message.payload_type, message.payload, signatures)


def record_message(record: Envelope) -> Any:
    """Put a record on the wire."""
    return session_pb2.Envelope(
        payload_type=record.payload_type,
        payload=record.payload,
        signatures=[session_pb2.Signature(key=s.key, value=s.value) for s in record.signatures],
    )
