import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa
from log_kit import LOG_KEY, NAME, PUBLIC, entry, grow, log_of, vectors
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.log import note
from parley_attestation.log.checkpoint import (
    Checkpoint,
    check_extends,
    check_one_history,
    open_checkpoint,
    parse_text,
)
from parley_attestation.log.cosignature import (
    Ed25519Cosigner,
    MlDsaCosigner,
    check_cosigner,
    cosign,
    cosigned,
    cosigner,
    mldsa_message,
)
from parley_attestation.log.note import Note, NoteSignature
from parley_attestation.log.tiles import TileTree

T0 = 1_790_000_000
OWN = vectors("notes/own_checkpoint_ed25519.json")
SUMDB = vectors("notes/sumdb_checkpoints.json")
KEYS = [SigningKey(bytes([n]) * 32) for n in (1, 2, 3)]
WITNESSES = [Ed25519Cosigner(f"witness.example/w{n}", k.public) for n, k in enumerate(KEYS)]


def refused(reason):
    return pytest.raises(PeerError, check=lambda e: e.reason is reason)


@pytest.mark.parametrize("raw", SUMDB["checkpoints"], ids=lambda c: c.split("\n")[1])
def test_real_checkpoints_of_the_go_checksum_database_verify(raw):
    found, _ = open_checkpoint(raw.encode(), note.ed25519_key(SUMDB["vkey"]), SUMDB["origin"])
    assert found.size > 6_000_000
    assert found.text() + b"\n" == raw.encode().partition("—".encode())[0]


def test_a_checkpoint_of_another_origin_is_refused():
    with refused(Reason.BAD_CHECKPOINT):
        open_checkpoint(SUMDB["checkpoints"][0].encode(), note.ed25519_key(SUMDB["vkey"]))


def test_a_checkpoint_and_cosignature_verified_by_go_verify_here_and_are_signed_alike():
    log, witness = note.ed25519_key(OWN["vkeys"][0]), cosigner(OWN["vkeys"][1])
    found, signed = open_checkpoint(OWN["note"].encode(), log)
    assert found.size == 70_000
    counted = cosigned(signed, [witness], 1)
    assert (str(counted), counted.time) == ("witnessed by 1 of 1", OWN["time"])
    ours = note.sign(found.text(), SigningKey(bytes.fromhex(OWN["seed_log"])), log.name)
    theirs = cosign(found.text(), SigningKey(bytes.fromhex(OWN["seed_witness"])), witness.name, OWN["time"])
    assert Note(found.text(), (ours, theirs)).dump() == OWN["note"].encode()


