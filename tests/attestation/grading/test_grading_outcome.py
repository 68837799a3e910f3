import pytest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.grading import Outcome, read_outcome_map


def test_a_map_reads_back_as_written():
    found = read_outcome_map(["fail", "refuse"])
    assert found.document() == ["fail", "refuse"]
    assert [o for o in Outcome if found.counts(o)] == [Outcome.FAIL, Outcome.REFUSE]


@pytest.mark.parametrize(
    "bad",
    [
        [],
        ["pass", "fail", "refuse", "invalid"],
        ["fail", "pass"],
        ["pass", "pass"],
        ["skip"],
        ["pass", 1],
        [["pass"]],
        "pass",
        {"pass": True},
        None,
        7,
    ],
)
def test_a_map_that_cannot_tell_units_apart_or_is_not_understood_is_refused(bad):
    with pytest.raises(PeerError) as caught:
        read_outcome_map(bad)
    assert caught.value.reason is Reason.BAD_TERMS


@pytest.mark.parametrize(
    ("names", "rewarded"), [(["pass"], False), (["pass", "refuse"], True), (["fail", "refuse"], True)]
)
def test_counting_anything_but_a_pass_rewards_degradation(names, rewarded):
    assert read_outcome_map(names).rewards_degradation is rewarded
