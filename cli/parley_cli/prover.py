"""Room: the command line. `parley prover serve`."""

import logging
import signal
import threading
from pathlib import Path

import click
from parley_attestation.edge import party
from parley_attestation.errors import Role


@click.group()
def prover() -> None:
    """Serve a model to verifiers."""


@prover.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@click.option("-v", "--verbose", is_flag=True, help="Log what happens; never content.")
def serve(config: Path, *, verbose: bool) -> None:
    """Serve as CONFIG (TOML) says until interrupted; prints LISTENING and the port on stdout."""
    from parley_attestation.edge.guardian import Guardian, guarding  # noqa: PLC0415
    from parley_attestation.edge.notary import PanelNotary  # noqa: PLC0415
    from parley_prover.answering import Offer  # noqa: PLC0415
    from parley_prover.budget import Limits  # noqa: PLC0415
    from parley_prover.config import read_config  # noqa: PLC0415
    from parley_prover.engines.config import open_engine  # noqa: PLC0415
    from parley_prover.sealed import open_model  # noqa: PLC0415
    from parley_prover.service import ProverService, ServerLimits, serve  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(message)s")
    settings = read_config(config)
    me = party.load(settings.party)
    peers = [party.read_card(path) for path in settings.peers]
    engine = open_engine(settings.engine) if settings.engine is not None else None
    limits = ServerLimits(
        sessions=settings.sessions,
        disclosure=Limits(settings.disclosure.answers, settings.disclosure.output_bytes),
    )
    claims = tuple(path.read_bytes() for path in settings.models)
    offer = Offer(
        me.history,
        claims,
        settings.declared,
        settings.max_turn_bytes,
        tuple(path.read_bytes() for path in settings.records),
        key=me.session,
        verifier_chamber=settings.verifier_chamber,
        hand_over=settings.hand_over,
        require_prior=settings.require_prior,
        sealed=open_model(settings, me, claims),
    )
    witnesses = [party.read_card(path) for path in settings.witnesses]
    notary = PanelNotary(me, witnesses) if witnesses else None
    service = ProverService(me, peers, engine, offer, settings.journal, limits, notary)
    server, port = serve(service, me, peers, settings.listen, settings.sessions)
    click.echo(f"LISTENING {settings.listen.rpartition(':')[0]}:{port}")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    guardian = Guardian(Role.PROVER, me.session, settings.journal, notary) if notary else None
    with guarding(guardian):
        stop.wait()
    server.stop(grace=5).wait()
    if engine is not None:
        engine.close()


@prover.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@click.option("--record", type=click.Path(path_type=Path), help="Write the record with the claim here.")
def claim(config: Path, record: Path | None) -> int:
    """Claim the verifier's default: first its clock is started with the witnesses, later the claim is made.

    Run it once to leave the last message with the witnesses, and again when the deadline has passed.
    """
    from parley_attestation.edge.notary import PanelNotary  # noqa: PLC0415
    from parley_prover.config import read_config  # noqa: PLC0415

    from parley_cli.claim import claim_and_say  # noqa: PLC0415

    settings = read_config(config)
    me = party.load(settings.party)
    notary = PanelNotary(me, [party.read_card(path) for path in settings.witnesses])
    return claim_and_say(settings.journal, Role.PROVER, notary, record)
