"""The reference judge passes, in this process and as a command; judges that look away do not."""

import json
import shlex
import sys
from pathlib import Path

import pytest
import role_kit
from judge_mutants import MUTANTS
from parley_conformance.cases.base import Profile
from parley_conformance.report import Status
from parley_conformance.roles import judge_cases
from parley_conformance.roles.judge import Said
from parley_conformance.roles.judge_cases import JUDGE
from parley_conformance.run import execute

COMMAND = f"{shlex.quote(sys.executable)} -m parley_cli check --json {{record}} --pin={{pin}}"
VECTORS = Path(__file__).parents[2] / "spec/vectors"
AS_A_COMMAND = ("vector-1", "vector-3", "vector-29", "honest-violation", "unpinned", "redacted", "wrong-pins")


BREAKS_HONEST_RUNS = {
    "hashes_outputs_without_a_label",
    "calls_everything_re_executed",
    "names_a_statement_by_its_envelope",
    "counts_units_after_the_decision",
    "writes_a_sentence_of_its_own",
    "grades_everything_as_failed",
    "weighs_scores_without_room_to_round",
}


def here(ask=role_kit.judge_here):
    return judge_cases.suite("in this process", ask=ask)


def test_the_reference_judge_passes_core():
    found = execute(here())
    assert role_kit.failures(found) == []
    assert found.verdict == "conformant"
    assert len(found.results) >= 150


@pytest.mark.slow
def test_the_reference_judge_passes_extended():
    suite = here()
    extended = [c.id for c in suite.cases if c.profile is Profile.EXTENDED]
    found = execute(role_kit.only(suite, *extended), profile=Profile.EXTENDED)
    assert role_kit.failures(found) == []
    assert len(found.results) >= 200


def test_the_reference_judge_passes_as_a_command():
    found = execute(role_kit.only(judge_cases.suite(COMMAND), *AS_A_COMMAND))
    assert role_kit.failures(found) == []
    assert len(found.results) >= len(AS_A_COMMAND)


def test_every_transcript_vector_is_a_case():
    published = {path.stem.removeprefix("transcripts") for path in VECTORS.glob("transcripts*.json")}
    assert set(judge_cases.KINDS) == published
    shown = sum(len(judge_cases.vectors(kind)) for kind in judge_cases.KINDS)
    assert len([c for c in JUDGE if c.id.startswith("vector-")]) == shown >= 147
    assert len({c.id for c in JUDGE}) == len(JUDGE)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_judge_that_looks_away_is_killed_by_its_own_requirement(monkeypatch, name):
    requirement, make = MUTANTS[name]
    make(monkeypatch)
    control = None if name in BREAKS_HONEST_RUNS else "honest-compliant"
    killed, seen = role_kit.killed_by(here(), requirement, control)
    assert killed, seen


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("false", "no JSON object"),
        ("echo []", "no JSON object"),
        ("no-such-command-here {record}", "cannot be run"),
        ("sleep 60", "did not end"),
        (f"{shlex.quote(sys.executable)} -c 'print(chr(32) * 2000000)'", "more than 1 MiB"),
    ],
)
def test_a_command_that_is_no_judge_fails_with_the_cause(line, why):
    found = execute(role_kit.only(judge_cases.suite(line, 2.0), "honest-compliant"))
    assert {r.status for r in found.results} == {Status.FAILED}
    assert why in found.results[0].detail


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"valid": "yes"}, "of type bool"),
        ({"sequence": True}, "of type int"),
        ({"verdict": "00"}, "verdict"),
        ({"pinned": False}, "pinned"),
    ],
)
def test_a_judge_that_says_one_member_wrong_fails(change, why):
    def ask(path, pins):
        said = role_kit.judge_here(path, pins)
        return Said(said.code, json.loads(json.dumps(said.answer)) | change)

    found = execute(role_kit.only(here(ask), "honest-compliant"))
    assert why in found.results[0].detail


@pytest.mark.parametrize("code", [0, 1, 2])
def test_an_exit_code_that_does_not_fit_fails(code):
    def ask(path, pins):
        return Said(code, role_kit.judge_here(path, pins).answer)

    found = execute(role_kit.only(here(ask), "unpinned", "honest-compliant"))
    assert Status.FAILED in {r.status for r in found.results}
