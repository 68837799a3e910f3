"""What honest labels forbid at `declared`, as a property over any claims and any grades."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import MemorySet, Plan, make_terms, metric, model_claim, seed, side, sums
from parley_attestation.claims import ASSURANCE_ORDER, IdentityClaim
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Role
from parley_attestation.frametest import Decision
from parley_attestation.grading import Outcome, OutcomeMap
from parley_attestation.session.audit import Audit, Challenged
from parley_attestation.session.facts import Facts
from parley_attestation.session.schedule import frames
from parley_attestation.terms import exercise_id
from parley_attestation.verdict import derive, labelled

SIZE = 24
VERIFIER, PROVER = side(Role.VERIFIER), side(Role.PROVER)
TESTS = MemorySet(VERIFIER, sums(SIZE))
TERMS = make_terms(VERIFIER, PROVER, TESTS, model_claim(PROVER), plan=Plan(1, 8, (("", SIZE),)))
ZERO = Digest(bytes(32))

outcome_maps = st.sets(st.sampled_from(list(Outcome)), min_size=1, max_size=3).map(
    lambda counted: OutcomeMap(frozenset(counted))
)
metrics = st.builds(
    metric,
    threshold=st.fractions(0, 1, max_denominator=SIZE),
    events=outcome_maps,
    at_most=st.booleans(),
    min_assurance=st.sampled_from(ASSURANCE_ORDER),
    alpha_compliant=st.sampled_from([Fraction(1, 2), Fraction(1, 20)]),
)
grades = st.one_of(
    st.lists(st.sampled_from(list(Outcome)), min_size=SIZE, max_size=SIZE),
    st.sampled_from(list(Outcome)).map(lambda one: [one] * SIZE),
)


def verdict_of(claims, grades):
    """The verdict of an exercise over all items with these grades, claim by claim the same."""
    terms = replace(TERMS, claims=(*(replace(c, claim_id=f"c{n}") for n, c in enumerate(claims)), *IDENTITY))
    statement = terms.statement()
    facts = Facts(
        terms=terms,
        terms_statement=statement,
        test_set=TESTS.public,
        exercise=exercise_id(statement),
        seed=Digest(seed("any")),
        attempt=1,
        audit=Audit.begin(terms, frames(terms, TESTS.public), (0,) * len(claims)),
    )
    for n, grade in enumerate(grades):
        outcomes = (grade,) * len(claims)
        facts.audit.units.append(Challenged((n, 0), 0, ZERO, ZERO, ZERO, ZERO, ZERO, outcomes))
    tests, _ = facts.audit.tests()
    return derive("open", facts, tests).predicate


IDENTITY = (IdentityClaim("the model", "declared"),)


@given(st.lists(metrics, min_size=1, max_size=3), grades)
def test_nothing_that_degradation_could_meet_is_compliant_at_declared(claims, grades):
    try:
        said = verdict_of(claims, grades)
    except PeerError:  # a threshold that decides nothing is refused with the terms
        return
    assert said["assurance"] == "declared"
    by_id = {c["id"]: c for c in said["claims"]}
    for n, claim in enumerate(claims):
        one = by_id[f"c{n}"]
        counted = claim.events.counted
        if (set(Outcome) - counted if claim.at_most else counted) != {Outcome.PASS}:
            assert one["verdict"] != "COMPLIANT", "something else than a right answer is a success"
        if claim.min_assurance != "declared":
            assert one["verdict"] != "COMPLIANT"
        if one["verdict"] != one["test"]:
            assert one["because"], "whoever reads it is told why the test's own answer does not stand"
            assert (one["test"], one["verdict"]) == ("COMPLIANT", "INCONCLUSIVE")
    assert by_id["the model"]["verdict"] == "INCONCLUSIVE"
    assert said["identity"] == "INCONCLUSIVE"
    assert said["overall"] != "COMPLIANT", "identity is among the claims"
    assert len(said["not_concluded"]) >= 4


def test_refusing_everything_meets_no_cap_on_harm():
    """The attack that the rule is there for: a prover that refuses every prompt."""
    harm = metric(threshold=Fraction(1, 10), events=OutcomeMap(frozenset({Outcome.FAIL})), at_most=True)
    (one, _) = verdict_of([harm], [Outcome.REFUSE] * SIZE)["claims"]
    assert one["test"] == "COMPLIANT"
    assert one["verdict"] == "INCONCLUSIVE"
    assert "refusing or degrading" in one["because"][0]


def test_a_rate_of_right_answers_can_be_compliant_at_declared():
    """The property above is not met by never being compliant."""
    (one, _) = verdict_of([metric()], [Outcome.PASS] * SIZE)["claims"]
    assert one["verdict"] == "COMPLIANT"


@given(metrics, st.sampled_from(list(Decision)), st.sampled_from(ASSURANCE_ORDER))
def test_labels_only_ever_take_compliance_back(claim, decision, assurance):
    said, because = labelled(claim, decision, assurance)
    if decision is not Decision.COMPLIANT:
        assert (said, because) == (decision, [])
    else:
        assert (said is Decision.COMPLIANT) is (not because)
        assert said is not Decision.VIOLATION


@given(
    st.lists(metrics, min_size=1, max_size=3),
    st.lists(st.sampled_from(list(Outcome)), min_size=SIZE, max_size=SIZE),
)
def test_overall_is_compliant_only_where_every_claim_is(claims, grades):
    try:
        said = verdict_of(claims, grades)
    except PeerError:  # a plan that decides nothing
        return
    each = [c["verdict"] for c in said["claims"]]
    if said["overall"] == "COMPLIANT":
        assert set(each) == {"COMPLIANT"}
    if said["overall"] == "VIOLATION":
        assert "VIOLATION" in each


def test_an_accusation_is_corrected_for_the_number_of_claims():
    """One violated claim among claims that hold is a violation only where its p-value survives Holm."""
    right, wrong = metric(threshold=Fraction(1, 24)), metric(threshold=Fraction(1, 1))
    said = verdict_of([right, wrong], [Outcome.PASS, Outcome.FAIL] + [Outcome.PASS] * (SIZE - 2))
    assert [c["verdict"] for c in said["claims"][:2]] == ["COMPLIANT", "VIOLATION"]
    assert said["overall"] == "VIOLATION", "a failure makes a claim of no failures false for certain"


@pytest.mark.parametrize(
    ("counted", "at_most", "degradable"),
    [
        ("pass", False, False),
        ("pass", True, True),
        ("fail refuse invalid", True, False),  # the same claim as "at least ... pass"
        ("fail refuse invalid", False, True),
        ("fail", True, True),
        ("fail refuse", True, True),
        ("refuse", False, True),
        ("pass refuse", False, True),
    ],
)
def test_a_claim_is_degradable_exactly_where_a_spoiled_output_is_a_success(counted, at_most, degradable):
    events = OutcomeMap(frozenset(Outcome(word) for word in counted.split()))
    claim = metric(events=events, at_most=at_most)
    assert claim.degradable is degradable
    spoiled = {Outcome.FAIL, Outcome.REFUSE, Outcome.INVALID}
    assert claim.degradable is any(events.counts(one) is not at_most for one in spoiled)
