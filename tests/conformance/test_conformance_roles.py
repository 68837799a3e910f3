"""What the suites of all roles have in common: ids of the draft, distinct cases, core cases for everything."""

import json
from pathlib import Path

import pytest
from parley_conformance.cases.base import Profile
from parley_conformance.roles.chamber_cases import CHAMBER
from parley_conformance.roles.judge_cases import JUDGE
from parley_conformance.roles.requirements import requirements
from parley_conformance.roles.verifier_cases import VERIFIER
from parley_conformance.roles.witness_cases import WITNESS

DRAFT = {r["id"] for r in json.loads((Path(__file__).parents[2] / "spec/requirements.json").read_text())}
SUITES = {"verifier": VERIFIER, "judge": JUDGE, "witness": WITNESS, "chamber": CHAMBER}
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
