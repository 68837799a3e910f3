"""Room: the suite. For a witness under test: who asks, with which record, in which form."""

import json
from dataclasses import replace
from typing import Any

from parley.v1 import witness_pb2 as pb
from parley_attestation import envelope, keys
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.encoding import Digest
from parley_attestation.envelope import Envelope, Signature
from parley_attestation.errors import Reason, Role
from parley_attestation.log.witness import Event, Request
from parley_attestation.session import messages as m
from parley_attestation.statement import Statement, Subject, seal

from parley_conformance.deviations import ZERO, flip
from parley_conformance.harness import Failure, Lost, Refused, sealed, signed
from parley_conformance.roles.witness import Witness

E, R = Event, Reason
V, P = Role.VERIFIER, Role.PROVER
ORDER = 2**252 + 27742317777372353535851937790883648493  # of the Ed25519 base point
FUZZED = 60  # requests with one changed bit that the extended profile sends


def strangers(target: Witness) -> None:
    """Requests of others than the parties; the honest one works afterwards."""
    at = target.attempt()
    record = at.message(4, P)
    request = at.request(E.ACCEPTED, P, 4, record)
    stranger = SigningKey(target.arena.fresh())
    verifier = target.arena.verifier
    target.refuses(target.ask(request, record, key=stranger), R.KEY_NOT_CERTIFIED)
    target.refuses(target.ask(request, record, key=verifier.session), R.KEY_NOT_CERTIFIED)
    target.refuses(
        target.ask(request, record, key=verifier.session, history=verifier.history), R.UNKNOWN_PARTY
    )
    target.refuses(target.ask(request, record, history=()), R.BAD_KEY)
    at.accept()
    others = replace(request, event=E.POSTED, verifier=Digest(target.arena.fresh()))
    target.refuses(target.ask(others, record), R.UNKNOWN_PARTY)
    target.cosigned(at.ask(E.POSTED, P, 4))


def _certified(target: Witness, start: int, end: int, *more: bytes) -> tuple[bytes, ...]:
    own = target.arena.prover
    made = keys.Certificate(own.root.public, own.session.public, P, start, end)
    return (made.sealed(own.root), *more)


def histories(target: Witness) -> None:
    """Key histories with a second entry that another key signed, or of another root."""
    at = target.attempt()
    record = at.message(4, P)
    request = at.request(E.ACCEPTED, P, 4, record)
    own, other = target.arena.prover, SigningKey(target.arena.fresh())
    forged = keys.Certificate(own.root.public, own.session.public, P, 0, 1 << 40).sealed(other)
    foreign = keys.Certificate(other.public, own.session.public, P, 0, 1 << 40).sealed(own.root)
    target.refuses(
        target.ask(request, record, history=_certified(target, 0, 1 << 40, forged)), R.BAD_SIGNATURE
    )
    target.refuses(target.ask(request, record, history=_certified(target, 0, 1 << 40, foreign)), R.BAD_KEY)
    target.cosigned(target.ask(request, record))


def documents(target: Witness) -> None:
    """Requests that are signed and no request: one key twice; then what is no JSON under a signature that fails."""
    at = target.attempt()
    record = at.message(4, P)
    request = at.request(E.ACCEPTED, P, 4, record)
    own = target.arena.prover.session
    honest = envelope.from_json(request.sealed(own))
    twice = honest.payload.replace(b"{", b'{"_type":"x",', 1)
    fraction = honest.payload.replace(b'"attempt":1', b'"attempt":1.5', 1)
    for payload in (twice, fraction):
        made = envelope.to_json(sealed(own, honest.payload_type, payload))
        target.refuses(target.ask(request, record, sealed=made), R.MALFORMED)
    (one,) = honest.signatures
    unread = replace(honest, payload=b"{", signatures=(Signature(one.key, one.value),))
    target.refuses(target.ask(request, record, sealed=envelope.to_json(unread)), R.BAD_SIGNATURE)
    target.cosigned(target.ask(request, record))


