"""What the suites of all roles have in common: ids of the draft, distinct cases, core cases for everything."""

import json
from pathlib import Path

import chamber_mutants
import judge_mutants
import pytest
import verifier_mutants
import witness_mutants
from parley_conformance.cases.base import Profile
from parley_conformance.requirements import ROLES, Level, bound, of_role
from parley_conformance.roles.chamber_cases import CHAMBER
from parley_conformance.roles.judge_cases import JUDGE
from parley_conformance.roles.requirements import requirements
from parley_conformance.roles.verifier_cases import VERIFIER
from parley_conformance.roles.witness_cases import WITNESS
from parley_conformance.untestable import UNTESTABLE

DRAFT = {r["id"] for r in json.loads((Path(__file__).parents[2] / "spec/requirements.json").read_text())}
SUITES = {"verifier": VERIFIER, "judge": JUDGE, "witness": WITNESS, "chamber": CHAMBER}
MUTANTS = {
    "verifier": verifier_mutants.MUTANTS,
    "judge": judge_mutants.MUTANTS,
    "witness": witness_mutants.MUTANTS,
    "chamber": chamber_mutants.MUTANTS,
}
each = pytest.mark.parametrize("cases", SUITES.values(), ids=SUITES)


@each
def test_requirements_are_the_drafts_or_the_suites_own(cases):
    own = {name for name in requirements(cases) if name.startswith(("H-", "W-", "CH-"))}
    assert set(requirements(cases)) - own <= DRAFT
    assert not own & DRAFT


@each
def test_every_requirement_has_a_core_case(cases):
    core = {name for case in cases if case.profile is Profile.CORE for name in case.requirements}
    assert core == set(requirements(cases))


@each
def test_case_ids_are_distinct(cases):
    assert len({case.id for case in cases}) == len(cases)


@pytest.mark.parametrize("role", SUITES)
def test_every_must_that_binds_a_role_and_that_a_run_can_test_has_a_case_and_a_mutant(role):
    musts = {name for name, one in of_role(role).items() if one.level is Level.MUST}
    assert musts - {name for case in SUITES[role] for name in case.requirements} == set()
    assert musts - {requirement for requirement, _ in MUTANTS[role].values()} == set()


@pytest.mark.parametrize("role", SUITES)
def test_no_case_and_no_mutant_names_what_is_called_untestable(role):
    named = {name for case in SUITES[role] for name in case.requirements}
    named |= {requirement for requirement, _ in MUTANTS[role].values()}
    assert named & set(UNTESTABLE[role]) == set()


@pytest.mark.parametrize("role", ROLES)
def test_what_no_run_can_test_binds_the_role_and_says_why(role):
    assert set(UNTESTABLE[role]) <= set(bound(role))
    assert all(len(reason) > 20 and "no case" not in reason for reason in UNTESTABLE[role].values())
