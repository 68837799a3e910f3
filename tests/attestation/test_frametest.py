from fractions import Fraction
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parley_attestation.errors import PeerError, Reason
from parley_attestation.frametest import (
    CERTAIN,
    MAX_BUDGET,
    Decision,
    FramePlan,
    FrameTest,
    OneSided,
    count_low,
    earliest,
    require_decidable,
    threshold_count,
)

FIVE = Fraction(1, 20)
ONE = Fraction(1, 100)


def plan(frame=40, threshold=32, declared=None, alpha_c=FIVE, alpha_v=FIVE, budget=None):
    return FramePlan(frame, threshold, declared, alpha_c, alpha_v, frame if budget is None else budget)


def run(one, units):
    test = FrameTest(one)
    for unit in units:
        if test.observe(unit):
            break
    return test


def brute_e(frame, null, declared, s, f):
    """The specification's formula as a plain sum, without the closed form or the recurrence."""
    if s > null:
        return CERTAIN
    under = comb(null, s) * comb(frame - null, f)
    if under == 0:
        return Fraction(0)
    mean = Fraction(sum(comb(k, s) * comb(frame - k, f) for k in range(null + 1, frame + 1)), frame - null)
    if declared is None:
        return mean / under
    count = max(declared, null)
    return (Fraction(comb(count, s) * comb(frame - count, f)) + mean) / (2 * under)


@st.composite
def frames(draw):
    frame = draw(st.integers(1, 40))
    null = draw(st.integers(0, frame - 1))
    declared = draw(st.none() | st.integers(0, frame))
    return frame, null, declared, draw(st.lists(st.booleans(), max_size=frame))


@given(frames())
@settings(max_examples=300)
def test_the_recurrence_equals_the_plain_sum_at_every_unit(case):
    frame, null, declared, units = case
    test = OneSided(frame, null, declared)
    assert test.e_value() == 1
    best = Fraction(1)
    for n, unit in enumerate(units, 1):
        test.push(unit)
        s = sum(units[:n])
        e = brute_e(frame, null, declared, s, n - s)
        assert test.e_value() == e
        if e is CERTAIN:
            assert test.p_value() == 0
            assert test.crosses(Fraction(1, 10**9))
            break
        best = max(best, e)
        assert test.p_value() == 1 / best
        assert test.crosses(FIVE) == (e >= 20)


@given(frames())
def test_the_closed_form_of_the_specification_equals_the_plain_sum(case):
    frame, null, _, units = case
    n, s = len(units), sum(units)
    plain = sum(comb(k, s) * comb(frame - k, n - s) for k in range(null + 1, frame + 1))
    assert plain == sum(comb(null + 1, j) * comb(frame - null, n + 1 - j) for j in range(s + 1))


def brute_decide(one, units):
    confirmed = refuted = 0
    for n, unit in enumerate(units, 1):
        confirmed += unit is True
        refuted += unit is False
        met = brute_e(one.frame, one.threshold - 1, one.declared, confirmed, n - confirmed)
        missed = brute_e(one.frame, one.frame - one.threshold, None, refuted, n - refuted)
        meets = met is CERTAIN or met * one.alpha_compliant >= 1
        misses = missed is CERTAIN or missed * one.alpha_violation >= 1
        if meets and misses:
            return Decision.INCONCLUSIVE, n
        if meets or misses:
            return (Decision.COMPLIANT if meets else Decision.VIOLATION), n
        if n == one.budget:
            return Decision.INCONCLUSIVE, n
    return None, len(units)


@st.composite
def audits(draw):
    frame = draw(st.integers(1, 30))
    threshold = draw(st.integers(1, frame))
    alphas = st.fractions(Fraction(1, 1000), Fraction(1, 2), max_denominator=1000)
    one = FramePlan(
        frame,
        threshold,
        draw(st.none() | st.integers(threshold, frame)),
        draw(alphas),
        draw(alphas),
        draw(st.integers(1, frame)),
    )
    return one, draw(st.lists(st.sampled_from([True, False, None]), min_size=frame, max_size=frame))


