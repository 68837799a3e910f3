"""A real LLM server inside a box: llama.cpp over GGUF weights, supplied by the prover, on a local socket."""

import io
import runpy
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from chamber_kit import boxed
from click.testing import CliRunner
from kit import metric
from parley_attestation import canonical
from parley_attestation.runtime import read_runtime
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.session.tables import State
from parley_chamber.boxes.frames import ANSWER, MODEL, PROGRAM, pack, read
from parley_cli.chamber import chamber
from test_chamber_session import CLAIMS, Link, SealedExercise

pytestmark = boxed
EXAMPLE = Path(__file__).parents[2] / "examples/llama_server"
PROMPTS = [f"the number after {n} is".encode() for n in range(6)]


@pytest.fixture(scope="module", name="built")
def _built(tmp_path_factory):
    """A lab's model, its program, and the document that names the program."""
    folder = tmp_path_factory.mktemp("llama")
    for name in ("model", "program"):
        (folder / name).mkdir()
    runpy.run_path(str(EXAMPLE / "make_model.py"))["write"](str(folder / "model/model.gguf"))
    shutil.copy(EXAMPLE / "serve.py", folder / "program")
    (engine,) = find_spec("xllamacpp").submodule_search_locations
    shutil.copytree(engine, folder / "program/xllamacpp", ignore=shutil.ignore_patterns("__pycache__"))
    start = (str(Path(sys.executable).resolve()), "-I", "-S", f"{PROGRAM}/serve.py", f"{MODEL}/model.gguf")
    arguments = ["program", str(folder / "program"), "--out", str(folder / "program.json"), "--", *start]
    done = CliRunner().invoke(chamber, arguments, standalone_mode=False)
    assert done.exit_code == 0, done.output
    return folder


def bare(built, tmp_path):
    """What the same program answers outside any box."""
    code = (built / "program/serve.py").read_text().replace("/tmp/llama.sock", str(tmp_path / "llama.sock"))
    (tmp_path / "serve.py").write_text(code)
    (tmp_path / "xllamacpp").symlink_to(built / "program/xllamacpp")
    done = subprocess.run(
        [sys.executable, "-I", "-S", tmp_path / "serve.py", built / "model/model.gguf"],
        input=b"".join(map(pack, [(1 << 12).to_bytes(8, "big"), *PROMPTS])),
        capture_output=True,
        timeout=120,
        check=True,
    )
    found = list(read(io.BytesIO(done.stdout)))
    assert all(one[:1] == ANSWER for one in found)
    return [one[1:] for one in found]


def test_a_receipt_counts_what_the_same_server_answers_outside_the_box(built, tmp_path):
    answers = bare(built, tmp_path)
    assert len(set(answers)) > 1
    assert all(len(one) == 4 for one in answers)
    items = [
        (p, a.hex().encode() if n < 2 else a) for n, (p, a) in enumerate(zip(PROMPTS, answers, strict=True))
    ]
    runtime = read_runtime(canonical.load((built / "program.json").read_bytes()))
    made = {
        "items": items,
        "registered": built / "model",
        "links": (Link(tmp_path / "place", runtime=runtime),),
        "program": [(path, built / "program" / path) for path, _ in runtime.files],
        "runtime": runtime.digest(),
        "claims": (metric(min_assurance="neutral-operator", threshold=metric().threshold / 2), *CLAIMS[1:]),
        "sealed": SealedTerms(program=True),
    }
    v, _ = SealedExercise(tmp_path, **made).run()
    assert v.machine.state is State.FINISHED, v.machine.facts.ending
    said = v.machine.facts.verdict.predicate
    assert (said["claims"][0]["successes"], said["claims"][0]["population"]) == (4, 6)
    assert said["identity"] == "INCONCLUSIVE"
