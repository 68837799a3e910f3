"""Real processes, killed with SIGKILL around every write of every step: nothing acknowledged is lost."""

import contextlib
import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from parley_attestation.edge.journal import Journal
from parley_attestation.edge.records import write_record
from parley_attestation.errors import LocalError, Role
from parley_attestation.judge import judge
from parley_attestation.transcript import encode_envelope
from parley_prover.budget import DisclosureBudget, Limits
from parley_verifier import client
from world import ITEMS, World, world

KILLED = Path(__file__).with_name("killed.py")
# One write and death; or one write and death before the next: every step is hit, and every run gets on by one.
MOMENTS = [("after", 1), ("before", 2)]


@pytest.fixture(name="world")
def _world(tmp_path):
    with world(tmp_path) as made:
        yield made


def command(*arguments, moment=None):
    start = ["-m", "parley_cli"] if moment is None else [str(KILLED), moment[0], str(moment[1])]
    return [sys.executable, *start, *arguments]


@contextlib.contextmanager
def serving(world: World, moment=None):
    """A real prover; it is terminated at the end, where it has not died before."""
    server = subprocess.Popen(
        command("prover", "serve", "prover.toml", moment=moment),
        cwd=world.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stdout.readline().startswith("LISTENING"), server.stderr.read()
        try:
            yield server
        finally:
            server.terminate()
            server.communicate(timeout=30)


def turns(world: World, role: Role):
    """What a party's journal holds of the only session."""
    with contextlib.closing(Journal(world.folder / f"{role}.journal")) as journal:
        row = journal.last(role)
        if row is None:
            return []
        assert journal.extras(row)[1] == []
        return [(encode_envelope(turn.envelope), turn.blobs) for _, turn in journal.turns(row)]


class Watched:
    """Both journals, looked at after every death."""

    def __init__(self, world: World):
        self.world = world
        self.seen = {Role.VERIFIER: [], Role.PROVER: []}

    def look(self) -> int:
        """Nothing written is ever unwritten, and the two never differ; give how much there is."""
        now = {role: turns(self.world, role) for role in self.seen}
        for role, earlier in self.seen.items():
            assert now[role][: len(earlier)] == earlier
        assert all(a == b for a, b in zip(*now.values(), strict=False))
        self.seen = now
        return sum(map(len, now.values()))


def finished(world: World, record: bytes):
    """The record holds, both journals hold it, and the budget was debited once for every answer."""
    with contextlib.closing(Journal(world.folder / "prover.journal")) as journal:
        row = journal.last(Role.PROVER)
        write_record(journal, row, world.folder / "prover.parley")
        budget = DisclosureBudget(journal.connection, world.verifier.card.fingerprint, Limits(1000, 1 << 20))
        answers_left, _ = budget.left()
    assert record == (world.folder / "prover.parley").read_bytes()
    found = judge(io.BytesIO(record), [world.verifier.card.fingerprint, world.prover.card.fingerprint])
    assert found.fault is None
    assert found.pinned
    assert set(found.acknowledged) == {Role.VERIFIER, Role.PROVER}
    assert found.verdict.predicate["overall"] == "COMPLIANT"
    assert 1000 - answers_left == len(found.machine.facts.audit.units) <= ITEMS


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_verifier_killed_at_every_step_resumes_to_one_verdict(world, moment):
    watched, deaths = Watched(world), 0
    arguments = ("verifier", "run", "verifier.toml", "--record", "record.parley")
    with serving(world):
        for _ in range(40):
            done = subprocess.run(
                command(*arguments, moment=moment),
                cwd=world.folder,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            watched.look()
            if done.returncode != -signal.SIGKILL:
                break
            deaths += 1
    assert done.returncode == 0, done.stderr
    assert "verdict: COMPLIANT" in done.stdout
    assert deaths >= len(watched.seen[Role.VERIFIER]) - 2
    finished(world, (world.folder / "record.parley").read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_prover_killed_at_every_step_resumes_to_one_verdict(world, moment):
    watched, deaths = Watched(world), 0
    job = world.job()
    for _ in range(40):
        with contextlib.closing(Journal(job.journal)) as journal:
            row = next(iter(journal.unfinished(Role.VERIFIER)), None)
        with serving(world, moment) as server:
            with contextlib.suppress(LocalError):  # UNREACHABLE: anything else is no LocalError
                ended = client.run(job, resume=row)
                break
            assert server.wait(timeout=30) == -signal.SIGKILL
            deaths += 1
        watched.look()
    assert deaths >= len(watched.seen[Role.PROVER]) - 3
    client.save_record(job, ended.row, world.folder / "record.parley")
    finished(world, (world.folder / "record.parley").read_bytes())


def test_a_verifier_killed_before_its_record_was_written_writes_it_at_the_next_start(world):
    with serving(world):
        ended = client.run(world.job())
    assert ended.done
    done = subprocess.run(
        command("verifier", "run", "verifier.toml", "--record", "record.parley"),
        cwd=world.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    finished(world, (world.folder / "record.parley").read_bytes())
