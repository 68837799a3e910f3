"""Room: the command line. `parley model register|verify|open|check|same|export-oms|verify-oms`."""

import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import LocalError, Reason

from parley_cli.lines import say

if TYPE_CHECKING:
    from parley_attestation.edge.party import PeerCard
    from parley_attestation.model.claim import ClaimSecret, ModelClaim
    from parley_attestation.model.request import Request

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW = click.Path(dir_okay=False, path_type=Path)
_MANY = 8  # above this many cores, the interpreter lock costs more than starting processes


def _asked(command: Callable[..., None]) -> Callable[..., None]:
    """The three ways to say what is opened."""
    for option in (
        click.option("--tensor", nargs=2, metavar="FILE NAME", help="The whole tensor NAME of FILE."),
        click.option(
            "--range", "span", nargs=3, metavar="FILE START STOP", help="Bytes START..STOP of FILE."
        ),
        click.option(
            "--random", nargs=2, metavar="SEED COUNT", help="COUNT chunks drawn from SEED (64 hex)."
        ),
    ):
        command = option(command)
    return command


@click.group()
def model() -> None:
    """Register, verify and open model claims."""


@model.command()
@click.argument("location")
@click.option("--party", "folder", type=click.Path(path_type=Path), required=True, help="The prover's party.")
@click.option("--name", required=True, help="What the claim calls the model; public.")
@click.option("--out", type=_NEW, required=True, help="The claim to write; its secret goes to OUT.secret.")
@click.option("--state", "formats", multiple=True, help="A file format to state in public: gguf, onnx, ...")
@click.option("--same-as", type=_FILE, help="Secret of an earlier claim over the same bytes.")
@click.option("--workers", type=click.IntRange(1), help="Cores to use; all by default.")
def register(
    location: str,
    *,
    folder: Path,
    name: str,
    out: Path,
    formats: tuple[str, ...],
    same_as: Path | None,
    workers: int | None,
) -> None:
    """Commit to the model at LOCATION: a folder, a file, or s3://, gs://, hf://. Goes on where it was stopped."""
    from parley_attestation.edge import party  # noqa: PLC0415
    from parley_prover.weights import register_model  # noqa: PLC0415

    kept = out.with_name(out.name + ".secret")
    journal = out.with_name(out.name + ".journal")
    if out.exists() or kept.exists():
        raise LocalError(Reason.CONFIG, f"{out} or {kept} is there already", hint="choose another --out")
    with _executor(workers) as executor, _progress() as progress:
        made = register_model(
            location,
            root_key=party.load(folder).root,
            name=name,
            entropy=Bytes32(secrets.token_bytes(32)),
            formats=formats,
            same_as=_secret(same_as) if same_as else None,
            journal=journal,
            executor=executor,
            progress=progress,
        )
    _write(kept, made.secret.encode(), 0o600)
    _write(out, made.claim.sealed, 0o644)
    journal.unlink()
    click.echo(f"claim   {out}")
    click.echo(f"secret  {kept}")
    click.echo(f"digest  {made.claim.digest.hex()}")


@model.command()
@click.argument("location")
@click.option("--claim", type=_FILE, required=True, help="The sealed claim.")
@click.option("--secret", type=_FILE, required=True, help="What opens it.")
@click.option("--card", type=_FILE, help="Card of the party that must have signed the claim.")
@click.option("--workers", type=click.IntRange(1), help="Cores to use; all by default.")
def verify(location: str, claim: Path, secret: Path, card: Path | None, workers: int | None) -> None:
    """Recompute a claim from the files at LOCATION; names the tensors or files that differ."""
    from parley_attestation.edge.weights import verify_model  # noqa: PLC0415

    with _executor(workers) as executor, _progress() as progress:
        found = verify_model(
            location, _claim(claim, card), _secret(secret), executor=executor, progress=progress
        )
    click.echo(f"verified  {len(found.plan.files)} files, {found.plan.size} bytes")


@model.command("open")
@click.argument("location")
@click.option("--claim", type=_FILE, required=True, help="The sealed claim.")
@click.option("--secret", type=_FILE, required=True, help="What opens it.")
@click.option("--to", "card", type=_FILE, required=True, help="Peer card of who asked.")
@click.option("--ledger", type=_NEW, required=True, help="The weight-disclosure ledger; made if absent.")
@click.option("--out", type=_NEW, required=True, help="The opening to write.")
@_asked
def open_(
    location: str,
    *,
    claim: Path,
    secret: Path,
    card: Path,
    ledger: Path,
    out: Path,
    **asked: tuple[str, ...],
) -> None:
    """Open a part of the model at LOCATION, within the disclosure budget of 1 % per party and in all."""
    from parley_prover.weight_budget import WeightBudget  # noqa: PLC0415
    from parley_prover.weight_opening import WeightOpener  # noqa: PLC0415
    from parley_prover.weights import Registration  # noqa: PLC0415

    registration = Registration(_claim(claim), _secret(secret))
    opener = WeightOpener(registration, location, WeightBudget(ledger))
    raw = opener.open(_request(asked), _card(card).fingerprint).encode()
    _write(out, raw, 0o600)
    click.echo(f"opening  {out}  {len(raw)} bytes")


@model.command()
@click.argument("opening", type=_FILE)
@click.option("--claim", type=_FILE, required=True, help="The sealed claim.")
@click.option("--card", type=_FILE, help="Card of the party that must have signed the claim.")
@click.option("--out", type=_NEW, help="Where to write the opened bytes.")
@_asked
def check(opening: Path, claim: Path, card: Path | None, out: Path | None, **asked: tuple[str, ...]) -> None:
    """Check an OPENING against the claim and what was asked; writes the opened bytes."""
    from parley_attestation.model.opened import verify_opening  # noqa: PLC0415
    from parley_attestation.model.opening import decode  # noqa: PLC0415

    found = verify_opening(_claim(claim, card), _request(asked), decode(opening.read_bytes()))
    for part in found.parts:
        say(f"opened  {part.segment}  {len(part.data)} bytes")
    if out is not None:
        _write(out, found.content, 0o600)


