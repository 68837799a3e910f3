"""Room: the command line. `parley report` and `parley compare`: what people read about records."""

import contextlib
from pathlib import Path

import click
from parley_attestation.errors import LocalError, Reason, printable
from parley_attestation.judge import judge


@click.command()
@click.argument("record", type=click.Path(exists=True, path_type=Path))
@click.option("--pin", "pins", multiple=True, help="A party's card or root fingerprint; give both parties'.")
@click.option("--out", "-o", type=click.Path(path_type=Path), help="Default: the record's name with .html.")
def report(record: Path, pins: tuple[str, ...], out: Path | None) -> int:
    """Write one self-contained HTML page about RECORD: the same bytes for the same record and pins."""
    from parley_verifier.report import render  # noqa: PLC0415
    from parley_verifier.report.build import build  # noqa: PLC0415

    from parley_cli.record import read_pin  # noqa: PLC0415

    with record.open("rb") as source:
        found = judge(source, [read_pin(p) for p in pins])
        page = render(build(found, record.name))
    target = out or record.with_suffix(".html")
    target.write_bytes(page)
    click.echo(f"report {target}")
    return 0 if found.valid else 1


@click.command()
@click.argument("one", type=click.Path(exists=True, path_type=Path))
@click.argument("other", type=click.Path(exists=True, path_type=Path))
@click.argument("more", nargs=-1, type=click.Path(exists=True, path_type=Path))
def compare(one: Path, other: Path, more: tuple[Path, ...]) -> int:
    """Compare two records of one test set unit by unit, from the committed result bits alone.

    With MORE records, say how the verdicts of all of them agree.
    """
    from parley_verifier.compare import agreements  # noqa: PLC0415
    from parley_verifier.compare import compare as paired  # noqa: PLC0415

    with one.open("rb") as first, other.open("rb") as second:
        for record, path in ((judge(first), one), (judge(second), other)):
            if record.fault is not None:
                raise LocalError(Reason.CONFIG, f"{path}: does not hold: {record.fault.message}")
        first.seek(0)
        second.seek(0)
        rows = paired(first, second)
    for row in rows:
        click.echo(
            f"{row.claim_id}: {row.shared} shared units; only the first succeeds on {row.only_first}, "
            f"only the second on {row.only_second}; exact McNemar p = {row.p_value}"
        )
        click.echo(f"  verdicts {row.verdicts[0]} and {row.verdicts[1]}")
    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(path.open("rb")) for path in (one, other, *more)]
        for claim_id, found in agreements(sources):
            counts = ", ".join(f"{count} {word}" for word, count in found.counts)
            click.echo(f"{printable(claim_id)}: {counts}; panel: {found.agreed or 'no agreement'}")
    return 0
