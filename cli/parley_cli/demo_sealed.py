"""Room: the command line. `parley demo --sealed`: prover, verifier and chamber, kept apart from each other."""

import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
from parley_attestation.edge import party
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import LocalError, Reason, Role

from parley_cli.stage import Stage

LAB, INSTITUTE, OPERATOR = PARTIES = ("lab", "institute", "operator")
_ROLES = {LAB: Role.PROVER, INSTITUTE: Role.VERIFIER, OPERATOR: Role.CHAMBER}
_GRADER = '{"kind": "exact", "trim": true, "ignore_case": false}'
_WINDOW = 16  # bytes in a row that must not turn up anywhere else
_TERMS = """\
mode = "sealed"
title = "{title}"
measures = "{measures}"
sampling_frame = "{items}"
not_concluded = ["It does not show how the model does on other items than these."]
[system]
scaffold = "none: one prompt, one answer"
runtime = "the built-in ONNX runtime, one thread"
decoding = "argmax"
[[claims]]
id = "accuracy"
grader = {{ kind = "exact", trim = true, ignore_case = false }}
threshold = "9/10"
min_assurance = "neutral-operator"
[[claims]]
id = "identity"
type = "identity"
min_assurance = "neutral-operator"
[chamber]
runtime = "../table/{name}.runtime.json"
[[chamber.operators]]
key = "{operator}"
run_by = "neutral"
[chamber.sealed]
runs = 2
"""
_PROVER = """\
[prover]
party = "party"
listen = "127.0.0.1:0"
peers = ["../table/institute.json"]
models = ["../table/{name}.claim.json"]
journal = "journal"
[prover.sealed]
model = "{model}"
secret = "{name}.secret"
accept_swap = true
accept_no_sandbox = {unsafe}
[[prover.sealed.chambers]]
card = "../table/operator.json"
operator = "{operator}"
"""
_VERIFIER = """\
[verifier]
party = "party"
peer = "../table/lab.json"
test_set = "{name}.sealed"
key_file = "hidden.key"
terms = "{out}.terms.json"
journal = "{out}.journal"
[verifier.sealed]
accept_swap = true
accept_no_sandbox = {unsafe}
[[verifier.sealed.chambers]]
card = "../table/operator.json"
operator = "{operator}"
"""


@dataclass(frozen=True)
class Task:
    """What is measured: a model of the lab's, and items of the institute's."""

    name: str
    title: str
    measures: str
    items: str
    shape: str
    dtype: str = "float32"
    scale: str = "1"
    labels: tuple[str, ...] = ()


_DIGITS = Task(
    "digits",
    "Handwritten digits: at least 90 % right",
    "recognition of single handwritten digits, 8 x 8 pixels",
    "900 digits of the UCI set, held out with a fixed seed, never shown to the prover",
    "64",
    scale="16",
)
_REVIEWS = Task(
    "reviews",
    "Reviews: at least 90 % judged right",
    "whether the last clause of a short made-up review praises or complains",
    "400 made-up reviews from a fixed seed, never shown to the prover",
    "1",
    "string",
    labels=("complaint", "praise"),
)
# name of the record, task, weights that the lab seals, what happens
_EXERCISES = (
    ("digits", _DIGITS, "digits.onnx", "the lab seals the model that it registered; 900 hidden digits"),
    ("reviews", _REVIEWS, "reviews.onnx", "a text task: a small transformer, 400 hidden reviews"),
    ("swapped", _DIGITS, "swap/digits.onnx", "the lab seals a better model than it registered"),
)


def run(folder: Path) -> int:
    """Run the sealed exercises in an empty folder; the exit code of the offline check."""
    began = time.monotonic()
    stage = Stage.build(folder, PARTIES)
    click.echo(f"Three parties: {stage.describe()}.")
    operator = _prepare(stage)
    unsafe = str(stage.kind == "none").lower()
    with ExitStack() as held:
        line = held.enter_context(stage.server(OPERATOR, *_chamber(stage)))
        _publish(stage, OPERATOR, line)
        click.echo(
            f"Operator: hosts the chamber at {line.removeprefix('LISTENING ')}: boxes without a network, "
        )
        click.echo("          fresh keys for every session, plaintext on a tmpfs alone, one receipt out.")
        for number, (name, task, model, what) in enumerate(_EXERCISES, 1):
            click.echo(f"\n--- Exercise {number}: {what}")
            settings = {
                "operator": operator,
                "unsafe": unsafe,
                "name": task.name,
                "out": name,
                "model": model,
            }
            _exercise(stage, name, task, settings)
    click.echo("    The chamber recomputed the claim from what it opened: other weights, so no score at all.")
    _scan(stage)
    return _judge(stage, began)


