import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_kit import LOG_KEY, NAME, PUBLIC, vectors
from parley_attestation.errors import PeerError, Reason
from parley_attestation.log import note
from parley_attestation.log.note import Note

VALID = vectors("notes/signed_notes.json")[0]


@pytest.mark.parametrize("case", vectors("notes/signed_notes.json"), ids=lambda c: c["name"])
def test_signed_note_vectors(case):
    keys = [note.ed25519_key(v) for v in case["vkeys"]]
    if case["valid"]:
        read = note.parse(case["note"].encode())
        assert len(read.signed_by(*keys)) == 1
        assert read.dump() == case["note"].encode()
        return
    with pytest.raises(PeerError, check=lambda e: e.reason in (Reason.MALFORMED, Reason.BAD_SIGNATURE)):
        note.parse(case["note"].encode()).signed_by(*keys)


def test_verifier_keys_read_back_as_they_were_written():
    for case in vectors("notes/signed_notes.json"):
        for text in case["vkeys"]:
            assert note.vkey(*note.parse_vkey(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "example.com/foo",
        "example.com/foo+530d903a",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/fox+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
        "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    ],
)
def test_a_verifier_key_whose_id_or_form_is_wrong_is_refused(text):
    with pytest.raises(PeerError, check=lambda e: e.reason is Reason.BAD_KEY):
        note.ed25519_key(text)


def test_a_verifier_key_of_another_type_is_no_ed25519_key():
    with pytest.raises(PeerError, check=lambda e: e.reason is Reason.BAD_KEY):
        note.ed25519_key(note.vkey("w", 4, bytes(32)))


def test_a_bad_signature_of_a_known_key_refuses_the_note_even_beside_a_good_one():
    good = note.sign(b"text\n", LOG_KEY, NAME)
    bad = note.NoteSignature(good.name, good.id, bytes(64))
    with pytest.raises(PeerError, check=lambda e: e.reason is Reason.BAD_SIGNATURE):
        Note(b"text\n", (good, bad)).signed_by(PUBLIC)


def test_signatures_of_unknown_keys_are_ignored_even_where_name_or_id_is_known():
    good = note.sign(b"text\n", LOG_KEY, NAME)
    other_id = note.NoteSignature(NAME, b"0000", bytes(64))
    other_name = note.NoteSignature("other.example", good.id, bytes(64))
    assert len(Note(b"text\n", (other_id, other_name, good)).signed_by(PUBLIC)) == 1


def test_a_note_takes_sixteen_signatures_and_no_hundred():
    line = note.sign(b"text\n", LOG_KEY, NAME).line()
    assert len(note.parse(("text\n\n" + 16 * line).encode()).signatures) == 16
    with pytest.raises(PeerError):
        note.parse(("text\n\n" + 100 * line).encode())
    with pytest.raises(PeerError, check=lambda e: e.reason is Reason.TOO_LARGE):
        note.parse(b"x" * (note.MAX_NOTE + 1))


@pytest.mark.parametrize("wrong", ["\0", "\t", "\r", "\x1f"])
def test_a_control_character_is_refused_even_where_it_was_signed(wrong):
    text = f"a{wrong}b\n".encode()
    signed = Note(text, (note.sign(text, LOG_KEY, NAME),))
    signed.signed_by(PUBLIC)
    with pytest.raises(PeerError, check=lambda e: e.reason is Reason.MALFORMED):
        note.parse(signed.dump())


def test_the_last_empty_line_ends_the_text():
    line = note.sign(b"a\n\nb\n", LOG_KEY, NAME).line()
    assert note.parse(("a\n\nb\n\n" + line).encode()).text == b"a\n\nb\n"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_changed_byte_never_leaves_another_text_signed(data):
    raw = bytearray(VALID["note"].encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        read = note.parse(bytes(raw))
        read.signed_by(note.ed25519_key(VALID["vkeys"][0]))
    except PeerError:
        return
    assert read.text == b"This is an example message.\n"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_anything_at_all_is_read_or_refused(raw):
    try:
        note.parse(raw)
        note.parse_vkey(raw.decode(errors="replace"))
    except PeerError:
        pass
