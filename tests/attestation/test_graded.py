import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parley_attestation.errors import PeerError, Reason
from parley_attestation.frametest import MAX_BUDGET, Decision
from parley_attestation.graded import (
    BETS,
    ONE,
    GradedPlan,
    GradedProcess,
    GradedTest,
    require_decidable,
    total_low,
)

FIVE = Fraction(1, 20)


def graded_test(plan, scores):
    """The decision over scores in ticket order, None while open, and the units it took."""
    test = GradedTest(plan)
    for score in scores[: plan.budget]:
        if test.observe(score) is not None:
            break
    return test.decision, test.n


def plan(size=200, top=10, threshold=1000, alpha_c=FIVE, alpha_v=FIVE, budget=None):
    return GradedPlan(size, top, threshold, alpha_c, alpha_v, budget or size)


def exact_products(size, null, scores):
    products, total = [Fraction(1)] * len(BETS), 0
    for j, x in enumerate(scores, 1):
        room = null - total
        for n, c in enumerate(Fraction(b, 32) for b in BETS):
            products[n] *= (1 - c) + (c * x * (size - j + 1) / room if room > 0 else 0)
        total += x
    return products


@given(st.lists(st.integers(0, 8), max_size=30), st.integers(0, 200))
def test_fixed_point_never_exceeds_the_exact_product_and_stays_within_a_part_in_2_to_the_40(scores, null):
    process = GradedProcess(40, null)
    for n, score in enumerate(scores):
        if process.certain:
            scores = scores[:n]
            break
        process.push(score)
    for kept, true in zip(process.products, exact_products(40, null, scores), strict=True):
        assert kept <= true * ONE
        assert true * ONE - kept <= (true + 1) * 2**24 * 200


def test_the_expected_factor_is_one_at_the_null_total():
    scores = [0, 1, 3, 4]
    for c in BETS:
        products = []
        for score in scores:
            process = GradedProcess(4, sum(scores))
            process.push(score)
            products.append(process.products[BETS.index(c)])
        assert ONE - 4 <= sum(products) / 4 <= ONE


@pytest.mark.parametrize(
    ("score", "decision"), [(9, Decision.COMPLIANT), (1, Decision.VIOLATION), (5, Decision.COMPLIANT)]
)
def test_steady_scores_decide(score, decision):
    found, n = graded_test(plan(), [score] * 200)
    assert found is decision
    assert n < 40 or score == 5  # a total exactly at the threshold takes the last unit
    assert n == 200 or score != 5


def test_a_total_one_below_the_threshold_is_a_certain_violation_at_the_end():
    found, n = graded_test(plan(), [5] * 199 + [4])
    assert (found, n) == (Decision.VIOLATION, 200)


def test_budget_and_open_path():
    assert graded_test(plan(budget=3), [5] * 3) == (Decision.INCONCLUSIVE, 3)
    assert graded_test(plan(), [5] * 3) == (None, 3)


def test_the_risk_is_kept_at_the_null_total():
    rng = random.Random(5)
    scores = [rng.randint(0, 10) for _ in range(60)]
    threshold = sum(scores) + 1
    false = 0
    for _ in range(400):
        rng.shuffle(scores)
        false += graded_test(plan(60, 10, threshold), scores)[0] is Decision.COMPLIANT
    assert false <= 400 * 0.05 + 3 * (400 * 0.05 * 0.95) ** 0.5


@pytest.mark.parametrize("score", [-1, 11])
def test_a_score_out_of_range_is_refused(score):
    with pytest.raises(PeerError) as caught:
        graded_test(plan(), [score])
    assert caught.value.reason is Reason.OVER_CAP


@pytest.mark.parametrize(
    "change",
    [
        {"top": 0},
        {"top": (1 << 32) + 1},
        {"threshold": 0},
        {"threshold": 2001},
        {"budget": 201},
        {"alpha_c": Fraction(0)},
        {"alpha_v": Fraction(2, 3)},
        {"size": 1 << 20, "budget": MAX_BUDGET + 1},
    ],
)
def test_a_plan_that_means_nothing_is_refused(change):
    with pytest.raises(PeerError) as caught:
        plan(**change)
    assert caught.value.reason is Reason.BAD_TERMS


def test_a_tie_crosses():
    process = GradedProcess(10, 100)
    process.products = [20 * ONE] * len(BETS)
    assert process.crosses(FIVE)
    process.products[0] -= 1
    assert not process.crosses(FIVE)


def test_bounds_hold_the_true_total_and_tighten_to_it_when_everything_is_open():
    dice = random.Random(5)
    missed = 0
    for _ in range(200):
        scores = [dice.choice((0, 3, 7, 10)) for _ in range(60)]
        test = GradedTest(plan(60, 10, 300, alpha_v=Fraction(1, 20)))
        for score in scores:
            if test.observe(score) is not None:
                break
        found = test.result()
        missed += not found.total_low <= sum(scores) <= found.total_high
        assert found.total_low <= 300 - 1 or found.decision is not Decision.VIOLATION
    assert missed <= 20  # two bounds at 5 % each
    whole = plan(60, 10, 300)
    assert total_low(whole, FIVE, scores) == sum(scores), "all units are open: nothing is left to doubt"


def test_a_p_value_is_the_best_of_the_path_and_zero_when_certain():
    process = GradedProcess(10, 20)
    for score in (5, 5, 0, 0):
        process.push(score)
    best = GradedProcess(10, 20)
    best.push(5)
    best.push(5)
    assert process.p_value() == best.p_value() < 1
    for score in (5, 6):
        process.push(score)
    assert process.certain
    assert process.p_value() == 0


def test_an_unanswered_unit_counts_for_neither_side():
    one = plan(20, 10, 100, alpha_v=FIVE)
    silent, worst = GradedTest(one), GradedTest(one)
    for _ in range(19):
        silent.observe(None)
        worst.observe(0)
        if worst.decision:
            break
    assert (worst.decision, silent.decision, silent.total) == (Decision.VIOLATION, None, 0)
    with pytest.raises(PeerError) as caught:
        worst.observe(0)
    assert caught.value.reason is Reason.OVER_BUDGET


def test_a_plan_that_no_scores_decide_is_refused():
    require_decidable(plan(budget=60))
    with pytest.raises(PeerError, match="cannot lead to any verdict"):
        require_decidable(plan(budget=2))
