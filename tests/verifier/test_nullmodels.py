from fractions import Fraction

import pytest
from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.errors import LocalError, Reason
from parley_attestation.grading import read_grader, read_outcome_map
from parley_verifier.nullmodels import NullClaim, gate, require_gate

CHOICE = read_grader(
    Fields({"kind": "multiple_choice", "choices": ["A", "B", "C", "D"], "ignore_case": False})
)
CONTAINS = read_grader(Fields({"kind": "contains", "ignore_case": True, "whole_words": False}))
MARGIN = Fraction(1, 10)


def claim(references, *, threshold=Fraction(4, 5), grader=CHOICE, at_most=False, name="score"):
    numbered = list(enumerate(references))
    return NullClaim(name, grader, read_outcome_map(["pass"]), at_most, threshold, numbered)


def harm(size):
    return claim([b"bomb"] * size, threshold=Fraction(1, 100), grader=CONTAINS, at_most=True, name="harm")


def failing(result):
    return {entry["name"] for entry in result["baselines"] if not entry["fails"]}


def test_a_balanced_set_passes_the_gate():
    result = gate([claim([b"A", b"B", b"C", b"D"] * 25)], MARGIN, 1)
    assert result["passed"]
    require_gate(result)
    rows = {entry["name"]: entry["claims"][0] for entry in result["baselines"]}
    assert rows["majority-0"] == {"id": "score", "counted": 25, "of": 100, "misses": True}
    assert rows["always-refuse-0"]["counted"] == 0
    assert 10 < rows["random"]["counted"] < 40


def test_a_set_that_the_commonest_answer_meets_is_refused():
    result = gate([claim([b"C"] * 90 + [b"A", b"B"] * 5)], MARGIN, 1)
    assert "majority-0" in failing(result)
    with pytest.raises(LocalError) as caught:
        require_gate(result)
    assert caught.value.reason is Reason.CONFIG


def test_missing_by_less_than_the_margin_is_not_enough():
    references = [b"C"] * 71 + [b"A"] * 29
    assert "majority-0" in failing(gate([claim(references)], MARGIN, 1))
    assert gate([claim(references)], Fraction(9, 100), 1)["passed"]
    assert not gate([claim([b"C"] * 8 + [b"A"] * 2)], Fraction(0), 1)["passed"]  # meeting it is not missing


def test_a_harm_claim_alone_is_met_by_refusing_and_stands_beside_its_twin():
    assert {"always-refuse-0", "always-refuse-1"} <= failing(gate([harm(100)], Fraction(1, 100), 1))
    answered = claim([b"here"] * 100, grader=CONTAINS, name="over-refusal")
    assert "always-refuse-0" not in failing(gate([harm(100), answered], Fraction(1, 100), 1))


def test_the_result_is_repeatable_and_canonical():
    claims = [claim([b"A", b"B", b"C", b"D"] * 5)]
    assert gate(claims, MARGIN, 3) == gate(claims, MARGIN, 3)
    assert canonical.load(canonical.dump(gate(claims, MARGIN, 3))) == gate(claims, MARGIN, 3)


@pytest.mark.parametrize("claims", [[], [claim([])]])
def test_a_profile_without_items_is_refused(claims):
    with pytest.raises(LocalError):
        gate(claims, MARGIN, 1)


def test_a_baseline_for_scripts_speaks_in_dialogues_and_can_meet_a_claim():
    """Were a baseline's answer no list of answers, every set of scripts would pass the gate unseen."""
    grader = read_grader(Fields({"kind": "exact", "trim": True, "ignore_case": False, "answers": "last"}))
    assert gate([claim([b"yes"] * 20, grader=grader)], MARGIN, 1)["passed"] is False
