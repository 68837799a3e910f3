import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parley_attestation import envelope, statement
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import MAX_STATEMENT, Digest
from parley_attestation.errors import ParleyError, PeerError, Reason
from parley_attestation.statement import Statement, Subject

ONE, TWO = SigningKey(b"1" * 32), SigningKey(b"2" * 32)
SAID = Statement("tag:example,2026:x/v1", (Subject("a", Digest(bytes(32))),), {"n": 1})


def refused(*reasons):
    return pytest.raises(PeerError, check=lambda e: e.reason in reasons)


def test_a_statement_is_in_toto_v1_in_canonical_json():
    read = json.loads(SAID.payload())
    assert read["_type"] == "https://in-toto.io/Statement/v1"
    assert set(read) == {"_type", "subject", "predicateType", "predicate"}
    carrier = json.loads(statement.seal(SAID, ONE))
    assert carrier["payloadType"] == "application/vnd.in-toto+json"


def test_the_digest_is_over_the_payload_so_signatures_can_be_added():
    for sealed in (statement.seal(SAID, ONE), statement.seal(SAID, ONE, TWO)):
        assert statement.open_sealed(sealed, ONE.public).digest() == SAID.digest()
    assert SAID.digest() == hashlib.sha256(SAID.payload()).digest()


def test_every_key_that_is_asked_for_must_have_signed():
    both, first = statement.seal(SAID, ONE, TWO), statement.seal(SAID, ONE)
    statement.open_sealed(both, ONE.public, TWO.public)
    statement.open_sealed(both, TWO.public)
    with refused(Reason.BAD_SIGNATURE):
        statement.open_sealed(first, ONE.public, TWO.public)
    with refused(Reason.BAD_SIGNATURE):
        statement.open_sealed(first)
    assert statement.signer(both) == ONE.public


def test_a_signature_over_another_payload_type_is_no_statement():
    carrier = envelope.from_json(statement.seal(SAID, ONE))
    other = "application/x-other"
    signed = envelope.Signature(ONE.public, ONE.sign(envelope.pae(other, carrier.payload)))
    with refused(Reason.BAD_STATEMENT):
        statement.open_sealed(
            envelope.to_json(envelope.Envelope(other, carrier.payload, (signed,))), ONE.public
        )


def sealed_payload(payload):
    signed = envelope.Signature(ONE.public, ONE.sign(envelope.pae(statement.PAYLOAD_TYPE, payload)))
    return envelope.to_json(envelope.Envelope(statement.PAYLOAD_TYPE, payload, (signed,)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Statement/v1", b"Statement/v2"),
        (b'"subject":[{', b'"subject":[],"x":[{'),
        (b'"sha256":"00', b'"sha256":"0'),
        (b'"sha256"', b'"sha512"'),
        (b'"n":1', b'"n":1.5'),
        (b'"n":1', b'"n":1,"n":1'),
        (b'"n":1', b'"n": 1'),
        (b'{"_type"', b'{"A":1,"_type"'),
    ],
)
def test_a_signed_payload_out_of_form_is_refused(old, new):
    assert old in SAID.payload()
    changed = sealed_payload(SAID.payload().replace(old, new, 1))
    with refused(Reason.BAD_STATEMENT, Reason.MALFORMED, Reason.NOT_CANONICAL):
        statement.open_sealed(changed, ONE.public)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_changed_byte_is_refused(data):
    sealed = bytearray(statement.seal(SAID, ONE))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ParleyError):
        statement.open_sealed(bytes(sealed), ONE.public)


def test_a_statement_of_another_type_is_not_what_was_expected():
    assert SAID.expect("tag:example,2026:x/v1") is SAID
    with refused(Reason.BAD_STATEMENT):
        SAID.expect("tag:example,2026:y/v1")


def test_a_statement_that_is_too_large_is_neither_made_nor_read():
    with refused(Reason.TOO_LARGE):
        statement.seal(Statement("t", SAID.subjects, {"x": "a" * MAX_STATEMENT}), ONE)
    with refused(Reason.TOO_LARGE):
        statement.parse(b" " * (MAX_STATEMENT + 1))
