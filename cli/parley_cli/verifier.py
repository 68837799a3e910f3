"""Room: the command line. `parley verifier run`."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from parley_attestation.edge import party
from parley_attestation.edge.journal import Journal
from parley_attestation.errors import LocalError, ParleyError, Reason, Role

from parley_cli.output import Bar
from parley_cli.testset import vault_key

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from parley_attestation.edge.sealed import Custody
    from parley_attestation.session.machine import Machine
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
    from parley_attestation.edge.guardian import Guardian, guarding  # noqa: PLC0415
    from parley_attestation.edge.notary import PanelNotary  # noqa: PLC0415
    from parley_verifier import client  # noqa: PLC0415
    from parley_verifier.account import Account  # noqa: PLC0415
    from parley_verifier.config import read_config  # noqa: PLC0415
    from parley_verifier.results import results_for  # noqa: PLC0415
    from parley_verifier.testset import SealedTestSet  # noqa: PLC0415

    from parley_cli.record import print_verdict  # noqa: PLC0415

    settings = read_config(config)
    tests = SealedTestSet(settings.test_set, vault_key(settings.key_file))
    me, witnesses = party.load(settings.party), [party.read_card(path) for path in settings.witnesses]
    notary = PanelNotary(me, witnesses) if witnesses else None
    job = client.Run(
        party=me,
        notary=notary,
        peer=party.read_card(settings.peer),
        terms=settings.terms.read_bytes(),
        tests=tests,
        journal=settings.journal,
        silence=settings.silence_seconds,
        results=results_for(settings.terms.read_bytes(), settings.results),
        chamber=_chamber(settings.binding, settings.journal, record),
        sealed=_sealed(settings, me, tests),
    )
    with contextlib.closing(Journal(job.journal)) as journal:
        unfinished = journal.unfinished(Role.VERIFIER)
        if fresh:
            for row in unfinished:
                journal.note(row, ended=True)
            unfinished = []
    account = Account(settings, job.terms, tests)
    account.enter()
    guardian = Guardian(Role.VERIFIER, me.session, settings.journal, notary) if notary else None
    with guarding(guardian), Bar() as bar:
        try:
            ended = client.run(
                job,
                resume=unfinished[0] if unfinished else None,
                progress=lambda p: bar.phase("units answered", p.answered, p.budget),
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
    verdict = ended.machine.facts.verdict
    if verdict is None:
        ending = ended.machine.facts.ending
        assert ending is not None
        click.echo(f"{ending.kind} by the {ending.role}: {ending.reason} {ending.detail}")
        return 3
    print_verdict(verdict)
    return EXIT[verdict.predicate["overall"]]


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
    access.rules.check_operators(terms)
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
