"""Sealed content: what opens, and everything that must not."""

import hmac
import io
import tracemalloc

import pyhpke
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import seed
from parley_attestation.encoding import Bytes32, Digest, Label, frame
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.sealing import (
    CHUNK,
    HEADER,
    TAG,
    Grant,
    RecipientKey,
    Sealed,
    read_header,
    seal,
    unseal,
    unwrap,
    wrap,
)

KEY = Bytes32(seed("data key"))
CHAMBER = RecipientKey.of_entropy(Bytes32(seed("chamber")))


def what(size=0, role=Role.PROVER, session=b"s", commitment=b"c") -> Sealed:
    return Sealed(role, Digest(seed(session)), Digest(seed(commitment)), size)


def sealed(content: bytes, **changes) -> bytes:
    return b"".join(seal(what(len(content), **changes), KEY, io.BytesIO(content).read))


def opened(raw: bytes, expected: Sealed, key=KEY) -> bytes:
    return b"".join(unseal(expected, key, io.BytesIO(raw).read))


def refused(raw, expected, key=KEY):
    with pytest.raises(PeerError) as caught:
        opened(raw, expected, key)
    assert caught.value.reason is Reason.BAD_SEAL
    assert caught.value.blamed is None


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_was_sealed_opens_to_itself_and_has_the_stated_size(size):
    content = bytes(n % 251 for n in range(size))
    raw = sealed(content)
    assert len(raw) == what(size).sealed_size
    assert read_header(raw[:HEADER]) == what(size)
    assert opened(raw, what(size)) == content


