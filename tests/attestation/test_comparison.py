import random
from fractions import Fraction

import pytest
from parley_attestation.canonical import Fields
from parley_attestation.comparison import (
    Compared,
    ComparisonTest,
    Integrity,
    claim_integrity,
    comparison_plan,
    read_claimed,
)
from parley_attestation.errors import PeerError, Reason
from parley_attestation.frametest import Decision, FramePlan, earliest

FIVE, ONE = Fraction(1, 20), Fraction(1, 100)
TRUE, OVER, UNDER, FALSE = (
    Compared(True, True),
    Compared(True, False),
    Compared(False, True),
    Compared(False, False),
)


def plan(frame=1000, threshold=800, budget=None):
    return FramePlan(frame, threshold, None, FIVE, ONE, budget or frame)


def run(test, units):
    for unit in units:
        if test.observe(unit) is not None:
            break
    return test


def test_an_audit_over_all_units_needs_hardly_more_openings_than_one_over_the_claimed_successes():
    """The research table has 57 openings over a frame of 8,500 claimed successes; nothing is conceded here."""
    conceded = FramePlan(8500, 8000, 8500, FIVE, ONE, 8500)
    assert earliest(conceded).compliant == 57
    assert earliest(comparison_plan(plan(10_000, 8000), 8500)).compliant == 67
    assert run(ComparisonTest(plan(10_000, 8000), 8500, Fraction(0)), [TRUE] * 100).n == 67


@pytest.mark.parametrize(
    ("frame", "threshold", "claimed"), [(40, 30, 34), (40, 20, 40), (60, 59, 59), (100, 80, 90)]
)
def test_a_receipt_one_success_short_of_the_threshold_passes_at_the_stated_risk_at_most(
    frame, threshold, claimed
):
    """Exactly, over every order: C - K + 1 overstated units, the fewest that make the claim false."""
    false = claimed - threshold + 1
    states, passed = {0: Fraction(1)}, Fraction(0)
    for n in range(frame):
        after = {}
        for over, mass in states.items():
            bad = Fraction(false - over, frame - n)
            for step, chance in ((1, bad), (0, 1 - bad)):
                if chance > 0:
                    after[over + step] = after.get(over + step, Fraction(0)) + mass * chance
        states = {}
        for over, mass in after.items():
            if crossed(frame, threshold, claimed, n + 1 - over, over):
                passed += mass
            else:
                states[over] = mass
    assert passed <= FIVE
    assert claimed == threshold or passed > FIVE / 4, "the budget of risk is used"


def crossed(frame, threshold, claimed, honest, over):
    """Whether E of the COMPLIANT test has reached 20, whatever the order of these units was."""
    test = ComparisonTest(plan(frame, threshold), claimed, Fraction(0))
    for kept in [True] * honest + [False] * over:
        test._compliant.push(kept)
    return test._compliant.crosses(FIVE)


def test_an_understated_unit_adds_nothing_to_compliance_and_protects_from_a_violation():
    honest, generous = (ComparisonTest(plan(), 850, Fraction(0)) for _ in range(2))
    run(honest, [TRUE] * 1000)
    run(generous, [UNDER] * 1000)
    assert (honest.decision, generous.decision, generous.n) == (
        Decision.COMPLIANT,
        Decision.COMPLIANT,
        honest.n,
    )
    assert run(ComparisonTest(plan(), 850, Fraction(0)), [OVER] * 1000).decision is Decision.VIOLATION
    mixed = run(ComparisonTest(plan(), 800, Fraction(0)), [OVER, UNDER, UNDER, UNDER, UNDER] * 200)
    assert mixed.decision is not Decision.VIOLATION


def test_an_unanswered_unit_counts_against_compliance_and_accuses_nobody():
    silent = Compared(True, None)
    assert silent.overstated
    assert silent.as_claimed
    assert not Compared(False, None).overstated
    assert run(ComparisonTest(plan(60, 48), 60, Fraction(0)), [silent] * 60).decision is Decision.INCONCLUSIVE


def test_the_bounds_hold_what_is_true_of_the_whole():
    dice, missed = random.Random(2), 0
    for _ in range(100):
        units = [TRUE] * 40 + [OVER] * 3 + [UNDER] * 2 + [FALSE] * 5
        dice.shuffle(units)
        found = run(ComparisonTest(plan(50, 30), 43, Fraction(0)), units).result()
        missed += not found.count_low <= 42 <= found.count_high
    assert missed <= 6


@pytest.mark.parametrize("claimed", [799, 1001])
def test_a_count_that_misses_the_threshold_itself_or_exceeds_the_set_is_refused(claimed):
    with pytest.raises(PeerError) as caught:
        comparison_plan(plan(), claimed)
    assert caught.value.reason is Reason.BAD_COUNT


@pytest.mark.parametrize("counts", [[], [0], [True], ["3"], [1] * 65])
def test_counts_of_a_receipt_are_read_strictly(counts):
    document = dict.fromkeys(("receipt", "exercise", "result_root"), "00" * 32)
    with pytest.raises(PeerError) as caught:
        read_claimed(Fields(document | {"counts": counts}, reason=Reason.BAD_TERMS), Fraction(0))
    assert caught.value.reason is Reason.BAD_TERMS


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