@pytest.mark.parametrize(
    "text",
    [
        "o\n5\n",
        "o\n05\n" + "A" * 43 + "=\n",
        "o\n-5\n" + "A" * 43 + "=\n",
        "o\n9223372036854775808\n" + "A" * 43 + "=\n",
        "o\n5\nAAAA\n",
        "o\n5\n" + "A" * 43 + "=\n\n",
        "\n5\n" + "A" * 43 + "=\n",
        "o\n0\n" + "A" * 43 + "=\n",
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused(text):
    with refused(Reason.BAD_CHECKPOINT):
        parse_text(text.encode())


def test_extension_lines_are_kept():
    found = parse_text(b"o\n5\n" + b"A" * 43 + b"=\nmore\n")
    assert found.extensions == ("more",)
    assert parse_text(found.text()) == found


def note_at(checkpoint, *signatures):
    return Note(checkpoint.text(), (note.sign(checkpoint.text(), LOG_KEY, NAME), *signatures))


def cosigned_at(checkpoint, key, time):
    witness = WITNESSES[KEYS.index(key)]
    return note_at(checkpoint, cosign(checkpoint.text(), key, witness.name, time))


ONE = Checkpoint(NAME, 5, Digest(b"a" * 32))


def test_two_of_three_witnesses_give_the_second_smallest_time():
    lines = [
        cosign(ONE.text(), k, w.name, T0 + n) for n, (k, w) in enumerate(zip(KEYS, WITNESSES, strict=True))
    ]
    found = cosigned(note_at(ONE, *lines), WITNESSES, 2)
    assert (len(found.names), found.time) == (3, T0 + 1)
    assert cosigned(note_at(ONE, lines[2]), WITNESSES, 1).time == T0 + 2
    with refused(Reason.BAD_COSIGNATURE):
        cosigned(note_at(ONE, lines[2], lines[2]), WITNESSES, 2)


def test_no_witness_at_all_is_said_plainly():
    assert str(cosigned(note_at(ONE), WITNESSES, 0)) == "unwitnessed"
    with refused(Reason.BAD_COSIGNATURE):
        cosigned(note_at(ONE), WITNESSES, 1)
    with refused(Reason.BAD_KEY):
        cosigned(note_at(ONE), [WITNESSES[0]] * 2, 1)


def test_a_cosignature_whose_time_was_changed_is_refused():
    line = cosign(ONE.text(), KEYS[0], WITNESSES[0].name, T0)
    changed = NoteSignature(line.name, line.id, (T0 - 1).to_bytes(8, "big") + line.value[8:])
    for wrong in (changed, NoteSignature(line.name, line.id, line.value[:-1])):
        with refused(Reason.BAD_SIGNATURE):
            cosigned(note_at(ONE, wrong), WITNESSES, 1)


def test_a_log_signature_does_not_pass_as_a_cosignature_nor_the_reverse():
    witness = Ed25519Cosigner(NAME, PublicKey(LOG_KEY.public))
    assert witness.id != PUBLIC.id
    with refused(Reason.BAD_SIGNATURE):
        witness.check(ONE.text(), LOG_KEY.sign(ONE.text()))


def test_an_ml_dsa_cosignature_verifies_and_a_changed_one_does_not():
    key = mldsa.MLDSA44PrivateKey.from_seed_bytes(b"m" * 32)
    name = "witness.example/pq"
    public = key.public_key().public_bytes_raw()
    witness = cosigner(note.vkey(name, 6, public))
    assert isinstance(witness, MlDsaCosigner)
    value = T0.to_bytes(8, "big") + key.sign(mldsa_message(name, ONE, T0))
    found = cosigned(note_at(ONE, NoteSignature(name, witness.id, value)), [witness], 1)
    assert found.time == T0
    for wrong in (value[:-1] + bytes([value[-1] ^ 1]), (T0 + 1).to_bytes(8, "big") + value[8:], value[:70]):
        with refused(Reason.BAD_SIGNATURE):
            witness.check(ONE.text(), wrong)


def test_a_cosigner_key_of_another_type_is_refused():
    with refused(Reason.BAD_KEY):
        cosigner(note.vkey("w", 1, bytes(32)))


def test_a_forked_log_is_proved_by_two_checkpoints_of_one_size():
    store, _ = log_of(300)
    fork = store.copy()
    ours = grow(store, [entry(1000)])
    theirs = grow(fork, [entry(2000)])
    with refused(Reason.EQUIVOCATION) as caught:
        check_one_history(ours, theirs, PUBLIC)
    assert caught.value.evidence == (ours, theirs)
    check_one_history(ours, ours, PUBLIC)
    check_one_history(ours, grow(store, [entry(1001)]), PUBLIC)


def test_a_fork_of_another_size_has_no_consistency_proof():
    store, raw = log_of(300)
    fork = store.copy()
    ours, _ = open_checkpoint(grow(store, [entry(1000)]), PUBLIC)
    theirs, _ = open_checkpoint(grow(fork, [entry(2000), entry(2001)]), PUBLIC)
    with refused(Reason.BAD_PROOF):
        check_extends(ours, theirs, TileTree(fork.read, theirs.size).consistency(ours.size))
    base, _ = open_checkpoint(raw, PUBLIC)
    check_extends(base, theirs, TileTree(fork.read, theirs.size).consistency(base.size))


def test_from_an_empty_log_anything_grows_and_a_proof_is_refused():
    empty = Checkpoint(NAME, 0, Digest(bytes(32)))
    check_extends(empty, ONE, ())
    with refused(Reason.BAD_PROOF):
        check_extends(empty, ONE, (Digest(bytes(32)),))
    with refused(Reason.BAD_CHECKPOINT):
        check_extends(Checkpoint("other", 5, ONE.root), ONE, ())


def test_a_rolled_back_witness_of_checkpoints_is_proved_at_fault():
    two = Checkpoint(NAME, 5, Digest(b"b" * 32))
    first, second = (cosigned_at(c, KEYS[0], T0).dump() for c in (ONE, two))
    with refused(Reason.EQUIVOCATION) as caught:
        check_cosigner(first, second, WITNESSES[0])
    assert caught.value.blamed is Role.WITNESS
    smaller = cosigned_at(Checkpoint(NAME, 4, Digest(b"c" * 32)), KEYS[0], T0 + 1).dump()
    with refused(Reason.EQUIVOCATION):
        check_cosigner(first, smaller, WITNESSES[0])


def test_an_honest_witness_of_checkpoints_is_consistent():
    later = Checkpoint(NAME, 6, Digest(b"b" * 32))
    other = Checkpoint("another.log", 5, Digest(b"b" * 32))
    first = cosigned_at(ONE, KEYS[0], T0).dump()
    for c, at in ((ONE, T0 + 9), (later, T0), (later, T0 + 1), (other, T0 - 5)):
        check_cosigner(first, cosigned_at(c, KEYS[0], at).dump(), WITNESSES[0])