@given(audits())
@settings(max_examples=300)
def test_decisions_equal_those_of_the_plain_sum(case):
    one, units = case
    test = run(one, units)
    assert (test.decision, test.n) == brute_decide(one, units)


@given(audits())
@settings(max_examples=100)
def test_the_count_bounds_are_those_of_a_scan_over_every_count(case):
    one, units = case
    result = run(one, units).result()
    units = units[: result.opened]
    assert result.count_low == scan(one.frame, one.declared, one.alpha_compliant, [u is True for u in units])
    assert result.count_high == one.frame - scan(
        one.frame, None, one.alpha_violation, [u is False for u in units]
    )
    if result.decision is Decision.COMPLIANT:
        assert result.count_low >= one.threshold
    if result.decision is Decision.VIOLATION:
        assert result.count_high < one.threshold


def scan(frame, declared, alpha, path):
    for null in range(frame):
        s = 0
        for n, unit in enumerate(path, 1):
            s += unit
            e = brute_e(frame, null, declared, s, n - s)
            if e is CERTAIN or e * alpha >= 1:
                break
        else:
            return null
    return frame


def test_the_count_bound_is_the_frame_when_every_unit_is_a_success():
    assert count_low(10, None, FIVE, [True] * 10) == 10
    assert count_low(10, None, FIVE, []) == 0


# All-success paths on which E is exactly 20 (found by exact enumeration over frames below 200).
TIES = [
    (38, 1, None, 1),
    (51, 14, None, 3),
    (104, 15, None, 2),
    (26, 1, 26, 1),
    (105, 4, 105, 1),
    (184, 7, 184, 1),
]


@pytest.mark.parametrize(("frame", "null", "declared", "n"), TIES)
def test_a_tie_counts_as_crossing(frame, null, declared, n):
    test = run(plan(frame, null + 1, declared), [True] * n)
    assert test.result().e_compliant == 20
    assert (test.decision, test.crossed_at) == (Decision.COMPLIANT, n)
    below = run(plan(frame, null + 1, declared, alpha_c=Fraction(10**9 - 1, 20 * 10**9)), [True] * n)
    assert below.decision is None


def test_opening_everything_is_certain_in_both_directions():
    tiny = Fraction(1, 10**12)
    met = run(plan(10, 8, alpha_c=tiny, alpha_v=tiny), [False, False] + [True] * 8)
    assert (met.decision, met.n) == (Decision.COMPLIANT, 10)
    assert met.result().e_compliant is CERTAIN
    missed = run(plan(10, 8, alpha_c=tiny, alpha_v=tiny), [True] * 7 + [False] * 3)
    assert (missed.decision, missed.n) == (Decision.VIOLATION, 10)
    assert missed.result().e_violation is CERTAIN
    assert missed.result().p_violation == 0


def test_the_certain_verdict_falls_on_the_first_unit_that_settles_the_count():
    tiny = Fraction(1, 10**12)
    test = run(plan(10, 8, alpha_c=tiny, alpha_v=tiny), [False] * 3 + [True] * 7)
    assert (test.decision, test.n) == (Decision.VIOLATION, 3)


def test_both_crossing_at_once_is_inconclusive():
    test = FrameTest(plan(2, 1, alpha_c=Fraction(1, 2), alpha_v=Fraction(1, 2)))
    test._violation = OneSided(2, 0, None)
    test._violation.push(success=True)
    assert test.observe(success=True) is Decision.INCONCLUSIVE
    assert test.crossed_at == 1


def test_the_budget_ends_in_inconclusive_without_a_crossing():
    test = run(plan(1000, 800, 850, budget=10), [True, False] * 5)
    assert (test.decision, test.n, test.crossed_at) == (Decision.INCONCLUSIVE, 10, None)


