"""Room: the suite. Faults in who says what when: greetings, signatures, forms, places in the chain, slots."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from parley.v1 import session_pb2 as pb
from parley_attestation import keys
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Nonce, Salt
from parley_attestation.envelope import Envelope
from parley_attestation.errors import Reason, Role
from parley_attestation.session import messages as m
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn, envelope_from_wire, to_frames

from parley_conformance.cases.base import RESUME, After, Case, Say, Where, fault, go_on
from parley_conformance.cases.content import ZERO, always, body, flip
from parley_conformance.harness import (
    Failure,
    Lost,
    Player,
    Refused,
    Target,
    expect_refusal,
    sealed,
    shown,
    signed,
)

S = State
_SECOND = Where(S.SEEDED, 2)
_UNKNOWN = b"\xf8\x3f\x01"  # field 1023, varint 1


def stranger(p: Player) -> Turn:
    """The honest message under a key that nobody certified."""
    return Turn(signed(SigningKey(p.target.fresh()), p.header, p.draft.body), p.draft.blobs)


def certified_as_prover(p: Player) -> Turn:
    """A Hello whose key the root certifies for the other role."""
    party = p.target.party
    certificate = keys.Certificate(party.root.public, party.session.public, Role.PROVER, 0, 1 << 40)
    said: Any = p.draft.body
    return p.turn(replace(said, key_history=(certificate.sealed(party.root),)))


def frames(p: Player) -> list[pb.Frame]:
    """The frames of the honest message."""
    return list(to_frames(p.turn()))


def altered(p: Player) -> list[pb.Frame]:
    """The honest message, one bit of its signature changed on the way."""
    found = frames(p)
    (one,) = found[0].envelope.signatures
    one.value = flip(one.value)
    return found


def signatures(count: int) -> Say:
    """The honest message with its signature so many times."""

    def say(p: Player) -> list[pb.Frame]:
        found = frames(p)
        (one,) = found[0].envelope.signatures
        del found[0].envelope.signatures[:]
        found[0].envelope.signatures.extend([one] * count)
        return found

    return say


def payload(change: Callable[[Any], None]) -> Say:
    """The honest challenge, its protobuf changed before it was signed."""

    def say(p: Player) -> Turn:
        honest = p.turn()
        message = pb.Challenge.FromString(honest.envelope.payload)
        change(message)
        kind = honest.envelope.payload_type
        return Turn(sealed(p.target.party.session, kind, message.SerializeToString()), honest.blobs)

    return say


def raw(change: Callable[[bytes], bytes], kind: str = "challenge") -> Say:
    """The honest payload as changed bytes, under a kind's payload type."""

    def say(p: Player) -> list[pb.Frame]:
        bytes_ = change(p.turn().envelope.payload)
        kind_ = m.payload_type(kind) if "/" not in kind else kind
        return list(to_frames(Turn(sealed(p.target.party.session, kind_, bytes_))))

    return say


def header(**changes: Callable[[m.Header], Any]) -> Say:
    """The honest message for another place."""

    def say(p: Player) -> Turn:
        at: Any = p.header
        moved = replace(at, **{name: change(at) for name, change in changes.items()})
        return Turn(signed(p.target.party.session, moved, p.draft.body), p.draft.blobs)

    return say


def second(p: Player) -> Turn:
    """Another message for the slot that the first challenge filled."""
    at = p.machine.sequence - 1
    place = m.Header(p.machine.facts.session_id, at, p.machine.heads[at - 2])
    return Turn(signed(p.target.party.session, place, m.Stop((1,))))


def said(p: Player) -> list[pb.Frame]:
    """Every frame that the verifier has sent in the session."""
    assert p.endpoint.row is not None
    turns = [turn for n, turn in p.journal.turns(p.endpoint.row) if p.machine.authors[n - 1] is Role.VERIFIER]
    return [frame for turn in turns for frame in to_frames(turn)]


def _duplicate(target: Target) -> None:
    """The same bytes for a filled slot again change nothing."""
    player = target.begin(S.SEEDED, 2)
    player.stream.send(said(player)[-2:])
    player.go_on()


