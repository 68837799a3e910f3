"""Room: the command line. `parley prover claim` and `parley verifier claim`."""

import contextlib
from pathlib import Path

import click
from parley_attestation.edge.claiming import awaiting, claim_default
from parley_attestation.edge.journal import Journal
from parley_attestation.edge.notary import PanelNotary
from parley_attestation.edge.records import write_record
from parley_attestation.errors import Role


def claim_and_say(path: Path, role: Role, notary: PanelNotary, record: Path | None) -> int:
    """Claim the other party's default; say how it stands. Exit code 0 where it stands, else 3."""
    with contextlib.closing(Journal(path)) as journal:
        row = awaiting(journal, role)
        found = claim_default(journal, role, row, notary)
        if isinstance(found, str):
            click.echo(found)
            return 3
        click.echo(found.verdict.value)
        if record is not None:
            write_record(journal, row, record)
    return 0
