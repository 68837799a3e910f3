"""`parley conformance run` for every role, over the real command line."""

import json
import shlex
import subprocess
import sys

import pytest
import role_kit
import suite_kit
from chamber_kit import RUNTIME, boxed
from click.testing import CliRunner
from parley_attestation import canonical
from parley_attestation.errors import LocalError, Reason, Role
from parley_cli.conformance import conformance

JUDGE = f"{shlex.quote(sys.executable)} -m parley_cli check --json {{record}} --pin={{pin}}"


def run(*words):
    return CliRunner().invoke(conformance, ["run", *map(str, words)], standalone_mode=False)


def report(folder):
    return json.loads((folder / "report.json").read_text())


@pytest.mark.slow
def test_a_verifier_behind_the_harness_command_is_conformant(tmp_path):
    words = [sys.executable, "-m", "parley_cli", "conformance", "harness", "--address", "127.0.0.1:0"]
    process = subprocess.Popen(
        [*words, "--work", tmp_path / "work"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        port = process.stdout.readline().split()[-1]
        made = run("--verifier", f"127.0.0.1:{port}", "--out", tmp_path / "out")
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
    assert made.exception is None, made.output
    assert (made.return_value, report(tmp_path / "out")["role"]) == (0, "verifier"), made.output


def test_a_witness_with_a_card_is_conformant(tmp_path):
    own = suite_kit.make(tmp_path / "v", Role.VERIFIER)
    with role_kit.witness_of(tmp_path) as (card, endpoint):
        made = run(
            "--witness", endpoint, "--party", own.folder, "--peer", card, "--out", tmp_path / "out", "--sign"
        )
    assert made.exception is None, made.output
    assert (made.return_value, report(tmp_path / "out")["role"]) == (0, "witness"), made.output
    assert (tmp_path / "out" / "result.json").exists()


@pytest.mark.slow
@boxed
def test_a_chamber_that_serves_is_conformant(tmp_path):
    """`parley chamber serve` in a process of its own, held to the specification by the command."""
    own, verifier, prover = (
        suite_kit.make(tmp_path / role.value, role) for role in (Role.CHAMBER, Role.VERIFIER, Role.PROVER)
    )
    runtime = tmp_path / "runtime.json"
    runtime.write_bytes(canonical.dump(RUNTIME.document()))
    words = [sys.executable, "-m", "parley_cli", "chamber", "serve", own.folder, "--address", "127.0.0.1:0"]
    words += ["--work", tmp_path / "work", "--runtime", runtime, "--sessions", "64", "--accept-swap"]
    words += [word for one in (verifier, prover) for word in ("--peer", one.folder / "card.json")]
    process = subprocess.Popen(
        [*map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path
    )
    try:
        endpoint = f"127.0.0.1:{process.stdout.readline().split()[-1].rpartition(':')[2]}"
        made = run(
            *("--chamber", endpoint, "--party", verifier.folder, "--prover-party", prover.folder),
            *("--peer", own.folder / "card.json", "--runtime", runtime, "--out", tmp_path / "out"),
        )
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()
    assert made.exception is None, made.output
    said = report(tmp_path / "out")
    assert (made.return_value, said["role"], said["verdict"]) == (0, "chamber", "conformant"), made.output


def test_a_judge_that_is_none_is_partial(tmp_path):
    made = run("--judge-cmd", "echo {}", "--out", tmp_path / "out", "--deadline", 5)
    assert (made.return_value, report(tmp_path / "out")["verdict"]) == (1, "partial")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "expected one of --prover, --verifier, --judge-cmd"),
        (["--prover", "a:1", "--witness", "b:2"], "expected one of"),
        (["--prover", "a:1"], "needs --party"),
        (["--witness", "a:1"], "needs --peer"),
        (["--chamber", "a:1"], "needs --runtime"),
    ],
)
def test_a_role_without_what_it_needs_is_a_usage_error(tmp_path, words, why):
    made = run(*words, "--out", tmp_path / "out")
    assert why in str(made.exception)


def test_a_card_of_another_role_is_refused(tmp_path):
    own = suite_kit.make(tmp_path / "v", Role.VERIFIER)
    made = run(
        "--witness", "a:1", "--party", own.folder, "--peer", own.folder / "card.json", "--out", tmp_path / "o"
    )
    assert isinstance(made.exception, LocalError)
    assert "expected a witness's card" in str(made.exception)


def test_the_judge_command_of_the_documentation_runs(tmp_path):
    few = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--parley-judge-cmd", JUDGE]
    found = subprocess.run(
        [*few, "-k", "honest-compliant or vector-1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert " passed" in found.stdout, found.stdout + found.stderr


def test_a_page_that_cannot_be_written_is_said_before_the_run_and_not_after_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    asked = tmp_path / "asked"
    judge = f"sh -c 'touch {asked}' {{record}}"
    made = run("--judge-cmd", judge, "--out", tmp_path / "out")
    assert isinstance(made.exception, LocalError)
    assert made.exception.reason is Reason.MISSING_EXTRA
    assert "parley[report]" in made.exception.hint
    assert not asked.exists()
