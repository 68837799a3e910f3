"""Room: the command line. `parley verifier run`."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from parley_attestation.edge import party
from parley_attestation.edge.journal import Journal
from parley_attestation.errors import LocalError, ParleyError, PeerError, Reason, Role

from parley_cli.output import Bar
from parley_cli.testset import vault_key

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from parley_attestation.edge.guardian import Guardian
    from parley_attestation.edge.journal import SessionRow
    from parley_attestation.edge.sealed import Custody
    from parley_attestation.edge.vault import VaultKey
    from parley_attestation.session.machine import Machine
    from parley_verifier.client import Run
    from parley_verifier.config import VerifierConfig
    from parley_verifier.testset import SealedTestSet

EXIT = {"COMPLIANT": 0, "VIOLATION": 1, "INCONCLUSIVE": 3}


@click.group()
def verifier() -> None:
    """Run an exercise against a prover."""


@verifier.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@click.option("--record", type=click.Path(path_type=Path), default=Path("record.parley"), show_default=True)
@click.option("--fresh", is_flag=True, help="Give an unfinished session up and begin the next attempt.")
def run(config: Path, record: Path, *, fresh: bool) -> int:
    """Run the exercise that CONFIG (TOML) describes, or resume it; write the record.

    Exit code: 0 compliant, 1 violation, 3 inconclusive, 4 the prover broke the protocol, 5 our own fault.
    """
    from parley_attestation.edge.guardian import guarding  # noqa: PLC0415
    from parley_verifier import client  # noqa: PLC0415
    from parley_verifier.account import Account  # noqa: PLC0415
    from parley_verifier.config import read_config  # noqa: PLC0415
    from parley_verifier.sealed import awaits_results  # noqa: PLC0415
    from parley_verifier.testset import SealedTestSet  # noqa: PLC0415

    settings = read_config(config)
    key = vault_key(settings.key_file)
    tests = SealedTestSet(settings.test_set, key)
    job = _job(settings, tests, key, record)
    resumed = _unfinished(job.journal, fresh=fresh)
    account = Account(settings, job.terms, tests)
    account.enter()
    guardian = _guardian(job)
    with guarding(guardian), Bar() as bar:
        try:
            ended = client.run(
                job, resume=resumed, progress=lambda p: bar.phase("units answered", p.answered, p.budget)
            )
        except ParleyError:
            client.save_partial(job, record)
            account.broken(job.journal)
            raise
    assert ended.row is not None
    account.close(ended.machine)
    with contextlib.closing(Journal(job.journal)) as journal:
        for path in settings.qualifications:
            journal.side(ended.row, path.read_bytes())
    client.save_record(job, ended.row, record)
    if guardian is not None:
        guardian.try_look()
    click.echo(f"record {record}", err=True)
    if awaits_results(ended.machine):
        _keep_results(job, ended.row, settings, key)
    return _say(ended.machine)


def _say(machine: "Machine") -> int:
    """Print how a session ended; its exit code."""
    from parley_cli.lines import say  # noqa: PLC0415
    from parley_cli.record import print_verdict  # noqa: PLC0415

    verdict, ending = machine.facts.verdict, machine.facts.ending
    if verdict is None:
        assert ending is not None
        say(f"{ending.kind} by the {ending.role}: {ending.reason} {ending.detail}")
        return 3
    print_verdict(verdict)
    return EXIT[verdict.predicate["overall"]]


def _job(settings: "VerifierConfig", tests: "SealedTestSet", key: "VaultKey", record: Path) -> "Run":
    """What a configuration says to run."""
    from parley_attestation.edge.notary import PanelNotary  # noqa: PLC0415
    from parley_verifier import client  # noqa: PLC0415
    from parley_verifier.results import results_for  # noqa: PLC0415

    terms = settings.terms.read_bytes()
    me, witnesses = party.load(settings.party), [party.read_card(path) for path in settings.witnesses]
    return client.Run(
        party=me,
        notary=PanelNotary(me, witnesses) if witnesses else None,
        peer=party.read_card(settings.peer),
        terms=terms,
        tests=tests,
        journal=settings.journal,
        silence=settings.silence_seconds,
        results=results_for(terms, settings.results, key),
        chamber=_chamber(settings.binding, settings.journal, record),
        sealed=_sealed(settings, me, tests),
    )


def _guardian(job: "Run") -> "Guardian | None":
    """What watches the witnesses meanwhile; None where there are none."""
    from parley_attestation.edge.guardian import Guardian  # noqa: PLC0415
    from parley_attestation.edge.notary import PanelNotary  # noqa: PLC0415

    if not isinstance(job.notary, PanelNotary):
        return None
    return Guardian(Role.VERIFIER, job.party.session, job.journal, job.notary)


def _unfinished(path: Path, *, fresh: bool) -> "SessionRow | None":
    """The session to resume, unless it is to be given up."""
    with contextlib.closing(Journal(path)) as journal:
        unfinished = journal.unfinished(Role.VERIFIER)
        if fresh:
            for row in unfinished:
                journal.note(row, ended=True)
        return unfinished[0] if unfinished and not fresh else None


def _keep_results(job: "Run", row: "SessionRow", settings: "VerifierConfig", key: "VaultKey") -> None:
    """Fetch and keep the results that were handed over; where that fails now, it can be done later."""
    try:
        _write_results(job, row, settings, key)
    except ParleyError as error:
        click.echo(f"error: the results were not kept: {error.message}", err=True)
        click.echo("hint: parley verifier results fetches them", err=True)


def _write_results(job: "Run", row: "SessionRow", settings: "VerifierConfig", key: "VaultKey") -> None:
    from parley_verifier import client  # noqa: PLC0415

    assert settings.results is not None
    client.results_of(job, row).write(settings.results, key)
    click.echo(f"results {settings.results}", err=True)


@verifier.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
def results(config: Path) -> None:
    """Fetch the results that a sealed exercise hands over, where `run` could not; checked and sealed to a file."""
    from parley_attestation.envelope import from_json  # noqa: PLC0415
    from parley_attestation.statement import parse  # noqa: PLC0415
    from parley_attestation.terms import exercise_id  # noqa: PLC0415
    from parley_verifier.config import read_config  # noqa: PLC0415
    from parley_verifier.testset import SealedTestSet  # noqa: PLC0415

    settings = read_config(config)
    key = vault_key(settings.key_file)
    job = _job(settings, SealedTestSet(settings.test_set, key), key, Path("record.parley"))
    if job.sealed is None:
        raise LocalError(Reason.CONFIG, "the terms are of open mode: nothing is handed over")
    with contextlib.closing(Journal(job.journal)) as journal:
        rows = journal.attempts(Role.VERIFIER, exercise_id(parse(from_json(job.terms).payload)))
    if not rows:
        raise LocalError(Reason.CONFIG, f"{job.journal}: no session of these terms")
    _write_results(job, rows[-1], settings, key)


def _sealed(
    settings: "VerifierConfig", me: "party.Party", tests: "SealedTestSet"
) -> "Callable[[Journal], AbstractContextManager[Custody]] | None":
    """What joins a journal to the chambers of sealed terms; None where the terms are open."""
    from parley_attestation.edge.chamber_config import open_access  # noqa: PLC0415
    from parley_attestation.envelope import from_json  # noqa: PLC0415
    from parley_attestation.statement import parse  # noqa: PLC0415
    from parley_attestation.terms import read_terms  # noqa: PLC0415
    from parley_verifier.sealed import custody_of  # noqa: PLC0415

    terms = read_terms(parse(from_json(settings.terms.read_bytes()).payload))
    if terms.mode != "sealed":
        return None
    if settings.sealed is None:
        raise LocalError(
            Reason.CONFIG, "the terms are sealed, and no chamber is configured", hint="add [verifier.sealed]"
        )
    access = open_access(settings.sealed, me, other_party=settings.prover_chamber)
    try:
        access.rules.check_operators(terms)
    except PeerError as error:  # these terms are this party's own: nobody else has broken anything
        raise LocalError(
            Reason.CONFIG, error.message, hint="compare [[verifier.sealed.chambers]] with the terms"
        ) from error
    return lambda journal: custody_of(tests, access, journal)


def _chamber(statement: Path | None, journal: Path, record: Path) -> "Callable[[Machine], bytes]":
    """The chamber's statement from a file; until it is there, the record to hand to the chamber is written."""

    def ask(_: "Machine") -> bytes:
        from parley_attestation.edge.records import write_record  # noqa: PLC0415

        if statement is not None and statement.exists():
            return statement.read_bytes()
        opened = record.with_suffix(".opened.parley")
        if not opened.exists():
            with contextlib.closing(Journal(journal)) as turns:
                row = turns.last(Role.VERIFIER)
                assert row is not None
                write_record(turns, row, opened)
        raise LocalError(
            Reason.CONFIG,
            f"the terms demand a chamber's statement about {opened}",
            hint="have it made (parley chamber reexecute), name it as `binding` and run again",
        )

    return ask


