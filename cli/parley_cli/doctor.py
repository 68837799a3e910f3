"""Room: the command line. `parley doctor`: says why a peer cannot be reached or a pin does not match."""

import hashlib
import socket
import ssl
import tempfile
from pathlib import Path

import click
from parley_attestation.edge import party

from parley_cli.lines import say


@click.command()
@click.option(
    "--party", "folder", type=click.Path(path_type=Path), required=True, help="Your own party folder."
)
@click.option("--peer", type=click.Path(path_type=Path), required=True, help="The peer's card.")
@click.option("--endpoint", default="", help="host:port, where it is not the one on the card.")
def doctor(folder: Path, peer: Path, endpoint: str) -> int:
    """Check keys, card, network and pins step by step; stops at the first thing that is wrong."""
    me = party.load(folder)
    say(f"ok    your party folder: {me.card.name}, {me.card.role}, root {me.card.root}")
    card = party.read_card(peer)
    say(f"ok    the peer's card: {card.name}, {card.role}, root {card.root}")
    host, _, port = (endpoint or card.endpoint).rpartition(":")
    if not host or not port.isdigit():
        return _stop("the card names no endpoint", "pass --endpoint host:port")
    try:
        address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][4]
    except OSError as error:
        return _stop(f"{host} does not resolve: {error}", "check the host name")
    say(f"ok    {host} is {address[0]}")
    try:
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            click.echo(f"ok    something listens at port {port}")
            return _tls(connection, me, card)
    except OSError as error:
        return _stop(
            f"nothing answers at {host}:{port}: {error}", "is the peer serving? is a firewall between?"
        )


def _tls(connection: socket.socket, me: party.Party, card: party.PeerCard) -> int:
    """Look at the certificate that the server shows, without believing it, then shake hands for real."""
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    plain.check_hostname = False
    plain.verify_mode = ssl.CERT_NONE  # what is shown is compared with the pin, and nothing is sent
    plain.set_alpn_protocols(["h2"])
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder) / "tls.crt", Path(folder) / "tls.key"
        certificate.write_text(me.card.certificate)
        key.touch(0o600)
        key.write_bytes(me.tls_key)
        plain.load_cert_chain(certificate, key)
    try:
        with plain.wrap_socket(connection) as secure:
            shown = secure.getpeercert(binary_form=True) or b""
            seen = hashlib.sha256(shown).hexdigest()
            if seen != card.tls_digest.hex():
                return _stop(
                    f"the server shows another certificate ({seen}) than the card ({card.tls_digest.hex()})",
                    "ask the peer for its current card, and compare the fingerprint over another channel",
                )
            click.echo(f"ok    the server shows the pinned certificate, {secure.version()}")
            secure.settimeout(5)
            answer = secure.recv(64)
    except (OSError, ssl.SSLError) as error:
        return _stop(
            f"the server refused your certificate ({getattr(error, 'reason', '') or type(error).__name__})",
            "has the peer put your card into its peers?",
        )
    if not answer:
        return _stop("the server closed the connection after the handshake", "has the peer pinned your card?")
    click.echo("ok    the server accepts your certificate and speaks HTTP/2")
    return 0


def _stop(what: str, hint: str) -> int:
    say(f"error: {what}", err=True)
    click.echo(f"hint: {hint}", err=True)
    return 1