def _replay(target: Target) -> None:
    """All that was said in a finished session comes again on a new stream."""
    player = target.begin()
    stream = target.stream()
    stream.send(said(player))
    stream.finish()
    known = set(player.machine.heads)
    while True:
        got = stream.answer()
        if isinstance(got, Refused):
            break
        if isinstance(got, Lost):
            if got.code.value[0] != 0:
                raise Failure(f"expected the same bytes again or a typed refusal, got {shown(got)}")
            break
        if envelope_of(got).head() not in known:
            raise Failure("a replayed session got an answer that the first one did not")
    target.begin()


def envelope_of(frame: pb.Frame) -> Envelope:
    """The envelope in a frame."""
    return envelope_from_wire(frame.envelope)


def _ran_before(target: Target) -> None:
    """An exercise that has ended is proposed again in a fresh session."""
    exercise = target.begin().exercise
    player = target.begin(S.READY, exercise=exercise)
    player.stream.send(frames(player))
    expect_refusal(player.stream, frozenset({Reason.BAD_ATTEMPT}))
    go_on(player, After.ENDED)
    target.begin()


def _says_one_thing(target: Target) -> None:
    """A verifier that lost the last answers asks for them again and gets the same bytes."""
    player = target.begin(S.SEEDED, 2)
    player.stream.close()
    heads = player.machine.heads
    stream = target.stream()
    at = len(heads) - 1
    session = player.machine.facts.session_id
    stream.send([pb.Frame(resume=pb.Resume(session_id=session, sequence=at, head=heads[at - 1]))])
    got = stream.answer()
    if not isinstance(got, pb.Frame):
        raise Failure(f"expected the last answers again, got {shown(got)}")
    if envelope_of(got).head() != heads[-1]:
        raise Failure("the prover filled one slot with two different messages")
    stream.close()
    player.resumed()


