"""Every case of the conformance suite as a test of its own, against one reference prover: for weakenings only.

The prover and the suite's own verifier run in one process, and a weakening reaches both. A case's fault is
made outside the weakened checks, so a prover that no longer refuses it fails the case all the same.
"""

from dataclasses import replace

import pytest
import suite_kit
from parley_conformance.cases import PROVER, Profile
from parley_conformance.report import Status
from parley_conformance.run import run


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    with suite_kit.prover(tmp_path_factory.mktemp("prover")) as made:
        yield made


@pytest.mark.parametrize("case", [c for c in PROVER if c.profile is Profile.CORE], ids=lambda c: c.id)
def test_case(job, case):
    (result,) = run(replace(job, cases=(case,), seconds=3.0)).results
    assert result.status is Status.PASSED, result.detail
