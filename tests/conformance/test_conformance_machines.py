"""The state machines pass the reference, find what looks away, and walk every step of the tables."""

import pytest
import role_kit
import suite_kit
import weakening
from hypothesis import given, settings
from hypothesis.errors import Flaky  # what a failure that depends on the time becomes
from parley_attestation.errors import Reason, Role
from parley_attestation.session import machine as session
from parley_attestation.session.tables import FINAL, MODES, State
from parley_conformance import machines
from parley_conformance.deviations import SAMPLES, UNREACHED, deviations, steps
from parley_conformance.harness import Failure, Target
from parley_conformance.strategies import flipped, hostile_frames
from weakening import without


@pytest.fixture
def prover(tmp_path):
    (tmp_path / "s").mkdir()
    with suite_kit.prover(tmp_path, sessions=256) as job:  # streams of many examples, cut off and taken up
        target = Target(job.party, job.peer, "seed", 10.0, tmp_path / "s")
        yield target
        target.close()


@pytest.fixture
def verifier(tmp_path):
    (tmp_path / "s").mkdir()
    with role_kit.verifier(tmp_path / "v", 5.0) as suite:
        target = suite.open("seed", tmp_path / "s")
        yield target
        target.close()


def test_the_reference_prover_passes_the_machine(prover):
    machines.check(machines.ProverMachine, prover, examples=8)


def test_the_reference_verifier_passes_the_machine(verifier):
    machines.check(machines.VerifierMachine, verifier, examples=4)


def test_the_machine_finds_a_prover_that_looks_away(prover, monkeypatch):
    weak = without(Reason.BAD_SIGNATURE, value=Role.VERIFIER)
    weakening.weaken(monkeypatch, "parley-session", session.Machine, "_signed", weak)
    with pytest.raises((Failure, Flaky), match=r"expected a refusal|Inconsistent"):
        machines.check(machines.ProverMachine, prover, examples=100)


def test_the_machine_finds_a_verifier_that_looks_away(verifier, monkeypatch):
    def weak(original, self, envelope):
        try:
            return original(self, envelope)
        except session.PeerError as error:
            raise error.blame(Role.PROVER) from None

    weakening.weaken(monkeypatch, "harness", session.Machine, "begin", weak)
    with pytest.raises(Failure, match="expected to blame"):
        machines.check(machines.VerifierMachine, verifier, examples=30)


def test_every_step_of_open_mode_is_deviated_at_and_every_kind_misplaced():
    table = MODES["open"]
    covered = {one.state for role in (Role.VERIFIER, Role.PROVER) for one in deviations(role)}
    assert covered == set(table) - UNREACHED - FINAL
    assert set(steps(Role.VERIFIER)) | set(steps(Role.PROVER)) == covered
    assert set(SAMPLES) == {kind for _, following in table.values() for kind in following}
    for role in (Role.VERIFIER, Role.PROVER):
        found = list(deviations(role))
        assert len({one.id for one in found}) == len(found)
        for state in steps(role):
            misplaced = {one.id for one in found if one.state is state and "misplaced" in one.id}
            assert len(misplaced) == len(SAMPLES) - len(table[state][1])


def test_a_step_that_is_added_to_the_table_is_deviated_at(monkeypatch):
    row = MODES["open"][State.BOUND]
    monkeypatch.setitem(MODES["open"], State.RECEIVED, row)
    assert State.RECEIVED in {one.state for one in deviations(Role.VERIFIER)}


@settings(max_examples=50, deadline=None, database=None)
@given(hostile_frames())
def test_hostile_frames_can_be_sent(frame):
    assert frame.FromString(frame.SerializeToString()) == frame


@settings(max_examples=50, deadline=None, database=None)
@given(flipped(b"parley"))
def test_flipped_changes_one_bit(changed):
    (difference,) = [a ^ b for a, b in zip(changed, b"parley", strict=True) if a != b]
    assert difference.bit_count() == 1