def malleated(target: Witness) -> None:
    """The group order added to the scalar of a request's signature."""
    at = target.attempt()
    record = at.message(4, P)
    request = at.request(E.ACCEPTED, P, 4, record)
    honest = envelope.from_json(request.sealed(target.arena.prover.session))
    (one,) = honest.signatures
    scalar = int.from_bytes(one.value[32:], "little") + ORDER
    other = Signature(one.key, one.value[:32] + scalar.to_bytes(32, "little"))
    made = envelope.to_json(replace(honest, signatures=(other,)))
    target.refuses(target.ask(request, record, sealed=made), R.BAD_SIGNATURE)
    target.cosigned(target.ask(request, record))


def other_encoding(target: Witness) -> None:
    """A record that spells its header twice: its head is that of the bytes as they are."""
    at = target.attempt()
    at.accept()
    honest = at.message(5, V)
    _, message = m.parse("abort", honest.payload)
    head = type(message)(header=message.header).SerializeToString()
    record = sealed(target.arena.verifier.session, honest.payload_type, head + honest.payload)
    request = at.request(E.POSTED, V, 5, record)
    target.cosigned(target.ask(request, record), request)


def times(target: Witness) -> None:
    """Keys are judged at the witness's own time: expired, not yet valid, revoked."""
    at = target.attempt()
    record = at.message(4, P)
    request = at.request(E.ACCEPTED, P, 4, record)
    own = target.arena.prover
    revoked = keys.Revocation(own.root.public, PublicKey(own.session.public), 1).sealed(own.root)
    for history in (
        _certified(target, 0, 1_000_000_000),
        _certified(target, 1 << 40, 1 << 41),
        _certified(target, 0, 1 << 40, revoked),
    ):
        target.refuses(target.ask(request, record, history=history), R.KEY_NOT_CERTIFIED)
    target.cosigned(target.ask(request, record, history=_certified(target, 0, 1 << 40)))


def records(target: Witness) -> None:
    """The record behind a head: another one, of another slot, broken, no message, none; then the right one."""
    at = target.attempt()
    at.accept()
    record = at.message(5, V)
    request = at.request(E.POSTED, V, 5, record)
    (one,) = record.signatures
    broken = Envelope(record.payload_type, record.payload, (Signature(one.key, flip(one.value)),))
    own = target.arena.verifier.session
    elsewhere = signed(own, m.Header(at.session, 6, at.session), m.Abort(Reason.ABORTED.value, ""))
    other_session = signed(own, m.Header(ZERO, 5, at.session), m.Abort(Reason.ABORTED.value, ""))
    no_message = sealed(own, "text/plain", b"hello")
    for shown, reason in (
        (at.message(5, V, "another"), R.HEAD_MISMATCH),
        (broken, R.BAD_SIGNATURE),
        (None, R.MALFORMED),
    ):
        target.refuses(target.ask(request, shown), reason)
    for shown, reason in (
        (elsewhere, R.HEAD_MISMATCH),
        (other_session, R.HEAD_MISMATCH),
        (no_message, R.UNSUPPORTED),
        (at.message(5, P), R.HEAD_MISMATCH),
    ):
        target.refuses(target.ask(at.request(E.POSTED, V, 5, shown), shown), reason)
    target.cosigned(target.ask(request, record))


def methods(target: Witness) -> None:
    """An event that is not for the call, and one that nobody may ask for."""
    at = target.attempt()
    at.accept()
    record = at.message(5, V)
    for event, method in ((E.POSTED, "Cosign"), (E.POSTED, "Claim"), (E.END, "Post"), (E.DEFAULT, "Cosign")):
        target.refuses(target.ask(at.request(event, V, 5, record), record, method=method), R.BAD_STATEMENT)
    late = at.request(E.LATE, V, 5, record)
    target.refuses(target.ask(late, record, method="Post"), R.BAD_STATEMENT)
    target.refuses(target.ask(at.request(E.POSTED, V, 5, record, 60), record), R.BAD_STATEMENT)
    target.cosigned(target.ask(at.request(E.POSTED, V, 5, record), record))