@verifier.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
def watch(config: Path) -> None:
    """Watch the witnesses between runs, so that no hidden message is claimed as silence; until interrupted."""
    import signal  # noqa: PLC0415
    import threading  # noqa: PLC0415

    from parley_attestation.edge.guardian import Guardian, guarding  # noqa: PLC0415
    from parley_attestation.edge.notary import PanelNotary  # noqa: PLC0415
    from parley_verifier.config import read_config  # noqa: PLC0415

    settings = read_config(config)
    if not settings.witnesses:
        raise LocalError(
            Reason.CONFIG, "no witnesses are named", hint="without witnesses nobody can be blamed"
        )
    me = party.load(settings.party)
    notary = PanelNotary(me, [party.read_card(path) for path in settings.witnesses])
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with guarding(Guardian(Role.VERIFIER, me.session, settings.journal, notary)):
        click.echo("WATCHING")
        stop.wait()


@verifier.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@click.option("--record", type=click.Path(path_type=Path), help="Write the record with the claim here.")
def claim(config: Path, record: Path | None) -> int:
    """Claim the prover's default: first its clock is started with the witnesses, later the claim is made.

    Run it once to leave the last message with the witnesses, and again when the deadline has passed.
    """
    from parley_attestation.edge.notary import PanelNotary  # noqa: PLC0415
    from parley_verifier.config import read_config  # noqa: PLC0415

    from parley_cli.claim import claim_and_say  # noqa: PLC0415

    settings = read_config(config)
    me = party.load(settings.party)
    notary = PanelNotary(me, [party.read_card(path) for path in settings.witnesses])
    return claim_and_say(settings.journal, Role.VERIFIER, notary, record)
