"""What ended sessions leave at a chamber: sealed results, for a stated time and of so many sessions, and no more."""

import os
import time

import pytest
from chamber_kit import boxed
from kit import pipe, seed
from parley_attestation.encoding import Nonce
from parley_attestation.errors import PeerError, Reason
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.session.tables import State
from parley_chamber.ledger import RunLedger
from parley_chamber.retention import DAY, Retention
from test_chamber_service import Place

NOW = 1_700_000_000
RULES = SealedTerms(hand_over=True)


def waiting(folder, name, days):
    """Results that were written so many days ago."""
    path = folder / seed(name).hex() / "results.sealed"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"sealed")
    os.utime(path, (NOW - days * DAY,) * 2)
    return path


def left(folder):
    return {path.relative_to(folder).parts[-1] for path in folder.rglob("*")}


def test_results_wait_for_the_stated_time_and_go_with_their_folder(tmp_path):
    old, new = waiting(tmp_path, "old", 31), waiting(tmp_path, "new", 29)
    (tmp_path / "runs").write_bytes(b"the ledger")
    assert Retention().apply(tmp_path, NOW) == 1
    assert (old.parent.exists(), new.exists()) == (False, True)
    assert (tmp_path / "runs").read_bytes() == b"the ledger"


def test_of_more_sessions_than_are_kept_the_oldest_go(tmp_path):
    paths = [waiting(tmp_path, f"number {days}", days) for days in (3, 1, 2, 4)]
    assert Retention(most=2).apply(tmp_path, NOW) == 2
    assert [path.exists() for path in paths] == [False, True, True, False]


def test_a_folder_in_which_something_else_lies_stays(tmp_path):
    old = waiting(tmp_path, "old", 31)
    (old.parent / "prover.sealed").write_bytes(b"an upload")
    Retention().apply(tmp_path, NOW)
    assert left(old.parent) == {"prover.sealed"}


def run(place, name, **rules):
    """One exercise of the same set and model, whatever was run before; both ends."""
    exercise = place.exercise(sealed=SealedTerms(**rules), nonce=Nonce(seed("nonce", name)))
    v, p = exercise.ends(attempt=(name,))
    pipe(v, p)
    assert v.machine.state is State.FINISHED
    return v


@boxed
def test_a_session_without_results_leaves_nothing_but_its_row_in_the_ledger(place):
    run(place, "one")
    assert left(place.folder / "chamber") == {"runs"}
    assert RunLedger(place.folder / "chamber" / "runs").outcomes() == ["done"]


@boxed
def test_results_whose_time_is_over_go_when_a_session_begins_and_quotas_hold_all_the_same(place):
    home = place.folder / "chamber"
    first = run(place, "one", hand_over=True)
    link = first.policy._custody.links[0]
    assert left(home) == {"runs", first.machine.facts.session_id.hex(), "results.sealed"}, "no upload stays"
    assert link.results(first.machine)
    (results,) = home.rglob("results.sealed")
    os.utime(results, (time.time() - 31 * DAY,) * 2)
    second = run(place, "two", hand_over=True)
    (refused,) = second.machine.facts.verdict.predicate["chambers"]
    assert (refused["refused"], refused["run"]) == ("QUOTA_EXHAUSTED", 2)
    assert not results.parent.exists()
    with pytest.raises(PeerError) as caught:
        link.results(first.machine)
    assert caught.value.reason is Reason.WRONG_SESSION
    assert RunLedger(home / "runs").outcomes() == ["done", "QUOTA_EXHAUSTED"]


@boxed
def test_a_chamber_that_starts_removes_results_whose_time_is_over_and_folders_with_nothing_in_them(tmp_path):
    home = tmp_path / "chamber"
    old, new = waiting(home, "old", 0), waiting(home, "new", 0)
    os.utime(new, (time.time(),) * 2)
    (home / seed("empty").hex()).mkdir()
    made = Place(tmp_path)
    assert not old.parent.exists()
    assert left(home) == {"runs", new.parent.name, "results.sealed"}
    made.server.stop(None).wait()
