"""Room: the command line. `parley testset register|show`."""

import json
import secrets
from pathlib import Path

import click
from parley_attestation.canonical import Fields
from parley_attestation.edge import party
from parley_attestation.edge.vault import VaultKey
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.grading import Grader, read_grader

from parley_cli.output import Bar


@click.group()
def testset() -> None:
    """Register and inspect hidden test sets."""


def vault_key(key_file: Path | None, *, confirm: bool = False) -> VaultKey:
    """The key of a sealed file: from a key file, or a passphrase asked for; never from the command line."""
    if key_file is not None:
        return VaultKey.of_file(key_file)
    words = click.prompt("Passphrase of the test set", hide_input=True, confirmation_prompt=confirm)
    return VaultKey(words.encode(), passphrase=True)


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
@click.option("--allow-duplicates", is_flag=True, help="Let one prompt stand twice.")
def register(
    source: Path,
    folder: Path,
    out: Path,
    graders: tuple[str, ...],
    media_type: str,
    key_file: Path | None,
    *,
    allow_duplicates: bool,
) -> None:
    """Shuffle, commit and seal the items in SOURCE (.jsonl or .csv); write the public registration beside it."""
    from parley_verifier import testset as sets  # noqa: PLC0415

    if key_file is not None and not key_file.exists():
        VaultKey.create_file(key_file)
    setup = sets.Setup(
        root_key=party.load(folder).root,
        graders=tuple(_grader(text) for text in graders),
        media_type=media_type,
        entropy=secrets.token_bytes(96),
        key=vault_key(key_file, confirm=True),
        allow_duplicates=allow_duplicates,
    )
    with Bar() as bar:
        sealed = sets.register(source, out, setup, bar.phase)
    public = out.with_name(out.name + ".registration.json")
    public.write_bytes(sealed)
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
