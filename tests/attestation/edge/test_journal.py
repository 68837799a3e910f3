"""The journal: append-only, whole transactions, damage named and left alone."""

import contextlib
import sqlite3
import stat

import pytest
from kit import Exercise, Plan, sums
from parley_attestation.edge.endpoint import Secret
from parley_attestation.edge.journal import Journal, SessionRow
from parley_attestation.envelope import Envelope, Signature
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.session.turns import Turn, blob_digest


def turn(text: bytes, *blobs: bytes) -> Turn:
    return Turn(Envelope("a/type", text, (Signature(bytes(32), bytes(64)),)), blobs)


@pytest.fixture(name="journal")
def _journal(tmp_path):
    with contextlib.closing(Journal(tmp_path / "a.journal")) as journal:
        yield journal


def start(journal, role=Role.VERIFIER, text=b"hello"):
    return journal.start(role, bytes(range(32)), turn(text))


@pytest.fixture(name="finished")
def _finished(tmp_path):
    """A journal with a whole session, closed."""
    exercise = Exercise(tmp_path, items=sums(8), terms_changes={"plan": Plan(1, 4, (("", 8),))})
    v, p = exercise.run()
    row = p.row
    v.journal.close()
    p.journal.close()
    return exercise, tmp_path / "prover.journal", row


def test_turns_come_back_in_order_with_their_content(journal):
    row = start(journal)
    journal.append(row, 2, turn(b"two", b"x" * 40, b"y" * 40, b"x" * 40))
    journal.append(row, 3, turn(b"three"))
    assert [(n, t.envelope.payload, t.blobs) for n, t in journal.turns(row)] == [
        (1, b"hello", ()),
        (2, b"two", (b"x" * 40, b"y" * 40, b"x" * 40)),
        (3, b"three", ()),
    ]
    assert [n for n, _ in journal.turns(row, 2)] == [3]
    assert journal.get(blob_digest(b"y" * 40)) == b"y" * 40


def test_others_can_read_neither_the_journal_nor_its_log(journal, tmp_path):
    start(journal)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_every_write_is_synced_in_full(journal):
    assert journal.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal.connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_slot_is_written_once(journal):
    row = start(journal)
    journal.append(row, 2, turn(b"two"))
    with pytest.raises(LocalError, match="another process works on this session"):
        journal.append(row, 2, turn(b"another two"))
    assert [t.envelope.payload for _, t in journal.turns(row)] == [b"hello", b"two"]


def test_a_turn_and_what_must_be_true_with_it_are_written_together_or_not_at_all(journal):
    row = start(journal)

    def refuse(_db):
        raise PeerError(Reason.BUDGET_EXHAUSTED, "no more")

    with pytest.raises(PeerError):
        journal.append(row, 2, turn(b"two", b"z" * 40), refuse)
    assert [n for n, _ in journal.turns(row)] == [1]
    assert journal.get(blob_digest(b"z" * 40)) is None
    journal.append(row, 2, turn(b"two again"))


def test_one_hello_is_one_session(journal):
    start(journal)
    with pytest.raises(LocalError):
        start(journal)


def test_sessions_are_found_by_hello_and_by_id_and_unfinished_ones_newest_first(journal):
    one = journal.start(Role.PROVER, bytes(32), turn(b"one"), turn(b"reply"), b"i" * 32)
    two = start(journal, Role.PROVER, b"two")
    assert journal.find(session_id=b"i" * 32) == one
    assert journal.find(hello=turn(b"two").envelope.head()) == two
    assert journal.find(session_id=b"j" * 32) is None
    assert journal.unfinished(Role.PROVER) == [two, one]
    assert journal.unfinished(Role.VERIFIER) == []
    journal.note(two, ended=True)
    assert journal.unfinished(Role.PROVER) == [one]
    assert journal.last(Role.PROVER).ended


def test_a_prover_knows_a_session_by_its_id_from_the_first_write_on(journal):
    """Id and reply are one transaction: a death between them would lose the session for every Resume."""
    journal.start(Role.PROVER, bytes(32), turn(b"hello"), turn(b"reply"), b"i" * 32)
    with contextlib.closing(Journal(journal.path)) as after:
        assert after.find(session_id=b"i" * 32) is not None


def test_a_fault_is_kept_once_and_ends_the_session(journal):
    row = start(journal)
    journal.fault(row, 2, turn(b"bad", b"w" * 40))
    journal.fault(row, 2, turn(b"worse"))
    assert [t.envelope.payload for _, t in journal.turns(row, fault=True)] == [b"bad"]
    assert [n for n, _ in journal.turns(row)] == [1]
    assert journal.broken(row)
    assert journal.unfinished(Role.VERIFIER) == []


