"""Room: the command line. `parley terms new|show`."""

import json
import secrets
from pathlib import Path

import click
from parley_attestation import statement
from parley_attestation.edge import party
from parley_attestation.edge.toml import read_model
from parley_attestation.encoding import Nonce
from parley_attestation.model.claim import read_claim
from parley_attestation.registration import read_registration
from parley_attestation.terms import exercise_id, read_terms


@click.group()
def terms() -> None:
    """Write, show and compare the terms of an exercise."""


@terms.command()
@click.argument("written", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--party", "folder", type=click.Path(path_type=Path), required=True, help="The verifier's party folder."
)
@click.option(
    "--registration", type=click.Path(exists=True, path_type=Path), required=True, help="The test set's."
)
@click.option(
    "--model", type=click.Path(exists=True, path_type=Path), required=True, help="The prover's model claim."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The sealed terms to write.")
def new(written: Path, folder: Path, registration: Path, model: Path, out: Path) -> None:
    """Make sealed terms from WRITTEN (TOML), a registered test set and a model claim."""
    from parley_verifier.config import TermsFile, make_terms  # noqa: PLC0415

    owner = party.load(folder)
    claim = read_claim(model.read_bytes())
    made = make_terms(
        read_model(written, TermsFile),
        test_set=read_registration(registration.read_bytes(), owner.root.public),
        prover=claim.owner,
        model_claim=claim.statement.digest(),
        nonce=Nonce(secrets.token_bytes(32)),
        base=written.parent,
    )
    said = made.statement()
    out.write_bytes(statement.seal(said, owner.session))
    click.echo(f"terms     {out}")
    click.echo(f"digest    {said.digest().hex()}")
    click.echo(f"exercise  {exercise_id(said).hex()}")


@terms.command()
@click.argument("sealed", type=click.Path(exists=True, path_type=Path))
def show(sealed: Path) -> None:
    """Print sealed terms; checks their form and their signature, not who signed."""
    raw = sealed.read_bytes()
    said = statement.open_sealed(raw, statement.signer(raw))
    read_terms(said)
    click.echo(json.dumps(said.predicate, indent=2))
