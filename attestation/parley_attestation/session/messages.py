"""Room: the session. The signed messages: read strictly into typed values, written once; everyone calls it.

A payload is parsed only after its signature has held. Lengths are checked here, once, so that the
machine works with values that cannot be of the wrong size. Protobuf has no canonical form: nothing
that was received is ever serialised again.
"""

from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from parley.v1 import session_pb2 as pb

from parley_attestation.encoding import MAX_BLOB, MAX_STATEMENT, MAX_UNITS_PER_TURN, Digest, Nonce, Salt
from parley_attestation.errors import PeerError, Reason, printable
from parley_attestation.keys import MAX_HISTORY
from parley_attestation.merkle import MAX_PROOF
from parley_attestation.sealed_terms import MAX_QUORUM
from parley_attestation.sealing import WRAPPED
from parley_attestation.session.bodies import (
    Abort,
    Accept,
    Acknowledge,
    Answer,
    Answers,
    Binding,
    Body,
    Challenge,
    ChamberEvidence,
    ClaimedResult,
    Coin,
    Decline,
    Dissent,
    Evidence,
    Header,
    Hello,
    HelloReply,
    Open,
    Propose,
    Receipt,
    Refusal,
    Release,
    Stop,
    Unit,
    WrappedKey,
)

__all__ = [
    "KINDS",
    "Abort",
    "Accept",
    "Acknowledge",
    "Answer",
    "Answers",
    "Binding",
    "Body",
    "Challenge",
    "ChamberEvidence",
    "ClaimedResult",
    "Coin",
    "Decline",
    "Dissent",
    "Evidence",
    "Header",
    "Hello",
    "HelloReply",
    "Open",
    "Propose",
    "Receipt",
    "Refusal",
    "Release",
    "Stop",
    "Unit",
    "WrappedKey",
    "parse",
    "payload_type",
    "read",
    "read_body",
    "write",
]

MAX_OFFER = 32  # versions, suites or modes in one offer
MAX_MODE = 32  # characters of a mode's name
MAX_DETAIL = 1000  # characters of a reason in words
MAX_CLAIMS = 64  # claims in one set of terms
MAX_EVIDENCE = 512  # pieces of evidence and compute records in one Accept
MAX_ATTEMPTS = 64  # attempts at one exercise


def payload_type(kind: str) -> str:
    """Media type of a message kind, version 1."""
    return f"application/vnd.parley.{kind}.v1+proto"


def parse(kind: str, payload: bytes) -> tuple[Header, Any]:
    """Read where a message of `kind` stands; what it says is read by `read_body`, once its place holds.

    Raises:
        PeerError: MALFORMED; nothing ties such bytes to a session, so they blame nobody.
    """
    message = _CODECS[kind][0]()
    try:
        message.ParseFromString(payload)
    except DecodeError as error:
        raise PeerError(Reason.MALFORMED, f"expected a message of kind {kind}") from error
    if not message.HasField("header"):
        raise PeerError(Reason.MALFORMED, f"expected a header in {kind}")
    at = message.header
    if len(at.session_id) not in {0, 32} or len(at.previous) not in {0, 32}:
        raise PeerError(Reason.MALFORMED, "expected header digests of 32 bytes, or none")
    return Header(at.session_id, at.sequence, at.previous), message


def read_body(kind: str, message: Any) -> Body:
    """Read what a parsed message says. Raises `PeerError` (MALFORMED, TOO_LARGE, UNKNOWN_FIELD)."""
    _refuse_unknown(message)
    return _CODECS[kind][1](message)


def read(kind: str, payload: bytes) -> tuple[Header, Body]:
    """Parse the whole payload of message `kind`. Raises like `parse` and `read_body`."""
    header, message = parse(kind, payload)
    return header, read_body(kind, message)


def write(header: Header, body: Body) -> bytes:
    """Serialise a message for signing."""
    _, _, writer = _CODECS[body.kind]
    message = writer(body)
    message.header.session_id = header.session
    message.header.sequence = header.sequence
    message.header.previous = header.previous
    return bytes(message.SerializeToString(deterministic=True))


def _refuse_unknown(message: Message) -> None:
    if len(UnknownFieldSet(message)):
        raise PeerError(Reason.UNKNOWN_FIELD, f"unknown field in {message.DESCRIPTOR.name}")
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in (value,) if isinstance(value, Message) else value:
                _refuse_unknown(inner)


def _many(values: Any, low: int, high: int, what: str) -> tuple[Any, ...]:
    if not low <= len(values) <= high:
        raise PeerError(Reason.TOO_LARGE, f"expected {low}..{high} {what}, got {len(values)}")
    return tuple(values)


