"""The independent TypeScript implementation: its vectors, its prover under the suite, one exercise, its mutants."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from parley_conformance.cases import PROVER

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "conformance" / "independent"
PARLEY = shutil.which("parley", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node 20 and npm"),
    pytest.mark.skipif(PARLEY is None, reason="needs the parley command"),
]


def run(*arguments: object, cwd: Path, seconds: int = 300, code: int | None = 0) -> str:
    """Run a command; what it printed is the message where it ends otherwise than expected."""
    command = [str(argument) for argument in arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False)
    assert code in (None, done.returncode), (
        f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    )
    return done.stdout


def parley(line: str, cwd: Path, seconds: int = 300, code: int | None = 0) -> str:
    """Run the parley command."""
    return run(PARLEY, *shlex.split(line), cwd=cwd, seconds=seconds, code=code)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The implementation, installed and compiled in a folder of its own."""
    folder = tmp_path_factory.mktemp("independent") / "independent"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    run("npm", "ci", "--no-audit", "--no-fund", cwd=folder)
    run("npm", "run", "build", cwd=folder)
    return folder


@pytest.fixture
def parties(tmp_path: Path) -> Path:
    """A prover, a verifier, and a model claim."""
    parley("keygen lab --name Lab --role prover --endpoint 127.0.0.1:1", tmp_path)
    parley("keygen institute --name Institute --role verifier", tmp_path)
    (tmp_path / "model.txt").write_text("adds two numbers\n")
    parley("model register model.txt --party lab --name sums --out claim.json", tmp_path)
    return tmp_path


@contextmanager
def serving(built: Path, folder: Path) -> Iterator[int]:
    """Serve the TypeScript prover; yields its port."""
    config = {
        "party": "lab",
        "listen": "127.0.0.1:0",
        "peers": ["institute/card.json"],
        "models": ["claim.json"],
        "journal": "prover.journal",
        "engine": {"kind": "sum", "otherwise": "unknown"},
    }
    (folder / "prover.json").write_text(json.dumps(config))
    command = ["node", str(built / "dist" / "prover.js"), "--config", str(folder / "prover.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            word, port, _ = process.stdout.readline().split()
            assert word == "LISTENING"
            yield int(port)
        finally:
            process.terminate()
            process.wait(timeout=30)


def test_unit_tests(built: Path) -> None:
    assert "# fail 0" in run("npm", "test", cwd=built)


def test_vectors(built: Path) -> None:
    run("node", "dist/vectors.js", ROOT / "spec" / "vectors", cwd=built)


AUDITS = {case.id for case in PROVER if case.capability == "audit"}  # what the prover does not claim


def test_core_of_the_suite(built: Path, parties: Path) -> None:
    with serving(built, parties) as port:
        where = f"--prover 127.0.0.1:{port} --peer lab/card.json"
        parley(f"conformance run {where} --party institute --out report", parties, seconds=1200, code=None)
    report = json.loads((parties / "report" / "report.json").read_text())
    assert [case["id"] for case in report["cases"] if case["status"] not in {"passed", "unclaimed"}] == []
    assert {case["id"] for case in report["cases"] if case["status"] == "unclaimed"} == AUDITS
    assert report["verdict"] == "conformant"
    assert report["counts"]["passed"] > 80


TERMS = """
title = "sums"
measures = "addition of small numbers"
sampling_frame = "generated sums"
not_concluded = ["nothing about other sums"]
[system]
scaffold = "none"
runtime = "a second implementation"
decoding = "deterministic"
[[claims]]
id = "accuracy"
threshold = "4/5"
grader = {kind = "exact", trim = true, ignore_case = false}
[plan]
batch = 8
"""

VERIFIER = """
[verifier]
party = "institute"
peer = "peer.json"
test_set = "items.sealed"
key_file = "set.key"
terms = "terms.json"
"""


@pytest.mark.parametrize(("wrong", "code", "overall"), [(0, 0, "COMPLIANT"), (60, 1, "VIOLATION")])
def test_exercise(built: Path, parties: Path, wrong: int, code: int, overall: str) -> None:
    items = [{"prompt": f"{n}+{n}", "reference": str(2 * n + (1 if n < wrong else 0))} for n in range(60)]
    (parties / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    (parties / "terms.toml").write_text(TERMS)
    (parties / "verifier.toml").write_text(VERIFIER)
    (parties / "grader.json").write_text('{"kind":"exact","trim":true,"ignore_case":false}')
    register = "testset register items.jsonl --party institute --out items.sealed"
    parley(f"{register} --key-file set.key --grader @grader.json", parties)
    terms = "terms new terms.toml --party institute --model claim.json --out terms.json"
    parley(f"{terms} --registration items.sealed.registration.json", parties)
    with serving(built, parties) as port:
        card = json.loads((parties / "lab" / "card.json").read_text())
        (parties / "peer.json").write_text(json.dumps({**card, "endpoint": f"127.0.0.1:{port}"}))
        parley("verifier run verifier.toml --record record.parley", parties, code=code)
    pins = ("--pin", "lab/card.json", "--pin", "institute/card.json")
    parley(f"check record.parley {shlex.join(pins)}", parties)
    judged = json.loads(run("node", built / "dist" / "check.js", "record.parley", *pins, cwd=parties))
    assert judged["valid"]
    assert judged["findings"] == (["unqualified test set"] if overall == "VIOLATION" else [])
    assert judged["verdict"]["overall"] == overall
    assert judged["acknowledged"] == dict.fromkeys(("prover", "verifier"), judged["verdict"]["digest"])


# A quarter of an hour for all of them; these are of every kind. `npm run mutants` runs the whole table.
SOME = (
    "honest",
    "other-coin",
    "changed-output",
    "other-verdict",
    "two-faced",
    "unsigned",
    "any-session",
    "equivocation",
    "any-order",
    "any-prompt",
    "any-stream",
    "amnesia",
)


def test_mutants(built: Path, tmp_path: Path) -> None:
    command = ("node", "dist/mutantrun.js", "--parley", PARLEY, "--out", tmp_path / "mutants.md", *SOME)
    run(*command, cwd=built, seconds=3600)
