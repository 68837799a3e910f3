from fractions import Fraction

import pytest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.strata import composite_low, stratum_plans

ALPHAS = (Fraction(1, 20), Fraction(1, 100))


def test_every_stratum_has_its_own_frame_threshold_and_budget():
    plans = stratum_plans(
        {"law": 1003, "code": 10}, Fraction(4, 5), ALPHAS, {"law": 300, "code": 10}, at_most=False
    )
    assert [(p.frame, p.threshold, p.budget) for p in plans.values()] == [(1003, 803, 300), (10, 8, 10)]
    harm = stratum_plans({"law": 150}, Fraction(1, 100), ALPHAS, {"law": 150}, at_most=True)
    assert harm["law"].threshold == 149


@pytest.mark.parametrize("budgets", [{}, {"law": 1, "code": 1}, {"law": 11}])
def test_budgets_that_do_not_fit_are_refused(budgets):
    with pytest.raises(PeerError) as caught:
        stratum_plans({"law": 10}, Fraction(4, 5), ALPHAS, budgets, at_most=False)
    assert caught.value.reason is Reason.BAD_TERMS


def test_a_composite_weighs_the_lower_bounds():
    assert composite_low([3, 1], [Fraction(4, 5), Fraction(2, 5)]) == Fraction(7, 10)


@pytest.mark.parametrize(("weights", "lows"), [([], []), ([0], [Fraction(1)]), ([1], [])])
def test_weights_that_do_not_fit_are_refused(weights, lows):
    with pytest.raises(PeerError):
        composite_low(weights, lows)
