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


def refusal(error: ParleyError, message: str, code: int, *details: Any) -> Any:
    """A `google.rpc.Status` with `google.rpc.ErrorInfo`, which holds the reason code, and further details."""
    info = error_details_pb2.ErrorInfo(reason=error.reason.value, domain=DOMAIN)
    packed = []
    for one in (info, *details):
        box = any_pb2.Any()
        box.Pack(one)
        packed.append(box)
    return status_pb2.Status(code=code, message=message, details=packed)


def status_code(error: PeerError) -> int:
    """The status of a typed refusal; spec section "Errors"."""
    return int(_CODES.get(error.reason, code_pb2.FAILED_PRECONDITION))


def refuse(context: grpc.ServicerContext, error: PeerError) -> NoReturn:
    """End a call with a typed refusal."""
    context.abort_with_status(rpc_status.to_status(refusal(error, error.message, status_code(error))))
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
    status = status_of(error)
    if status is not None:
        reason = detail_of(status, error_details_pb2.ErrorInfo(), lambda info: info.domain == DOMAIN)
        if reason is not None:
            known = Reason(reason.reason) if reason.reason in set(Reason) else Reason.UNSUPPORTED
            return PeerError(known, f"the peer refused: {printable(status.message, 300)}")
    code = error.code() if isinstance(error, grpc.Call) else None
    text = printable(str(error.details() if isinstance(error, grpc.Call) else error), 200)
    return LocalError(
        Reason.UNREACHABLE,
        f"the connection failed ({code.name if code else 'unknown'}: {text})",
        hint="run parley doctor to see why",
    )


def status_of(error: grpc.RpcError) -> Any:
    """The `google.rpc.Status` of a failed call, where it has one that can be read."""
    try:
        return rpc_status.from_call(error) if isinstance(error, grpc.Call) else None
    except (ValueError, AttributeError):
        return None


def detail_of(status: Any, into: Any, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
    """The first detail of the kind of `into` that is wanted, or None."""
    for box in status.details if status is not None else ():
        if box.Is(into.DESCRIPTOR) and box.Unpack(into) and wanted(into):
            return into
    return None
