"""Room: the command line. `parley conformance run`, `harness` and `verify`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from parley_attestation.ed25519 import PublicKey
from parley_attestation.edge import party
from parley_attestation.errors import LocalError, PeerError, Reason

from parley_cli.lines import say

if TYPE_CHECKING:
    from parley_conformance.report import Result

    from parley_cli.conformance_roles import Asked

RESULT = "result.json"
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def conformance() -> None:
    """Hold an implementation to the specification."""


@conformance.command()
@click.option("--prover", default="", metavar="HOST:PORT", help="A prover, where it serves.")
@click.option("--verifier", default="", metavar="HOST:PORT", help="A verifier, where its harness serves.")
@click.option(
    "--judge-cmd",
    default="",
    metavar="COMMAND",
    help="A judge: a command in which {record} is the record and {pin} a pinned fingerprint.",
)
@click.option("--witness", default="", metavar="HOST:PORT", help="A witness, where it serves.")
@click.option("--chamber", default="", metavar="HOST:PORT", help="A chamber, where it serves.")
@click.option("--party", "folder", type=_FOLDER, help="The suite's own party, a verifier that is admitted.")
@click.option("--prover-party", type=_FOLDER, help="For a chamber: the suite's own prover, admitted as well.")
@click.option("--peer", type=_FILE, help="The card of the implementation.")
@click.option("--runtime", type=_FILE, help="For a chamber: the runtime over model.onnx with the shape 3.")
@click.option(
    "--listen",
    default="127.0.0.1:0",
    show_default=True,
    help="For a verifier: where the suite's prover serves.",
)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Report folder.")
@click.option("--start-cmd", default="", help="Starts the implementation, and starts it again where it died.")
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
@click.option("--seed", default="", help="Repeats an earlier run; its journal must be fresh.")
@click.option(
    "--deadline", type=click.FloatRange(1, 3600), default=30.0, show_default=True, help="Seconds of a stream."
)
def run(  # noqa: PLR0913 - one argument an option
    *,
    prover: str,
    verifier: str,
    judge_cmd: str,
    witness: str,
    chamber: str,
    folder: Path | None,
    prover_party: Path | None,
    peer: Path | None,
    runtime: Path | None,
    listen: str,
    out: Path,
    start_cmd: str,
    profile: str,
    seed: str,
    deadline: float,
    known: Path | None,
    sign: bool,
) -> int:
    """Run the suite against one implementation and write report.json, junit.xml and report.html.

    A prover needs a disclosure budget for the run: at most 48 answers an exercise, some hundred of them.
    Exit code: 0 conformant, 1 partial, 3 partial by known failures alone, 5 where nobody ever answered.
    """
    from parley_cli.conformance_roles import Asked  # noqa: PLC0415

    where = {
        "prover": prover,
        "verifier": verifier,
        "judge": judge_cmd,
        "witness": witness,
        "chamber": chamber,
    }
    asked = Asked(where, folder, prover_party, peer, runtime, listen, deadline)
    return _run(asked, out, _How(profile, seed, start_cmd, known, sign=sign))


@dataclass(frozen=True, slots=True)
class _How:
    """How a suite runs, as the options say."""

    profile: str
    seed: str
    start: str
    known: Path | None
    sign: bool


def _run(asked: "Asked", out: Path, how: _How) -> int:
    """Run what is asked for, write the reports, and say what came out; the exit code."""
    from parley_conformance import report, result  # noqa: PLC0415
    from parley_conformance.cases import Profile  # noqa: PLC0415
    from parley_conformance.known import read_known  # noqa: PLC0415
    from parley_conformance.run import execute  # noqa: PLC0415

    report.page()  # whatever it lacks is said before the run
    suite = asked.suite()
    signer = asked.own() if how.sign else None
    found = execute(
        suite,
        profile=Profile(how.profile),
        seed=how.seed,
        start=how.start,
        seen=_seen,
        known=read_known(how.known, [case.id for case in suite.cases]) if how.known is not None else {},
    )
    report.write(found, out)
    if signer is not None:
        (out / RESULT).write_bytes(result.seal((out / result.REPORT).read_bytes(), signer.root))
    counts = ", ".join(f"{found.count(status)} {status}" for status in report.Status)
    click.echo(f"{found.verdict}: {counts}; {out / 'report.html'}")
    return found.code


@conformance.command()
@click.option("--address", default="127.0.0.1:50581", show_default=True, help="host:port to listen on.")
@click.option(
    "--work", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where journals are kept."
)
def harness(address: str, work: Path) -> None:
    """Serve the harness around this verifier, for a suite that holds it to the specification.

    What it does is what another implementation's harness must do; it uses the keys that the suite sends.
    """
    from parley_conformance import harness_server  # noqa: PLC0415

    work.mkdir(parents=True, exist_ok=True)
    try:
        server, port = harness_server.serve(harness_server.VerifierHarness(work), address)
    except RuntimeError as error:
        raise LocalError(Reason.UNREACHABLE, f"{address}: cannot listen there") from error
    click.echo(f"harness on port {port}")
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    finally:
        server.stop(5).wait()


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
    say(
        f"valid: {found.result}, {len(found.passed)} passed, {len(found.warned)} known to fail or left out, "
        f"{len(found.failed)} failed; run by {card.name}"
    )
    return 0


def _seen(result: "Result") -> None:
    if result.status != "passed":
        say(f"{result.status} {result.case.id}: {result.case.what}: {result.detail}", err=True)
