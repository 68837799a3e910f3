import threading
from fractions import Fraction

import pytest
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, Reason
from parley_attestation.frametest import Decision
from parley_verifier.ledger import Exposure, SetLedger

ROOT, OTHER = Digest(b"r" * 32), Digest(b"o" * 32)
FIVE = Fraction(1, 20)


def exercise(n):
    return Digest(n.to_bytes(32, "big"))


@pytest.fixture
def ledger(tmp_path):
    with SetLedger(tmp_path / "sets.db") as one:
        one.register(ROOT, 10_000, Fraction(1, 4), Fraction(3, 100))
        yield one


def refusal(call, *arguments):
    with pytest.raises(LocalError) as caught:
        call(*arguments)
    return caught.value.reason


def test_alpha_is_charged_once_per_exercise_whatever_its_attempts(ledger):
    for _ in range(10):
        ledger.enter(ROOT, exercise(1), FIVE)
    assert ledger.status(ROOT).alpha_spent == FIVE
    assert ledger.enter(ROOT, exercise(2), FIVE).alpha_spent == 2 * FIVE


def test_a_set_whose_risks_add_up_to_the_cap_refuses_to_enter_terms(ledger):
    for n in range(5):
        ledger.enter(ROOT, exercise(n), FIVE)
    assert refusal(ledger.enter, ROOT, exercise(9), Fraction(1, 10**6)) is Reason.BUDGET_EXHAUSTED
    assert ledger.status(ROOT).alpha_spent == Fraction(1, 4)
    ledger.enter(ROOT, exercise(4), FIVE)  # an attempt more of an exercise already entered


def test_a_set_is_used_up_when_one_verdict_more_could_move_its_score_too_far(tmp_path):
    with SetLedger(tmp_path / "sets.db") as ledger:
        ledger.register(ROOT, 10_000, Fraction(100), Fraction(27, 1000))
        for n in range(9):  # nine verdicts are bounded by 0.0264, ten by 0.0271
            ledger.enter(ROOT, exercise(n), FIVE)
            ledger.issue(exercise(n), Decision.COMPLIANT)
        assert refusal(ledger.enter, ROOT, exercise(9), FIVE) is Reason.BUDGET_EXHAUSTED
        assert 0.025 < ledger.status(ROOT).leakage < 0.027


def test_a_retired_set_refuses_to_enter_terms_and_keeps_its_first_reason(ledger):
    ledger.retire(ROOT, "published")
    ledger.retire(ROOT, "old")
    assert ledger.status(ROOT).retired == "published"
    assert refusal(ledger.enter, ROOT, exercise(1), FIVE) is Reason.BUDGET_EXHAUSTED


def test_a_set_seen_as_a_whole_refuses_to_enter_terms(tmp_path):
    with SetLedger(tmp_path / "sets.db") as ledger:
        ledger.register(ROOT, 4, Fraction(1), Fraction(1))
        ledger.expose(ROOT, [0, 1, 2], Exposure.PROMPT_SEEN)
        ledger.enter(ROOT, exercise(1), FIVE)
        ledger.expose(ROOT, [3], Exposure.PUBLIC)
        assert refusal(ledger.enter, ROOT, exercise(2), FIVE) is Reason.BUDGET_EXHAUSTED


def test_exposure_only_rises_and_comes_back_as_runs(ledger):
    ledger.expose(ROOT, [5, 6, 7, 9], Exposure.PROMPT_SEEN)
    ledger.expose(ROOT, [6], Exposure.PUBLIC)
    ledger.expose(ROOT, [6, 7, 20], Exposure.RUN_SEALED)
    assert ledger.exposed(ROOT, Exposure.PROMPT_SEEN) == ((5, 3), (9, 1))
    assert ledger.exposed(ROOT, Exposure.PUBLIC) == ((6, 1),)
    assert ledger.status(ROOT).exposed == (9995, 1, 3, 1)


@pytest.mark.parametrize("item", [-1, 10_000])
def test_an_item_outside_the_set_is_refused_and_nothing_is_noted(ledger, item):
    assert refusal(ledger.expose, ROOT, [1, item], Exposure.PUBLIC) is Reason.CONFIG
    assert ledger.status(ROOT).exposed == (10_000, 0, 0, 0)


def test_a_verdict_is_noted_once(ledger):
    ledger.enter(ROOT, exercise(1), FIVE)
    assert ledger.status(ROOT).verdicts == 0
    for _ in range(2):
        ledger.issue(exercise(1), Decision.VIOLATION)
    assert ledger.status(ROOT).verdicts == 1
    assert refusal(ledger.issue, exercise(1), Decision.COMPLIANT) is Reason.CONFIG
    assert refusal(ledger.issue, exercise(2), Decision.COMPLIANT) is Reason.CONFIG


def test_numbers_that_change_are_refused(ledger):
    ledger.register(ROOT, 10_000, Fraction(1, 4), Fraction(3, 100))
    for size, cap in ((9999, Fraction(1, 4)), (10_000, Fraction(1, 2))):
        assert refusal(ledger.register, ROOT, size, cap, Fraction(3, 100)) is Reason.CONFIG
    ledger.enter(ROOT, exercise(1), FIVE)
    assert refusal(ledger.enter, ROOT, exercise(1), Fraction(1, 100)) is Reason.CONFIG


def test_an_unknown_set_is_refused(ledger):
    assert refusal(ledger.status, OTHER) is Reason.CONFIG
    assert refusal(ledger.enter, OTHER, exercise(1), FIVE) is Reason.CONFIG
    assert refusal(ledger.retire, OTHER, "x") is Reason.CONFIG


def test_the_ledger_survives_closing_and_is_shared_by_two_writers(tmp_path):
    path = tmp_path / "sets.db"
    with SetLedger(path) as one:
        one.register(ROOT, 10_000, Fraction(1), Fraction(1))

    def write(first):
        with SetLedger(path) as mine:
            for n in range(first, first + 20):
                mine.enter(ROOT, exercise(n), FIVE / 10)

    writers = [threading.Thread(target=write, args=(first,)) for first in (0, 100)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    with SetLedger(path) as ledger:
        assert ledger.status(ROOT).alpha_spent == 40 * FIVE / 10


def test_a_file_that_is_no_ledger_is_refused(tmp_path):
    path = tmp_path / "sets.db"
    path.write_bytes(b"not a database, and long enough to be read as one" * 100)
    assert refusal(SetLedger, path) is Reason.CORRUPT


def test_a_write_that_fails_leaves_nothing_behind(ledger):
    def half_done():
        with ledger._transaction():
            ledger._db.execute("UPDATE sets SET retired = 'half done'")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half_done()
    assert ledger.status(ROOT).retired is None
    ledger.enter(ROOT, exercise(1), FIVE)


def test_risks_of_a_false_violation_are_summed_apart_and_use_a_set_up_as_well(ledger):
    for n in range(2):
        ledger.enter(ROOT, exercise(n), FIVE / 5, Fraction(1, 10))
    status = ledger.status(ROOT)
    assert (status.alpha_spent, status.violation_spent) == (FIVE / 5 * 2, Fraction(1, 5))
    assert refusal(ledger.enter, ROOT, exercise(3), FIVE / 5, Fraction(1, 10)) is Reason.BUDGET_EXHAUSTED
    assert refusal(ledger.enter, ROOT, exercise(1), FIVE / 5, FIVE) is Reason.CONFIG
