import json
import math
from fractions import Fraction
from pathlib import Path

import pytest
from parley_verifier import fixedn, inspection, reliability
from scipy import stats

DATA = Path(__file__).parents[1] / "data" / "stats"


def vectors(name):
    return json.loads((DATA / f"{name}.json").read_text())


BOUNDS = vectors("clopper_pearson")


@pytest.mark.parametrize("case", BOUNDS["two_sided_95"])
def test_clopper_pearson_gives_the_published_bounds(case):
    low, high = fixedn.clopper_pearson(case["x"], case["n"], 0.025)
    assert (low, high) == pytest.approx((case["lo"], case["hi"]), rel=1e-6)


@pytest.mark.parametrize("case", BOUNDS["wilson_two_sided_95"])
def test_wilson_gives_the_published_bounds(case):
    found = fixedn.wilson(case["x"], case["n"], 0.95)
    assert found == pytest.approx((case["lo"], case["hi"]), rel=1e-6, abs=1e-12)


def test_more_published_bounds():
    one_sided, beta, wilson = BOUNDS["more"]
    assert fixedn.clopper_pearson(100, 200, 0.05)[1] == pytest.approx(one_sided["hi"], abs=1e-6)
    assert fixedn.clopper_pearson(100, 200, 0.025) == pytest.approx((beta["lo"], beta["hi"]), abs=1e-7)
    assert fixedn.wilson(100, 200, 0.95) == pytest.approx((wilson["lo"], wilson["hi"]), abs=1e-7)
    assert fixedn.clopper_pearson(800, 1000, 0.05)[0] == pytest.approx(0.778, abs=5e-4)


def test_hypergeometric_and_binomial_sums_are_the_published_ones():
    hyper, binomial = vectors("hypergeometric")["cdf"][0], vectors("hypergeometric")["binom_cdf"][0]
    found = inspection.hypergeometric_cdf(hyper["N"], hyper["D"], hyper["n"], hyper["c"])
    assert float(found) == pytest.approx(hyper["p"], abs=1e-10)
    found = fixedn.binomial_cdf(binomial["c"], binomial["n"], binomial["p"])
    assert found == pytest.approx(binomial["P"], abs=1e-10)


RELIABILITY = vectors("reliability")


@pytest.mark.parametrize("case", RELIABILITY["krippendorff"])
@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval", "ratio"])
def test_krippendorffs_alpha_is_the_published_one(case, level):
    found = reliability.krippendorff(case["ratings"], level)
    assert found == pytest.approx(case.get(level, found), abs=5e-4)
    assert -1 <= found <= 1


@pytest.mark.parametrize("case", RELIABILITY["fleiss"])
def test_fleiss_kappa_is_the_published_one(case):
    assert reliability.fleiss(case["table"]) == pytest.approx(case["kappa"], abs=5e-4)


@pytest.mark.parametrize("case", RELIABILITY["cohen"])
def test_cohens_kappa_is_the_published_one(case):
    assert reliability.cohen(case["table"]) == pytest.approx(case["kappa"], abs=5e-5)


def test_intraclass_correlations_are_the_published_ones():
    found = reliability.intraclass(RELIABILITY["icc"]["scores"])
    assert {k: round(v, 2) for k, v in found.items()} == {k: RELIABILITY["icc"][k] for k in found}


def test_a_rare_class_breaks_kappa_and_not_ac1():
    table = [[1, 1], [1, 97]]
    assert reliability.cohen(table) == pytest.approx(0.49, abs=5e-3)
    assert reliability.gwet_ac1(table) == pytest.approx(0.98, abs=5e-3)


FIXED_EXACT = {1000: (939, 796, 376, 121), 10_000: (6254, 2931, 589, 135)}


