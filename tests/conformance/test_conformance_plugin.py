"""The pytest plugin: cases become tests, in a run of pytest of its own."""

import sys
from importlib import metadata

import pytest
import role_kit
import suite_kit

pytest_plugins = ["pytester"]
JUDGE = f"{sys.executable} -m parley_cli check --json {{record}} --pin={{pin}}"


def pytest_in(pytester, *words):
    installed = {one.name for one in metadata.entry_points(group="pytest11")}
    loaded = () if "parley" in installed else ("-p", "parley_conformance.plugin")
    return pytester.runpytest_inprocess(*loaded, *words)


def test_cases_of_a_prover_are_tests_and_fixtures_reach_it(pytester, tmp_path):
    pytester.makepyfile(
        """
        def test_my_own(parley_prover):
            player = parley_prover.begin()
            assert player.machine.facts.verdict is not None

        def test_of_a_role_that_is_not_there(parley_verifier):
            raise AssertionError
        """
    )
    with suite_kit.prover(tmp_path) as job:
        card = tmp_path / "p" / "card.json"
        words = ["--parley-prover", job.peer.endpoint, "--parley-party", str(job.party.folder)]
        words += ["--parley-peer", str(card), "-k", "honest-run or describe or my_own or not_there"]
        found = pytest_in(pytester, *words)
    found.assert_outcomes(passed=6, skipped=1, deselected=found.parseoutcomes()["deselected"])


def test_cases_of_a_verifier_are_tests(pytester, tmp_path):
    with role_kit.verifier(tmp_path) as suite:
        (tmp_path / "s").mkdir()
        target = suite.open("seed", tmp_path / "s")
        target.close()
        found = pytest_in(pytester, "--parley-verifier", target.name, "-k", "honest-compliant or other-coin")
    found.assert_outcomes(passed=3, deselected=found.parseoutcomes()["deselected"])


def test_a_judge_that_fails_is_shown_with_the_requirement(pytester):
    found = pytest_in(pytester, "--parley-judge-cmd", "echo {}", "-k", "honest-compliant")
    found.assert_outcomes(failed=1, deselected=found.parseoutcomes()["deselected"])
    found.stdout.fnmatch_lines(["*expected the member valid of type bool*", "requirements: JUDGE-1 VERD-1 *"])
    assert "Traceback" not in found.stdout.str()


def test_extended_adds_cases_and_the_state_machine(pytester):
    few = pytest_in(pytester, "--parley-verifier", "127.0.0.1:1", "--collect-only", "-q")
    more = pytest_in(
        pytester, "--parley-verifier", "127.0.0.1:1", "--collect-only", "-q", "--parley-profile", "extended"
    )
    assert "state-machine" not in few.stdout.str()
    assert "state-machine" in more.stdout.str()
    assert len(more.outlines) > len(few.outlines) > 100


def test_without_options_nothing_is_added(pytester):
    pytester.makepyfile("def test_one(): pass")
    pytest_in(pytester).assert_outcomes(passed=1)


def test_a_role_without_its_party_is_a_usage_error(pytester):
    found = pytest_in(pytester, "--parley-prover", "127.0.0.1:1")
    assert found.ret != pytest.ExitCode.OK
    assert "--parley-party" in found.stderr.str() + found.stdout.str()
