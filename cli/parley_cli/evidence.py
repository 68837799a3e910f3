"""Room: the command line. `parley evidence`: appraise, explain and archive compute evidence."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from parley_attestation.errors import ParleyError, PeerError, Reason

from parley_cli.lines import say

if TYPE_CHECKING:
    from parley_attestation.evidence.archive import Archive

_FILES = click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
_OPTIONS = (
    click.option("--kind", help="Kind of evidence: snp, tdx, sgx, nitro, nvidia, tpm2, az-snp-vtpm, ..."),
    click.option(
        "--policy",
        "policy_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="The appraising party's policy, a JSON file.",
    ),
    click.option("--binder", help="What the hardware signed: 128 hexadecimal digits, or 64 for a GPU."),
    click.option("--at", help="Time of appraisal, ISO 8601 or Unix seconds; now by default."),
)


@click.group(name="evidence")
def evidence() -> None:
    """Appraise hardware evidence offline, explain the result, keep it checkable."""


def _command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the common arguments and turn our errors into `error:` and `hint:` lines."""

    @wraps(function)
    def run(**arguments: Any) -> None:
        try:
            function(**arguments)
        except ParleyError as error:
            click.echo(f"error: {error.message} [{error.reason}]", err=True)
            if error.hint:
                click.echo(f"hint: {error.hint}", err=True)
            raise SystemExit(1) from None

    for option in reversed(_OPTIONS):
        run = option(run)
    return _FILES(run)


@evidence.command()
@_command
def appraise(files: tuple[Path, ...], **how: str | Path | None) -> None:
    """Appraise evidence FILES, or an archive, and print the attestation result as JSON.

    FILES hold one item: its raw evidence, certificates, CRLs and collateral in any order. Exits with 0
    where the result is affirming, with 1 where it is not.
    """
    import json  # noqa: PLC0415 - kept out of the import time of the command line

    found = _archive(files, **how)
    result = found.replay()
    click.echo(json.dumps(result.document(), indent=1, sort_keys=True))
    _finish(found)


@evidence.command()
@_command
def explain(files: tuple[Path, ...], **how: str | Path | None) -> None:
    """Tell, finding by finding, what was checked in FILES and what it would take to pass."""
    from parley_attestation.evidence.explain import explain as lines  # noqa: PLC0415 - imported when used

    found = _archive(files, **how)
    for line in lines(found.replay()):
        say(line)
    _finish(found)


@evidence.command()
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The archive.")
@click.option(
    "--time-proof",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A witness's proof of the time of appraisal.",
)
@_command
def archive(files: tuple[Path, ...], out: Path, time_proof: Path | None, **how: str | Path | None) -> None:
    """Appraise FILES and write everything that was read as one file, to be appraised again years later."""
    from dataclasses import replace  # noqa: PLC0415 - kept out of the import time of the command line

    found = _archive(files, **how)
    if time_proof is not None:
        found = replace(found, time_proof=time_proof.read_bytes())
    out.write_bytes(found.dump())
    click.echo(f"{out}: {found.result.status}, at {found.at}")
    _finish(found)


def _archive(
    files: tuple[Path, ...],
    *,
    kind: str | Path | None,
    policy_file: str | Path | None,
    binder: str | Path | None,
    at: str | Path | None,
) -> "Archive":
    from parley_attestation.canonical import Fields  # noqa: PLC0415 - as below
    from parley_attestation.evidence import archive as archives  # noqa: PLC0415 - imported when it is used
    from parley_attestation.evidence import capture, policy, strictjson  # noqa: PLC0415 - as above

    contents = [path.read_bytes() for path in files]
    if kind is None and len(contents) == 1:
        if policy_file or binder or at:
            raise click.UsageError("an archive brings its own policy, binder and time")
        return archives.load(contents[0])
    if kind is None or policy_file is None:
        raise click.UsageError("--kind and --policy are needed, unless the one file is an archive")
    document = strictjson.load(Path(policy_file).read_bytes(), 1 << 20, "policy")
    rules = policy.read_policy(Fields(document, "policy", reason=Reason.CONFIG))
    item = capture.assemble(str(kind), contents)
    name = "gpu0" if item.kind == "nvidia" else "cpu0"
    return archives.make({name: item}, rules, _binder(binder), _seconds(at))


def _binder(text: str | Path | None) -> Any:
    from parley_attestation.encoding import unhex  # noqa: PLC0415 - imported when it is used
    from parley_attestation.evidence.binder import Binder64, GpuNonce  # noqa: PLC0415 - as above

    if text is None:
        return None
    value = str(text)
    try:
        return GpuNonce(unhex(value, 32)) if len(value) == 64 else Binder64(unhex(value, 64))
    except PeerError as error:
        raise click.BadParameter(error.message, param_hint="--binder") from None


def _seconds(text: str | Path | None) -> int:
    if text is None:
        return int(time.time())
    value = str(text)
    if value.isascii() and value.isdigit():
        return int(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("expected ISO 8601 or Unix seconds", param_hint="--at") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _finish(found: "Archive") -> None:
    """Say what the exit code says, and exit."""
    result = found.result
    if result.affirming:
        return
    if result.assurance == "simulated":
        click.echo("hint: SIMULATED EVIDENCE, NOT HARDWARE: for the laboratory only", err=True)
        return
    classes = ", ".join(result.reasons)
    click.echo(f"error: the evidence is {result.status}: {classes}", err=True)
    for remedy in dict.fromkeys(check.meaning.remedy for check in result.failures):
        click.echo(f"hint: {remedy}", err=True)
    raise SystemExit(1)