CASES: tuple[Case, ...] = (
    fault(
        "hello-of-another-version",
        "a Hello that offers version 99 alone",
        "P-GREET-1",
        S.START,
        body(versions=(99,)),
        {Reason.UNSUPPORTED_VERSION},
        After.FRESH,
    ),
    fault(
        "hello-of-another-mode",
        "a Hello that offers an unknown mode alone",
        "P-GREET-1",
        S.START,
        body(modes=("secret",)),
        {Reason.UNSUPPORTED_VERSION},
        After.FRESH,
    ),
    fault(
        "hello-over-another-channel",
        "a Hello that names another certificate of the prover",
        "P-GREET-2",
        S.START,
        body(prover_tls=ZERO),
        {Reason.CHANNEL_MISMATCH},
        After.FRESH,
    ),
    fault(
        "hello-under-an-uncertified-key",
        "a Hello signed by a key that the root does not certify",
        "P-GREET-3",
        S.START,
        stranger,
        {Reason.KEY_NOT_CERTIFIED},
        After.FRESH,
    ),
    fault(
        "hello-under-a-provers-key",
        "a Hello under a key that the root certifies as a prover's",
        "P-GREET-3",
        S.START,
        certified_as_prover,
        {Reason.KEY_NOT_CERTIFIED},
        After.FRESH,
    ),
    fault(
        "bad-signature",
        "one bit of the signature changed",
        "P-SIGN-1",
        _SECOND,
        altered,
        {Reason.BAD_SIGNATURE},
        After.RESUMES,
    ),
    fault(
        "strangers-signature",
        "a message signed by a key outside the session",
        "P-SIGN-1",
        _SECOND,
        stranger,
        {Reason.BAD_SIGNATURE},
        After.RESUMES,
    ),
    fault(
        "no-signature",
        "a message without a signature",
        "P-SIGN-2",
        _SECOND,
        signatures(0),
        {Reason.MALFORMED},
        After.RESUMES,
    ),
    fault(
        "two-signatures",
        "a message with its signature twice",
        "P-SIGN-2",
        _SECOND,
        signatures(2),
        {Reason.MALFORMED},
        After.RESUMES,
    ),
    fault(
        "unknown-field",
        "an unknown field in the message",
        "P-FORM-1",
        S.SEEDED,
        payload(lambda c: c.MergeFromString(_UNKNOWN)),
        {Reason.UNKNOWN_FIELD},
        After.ENDED,
    ),
    fault(
        "unknown-field-in-a-unit",
        "an unknown field in a unit of a challenge",
        "P-FORM-1",
        S.SEEDED,
        payload(lambda c: c.units[0].MergeFromString(_UNKNOWN)),
        {Reason.UNKNOWN_FIELD},
        After.ENDED,
    ),
    fault(
        "unknown-payload-type",
        "a payload type that no message has",
        "P-FORM-2",
        S.SEEDED,
        raw(lambda b: b, "application/vnd.parley.challenge.v99+proto"),
        {Reason.UNSUPPORTED},
        After.RESUMES,
    ),
    fault(
        "payload-that-does-not-parse",
        "signed bytes that are no protobuf",
        "P-FORM-3",
        S.SEEDED,
        raw(lambda _: b"\xff" * 40),
        {Reason.MALFORMED},
        After.RESUMES,
    ),
    fault(
        "commitment-of-31-bytes",
        "a commitment one byte too short",
        "P-FORM-3",
        S.SEEDED,
        payload(lambda c: setattr(c.units[0], "prompt_commitment", bytes(31))),
        {Reason.MALFORMED},
        After.ENDED,
    ),
    fault(
        "challenge-of-nothing",
        "a challenge without a unit",
        "P-FORM-3",
        S.SEEDED,
        payload(lambda c: c.ClearField("units")),
        {Reason.TOO_LARGE, Reason.MALFORMED},
        After.ENDED,
    ),
    fault(
        "wrong-session",
        "a message of another session",
        "P-CHAIN-1",
        _SECOND,
        header(session=lambda _: ZERO),
        {Reason.WRONG_SESSION},
        After.RESUMES,
    ),
    fault(
        "wrong-sequence",
        "a message for a slot to come",
        "P-CHAIN-2",
        _SECOND,
        header(sequence=lambda h: h.sequence + 2),
        {Reason.WRONG_SEQUENCE},
        After.RESUMES,
    ),
    fault(
        "sequence-zero",
        "a message for slot 0",
        "P-CHAIN-2",
        _SECOND,
        header(sequence=lambda _: 0),
        {Reason.WRONG_SEQUENCE},
        After.RESUMES,
    ),
    fault(
        "wrong-previous",
        "a message that names another predecessor",
        "P-CHAIN-3",
        _SECOND,
        header(previous=lambda _: ZERO),
        {Reason.WRONG_PREVIOUS},
        After.RESUMES,
    ),
    fault(
        "coin-before-terms",
        "a coin where the terms are due",
        "P-ORDER-1",
        S.READY,
        always(m.Coin(Nonce(bytes(32)), Salt(bytes(32)))),
        {Reason.OUT_OF_ORDER},
        After.ENDED,
    ),
    fault(
        "stop-twice",
        "a Stop after the Stop",
        "P-ORDER-1",
        S.STOPPED,
        always(m.Stop((1,))),
        {Reason.OUT_OF_ORDER},
        After.ENDED,
    ),
    fault(
        "acknowledged-unopened",
        "an acknowledgement before the references",
        "P-ORDER-1",
        S.STOPPED,
        always(m.Acknowledge(ZERO, ZERO, ZERO)),
        {Reason.OUT_OF_ORDER},
        After.ENDED,
    ),
    fault(
        "equivocation",
        "a second, different message for a filled slot",
        "P-SLOT-1",
        _SECOND,
        second,
        {Reason.EQUIVOCATION},
        After.ENDED,
    ),
    Case("same-bytes-again", "the same bytes for a filled slot change nothing", ("P-SLOT-3",), _duplicate),
    Case("session-replayed", "a whole finished session is sent again", ("P-SLOT-3",), _replay),
    Case(
        "exercise-run-again",
        "an exercise that has ended is proposed again",
        ("P-ATTEMPT-1",),
        _ran_before,
        frozenset({Reason.BAD_ATTEMPT}),
    ),
    Case(
        "answers-asked-again",
        "lost answers are asked for again",
        ("P-SLOT-2",),
        _says_one_thing,
        capability=RESUME,
    ),
)
