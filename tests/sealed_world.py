"""Three parties on disk, as people would make them, for sealed exercises between real processes."""

import contextlib
import json
import os
import random
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
from kit import EXACT
from parley_attestation import canonical, statement
from parley_attestation.edge.onnx import OnnxModel, pinned
from parley_attestation.edge.vault import VaultKey
from parley_attestation.encoding import Bytes32, Digest, Nonce
from parley_attestation.errors import Role
from parley_attestation.runtime import OnnxRuntime
from parley_cli import digits
from parley_prover.weights import register_model
from parley_verifier.terms_file import ChamberFile, ClaimFile, OperatorFile, SealedFile, TermsFile, make_terms
from parley_verifier.testset import SealedTestSet, Setup, register
from world import free_port, make_party

ITEMS, WRONG = 40, 9  # items of the set; those of them that the model gets wrong
RUNTIME = OnnxRuntime(version=onnxruntime.__version__, file="model.onnx", shape=(64,), scale="16")
PROVER = """\
[prover]
party = "prover"
listen = "127.0.0.1:{port}"
peers = ["verifier/card.json"]
models = ["model.claim.json"]
[prover.engine]
kind = "onnx"
model = "model/model.onnx"
shape = [64]
scale = 16.0
[prover.sealed]
model = "{model}"
secret = "model.secret"
accept_swap = true
[[prover.sealed.chambers]]
card = "chamber.card.json"
operator = "{operator}"
"""
VERIFIER = """\
[verifier]
party = "verifier"
peer = "prover.card.json"
test_set = "{tests}"
key_file = "hidden.key"
terms = "terms.json"
[verifier.sealed]
accept_swap = true
[[verifier.sealed.chambers]]
card = "chamber.card.json"
operator = "{operator}"
"""


def write_model(folder: Path, seed: int) -> None:
    """A dense random classifier and more random bytes than fit one message: no stretch is like another."""
    draw = np.random.default_rng(seed)
    layers = SimpleNamespace(
        coefs_=[draw.normal(size=(64, 16)), draw.normal(size=(16, 10))],
        intercepts_=[draw.normal(size=16), draw.normal(size=10)],
    )
    folder.mkdir()
    (folder / "model.onnx").write_bytes(digits._to_onnx(layers))
    (folder / "more.bin").write_bytes(random.Random(seed).randbytes(1 << 20))


def make_items(model: OnnxModel, seed: int = 5):
    """Random pictures; the model is right about all of them but `WRONG`."""
    draw = random.Random(seed)
    prompts = [json.dumps([draw.randrange(17) for _ in range(64)]) for _ in range(ITEMS)]
    for number, (prompt, said) in enumerate(
        zip(prompts, model.answer([(p.encode(), 100) for p in prompts]), strict=True)
    ):
        wrong = f"a reference of its own: {draw.getrandbits(200):x}"
        yield {"prompt": prompt, "reference": said.decode() if number >= WRONG else wrong}


