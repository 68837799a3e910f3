"""The reference witness passes; witnesses that look away do not."""

import pytest
import role_kit
from parley_attestation.edge.witness_client import Address
from parley_attestation.errors import LocalError
from parley_conformance.cases.base import Profile
from parley_conformance.roles import witness_cases
from parley_conformance.roles.witness_cases import WITNESS
from parley_conformance.run import execute
from witness_mutants import MUTANTS

BREAKS_HONEST_RUNS = {
    "has_a_clock_that_runs_back",
    "signs_the_bare_payload",
    "hashes_records_without_a_label",
}


def test_the_reference_witness_passes_core_and_extended(tmp_path):
    with role_kit.witness(tmp_path) as suite:
        found = execute(suite, profile=Profile.EXTENDED)
    assert role_kit.failures(found) == []
    assert found.verdict == "conformant"
    assert len(found.results) == len(WITNESS) >= 20


def test_a_second_run_against_the_same_witness_passes(tmp_path):
    """Exercises are fresh: what the first run left with the witness is not in the way."""
    with role_kit.witness(tmp_path) as suite:
        few = role_kit.only(suite, "events", "two-heads", "monotone")
        for _ in range(2):
            assert role_kit.failures(execute(few)) == []


@pytest.mark.parametrize("name", MUTANTS)
def test_a_witness_that_looks_away_is_killed_by_its_own_requirement(tmp_path, monkeypatch, name):
    requirement, make = MUTANTS[name]
    control = None if name in BREAKS_HONEST_RUNS else "registered"
    with role_kit.witness(tmp_path) as suite:
        make(monkeypatch)
        killed, seen = role_kit.killed_by(suite, requirement, control)
    assert killed, seen


def test_a_witness_under_another_key_fails(tmp_path):
    with role_kit.witness(tmp_path) as suite:
        address = Address(_target(suite), bytes(32))
        found = execute(role_kit.only(witness_cases.suite(address), "registered"))
    assert "does not hold" in found.results[0].detail


def _target(suite):
    return next(
        cell.cell_contents for cell in suite.open.__closure__ if hasattr(cell.cell_contents, "target")
    ).target


def test_where_no_witness_answers_there_is_no_report(tmp_path):
    with pytest.raises(LocalError, match="no witness answers"):
        execute(witness_cases.suite(Address("127.0.0.1:1", bytes(32)), 1.0))
