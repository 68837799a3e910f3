"""Altered, misplaced and malformed messages: refused by reason; blamed only where signed bytes prove it."""

import io
from dataclasses import replace

import pytest
from cheats import (
    SEEDED,
    STRANGER,
    ZERO,
    Standoff,
    V,
    changed_blob,
    flip,
    frames_of,
    signed,
    standoff,
)
from parley.v1 import session_pb2 as pb
from parley_attestation import statement
from parley_attestation.edge.endpoint import MAX_SIDE_RECORDS
from parley_attestation.encoding import MAX_CHUNK, MAX_ENVELOPE
from parley_attestation.envelope import Signature
from parley_attestation.errors import Reason
from parley_attestation.judge import judge
from parley_attestation.session import messages as m
from parley_attestation.session.turns import Turn
from parley_attestation.transcript import RecordReader, RecordWriter, redact

# -- bytes that nobody signed: refused, nobody is blamed, and the exercise goes on


def with_signatures(turn: Turn, *signatures):
    (first, *rest) = frames_of(turn)
    del first.envelope.signatures[:]
    for signature in signatures:
        first.envelope.signatures.add(key=signature.key, value=signature.value)
    return [first, *rest]


def altered(s: Standoff):
    frames = frames_of(s.honest())
    frames[0].envelope.payload = flip(frames[0].envelope.payload, 50)
    return frames


def altered_and_signed_by(key):
    def say(s: Standoff):
        body, blobs = changed_blob(s)
        return frames_of(Turn(signed(key, s.header, body), blobs))

    return say


def altered_chunk(s: Standoff):
    frames = frames_of(s.honest())
    frames[1].chunk.data = flip(frames[1].chunk.data, 40)
    return frames


def chunk_at(offset):
    def say(s: Standoff):
        frames = frames_of(s.honest())
        frames[1].chunk.offset = offset
        return frames

    return say


def too_much_content(s: Standoff):
    frames = frames_of(s.honest())
    frames[1].chunk.data += b"!"
    return frames


def long_chunk(s: Standoff):
    frames = frames_of(s.honest())
    frames[1].chunk.data += bytes(MAX_CHUNK)
    return frames


def small_order(s: Standoff):
    """A key of order 1: with it, R = [S]B verifies any message in libraries that do not refuse it."""
    identity = bytes([1]) + bytes(31)
    return with_signatures(s.honest(), Signature(identity, identity + bytes(32)))


def malleated(s: Standoff):
    """S + L for S: the same point, another encoding."""
    (signature,) = s.honest().envelope.signatures
    order = 2**252 + 27742317777372353535851937790883648493
    moved = (int.from_bytes(signature.value[32:], "little") + order).to_bytes(32, "little")
    return with_signatures(s.honest(), Signature(signature.key, signature.value[:32] + moved))


def of_type(kind):
    return lambda s: frames_of(
        Turn(signed(s.key, s.header, None, kind=kind, payload=s.honest().envelope.payload))
    )


def oversized(s: Standoff):
    (first, *_) = frames_of(s.honest())
    first.envelope.payload = bytes(MAX_ENVELOPE + 1)
    return [first]


def terms_as_a_message(s: Standoff):
    """A verifier's session key does sign statements: that is no fault, whoever carries it here."""
    return frames_of(
        Turn(
            signed(
                s.key, None, None, kind=statement.PAYLOAD_TYPE, payload=s.exercise.terms.statement().payload()
            )
        )
    )


def garbage(s: Standoff):
    return frames_of(Turn(signed(s.key, None, None, kind=m.payload_type("challenge"), payload=b"\xff\xff")))


def headless(s: Standoff):
    return frames_of(Turn(signed(s.key, None, None, kind=m.payload_type("challenge"), payload=b"")))