def signatures(target: Witness) -> None:
    """A request whose signature does not hold."""
    at = target.attempt()
    record = at.message(4, P)
    request = at.request(E.ACCEPTED, P, 4, record)
    document = json.loads(request.sealed(target.arena.prover.session))
    signature = document["signatures"][0]["sig"]
    document["signatures"][0]["sig"] = ("B" if signature[0] == "A" else "A") + signature[1:]
    target.refuses(target.ask(request, record, sealed=_json(document)), R.BAD_SIGNATURE)
    target.cosigned(target.ask(request, record))


def _json(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def forms(target: Witness) -> None:
    """JSON in another form, fields too many or few, values out of range, bytes too many."""
    at = target.attempt()
    record = at.message(4, P)
    request = at.request(E.ACCEPTED, P, 4, record)
    own = target.arena.prover.session
    honest = request.sealed(own)
    target.refuses(target.ask(request, record, sealed=b" " + honest), R.NOT_CANONICAL, R.MALFORMED)
    target.refuses(target.ask(request, record, sealed=b"{}"), R.MALFORMED, R.BAD_STATEMENT)
    target.refuses(target.ask(request, record, sealed=b"\xff" * 64), R.MALFORMED)
    target.refuses(target.ask(request, record, sealed=honest + b" " * 4096), R.TOO_LARGE)
    target.refuses(
        target.ask(request, record, history=target.arena.prover.history * 65), R.TOO_LARGE, R.BAD_KEY
    )
    for change in (
        {"extra": 1},
        {"attempt": 0},
        {"attempt": 65},
        {"sequence": 0},
        {"head": "00"},
        {"event": "late"},
    ):
        made = _altered(request, own, change)
        target.refuses(
            target.ask(request, record, sealed=made), R.BAD_STATEMENT, R.MALFORMED, R.UNKNOWN_FIELD
        )
    target.cosigned(target.ask(request, record))


def _altered(request: Request, key: SigningKey, change: dict[str, Any]) -> bytes:
    """A request with fields that no `Request` can have."""
    predicate = request.position.predicate() | {
        "event": request.event.value,
        "requester": request.requester.value,
        "prover": request.prover.hex(),
        "verifier": request.verifier.hex(),
        "deadline": request.deadline,
    }
    subject = Subject("head", request.position.head)
    kind = "tag:parley,2026:cosignature-request/v1"
    return seal(Statement(kind, (subject,), predicate | change), key)


def fuzz(target: Witness) -> None:
    """One bit of a request changes: a typed refusal, never an internal failure; nothing is signed."""
    at = target.attempt()
    record = at.message(4, P)
    request = at.request(E.ACCEPTED, P, 4, record)
    honest = request.sealed(target.arena.prover.session)
    for _ in range(FUZZED):
        at_bit = int.from_bytes(target.arena.fresh()[:8], "big") % (len(honest) * 8)
        changed = bytearray(honest)
        changed[at_bit // 8] ^= 1 << at_bit % 8
        answer = target.ask(request, record, sealed=bytes(changed))
        if not isinstance(answer, Refused) or answer.reason in {R.INTERNAL, R.CORRUPT}:
            raise Failure(f"bit {at_bit} of a request: expected a typed refusal")
    target.cosigned(target.ask(request, record))


def large(target: Witness) -> None:
    """A record of 1 MiB and more is refused, one just below the limit is not."""
    at = target.attempt()
    at.accept()
    own = target.arena.verifier.session
    kind = m.payload_type("abort")
    header = m.Header(at.session, 5, at.session)
    body = m.write(header, m.Abort(Reason.ABORTED.value, ""))
    large = Envelope(kind, body, (Signature(own.public, own.sign(b"")),))
    message = pb.PostRequest(
        request=pb.SignedRequest(
            sealed=at.request(E.POSTED, V, 5, large).sealed(own), key_history=target.arena.verifier.history
        )
    )
    message.record.payload_type, message.record.payload = kind, bytes((1 << 20) + 1)
    message.record.signatures.add(key=own.public, value=bytes(64))
    answer = target.call("Post", message)
    target.refuses(answer if isinstance(answer, Refused | Lost) else b"", R.TOO_LARGE)
    target.cosigned(at.ask(E.POSTED, V, 5))
