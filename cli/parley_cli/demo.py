"""Room: the command line. `parley demo`: short exercises between real processes on real data."""

import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import click
from parley_attestation.edge import party
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import LocalError, Reason, Role

_TERMS = """\
witnesses = ["{witness}"]
witness_threshold = 1
unreachable = "pause"
title = "Handwritten digits: at least 90 % right"
measures = "recognition of single handwritten digits, 8 x 8 pixels"
sampling_frame = "900 digits of the UCI set, held out with a fixed seed, never shown to the prover"
not_concluded = ["It does not show how the model does on digits from other writers or scanners."]
[system]
scaffold = "none: one prompt of 64 pixel values, one answer"
runtime = "onnxruntime, one thread"
decoding = "argmax"
[plan]
batch = 32
[[claims]]
id = "accuracy"
grader = {{ kind = "exact", trim = true, ignore_case = false }}
threshold = "9/10"
alpha_compliant = "1/20"
alpha_violation = "1/100"
"""
_RUNTIME = "good.runtime.json"
_PROVER = """\
[prover]
party = "prover"
listen = "127.0.0.1:0"
peers = ["verifier/card.json"]
models = ["model.claim.json"]
witnesses = ["witness.peer.json"]
journal = "{name}.prover.journal"
declared = {{ accuracy = 0.95 }}
[prover.engine]
kind = "onnx"
model = "data/{model}.onnx"
shape = [64]
scale = 16.0
runtime_version = "{version}"
"""
_VERIFIER = """\
[verifier]
party = "verifier"
peer = "{name}.peer.json"
witnesses = ["witness.peer.json"]
test_set = "hidden.sealed"
key_file = "hidden.key"
terms = "{name}.terms.json"
journal = "{name}.verifier.journal"
binding = "{name}.binding.json"
"""
_PARTIES = {
    "prover": Role.PROVER,
    "verifier": Role.VERIFIER,
    "witness": Role.WITNESS,
    "operator": Role.CHAMBER,
}
_EXERCISES = (
    ("record", "good", "the prover answers with the model it registered", ""),
    ("worse", "worse", "the prover answers with a worse model than it registered", ""),
    (
        "better",
        "better",
        "the prover answers with a better model than it registered",
        (
            "The score holds, so the claim about the score does too. But which weights answered rests on the "
            "prover's word: at assurance `declared`, identity stays INCONCLUSIVE whatever the score. Only a check "
            "where both secrets may be present (a chamber that re-executes the opened items, or sealed mode) notices."
        ),
    ),
    (
        "reexecuted",
        "better",
        "the same swap, and the terms demand that a chamber re-executes every opened item",
        (
            "The registered weights do not give the answers that were given: what exercise 3 could not see is "
            "a VIOLATION of the identity here, at assurance `re-executed`."
        ),
    ),
)
_CHAMBER = """[[claims]]
id = "identity"
type = "identity"
min_assurance = "re-executed"
[chamber]
runtime = "good.runtime.json"
[[chamber.operators]]
key = "{operator}"
run_by = "neutral"
"""


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="Folder to work in; default: a fresh one.")
@click.option(
    "--sealed", is_flag=True, help="Sealed mode: a chamber runs it all, nobody sees the other's secret."
)
def demo(out: Path | None, *, sealed: bool) -> int:
    """Run four exercises: an honest prover, one that swaps in a worse model, one a better one, and its catch."""
    folder = out or Path(tempfile.mkdtemp(prefix="parley-demo-"))
    if folder.exists() and any(folder.iterdir()):
        raise LocalError(Reason.CONFIG, f"{folder}: is not empty", hint="name a fresh folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    click.echo(f"Everything below happens in {folder}\n")
    if sealed:
        from parley_cli.demo_sealed import run  # noqa: PLC0415

        return run(folder.resolve())
    _prepare(folder)
    with _witness(folder):
        for number, (name, model, what, why) in enumerate(_EXERCISES, 1):
            click.echo(f"\n--- Exercise {number}: {what}")
            _exercise(folder, name, model)
            if why:
                click.echo(f"    {why}")
    click.echo(
        "\n--- Judged offline by a third process that saw neither party, only the record and two cards:"
    )
    code = parley(
        folder,
        "check",
        "record.parley",
        "--pin",
        "prover/card.json",
        "--pin",
        "verifier/card.json",
        show=True,
    )
    click.echo(f"\n{folder / 'record.parley'} is the record; change any byte of it and check again.")
    click.echo(f"Took {time.monotonic() - began:.0f} s.")
    return code


def _prepare(folder: Path) -> None:
    from parley_cli import digits  # noqa: PLC0415

    accuracy = digits.write(folder / "data")
    rates = ", ".join(f"{name} {rate:.1%}" for name, rate in accuracy.items())
    click.echo(f"Lab: trained three small classifiers on handwritten digits ({rates}).")
    for name, role in _PARTIES.items():
        party.create(
            folder / name,
            name=f"demo {name}",
            role=role,
            entropy=secrets.token_bytes(64),
            now=int(time.time()),
        )
    _register_model(folder)
    _write_terms(folder)
    _register_tests(folder)


def _register_model(folder: Path) -> None:
    from parley_prover.weights import register_model  # noqa: PLC0415

    made = register_model(
        str(folder / "data" / "good.onnx"),
        root_key=party.load(folder / "prover").root,
        name="digits classifier",
        entropy=Bytes32(secrets.token_bytes(32)),
    )
    (folder / "model.claim.json").write_bytes(made.claim.sealed)
    (folder / "model.secret").write_bytes(made.secret.encode())
    click.echo("Lab: registered one of them under a keyed commitment; nobody learns which weights it has.")


def _write_terms(folder: Path) -> None:
    witness = party.read_card(folder / "witness" / party.CARD)
    terms = _TERMS.format(witness=witness.root_key)
    (folder / "terms.toml").write_text(terms)
    operator = party.load(folder / "operator").session.public.hex()
    (folder / "reexecuted.terms.toml").write_text(terms + _CHAMBER.format(operator=operator))
    parley(folder, "chamber", "runtime", "good.onnx", *("--shape", "64", "--scale", "16", "--out", _RUNTIME))


def _register_tests(folder: Path) -> None:
    parley(
        folder,
        "testset",
        "register",
        "data/hidden.jsonl",
        "--party",
        "verifier",
        "--out",
        "hidden.sealed",
        "--key-file",
        "hidden.key",
        "--grader",
        '{"kind": "exact", "trim": true, "ignore_case": false}',
        "--media-type",
        "application/json",
        "--gate",
        "terms.toml",
    )
    click.echo("Inspector: shuffled and committed to 900 hidden digits; only the root is public;")
    click.echo("           answers without a model (refusals, constants, chance) miss the claim by far.")


def _exercise(folder: Path, name: str, model: str) -> None:
    again = name == "reexecuted"
    parley(
        folder,
        "terms",
        "new",
        "reexecuted.terms.toml" if again else "terms.toml",
        "--party",
        "verifier",
        "--registration",
        "hidden.sealed.registration.json",
        "--model",
        "model.claim.json",
        "--out",
        f"{name}.terms.json",
    )
    (folder / f"{name}.prover.toml").write_text(
        _PROVER.format(name=name, model=model, version=version("onnxruntime"))
    )
    (folder / f"{name}.verifier.toml").write_text(_VERIFIER.format(name=name))
    with _server(folder, "prover", "serve", f"{name}.prover.toml") as line:
        endpoint = line.removeprefix("LISTENING ")
        _write_card(folder, "prover", endpoint, f"{name}.peer.json")
        click.echo(
            f"    a real prover serves at {endpoint} over mutually pinned TLS; a real verifier connects"
        )
        ask = ("verifier", "run", f"{name}.verifier.toml", "--record", f"{name}.parley")
        if again:
            parley(folder, *ask, stops=True)
            _reexecute(folder, name)
        parley(folder, *ask, show=True)


def _reexecute(folder: Path, name: str) -> None:
    """Have a third process, where both secrets are, run the registered weights over every opened item."""
    from parley_chamber import sandbox  # noqa: PLC0415

    why = sandbox.blocked()
    click.echo(
        "    the references are shown, and the verifier waits: a chamber has both, the record and the weights"
    )
    click.echo(f"    (without boxes here: {why})" if why else "    (in bubblewrap boxes without a network)")
    weights = ("--model", "data/good.onnx", "--secret", "model.secret", "--runtime", _RUNTIME)
    out = ("--party", "operator", "--out", f"{name}.binding.json", *(["--unsafe-no-sandbox"] if why else []))
    parley(folder, "chamber", "reexecute", f"{name}.opened.parley", *weights, *out, show=True)


@contextmanager
def _witness(folder: Path) -> Iterator[None]:
    """A witness of its own, which admits the two parties and gives heads a time."""
    pinned = ("--peer", "prover/card.json", "--peer", "verifier/card.json")
    with _server(folder, "witness", "serve", "witness", "--address", "127.0.0.1:0", *pinned) as line:
        port = line.rpartition(" ")[2]
        _write_card(folder, "witness", f"127.0.0.1:{port}", "witness.peer.json")
        click.echo(f"Witness: a third process gives heads a time at port {port}; it never sees content.")
        yield


def _write_card(folder: Path, name: str, endpoint: str, out: str) -> None:
    card = party.read_card(folder / name / party.CARD).model_copy(update={"endpoint": endpoint})
    (folder / out).write_text(card.model_dump_json())


@contextmanager
def _server(folder: Path, *arguments: str) -> Iterator[str]:
    """A parley server in a process of its own; gives the line that it prints when it listens."""
    command = [sys.executable, "-m", "parley_cli", *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline().strip()
            if not line:
                raise LocalError(Reason.INTERNAL, f"parley {arguments[0]} did not start; see above")
            yield line
        finally:
            server.terminate()


def parley(folder: Path, *arguments: str, show: bool = False, stops: bool = False) -> int:
    """Run a parley command in a process of its own; its exit code, where it is not our own fault.

    With `stops`, the command is one that stops where it needs something else first.
    """
    done = subprocess.run(
        [sys.executable, "-m", "parley_cli", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode in ({2, 4} if stops else {2, 4, 5}) or "Traceback" in done.stderr:
        raise LocalError(
            Reason.INTERNAL, f"parley {arguments[0]} {arguments[1]} failed: {done.stderr[-500:]}"
        )
    if show:
        lines = [
            line
            for line in done.stdout.splitlines()
            if "not concluded:" not in line or arguments[0] == "check"
        ]
        click.echo("".join(f"    {line}\n" for line in lines), nl=False)
    return done.returncode
