"""Room: the command line. `parley chamber`; `parley keygen --role chamber` makes one."""

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from parley_chamber.service import Setup

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SWEEP = 3600  # seconds between two looks for results whose time is over


@click.group()
def chamber() -> None:
    """Run or re-execute an exercise where both secrets may be."""


@chamber.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
def show(folder: Path) -> None:
    """Print what terms and both parties name of the operator in FOLDER."""
    from parley_attestation.edge import party  # noqa: PLC0415

    own = party.load(folder)
    click.echo(f"operator     {own.session.public.hex()}")
    click.echo(f"fingerprint  {own.card.root}")


@chamber.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--address", default="127.0.0.1:50571", show_default=True, help="host:port to listen on.")
@click.option(
    "--peer",
    "peers",
    multiple=True,
    required=True,
    type=_FILE,
    help="Card of a party to admit; a session is between a prover and a verifier of these.",
)
@click.option(
    "--runtime", "runtimes", multiple=True, required=True, type=_FILE, help="A runtime that terms may name."
)
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    help="Sealed uploads and the ledger of runs; default: FOLDER/chamber. Plaintext never lies there.",
)
@click.option(
    "--memory", default=4096, show_default=True, help="MiB of one box, and of all outputs of one run."
)
@click.option("--seconds", default=3600, show_default=True, help="Longest run of one box.")
@click.option(
    "--sessions", default=16, show_default=True, help="Sessions of one pair of parties held at once."
)
@click.option("--upload", default=160, show_default=True, help="GiB of one sealed upload at most.")
@click.option(
    "--keep-days", default=30, show_default=True, help="Days that sealed results wait for their verifier."
)
@click.option(
    "--keep-results",
    default=1000,
    show_default=True,
    help="Sessions of which results wait; the oldest go first.",
)
@click.option("--unsafe-no-sandbox", "unsafe", is_flag=True, help="Run without boxes; every receipt says so.")
@click.option(
    "--accept-swap",
    is_flag=True,
    help="Run where memory may be swapped out in the clear; every receipt says so.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say no more than where it listens.")
def serve(  # noqa: PLR0913 - keyword-only, each an option
    folder: Path,
    *,
    address: str,
    peers: tuple[Path, ...],
    runtimes: tuple[Path, ...],
    work: Path | None,
    memory: int,
    seconds: int,
    sessions: int,
    upload: int,
    keep_days: int,
    keep_results: int,
    unsafe: bool,
    accept_swap: bool,
    quiet: bool,
) -> None:
    """Host the chamber of the operator in FOLDER until it is interrupted.

    Keys are fresh for every session and lie in memory alone; what is opened lies in memory and on the
    tmpfs at /dev/shm and is wiped. Prints LISTENING and the port on stdout; progress goes to stderr:
    session ids and codes, never content. What stays on a disk is sealed: results until their time is over,
    and the ledger of runs.
    """
    from parley_attestation import canonical  # noqa: PLC0415
    from parley_attestation.edge import party  # noqa: PLC0415
    from parley_attestation.runtime import read_runtime  # noqa: PLC0415
    from parley_chamber import plaintext, swap  # noqa: PLC0415
    from parley_chamber.retention import DAY, Retention  # noqa: PLC0415
    from parley_chamber.sandbox import Limits, Sandbox  # noqa: PLC0415
    from parley_chamber.service import Setup  # noqa: PLC0415

    logging.basicConfig(level=logging.WARNING if quiet else logging.INFO, format="%(asctime)s %(message)s")
    own = party.load(folder)
    box = Sandbox.find(unsafe=unsafe)
    swap.check(accept=accept_swap)
    plaintext.prepare()
    setup = Setup(
        own,
        tuple(party.read_card(path) for path in peers),
        work or folder / "chamber",
        tuple(read_runtime(canonical.load(path.read_bytes())) for path in runtimes),
        box,
        Limits(memory=memory << 20, seconds=seconds),
        sessions,
        upload << 30,
        keep=Retention(keep_days * DAY, keep_results),
    )
    click.echo(f"operator {own.session.public.hex()}; boxes: {box.kind}; swap: {swap.stated()}", err=True)
    _host(setup, address)


def _host(setup: "Setup", address: str) -> None:
    """Serve until interrupted, then end this process."""
    from parley_chamber import plaintext, service  # noqa: PLC0415

    server, port = service.serve(setup, address)
    click.echo(f"LISTENING {address.rpartition(':')[0]}:{port}")
    stop = _interrupted()
    while not stop.wait(_SWEEP):
        setup.keep.apply(setup.folder, time.time())
    server.stop(grace=5).wait()
    plaintext.wipe()
    click.echo("stopped; keys are gone, plaintext is wiped", err=True)
    sys.stdout.flush()
    os._exit(0)  # a run in the middle ends with this process, and so does its box