@model.command()
@click.argument("first", type=_FILE)
@click.argument("second", type=_FILE)
@click.option("--secrets", "pair", type=_FILE, nargs=2, metavar="FIRST SECOND", help="Prove: both secrets.")
@click.option("--out", type=_NEW, help="Prove: the proof to write.")
@click.option("--proof", type=_FILE, help="Verify: the proof to check.")
def same(
    first: Path, second: Path, pair: tuple[Path, Path] | None, out: Path | None, proof: Path | None
) -> None:
    """Prove, or verify, that two claims are over the same bytes; shows nothing else."""
    from parley_attestation.model.same import prove_same, verify_same  # noqa: PLC0415

    claims = _claim(first), _claim(second)
    if proof is not None and not pair:
        verify_same(*claims, proof.read_bytes())
        click.echo("same  the two claims are over the same files, byte for byte")
    elif pair and out is not None and proof is None:
        known = _secret(pair[0]), _secret(pair[1])
        _write(out, prove_same((claims[0], known[0]), (claims[1], known[1])), 0o644)
        click.echo(f"proof  {out}")
    else:
        raise click.UsageError("give --secrets and --out to prove, or --proof to verify")


@model.command("export-oms")
@click.argument("location")
@click.option("--name", required=True, help="What the bundle calls the model.")
@click.option("--key", type=_FILE, required=True, help="P-256 private key, PEM.")
@click.option("--out", type=_NEW, required=True, help="The bundle to write.")
@click.option("--ignore", multiple=True, help="A path to leave out.")
def export_oms(location: str, name: str, key: Path, out: Path, ignore: tuple[str, ...]) -> None:
    """Sign an OpenSSF Model Signing bundle: bare file digests, which name every public model."""
    from parley_attestation.edge.weights.digests import file_digests  # noqa: PLC0415
    from parley_prover.oms import sign_oms  # noqa: PLC0415

    with _executor(None) as executor, _progress() as progress:
        digests = file_digests(location, ignored=ignore, executor=executor, progress=progress)
    _write(out, sign_oms(name, digests, key.read_bytes(), ignore), 0o600)
    click.echo(f"bundle  {out}  {len(digests)} files")


@model.command("verify-oms")
@click.argument("location")
@click.argument("bundle", type=_FILE)
@click.option("--public-key", type=_FILE, help="The signer's public key, PEM.")
@click.option("--root", "roots", type=_FILE, multiple=True, help="A root certificate to trust, PEM.")
def verify_oms_(location: str, bundle: Path, public_key: Path | None, roots: tuple[Path, ...]) -> None:
    """Verify an OpenSSF Model Signing BUNDLE and the files at LOCATION against it."""
    from parley_attestation.edge.weights.digests import compare_digests, file_digests  # noqa: PLC0415
    from parley_attestation.model.oms_verify import verify_oms  # noqa: PLC0415

    found = verify_oms(
        bundle.read_bytes(),
        public_key=public_key.read_bytes() if public_key else None,
        roots=[r.read_bytes() for r in roots],
        at=int(time.time()) if roots else None,
    )
    with _executor(None) as executor, _progress() as progress:
        digests = file_digests(location, ignored=found.said.ignored, executor=executor, progress=progress)
    compare_digests(found.said, digests)
    click.echo(f"verified  {len(digests)} files")
    for one in found.unverified:
        say(f"not verified  {one}")


def _request(asked: dict[str, tuple[str, ...]]) -> "Request":
    from parley_attestation.model import request  # noqa: PLC0415

    tensor, span, random = asked["tensor"], asked["span"], asked["random"]
    if sum(map(bool, (tensor, span, random))) != 1:
        raise click.UsageError("give one of --tensor, --range and --random")
    try:
        if tensor:
            return request.TensorRequest(*tensor)
        if span:
            return request.RangeRequest(span[0], int(span[1]), int(span[2]))
        return request.RandomRequest(Bytes32.of_hex(random[0]), int(random[1]))
    except ValueError as error:
        raise click.UsageError("expected whole numbers") from error


def _claim(path: Path, card: Path | None = None) -> "ModelClaim":
    from parley_attestation.ed25519 import PublicKey  # noqa: PLC0415
    from parley_attestation.model.claim import read_claim  # noqa: PLC0415

    root = PublicKey.of_hex(_card(card).root_key) if card is not None else None
    return read_claim(path.read_bytes(), root)


def _card(path: Path) -> "PeerCard":
    from parley_attestation.edge.party import read_card  # noqa: PLC0415

    return read_card(path)


def _secret(path: Path) -> "ClaimSecret":
    from parley_attestation.model.claim import read_secret  # noqa: PLC0415

    return read_secret(path.read_bytes())


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a new file; never over one that is there."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise LocalError(Reason.CONFIG, f"cannot write {path}: {error.strerror}") from error


@contextmanager
def _executor(workers: int | None) -> Iterator[Executor]:
    count = workers or os.cpu_count() or 1
    with ThreadPoolExecutor(count) if count <= _MANY else ProcessPoolExecutor(count) as executor:
        yield executor


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Bytes, throughput and time left, on a terminal; silent otherwise."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich import progress  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    columns = progress.BarColumn(), progress.DownloadColumn(), progress.TransferSpeedColumn()
    with progress.Progress(*columns, progress.TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("hashing", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
