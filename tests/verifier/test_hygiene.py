from fractions import Fraction

import pytest
from parley_verifier.hygiene import canary_alarm, canary_p_value, fresh_against_exposed, twin_consistency
from scipy import stats


@pytest.mark.parametrize(("canaries", "alarm"), [(10, 8), (20, 12), (40, 20)])
def test_canaries_alarm_where_the_table_says(canaries, alarm):
    assert canary_alarm(canaries, 4, Fraction(1, 1000)) == alarm


def test_canary_p_values_are_binomial_tails():
    assert canary_p_value(10, 4, 0) == 1
    assert float(canary_p_value(10, 4, 5)) == pytest.approx(stats.binom.sf(4, 10, 0.25))
    assert canary_alarm(2, 4, Fraction(1, 1000)) == 3  # two canaries can never alarm at that level


@pytest.mark.parametrize(("fresh", "exposed"), [((10, 10), (18, 2)), ((5, 1), (1, 5)), ((0, 3), (3, 0))])
def test_fresh_against_exposed_is_fishers_exact_test(fresh, exposed):
    expected = stats.fisher_exact([list(exposed), list(fresh)], alternative="greater").pvalue
    assert float(fresh_against_exposed(fresh, exposed)) == pytest.approx(expected)


def test_twins_answered_alike_are_counted():
    assert twin_consistency([True, True, False, False], [True, False, False, True]) == Fraction(1, 2)