def _statement(value: bytes, what: str) -> bytes:
    if not 1 <= len(value) <= 2 * MAX_STATEMENT:
        raise PeerError(Reason.TOO_LARGE, f"expected {what} of 1..{2 * MAX_STATEMENT} bytes")
    return value


def _detail(text: str) -> str:
    if len(text) > MAX_DETAIL:
        raise PeerError(Reason.TOO_LARGE, f"expected at most {MAX_DETAIL} characters of detail")
    return printable(text, MAX_DETAIL)


def _reason(text: str) -> str:
    if text not in Reason.__members__:
        raise PeerError(Reason.MALFORMED, "expected a reason code of the error table")
    return text


def _mode(text: str) -> str:
    if not 1 <= len(text) <= MAX_MODE or not text.isascii() or printable(text) != text:
        raise PeerError(Reason.MALFORMED, f"expected the name of a mode in 1..{MAX_MODE} ASCII characters")
    return text


def _size(value: int) -> int:
    if value > MAX_BLOB:
        raise PeerError(Reason.TOO_LARGE, f"expected content of at most {MAX_BLOB} bytes")
    return value


def _histories(values: Any) -> tuple[bytes, ...]:
    entries = _many(values, 1, MAX_HISTORY, "key history entries")
    return tuple(_statement(entry, "a key history entry") for entry in entries)


def _digests(values: Iterable[bytes]) -> tuple[Digest, ...]:
    return tuple(Digest(v) for v in values)


def _read_hello(m: Any) -> Hello:
    return Hello(
        _many(m.versions, 1, MAX_OFFER, "versions"),
        _many(m.suites, 1, MAX_OFFER, "suites"),
        tuple(_mode(mode) for mode in _many(m.modes, 1, MAX_OFFER, "modes")),
        _histories(m.key_history),
        Nonce(m.nonce),
        Digest(m.verifier_tls),
        Digest(m.prover_tls),
    )


def _read_reply(m: Any) -> HelloReply:
    return HelloReply(
        m.version,
        m.suite,
        _mode(m.mode),
        _histories(m.key_history),
        Nonce(m.nonce),
        Digest(m.verifier_tls),
        Digest(m.prover_tls),
    )


def _read_propose(m: Any) -> Propose:
    return Propose(
        _statement(m.terms, "terms"),
        m.attempt,
        _digests(_many(m.earlier_heads, 0, MAX_ATTEMPTS, "earlier heads")),
        Digest(m.coin_commitment),
        _statement(m.test_set, "a test set"),
    )


def _read_accept(m: Any) -> Accept:
    return Accept(
        Digest(m.terms_digest),
        _many(m.declared_counts, 0, MAX_CLAIMS, "declared counts"),
        Digest(m.coin_commitment),
        _statement(m.model_claim, "a model claim"),
        tuple(_statement(e, "evidence") for e in _many(m.evidence, 0, MAX_EVIDENCE, "pieces of evidence")),
    )


def _read_unit(m: Any) -> Unit:
    return Unit(
        m.item,
        m.sample,
        Digest(m.prompt_commitment),
        Digest(m.reference_commitment),
        _digests(_many(m.proof, 0, MAX_PROOF, "hashes in a proof")),
        _size(m.size),
    )


def _read_challenge(m: Any) -> Challenge:
    units = _many(m.units, 1, MAX_UNITS_PER_TURN, "units")
    return Challenge(tuple(_read_unit(u) for u in units), Digest(m.stream_digest))


def _read_answers(m: Any) -> Answers:
    answers = _many(m.answers, 1, MAX_UNITS_PER_TURN, "answers")
    return Answers(
        tuple(Answer(Digest(a.output_commitment), _size(a.size)) for a in answers), Digest(m.stream_digest)
    )


def _read_open(m: Any) -> Open:
    sizes = _many(m.sizes, 1, MAX_UNITS_PER_TURN, "sizes")
    results = _many(m.results, 0, MAX_UNITS_PER_TURN, "results")
    return Open(
        tuple(_size(s) for s in sizes), Digest(m.stream_digest), tuple(_read_result(r) for r in results)
    )


def _read_result(m: Any) -> ClaimedResult:
    if not 1 <= len(m.codes) <= MAX_CLAIMS:
        raise PeerError(Reason.MALFORMED, f"expected 1..{MAX_CLAIMS} results of a unit, got {len(m.codes)}")
    return ClaimedResult(m.codes, Salt(m.key), _digests(_many(m.proof, 0, MAX_PROOF, "hashes in a proof")))


def _read_evidence(m: Any) -> Evidence:
    return Evidence(
        tuple(
            ChamberEvidence(
                _statement(one.keys, "the chamber's keys"),
                _statement(one.evidence, "evidence") if one.evidence else b"",
            )
            for one in _many(m.chambers, 1, MAX_QUORUM, "chambers")
        )
    )