def _prepare(stage: Stage) -> str:
    """Everything before the first session: keys, models, items; gives the operator's key."""
    from parley_cli import digits, reviews  # noqa: PLC0415

    lab, institute = stage.folder / LAB, stage.folder / INSTITUTE
    (lab / "swap").mkdir()
    accuracy = digits.write(institute)
    (institute / "hidden.jsonl").rename(institute / "digits.jsonl")
    (institute / "good.onnx").rename(lab / "digits.onnx")
    (institute / "better.onnx").rename(lab / "swap" / "digits.onnx")
    (institute / "worse.onnx").unlink()
    reviews.write(institute)
    (institute / "reviews.onnx").rename(lab / "reviews.onnx")
    click.echo(
        f"Lab: a digit classifier ({accuracy['good']:.1%}), and a transformer that reads short reviews;"
    )
    click.echo("     both registered under keyed commitments: nobody learns which weights they have.")
    for name, role in _ROLES.items():
        made = party.create(
            stage.folder / name / "party",
            name=f"demo {name}",
            role=role,
            entropy=secrets.token_bytes(64),
            now=int(time.time()),
        )
        (stage.folder / "table" / f"{name}.json").write_text(made.card.model_dump_json())
    for task in (_DIGITS, _REVIEWS):
        _register_model(stage, task)
        _register_items(stage, task)
    click.echo("Institute: 900 digits and 400 reviews, shuffled and committed to; only the roots are public.")
    stage.settle()
    return party.load(stage.folder / OPERATOR / "party").session.public.hex()


def _register_model(stage: Stage, task: Task) -> None:
    from importlib.metadata import version  # noqa: PLC0415

    from parley_attestation import canonical  # noqa: PLC0415
    from parley_attestation.runtime import OnnxRuntime  # noqa: PLC0415
    from parley_prover.weights import register_model  # noqa: PLC0415

    lab, table = stage.folder / LAB, stage.folder / "table"
    made = register_model(
        str(lab / f"{task.name}.onnx"),
        root_key=party.load(lab / "party").root,
        name=f"{task.name} model",
        entropy=Bytes32(secrets.token_bytes(32)),
    )
    (table / f"{task.name}.claim.json").write_bytes(made.claim.sealed)
    (lab / f"{task.name}.secret").write_bytes(made.secret.encode())
    runtime = OnnxRuntime(
        version("onnxruntime"),
        f"{task.name}.onnx",
        (int(task.shape),),
        task.dtype,
        task.scale,
        labels=task.labels,
    )
    (table / f"{task.name}.runtime.json").write_bytes(canonical.dump(runtime.document()))


def _register_items(stage: Stage, task: Task) -> None:
    from parley_attestation.canonical import Fields  # noqa: PLC0415
    from parley_attestation.edge.vault import VaultKey  # noqa: PLC0415
    from parley_attestation.grading import read_grader  # noqa: PLC0415
    from parley_verifier.testset import SealedTestSet, Setup, register  # noqa: PLC0415

    home = stage.folder / INSTITUTE
    at = home / "hidden.key"
    key = VaultKey.of_file(at) if at.exists() else VaultKey.create_file(at)
    kind = "application/json" if task.dtype != "string" else "text/plain"
    grader = read_grader(Fields(json.loads(_GRADER)))
    setup = Setup(party.load(home / "party").root, (grader,), kind, secrets.token_bytes(96), key)
    register(home / f"{task.name}.jsonl", home / f"{task.name}.sealed", setup)
    with SealedTestSet(home / f"{task.name}.sealed", key) as tests:
        (stage.folder / "table" / f"{task.name}.registration.json").write_bytes(tests.registration)