@dataclass
class SealedWorld:
    """One folder with everything that three parties need for one exercise over real connections."""

    folder: Path
    prover_port: int
    chamber_port: int
    parties: dict

    @property
    def pins(self):
        return [self.parties[role].card.fingerprint for role in (Role.PROVER, Role.VERIFIER)]

    def spilled(self):
        """Files in which a secret lies that is not their owner's: every 16 bytes in a row are looked for."""
        rows = [json.loads(line) for line in (self.folder / "hidden.jsonl").read_text().splitlines()]
        secret = [part.encode() for row in rows for part in row.values()]
        secret += [path.read_bytes() for path in (self.folder / "model").iterdir()]
        windows = {one[n : n + 16] for one in secret for n in range(len(one) - 15)}
        windows = {one for one in windows if len(set(one)) > 5}
        assert len(windows) > 1 << 20
        found = []
        for path in self.folder.rglob("*"):
            sources = path.suffix == ".jsonl" or path.parent.name in {"model", "better"}
            if path.is_file() and not sources:
                raw = path.read_bytes()
                found += [path.name] if any(raw[n : n + 16] in windows for n in range(len(raw) - 15)) else []
        return found

    def command(self, *arguments, moment=None):
        start = ["-m", "parley_cli"] if moment is None else [str(KILLED), *map(str, moment)]
        return [sys.executable, *start, *arguments]

    @contextlib.contextmanager
    def server(self, *arguments, moment=None):
        """A real server; it is terminated at the end, where it has not died before."""
        process = subprocess.Popen(
            self.command(*arguments, moment=moment),
            cwd=self.folder,
            env=os.environ | {"TMPDIR": str(self.folder / "tmp")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            line = process.stdout.readline()
            assert line.startswith("LISTENING"), process.stderr.read()
            try:
                yield process
            finally:
                process.terminate()
                process.communicate(timeout=60)

    def prover(self, moment=None, config="prover.toml"):
        return self.server("prover", "serve", config, moment=moment)

    def chamber(self, moment=None, work="work"):
        return self.server(
            "chamber", "serve", "chamber", "--address", f"127.0.0.1:{self.chamber_port}", "--work", work,
            "--peer", "prover/card.json", "--peer", "verifier/card.json", "--runtime", "runtime.json",
            "--accept-swap", moment=moment,
        )  # fmt: skip

    def verify(self, moment=None, record="record.parley", config="verifier.toml"):
        return subprocess.run(
            self.command("verifier", "run", config, "--record", record, moment=moment),
            cwd=self.folder,
            env=os.environ | {"TMPDIR": str(self.folder / "tmp")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def parley(self, *arguments):
        """A command in the world's folder."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def write_configs(self, *, model="model", tests="hidden.sealed", more=""):
        operator = self.parties[Role.CHAMBER].session.public.hex()
        prover = PROVER.format(port=self.prover_port, operator=operator, model=model)
        (self.folder / "prover.toml").write_text(prover.replace("[prover]", f"[prover]\n{more}"))
        verifier = VERIFIER.format(operator=operator, tests=tests)
        if "hand_over" in more:
            verifier = verifier.replace("[verifier]", '[verifier]\nresults = "hidden.results"', 1)
        (self.folder / "verifier.toml").write_text(verifier)


KILLED = Path(__file__).parent / "e2e" / "killed.py"


def register_tests(folder: Path, verifier, name: str, seed: int = 5) -> SealedTestSet:
    """A hidden set in `folder`, whose items the model knows."""
    model = OnnxModel(pinned(RUNTIME, folder / "model"))
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(i) + "\n" for i in make_items(model, seed)))
    if not (folder / "hidden.key").exists():
        VaultKey.create_file(folder / "hidden.key")
    key = VaultKey.of_file(folder / "hidden.key")
    setup = Setup(verifier.root, (GRADER,), "application/json", secrets.token_bytes(96), key)
    register(folder / f"{name}.jsonl", folder / f"{name}.sealed", setup)
    return SealedTestSet(folder / f"{name}.sealed", key)


GRADER = EXACT


def make_sealed_world(
    folder: Path, *, mode: str = "sealed", run_by: str = "neutral", hand_over: bool = False, **changes
) -> SealedWorld:
    """Three parties, a registered model and a hidden set, the terms over both, and everybody's configuration.

    Args:
        folder: Empty.
        mode: Of the terms.
        run_by: On whose side the chamber stands.
        hand_over: Whether the verifier gets every result.
        changes: To the file that the terms are made from.
    """
    parties = {role: make_party(folder, role) for role in (Role.PROVER, Role.VERIFIER, Role.CHAMBER)}
    prover, verifier, chamber = parties.values()
    (folder / "tmp").mkdir()
    claim = register_weights(folder, prover)
    with contextlib.closing(register_tests(folder, verifier, "hidden")) as tests:
        public = tests.public
        (folder / "hidden.registration.json").write_bytes(tests.registration)
    operator = OperatorFile(key=chamber.session.public.hex(), run_by=run_by)
    terms = make_terms(
        written_terms(mode, operator, hand_over=hand_over, **changes),
        test_set=public,
        prover=prover.card.fingerprint,
        model_claim=claim,
        nonce=Nonce(secrets.token_bytes(32)),
        base=folder,
    )
    (folder / "terms.json").write_bytes(statement.seal(terms.statement(), verifier.session))
    world = SealedWorld(folder, free_port(), free_port(), parties)
    for who, port in ((prover, world.prover_port), (chamber, world.chamber_port)):
        card = who.card.model_copy(update={"endpoint": f"127.0.0.1:{port}"})
        (folder / f"{who.card.role}.card.json").write_text(card.model_dump_json())
    world.write_configs(more="hand_over = true\n" if hand_over else "")
    return world


def register_weights(folder: Path, prover) -> Digest:
    """The prover's model with its claim, its secret and the runtime's document; the claim's digest."""
    write_model(folder / "model", 1)
    made = register_model(
        str(folder / "model"), root_key=prover.root, name="m", entropy=Bytes32(secrets.token_bytes(32))
    )
    (folder / "model.claim.json").write_bytes(made.claim.sealed)
    (folder / "model.secret").write_bytes(made.secret.encode())
    (folder / "runtime.json").write_bytes(canonical.dump(RUNTIME.document()))
    return made.claim.statement.digest()


def written_terms(mode: str, operator: OperatorFile, *, hand_over: bool, **changes) -> TermsFile:
    """The terms as a person writes them: the model is as good as they ask, and not one item better."""
    claims = [
        ClaimFile(
            id="accuracy",
            grader=GRADER.document(),
            threshold=f"{ITEMS - WRONG}/{ITEMS}",
            alpha_compliant="1/1000000000000",
            alpha_violation="1/1000000000000",
        ),
    ]
    if mode == "sealed":
        claims.append(ClaimFile(id="identity", type="identity", min_assurance="neutral-operator"))
    rules = SealedFile(hand_over=True) if hand_over else None
    chosen = {"chamber": ChamberFile(operators=[operator], runtime=Path("runtime.json"), sealed=rules)}
    return TermsFile(
        title="forty pictures",
        mode=mode,
        system={"scaffold": "none", "runtime": "onnxruntime", "decoding": "argmax"},
        claims=claims,
        measures="nothing",
        sampling_frame="made up",
        not_concluded=["anything else"],
        **((chosen if mode == "sealed" else {}) | changes),
    )