def _interrupted() -> threading.Event:
    """What is set once this process is to end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


@chamber.command()
@click.argument("record", type=_FILE)
@click.option(
    "--party", "folder", type=click.Path(path_type=Path), required=True, help="The operator's party."
)
@click.option("--model", type=click.Path(exists=True, path_type=Path), required=True, help="The weights.")
@click.option("--secret", type=_FILE, required=True, help="What opens the model claim.")
@click.option("--runtime", type=_FILE, required=True, help="The runtime's document.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The statement.")
@click.option("--unsafe-no-sandbox", "unsafe", is_flag=True, help="Run without boxes; the statement says so.")
def reexecute(
    record: Path, *, folder: Path, model: Path, secret: Path, runtime: Path, out: Path, unsafe: bool
) -> int:
    """Run every opened item of RECORD again under the registered weights, and sign what came out again.

    RECORD is the partial record that `parley verifier run` saves where it waits for this statement.
    """
    from parley_attestation import canonical  # noqa: PLC0415
    from parley_attestation.binding import NO, YES, read_binding  # noqa: PLC0415
    from parley_attestation.edge import party  # noqa: PLC0415
    from parley_attestation.edge.atomic import atomic_write  # noqa: PLC0415
    from parley_attestation.errors import PeerError  # noqa: PLC0415
    from parley_attestation.judge import judge  # noqa: PLC0415
    from parley_attestation.model.claim import read_secret  # noqa: PLC0415
    from parley_attestation.runtime import read_runtime  # noqa: PLC0415
    from parley_chamber.evaluation import Weights  # noqa: PLC0415
    from parley_chamber.reexecute import Chamber  # noqa: PLC0415
    from parley_chamber.reexecute import reexecute as run  # noqa: PLC0415
    from parley_chamber.sandbox import Sandbox  # noqa: PLC0415

    box = Sandbox.find(unsafe=unsafe)
    weights = Weights(
        model, read_secret(secret.read_bytes()), read_runtime(canonical.load(runtime.read_bytes()))
    )
    with record.open("rb") as source:
        found = judge(source)
        if found.fault is not None:
            raise PeerError(found.fault.reason, found.fault.message)
        sealed = run(Chamber(party.load(folder).session, box), found.machine, weights)
    assert found.machine.facts.terms is not None
    said = read_binding(sealed, found.machine.facts.terms).binding
    with atomic_write(out) as file:
        file.write(sealed)
    click.echo(f"statement  {out}")
    click.echo(f"sandbox    {said.sandbox}, execution class {said.execution_class}")
    click.echo(f"reproduced {said.reproduced.count(YES)} of {len(said.reproduced)}")
    return 1 if NO in said.reproduced else 0


@chamber.command()
@click.argument("file")
@click.option("--shape", required=True, help="Shape of one item, such as 64 or 3,32,32.")
@click.option("--scale", default="1", show_default=True, help="Numbers of a prompt are divided by this.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64", "int32", "int64", "string"]),
    default="float32",
    show_default=True,
    help="Element type of the input; string takes the prompt as text, of shape 1.",
)
@click.option(
    "--label", "labels", multiple=True, help="Text of each class, in order; its number where absent."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The document.")
def runtime(file: str, *, shape: str, scale: str, dtype: str, labels: tuple[str, ...], out: Path) -> None:
    """Write the document of this machine's ONNX Runtime over FILE of a model claim; terms name its digest."""
    from importlib.metadata import version  # noqa: PLC0415

    from parley_attestation import canonical  # noqa: PLC0415
    from parley_attestation.runtime import OnnxRuntime, read_runtime  # noqa: PLC0415

    axes = tuple(int(n) for n in shape.split(","))
    made = OnnxRuntime(version("onnxruntime"), file, axes, dtype, scale=scale, labels=labels)
    out.write_bytes(canonical.dump(read_runtime(made.document()).document()))
    click.echo(f"runtime {made.digest().hex()}")


@chamber.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("command", nargs=-1, required=True)
@click.option("--processes", default=1, show_default=True, help="Processes at once; threads are not counted.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The document.")
def program(folder: Path, command: tuple[str, ...], *, processes: int, out: Path) -> None:
    """Write the document of the program in FOLDER, which COMMAND starts in the box; terms name its digest.

    In the box the program's files are below /in/program and the model's below /in/model. It reads prompts
    from standard input and writes answers to standard output, in frames; it may use local sockets (AF_UNIX)
    between its own processes and threads, and no network.
    """
    import hashlib  # noqa: PLC0415

    from parley_attestation import canonical  # noqa: PLC0415
    from parley_attestation.edge.weights.source import LocalFiles  # noqa: PLC0415
    from parley_attestation.encoding import Digest  # noqa: PLC0415
    from parley_attestation.runtime import ProgramRuntime, read_runtime  # noqa: PLC0415

    files = []
    for info in LocalFiles(folder).scan():
        with (folder / info.path).open("rb") as file:
            files.append((info.path, Digest(hashlib.file_digest(file, "sha256").digest())))
    made = ProgramRuntime(command, tuple(sorted(files)), processes)
    out.write_bytes(canonical.dump(read_runtime(made.document()).document()))
    click.echo(f"runtime {made.digest().hex()}")
