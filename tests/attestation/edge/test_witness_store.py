import sqlite3

import pytest
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge import witness_store
from parley_attestation.edge.witness_store import WitnessStore
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.log.panel import check_consistent
from parley_attestation.log.witness import Event, read_cosignature, read_receipt
from witness_kit import EXERCISE, PROVER, T0, VERIFIER, head, position, request

KEY = SigningKey(b"w" * 32)


def ask(store, party, event, at, now=T0, deadline=0):
    asked = request(party, event, at, deadline)
    return store.cosign(asked, asked.sealed(party.key), now)


@pytest.fixture
def opened(tmp_path):
    stores = []

    def start(name="w.sqlite", key=KEY, witness="w1"):
        stores.append(WitnessStore(tmp_path / name, witness, key))
        return stores[-1]

    yield start
    for one in stores:
        one.close()


def test_an_answer_survives_a_restart_byte_for_byte(opened):
    store = opened()
    first = ask(store, PROVER, Event.ACCEPTED, position(4))
    store.close()
    assert ask(opened(), PROVER, Event.ACCEPTED, position(4), T0 + 9) == first


def test_two_processes_on_one_database_share_its_memory(opened):
    one, two = opened(), opened()
    first = ask(one, PROVER, Event.ACCEPTED, position(4))
    assert ask(two, VERIFIER, Event.ACCEPTED, position(4), T0 + 1) == first
    with pytest.raises(PeerError, check=lambda e: e.reason is Reason.EQUIVOCATION):
        ask(two, PROVER, Event.ACCEPTED, position(4, of=head(9)))


def test_a_refusal_leaves_nothing_behind(opened):
    store = opened()
    ask(store, PROVER, Event.ACCEPTED, position(4))
    with pytest.raises(PeerError):
        ask(store, PROVER, Event.END, position(3))
    sealed = ask(store, PROVER, Event.END, position(5))
    assert read_cosignature(sealed, KEY.public).number == 2


def test_a_failure_half_way_leaves_nothing_behind(opened, monkeypatch):
    store = opened()
    ask(store, PROVER, Event.ACCEPTED, position(4))
    asked = request(PROVER, Event.POSTED, position(5))
    with monkeypatch.context() as patch:
        patch.setattr(store, "_keep", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.cosign(asked, asked.sealed(PROVER.key), T0, object())
    assert len(store.exercise(EXERCISE)[0]) == 1
    sealed = ask(store, PROVER, Event.POSTED, position(5, of=head(9)))
    assert read_cosignature(sealed, KEY.public).number == 2


def test_numbers_run_over_registrations_and_cosignatures_alike(opened):
    store = opened()
    ask(store, PROVER, Event.ACCEPTED, position(4))
    receipt = store.register(head(1), T0)
    assert read_receipt(receipt, KEY.public).number == 2
    assert store.register(head(1), T0 + 50) == receipt == store.receipt(head(1))
    assert store.receipt(head(2)) is None
    assert read_cosignature(ask(store, PROVER, Event.END, position(5)), KEY.public).number == 3


def test_a_time_given_out_for_one_exercise_binds_all_that_follows(opened):
    store = opened()
    store.register(head(1), T0 + 10)
    with pytest.raises(LocalError, check=lambda e: e.reason is Reason.CLOCK):
        ask(store, PROVER, Event.ACCEPTED, position(4), T0 + 9)


@pytest.mark.parametrize(("key", "name"), [(SigningKey(b"x" * 32), "w1"), (KEY, "w2")])
def test_a_database_serves_one_witness_only(opened, key, name):
    opened().close()
    with pytest.raises(LocalError, check=lambda e: e.reason is Reason.CONFIG):
        opened(key=key, witness=name)


def test_a_file_that_is_no_database_is_refused(opened, tmp_path):
    (tmp_path / "w.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 10)
    with pytest.raises(LocalError, check=lambda e: e.reason is Reason.CORRUPT):
        opened()


def test_a_look_up_shows_an_exercise_page_by_page(opened, monkeypatch):
    monkeypatch.setattr(witness_store, "MAX_SHOWN", 2)
    store = opened()
    ask(store, PROVER, Event.ACCEPTED, position(4))
    for sequence in (5, 6):
        ask(store, VERIFIER, Event.POSTED, position(sequence))
    page, more = store.exercise(EXERCISE)
    assert (len(page), more) == (2, True)
    page, more = store.exercise(EXERCISE, 3)
    assert [read_cosignature(s, KEY.public).position.sequence for s in page] == [6]
    assert not more
    assert store.exercise(Digest(bytes(32))) == ([], False)


def test_a_witness_put_back_to_a_backup_is_caught_by_anyone_who_holds_both_answers(opened, tmp_path):
    store = opened()
    ask(store, PROVER, Event.ACCEPTED, position(4))
    with sqlite3.connect(tmp_path / "backup.sqlite") as backup:
        store._db.backup(backup)
    backup.close()
    first = ask(store, PROVER, Event.END, position(9))
    restored = opened("backup.sqlite")
    second = ask(restored, PROVER, Event.END, position(9, of=head(99)), T0 + 60)
    with pytest.raises(PeerError, check=lambda e: e.reason is Reason.EQUIVOCATION) as caught:
        check_consistent(KEY.public, first, second)
    assert caught.value.blamed is Role.WITNESS


def test_a_store_writes_through_to_the_disk_before_it_signs(opened):
    store = opened()
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
