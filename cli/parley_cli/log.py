"""Room: the command line. `parley log init|append|prove|verify|monitor`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from parley_cli.lines import say

if TYPE_CHECKING:
    from parley_attestation.edge.log_store import HttpReader, LogStore
    from parley_attestation.encoding import Digest
    from parley_attestation.log.checkpoint import Checkpoint
    from parley_attestation.log.note import Note, NoteSignature

_key = click.option("--key", "vkey", required=True, metavar="VKEY", help="The log's verifier key.")
_party = click.option(
    "--party",
    "folder",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    help="The log's operator.",
)
_name = click.option("--name", required=True, help="Origin of the log: a URL without its scheme.")
_sealed = click.Path(exists=True, dir_okay=False, path_type=Path)
MAX_STATEMENT_FILE = 1 << 21  # bytes


@click.group()
def log() -> None:
    """An append-only log of statement digests, as static files."""


def _digest(path: Path) -> "Digest":
    from parley_attestation import statement  # noqa: PLC0415

    raw = _read(path)
    return statement.open_sealed(raw, statement.signer(raw)).digest()


def _read(path: Path) -> bytes:
    from parley_attestation.errors import LocalError, Reason  # noqa: PLC0415

    if path.stat().st_size > MAX_STATEMENT_FILE:
        raise LocalError(Reason.CONFIG, f"{path}: too large for a sealed statement")
    return path.read_bytes()


@log.command()
@click.argument("store")
@_party
@_name
def init(store: str, folder: Path, name: str) -> None:
    """Make an empty log in STORE, a folder or an fsspec URL."""
    from parley_attestation.edge import party  # noqa: PLC0415
    from parley_attestation.edge.log_store import open_store  # noqa: PLC0415
    from parley_attestation.edge.log_writer import init_log  # noqa: PLC0415
    from parley_attestation.log import note  # noqa: PLC0415

    root = party.load(folder).root
    init_log(open_store(store), root, name)
    click.echo(note.vkey(name, note.ED25519, root.public))


@log.command()
@click.argument("store")
@click.argument("statements", nargs=-1, required=True, type=_sealed)
@_party
@_name
@click.option(
    "--witness",
    "witnesses",
    multiple=True,
    nargs=2,
    metavar="URL VKEY",
    help="A witness that cosigns each checkpoint before it is published.",
)
def append(
    store: str,
    statements: tuple[Path, ...],
    folder: Path,
    name: str,
    witnesses: tuple[tuple[str, str], ...],
) -> None:
    """Append the digests of sealed STATEMENTS; their content stays where it is."""
    from parley_attestation.edge import party  # noqa: PLC0415
    from parley_attestation.edge.log_store import open_store  # noqa: PLC0415
    from parley_attestation.edge.log_writer import BATCH, open_log  # noqa: PLC0415
    from parley_attestation.edge.witness_http import cosign_by  # noqa: PLC0415
    from parley_attestation.log.cosignature import cosigner  # noqa: PLC0415

    digests = [_digest(path) for path in statements]
    files = open_store(store)
    keys = [(url, cosigner(vkey)) for url, vkey in witnesses]

    def cosign(checkpoint: "Checkpoint", signed: "Note") -> Sequence["NoteSignature"]:
        return [cosign_by(url, key, files.read, checkpoint, signed) for url, key in keys]

    with open_log(files, party.load(folder).root, name, cosign) as writer:
        for at in range(0, len(digests), BATCH):
            batch = digests[at : at + BATCH]
            first = writer.append(batch)
            for n, digest in enumerate(batch):
                click.echo(f"{first + n}  {digest.hex()}")


@log.command()
@click.argument("store")
@click.argument("sealed", type=_sealed)
@_key
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The receipt, *.tlog-proof.")
def prove(store: str, sealed: Path, vkey: str, out: Path) -> None:
    """Write a receipt that the log in STORE (a folder or URL) holds the statement SEALED."""
    from parley_attestation.errors import LocalError, Reason  # noqa: PLC0415
    from parley_attestation.log import note  # noqa: PLC0415
    from parley_attestation.log.checkpoint import open_checkpoint  # noqa: PLC0415
    from parley_attestation.log.proof import LogProof, verify_logged  # noqa: PLC0415
    from parley_attestation.log.tiles import CHECKPOINT, TileTree  # noqa: PLC0415

    files, key, wanted = _reader(store), note.ed25519_key(vkey), _digest(sealed)
    raw = files.read(CHECKPOINT)
    if raw is None:
        raise LocalError(Reason.CONFIG, f"{store}: no log there")
    tree = TileTree(files.read, open_checkpoint(raw, key)[0].size)
    index = next((n for n, one in enumerate(tree.entries()) if one == wanted), None)
    if index is None:
        raise LocalError(Reason.CONFIG, "the log does not hold this statement", hint="append it first")
    receipt = LogProof(index, tree.inclusion(index), raw).dump()
    verify_logged(receipt, wanted, key)
    out.write_bytes(receipt)
    click.echo(f"{index}  {wanted.hex()}")


def _reader(where: str) -> "HttpReader | LogStore":
    from parley_attestation.edge.log_store import HttpReader, open_store  # noqa: PLC0415

    return HttpReader(where) if where.startswith(("http://", "https://")) else open_store(where)


@log.command()
@click.argument("receipt", type=_sealed)
@click.argument("sealed", type=_sealed)
@_key
@click.option("--witness", "witnesses", multiple=True, metavar="VKEY", help="A witness that you trust.")
@click.option("--threshold", default=0, show_default=True, help="How many of them must have cosigned.")
def verify(receipt: Path, sealed: Path, vkey: str, witnesses: tuple[str, ...], threshold: int) -> None:
    """Check offline that RECEIPT shows the statement SEALED in a log."""
    from parley_attestation.log import note  # noqa: PLC0415
    from parley_attestation.log.cosignature import cosigner  # noqa: PLC0415
    from parley_attestation.log.proof import verify_logged  # noqa: PLC0415

    found = verify_logged(
        _read(receipt),
        _digest(sealed),
        note.ed25519_key(vkey),
        witnesses=[cosigner(w) for w in witnesses],
        threshold=threshold,
    )
    click.echo(f"logged at {found.index} of {found.checkpoint.size}, {found.witnessed}")


@log.command()
@click.argument("where")
@click.argument("statements", nargs=-1, type=_sealed)
@_key
@click.option("--origin", help="What the log calls itself, if not by its key's name.")
@click.option(
    "--state", type=click.Path(path_type=Path), required=True, help="Folder that remembers the log."
)
@click.option("--about", help="Fingerprint of the party to watch, with the STATEMENTS it showed you.")
def monitor(
    where: str,
    statements: tuple[Path, ...],
    vkey: str,
    origin: str | None,
    state: Path,
    about: str | None,
) -> int:
    """Follow the log at WHERE (URL or folder): check that it only grew, and alert on what concerns a party."""
    from parley_attestation.edge.log_monitor import LogMonitor  # noqa: PLC0415
    from parley_attestation.encoding import Digest  # noqa: PLC0415
    from parley_attestation.log import note  # noqa: PLC0415
    from parley_attestation.log.monitor import alerts  # noqa: PLC0415

    one = LogMonitor(state, note.ed25519_key(vkey), origin)
    new = one.follow(_reader(where).read)
    assert one.checkpoint is not None
    click.echo(f"{one.checkpoint.size} entries, {new} new, consistent")
    if about is None:
        return 0
    found = alerts(Digest.of_hex(about), [_read(p) for p in statements], one.entries())
    for alert in found:
        say(f"{alert.kind}: {alert.text}")
        for digest in alert.statements:
            click.echo(f"  {digest.hex()}")
    return 1 if found else 0
