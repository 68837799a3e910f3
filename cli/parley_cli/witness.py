"""Room: the command line. `parley witness serve|show`; `parley keygen --role witness` makes one."""

import signal
from pathlib import Path

import click


@click.group()
def witness() -> None:
    """Give exercises and registrations a time."""


@witness.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
def show(folder: Path) -> None:
    """Print what others pin of the witness in FOLDER."""
    from parley_attestation.edge import party  # noqa: PLC0415
    from parley_attestation.errors import LocalError, PeerError, Reason  # noqa: PLC0415
    from parley_attestation.log import note  # noqa: PLC0415
    from parley_attestation.log.cosignature import ED25519_COSIGNATURE  # noqa: PLC0415

    card = party.read_card(folder / party.CARD)
    click.echo(f"key   {card.root_key}")
    try:
        click.echo(f"vkey  {note.vkey(card.name, ED25519_COSIGNATURE, bytes.fromhex(card.root_key))}")
    except PeerError as error:
        raise LocalError(
            Reason.CONFIG,
            f"the witness's name {card.name!r} has no place in a verifier key",
            hint=error.message,
        ) from error


@witness.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--address", default="127.0.0.1:7071", show_default=True, help="host:port to listen on.")
@click.option(
    "--peer",
    "peers",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Card of a party to admit; without any, every client may ask.",
)
@click.option(
    "--log",
    "logs",
    multiple=True,
    metavar="VKEY",
    help="Verifier key of a log whose checkpoints are cosigned over HTTP.",
)
@click.option("--http", default=7072, show_default=True, help="Port for the logs, on the same host.")
def serve(folder: Path, address: str, peers: tuple[Path, ...], logs: tuple[str, ...], http: int) -> None:
    """Serve the witness in FOLDER until it is interrupted; its database lies in the folder too."""
    import grpc  # noqa: PLC0415
    from parley_attestation.edge import party, witness_service  # noqa: PLC0415
    from parley_attestation.edge.transport import server_credentials  # noqa: PLC0415
    from parley_attestation.edge.witness_http import CheckpointWitness, serve_checkpoints  # noqa: PLC0415
    from parley_attestation.edge.witness_store import WitnessStore  # noqa: PLC0415
    from parley_attestation.log import note  # noqa: PLC0415

    for number in (signal.SIGINT, signal.SIGTERM):  # also where a parent had them ignored
        signal.signal(number, signal.default_int_handler)
    own = party.load(folder)
    cards = [party.read_card(p) for p in peers]
    credentials = (
        server_credentials(own.card, own.tls_key, cards)
        if cards
        else grpc.ssl_server_credentials([(own.tls_key, own.card.certificate.encode())])
    )
    key, name = own.root, own.card.name
    store = WitnessStore(folder / "witness.sqlite", name, key)
    server, port = witness_service.serve(store, address, credentials)
    click.echo(f"witness  {name} on port {port}")
    try:
        if logs:
            known = [(k.name, k) for k in map(note.ed25519_key, logs)]
            cosigner = CheckpointWitness(folder / "checkpoints.sqlite", key, name, known)
            with serve_checkpoints(cosigner, address.rpartition(":")[0], http) as web:
                click.echo(f"logs     {len(known)} on port {web.server_port}")
                web.serve_forever()
        else:
            server.wait_for_termination()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    finally:
        server.stop(5).wait()
        store.close()


@witness.command()
@click.argument("statement", type=click.Path(exists=True, path_type=Path))
@click.option("--party", "folder", type=click.Path(path_type=Path), required=True, help="Your party folder.")
@click.option(
    "--witness", "cards", type=click.Path(exists=True, path_type=Path), multiple=True, required=True
)
def register(statement: Path, folder: Path, cards: tuple[Path, ...]) -> int:
    """Give a sealed STATEMENT (a registration, a claim, a revocation) a time; receipts go beside it."""
    from parley_attestation import statement as statements  # noqa: PLC0415
    from parley_attestation.edge import party  # noqa: PLC0415
    from parley_attestation.edge.notary import addresses  # noqa: PLC0415
    from parley_attestation.edge.witness_client import WitnessPanel  # noqa: PLC0415
    from parley_attestation.envelope import from_json  # noqa: PLC0415

    digest = statements.parse(from_json(statement.read_bytes()).payload).digest()
    own = party.load(folder)
    with WitnessPanel(addresses(own, [party.read_card(path) for path in cards])) as panel:
        collected = panel.register(digest)
    for number, sealed in enumerate(collected.sealed, 1):
        out = statement.with_name(f"{statement.name}.receipt{number}.json")
        out.write_bytes(sealed)
        click.echo(f"receipt  {out}")
    for key, error in collected.refusals.items():
        click.echo(f"error: witness {key.hex()[:16]}…: {error}", err=True)
    return 0 if collected.sealed else 1
