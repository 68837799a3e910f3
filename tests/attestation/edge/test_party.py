"""Party folders and peer cards: what is wrong is said with its file; nothing is overwritten; nothing leaks."""

import json
import logging
import stat

import pytest
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge import party
from parley_attestation.edge.vault import VaultKey
from parley_attestation.errors import LocalError, Reason, Role

ENTROPY = bytes(range(64))


def make(folder, entropy=ENTROPY, **changes):
    parts = {"name": "a party", "role": Role.PROVER, "now": 1_800_000_000, **changes}
    return party.create(folder, entropy=entropy, **parts)


def test_a_party_reads_back_as_it_was_made(tmp_path):
    made = make(tmp_path / "p")
    found = party.load(tmp_path / "p")
    assert found == party.Party(made.folder, made.card, found.session, made.history, made.tls_key)
    assert found.session.public == made.session.public
    assert found.root.public.hex() == made.card.root_key
    assert party.read_card(tmp_path / "p" / "card.json") == made.card


def test_keys_are_for_the_owner_alone_and_the_card_is_for_all(tmp_path):
    make(tmp_path / "p")
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "p").iterdir()}
    assert {n for n, mode in modes.items() if mode == 0o600} >= {"root.key", "session.key", "tls.key"}
    assert modes["card.json"] & 0o077 == 0o044


def test_a_folder_that_holds_a_party_keeps_it(tmp_path):
    make(tmp_path / "p")
    before = {p.name: p.read_bytes() for p in (tmp_path / "p").iterdir()}
    with pytest.raises(LocalError, match="holds a party already"):
        make(tmp_path / "p", ENTROPY[::-1])
    assert {p.name: p.read_bytes() for p in (tmp_path / "p").iterdir()} == before


def test_a_key_that_was_left_behind_is_not_overwritten(tmp_path):
    (tmp_path / "root.key").write_bytes(b"the only copy")
    with pytest.raises(LocalError, match=r"root\.key"):
        make(tmp_path)
    assert (tmp_path / "root.key").read_bytes() == b"the only copy"


def test_serving_needs_no_root_key(tmp_path):
    make(tmp_path / "p")
    (tmp_path / "p" / "root.key").rename(tmp_path / "elsewhere.key")
    found = party.load(tmp_path / "p")
    with pytest.raises(LocalError, match=r"root\.key"):
        _ = found.root


@pytest.mark.parametrize("name", ["root.key", "session.key"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused_with_what_to_do(tmp_path, name, mode):
    make(tmp_path / "p")
    (tmp_path / "p" / name).chmod(mode)
    with pytest.raises(LocalError) as caught:
        _ = party.load(tmp_path / "p").root
    assert name in caught.value.message
    assert "chmod 600" in caught.value.hint


BROKEN = {
    "a short key": ("session.key", b"abcd\n", Reason.CORRUPT),
    "a key that is not hexadecimal": ("session.key", b"z" * 64, Reason.CORRUPT),
    "a key in latin-1": ("session.key", b"\xe9" * 64, Reason.CORRUPT),
    "another session key": ("session.key", SigningKey(b"o" * 32).seed().hex().encode(), Reason.CORRUPT),
    "a history that is no JSON": ("history.json", b"[", Reason.CONFIG),
    "a history that is no list": ("history.json", b"7", Reason.CONFIG),
    "a history of other things": ("history.json", b'["{}"]', Reason.CORRUPT),
    "an empty history": ("history.json", b"[]", Reason.CORRUPT),
    "a card that is no JSON": ("card.json", b"{", Reason.CONFIG),
    "a card that is another's": ("card.json", b'{"name": "x"}', Reason.CONFIG),
    "a card with more in it": ("card.json", None, Reason.CONFIG),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_damaged_folder_is_refused_with_its_file_and_left_alone(tmp_path, name):
    made = make(tmp_path / "p")
    file, content, reason = BROKEN[name]
    path = tmp_path / "p" / file
    if content is None:
        content = json.dumps({**made.card.model_dump(mode="json"), "admin": True}).encode()
    path.write_bytes(content)
    with pytest.raises(LocalError) as caught:
        party.load(tmp_path / "p")
    assert caught.value.reason is reason
    assert str(tmp_path / "p") in caught.value.message
    assert path.read_bytes() == content


@pytest.mark.parametrize("file", ["card.json", "session.key", "history.json", "tls.key"])
def test_a_missing_file_is_refused_with_its_name(tmp_path, file):
    make(tmp_path / "p")
    (tmp_path / "p" / file).unlink()
    with pytest.raises(LocalError) as caught:
        party.load(tmp_path / "p")
    assert file in caught.value.message


CARDS = {
    "another fingerprint": {"root": "0" * 64},
    "another root key": {"root_key": SigningKey(b"o" * 32).public.hex()},
    "capitals": {"root": "A" * 64},
    "no certificate": {"certificate": "none"},
    "half a certificate": {"certificate": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"},
    "another role": {"role": "king"},
    "no name": {"name": ""},
}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_that_is_not_its_partys_is_refused(tmp_path, name):
    made = make(tmp_path / "p")
    path = tmp_path / "card.json"
    path.write_text(json.dumps({**made.card.model_dump(mode="json"), **CARDS[name]}))
    with pytest.raises(LocalError) as caught:
        party.read_card(path)
    assert caught.value.reason is Reason.CONFIG


def test_a_history_that_names_another_root_than_the_card_is_refused(tmp_path):
    make(tmp_path / "one")
    make(tmp_path / "two", bytes(32) + ENTROPY[32:])  # another root certifies the same session key
    (tmp_path / "one" / "history.json").write_bytes((tmp_path / "two" / "history.json").read_bytes())
    with pytest.raises(LocalError, match="different root keys"):
        party.load(tmp_path / "one")


def test_a_session_key_of_another_role_is_refused(tmp_path):
    made = make(tmp_path / "p")
    path = tmp_path / "p" / "card.json"
    path.write_text(json.dumps({**made.card.model_dump(mode="json"), "role": "verifier"}))
    with pytest.raises(LocalError) as caught:
        party.load(tmp_path / "p")
    assert caught.value.reason is Reason.CORRUPT


# -- secrets


def shown(one):
    return " ".join((repr(one), str(one), f"{one}", f"{[one]}", f"{ {'k': one} }"))


def spellings(secret: bytes):
    return (secret.hex(), repr(secret)[2:-1], secret.decode("latin-1"), repr(list(secret))[1:-1])


def test_no_representation_or_log_shows_a_key(tmp_path, caplog):
    made = make(tmp_path / "p")
    found = party.load(tmp_path / "p")
    key = VaultKey(b"correct horse battery staple", passphrase=True)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("parley").info("%s %r %s %r", found, found, key, found.session)
    everything = " ".join((shown(found), shown(found.session), shown(found.root), shown(key), caplog.text))
    secrets = (ENTROPY[:32], ENTROPY[32:], key.secret, found.tls_key)
    assert made.tls_key == found.tls_key
    for secret in secrets:
        for spelling in spellings(secret):
            assert spelling not in everything


def test_no_error_about_a_key_shows_it(tmp_path):
    make(tmp_path / "p")
    for file in ("session.key", "root.key"):
        path = tmp_path / "p" / file
        text = path.read_text().strip()
        path.write_text(text + "00\n")
        with pytest.raises(LocalError) as caught:
            _ = party.load(tmp_path / "p").root
        error = caught.value
        chain = f"{error!r} {error} {error.hint} {error.__cause__!r} {error.__context__!r}"
        assert text not in chain
        path.write_text(text + "\n")
