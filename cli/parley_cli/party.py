"""Room: the command line. `parley keygen`."""

import secrets
import time
from pathlib import Path

import click
from parley_attestation.edge import party
from parley_attestation.errors import Role


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the party, for people.")
@click.option(
    "--role", type=click.Choice([r.value for r in Role]), required=True, help="What it may sign as."
)
@click.option("--endpoint", default="", help="host:port, for a party that serves.")
def keygen(folder: Path, name: str, role: str, endpoint: str) -> None:
    """Make a party in FOLDER: root key, session key, TLS key, and the card to give to the other side."""
    made = party.create(
        folder,
        name=name,
        role=Role(role),
        entropy=secrets.token_bytes(64),
        now=int(time.time()),
        endpoint=endpoint,
    )
    click.echo(f"card         {folder / party.CARD}")
    click.echo(f"fingerprint  {made.card.root}")
    click.echo("Give the card to the other party; compare the fingerprint over another channel.", err=True)
