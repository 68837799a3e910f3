"""Framing, envelopes, streams and names: the formulas of the text against the code."""

import re
from itertools import product

import pytest
from evaluate import hashing, value_of
from hypothesis import strategies as st
from parley_attestation import encoding, envelope, keys
from parley_attestation.canonical import Fields
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.encoding import Digest, Label
from parley_attestation.envelope import Envelope, Signature
from parley_attestation.errors import PeerError, Role
from parley_attestation.session.turns import blob_digest, stream_digest
from parley_attestation.statement import Subject, open_sealed
from parley_attestation.terms import exercise_id
from reading import formula, section
from worked import contents, digests, inputs, record

SIGNATURE = (Signature(PublicKey(bytes(32)), bytes(64)),)


def test_the_marks_of_the_conventions_are_what_the_code_does():
    joined, whole = formula("conventions", "||").text, formula("conventions", "u64(").text
    text = section("conventions")
    assert f"`{joined}` joins byte strings" in text
    said = re.search(re.escape(f"`{whole}`") + r" is (\w) in (\d+) bytes, (big|little)-endian", text)
    assert said
    assert whole == f"u64({said[1]})"
    for n in (0, 1, 258, 2**63 + 5, 2**64 - 1):
        assert encoding.u64(n) == n.to_bytes(int(said[2]), said[3])
        assert value_of(f"u64(n) {joined} u64(n)", hashing(n=n)) == 2 * encoding.u64(n)


@inputs(label=st.sampled_from(list(Label)), parts=st.lists(st.binary(max_size=12), max_size=4), key=digests)
def test_frame_digest_and_mac_are_those_of_the_code(label, parts, key):
    named = formula("framing", "frame(label, p1, ..., pn)").text
    framed = formula("framing", "u64(len(label)) || label").text
    hashed, hashes = formula("framing", "digest(label, p...)").text, formula("framing", "H(frame(").text
    keyed, message = formula("framing", "mac(key, label").text, formula("framing", "frame(label, p...)").text
    for left, right in ((named, framed), (hashed, hashes)):
        assert f"`{left}` is `{right}`" in section("framing")
    assert f"`{keyed}` is HMAC-SHA-256 {{{{RFC2104}}}} under key over `{message}`" in section("framing")
    names = hashing(label=label.encode(), key=key, **{f"p{n}": part for n, part in enumerate(parts, 1)})

    def said(text: str) -> bytes:
        return value_of(text.replace("p...", "p1, ..., pn"), names, len(parts))

    assert said(named) == said(framed) == said(message) == encoding.frame(label, *parts)
    assert said(hashed) == said(hashes) == encoding.digest(label, *parts)
    assert said(keyed) == encoding.mac(key, label, *parts)


def test_the_framing_example_holds():
    shown = formula("framing", 'frame("').text
    given = re.search(re.escape(f"Example: `{shown}`") + " is `([0-9a-f]+)`", section("framing"))
    assert given
    label, part = re.findall('"([^"]*)"', shown)
    assert value_of(shown, hashing()).hex() == given[1] == encoding.frame(Label(label), part.encode()).hex()


@inputs(text=st.text("0123456789.-", max_size=8))
def test_decimals_are_those_of_the_grammar(text):
    grammar = formula("json", "0 | -?").text
    longest = re.search(re.escape(f"`{grammar}`") + r", at most (\d+) characters", section("json"))
    assert longest
    known = ("0", "-0", "1.5", "-0.25", "0.50", "10.005", "100", "-105.1", "1.", ".5", "01")
    for one in (text, *known, "1" * int(longest[1]), "1" * (int(longest[1]) + 1)):
        said = any(re.fullmatch(part, one) for part in grammar.split(" | ")) and len(one) <= int(longest[1])
        try:
            Fields({"x": one}).decimal("x")
        except PeerError:
            assert not said, one
        else:
            assert said, one


@inputs(kind=st.text("abc/+.", min_size=1, max_size=120), payload=st.binary(max_size=200))
def test_the_encoding_that_is_signed_and_the_head_are_those_of_the_code(kind, payload):
    encoded, head = formula("envelopes", "PAE = "), formula("envelopes", "H(PAE)").text
    names = hashing(type=kind.encode(), payload=payload, dec=lambda n: b"%d" % n)
    pae = value_of(encoded.right, names)
    assert pae == envelope.pae(kind, payload)
    assert f"The head of an envelope is `{head}`" in section("envelopes")
    assert value_of(head, hashing(PAE=pae)) == Envelope(kind, payload, SIGNATURE).head()


@inputs(seed=digests)
def test_fingerprints_and_subjects_of_keys_are_those_of_the_code(seed):
    root, key = (
        formula("keys", 'digest("parley/v1/root-key", root').text,
        formula("keys", 'digest("parley/v1/root-key", key').text,
    )
    assert f"its fingerprint is `{root}`" in section("keys")
    assert f"The subject of both is `key` with `{key}`" in section("keys")
    owner, session = SigningKey(seed), SigningKey(seed[::-1])
    fingerprint = value_of(root, hashing(**{"root public key": owner.public}))
    assert fingerprint == keys.fingerprint(owner.public)
    for one in (
        keys.Certificate(owner.public, session.public, Role.PROVER, 1, 2),
        keys.Revocation(owner.public, session.public, 2),
    ):
        named = value_of(key, hashing(key=session.public))
        assert open_sealed(one.sealed(owner), owner.public).subjects == (Subject("key", Digest(named)),)


def test_a_key_is_valid_when_the_text_says_so():
    within, since = formula("keys", "not_before <=").text, formula("keys", "since <=").text
    root, session = SigningKey(bytes(32)), SigningKey(bytes([1]) * 32)
    certificate = keys.Certificate(root.public, session.public, Role.PROVER, 2, 4)
    revocation = keys.Revocation(root.public, session.public, 3)
    for revocations, t in product(((), (revocation,)), range(7)):
        said = value_of(within, {"not_before": 2, "not_after": 4, "t": t})
        said = said and not any(value_of(since, {"since": one.since, "t": t}) for one in revocations)
        history = keys.KeyHistory(root.public, (certificate,), revocations)
        if said:
            history.certified(session.public, Role.PROVER, t)
        else:
            with pytest.raises(PeerError):
                history.certified(session.public, Role.PROVER, t)


@inputs(blobs=st.lists(contents, max_size=4))
def test_streams_are_named_as_the_text_says(blobs):
    each, stream = formula("content", "b_i ="), formula("content", 'digest("parley/v1/stream"').text
    names = [value_of(each.right, hashing(blob_i=blob)) for blob in blobs]
    assert names == [blob_digest(blob) for blob in blobs]
    numbered = {f"b_{n}": name for n, name in enumerate(names, 1)}
    assert value_of(stream, hashing(**numbered), len(blobs)) == stream_digest(blobs)


def test_sessions_and_exercises_are_named_as_the_text_says():
    session, exercise = formula("chain", 'digest("').text, formula("terms", 'digest("').text
    facts = (worked := record()).machine.facts
    first, second = (turn.envelope.pae() for turn in worked.turns[:2])
    names = {"PAE of message 1": first, "PAE of message 2": second}
    assert value_of(session, hashing(**names)) == facts.session_id
    named = value_of(exercise, hashing(**{"payload bytes": facts.terms_statement.payload()}))
    assert named == exercise_id(facts.terms_statement) == facts.exercise


def test_messages_are_numbered_as_the_text_says():
    following = formula("checks", "n + ").text
    for n, turn in enumerate(record().turns):
        assert turn.header.sequence == value_of(following, {"n": n})
