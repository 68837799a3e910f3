"""Every hand mutant of the prover is killed by a case of the requirement that it breaks."""

from dataclasses import replace

import pytest
import suite_kit
from parley_conformance.cases import PROVER
from parley_conformance.report import Status, failing
from parley_conformance.requirements import REQUIREMENTS
from parley_conformance.run import run
from parley_prover.service import ProverService
from prover_mutants import MUTANTS

BREAKS_HONEST_RUNS = {"acknowledges_another_verdict"}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_killed_by_a_case_of_its_own_requirement(tmp_path, monkeypatch, name):
    requirement, make = MUTANTS[name]
    own = [c for c in PROVER if requirement in c.requirements]
    control = [c for c in PROVER if c.id == "honest-run" and name not in BREAKS_HONEST_RUNS]
    service = make(monkeypatch) or ProverService
    with suite_kit.prover(tmp_path, service) as job:
        found = run(replace(job, cases=(*control, *own), seconds=3.0))
    assert [r.detail for r in found.results[: len(control)] if r.status is Status.FAILED] == []
    survived = [(r.case.id, r.detail) for r in found.results]
    assert requirement in failing(found.results), survived
    assert found.verdict == "partial"


def test_mutants_break_known_requirements():
    assert {requirement for requirement, _ in MUTANTS.values()} <= set(REQUIREMENTS)
    assert len(MUTANTS) >= 20
