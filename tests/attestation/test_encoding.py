import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parley_attestation.encoding import Bytes32, Digest, Label, digest, frame, mac, u64, unhex
from parley_attestation.errors import PeerError, Reason

malformed = pytest.raises(PeerError, check=lambda e: e.reason is Reason.MALFORMED)
PARTS = st.lists(st.binary(max_size=12), max_size=4)
LABELS = st.sampled_from(list(Label))


@settings(max_examples=200, deadline=None)
@given(LABELS, PARTS, LABELS, PARTS)
def test_two_different_inputs_never_frame_alike(label, parts, other_label, other_parts):
    same = (label, parts) == (other_label, other_parts)
    assert (frame(label, *parts) == frame(other_label, *other_parts)) is same


@settings(max_examples=100, deadline=None)
@given(LABELS, PARTS)
def test_a_frame_is_lengths_and_parts_and_nothing_else(label, parts):
    expected = b"".join(len(p).to_bytes(8, "big") + p for p in (label.encode(), *parts))
    assert frame(label, *parts) == expected
    assert digest(label, *parts) == hashlib.sha256(expected).digest()
    assert mac(b"k" * 32, label, *parts) == hmac.new(b"k" * 32, expected, "sha256").digest()


def test_every_label_is_distinct_and_belongs_to_version_1():
    assert len({label.value for label in Label}) == len(Label)
    assert all(label.startswith("parley/v1/") for label in Label)


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64, 65])
def test_keys_and_digests_of_another_length_are_refused(size):
    with malformed:
        Bytes32(bytes(size))
    with malformed:
        mac(bytes(size), Label.ITEM)


@pytest.mark.parametrize("value", [-1, 1 << 64])
def test_integers_outside_64_bits_are_refused(value):
    with malformed:
        u64(value)


def test_64_bit_integers_are_big_endian():
    assert u64(1) == bytes(7) + b"\x01"
    assert u64(2**64 - 1) == b"\xff" * 8


@pytest.mark.parametrize(
    "text", ["", "0", "00" * 31, "00" * 33, "AA" * 32, "0x" + "00" * 31, "é" * 64, " " + "0" * 63]
)
def test_hexadecimal_has_one_spelling(text):
    with malformed:
        Digest.of_hex(text)
    assert unhex("00ff", 2) == b"\x00\xff"
