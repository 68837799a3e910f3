import pytest
from log_kit import PUBLIC, MemoryStore, entry, grow, log_of
from parley_attestation import statement
from parley_attestation.edge.log_monitor import LogMonitor
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.keys import Revocation
from parley_attestation.log.monitor import Kind, alerts, follow
from parley_attestation.log.tiles import tile_path
from parley_attestation.log.witness import Event, Position
from parley_attestation.statement import Statement, Subject
from parley_attestation.terms import TERMS, exercise_id
from witness_kit import PROVER, STRANGER, T0, VERIFIER, head, witness

WITNESS = witness(50)


def refused(reason, kind=PeerError):
    return pytest.raises(kind, check=lambda e: e.reason is reason)


ROOT = head(1)


def terms(nonce, root=ROOT, verifier=VERIFIER):
    """As much of the terms as a monitor reads."""
    predicate = {
        "nonce": head(nonce).hex(),
        "parties": {"prover": PROVER.name.hex(), "verifier": verifier.name.hex()},
        "test_set": {"root": root.hex()},
        "witnesses": {"keys": [WITNESS.key.public.hex()], "threshold": 1, "unreachable": "pause"},
    }
    return Statement(TERMS, (Subject("test-set", root),), predicate)


def seal(said, party=VERIFIER):
    return statement.seal(said, party.key)


def place(said, sequence, attempt=1):
    return Position(exercise_id(said), attempt, head(attempt), sequence, head(10 * attempt + sequence))


def kinds(shown, logged=None, party=PROVER.name):
    return [a.kind for a in alerts(party, shown, digests(shown) if logged is None else logged)]


def digests(shown):
    return {statement.open_sealed(s, statement.signer(s)).digest() for s in shown}


def test_a_first_attempt_is_no_news():
    one = terms(1)
    assert kinds([seal(one), witness(50).ask(PROVER, Event.ACCEPTED, place(one, 4), T0)]) == []


def test_a_second_attempt_is_told_even_where_the_first_was_not_shown():
    one, w = terms(1), witness(50)
    first = w.ask(PROVER, Event.ACCEPTED, place(one, 4), T0)
    second = w.ask(PROVER, Event.ACCEPTED, place(one, 4, attempt=2), T0)
    assert kinds([seal(one), first, second]) == [Kind.RETRY]
    (alert,) = alerts(PROVER.name, [seal(one), second], digests([seal(one), second]))
    assert "has 2 attempts, 1 were shown" in alert.text


def test_a_timeout_claim_is_told():
    one, w = terms(1), witness(50)
    accepted = w.ask(PROVER, Event.ACCEPTED, place(one, 4), T0)
    claimed = w.ask(VERIFIER, Event.DEFAULT, place(one, 4), T0 + 60, 60)
    assert kinds([seal(one), accepted, claimed]) == [Kind.DEFAULT]


def test_what_a_stranger_signed_as_a_witness_counts_for_nothing():
    one, w = terms(1), witness(60)
    w.ask(PROVER, Event.ACCEPTED, place(one, 4), T0)
    second = w.ask(PROVER, Event.ACCEPTED, place(one, 4, attempt=2), T0)
    assert kinds([seal(one), second]) == []
    assert kinds([second]) == []


def test_exercises_of_others_are_not_the_partys_business():
    one, w = terms(1), witness(50)
    w.ask(PROVER, Event.ACCEPTED, place(one, 4), T0)
    shown = [seal(one), w.ask(PROVER, Event.ACCEPTED, place(one, 4, attempt=2), T0)]
    assert kinds(shown, party=STRANGER.name) == []
    assert kinds(shown, party=VERIFIER.name) == [Kind.RETRY]


def test_a_revocation_counts_where_the_partys_own_root_signed_it():
    real = Revocation(PROVER.root.public, PROVER.key.public, T0).sealed(PROVER.root)
    forged = Revocation(PROVER.root.public, PROVER.key.public, T0).sealed(STRANGER.root)
    assert kinds([real]) == [Kind.REVOCATION]
    assert kinds([forged]) == []
    assert kinds([real], party=VERIFIER.name) == []


