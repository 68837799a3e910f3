"""Room: the command line. `parley chamber reexecute|runtime`."""

from pathlib import Path

import click

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def chamber() -> None:
    """Re-execute an exercise where both secrets may be."""


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
    "--label", "labels", multiple=True, help="Text of each class, in order; its number where absent."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The document.")
def runtime(file: str, *, shape: str, scale: str, labels: tuple[str, ...], out: Path) -> None:
    """Write the document of this machine's ONNX Runtime over FILE of a model claim; terms name its digest."""
    from importlib.metadata import version  # noqa: PLC0415

    from parley_attestation import canonical  # noqa: PLC0415
    from parley_attestation.runtime import OnnxRuntime, read_runtime  # noqa: PLC0415

    axes = tuple(int(n) for n in shape.split(","))
    made = OnnxRuntime(version("onnxruntime"), file, axes, scale=scale, labels=labels)
    out.write_bytes(canonical.dump(read_runtime(made.document()).document()))
    click.echo(f"runtime {made.digest().hex()}")
