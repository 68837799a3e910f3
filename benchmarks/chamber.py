"""The chamber: start of its three boxes, and a sealed run beside the same engine called directly.

`python -m benchmarks.chamber [--minutes M | ITEMS [MICROSECONDS]]`. Goal: three boxes start under 1 s; under
5 % over the bare engine on a run of ten minutes, fixed cost apart.

With --minutes the built-in ONNX runtime computes all that time: a transformer of 12.6 million random weights
over 64 positions, one thread. The bare engine does half of the items before the sealed run and half after it,
so that a machine that slows down slows both. Processor time stands beside the time on the clock: it does not
see what other processes of the machine take. With MICROSECONDS the engine is a program that takes so long for
each item, waiting as a host waits for its accelerator: `benchmarks.chamber 6000 100000` is ten minutes.
"""

import argparse
import ctypes
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import numpy as np
from chamber_kit import LIMITS, OPERATOR, RUNTIME, ChamberExercise, program_runtime
from kit import seed
from onnx import TensorProto, helper, numpy_helper
from parley_attestation.edge import packages
from parley_attestation.edge.onnx import OnnxModel, pinned
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import Role
from parley_attestation.model.claim import read_claim
from parley_attestation.receipt import ChamberRefusal, Receipt, StatedKeys, read_keys, read_outcome
from parley_attestation.runtime import ProgramRuntime
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.sealing import Grant, seal, wrap
from parley_attestation.terms import exercise_id
from parley_chamber.boxes.frames import pack
from parley_chamber.ledger import RunLedger
from parley_chamber.reexecute import Chamber
from parley_chamber.run import Job, SealedRun, Upload
from parley_chamber.sandbox import Box, Sandbox, blocked, python

POSITIONS, WIDTH, LAYERS = 64, 512, 4
_PR_SET_CHILD_SUBREAPER = 36
Items = Sequence[tuple[bytes, bytes]]


@dataclass
class Took:
    """Seconds on the clock, and of processor time of this process and all that it waited for."""

    wall: float = 0.0
    cpu: float = 0.0

    def __add__(self, other: "Took") -> "Took":
        return Took(self.wall + other.wall, self.cpu + other.cpu)

    def __sub__(self, other: "Took") -> "Took":
        return Took(self.wall - other.wall, self.cpu - other.cpu)


@contextmanager
def timed() -> Iterator[Took]:
    """Fills in what its block took."""
    found, wall, cpu = Took(), time.perf_counter(), processor()
    yield found
    found.wall, found.cpu = time.perf_counter() - wall, processor() - cpu


def adopt() -> None:
    """Become the parent of what the boxes leave: bubblewrap ends before the process that it started."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def processor() -> float:
    """Processor time of this process and of everything below it that has ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return sum(os.times()[:4])


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.chamber")
    parser.add_argument("items", nargs="?", type=int)
    parser.add_argument("microseconds", nargs="?", type=int, default=0)
    parser.add_argument("--minutes", type=float)
    asked = parser.parse_args()
    if blocked():
        print(f"skipped: {blocked()}")
        return
    adopt()
    if asked.minutes is None:
        starts()
        for count in [60, 20_000] if asked.items is None else [asked.items]:
            with tempfile.TemporaryDirectory() as folder:
                beside(Path(folder), count, asked.microseconds)
    with tempfile.TemporaryDirectory() as folder:
        if asked.items is None:
            computing(Path(folder), 60 * (asked.minutes or 0.25))


def starts() -> None:
    """How long boxes take that do nothing."""
    box = Sandbox.find()
    with timed() as empty:
        for _ in range(3):
            box.run(Box(("/usr/bin/true",)))
    with timed() as one:
        box.run(Box(python("parley_chamber.boxes.frames")))
    print(
        f"three empty boxes start and end in {empty.wall:.3f} s (goal: under 1 s); one with Python in {one.wall:.3f} s"
    )


