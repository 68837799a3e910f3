"""The chamber: start of its three boxes, and a sealed run beside the same engine called directly.

`python -m benchmarks.chamber [ITEMS [MICROSECONDS]]`. Goal: three boxes start under 1 s; under 5 % over the
bare engine on a run of ten minutes, fixed cost apart. With MICROSECONDS the engine is a program that takes
so long for each item, waiting as a host waits for its accelerator: `benchmarks.chamber 6000 100000` is ten minutes.
"""

import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from chamber_kit import LIMITS, OPERATOR, RUNTIME, ChamberExercise, program_runtime
from kit import seed
from parley_attestation.edge import packages
from parley_attestation.edge.onnx import OnnxModel, pinned
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import Role
from parley_attestation.model.claim import read_claim
from parley_attestation.receipt import StatedKeys, read_keys, read_receipt
from parley_attestation.runtime import ProgramRuntime
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.sealing import Grant, seal, wrap
from parley_attestation.terms import exercise_id
from parley_chamber.boxes.frames import pack
from parley_chamber.ledger import RunLedger
from parley_chamber.reexecute import Chamber
from parley_chamber.run import Job, SealedRun, Upload
from parley_chamber.sandbox import Box, Sandbox, blocked, python


def main() -> None:
    if blocked():
        print(f"skipped: {blocked()}")
        return
    box = Sandbox.find()
    began = time.perf_counter()
    for _ in range(3):
        box.run(Box(("/usr/bin/true",)))
    empty = time.perf_counter() - began
    began = time.perf_counter()
    box.run(Box(python("parley_chamber.boxes.frames")))
    print(
        f"three empty boxes start and end in {empty:.3f} s (goal: under 1 s); one with Python in {time.perf_counter() - began:.3f} s"
    )
    items = [int(sys.argv[1])] if len(sys.argv) > 1 else [60, 20_000]
    for count in items:
        with tempfile.TemporaryDirectory() as folder:
            run(Path(folder), count, int(sys.argv[2]) if len(sys.argv) > 2 else 0)


# Takes a fixed time for each item; bare or in a box, it speaks the same frames.
WORKER = """
import time
for prompt in prompts:
    time.sleep({seconds})
    say(b"0")
"""


def bare(folder: Path, items: list[tuple[bytes, bytes]], runtime: ProgramRuntime | None) -> float:
    """Seconds that the same engine takes outside a box."""
    began = time.perf_counter()
    if runtime is None:
        OnnxModel(pinned(RUNTIME, folder / "registered")).answer([(p, 4096) for p, _ in items])
    else:
        program = [sys.executable, "-I", "-S", folder / "program/serve.py"]
        feed = pack((4096).to_bytes(8, "big")) + b"".join(pack(p) for p, _ in items)
        subprocess.run(program, input=feed, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def run(folder: Path, count: int, work: int) -> None:
    """One sealed run of `count` items beside its bare engine; `work` in microseconds an item, or 0 for ONNX."""
    draw = random.Random(1)
    numbers = [[draw.randrange(1 << 20) for _ in range(3)] for _ in range(count)]
    items = [(json.dumps(x).encode(), str(x.index(max(x))).encode()) for x in numbers]
    runtime = program_runtime(folder / "program", WORKER.format(seconds=work / 1e6)) if work else None
    changes = {"runtime": runtime.digest()} if runtime else {}
    rules = SealedTerms(program=work > 0)
    exercise = ChamberExercise(folder, items=items, mode="sealed", sealed=rules, **changes)
    session, terms = Digest(os.urandom(32)), exercise.terms
    claim, tests = read_claim(exercise.claim), exercise.tests.public
    job = Job(session, exercise_id(terms.statement()), terms, claim, tests, runtime or RUNTIME)
    limits = replace(LIMITS, seconds=3600)
    chamber = Chamber(OPERATOR, Sandbox.find(), limits)
    sealed = SealedRun(chamber, job, RunLedger(folder / "runs"), Bytes32(os.urandom(32)))
    stated = read_keys(sealed.keys, terms, session, terms.statement().digest())
    files = [("model.onnx", exercise.weights_folder / "model.onnx")]
    program = [("serve.py", folder / "program/serve.py")] if runtime else []
    secrets = Bytes32(seed(b"set", "master")), Bytes32(os.urandom(32))
    plain = {
        Role.PROVER: b"".join(packages.write_weights(exercise.secret, files, program)),
        Role.VERIFIER: b"".join(packages.write_tests(*secrets, items)),
    }
    uploads = {role: upload(sealed, stated, role, content) for role, content in plain.items()}
    began = time.perf_counter()
    read_receipt(sealed.run(uploads[Role.PROVER], uploads[Role.VERIFIER], int(time.time())), stated)
    total, direct = time.perf_counter() - began, bare(folder, items, runtime)
    print(
        f"{count:,} items: sealed run {total:.2f} s, the same engine directly {direct:.2f} s:"
        f" {100 * (total / direct - 1):.1f} % more, {1e6 * (total - direct) / count:,.0f} us an item"
    )


def upload(sealed: SealedRun, stated: StatedKeys, role: Role, content: bytes) -> Upload:
    """One party's content, sealed and released."""
    key, policy, what = Bytes32(os.urandom(32)), Digest(bytes(32)), sealed.sealed(role, len(content))
    wrapped = wrap(key, stated.keys.hpke, Grant(what, stated.statement.digest(), policy))
    sealed.release(role, wrapped, len(content), policy)
    return Upload(len(content), io.BytesIO(b"".join(seal(what, key, io.BytesIO(content).read))).read)


if __name__ == "__main__":
    main()
