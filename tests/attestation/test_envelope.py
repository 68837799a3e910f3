import base64
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st
from log_kit import vectors
from parley_attestation.encoding import MAX_ENVELOPE
from parley_attestation.envelope import Envelope, Signature, from_json, pae, to_json
from parley_attestation.errors import PeerError, Reason

SIGNATURE = Signature(bytes(32), bytes(64))


def refused(reason):
    return pytest.raises(PeerError, check=lambda e: e.reason is reason)


def test_the_pre_authentication_encoding_is_that_of_the_dsse_specification():
    case = vectors("dsse/pae.json")
    assert pae(case["payloadType"], case["payload"].encode()) == case["pae"].encode()


def test_the_signature_of_the_dsse_specification_holds_over_our_encoding():
    case = vectors("dsse/pae.json")
    point = case["ecdsa_p256"]
    raw = base64.b64decode(point["sig_raw_r_s_b64"])
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key = ec.EllipticCurvePublicNumbers(int(point["X"]), int(point["Y"]), ec.SECP256R1()).public_key()
    message = pae(case["payloadType"], case["payload"].encode())
    key.verify(signature, message, ec.ECDSA(hashes.SHA256()))


@settings(max_examples=150, deadline=None)
@given(
    st.text("abc 1", min_size=1, max_size=8),
    st.binary(max_size=12),
    st.text("abc 1", min_size=1, max_size=8),
    st.binary(max_size=12),
)
def test_no_two_envelopes_share_an_encoding(kind, payload, other_kind, other_payload):
    same = (kind, payload) == (other_kind, other_payload)
    assert (pae(kind, payload) == pae(other_kind, other_payload)) is same


def test_the_head_covers_type_and_payload_and_no_signature():
    one = Envelope("t", b"x", (SIGNATURE,))
    assert one.head() == hashlib.sha256(b"DSSEv1 1 t 1 x").digest()
    assert one.head() == Envelope("t", b"x", (Signature(b"k" * 32, bytes(64)),)).head()
    assert one.head() != Envelope("u", b"x", (SIGNATURE,)).head()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=50), st.lists(st.binary(min_size=64, max_size=64), min_size=1, max_size=8))
def test_an_envelope_reads_back_from_json(payload, signatures):
    one = Envelope("a/b", payload, tuple(Signature(bytes(32), s) for s in signatures))
    assert from_json(to_json(one)) == one


@pytest.mark.parametrize(
    ("kind", "payload", "count", "reason"),
    [
        ("", b"", 1, Reason.MALFORMED),
        ("é", b"", 1, Reason.MALFORMED),
        ("x" * 129, b"", 1, Reason.MALFORMED),
        ("x", b"", 0, Reason.MALFORMED),
        ("x", b"", 9, Reason.MALFORMED),
        ("x", bytes(MAX_ENVELOPE + 1), 1, Reason.TOO_LARGE),
    ],
)
def test_an_envelope_out_of_bounds_is_refused(kind, payload, count, reason):
    with refused(reason):
        Envelope(kind, payload, (SIGNATURE,) * count)


GOOD = to_json(Envelope("a/b", b"payload", (SIGNATURE,)))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"cGF5bG9hZA=="', b'"cGF5bG9hZA"', Reason.MALFORMED),
        (b'"cGF5bG9hZA=="', b'"cGF5bG9hZB=="', Reason.NOT_CANONICAL),
        (b'"cGF5bG9hZA=="', b'"cGF5 G9hZA=="', Reason.MALFORMED),
        (b'"cGF5bG9hZA=="', b'"cGF5bG9hZA-="', Reason.MALFORMED),
        (b'"payloadType"', b'"payloadTypo"', Reason.MALFORMED),
        (b'"signatures":[', b'"signatures":[{},', Reason.MALFORMED),
        (b'{"payload"', b'{"a":1,"payload"', Reason.UNKNOWN_FIELD),
        (b'{"payload"', b'{ "payload"', Reason.NOT_CANONICAL),
        (b'"keyid":"00', b'"keyid":"0', Reason.MALFORMED),
    ],
)
def test_an_envelope_in_another_spelling_is_refused(old, new, reason):
    assert old in GOOD
    with refused(reason):
        from_json(GOOD.replace(old, new))
