"""Room: the command line. `parley terms new|show|lint|diff`."""

import json
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from parley_attestation import statement
from parley_attestation.edge import party
from parley_attestation.edge.toml import read_model
from parley_attestation.encoding import Nonce
from parley_attestation.errors import printable
from parley_attestation.model.claim import read_claim
from parley_attestation.registration import read_registration
from parley_attestation.terms import Terms, exercise_id, read_terms
from rich import box
from rich.table import Table

from parley_cli.output import print_table

if TYPE_CHECKING:
    from parley_verifier.termslint import ClaimCost, GradedCost


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
@click.option(
    "--journal",
    type=click.Path(exists=True, path_type=Path),
    help="The verifier's journal: name its earlier exercises on this set and model.",
)
def new(
    written: Path, folder: Path, registration: Path, model: Path, out: Path, journal: Path | None
) -> None:
    """Make sealed terms from WRITTEN (TOML), a registered test set and a model claim."""
    from parley_verifier.terms_file import TermsFile, make_terms  # noqa: PLC0415

    owner = party.load(folder)
    claim = read_claim(model.read_bytes())
    made = make_terms(
        read_model(written, TermsFile),
        test_set=read_registration(registration.read_bytes(), owner.root.public),
        prover=claim.owner,
        model_claim=claim.statement.digest(),
        nonce=Nonce(secrets.token_bytes(32)),
        base=written.parent,
        journal=journal,
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
    "--margin", default="5 %", show_default=True, help="How far beyond its threshold each claim would hold."
)
def lint(sealed: Path, registration: Path, margin: str) -> None:
    """Explain what SEALED terms will cost and what they cannot say, before anyone signs."""
    from parley_attestation.session.audit import Audit  # noqa: PLC0415
    from parley_attestation.session.schedule import frames  # noqa: PLC0415
    from parley_verifier import termslint  # noqa: PLC0415
    from parley_verifier.terms_file import parse_rate  # noqa: PLC0415

    said = _read(sealed)
    populations = frames(said, read_registration(registration.read_bytes(), None))
    Audit.begin(said, populations, (0,) * len(said.sampled_claims))
    share = parse_rate(margin)
    found = termslint.lint(said, {one.stratum: one.size for one in populations}, share)
    click.echo(f"terms     {printable(said.title)}")
    click.echo(f"assumed   every claim holds by {margin} more than its threshold, and is so declared\n")
    if found.costs:
        _print_costs(found.costs)
    _print_graded(found.graded)
    leakage = Table("verdicts on this set", "drift of its score at most", box=box.SIMPLE, pad_edge=False)
    for uses, drift in found.leakage:
        leakage.add_row(str(uses), f"{drift:.3f}")
    print_table(leakage)
    for note in found.notes:
        click.echo(f"note: {printable(note, 1000)}")


def _print_costs(costs: Iterable["ClaimCost"]) -> None:
    """Two tables: what the plan costs, and what one look at a fixed number of units would."""
    law = Table("claim", *_LAW, box=box.SIMPLE, pad_edge=False)
    fixed = Table("claim", *_FIXED, box=box.SIMPLE, pad_edge=False)
    for one in costs:
        cost, name = one.cost, printable(one.claim_id)
        law.add_row(
            name,
            f"{one.plan.threshold} of {one.plan.frame}",
            f"{cost.mean:.0f}",
            str(cost.percentile95),
            *(f"{p:.2%}" for p in (cost.inconclusive, cost.false_compliant, cost.false_violation)),
            f"{float(one.deterred):.1f}",
        )
        fixed.add_row(
            name, f"{cost.mean:.0f}", *map(str, (cost.hypergeometric, cost.clopper_pearson, cost.wilson))
        )
    for table in (law, fixed):
        print_table(table)


def _print_graded(costs: Iterable["GradedCost"]) -> None:
    """What claims about points cost: their scores have no one law, so only what is certain is printed."""
    table = Table("claim", *_GRADED, box=box.SIMPLE, pad_edge=False)
    for one in costs:
        needed = f"{one.plan.threshold} of {one.plan.size * one.plan.top}"
        soonest = (one.compliant, one.violation, one.steady)
        shown = ("out of reach" if units is None else str(units) for units in soonest)
        table.add_row(printable(one.claim_id), needed, *shown, f"{one.assumed} of {one.plan.top}")
    if table.row_count:
        print_table(table)


_GRADED = (
    "points needed",
    "COMPLIANT from units",
    "VIOLATION from units",
    "if all score alike",
    "namely",
)
_LAW = (
    "needed",
    "mean units",
    "95 % within",
    "INCONCLUSIVE",
    "false COMPLIANT",
    "false VIOLATION",
    "deters a gain of",
)
_FIXED = (
    "this plan, mean",
    "one look: exact",
    "Clopper-Pearson",
    "Wilson (may exceed the risk)",
)


@terms.command()
@click.argument("before", type=click.Path(exists=True, path_type=Path))
@click.argument("after", type=click.Path(exists=True, path_type=Path))
def diff(before: Path, after: Path) -> int:
    """Compare two versions of sealed terms, field by field: 0 the same, 1 not."""
    from parley_verifier import termslint  # noqa: PLC0415

    changes = termslint.diff(_read(before).document(), _read(after).document())
    table = Table("field", before.name, after.name, box=box.SIMPLE, pad_edge=False)
    for one in changes:
        table.add_row(printable(one.path), *(_spelled(value) for value in (one.before, one.after)))
    if changes:
        print_table(table)
    else:
        click.echo("the same terms")
    return int(bool(changes))


def _spelled(value: Any) -> str:
    """A value of either version on one line; nothing where a version has nothing there."""
    return "-" if value is None else printable(value if isinstance(value, str) else json.dumps(value), 400)


def _read(sealed: Path) -> Terms:
    """Terms whose form and signature hold; who signed is not judged."""
    raw = sealed.read_bytes()
    return read_terms(statement.open_sealed(raw, statement.signer(raw)))
