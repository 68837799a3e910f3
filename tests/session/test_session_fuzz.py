"""Any bytes under a party's signature are taken, or refused with a reason: nothing else is ever raised."""

import contextlib

import pytest
from cheats import (
    ACCEPTED,
    CHALLENGED,
    CONFIRMED,
    GREETED,
    OPENED,
    PROPOSED,
    READY,
    SEEDED,
    SHOWN,
    START,
    STOPPED,
    P,
    V,
    signed,
    snapshot,
    standoff,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from parley.v1 import session_pb2 as pb
from parley_attestation.errors import PeerError
from parley_attestation.session.machine import Duplicate
from parley_attestation.session.messages import KINDS

STEPS = [
    (V, START),
    (P, GREETED),
    (V, READY),
    (P, PROPOSED),
    (V, ACCEPTED),
    (P, SHOWN),
    (V, SEEDED),
    (P, CHALLENGED),
    (V, STOPPED),
    (V, OPENED),
    (P, CONFIRMED),
]
# Bytes and small integers where protobuf has tags, lengths and values: more goes deep than with any bytes.
edits = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(["set", "insert", "cut"]), st.binary(min_size=1, max_size=4)),
    min_size=1,
    max_size=4,
)


def edited(payload: bytes, changes) -> bytes:
    raw = bytearray(payload)
    for where, how, data in changes:
        at = int(where * len(raw))
        if how == "set":
            raw[at : at + len(data)] = data
        elif how == "insert":
            raw[at:at] = data
        else:
            del raw[at : at + len(data)]
    return bytes(raw)


@pytest.fixture(scope="module", name="stands", params=STEPS, ids=lambda step: step[1].value)
def _stands(request, tmp_path_factory):
    return standoff(tmp_path_factory.mktemp("fuzz"), *request.param)


def takes_or_refuses(machine, envelope):
    before = snapshot(machine)
    with contextlib.suppress(PeerError, Duplicate):
        machine.begin(envelope)
    assert snapshot(machine) == before


@settings(max_examples=200, deadline=None)
@given(edits)
def test_an_edited_message_under_its_own_signature_is_taken_or_refused(stands, changes):
    payload = edited(stands.honest().envelope.payload, changes)
    kind = stands.honest().envelope.payload_type
    takes_or_refuses(stands.victim.machine, signed(stands.key, None, None, kind=kind, payload=payload))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.binary(max_size=300))
def test_any_payload_of_any_kind_is_taken_or_refused(stands, kind, payload):
    """With the right header in front, so that the reader gets as far as the body."""
    header = stands.header
    head = pb.Header(session_id=header.session, sequence=header.sequence, previous=header.previous)
    framed = pb.Stop(header=head).SerializeToString() + payload
    takes_or_refuses(stands.victim.machine, signed(stands.key, None, None, kind=kind, payload=framed))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_frame_is_taken_or_refused(stands, raw):
    try:
        frame = pb.Frame.FromString(raw)
    except Exception:  # noqa: BLE001 - what is no frame never reaches the endpoint
        return
    before = snapshot(stands.victim.machine)
    with contextlib.suppress(PeerError):
        list(stands.victim.feed(frame))
    assert snapshot(stands.victim.machine) == before