def test_side_records_and_evidence_are_kept_once_in_order(journal):
    row = start(journal)
    for sealed in (b"one", b"two", b"one"):
        journal.side(row, sealed)
    journal.evidence(row, turn(b"second hello").envelope)
    sides, evidence = journal.extras(row)
    assert sides == [b"one", b"two"]
    assert [e.payload for e in evidence] == [b"second hello"]
    assert journal.broken(row)


# -- damage


@pytest.mark.parametrize("content", [b"not a journal at all", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "a.journal"
    path.write_bytes(content)
    with pytest.raises(LocalError) as caught:
        Journal(path)
    assert caught.value.reason in {Reason.CORRUPT, Reason.CONFIG}
    assert str(path) in caught.value.message
    assert path.read_bytes() == content


def test_a_journal_that_cannot_be_made_is_refused_with_its_path(tmp_path):
    with pytest.raises(LocalError) as caught:
        Journal(tmp_path / "nowhere" / "a.journal")
    assert caught.value.reason is Reason.CONFIG
    assert "nowhere" in caught.value.message


def damage(path, statement, *values):
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute(statement, values).rowcount
        db.commit()


DAMAGE = {
    "a flipped byte of a signature": (
        (
            "UPDATE turn SET envelope = CAST(substr(envelope, 1, length(envelope) - 1) || x'00' AS BLOB)"
            " WHERE sequence = 5"
        ),
        "turn 5",
    ),
    "text in place of bytes": (
        "UPDATE turn SET envelope = CAST(x'c3c3e28099ff' AS TEXT) WHERE sequence = 5",
        "damaged (text where bytes belong)",
    ),
    "a cut envelope": ("UPDATE turn SET envelope = substr(envelope, 1, 20) WHERE sequence = 5", "turn 5"),
    "two turns exchanged": ("UPDATE turn SET sequence = 100 - sequence WHERE sequence > 5", "turn"),
    "a lost turn": ("DELETE FROM turn WHERE sequence = 5", "turn 6"),
    "a lost blob": (
        "DELETE FROM blob WHERE digest = (SELECT digest FROM turn_blob WHERE sequence = 8 LIMIT 1)",
        "content of turn 8",
    ),
    "a changed blob": (
        (
            "UPDATE blob SET data = CAST(data || x'00' AS BLOB) WHERE digest ="
            " (SELECT digest FROM turn_blob WHERE sequence = 8 LIMIT 1)"
        ),
        "content of turn 8",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_session_is_refused_with_the_turn_and_left_alone(finished, name):
    exercise, path, row = finished
    statement, place = DAMAGE[name]
    damage(path, statement)
    before = path.read_bytes()
    with pytest.raises(LocalError) as caught:
        exercise.prover_end(row=row)
    assert caught.value.reason is Reason.CORRUPT
    assert place in caught.value.message
    assert str(path) in caught.value.message
    assert path.read_bytes() == before


def test_a_journal_with_a_damaged_page_is_refused_and_left_alone(finished):
    exercise, path, row = finished
    raw = bytearray(path.read_bytes())
    for at in range(4096, len(raw), 4096):
        raw[at : at + 64] = b"\xa5" * 64
    path.write_bytes(raw)
    with pytest.raises(LocalError) as caught:
        exercise.prover_end(row=row)
    assert caught.value.reason is Reason.CORRUPT
    assert path.read_bytes() == bytes(raw)


# -- secrets


def test_no_representation_shows_a_secret():
    hidden = b"\xc3" * 32
    row = SessionRow(1, Role.PROVER, hidden, None, bytes(32), ended=False)
    for one in (Secret(hidden), row):
        for text in (repr(one), str(one), f"{one}", f"{one!r}", f"{[one]}"):
            assert "c3" not in text.lower().replace("\\x", "")
            assert "\\xc3" not in text


def test_no_error_of_a_journal_shows_a_secret(finished):
    exercise, path, row = finished
    damage(path, "DELETE FROM turn WHERE sequence = 5")
    with pytest.raises(LocalError) as caught:
        exercise.prover_end(row=row)
    shown = f"{caught.value!r} {caught.value} {caught.value.hint}"
    assert row.secret.hex() not in shown
    assert repr(row.secret)[2:20] not in shown
