"""Witnesses in the terms."""

import pytest
from kit import Exercise, seed
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import PeerError, Reason
from parley_attestation.terms import Witnesses, read_terms


def test_a_witness_named_twice_is_refused_before_anyone_signs(tmp_path):
    key = Bytes32(seed("w"))
    terms = Exercise(tmp_path, terms_changes={"witnesses": Witnesses((key, key), 2, "pause")}).terms
    with pytest.raises(PeerError) as caught:
        read_terms(terms.statement())
    assert caught.value.reason is Reason.BAD_TERMS


@pytest.mark.parametrize(("keys", "threshold"), [(("w",), 0), (("w",), 2), ((), 1)])
def test_a_threshold_asks_for_one_witness_at_least_and_for_no_more_than_there_are(tmp_path, keys, threshold):
    named = tuple(Bytes32(seed(key)) for key in keys)
    terms = Exercise(tmp_path, terms_changes={"witnesses": Witnesses(named, threshold, "pause")}).terms
    with pytest.raises(PeerError) as caught:
        read_terms(terms.statement())
    assert caught.value.reason is Reason.BAD_TERMS
