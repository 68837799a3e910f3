import pytest
from parley_attestation.canonical import Fields
from parley_attestation.errors import PeerError, Reason
from parley_attestation.grading import Outcome, read_outcome_map

CAPABILITY = {"pass": True, "fail": False, "refuse": False, "invalid": False}


def read(document):
    return read_outcome_map(Fields(document, reason=Reason.BAD_TERMS))


def test_a_map_reads_back_as_written():
    harmless = {"pass": False, "fail": True, "refuse": True, "invalid": False}
    assert read(harmless).document() == harmless
    assert [o for o in Outcome if read(harmless).success(o)] == [Outcome.FAIL, Outcome.REFUSE]


@pytest.mark.parametrize(
    "change",
    [{"pass": False}, {"fail": True, "refuse": True, "invalid": True}, {"skip": True}, {"fail": 0}],
)
def test_a_map_that_cannot_tell_units_apart_or_is_not_understood_is_refused(change):
    with pytest.raises(PeerError) as caught:
        read({**CAPABILITY, **change})
    assert caught.value.reason is Reason.BAD_TERMS


def test_a_missing_outcome_is_refused():
    with pytest.raises(PeerError):
        read({"pass": True, "fail": False})
