import json
from fractions import Fraction
from pathlib import Path

import pytest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.mcnemar import binomial_tail, mcnemar, paired

CASES = json.loads((Path(__file__).parents[1] / "data" / "stats" / "tests_exact.json").read_text())["mcnemar"]


@pytest.mark.parametrize("case", CASES)
def test_exact_p_values_are_the_published_ones(case):
    assert float(mcnemar(case["b"], case["c"])) == pytest.approx(case["p"], abs=6e-7)
    assert mcnemar(case["b"], case["c"]) == mcnemar(case["c"], case["b"])


def test_two_versions_are_compared_item_by_item():
    found = paired([True, True, True, False, False], [True, False, False, True, False])
    assert (found.both, found.lost, found.gained, found.neither) == (1, 2, 1, 1)
    assert found.p_value == 1
    assert found.p_worse == Fraction(1, 2)


def test_without_a_difference_nothing_is_shown():
    assert mcnemar(0, 0) == 1
    assert binomial_tail(3, 0) == 1


def test_results_over_different_units_are_refused():
    with pytest.raises(PeerError) as caught:
        paired([True], [True, False])
    assert caught.value.reason is Reason.WRONG_RESULT_BITS