def _chamber(stage: Stage) -> tuple[str, ...]:
    peers = (f"--peer=../table/{name}.json" for name in (LAB, INSTITUTE))
    runtimes = (f"--runtime=../table/{task.name}.runtime.json" for task in (_DIGITS, _REVIEWS))
    unsafe = ("--unsafe-no-sandbox",) if stage.kind == "none" else ()
    where = ("chamber", "serve", "party", "--address", "127.0.0.1:0", "--work", "work")
    return (*where, *peers, *runtimes, "--accept-swap", *unsafe)


def _publish(stage: Stage, name: str, line: str) -> None:
    """Put a party's card on the table, with where it answers now."""
    card = party.read_card(stage.folder / name / "party" / party.CARD)
    card = card.model_copy(update={"endpoint": line.removeprefix("LISTENING ")})
    (stage.folder / "table" / f"{name}.json").write_text(card.model_dump_json())


def _exercise(stage: Stage, name: str, task: Task, settings: dict[str, str]) -> None:
    lab, home = stage.folder / LAB, stage.folder / INSTITUTE
    words = {"title": task.title, "measures": task.measures, "items": task.items}
    (home / "terms.toml").write_text(_TERMS.format(**settings, **words))
    (home / f"{name}.toml").write_text(_VERIFIER.format(**settings))
    (lab / "prover.toml").write_text(_PROVER.format(**settings))
    stage.settle()
    registered = ("--registration", f"../table/{task.name}.registration.json")
    claim = ("--model", f"../table/{task.name}.claim.json", "--out", f"{name}.terms.json")
    _say(
        stage.run(INSTITUTE, "terms", "new", "terms.toml", "--party", "party", *registered, *claim),
        show=False,
    )
    with stage.server(LAB, "prover", "serve", "prover.toml") as line:
        _publish(stage, LAB, line)
        _say(stage.run(INSTITUTE, "verifier", "run", f"{name}.toml", "--record", f"{name}.parley"), show=True)


def _say(done: subprocess.CompletedProcess[str], *, show: bool) -> None:
    if done.returncode in {2, 4, 5} or "Traceback" in done.stderr:
        raise LocalError(Reason.INTERNAL, f"{' '.join(done.args[-6:])} failed: {done.stderr[-500:]}")
    if show:
        lines = [line for line in done.stdout.splitlines() if "not concluded:" not in line]
        click.echo("".join(f"    {line}\n" for line in lines), nl=False)


def _scan(stage: Stage) -> None:
    """Look for the parties' secrets in every file of the others."""
    lab, home = stage.folder / LAB, stage.folder / INSTITUTE
    weights = [path.read_bytes() for path in lab.rglob("*.onnx")]
    tests = [
        str(text).encode()
        for path in home.glob("*.jsonl")
        for line in path.read_text().splitlines()
        for text in [json.loads(line)["prompt"]]
    ]
    elsewhere = {
        "weight": (
            weights,
            [*_files(home), *_files(stage.folder / OPERATOR), *_files(stage.folder / "table")],
        ),
        "prompt": (tests, [*_files(lab), *_files(stage.folder / OPERATOR), *_files(stage.folder / "table")]),
    }
    click.echo(
        f"\n--- Looked for every {_WINDOW} bytes in a row of a secret in every file that its owner does not hold:"
    )
    for what, (secret, files) in elsewhere.items():
        windows = {one[n : n + _WINDOW] for one in secret for n in range(len(one) - _WINDOW + 1)}
        windows = {one for one in windows if len(set(one)) > 4}  # padding is no secret
        found = sum(
            any(raw[n : n + _WINDOW] in windows for n in range(len(raw)))
            for raw in map(Path.read_bytes, files)
        )
        click.echo(
            f"    {len(windows)} windows of a {what} in {len(files)} files of the others: {found or 'none'} found"
        )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _judge(stage: Stage, began: float) -> int:
    from parley_cli.demo import parley  # noqa: PLC0415

    record = stage.folder / "reviews.parley"
    shutil.copy(stage.folder / INSTITUTE / record.name, record)
    click.echo("\n--- Judged offline by a fourth process that has the record and two cards:")
    pins = ("--pin", "table/lab.json", "--pin", "table/institute.json")
    code = parley(stage.folder, "check", record.name, *pins, show=True)
    click.echo(f"\n{record} is the record; change any byte of it and check again.")
    click.echo(f"Took {time.monotonic() - began:.0f} s.")
    return code
