"""The reference verifier passes behind its harness; verifiers that look away do not."""

import pytest
import role_kit
from parley_conformance.cases.base import Profile
from parley_conformance.report import Status
from parley_conformance.roles.verifier_cases import VERIFIER
from parley_conformance.run import execute
from verifier_mutants import MUTANTS

BREAKS_HONEST_RUNS = {
    "breaks_down",
    "always_says_compliant",
    "commits_to_coins_without_a_label",
    "signs_the_bare_payload",
    "leaves_a_gap_before_content",
    "acknowledges_another_verdict",
    "calls_everything_re_executed",
    "names_a_statement_by_its_envelope",
    "writes_a_sentence_of_its_own",
    "grades_everything_as_failed",
}


@pytest.mark.slow
def test_the_reference_verifier_passes_core(tmp_path):
    with role_kit.verifier(tmp_path) as suite:
        found = execute(suite)
    assert role_kit.failures(found) == []
    assert found.verdict == "conformant"
    assert len(found.results) >= 150


@pytest.mark.slow
def test_the_reference_verifier_passes_extended(tmp_path):
    with role_kit.verifier(tmp_path) as suite:
        extended = [c.id for c in suite.cases if c.profile is Profile.EXTENDED]
        found = execute(role_kit.only(suite, *extended), profile=Profile.EXTENDED)
    assert role_kit.failures(found) == []
    assert len(found.results) == len(extended) >= 10


def test_case_ids_of_the_verifier_suite_are_distinct_and_name_requirements():
    assert len({c.id for c in VERIFIER}) == len(VERIFIER)
    assert all(c.requirements for c in VERIFIER)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_verifier_that_looks_away_is_killed_by_its_own_requirement(tmp_path, monkeypatch, name):
    requirement, make = MUTANTS[name]
    make(monkeypatch)
    control = None if name in BREAKS_HONEST_RUNS else "honest-compliant"
    with role_kit.verifier(tmp_path, 3.0) as suite:
        killed, seen = role_kit.killed_by(suite, requirement, control)
    assert killed, seen


def test_a_harness_that_does_not_answer_fails_every_case(tmp_path):
    with role_kit.verifier(tmp_path, 2.0) as suite:
        pass
    with pytest.raises(Exception, match="no harness answers"):
        execute(role_kit.only(suite, "honest-compliant"))


def test_an_interrupted_verifier_run_counts_the_rest_as_skipped(tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    with role_kit.verifier(tmp_path) as suite:
        found = execute(role_kit.only(suite, "honest-compliant", "decline"), seen=interrupt)
    assert [r.status for r in found.results] == [Status.PASSED, Status.SKIPPED]