def test_a_test_set_used_in_two_exercises_is_told():
    assert kinds([seal(terms(1)), seal(terms(2))]) == [Kind.REPEATED_TEST_SET]
    assert kinds([seal(terms(1)), seal(terms(2, head(2)))]) == []
    assert kinds([seal(terms(1)), seal(terms(1))]) == []


def test_a_statement_that_the_log_does_not_hold_is_told():
    assert kinds([seal(terms(1))], logged=frozenset()) == [Kind.NOT_LOGGED]


def test_a_broken_statement_is_refused():
    with refused(Reason.BAD_SIGNATURE):
        kinds([seal(terms(1)).replace(b'"sig":"', b'"sig":"AAAA', 1)[:-8] + b'"}]}'], logged=frozenset())


def test_a_log_that_grows_is_followed_entry_by_entry():
    store, raw = log_of(300)
    first, entries = follow(None, raw, PUBLIC, store.read)
    assert entries == tuple(entry(n) for n in range(300))
    second, entries = follow(first, grow(store, [entry(300)]), PUBLIC, store.read)
    assert (second.size, entries) == (301, (entry(300),))
    assert follow(second, store.read("checkpoint"), PUBLIC, store.read)[1] == ()


def test_a_log_that_forks_shrinks_or_hides_tiles_is_told():
    store, base = log_of(300)
    fork = store.copy()
    raw = grow(store, [entry(1000)])
    seen, _ = follow(None, raw, PUBLIC, store.read)
    with refused(Reason.EQUIVOCATION):
        follow(seen, grow(fork, [entry(2000)]), PUBLIC, fork.read)
    with refused(Reason.BAD_PROOF):  # files that fit each other and not the checkpoint
        follow(None, raw, PUBLIC, fork.read)
    with refused(Reason.BAD_PROOF):
        follow(seen, grow(fork, [entry(2001)]), PUBLIC, fork.read)
    with refused(Reason.BAD_CHECKPOINT):
        follow(seen, base, PUBLIC, store.read)
    with refused(Reason.BAD_PROOF):
        follow(None, raw, PUBLIC, MemoryStore({"checkpoint": raw}).read)
    changed = store.copy()
    changed.files[tile_path(0, 0)] = bytes(32) * 256
    with refused(Reason.BAD_PROOF):
        follow(None, raw, PUBLIC, changed.read)


def test_a_monitor_remembers_what_it_verified(tmp_path):
    store, _ = log_of(300)
    assert LogMonitor(tmp_path, PUBLIC).follow(store.read) == 300
    grow(store, [entry(300)])
    again = LogMonitor(tmp_path, PUBLIC)
    assert again.checkpoint.size == 300
    assert again.follow(store.read) == 1
    assert again.entries() == {entry(n) for n in range(301)}
    assert LogMonitor(tmp_path, PUBLIC).follow(store.read) == 0
    fork, _ = log_of(10)
    with refused(Reason.BAD_CHECKPOINT):
        LogMonitor(tmp_path, PUBLIC).follow(fork.read)


def test_a_monitor_killed_between_its_two_writes_starts_from_the_older_checkpoint(tmp_path):
    store, old = log_of(300)
    LogMonitor(tmp_path, PUBLIC).follow(store.read)
    grow(store, [entry(300)])
    LogMonitor(tmp_path, PUBLIC).follow(store.read)
    (tmp_path / "checkpoint").write_bytes(old)
    assert LogMonitor(tmp_path, PUBLIC).follow(store.read) == 1
    (tmp_path / "entries").write_bytes(b"")
    with refused(Reason.CORRUPT, LocalError):
        LogMonitor(tmp_path, PUBLIC)


def test_a_log_without_a_checkpoint_is_unreachable(tmp_path):
    with refused(Reason.UNREACHABLE, LocalError):
        LogMonitor(tmp_path, PUBLIC).follow(lambda _: None)
