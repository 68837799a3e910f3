"""Room: the suite. Faults in who says what when: greetings, signatures, forms, places in the chain, slots."""

from parley.v1 import session_pb2 as pb
from parley_attestation.encoding import Nonce, Salt
from parley_attestation.errors import Reason
from parley_attestation.session import messages as m
from parley_attestation.session.tables import State

from parley_conformance.cases.base import RESUME, After, Case, Where, fault, go_on
from parley_conformance.cases.says import (
    UNKNOWN,
    ZERO,
    altered,
    always,
    body,
    certified_as_prover,
    envelope_of,
    frames,
    header,
    payload,
    raw,
    said,
    second,
    signatures,
    stranger,
)
from parley_conformance.harness import Failure, Lost, Refused, Target, expect_refusal, shown

S = State
_SECOND = Where(S.SEEDED, 2)


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
        "HELLO-1",
        S.START,
        body(versions=(99,)),
        {Reason.UNSUPPORTED_VERSION},
        After.FRESH,
    ),
    fault(
        "hello-of-another-mode",
        "a Hello that offers an unknown mode alone",
        "HELLO-1",
        S.START,
        body(modes=("secret",)),
        {Reason.UNSUPPORTED_VERSION},
        After.FRESH,
    ),
    fault(
        "hello-over-another-channel",
        "a Hello that names another certificate of the prover",
        "HELLO-3",
        S.START,
        body(prover_tls=ZERO),
        {Reason.CHANNEL_MISMATCH},
        After.FRESH,
    ),
    fault(
        "hello-under-an-uncertified-key",
        "a Hello signed by a key that the root does not certify",
        "KEY-2",
        S.START,
        stranger,
        {Reason.KEY_NOT_CERTIFIED},
        After.FRESH,
    ),
    fault(
        "hello-under-a-provers-key",
        "a Hello under a key that the root certifies as a prover's",
        "KEY-2",
        S.START,
        certified_as_prover,
        {Reason.KEY_NOT_CERTIFIED},
        After.FRESH,
    ),
    fault(
        "bad-signature",
        "one bit of the signature changed",
        "SIG-1",
        _SECOND,
        altered,
        {Reason.BAD_SIGNATURE},
        After.RESUMES,
    ),
    fault(
        "strangers-signature",
        "a message signed by a key outside the session",
        "CHAIN-1",
        _SECOND,
        stranger,
        {Reason.BAD_SIGNATURE},
        After.RESUMES,
    ),
    fault(
        "no-signature",
        "a message without a signature",
        "ENV-4",
        _SECOND,
        signatures(0),
        {Reason.MALFORMED},
        After.RESUMES,
    ),
    fault(
        "two-signatures",
        "a message with its signature twice",
        "CHAIN-1",
        _SECOND,
        signatures(2),
        {Reason.MALFORMED},
        After.RESUMES,
    ),
    fault(
        "unknown-field",
        "an unknown field in the message",
        "CHAIN-1",
        S.SEEDED,
        payload(lambda c: c.MergeFromString(UNKNOWN)),
        {Reason.UNKNOWN_FIELD},
        After.ENDED,
    ),
    fault(
        "unknown-field-in-a-unit",
        "an unknown field in a unit of a challenge",
        "CHAIN-1",
        S.SEEDED,
        payload(lambda c: c.units[0].MergeFromString(UNKNOWN)),
        {Reason.UNKNOWN_FIELD},
        After.ENDED,
    ),
    fault(
        "unknown-payload-type",
        "a payload type that no message has",
        "CHAIN-1 EXT-1",
        S.SEEDED,
        raw(lambda b: b, "application/vnd.parley.challenge.v99+proto"),
        {Reason.UNSUPPORTED},
        After.RESUMES,
    ),
    fault(
        "payload-that-does-not-parse",
        "signed bytes that are no protobuf",
        "CHAIN-1",
        S.SEEDED,
        raw(lambda _: b"\xff" * 40),
        {Reason.MALFORMED},
        After.RESUMES,
    ),
    fault(
        "commitment-of-31-bytes",
        "a commitment one byte too short",
        "CHAIN-1",
        S.SEEDED,
        payload(lambda c: setattr(c.units[0], "prompt_commitment", bytes(31))),
        {Reason.MALFORMED},
        After.ENDED,
    ),
    fault(
        "challenge-of-nothing",
        "a challenge without a unit",
        "CHAIN-1",
        S.SEEDED,
        payload(lambda c: c.ClearField("units")),
        {Reason.TOO_LARGE, Reason.MALFORMED},
        After.ENDED,
    ),
    fault(
        "wrong-session",
        "a message of another session",
        "CHAIN-1",
        _SECOND,
        header(session=lambda _: ZERO),
        {Reason.WRONG_SESSION},
        After.RESUMES,
    ),
    fault(
        "wrong-sequence",
        "a message for a slot to come",
        "CHAIN-1",
        _SECOND,
        header(sequence=lambda h: h.sequence + 2),
        {Reason.WRONG_SEQUENCE},
        After.RESUMES,
    ),
    fault(
        "sequence-zero",
        "a message for slot 0",
        "CHAIN-1",
        _SECOND,
        header(sequence=lambda _: 0),
        {Reason.WRONG_SEQUENCE},
        After.RESUMES,
    ),
    fault(
        "wrong-previous",
        "a message that names another predecessor",
        "CHAIN-1 CHAIN-2",
        _SECOND,
        header(previous=lambda _: ZERO),
        {Reason.WRONG_PREVIOUS},
        After.RESUMES,
    ),
    fault(
        "coin-before-terms",
        "a coin where the terms are due",
        "CHAIN-1",
        S.READY,
        always(m.Coin(Nonce(bytes(32)), Salt(bytes(32)))),
        {Reason.OUT_OF_ORDER},
        After.ENDED,
    ),
    fault(
        "stop-twice",
        "a Stop after the Stop",
        "CHAIN-1",
        S.STOPPED,
        always(m.Stop((1,))),
        {Reason.OUT_OF_ORDER},
        After.ENDED,
    ),
    fault(
        "acknowledged-unopened",
        "an acknowledgement before the references",
        "ACK-1",
        S.STOPPED,
        always(m.Acknowledge(ZERO, ZERO, ZERO)),
        {Reason.OUT_OF_ORDER},
        After.ENDED,
    ),
    fault(
        "equivocation",
        "a second, different message for a filled slot",
        "CHAIN-1",
        _SECOND,
        second,
        {Reason.EQUIVOCATION},
        After.ENDED,
    ),
    Case("same-bytes-again", "the same bytes for a filled slot change nothing", ("RES-3",), _duplicate),
    Case("session-replayed", "a whole finished session is sent again", ("RES-3",), _replay),
    Case(
        "exercise-run-again",
        "an exercise that has ended is proposed again",
        ("ATT-3",),
        _ran_before,
        frozenset({Reason.BAD_ATTEMPT}),
    ),
    Case(
        "answers-asked-again",
        "lost answers are asked for again",
        ("RES-2",),
        _says_one_thing,
        capability=RESUME,
    ),
)