@pytest.mark.parametrize("size", FIXED_EXACT)
def test_the_fixed_exact_plan_costs_what_the_table_says(size):
    for margin, n in zip((1, 2, 5, 10), FIXED_EXACT[size], strict=True):
        assert fixedn.hypergeometric_plan(size, size * 4 // 5, size * (80 + margin) // 100, 0.05, 0.95).n == n


@pytest.mark.parametrize("margin", [5, 10])
def test_fixed_plans_equal_a_scan_with_scipy(margin):
    count = 10 * (80 + margin)
    plan = fixedn.clopper_pearson_plan(1000, 0.8, count, 0.05, 0.95)
    for n in range(1, 1001):
        critical = int(stats.binom.isf(0.05, n, 0.8)) + 1
        if stats.hypergeom.sf(critical - 1, 1000, count, n) >= 0.95:
            break
    assert plan == fixedn.FixedPlan(n, critical)
    exact = fixedn.hypergeometric_plan(1000, 800, count, 0.05, 0.95)
    assert stats.hypergeom.sf(exact.critical - 1, 1000, 799, exact.n) <= 0.05
    assert stats.hypergeom.sf(exact.critical - 2, 1000, 799, exact.n) > 0.05
    assert stats.hypergeom.sf(exact.critical - 1, 1000, count, exact.n) >= 0.95


def test_a_plan_that_no_sample_meets_costs_everything():
    assert fixedn.wilson_plan(1000, 0.8, 810, 0.01, 0.95).n == 1000


DETECTION = {
    (1000, 10): (205, 258, 368),
    (1000, 50): (44, 57, 86),
    (1000, 100): (22, 29, 43),
    (10_000, 100): (227, 294, 448),
    (10_000, 500): (45, 59, 90),
    (10_000, 1000): (22, 29, 44),
}


@pytest.mark.parametrize(("size", "bad"), DETECTION)
def test_detection_samples_are_those_of_the_table(size, bad):
    for beta, n in zip(
        (Fraction(1, 10), Fraction(1, 20), Fraction(1, 100)), DETECTION[size, bad], strict=True
    ):
        assert inspection.smallest_sample(size, bad, beta) == n
        assert inspection.non_detection(size, bad, n) <= beta < inspection.non_detection(size, bad, n - 1)


@pytest.mark.parametrize("beta", [Fraction(1, 10), Fraction(1, 20), Fraction(1, 2), Fraction(4, 5)])
def test_the_safeguards_forms_stay_within_their_published_distance(beta):
    for size in (20, 97, 300):
        for bad in range(1, size, 7):
            exact = inspection.smallest_sample(size, bad, beta)
            assert 0 <= inspection.iaea_sample(size, bad, float(beta)) - exact <= 3
            assert 0 <= inspection.jaech_sample(size, bad, float(beta)) - exact <= 1


@pytest.mark.parametrize(("found", "n"), [("1", 57), ("9/10", 64), ("1/2", 115)])
def test_imperfect_checks_need_more_units(found, n):
    assert inspection.imperfect_non_detection(1000, 50, n, Fraction(found)) <= Fraction(1, 20)
    assert inspection.imperfect_non_detection(1000, 50, n - 1, Fraction(found)) > Fraction(1, 20)


def test_a_risk_deters_up_to_its_ratio_of_gain_to_penalty():
    assert inspection.deterred_ratio(Fraction(1, 20)) == 19
    assert inspection.deterred_ratio(Fraction(1, 100)) == 99
    assert inspection.deterring_risk(Fraction(19), Fraction(1)) == Fraction(1, 20)
    assert inspection.deterring_risk(Fraction(1), Fraction(1), Fraction(5), Fraction(1, 5)) == 0


LEAKAGE = {1000: (0.049, 0.059, 0.086, 0.135, 0.238), 10_000: (0.016, 0.019, 0.027, 0.043, 0.075)}


@pytest.mark.parametrize("size", LEAKAGE)
def test_leakage_grows_as_the_table_says(size):
    for verdicts, bound in zip((1, 3, 10, 30, 100), LEAKAGE[size], strict=True):
        assert inspection.leakage(size, verdicts) == pytest.approx(bound, abs=6e-4)
    with_time = [inspection.leakage(1000, k, stopping_units=512) for k in (1, 3, 10, 30)]
    assert with_time == pytest.approx([0.074, 0.113, 0.196, 0.335], abs=1.5e-3)
    assert math.isclose(inspection.VERDICT_BITS, 1.585, abs_tol=1e-3)
