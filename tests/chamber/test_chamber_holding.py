"""Sessions that a chamber holds: which one makes room, and that its ciphertext goes with it."""

from types import SimpleNamespace

import pytest
from kit import seed
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason, Role
from parley_chamber.holding import PATIENCE, Sessions
from parley_chamber.sessions import ChamberSession, forget_uploads

ONE, TWO = Digest(seed("one party")), Digest(seed("another"))
TURN = 100


class Session:
    def __init__(self):
        self.discarded = False

    def discard(self):
        self.discarded = True


class Place:
    """Room for two sessions, under a clock that a test sets."""

    def __init__(self):
        self.now = 0.0
        self.sessions = Sessions(2, lambda: self.now)

    def open(self, name, exercise=None, verifier=TWO):
        facts = SimpleNamespace(
            session_id=Digest(seed(name)),
            exercise=Digest(seed("exercise", exercise or name)),
            terms=SimpleNamespace(turn_seconds=TURN, answer_seconds=1),
            histories={
                Role.PROVER: SimpleNamespace(owner=ONE),
                Role.VERIFIER: SimpleNamespace(owner=verifier),
            },
        )
        return self.sessions.open(SimpleNamespace(facts=facts), Session)

    def use(self, name, party=ONE):
        return self.sessions.using(Digest(seed(name)), party)


def refused(reason, call):
    with pytest.raises(PeerError) as caught:
        call()
    assert caught.value.reason is reason


@pytest.fixture(name="place")
def _place():
    made = Place()
    made.first, made.second = made.open("first"), made.open("second")
    return made


def test_a_session_is_opened_once_and_used_by_its_parties_alone(place):
    assert place.open("first") is place.first
    for party in (ONE, TWO):
        with place.use("first", party) as held:
            assert held is place.first
    for name, party in (("first", Digest(seed("stranger"))), ("third", ONE)):
        refused(Reason.WRONG_SESSION, place.use(name, party).__enter__)


def test_nobody_gets_the_place_of_a_session_that_is_still_wanted(place):
    place.now = PATIENCE * TURN
    refused(Reason.SESSION_LIMIT, lambda: place.open("third"))
    assert not place.first.session.discarded


def test_a_session_that_nobody_calls_for_makes_room_and_its_uploads_go(place):
    place.now = 50
    with place.use("first"):
        pass
    place.now = PATIENCE * TURN + 1
    place.open("third")
    assert (place.first.session.discarded, place.second.session.discarded) == (False, True)
    refused(Reason.WRONG_SESSION, place.use("second").__enter__)
    refused(Reason.SESSION_LIMIT, lambda: place.open("fourth"))


def test_a_session_whose_outcome_is_there_goes_first(place):
    place.second.receipt = b"outcome"
    place.now = PATIENCE * TURN + 1
    place.open("third")
    assert (place.first.session.discarded, place.second.session.discarded) == (False, True)


def test_an_attempt_takes_the_place_of_the_one_that_it_continues(place):
    place.open("again", exercise="second")
    assert (place.first.session.discarded, place.second.session.discarded) == (False, True)


def test_a_session_that_is_in_use_stays(place):
    place.now = PATIENCE * TURN + 1
    with place.use("first"), place.use("second"):
        place.first.touched = place.second.touched = 0
        refused(Reason.SESSION_LIMIT, lambda: place.open("third"))


def test_nobody_gets_hold_of_the_session_that_makes_room_while_another_begins(place):
    """Else its run would begin first, and every session would wait for that run's end."""
    place.second.receipt = b"outcome"
    taken = []

    def begins():
        taken.append(place.second.lock.acquire(blocking=False))
        if taken[0]:
            place.second.lock.release()
        return Session()

    place.sessions.open, opened = lambda machine, _: opened(machine, begins), place.sessions.open
    place.open("third")
    assert taken == [False]
    assert place.second.session.discarded


def test_another_pair_of_parties_takes_no_place_and_pushes_nobody_out(place):
    """A prover's other verifier could else hold every place, or push out outcomes that were not fetched yet."""
    place.second.receipt = b"outcome"
    place.now = PATIENCE * TURN + 1
    other = Digest(seed("other verifier"))
    third, fourth = (place.open(name, verifier=other) for name in ("third", "fourth"))
    assert (place.first.session.discarded, place.second.session.discarded) == (False, False)
    refused(Reason.SESSION_LIMIT, lambda: place.open("fifth", verifier=other))
    place.open("sixth")
    assert (place.second.session.discarded, third.session.discarded) == (True, False)
    assert not fourth.session.discarded


def test_what_was_found_before_it_went_is_not_used_after(place):
    held = place.use("first")
    place.first.gone = True
    refused(Reason.WRONG_SESSION, held.__enter__)


def test_where_a_session_cannot_begin_none_goes_for_it(place):
    place.second.receipt = b"outcome"

    def fails():
        raise PeerError(Reason.BAD_ATTEMPT, "hidden")

    place.sessions.open, opened = lambda machine, _: opened(machine, fails), place.sessions.open
    refused(Reason.BAD_ATTEMPT, lambda: place.open("third"))
    assert not place.second.session.discarded
    with place.use("second") as held:
        assert held is place.second


def test_uploads_go_and_results_stay(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for name in ("prover", "verifier", "results"):
            (tmp_path / folder / f"{name}.sealed").write_bytes(b"sealed")
    ChamberSession.discard(_at(tmp_path / "a"))
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["results.sealed"]
    ChamberSession.discard(_at(tmp_path / "a"))
    forget_uploads(tmp_path)
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["results.sealed"]


def _at(folder):
    return SimpleNamespace(_folder=folder)
