"""The reference implementations behind their real endpoints, for the suites of every role."""

import contextlib
from dataclasses import replace

from parley_conformance import harness_server
from parley_conformance.report import Status, failing
from parley_conformance.roles import verifier_cases
from parley_conformance.run import execute
from parley_verifier import client


@contextlib.contextmanager
def verifier(folder, seconds=10.0):
    """The suite for the reference verifier behind its harness, for as long as the block lasts."""
    folder.mkdir(exist_ok=True)
    harness = harness_server.VerifierHarness(folder, client.run)
    server, port = harness_server.serve(harness, "127.0.0.1:0")
    try:
        yield verifier_cases.suite(f"127.0.0.1:{port}", seconds)
    finally:
        server.stop(0).wait()


def only(suite, *wanted):
    """The suite with the cases that `wanted` names, by id or requirement."""
    cases = [c for c in suite.cases if c.id in wanted or set(wanted) & set(c.requirements)]
    return replace(suite, cases=cases)


def failures(report):
    return [(r.case.id, r.detail) for r in report.results if r.status is not Status.PASSED]


def killed_by(suite, requirement, control):
    """Whether cases of the requirement fail, while the controls do not."""
    control = () if control is None else (control,)
    found = execute(only(suite, requirement, *control))
    held = {r.case.id for r in found.results if r.status is Status.PASSED}
    assert set(control) <= held | {r.case.id for r in found.results if requirement in r.case.requirements}
    assert found.verdict == "partial"
    return requirement in failing(found.results), failures(found)