# Takes a fixed time for each item; bare or in a box, it speaks the same frames.
WORKER = """
import time
for prompt in prompts:
    time.sleep({seconds})
    say(b"0")
"""


def triples(count: int) -> Items:
    """So many prompts of three numbers."""
    draw = random.Random(1)
    numbers = [[draw.randrange(1 << 20) for _ in range(3)] for _ in range(count)]
    return [(json.dumps(x).encode(), b"0") for x in numbers]


def bare(model: Path, items: Items, runtime: ProgramRuntime | None = None) -> int:
    """Run the same engine outside a box, its start included; how many answers are right."""
    if runtime is not None:
        program = [sys.executable, "-I", "-S", model.parent / "program/serve.py"]
        feed = pack((4096).to_bytes(8, "big")) + b"".join(pack(p) for p, _ in items)
        subprocess.run(program, input=feed, stdout=subprocess.DEVNULL, check=True)
        return len(items)
    engine = OnnxModel(pinned(RUNTIME, model))
    return sum(engine.answer([(prompt, 4096)]) == [reference] for prompt, reference in items)


def sealed(folder: Path, items: Items, model: Path | None = None, program: str = "") -> tuple[Took, Receipt]:
    """One sealed run, from two sealed contents to the receipt.

    Args:
        folder: Empty.
        items: The set.
        model: Folder of the model; None makes a small one in `registered`.
        program: Code of the engine, where it is not the built-in one.
    """
    runtime = program_runtime(folder / "program", program) if program else None
    changes = {"runtime": runtime.digest()} if runtime else {}
    rules = SealedTerms(program=runtime is not None)
    exercise = ChamberExercise(
        folder, items=items, mode="sealed", sealed=rules, registered=model or 0.7, **changes
    )
    session, terms = Digest(os.urandom(32)), exercise.terms
    claim, tests = read_claim(exercise.claim), exercise.tests.public
    job = Job(session, exercise_id(terms.statement()), terms, claim, tests, runtime or RUNTIME)
    chamber = Chamber(OPERATOR, Sandbox.find(), replace(LIMITS, seconds=7200))
    run = SealedRun(chamber, job, RunLedger(folder / "runs"), Bytes32(os.urandom(32)))
    stated = read_keys(run.keys, terms, session, terms.statement().digest())
    files = [("model.onnx", exercise.weights_folder / "model.onnx")]
    supplied = [("serve.py", folder / "program/serve.py")] if runtime else []
    secrets = Bytes32(seed(b"set", "master")), Bytes32(os.urandom(32))
    weights = upload(
        run, stated, Role.PROVER, b"".join(packages.write_weights(exercise.secret, files, supplied))
    )
    hidden = upload(run, stated, Role.VERIFIER, b"".join(packages.write_tests(*secrets, items)))
    with timed() as took:
        outcome = read_outcome(run.run(weights, hidden, int(time.time())), stated)
    if isinstance(outcome, ChamberRefusal):
        raise SystemExit(f"the chamber refused the run: {outcome.reason}")
    return took, outcome


def beside(folder: Path, count: int, work: int) -> None:
    """One sealed run of `count` items beside its bare engine; `work` in microseconds an item, or 0 for ONNX."""
    items, code = triples(count), WORKER.format(seconds=work / 1e6) if work else ""
    total, _ = sealed(folder, items, program=code)
    runtime = program_runtime(folder / "program", code) if work else None
    with timed() as direct:
        bare(folder / "registered", items, runtime)
    print(
        f"{count:,} items: sealed run {total.wall:.2f} s, the same engine directly {direct.wall:.2f} s:"
        f" {100 * (total.wall / direct.wall - 1):.1f} % more, {1e6 * (total - direct).wall / count:,.0f} us an item"
    )


