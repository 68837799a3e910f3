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


@terms.command()
@click.argument("sealed", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--registration", type=click.Path(exists=True, path_type=Path), required=True, help="The test set's."
)
@click.option(
    "--margin", default="5 %", show_default=True, help="How far beyond its threshold a claim is assumed."
)
def lint(sealed: Path, registration: Path, margin: str) -> None:
    """Explain what SEALED terms will cost and what they cannot say, before anyone signs."""
    from parley_attestation.session.schedule import frames  # noqa: PLC0415
    from parley_verifier.config import parse_rate  # noqa: PLC0415
    from parley_verifier.termslint import lint as explain  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    raw = sealed.read_bytes()
    written = read_terms(statement.open_sealed(raw, statement.signer(raw)))
    test_set = read_registration(registration.read_bytes(), None)
    populations = {frame.stratum: frame.size for frame in frames(written, test_set)}
    found = explain(written, populations, parse_rate(margin))
    columns = (
        "claim",
        "needed",
        "assumed",
        "mean",
        "95 %",
        "no verdict",
        "exact n",
        "C-P n",
        "Wilson n",
        "deters",
    )
    table = Table(*columns, title="Units opened: the sequential audit beside one look at 95 % power")
    for one in found.costs:
        cost = one.cost
        table.add_row(
            one.claim_id,
            f"{one.plan.threshold}/{one.plan.frame}",
            str(one.assumed),
            f"{cost.mean:.0f}",
            str(cost.percentile95),
            f"{cost.inconclusive:.1%}",
            str(cost.hypergeometric),
            str(cost.clopper_pearson),
            str(cost.wilson),
            f"{float(one.deterred):.0f}x",
        )
    Console(width=120).print(table)
    for uses, drift in found.leakage:
        click.echo(f"after {uses} verdicts on this set its score may drift by {drift:.3f}")
    for note in found.notes:
        click.echo(f"note: {note}")


@terms.command()
@click.argument("before", type=click.Path(exists=True, path_type=Path))
@click.argument("after", type=click.Path(exists=True, path_type=Path))
def diff(before: Path, after: Path) -> int:
    """Compare two versions of sealed terms field by field; exit code 1 where they differ."""
    from parley_verifier.termslint import diff as compare  # noqa: PLC0415

    documents = []
    for path in (before, after):
        raw = path.read_bytes()
        documents.append(read_terms(statement.open_sealed(raw, statement.signer(raw))).document())
    changes = compare(documents[0], documents[1])
    for change in changes:
        click.echo(f"{change.path}: {json.dumps(change.before)} -> {json.dumps(change.after)}")
    return 1 if changes else 0