@pytest.mark.parametrize("cut", [1, TAG, CHUNK + TAG, CHUNK // 2])
def test_truncated_content_is_refused(cut):
    refused(sealed(b"x" * 2 * CHUNK)[:-cut], what(2 * CHUNK))


def test_content_that_ends_at_a_chunk_is_refused_even_under_a_header_that_agrees():
    """The mark of the last chunk holds, not the header alone."""
    raw = sealed(b"x" * 2 * CHUNK)
    shorter = what(CHUNK)
    refused(shorter.header() + raw[HEADER : HEADER + CHUNK + TAG], shorter)


def test_extended_content_is_refused():
    refused(sealed(b"abc") + b"\0", what(3))


def test_chunks_in_another_order_are_refused():
    raw = sealed(b"a" * CHUNK + b"b" * CHUNK + b"c")
    one, two = raw[HEADER : HEADER + CHUNK + TAG], raw[HEADER + CHUNK + TAG : HEADER + 2 * (CHUNK + TAG)]
    rest = raw[HEADER + 2 * (CHUNK + TAG) :]
    refused(raw[:HEADER] + two + one + rest, what(2 * CHUNK + 1))


def test_a_chunk_of_another_content_of_the_same_size_is_refused():
    ours, theirs = sealed(b"a" * (CHUNK + 9)), sealed(b"b" * (CHUNK + 9), commitment=b"other")
    at = HEADER + CHUNK + TAG
    refused(ours[:at] + theirs[at:], what(CHUNK + 9))


@pytest.mark.parametrize(
    "change", [{"session": b"another"}, {"commitment": b"another"}, {"role": Role.VERIFIER}]
)
def test_content_of_another_session_commitment_or_party_is_refused(change):
    raw = sealed(b"secret weights", **change)
    refused(raw, what(14))
    refused(what(14).header() + raw[HEADER:], what(14))


def test_another_data_key_opens_nothing():
    refused(sealed(b"abc"), what(3), Bytes32(seed("another key")))


@settings(max_examples=150)
@given(st.binary(max_size=300), st.data())
def test_any_changed_byte_is_refused(content, data):
    raw = bytearray(sealed(content))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    refused(bytes(raw), what(len(content)))


@settings(max_examples=150)
@given(st.binary(max_size=200))
def test_any_bytes_as_header_are_read_or_refused_and_nothing_else(raw):
    try:
        found = read_header(raw)
    except PeerError:
        return
    assert found.header() == raw


@pytest.mark.parametrize("size", [2, 4])
def test_a_source_of_another_size_than_stated_is_our_own_fault(size):
    with pytest.raises(LocalError):
        list(seal(what(size), KEY, io.BytesIO(b"abc").read))


def test_the_format_is_the_documented_one_byte_for_byte():
    """Written out from the description: key derivation, nonces with the last mark, associated data."""
    content = b"x" * CHUNK + b"tail"
    header = b"parley-seal/1\n" + b"\x01" + seed(b"s") + seed(b"c") + len(content).to_bytes(8, "big")
    cipher = AESGCM(hmac.digest(KEY, frame(Label.SEAL, header), "sha256"))
    chunks = [
        cipher.encrypt(bytes(11) + b"\0", content[:CHUNK], header),
        cipher.encrypt(bytes(10) + b"\x01\x01", content[CHUNK:], header),
    ]
    assert sealed(content) == header + b"".join(chunks)


def test_a_source_that_gives_little_at_a_time_seals_alike():
    content = io.BytesIO(b"x" * (CHUNK + 5))
    dripping = b"".join(seal(what(CHUNK + 5), KEY, lambda n: content.read(min(n, 70_001))))
    assert dripping == sealed(b"x" * (CHUNK + 5))


def test_memory_does_not_grow_with_the_content():
    size = 64 * CHUNK
    sealing = seal(what(size), KEY, io.BytesIO(bytes(size)).read)
    held = bytearray()

    def read(count):
        while len(held) < count and (part := next(sealing, None)) is not None:
            held.extend(part)
        part = bytes(held[:count])
        del held[:count]
        return part

    tracemalloc.start()
    assert sum(len(chunk) for chunk in unseal(what(size), KEY, read)) == size
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * CHUNK


def grant(**changes) -> Grant:
    given = {"sealed": what(9), "evidence": Digest(seed("evidence")), "policy": Digest(seed("policy"))}
    return Grant(**(given | changes))


def test_a_released_key_opens_for_its_chamber_under_its_grant():
    assert unwrap(wrap(KEY, CHAMBER.public, grant()), CHAMBER, grant()) == KEY


@pytest.mark.parametrize(
    "other",
    [
        {"evidence": Digest(seed("other evidence"))},
        {"policy": Digest(seed("other policy"))},
        {"sealed": what(9, session=b"another")},
        {"sealed": what(9, commitment=b"another")},
        {"sealed": what(9, role=Role.VERIFIER)},
        {"sealed": what(CHUNK + 1)},
    ],
)
def test_a_key_released_under_another_grant_does_not_open(other):
    with pytest.raises(PeerError) as caught:
        unwrap(wrap(KEY, CHAMBER.public, grant()), CHAMBER, grant(**other))
    assert caught.value.reason is Reason.BAD_SEAL


def test_a_key_released_to_another_chamber_does_not_open():
    other = RecipientKey.of_entropy(Bytes32(seed("another chamber")))
    with pytest.raises(PeerError):
        unwrap(wrap(KEY, other.public, grant()), CHAMBER, grant())


@pytest.mark.parametrize("wrapped", [b"", b"\0" * 79, b"\0" * 80, b"\xff" * 80, b"\0" * 81])
def test_bytes_that_are_no_wrapped_key_are_refused(wrapped):
    with pytest.raises(PeerError) as caught:
        unwrap(wrapped, CHAMBER, grant())
    assert caught.value.reason is Reason.BAD_SEAL


def test_no_key_is_released_to_a_point_of_small_order():
    with pytest.raises(PeerError) as caught:
        wrap(KEY, Bytes32(bytes(32)), grant())
    assert caught.value.reason is Reason.BAD_SEAL


def test_a_witness_has_nothing_to_seal():
    with pytest.raises(PeerError):
        what(role=Role.WITNESS)


def _oracle():
    return pyhpke.CipherSuite.new(
        pyhpke.KEMId.DHKEM_X25519_HKDF_SHA256, pyhpke.KDFId.HKDF_SHA256, pyhpke.AEADId.AES256_GCM
    )


@settings(max_examples=50)
@given(st.binary(min_size=32, max_size=32))
def test_an_independent_hpke_opens_what_is_wrapped_and_the_reverse(entropy):
    suite, chamber = _oracle(), RecipientKey.of_entropy(Bytes32(entropy))
    wrapped = wrap(KEY, chamber.public, grant())
    private = suite.kem.deserialize_private_key(chamber.private.private_bytes_raw())
    context = suite.create_recipient_context(wrapped[:32], private, grant().info())
    assert context.open(wrapped[32:]) == KEY
    public = suite.kem.deserialize_public_key(chamber.public)
    encapsulated, sender = suite.create_sender_context(public, grant().info())
    assert unwrap(encapsulated + sender.seal(KEY), chamber, grant()) == KEY


def test_neither_keys_nor_content_stand_in_a_representation():
    assert "private" not in repr(CHAMBER)
