import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parley_attestation.errors import PeerError
from parley_attestation.frametest import Decision, FramePlan, FrameTest
from parley_attestation.profile import (
    agreement,
    holm,
    holm_adjusted,
    p_violation_over,
    panel_risk,
    profile_verdict,
)

C, V, INC = Decision
DATA = Path(__file__).parents[1] / "data" / "stats" / "tests_exact.json"
ONE = Fraction(1, 100)


def test_holm_gives_the_published_adjusted_p_values():
    case = json.loads(DATA.read_text())["holm"]
    found = sorted(holm_adjusted([Fraction(p) for p in case["p"]]))
    assert [float(p) for p in found] == pytest.approx(case["adjusted_sorted"], rel=1e-11)


@given(st.lists(st.fractions(0, 1, max_denominator=200), min_size=1, max_size=6))
def test_holm_equals_the_step_down_procedure(p_values):
    alpha, left, rejected = Fraction(1, 20), list(range(len(p_values))), set()
    while left:
        least = min(left, key=lambda n: p_values[n])
        if p_values[least] * len(left) > alpha:
            break
        rejected.add(least)
        left.remove(least)
    assert set(holm(p_values, alpha)) == rejected


@pytest.mark.parametrize(
    ("decisions", "p_values", "decision", "accused"),
    [
        ([C, C], [1, 1], C, ()),
        ([C, INC], [1, 1], INC, ()),
        ([C, V], [1, Fraction(1, 200)], V, (1,)),
        ([C, V], [1, Fraction(1, 199)], INC, ()),  # significant alone, not after correction for two
        ([V, V], [Fraction(1, 100), Fraction(1, 200)], V, (0, 1)),
        ([INC, V], [Fraction(1, 2), Fraction(0)], V, (1,)),
        ([C, C], [Fraction(0), 1], INC, (0,)),  # both directions at once
    ],
)
def test_a_profile_needs_every_claim_for_compliant_and_a_corrected_accusation_for_violation(
    decisions, p_values, decision, accused
):
    found = profile_verdict(decisions, [Fraction(p) for p in p_values], ONE)
    assert (found.decision, found.accused) == (decision, accused)


@pytest.mark.parametrize(("decisions", "p_values"), [([], []), ([C], [])])
def test_an_empty_or_lopsided_profile_is_refused(decisions, p_values):
    with pytest.raises(PeerError):
        profile_verdict(decisions, p_values, ONE)


def test_the_p_value_goes_on_falling_after_the_claims_own_decision():
    plan = FramePlan(100, 80, None, ONE, Fraction(1, 20), 100)
    test = FrameTest(plan)
    units = [False] * 8 + [None]
    stopped = next(n for n, unit in enumerate(units, 1) if test.observe(unit))
    at_stop = p_violation_over(100, 80, units[:stopped])
    assert at_stop == test.result().p_violation <= Fraction(1, 20)
    assert p_violation_over(100, 80, units) < at_stop
    assert p_violation_over(100, 80, [False] * 30) == 0


@pytest.mark.parametrize(("evaluators", "needed", "per_100_000"), [(3, 2, 725), (5, 3, 116), (2, 2, 250)])
def test_panels_err_as_rarely_as_the_table_says(evaluators, needed, per_100_000):
    assert round(panel_risk(evaluators, needed, Fraction(1, 20)) * 100_000) == per_100_000


@pytest.mark.parametrize(
    ("decisions", "agreed"),
    [([C, C, INC], C), ([V, INC, V], V), ([C, C, V], None), ([C, INC, INC], None), ([INC] * 3, None)],
)
def test_a_panel_agrees_where_enough_say_so_and_nobody_the_opposite(decisions, agreed):
    found = agreement(decisions, 2)
    assert found.agreed is agreed
    assert sum(count for _, count in found.counts) == 3
