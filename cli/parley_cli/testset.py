"""Room: the command line. `parley testset register|show`."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

import click
from parley_attestation.canonical import Fields
from parley_attestation.edge import party
from parley_attestation.edge.atomic import atomic_write
from parley_attestation.edge.vault import VaultKey
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.grading import Grader, read_grader

from parley_cli.output import Bar


@click.group()
def testset() -> None:
    """Register and inspect hidden test sets."""


def vault_key(key_file: Path | None, *, confirm: bool = False, passphrase_fd: int | None = None) -> VaultKey:
    """The key of a sealed file: a key file, a passphrase from a descriptor, or one asked for on the terminal.

    Never from the command line or the environment, where other processes see it.
    """
    if key_file is not None:
        return VaultKey.of_file(key_file)
    if passphrase_fd is None:
        words = click.prompt(
            "Passphrase of the test set", hide_input=True, confirmation_prompt=confirm, err=True
        )
        return VaultKey(words.encode(), passphrase=True)
    try:
        with os.fdopen(passphrase_fd, "rb") as lines:
            line = lines.readline(4096)
    except OSError as error:
        raise LocalError(Reason.CONFIG, f"--passphrase-fd {passphrase_fd}: {error.strerror}") from error
    return VaultKey(line.rstrip(b"\r\n"), passphrase=True)


@testset.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--party", "folder", type=click.Path(path_type=Path), required=True, help="The owner's party folder."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The sealed set to write.")
@click.option(
    "--grader", "graders", multiple=True, required=True, help="A grader document, as JSON or @file."
)
@click.option(
    "--media-type", default="text/plain; charset=utf-8", show_default=True, help="What prompts are."
)
@click.option(
    "--key-file", type=click.Path(path_type=Path), help="Key file instead of a passphrase; made if absent."
)
@click.option("--passphrase-fd", type=int, help="Read the passphrase from this file descriptor, one line.")
@click.option(
    "--gate", type=click.Path(exists=True, path_type=Path), help="Terms (TOML) no null model may meet."
)
@click.option(
    "--gate-margin", default="5 %", show_default=True, help="By how much null models must miss them."
)
@click.option("--allow-duplicates", is_flag=True, help="Let one prompt stand twice.")
def register(  # noqa: PLR0913, PLR0917 - one argument an option
    source: Path,
    folder: Path,
    out: Path,
    graders: tuple[str, ...],
    media_type: str,
    key_file: Path | None,
    gate: Path | None,
    gate_margin: str,
    *,
    passphrase_fd: int | None,
    allow_duplicates: bool,
) -> None:
    """Shuffle, commit and seal the items in SOURCE (.jsonl or .csv); write the public registration beside it."""
    from parley_verifier import testset as sets  # noqa: PLC0415

    public = out.with_name(out.name + ".registration.json")
    if public.exists():
        raise LocalError(Reason.CONFIG, f"{public}: exists already", hint="choose another --out")
    owner = party.load(folder).root
    if key_file is not None and not key_file.exists():
        VaultKey.create_file(key_file)
        click.echo(f"key file      {key_file} (new; whoever has it can read the set)", err=True)
    setup = sets.Setup(
        root_key=owner,
        graders=tuple(_grader(text) for text in graders),
        media_type=media_type,
        entropy=secrets.token_bytes(96),
        key=vault_key(key_file, confirm=True, passphrase_fd=passphrase_fd),
        allow_duplicates=allow_duplicates,
        baselines=_gate(source, gate, gate_margin) if gate is not None else None,
    )
    with Bar() as bar:
        sealed = sets.register(source, out, setup, bar.phase)
    with atomic_write(public) as file:
        file.write(sealed)
    public.chmod(0o644)
    click.echo(f"sealed set    {out}")
    click.echo(f"registration  {public}")


def _grader(text: str) -> Grader:
    try:
        document = json.loads(Path(text[1:]).read_text() if text.startswith("@") else text)
        return read_grader(Fields(document, "grader", reason=Reason.BAD_TERMS))
    except (OSError, ValueError) as error:
        raise LocalError(Reason.CONFIG, f"--grader: {error}") from error
    except PeerError as error:
        raise LocalError(Reason.CONFIG, f"--grader: {error.message}") from error


@testset.command()
@click.argument("registration", type=click.Path(exists=True, path_type=Path))
def show(registration: Path) -> None:
    """Print a public registration."""
    from parley_attestation.registration import read_registration  # noqa: PLC0415

    found = read_registration(registration.read_bytes(), None)
    click.echo(json.dumps(found.statement.predicate, indent=2, sort_keys=True))


def _gate(source: Path, terms: Path, margin: str) -> dict[str, Any]:
    """The result of the null-model gate under the claims of a terms file."""
    from parley_attestation.edge.toml import read_model  # noqa: PLC0415
    from parley_verifier.gate import run_gate  # noqa: PLC0415
    from parley_verifier.terms_file import TermsFile, parse_rate  # noqa: PLC0415

    return run_gate(source, read_model(terms, TermsFile).claims, parse_rate(margin))


@testset.command()
@click.argument("registration", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--party", "folder", type=click.Path(path_type=Path), required=True, help="The qualifier's folder."
)
@click.option("--basis", required=True, help="On what grounds, in words.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The statement to write.")
def qualify(registration: Path, folder: Path, basis: str, out: Path) -> None:
    """Vouch, as a third party, for the references of a registered set."""
    from parley_attestation.qualification import seal_qualification  # noqa: PLC0415
    from parley_attestation.registration import read_registration  # noqa: PLC0415

    found = read_registration(registration.read_bytes(), None)
    out.write_bytes(seal_qualification(party.load(folder).root, found.root, basis))
    click.echo(f"qualification  {out}")


@testset.command()
@click.argument("ledger", type=click.Path(exists=True, path_type=Path))
@click.argument("registration", type=click.Path(exists=True, path_type=Path))
def ledger(ledger: Path, registration: Path) -> None:
    """Print what a set has been used for: verdicts, risk spent, exposure, drift."""
    from parley_attestation.registration import read_registration  # noqa: PLC0415
    from parley_verifier.ledger import SetLedger  # noqa: PLC0415

    found = read_registration(registration.read_bytes(), None)
    with SetLedger(ledger) as book:
        status = book.status(found.root)
    click.echo(f"verdicts issued  {status.verdicts}")
    click.echo(f"risk spent       {status.alpha_spent} of {status.alpha_cap} for a false COMPLIANT")
    click.echo(f"                 {status.violation_spent} of {status.alpha_cap} for a false VIOLATION")
    click.echo(f"drift by reuse   {status.leakage:.3f} of {float(status.margin):.3f}")
    click.echo("items sealed, run sealed, prompt seen, public: " + ", ".join(str(n) for n in status.exposed))
    click.echo(f"retired          {status.retired or 'no'}")
