"""The reference chamber passes over its endpoint; chambers that look away do not."""

import contextlib

import pytest
import role_kit
import suite_kit
from chamber_kit import LIMITS, RUNTIME, boxed
from chamber_mutants import MUTANTS
from parley_attestation.errors import Role
from parley_chamber.sandbox import Sandbox
from parley_chamber.service import Setup, serve
from parley_conformance.cases.base import Profile
from parley_conformance.roles import chamber_cases
from parley_conformance.roles.chamber_cases import CHAMBER
from parley_conformance.run import execute

BREAKS_HONEST_RUNS = {
    "says_why_it_broke_down",
    "makes_new_keys_each_time",
    "hashes_messages_without_a_label",
    "signs_the_bare_payload",
    "names_a_statement_by_its_envelope",
}
pytestmark = boxed


@contextlib.contextmanager
def chamber(folder):
    parties = {role: suite_kit.make(folder / role.value, role) for role in (Role.PROVER, Role.VERIFIER)}
    own = suite_kit.make(folder / "chamber", Role.CHAMBER)
    peers = tuple(one.card for one in parties.values())
    setup = Setup(own, peers, folder / "work", (RUNTIME,), Sandbox.find(), LIMITS, sessions=1000)
    server, port = serve(setup, "127.0.0.1:0")
    card = own.card.model_copy(update={"endpoint": f"127.0.0.1:{port}"})
    try:
        yield chamber_cases.suite(card, parties, RUNTIME)
    finally:
        server.stop(0).wait()


@pytest.mark.slow
def test_the_reference_chamber_passes_core_and_extended(tmp_path):
    with chamber(tmp_path) as suite:
        found = execute(suite, profile=Profile.EXTENDED)
    assert role_kit.failures(found) == []
    assert found.verdict == "conformant"
    assert len(found.results) == len(CHAMBER) >= 20


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_a_chamber_that_looks_away_is_killed_by_its_own_requirement(tmp_path, monkeypatch, name):
    requirement, make = MUTANTS[name]
    control = None if name in BREAKS_HONEST_RUNS else "honest"
    make(monkeypatch)
    with chamber(tmp_path) as suite:
        killed, seen = role_kit.killed_by(suite, requirement, control)
    assert killed, seen


def test_a_chamber_that_nobody_answers_for_gives_no_report(tmp_path):
    with chamber(tmp_path) as suite:
        pass
    quick = chamber_cases.suite(*_parts(suite), seconds=1.0)
    with pytest.raises(Exception, match="no chamber answers"):
        execute(quick)


def _parts(suite):
    held = dict(
        zip(suite.open.__code__.co_freevars, (c.cell_contents for c in suite.open.__closure__), strict=True)
    )
    return held["card"], held["parties"], held["runtime"]
