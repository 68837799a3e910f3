"""The vectors of compute records: what the code finds in each chain, and that no problem lacks one."""

import json
from pathlib import Path

import pytest
from parley_attestation.ed25519 import PublicKey
from parley_attestation.errors import PeerError
from parley_attestation.evidence.compute import Problem, check_records, read_records

FILE = Path(__file__).parent.parent.parent / "spec/vectors/compute_records.json"
TESTS = json.loads(FILE.read_text())["tests"]


def read(test):
    return read_records([one.encode() for one in test["records"]], PublicKey(bytes.fromhex(test["key"])))


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test["comment"])
def test_compute_records(test):
    if test["result"] == "invalid":
        with pytest.raises(PeerError) as caught:
            read(test)
        assert caught.value.reason == test["reason"]
    else:
        found = {(fault.sequence, fault.problem) for fault in check_records(read(test))}
        assert found == {(one["sequence"], one["problem"]) for one in test["faults"]}


def test_every_problem_stands_in_a_vector():
    assert {one["problem"] for test in TESTS for one in test["faults"]} == set(Problem)
