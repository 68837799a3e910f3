"""A program in another language, which shares no line with ours, decides whole records again."""

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner
from kit import Exercise, metric, seed
from parley_attestation.edge.records import write_record
from parley_attestation.grading import Outcome, OutcomeMap
from parley_attestation.terms import Plan
from parley_cli.record import show

PROGRAM = Path(__file__).parents[2] / "conformance" / "recompute" / "record.mjs"
WRONG = OutcomeMap(frozenset({Outcome.FAIL, Outcome.REFUSE, Outcome.INVALID}))
PROFILE = (
    metric("right", Fraction(4, 5)),
    metric("few wrong", Fraction(1, 5), events=WRONG, at_most=True),
    metric("half wrong", Fraction(1, 2), events=OutcomeMap(frozenset({Outcome.FAIL})), at_most=True),
    metric("more wanted", Fraction(1, 2), min_assurance="attested", alpha_violation=Fraction(1, 20)),
)
STRATA = ((("easy", 0, 30), ("hard", 30, 30)), {"easy": Fraction(3, 5), "hard": Fraction(4, 5)})


def node(document):
    program = shutil.which("node")
    if program is None:
        pytest.fail("expected Node.js on PATH: install the Debian package nodejs")
    return subprocess.run(
        [program, PROGRAM],
        input=json.dumps(document),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def shown(folder, wrong, **how):
    """What `parley show --units` prints about an exercise whose prover is wrong in `wrong` of 256 cases."""

    def answer(prompt, _seed=0):
        a, b = prompt.split(b"+")
        return b"?" if seed(wrong, prompt)[0] < wrong else str(int(a) + int(b)).encode()

    folder.mkdir()
    v, _ = Exercise(folder, answer=answer, **how).run()
    write_record(v.journal, v.row, folder / "r.parley")
    done = CliRunner().invoke(show, [str(folder / "r.parley"), "--units"], standalone_mode=False)
    return json.loads(done.stdout)


def test_profiles_of_every_kind_are_decided_alike(tmp_path):
    plans = [{}, {"claims": PROFILE}]
    names, rates = STRATA
    by_stratum = tuple(metric(name, rate, stratum=name) for name, rate in rates.items())
    overall = set()
    for n, wrong in enumerate((0, 20, 60, 90, 140, 256)):
        cases = [{"terms_changes": plan} for plan in plans]
        from_strata = {"claims": by_stratum, "plan": _plan(("easy", 30), ("hard", 25))}
        cases.append({"strata": names, "terms_changes": from_strata})
        for k, case in enumerate(cases):
            document = shown(tmp_path / f"{n}-{k}", wrong, **case)
            done = node(document)
            assert done.returncode == 0, done.stdout + done.stderr
            assert len(done.stdout.splitlines()) == len(document["terms"]["claims"]) + 1
            overall.add(document["verdict"]["overall"])
    assert overall == {"COMPLIANT", "VIOLATION", "INCONCLUSIVE"}


def _plan(*budgets):

    return Plan(1, 8, budgets)


@pytest.mark.parametrize("name", ["verdict", "test", "counted", "successes", "failures"])
def test_a_changed_word_or_number_of_a_claim_is_noticed(tmp_path, name):
    document = shown(tmp_path / "one", 0)
    claim = document["verdict"]["claims"][0]
    claim[name] = "VIOLATION" if isinstance(claim[name], str) else claim[name] + 1
    done = node(document)
    assert done.returncode == 1
    assert f"disagrees: the record says accuracy: {name}" in done.stdout


def test_a_changed_result_or_overall_word_is_noticed(tmp_path):
    document = shown(tmp_path / "one", 0)
    other = json.loads(json.dumps(document))
    document["units"][0]["bits"] = "0" + document["units"][0]["bits"][1:]
    other["verdict"]["overall"] = "VIOLATION"
    assert node(document).returncode == 1
    assert "overall VIOLATION" in node(other).stdout.splitlines()[-1]


def test_a_chamber_takes_results_back_and_never_adds_any(tmp_path):
    """The same audit as if a neutral chamber had reproduced all but the first output, or none."""
    document = shown(tmp_path / "one", 0)
    verdict, (units,) = document["verdict"], document["units"]
    verdict["binding"] = {"operator": {"run_by": "neutral"}}
    units["reproduced"] = "1" * len(units["bits"])
    assert node(document).returncode == 0
    units["reproduced"] = "0" * len(units["bits"])
    assert node(document).stdout.splitlines()[0].startswith("VIOLATION")


def test_an_accusation_that_holm_takes_back_is_taken_back_by_both(tmp_path):
    """One of two claims just crosses its own 1 %: by itself a VIOLATION, in the profile none."""
    claims = (metric("right", Fraction(4, 5)), metric("some right", Fraction(1, 10)))
    case = {"terms_changes": {"claims": claims, "plan": Plan(1, 1, (("", 60),))}}
    document = shown(tmp_path / "one", 90, **case)
    assert [claim["verdict"] for claim in document["verdict"]["claims"]] == ["VIOLATION", "COMPLIANT"]
    assert document["verdict"]["overall"] == "INCONCLUSIVE"
    done = node(document)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "overall INCONCLUSIVE")
