"""The chamber: start of its three boxes, and a sealed run beside the same engine called directly.

`python -m benchmarks.chamber [ITEMS]`. Goal: three boxes start under 1 s; under 5 % over the bare engine,
fixed cost apart. The model is a small perceptron, so per item this shows the boxes' own cost.
"""

import io
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from chamber_kit import LIMITS, OPERATOR, RUNTIME, ChamberExercise
from kit import seed
from parley_attestation.edge import packages
from parley_attestation.edge.onnx import OnnxModel, pinned
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import Role
from parley_attestation.model.claim import read_claim
from parley_attestation.receipt import read_keys
from parley_attestation.sealing import Grant, seal, wrap
from parley_attestation.terms import exercise_id
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
    bare = time.perf_counter() - began
    began = time.perf_counter()
    box.run(Box(python("parley_chamber.boxes.frames")))
    print(
        f"three empty boxes start and end in {bare:.3f} s (goal: under 1 s); one with Python in {time.perf_counter() - began:.3f} s"
    )
    for items in (int(n) for n in (sys.argv[1:] or ("60", "20000"))):
        with tempfile.TemporaryDirectory() as folder:
            run(Path(folder), items)


def run(folder: Path, count: int) -> None:
    draw = random.Random(1)
    numbers = [[draw.randrange(1 << 20) for _ in range(3)] for _ in range(count)]
    items = [(json.dumps(x).encode(), str(x.index(max(x))).encode()) for x in numbers]
    exercise = ChamberExercise(folder, items=items, mode="sealed")
    began = time.perf_counter()
    OnnxModel(pinned(RUNTIME, exercise.weights_folder)).answer([(p, 4096) for p, _ in items])
    direct = time.perf_counter() - began
    session, terms = Digest(os.urandom(32)), exercise.terms
    job = Job(
        session,
        exercise_id(terms.statement()),
        terms,
        read_claim(exercise.claim),
        exercise.tests.public,
        RUNTIME,
    )
    sealed = SealedRun(
        Chamber(OPERATOR, Sandbox.find(), LIMITS), job, RunLedger(folder / "runs"), Bytes32(os.urandom(32))
    )
    stated = read_keys(sealed.keys, terms, session, terms.statement().digest())
    files = [("model.onnx", exercise.weights_folder / "model.onnx")]
    plain = {
        Role.PROVER: b"".join(packages.write_weights(exercise.secret, files)),
        Role.VERIFIER: b"".join(
            packages.write_tests(Bytes32(seed(b"set", "master")), Bytes32(os.urandom(32)), items)
        ),
    }
    uploads = {}
    for role, content in plain.items():
        key, policy = Bytes32(os.urandom(32)), Digest(bytes(32))
        what = sealed.sealed(role, len(content))
        sealed.release(
            role,
            wrap(key, stated.keys.hpke, Grant(what, stated.statement.digest(), policy)),
            len(content),
            policy,
        )
        uploads[role] = Upload(
            len(content), io.BytesIO(b"".join(seal(what, key, io.BytesIO(content).read))).read
        )
    began = time.perf_counter()
    sealed.run(uploads[Role.PROVER], uploads[Role.VERIFIER])
    total = time.perf_counter() - began
    print(
        f"{count:,} items: sealed run {total:.2f} s, the same engine directly {direct:.2f} s, difference {1e6 * (total - direct) / count:,.0f} us an item"
    )


if __name__ == "__main__":
    main()