def test_a_unit_after_the_decision_is_refused():
    test = run(plan(1000, 800, budget=1), [True])
    with pytest.raises(PeerError) as caught:
        test.observe(success=True)
    assert caught.value.reason is Reason.OVER_BUDGET
    assert test.n == 1


def test_a_unit_that_cannot_be_opened_counts_against_each_test():
    opened = run(plan(10, 5), [None] * 10)
    assert (opened.decision, opened.successes, opened.failures) == (Decision.INCONCLUSIVE, 0, 0)
    result = opened.result()
    assert result.e_compliant == 0
    assert result.e_violation == 0
    assert (result.count_low, result.count_high) == (0, 10)


def test_an_open_test_has_a_result_without_a_decision():
    result = run(plan(), [True, True]).result()
    assert (result.decision, result.crossed_at, result.opened) == (None, None, 2)
    assert result.p_compliant < 1
    assert result.p_violation == 1


@pytest.mark.parametrize(
    ("rate", "size", "at_most", "count"),
    [
        ((4, 5), 1003, False, 803),
        ((4, 5), 1000, False, 800),
        ((0, 1), 7, False, 0),
        ((1, 1), 7, False, 7),
        ((1, 100), 1003, True, 993),
        ((1, 100), 1000, True, 990),
        ((0, 1), 1000, True, 1000),
    ],
)
def test_thresholds_round_against_the_claim(rate, size, at_most, count):
    assert threshold_count(*rate, size, at_most=at_most) == count


@pytest.mark.parametrize("bad", [(3, 2, 10), (-1, 2, 10), (1, 0, 10), (1, -2, 10), (1, 2, 0)])
def test_a_rate_outside_0_to_1_is_refused(bad):
    with pytest.raises(PeerError) as caught:
        threshold_count(*bad, at_most=False)
    assert caught.value.reason is Reason.BAD_TERMS


@pytest.mark.parametrize(
    "change",
    [
        {"frame": 0, "threshold": 1},
        {"threshold": 0},
        {"threshold": 41},
        {"declared": 31},
        {"declared": 41},
        {"budget": 0},
        {"budget": 41},
        {"alpha_c": Fraction(0)},
        {"alpha_v": Fraction(0)},
        {"alpha_c": Fraction(51, 100)},
        {"alpha_v": Fraction(-1, 20)},
        {"alpha_c": 0.05},
        {"frame": 1 << 20, "budget": MAX_BUDGET + 1},
        {"frame": (1 << 32) + 1, "budget": 10},
    ],
)
def test_a_plan_that_means_nothing_is_refused(change):
    with pytest.raises(PeerError) as caught:
        plan(**change)
    assert caught.value.reason is Reason.BAD_TERMS


def test_the_earliest_verdicts_of_a_plan_are_found():
    soon = earliest(plan(1000, 800, 1000))
    assert soon.compliant == run(plan(1000, 800, 1000), [True] * 1000).n
    assert soon.violation == run(plan(1000, 800, 1000), [False] * 1000).n
    never = earliest(plan(1000, 800, 1000, alpha_c=ONE, alpha_v=ONE, budget=2))
    assert (never.compliant, never.violation) == (None, None)


def test_a_plan_that_cannot_reach_any_verdict_is_refused():
    with pytest.raises(PeerError) as caught:
        require_decidable(plan(1000, 800, 1000, alpha_c=ONE, alpha_v=ONE, budget=2))
    assert caught.value.reason is Reason.BAD_TERMS
    one_way = plan(1000, 800, 1000, alpha_c=ONE, alpha_v=ONE, budget=10)
    require_decidable(one_way)
    assert earliest(one_way).compliant is None
    assert earliest(one_way).violation is not None


def test_a_long_path_keeps_every_division_exact():
    test = OneSided(2000, 1599, 1640)
    for n in range(1, 900):
        test.push(n % 6 != 0)
    s = test.successes
    assert test.e_value() == brute_e(2000, 1599, 1640, s, 899 - s)
