"""Room: the command line. `parley conformance run` and `verify`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from parley_attestation.ed25519 import PublicKey
from parley_attestation.edge import party
from parley_attestation.errors import LocalError, PeerError, Reason, Role

if TYPE_CHECKING:
    from parley_conformance.report import Result

RESULT = "result.json"


@click.group()
def conformance() -> None:
    """Hold an implementation to the specification."""


@conformance.command()
@click.option("--prover", "endpoint", required=True, metavar="HOST:PORT", help="Where the prover serves.")
@click.option(
    "--party",
    "folder",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The suite's own party, a verifier whose card the prover has pinned.",
)
@click.option(
    "--peer",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The prover's card.",
)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Report folder.")
@click.option("--start-cmd", default="", help="Starts the prover, and starts it again where it died.")
@click.option(
    "--profile",
    type=click.Choice(["core", "extended", "strict"]),
    default="core",
    show_default=True,
    help="What runs; strict also holds to every SHOULD.",
)
@click.option(
    "--known-failures",
    "known",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML file of failures with issue and last day; they run, and never count as passed.",
)
@click.option("--sign", is_flag=True, help="Also write result.json, signed by the suite's party.")
@click.option("--seed", default="", help="Repeats an earlier run; the prover's journal must be fresh.")
@click.option(
    "--deadline", type=click.FloatRange(1, 3600), default=30.0, show_default=True, help="Seconds of a stream."
)
def run(  # noqa: PLR0913 - one argument an option
    *,
    endpoint: str,
    folder: Path,
    peer: Path,
    out: Path,
    start_cmd: str,
    profile: str,
    seed: str,
    deadline: float,
    known: Path | None,
    sign: bool,
) -> int:
    """Run the suite against a prover and write report.json, junit.xml and report.html.

    The prover needs a disclosure budget for the run: at most 24 answers an exercise, some hundred of them.
    Exit code: 0 conformant, 1 partial, 3 partial by known failures alone, 5 where the prover never answered.
    """
    from parley_conformance import report, result  # noqa: PLC0415
    from parley_conformance.cases import PROVER, Profile  # noqa: PLC0415
    from parley_conformance.known import read_known  # noqa: PLC0415
    from parley_conformance.run import Job  # noqa: PLC0415
    from parley_conformance.run import run as run_suite  # noqa: PLC0415

    own, card = party.load(folder), party.read_card(peer)
    if own.card.role is not Role.VERIFIER or card.role is not Role.PROVER:
        raise LocalError(Reason.CONFIG, "expected a verifier's party folder and a prover's card")
    job = Job(
        own,
        card.model_copy(update={"endpoint": endpoint}),
        profile=Profile(profile),
        seconds=deadline,
        start=start_cmd,
        seed=seed,
        known=read_known(known, [case.id for case in PROVER]) if known is not None else {},
    )
    found = run_suite(job, _seen)
    report.write(found, out)
    if sign:
        (out / RESULT).write_bytes(result.seal((out / result.REPORT).read_bytes(), own.root))
    counts = ", ".join(f"{found.count(status)} {status}" for status in report.Status)
    click.echo(f"{found.verdict}: {counts}; {out / 'report.html'}")
    return found.code


@conformance.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--pin",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The card of the party that ran the suite.",
)
def verify(folder: Path, pin: Path) -> int:
    """Check the signed result in a report folder, and say what it says. Exit code: 0 valid, 1 not."""
    from parley_conformance import result  # noqa: PLC0415

    card = party.read_card(pin)
    try:
        sealed, report = ((folder / name).read_bytes() for name in (RESULT, result.REPORT))
    except OSError as error:
        raise LocalError(Reason.CONFIG, f"{error.filename}: {error.strerror}") from error
    try:
        found = result.check(sealed, PublicKey.of_hex(card.root_key), report)
    except PeerError as error:
        click.echo(f"not valid: {error}")
        return 1
    click.echo(
        f"valid: {found.result}, {len(found.passed)} passed, {len(found.warned)} known to fail or left out, "
        f"{len(found.failed)} failed; run by {card.name}"
    )
    return 0


def _seen(result: "Result") -> None:
    if result.status != "passed":
        click.echo(f"{result.status} {result.case.id}: {result.case.what}: {result.detail}", err=True)
