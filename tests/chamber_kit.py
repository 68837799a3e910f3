"""Exercises whose answers come from small ONNX models, and a chamber that runs them again."""

import hashlib
import json
import os
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from kit import CHANNEL, Exercise, Side, make_terms, metric, seed
from onnx import TensorProto, helper, numpy_helper
from parley_attestation import statement
from parley_attestation.claims import IdentityClaim
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.onnx import OnnxModel, pinned
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import Role
from parley_attestation.runtime import OnnxRuntime, ProgramRuntime
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.terms import Operator
from parley_chamber import sandbox
from parley_chamber.boxes.frames import PROGRAM
from parley_chamber.evaluation import Weights
from parley_chamber.reexecute import Chamber, reexecute
from parley_chamber.sandbox import Limits, Sandbox
from parley_prover.weights import register_model
from parley_verifier.challenge import VerifierPolicy

RUNTIME = OnnxRuntime(version=onnxruntime.__version__, file="model.onnx", shape=(3,))
OPERATOR = SigningKey(seed("operator"))
NEUTRAL = Operator(Bytes32(OPERATOR.public), "neutral", ("tests", "weights"))
LIMITS = Limits(memory=4 << 30, seconds=60)

# Without boxes these tests have nothing to test: they are skipped, but never where boxes are expected.
EXPECTED = bool(os.environ.get("CI")) and shutil.which("apt-get") is not None  # tools/system.sh installs them
boxed = pytest.mark.skipif(
    bool(sandbox.blocked()) and not EXPECTED, reason=f"no sandbox here: {sandbox.blocked()}"
)


def write_model(folder: Path, last: float) -> Path:
    """logits = x W, where the last class is weighted by `last`: 1 is always right, less is not."""
    folder.mkdir(exist_ok=True, parents=True)
    matrix = np.diag([1, 1, last]).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "W"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(matrix, "W")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder


def program_runtime(folder: Path, code: str, processes: int = 1) -> ProgramRuntime:
    """A Python program of the prover's, written to `folder`, and the runtime that names it."""
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "serve.py").write_text(PREAMBLE + code)
    content = hashlib.sha256((folder / "serve.py").read_bytes()).digest()
    command = (os.path.realpath(sys.executable), "-I", "-S", f"{PROGRAM}/serve.py")
    return ProgramRuntime(command, (("serve.py", Digest(content)),), processes)


# What a program of the prover's needs to speak with its chamber; `answers` takes it from there.
PREAMBLE = """
import struct, sys
def read():
    while head := sys.stdin.buffer.read(8):
        yield sys.stdin.buffer.read(*struct.unpack(">Q", head))
def say(output):
    said = b"\\1" if output is None else b"\\0" + output
    sys.stdout.buffer.write(struct.pack(">Q", len(said)) + said)
    sys.stdout.buffer.flush()
prompts = read()
limit = int.from_bytes(next(prompts), "big")
"""


def triples(count: int = 60) -> list[tuple[bytes, bytes]]:
    """Three different numbers, and which of them is the largest."""
    draw = random.Random(7)
    numbers = [draw.sample(range(30), 3) for _ in range(count)]
    return [(json.dumps(x).encode(), str(x.index(max(x))).encode()) for x in numbers]


class ChamberExercise(Exercise):
    """The prover registered one model; another one may answer; a chamber decides which it was."""

    def __init__(
        self, folder: Path, *, answers: float = 0.7, registered: float | Path = 0.7, items=None, **changes
    ):
        self.model = OnnxModel(pinned(RUNTIME, write_model(folder / "answering", answers)))
        given = isinstance(registered, Path)
        self.weights_folder = registered if given else write_model(folder / "registered", registered)
        super().__init__(
            folder, items=items or triples(), answer=lambda p, _: self.model.answer([(p, 100)])[0]
        )
        made = register_model(
            str(self.weights_folder), root_key=self.prover.root, name="m", entropy=Bytes32(seed("entropy"))
        )
        self.claim, self.secret = made.claim.sealed, made.secret
        terms = {
            "claims": (metric(min_assurance="re-executed"), IdentityClaim("identity", "re-executed")),
            "binding": "chamber",
            "operators": (NEUTRAL,),
            "runtime": RUNTIME.digest(),
            "sealed": SealedTerms() if changes.get("mode") == "sealed" else None,
        }
        self.terms = make_terms(self.verifier, self.prover, self.tests, self.claim, **(terms | changes))
        self.sealed_terms = statement.seal(self.terms.statement(), self.verifier.session)

    def weights(self, **changes) -> Weights:
        given = {"location": self.weights_folder, "secret": self.secret, "runtime": RUNTIME}
        return Weights(**(given | changes))

    def ask(self, machine, chamber=None, **changes) -> bytes:
        chamber = chamber or Chamber(OPERATOR, Sandbox.find(), LIMITS)
        return reexecute(chamber, machine, self.weights(**changes))

    def verifier_end(self, secret=b"v", policy=None, chamber="ask"):
        policy = policy or VerifierPolicy(
            self.verifier.history,
            CHANNEL,
            self.sealed_terms,
            self.tests,
            journal=self.journal(Role.VERIFIER),
            chamber=self.ask if chamber == "ask" else chamber,
        )
        return super().verifier_end(secret, policy)


def stranger(role: Role) -> Side:
    """Somebody else in a role."""
    return Side(SigningKey(seed("stranger", role)), SigningKey(seed("stranger session", role)), role)
