"""Every hand mutant of the prover is killed by a case of the requirement that it breaks; none is missing."""

from dataclasses import replace

import prover_mutants  # noqa: F401 - registers mutants
import prover_mutants_documents  # noqa: F401 - registers mutants
import prover_mutants_kinds  # noqa: F401 - registers mutants
import prover_mutants_sessions  # noqa: F401 - registers mutants
import pytest
import suite_kit
from mutant_kit import MUTANTS
from parley_conformance.cases import PROVER
from parley_conformance.report import Status, failing
from parley_conformance.requirements import REGISTRY, REQUIREMENTS, Level
from parley_conformance.run import run
from parley_conformance.untestable import UNTESTABLE
from parley_prover.service import ProverService


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_killed_by_a_case_of_its_own_requirement(tmp_path, monkeypatch, name):
    one = MUTANTS[name]
    own = [c for c in PROVER if one.requirement in c.requirements]
    control = [c for c in PROVER if c.id == "honest-run" and one.honest]
    service = one.make(monkeypatch) or ProverService
    with suite_kit.prover(tmp_path, service) as job:
        found = run(replace(job, cases=(*control, *own), seconds=3.0))
    assert [r.detail for r in found.results[: len(control)] if r.status is Status.FAILED] == []
    survived = [(r.case.id, r.detail) for r in found.results]
    assert one.requirement in failing(found.results), survived
    assert found.verdict == "partial"


def test_every_must_that_a_run_can_test_has_a_case_and_a_mutant():
    musts = {name for name, one in REQUIREMENTS.items() if one.level is Level.MUST}
    assert musts - {name for case in PROVER for name in case.requirements} == set()
    assert musts - {one.requirement for one in MUTANTS.values()} == set()


def test_cases_and_mutants_name_requirements_of_the_draft_that_bind_a_prover():
    assert {name for case in PROVER for name in case.requirements} <= set(REQUIREMENTS)
    assert {one.requirement for one in MUTANTS.values()} <= set(REQUIREMENTS)


def test_what_is_not_testable_is_in_the_draft_and_says_why():
    for reasons in UNTESTABLE.values():
        assert set(reasons) <= set(REGISTRY)
        assert all(len(reason) > 20 for reason in reasons.values())
