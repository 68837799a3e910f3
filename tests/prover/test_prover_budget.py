"""The disclosure budget: what one counterparty may draw, to the last answer and byte, over all exercises."""

import sqlite3

import pytest
from parley_attestation.errors import PeerError, Reason
from parley_prover.budget import DisclosureBudget, Limits


@pytest.fixture
def db():
    connection = sqlite3.connect(":memory:")
    yield connection
    connection.close()


def budget(db, answers=10, size=100, peer=b"peer"):
    return DisclosureBudget(db, peer, Limits(answers, size))


def refused(call, *args):
    with pytest.raises(PeerError) as caught:
        call(*args)
    assert caught.value.reason is Reason.BUDGET_EXHAUSTED


def test_the_whole_budget_can_be_reserved_and_no_answer_more(db):
    own = budget(db)
    own.reserve(db, b"one", 10)
    assert own.left() == (0, 100)
    refused(own.reserve, db, b"two", 1)
    refused(budget(db, peer=b"other").reserve, db, b"one", 11)


def test_the_whole_budget_can_be_drawn_and_neither_an_answer_nor_a_byte_more(db):
    own = budget(db)
    own.reserve(db, b"one", 10)
    own.debit(db, b"one", 9, 99)
    own.debit(db, b"one", 1, 1)
    assert own.left() == (0, 0)
    refused(own.debit, db, b"one", 1, 0)
    other = budget(db, peer=b"other")
    other.reserve(db, b"two", 5)
    other.debit(db, b"two", 1, 100)
    refused(other.debit, db, b"two", 1, 1)


def test_nothing_is_reserved_where_no_byte_is_left(db):
    own = budget(db)
    own.reserve(db, b"one", 1)
    own.debit(db, b"one", 1, 100)
    own.close(db, b"one")
    assert own.left() == (9, 0)
    refused(own.reserve, db, b"two", 1)


def test_an_ended_exercise_gives_back_what_it_did_not_use(db):
    own = budget(db)
    own.reserve(db, b"one", 10)
    own.debit(db, b"one", 3, 30)
    own.close(db, b"one")
    assert own.left() == (7, 70)


def test_a_later_attempt_goes_on_with_what_the_first_reserved(db):
    own = budget(db)
    own.reserve(db, b"one", 10)
    own.debit(db, b"one", 3, 30)
    own.close(db, b"one")
    own.reserve(db, b"one", 10)
    assert own.left() == (0, 70)


def test_each_counterparty_has_a_budget_of_its_own(db):
    first, second = budget(db, peer=b"a"), budget(db, peer=b"b")
    first.reserve(db, b"one", 10)
    second.reserve(db, b"one", 10)
    first.debit(db, b"one", 1, 1)
    assert first.left() == (0, 99)
    assert second.left() == (0, 100)


def test_the_budget_is_read_through_the_transaction_that_asks(db):
    own = budget(db)
    own.reserve(db, b"one", 4)
    assert own.left(db) == own.left() == (6, 100)
