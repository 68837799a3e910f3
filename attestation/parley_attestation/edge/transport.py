"""Room: the edge. gRPC over mutually pinned TLS: credentials, options, and errors that leak nothing.

TLS hides; the envelopes authenticate. Certificates are self-signed and pinned, there is no authority.
"""

import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from parley_attestation.edge.party import SERVER_NAME, PeerCard, certificate_digest
from parley_attestation.encoding import MAX_ENVELOPE, Digest
from parley_attestation.errors import LocalError, ParleyError, PeerError, Reason, printable

DOMAIN = "parley"
MAX_MESSAGE = MAX_ENVELOPE + 64 * 1024
log = logging.getLogger("parley")

OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.enable_retries", 0),
    ("grpc.default_compression_algorithm", 0),
    ("grpc.so_reuseport", 0),
]


def server_credentials(card: PeerCard, tls_key: bytes, peers: Sequence[PeerCard]) -> grpc.ServerCredentials:
    """Credentials of a server that admits the pinned clients alone."""
    return grpc.ssl_server_credentials(
        [(tls_key, card.certificate.encode())],
        root_certificates=b"".join(peer.certificate.encode() for peer in peers),
        require_client_auth=True,
    )


def open_channel(card: PeerCard, tls_key: bytes, peer: PeerCard, endpoint: str = "") -> grpc.Channel:
    """A channel to one pinned server."""
    options = [*OPTIONS, ("grpc.ssl_target_name_override", SERVER_NAME)]
    credentials = channel_credentials(card, tls_key, peer)
    return grpc.secure_channel(endpoint or peer.endpoint, credentials, options=options)


def channel_credentials(card: PeerCard, tls_key: bytes, peer: PeerCard) -> grpc.ChannelCredentials:
    """Credentials of a client that knows one pinned server."""
    return grpc.ssl_channel_credentials(
        root_certificates=peer.certificate.encode(),
        private_key=tls_key,
        certificate_chain=card.certificate.encode(),
    )


def client_certificate(context: grpc.ServicerContext) -> Digest:
    """SHA-256 of the certificate that the client showed. Raises `PeerError` (UNKNOWN_PARTY)."""
    found = context.auth_context().get("x509_pem_cert")
    if not found:
        raise PeerError(Reason.UNKNOWN_PARTY, "expected a client certificate")
    return certificate_digest(bytes(found[0]))


_CODES = {
    Reason.MALFORMED: code_pb2.INVALID_ARGUMENT,
    Reason.TOO_LARGE: code_pb2.INVALID_ARGUMENT,
    Reason.UNKNOWN_PARTY: code_pb2.UNAUTHENTICATED,
    Reason.SESSION_LIMIT: code_pb2.RESOURCE_EXHAUSTED,
    Reason.TIMEOUT: code_pb2.DEADLINE_EXCEEDED,
    Reason.UNSUPPORTED: code_pb2.UNIMPLEMENTED,
}


def refuse(context: grpc.ServicerContext, error: PeerError) -> NoReturn:
    """End a call with a typed refusal: `google.rpc.ErrorInfo` with the reason code."""
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=error.reason.value, domain=DOMAIN))
    status = status_pb2.Status(
        code=_CODES.get(error.reason, code_pb2.FAILED_PRECONDITION), message=error.message, details=[detail]
    )
    context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError


def fail(context: grpc.ServicerContext, error: Exception) -> NoReturn:
    """End a call after an own failure: the peer gets INTERNAL and a random reference, nothing else."""
    reference = secrets.token_hex(8)
    log.error("internal error, reference %s: %s", reference, describe(error))
    context.abort(grpc.StatusCode.INTERNAL, f"internal error, reference {reference}")
    raise AssertionError


def describe(error: Exception) -> str:
    """An error for the own log: what we raise says itself; of anything else, only the type."""
    return str(error) if isinstance(error, ParleyError) else type(error).__name__


def shielded(
    handler: Callable[[grpc.ServicerContext], Iterator[Any]], context: grpc.ServicerContext
) -> Iterator[Any]:
    """Run a streaming handler so that no exception text ever reaches the peer."""
    try:
        yield from handler(context)
    except PeerError as error:
        log.warning("refused: %s", error)
        refuse(context, error)
    except Exception as error:  # noqa: BLE001 - the last line before the wire
        fail(context, error)


def to_error(error: grpc.RpcError) -> ParleyError:
    """What a failed call means: a typed refusal by the peer, or a peer that cannot be reached."""
    status = _status(error)
    if status is not None:
        for detail in status.details:
            info = error_details_pb2.ErrorInfo()
            if detail.Is(info.DESCRIPTOR) and detail.Unpack(info) and info.domain == DOMAIN:
                reason = Reason(info.reason) if info.reason in set(Reason) else Reason.UNSUPPORTED
                return PeerError(reason, f"the peer refused: {printable(status.message, 300)}")
    code = error.code() if isinstance(error, grpc.Call) else None
    text = printable(str(error.details() if isinstance(error, grpc.Call) else error), 200)
    return LocalError(
        Reason.UNREACHABLE,
        f"the connection failed ({code.name if code else 'unknown'}: {text})",
        hint="run parley doctor to see why",
    )


def _status(error: grpc.RpcError) -> Any:
    try:
        return rpc_status.from_call(error)  # type: ignore[arg-type]
    except ValueError:
        return None
