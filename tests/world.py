"""Two parties on disk, as people would make them: folders, a sealed set, a model, terms, configurations."""

import contextlib
import json
import secrets
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from kit import EXACT
from parley_attestation import statement
from parley_attestation.edge import party
from parley_attestation.edge.vault import VaultKey
from parley_attestation.encoding import Bytes32, Nonce
from parley_attestation.errors import Role
from parley_attestation.model.claim import read_claim
from parley_cli import digits
from parley_prover.weights import register_model
from parley_verifier.client import Run
from parley_verifier.terms_file import ClaimFile, PlanFile, TermsFile, make_terms
from parley_verifier.testset import SealedTestSet, Setup, register

ITEMS = 10
PROVER = """\
[prover]
party = "prover"
listen = "127.0.0.1:{port}"
peers = ["verifier/card.json"]
models = ["model.claim.json"]
sessions = {sessions}
[prover.engine]
kind = "onnx"
model = "model.onnx"
shape = [64]
"""
VERIFIER = """\
[verifier]
party = "verifier"
peer = "prover.card.json"
test_set = "hidden.sealed"
key_file = "hidden.key"
terms = "terms.json"
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def model() -> bytes:
    """A classifier that says which of its first ten inputs is largest: never wrong on `items`."""
    layers = SimpleNamespace(coefs_=[np.eye(64, 10), np.eye(10)], intercepts_=[np.zeros(10), np.zeros(10)])
    return digits._to_onnx(layers)


def items():
    for n in range(ITEMS):
        pixels = [0] * 64
        pixels[n % 10], pixels[10 + n] = 9, 1
        yield {"prompt": pixels, "reference": str(n % 10)}


@dataclass
class World:
    """One folder with everything two parties need for one exercise over a real connection."""

    folder: Path
    port: int
    verifier: party.Party
    prover: party.Party
    claim: bytes
    terms: bytes
    tests: SealedTestSet

    @property
    def card(self):
        """The prover's card, with where it answers."""
        return self.prover.card.model_copy(update={"endpoint": f"127.0.0.1:{self.port}"})

    def job(self, **changes) -> Run:
        parts = {
            "party": self.verifier,
            "peer": self.card,
            "terms": self.terms,
            "tests": self.tests,
            "journal": self.folder / "verifier.journal",
            "silence": 20.0,
        }
        return Run(**{**parts, **changes})


def make_party(folder: Path, role: Role, name: str = "") -> party.Party:
    where = folder / (name or role.value)
    return party.create(
        where, name=f"test {role}", role=role, entropy=secrets.token_bytes(64), now=int(time.time())
    )


@contextlib.contextmanager
def world(folder: Path, **how):
    """A world whose files are closed in the end."""
    made = make_world(folder, **how)
    with contextlib.closing(made.tests):
        yield made


def make_world(folder: Path, *, sessions: int = 4, batch: int = 10, **terms) -> World:
    verifier, prover = make_party(folder, Role.VERIFIER), make_party(folder, Role.PROVER)
    (folder / "model.onnx").write_bytes(model())
    entropy = Bytes32(secrets.token_bytes(32))
    claim = register_model(
        str(folder / "model.onnx"), root_key=prover.root, name="tiny", entropy=entropy
    ).claim.sealed
    (folder / "model.claim.json").write_bytes(claim)
    (folder / "hidden.jsonl").write_text("".join(json.dumps(i) + "\n" for i in items()))
    key = VaultKey(secrets.token_bytes(32), passphrase=False)
    (folder / "hidden.key").touch(0o600)
    (folder / "hidden.key").write_bytes(key.secret)
    setup = Setup(verifier.root, (EXACT,), "application/json", secrets.token_bytes(96), key)
    register(folder / "hidden.jsonl", folder / "hidden.sealed", setup)
    tests = SealedTestSet(folder / "hidden.sealed", key)
    written = TermsFile(
        title="ten small pictures",
        system={"scaffold": "none", "runtime": "onnxruntime", "decoding": "argmax"},
        claims=[ClaimFile(id="accuracy", grader=EXACT.document(), threshold="4/5")],
        plan=PlanFile(batch=batch),
        measures="which pixel is brightest",
        sampling_frame="made up",
        not_concluded=["anything else"],
        **terms,
    )
    made = make_terms(
        written,
        test_set=tests.public,
        prover=prover.card.fingerprint,
        model_claim=read_claim(claim).statement.digest(),
        nonce=Nonce(secrets.token_bytes(32)),
    )
    terms = statement.seal(made.statement(), verifier.session)
    (folder / "terms.json").write_bytes(terms)
    found = World(folder, free_port(), verifier, prover, claim, terms, tests)
    (folder / "prover.card.json").write_text(found.card.model_dump_json())
    (folder / "prover.toml").write_text(PROVER.format(port=found.port, sessions=sessions))
    (folder / "verifier.toml").write_text(VERIFIER)
    return found
