from fractions import Fraction

import pytest
from parley_attestation.comparison import Integrity, claim_integrity, compliant_frame, violation_frame
from parley_attestation.errors import PeerError, Reason
from parley_attestation.frametest import Decision, FrameTest, earliest

FIVE, ONE = Fraction(1, 20), Fraction(1, 100)


def claims(size, successes):
    return [n < successes for n in range(size)]


def run(plan, unit):
    test = FrameTest(plan)
    while test.decision is None:
        test.observe(unit)
    return test


def test_the_frame_of_claimed_successes_needs_as_few_openings_as_the_table_says():
    found = compliant_frame(claims(10_000, 8500), 8000, FIVE, FIVE, 10_000)
    assert found.units == tuple(range(8500))
    assert earliest(found.plan).compliant == 57
    assert run(found.plan, unit=True).n == 57


def test_the_frame_of_claimed_failures_shows_a_violation():
    found = violation_frame(claims(1000, 700), 800, FIVE, ONE, 1000)
    assert found.units == tuple(range(700, 1000))
    assert (found.plan.threshold, found.plan.declared) == (201, 300)
    assert found.plan.alpha_compliant == ONE  # the risk of a false accusation
    assert run(found.plan, unit=True).decision is Decision.COMPLIANT
    assert run(found.plan, unit=False).decision is Decision.VIOLATION


def test_201_failures_are_needed_to_miss_800_of_1000():
    assert violation_frame(claims(1000, 799), 800, FIVE, ONE, 1000).plan.threshold == 201
    with pytest.raises(PeerError) as caught:
        violation_frame(claims(1000, 800), 800, FIVE, ONE, 1000)
    assert caught.value.reason is Reason.BAD_COUNT


def test_claims_that_miss_the_threshold_themselves_are_refused():
    assert compliant_frame(claims(1000, 800), 800, FIVE, ONE, 5).plan.budget == 5
    with pytest.raises(PeerError) as caught:
        compliant_frame(claims(1000, 799), 800, FIVE, ONE, 5)
    assert caught.value.reason is Reason.BAD_COUNT


def test_without_tolerance_one_mismatch_is_proof():
    assert claim_integrity(850, [True] * 50, Fraction(0), ONE).integrity is Integrity.INTACT
    found = claim_integrity(850, [True] * 49 + [False], Fraction(0), ONE)
    assert (found.integrity, found.mismatches, found.p_value) == (Integrity.BREACHED, 1, 0)


def test_with_tolerance_a_breach_needs_evidence_that_it_is_exceeded():
    rho = Fraction(1, 100)
    few = claim_integrity(1000, [True] * 60 + [False], rho, ONE)
    assert (few.integrity, few.tolerated) == (Integrity.WITHIN_TOLERANCE, 10)
    many = claim_integrity(1000, [True, False] * 10, rho, ONE)
    assert many.integrity is Integrity.BREACHED
    assert many.p_value <= ONE
    later = claim_integrity(1000, [True, False] * 10 + [True] * 500, rho, ONE)
    assert later.integrity is Integrity.BREACHED  # the first crossing is final


@pytest.mark.parametrize("rho", [Fraction(-1, 100), Fraction(1)])
def test_a_tolerance_out_of_range_is_refused(rho):
    with pytest.raises(PeerError):
        claim_integrity(10, [], rho, ONE)
