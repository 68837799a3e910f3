"""Sealed sessions whose processes are killed with SIGKILL at every step: nothing spills, nothing is repeated."""

import contextlib
import signal
from pathlib import Path

import pytest
from chamber_kit import boxed
from parley_attestation.edge.journal import Journal
from parley_attestation.errors import Role
from parley_attestation.session.tables import State
from parley_chamber.ledger import RunLedger
from sealed_world import ITEMS, WRONG, make_sealed_world
from test_e2e_sealed import judged

pytestmark = [
    pytest.mark.slow,
    boxed,
]
MOMENTS = [("after", 1), ("before", 2)]  # one write and death, or one write and death before the next


@pytest.fixture(name="world")
def _world(tmp_path):
    return make_sealed_world(tmp_path)


def turns(world, role):
    """Messages in a party's journal."""
    with contextlib.closing(Journal(world.folder / f"{role}.journal")) as journal:
        row = journal.last(role)
        return 0 if row is None else len(list(journal.turns(row)))


def concluded(world):
    """The one run gave the one verdict, and no secret lies where it does not belong."""
    claim = judged(world).verdict.predicate["claims"][0]
    assert (claim["counted"], claim["successes"]) == (ITEMS, ITEMS - WRONG)
    assert RunLedger(world.folder / "work" / "runs").outcomes() == ["done"]
    assert world.spilled() == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_verifier_killed_at_every_step_resumes_to_one_verdict_of_one_run(world, moment):
    deaths = 0
    with world.chamber(), world.prover():
        for _ in range(20):
            done = world.verify(moment)
            if done.returncode != -signal.SIGKILL:
                break
            deaths += 1
            assert not (world.folder / "record.parley").exists()
    assert done.returncode == 0, done.stderr
    assert deaths >= 6, "it said hello, proposed, showed its coin and the evidence, released, and went on"
    concluded(world)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_prover_killed_at_every_step_resumes_to_one_verdict_of_one_run(world, moment):
    deaths = 0
    with world.chamber():
        for _ in range(20):
            with world.prover(moment) as server:
                done = world.verify()
                if done.returncode == 0:
                    break
                assert server.wait(timeout=30) == -signal.SIGKILL
                deaths += 1
    assert done.returncode == 0, done.stderr
    assert deaths >= 3
    concluded(world)


@pytest.mark.parametrize("role", [Role.PROVER, Role.VERIFIER])
def test_an_upload_that_its_party_is_killed_in_goes_on_where_it_stopped(world, role):
    nth = 3 if role is Role.PROVER else 1  # the model takes many parts, the set takes few
    moment = ("upload", nth)
    with world.chamber():
        if role is Role.VERIFIER:
            with world.prover():
                assert world.verify(moment).returncode == -signal.SIGKILL
        else:
            with world.prover(moment) as server:
                assert world.verify().returncode == 5
                assert server.wait(timeout=30) == -signal.SIGKILL
            sealed = next((world.folder / "work").rglob("prover.sealed"))
            assert 0 < sealed.stat().st_size < (1 << 20), "a part of it is there"
        assert world.spilled() == []
        with world.prover():
            done = world.verify()
    assert done.returncode == 0, done.stderr
    concluded(world)


@pytest.mark.parametrize(
    ("moment", "ending", "counted"),
    [
        (("append", 1), State.REFUSED, []),  # before the tests' first byte
        (("append", 3), State.REFUSED, []),  # in the weights' upload
        (("run", 1), State.ABORTED, []),  # with both keys
        (("opened", 1), State.ABORTED, ["begun"]),  # with both secrets on its tmpfs
        (("graded", 1), State.ABORTED, ["begun"]),  # with every answer
    ],
)
def test_a_killed_chamber_leaves_nothing_and_its_session_ends_with_a_signed_reason(
    world, moment, ending, counted
):
    with world.prover():
        with world.chamber(moment) as server:
            assert world.verify().returncode == 5, "the chamber is gone, the session can be resumed"
            assert server.wait(timeout=30) == -signal.SIGKILL
            pid = server.pid
        assert world.spilled() == []
        runs = world.folder / "work" / "runs"
        assert RunLedger(runs).outcomes() == counted, "a run that was cut off counts"
        with world.chamber():
            assert not list(Path("/dev/shm").glob(f"parley-chamber-{pid}-*")), "the next start sweeps"
            done = world.verify()
    assert done.returncode == 3, done.stderr
    found = judged(world)
    assert found.state is ending
    assert found.machine.facts.ending.reason == "BAD_EVIDENCE"
    assert found.verdict is None
    assert RunLedger(runs).outcomes() == counted, "nothing ran again"
    assert turns(world, Role.PROVER) == turns(world, Role.VERIFIER)
    assert world.spilled() == []