def computing(folder: Path, seconds: float) -> None:
    """A sealed run of so many seconds that computes, beside its bare engine; what both start with is apart."""
    model = transformer(folder / "model")
    with timed() as some:
        bare(model, triples(40))
    with timed() as start:
        bare(model, triples(1))
    items = triples(max(2, round(39 * seconds / (some - start).wall)))
    fixed, _ = sealed(make(folder / "one"), items[:1], model)
    half, good, direct = len(items) // 2, 0, Took()
    with timed() as took:
        good += bare(model, items[:half])
    direct += took
    total, receipt = sealed(make(folder / "all"), items, model)
    with timed() as took:
        good += bare(model, items[half:])
    direct += took
    assert receipt.counts[0].successes == good, "the same engine gives the same answers"
    whole, alone = total - fixed, direct - start - start
    print(f"{len(items):,} items of a transformer, one thread, {seconds / 60:g} minutes asked for:")
    print(f"  the engine directly  {direct.wall:8.1f} s, {direct.cpu:8.1f} s of processor time")
    print(f"  sealed run           {total.wall:8.1f} s, {total.cpu:8.1f} s of processor time")
    print(
        f"  fixed: a run of one item takes {fixed.wall:.2f} s, the engine alone starts in {start.wall:.2f} s"
    )
    print(
        f"  over the engine, fixed cost apart (goal: under 5 %): {100 * (whole.wall / alone.wall - 1):+.2f} %,"
        f" of processor time {100 * (whole.cpu / alone.cpu - 1):+.2f} %;"
        f" with it {100 * (total.wall / direct.wall - 1):+.2f} % and {100 * (total.cpu / direct.cpu - 1):+.2f} %"
    )


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def transformer(folder: Path) -> Path:
    """A model of random weights: three numbers spread over all positions, attention, three logits."""
    draw, nodes, weights = np.random.default_rng(1), [], {}

    def add(kind: str, *inputs: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, list(inputs), [f"t{len(nodes)}"], **attributes))
        return f"t{len(nodes) - 1}"

    def matrix(rows: int, columns: int) -> str:
        weights[f"w{len(weights)}"] = draw.normal(0, rows**-0.5, (rows, columns)).astype(np.float32)
        return f"w{len(weights) - 1}"

    weights["shape"] = np.array([-1, POSITIONS, WIDTH], dtype=np.int64)
    weights["axis"] = np.array([1], dtype=np.int64)
    weights["scale"] = np.array(WIDTH**-0.5, dtype=np.float32)
    weights["spread"] = draw.normal(0, 2**-20, (3, POSITIONS * WIDTH)).astype(np.float32)
    x = add("Reshape", add("MatMul", "x", "spread"), "shape")
    for _ in range(LAYERS):
        query, key, value = (add("MatMul", x, matrix(WIDTH, WIDTH)) for _ in range(3))
        score = add("Mul", add("MatMul", query, add("Transpose", key, perm=[0, 2, 1])), "scale")
        seen = add("MatMul", add("Softmax", score, axis=-1), value)
        x = add("Add", x, add("MatMul", seen, matrix(WIDTH, WIDTH)))
        inner = add("Relu", add("MatMul", x, matrix(WIDTH, 4 * WIDTH)))
        x = add("Add", x, add("MatMul", inner, matrix(4 * WIDTH, WIDTH)))
    mean = add("ReduceMean", x, "axis", keepdims=0)
    nodes.append(helper.make_node("MatMul", [mean, matrix(WIDTH, 3)], ["y"]))
    graph = helper.make_graph(
        nodes,
        "transformer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    (make(folder) / "model.onnx").write_bytes(made.SerializeToString())
    return folder


def upload(sealed: SealedRun, stated: StatedKeys, role: Role, content: bytes) -> Upload:
    """One party's content, sealed and released."""
    key, policy, what = Bytes32(os.urandom(32)), Digest(bytes(32)), sealed.sealed(role, len(content))
    wrapped = wrap(key, stated.keys.hpke, Grant(what, stated.statement.digest(), policy))
    sealed.release(role, wrapped, len(content), policy)
    return Upload(len(content), io.BytesIO(b"".join(seal(what, key, io.BytesIO(content).read))).read)


if __name__ == "__main__":
    main()