def _read_release(m: Any) -> Release:
    keys = _many(m.keys, 1, MAX_QUORUM, "wrapped keys")
    return Release(tuple(WrappedKey(Digest(k.keys_digest), _wrapped(k.wrapped)) for k in keys), m.size)


def _read_receipt(m: Any) -> Receipt:
    statements = _many(m.statements, 1, MAX_QUORUM, "outcomes")
    return Receipt(tuple(_statement(one, "a receipt or a refusal") for one in statements))


def _wrapped(value: bytes) -> bytes:
    if len(value) != WRAPPED:
        raise PeerError(Reason.MALFORMED, f"expected a wrapped key of {WRAPPED} bytes, got {len(value)}")
    return value


def _write_units(c: Challenge) -> Message:
    return pb.Challenge(
        units=[
            pb.Unit(
                item=u.item,
                sample=u.sample,
                prompt_commitment=u.prompt_commitment,
                reference_commitment=u.reference_commitment,
                proof=u.proof,
                size=u.size,
            )
            for u in c.units
        ],
        stream_digest=c.stream_digest,
    )


def _plain(protobuf: type[Any]) -> Callable[[Any], Message]:
    """A writer for messages whose fields are named alike in both forms."""

    def write_plain(body: Any) -> Message:
        return protobuf(**{name: getattr(body, name) for name in body.__slots__})  # type: ignore[no-any-return]

    return write_plain


def _write_answers(a: Answers) -> Message:
    return pb.Answers(
        answers=[pb.Answer(output_commitment=one.output_commitment, size=one.size) for one in a.answers],
        stream_digest=a.stream_digest,
    )


def _write_evidence(e: Evidence) -> Message:
    return pb.Evidence(chambers=[pb.ChamberEvidence(keys=c.keys, evidence=c.evidence) for c in e.chambers])


def _write_release(r: Release) -> Message:
    return pb.Release(
        keys=[pb.WrappedKey(keys_digest=k.keys_digest, wrapped=k.wrapped) for k in r.keys], size=r.size
    )


def _write_open(o: Open) -> Message:
    results = [pb.ClaimedResult(codes=one.codes, key=one.key, proof=one.proof) for one in o.results]
    return pb.Open(sizes=o.sizes, stream_digest=o.stream_digest, results=results)


_CODECS: dict[str, tuple[Callable[[], Any], Callable[[Any], Body], Callable[[Any], Any]]] = {
    "hello": (pb.Hello, _read_hello, _plain(pb.Hello)),
    "hello-reply": (pb.HelloReply, _read_reply, _plain(pb.HelloReply)),
    "propose": (pb.Propose, _read_propose, _plain(pb.Propose)),
    "accept": (pb.Accept, _read_accept, _plain(pb.Accept)),
    "decline": (
        pb.Decline,
        lambda m: Decline(_reason(m.reason), _detail(m.detail)),
        _plain(pb.Decline),
    ),
    "coin": (pb.Coin, lambda m: Coin(Nonce(m.coin), Salt(m.key)), _plain(pb.Coin)),
    "challenge": (pb.Challenge, _read_challenge, _write_units),
    "answers": (pb.Answers, _read_answers, _write_answers),
    "stop": (pb.Stop, lambda m: Stop(_many(m.counts, 1, MAX_CLAIMS, "counts")), _plain(pb.Stop)),
    "open": (pb.Open, _read_open, _write_open),
    "binding": (pb.Binding, lambda m: Binding(_statement(m.statement, "a binding")), _plain(pb.Binding)),
    "evidence": (pb.Evidence, _read_evidence, _write_evidence),
    "release": (pb.Release, _read_release, _write_release),
    "refusal": (
        pb.Refusal,
        lambda m: Refusal(_reason(m.reason), _detail(m.detail)),
        _plain(pb.Refusal),
    ),
    "receipt": (pb.Receipt, _read_receipt, _plain(pb.Receipt)),
    "acknowledge": (
        pb.Acknowledge,
        lambda m: Acknowledge(Digest(m.verdict_digest), Digest(m.result_root), Digest(m.stream_digest)),
        _plain(pb.Acknowledge),
    ),
    "dissent": (
        pb.Dissent,
        lambda m: Dissent(Digest(m.verdict_digest), _detail(m.detail)),
        _plain(pb.Dissent),
    ),
    "abort": (pb.Abort, lambda m: Abort(_reason(m.reason), _detail(m.detail)), _plain(pb.Abort)),
}
KINDS = {payload_type(kind): kind for kind in _CODECS}