TAMPERED = {
    "an altered byte": (altered, Reason.BAD_SIGNATURE),
    "an altered message signed again by a stranger": (altered_and_signed_by(STRANGER), Reason.BAD_SIGNATURE),
    "content that is not the signed one": (altered_chunk, Reason.STREAM_MISMATCH),
    "a chunk from elsewhere": (chunk_at(1), Reason.BLOB_MISMATCH),
    "more content than was signed": (too_much_content, Reason.BLOB_MISMATCH),
    "a chunk above the limit": (long_chunk, Reason.BLOB_MISMATCH),
    "content without a message": (lambda s: frames_of(s.honest())[1:], Reason.BLOB_MISMATCH),
    "a message inside another's content": (lambda s: frames_of(s.honest())[:1] * 2, Reason.OUT_OF_ORDER),
    "a small-order key": (small_order, Reason.BAD_SIGNATURE),
    "a malleated signature": (malleated, Reason.BAD_SIGNATURE),
    "no signature": (lambda s: with_signatures(s.honest()), Reason.MALFORMED),
    "two signatures": (
        lambda s: with_signatures(s.honest(), *(s.honest().envelope.signatures * 2)),
        Reason.MALFORMED,
    ),
    "an unknown payload type": (of_type("application/vnd.parley.secret.v1+proto"), Reason.UNSUPPORTED),
    "a later version's payload type": (
        of_type("application/vnd.parley.challenge.v2+proto"),
        Reason.UNSUPPORTED,
    ),
    "terms carried as a message": (terms_as_a_message, Reason.UNSUPPORTED),
    "bytes that are no message": (garbage, Reason.MALFORMED),
    "a message without a header": (headless, Reason.MALFORMED),
    "a payload above the limit": (oversized, Reason.TOO_LARGE),
    "an empty frame": (lambda _: [pb.Frame()], Reason.MALFORMED),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_bytes_that_nobody_provably_signed_here_blame_nobody(tmp_path, name):
    say, reason = TAMPERED[name]
    s = standoff(tmp_path, V, SEEDED, 2)
    error = s.refused(say(s))
    assert (error.reason, error.blamed) == (reason, None)
    assert s.judged().fault is None
    s.go_on()


# -- shapes that only the signer can have made


def with_payload(change):
    def say(s: Standoff):
        honest = s.honest().envelope
        message = pb.Challenge.FromString(honest.payload)
        change(message)
        payload = message.SerializeToString(deterministic=True)
        return Turn(signed(s.key, None, None, kind=honest.payload_type, payload=payload), s.draft.blobs)

    return say


def unknown(message):
    message.MergeFromString(b"\xf8\x3f\x01")  # field 1023


SHAPES = {
    "an unknown field": (with_payload(unknown), Reason.UNKNOWN_FIELD),
    "an unknown field inside a unit": (with_payload(lambda c: unknown(c.units[0])), Reason.UNKNOWN_FIELD),
    "an unknown field in the header": (with_payload(lambda c: unknown(c.header)), Reason.UNKNOWN_FIELD),
    "no unit": (with_payload(lambda c: c.ClearField("units")), Reason.TOO_LARGE),
    "a commitment of 31 bytes": (
        with_payload(lambda c: setattr(c.units[0], "prompt_commitment", bytes(31))),
        Reason.MALFORMED,
    ),
    "a prompt of 2^40 bytes": (
        with_payload(lambda c: setattr(c.units[0], "size", 1 << 40)),
        Reason.TOO_LARGE,
    ),
    "another type over the same bytes": (
        lambda s: Turn(
            signed(s.key, None, None, kind=m.payload_type("coin"), payload=s.honest().envelope.payload)
        ),
        Reason.MALFORMED,
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_malformed_message_of_this_session_blames_its_signer(tmp_path, name):
    say, reason = SHAPES[name]
    s = standoff(tmp_path, V, SEEDED, 2)
    honest = s.honest()
    error = s.refused(say(s))
    assert (error.reason, error.blamed) == (reason, V)
    assert s.judged().fault.blamed is V
    s.victim.machine.step(honest)


HEADERS = {
    "another session": (lambda h: replace(h, session=ZERO), Reason.WRONG_SESSION),
    "a slot to come": (lambda h: replace(h, sequence=h.sequence + 2), Reason.WRONG_SEQUENCE),
    "slot zero": (lambda h: replace(h, sequence=0), Reason.WRONG_SEQUENCE),
    "another predecessor": (lambda h: replace(h, previous=ZERO), Reason.WRONG_PREVIOUS),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_message_for_another_place_blames_nobody(tmp_path, name):
    """It may be honest where it belongs: on the other side of somebody else's equivocation."""
    change, reason = HEADERS[name]
    s = standoff(tmp_path, V, SEEDED, 2)
    error = s.refused(s.turn(s.draft.body, s.draft.blobs, header=change(s.header)))
    assert (error.reason, error.blamed) == (reason, None)
    s.go_on()


# -- side records stand beside the chain: bounded, and only such as a record can hold


def side_record(sealed):
    return pb.Frame(side=pb.SideRecord(sealed=sealed))


def small_statement(n):
    return statement.seal(statement.Statement("a/type", (statement.Subject("a", ZERO),), {"n": n}), STRANGER)


SIDES = {
    "garbage": (b"\xff" * 20, Reason.MALFORMED),
    "an empty one": (b"", Reason.MALFORMED),
    "one that no record file could hold": (b" " * (MAX_ENVELOPE + 1), Reason.TOO_LARGE),
}


@pytest.mark.parametrize("name", SIDES)
def test_a_side_record_that_a_record_could_not_hold_is_refused(tmp_path, name):
    """Kept unread, it would make the victim's own record unreadable."""
    sealed, reason = SIDES[name]
    s = standoff(tmp_path, V, SEEDED, 2)
    error = s.refused([side_record(sealed)])
    assert (error.reason, error.blamed) == (reason, None)
    assert s.judged().fault is None
    s.go_on()


def test_a_flood_of_side_records_is_refused(tmp_path):
    s = standoff(tmp_path, V, SEEDED, 2)
    for n in range(MAX_SIDE_RECORDS):
        assert list(s.victim.feed(side_record(small_statement(n)))) == []
    assert list(s.victim.feed(side_record(small_statement(0)))) == []  # the same again is no more
    error = s.refused([side_record(small_statement(MAX_SIDE_RECORDS))])
    assert (error.reason, error.blamed) == (Reason.TOO_LARGE, None)
    found = s.judged()
    assert found.fault is None
    assert len(found.side_records) == MAX_SIDE_RECORDS


def test_a_record_that_ends_in_a_message_nobody_can_read_can_be_redacted_and_still_blames(tmp_path):
    s = standoff(tmp_path, V, SEEDED, 2)
    assert s.refused(with_payload(unknown)(s)).blamed is V
    hidden = io.BytesIO()
    assert redact(RecordReader(io.BytesIO(s.record())), RecordWriter(hidden), None) > 0
    hidden.seek(0)
    found = judge(hidden, list(s.exercise.pins.values()))
    assert (found.fault.reason, found.fault.blamed) == (Reason.UNKNOWN_FIELD, V)
