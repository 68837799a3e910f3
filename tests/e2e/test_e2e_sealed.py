"""Sealed exercises between real processes: prover, verifier and chamber, over mutually pinned TLS."""

import contextlib
import secrets
from pathlib import Path

import pytest
from chamber_kit import boxed
from parley_attestation import canonical
from parley_attestation.edge import party
from parley_attestation.edge.chamber_config import open_access
from parley_attestation.edge.vault import VaultKey
from parley_attestation.errors import Reason, Role
from parley_attestation.judge import judge
from parley_attestation.runtime import read_runtime
from parley_attestation.session.tables import State
from parley_chamber import service as chamber
from parley_chamber.ledger import RunLedger
from parley_chamber.sandbox import Limits, Sandbox
from parley_verifier import client
from parley_verifier.config import read_config
from parley_verifier.sealed import custody_of
from parley_verifier.testset import SealedTestSet
from sealed_world import ITEMS, WRONG, make_sealed_world, register_tests, write_model

pytestmark = boxed


def judged(world, name="record.parley"):
    """The record, judged offline with both parties pinned."""
    with (world.folder / name).open("rb") as source:
        found = judge(source, world.pins)
    assert found.fault is None
    assert found.pinned
    return found


def test_a_sealed_exercise_between_three_processes_ends_with_one_exact_verdict(tmp_path):
    world = make_sealed_world(tmp_path)
    with world.chamber() as served, world.prover():
        done = world.verify()
        assert done.returncode == 0, done.stderr
    assert served.returncode == 0, "the chamber was asked to stop, and stopped"
    said = judged(world).verdict.predicate
    assert (said["overall"], said["assurance"], said["identity"]) == (
        "COMPLIANT",
        "neutral-operator",
        "COMPLIANT",
    )
    claim = said["claims"][0]
    assert (claim["counted"], claim["successes"]) == (ITEMS, ITEMS - WRONG)
    assert RunLedger(tmp_path / "work" / "runs").outcomes() == ["done"]
    assert world.spilled() == []


def test_open_and_sealed_mode_give_the_same_count_over_the_same_data(tmp_path):
    """The open plan cannot cross before it has seen every success: its risks are far below one in the set."""
    found = {}
    for mode in ("open", "sealed"):
        (tmp_path / mode).mkdir()
        world = make_sealed_world(tmp_path / mode, mode=mode)
        with world.chamber(), world.prover():
            done = world.verify()
        assert done.returncode == 0, done.stderr
        claim = judged(world).verdict.predicate["claims"][0]
        found[mode] = claim["successes"], claim["threshold_count"], claim["verdict"]
        assert claim["population"] == ITEMS
    assert found["open"] == found["sealed"] == (ITEMS - WRONG, ITEMS - WRONG, "COMPLIANT")


def test_a_swapped_model_is_refused_by_the_chamber_and_blamed_on_the_prover(tmp_path):
    world = make_sealed_world(tmp_path)
    write_model(tmp_path / "better", 2)
    world.write_configs(model="better")
    with world.chamber(), world.prover():
        done = world.verify()
    assert done.returncode == 3, done.stderr
    assert "BAD_MODEL_CLAIM" in done.stdout
    assert "blames the prover" in done.stdout
    said = judged(world).verdict.predicate
    assert (said["overall"], said["identity"]) == ("INCONCLUSIVE", "INCONCLUSIVE")
    assert (said["chambers"][0]["refused"], said["chambers"][0]["blamed"]) == ("BAD_MODEL_CLAIM", "prover")
    assert RunLedger(tmp_path / "work" / "runs").outcomes() == ["BAD_MODEL_CLAIM"]
    assert world.spilled() == []


@contextlib.contextmanager
def in_process(world, other=None):
    """A verifier in this process, as `parley verifier run` makes it; it seals the set `other` if there is one."""
    settings = read_config(world.folder / "verifier.toml")
    me, key = party.load(settings.party), VaultKey.of_file(settings.key_file)
    with SealedTestSet(settings.test_set, key) as tests:
        access = open_access(settings.sealed, me, other_party=settings.prover_chamber)
        yield client.Run(
            party=me,
            peer=party.read_card(settings.peer),
            terms=settings.terms.read_bytes(),
            tests=tests,
            journal=settings.journal,
            silence=20.0,
            sealed=lambda journal: custody_of(other or tests, access, journal),
        )


def finish(world, job):
    """Run to the end in this process; the machine, and the record judged."""
    ended = client.run(job)
    client.save_record(job, ended.row, world.folder / "record.parley")
    judged(world)
    return ended.machine


def test_swapped_tests_are_refused_by_the_chamber_and_blamed_on_the_verifier(tmp_path):
    world = make_sealed_world(tmp_path)
    with (
        contextlib.closing(register_tests(tmp_path, world.parties[Role.VERIFIER], "other", 6)) as other,
        in_process(world, other) as job,
        world.chamber(),
        world.prover(),
    ):
        said = finish(world, job).facts.verdict.predicate
    assert said["overall"] == "INCONCLUSIVE"
    assert (said["chambers"][0]["refused"], said["chambers"][0]["blamed"]) == ("BAD_OPENING", "verifier")


# -- whose chamber


def test_a_chamber_of_the_prover_is_refused_on_the_record_unless_the_verifier_accepts_it(tmp_path):
    world = make_sealed_world(tmp_path, run_by="prover")
    with world.chamber(), world.prover():
        done = world.verify()
    assert done.returncode == 3
    assert "refusal by the verifier: BAD_CUSTODY" in done.stdout
    assert judged(world).state is State.REFUSED
    assert not (tmp_path / "work" / "runs").exists() or RunLedger(tmp_path / "work" / "runs").outcomes() == []


def test_a_chamber_of_the_prover_that_the_verifier_accepts_adds_nothing_to_the_provers_word(tmp_path):
    world = make_sealed_world(tmp_path, run_by="prover")
    written = (tmp_path / "verifier.toml").read_text()
    (tmp_path / "verifier.toml").write_text(
        written.replace("[verifier]", "[verifier]\nprover_chamber = true")
    )
    with world.chamber(), world.prover():
        done = world.verify()
    assert done.returncode == 3, done.stderr
    said = judged(world).verdict.predicate
    assert (said["assurance"], said["identity"]) == ("declared", "INCONCLUSIVE")


def test_a_prover_declines_a_chamber_that_the_verifier_runs(tmp_path):
    world = make_sealed_world(tmp_path, run_by="verifier")
    with world.chamber(), world.prover():
        done = world.verify()
    assert "decline by the prover: BAD_CUSTODY" in done.stdout
    assert judged(world).state is State.DECLINED


def test_a_prover_declines_an_operator_that_its_configuration_does_not_name(tmp_path):
    world = make_sealed_world(tmp_path)
    operator = world.parties[Role.CHAMBER].session.public.hex()
    written = (tmp_path / "prover.toml").read_text()
    (tmp_path / "prover.toml").write_text(written.replace(operator, secrets.token_hex(32)))
    with world.chamber(), world.prover():
        done = world.verify()
    assert "decline by the prover: BAD_CUSTODY" in done.stdout


def test_a_prover_without_a_chamber_declines_sealed_terms(tmp_path):
    world = make_sealed_world(tmp_path)
    written = (tmp_path / "prover.toml").read_text()
    (tmp_path / "prover.toml").write_text(written[: written.index("[prover.sealed]")])
    with world.chamber(), world.prover():
        done = world.verify()
    assert "decline by the prover: UNSUPPORTED" in done.stdout


def test_a_verifier_says_which_section_sealed_terms_need(tmp_path):
    world = make_sealed_world(tmp_path)
    written = (tmp_path / "verifier.toml").read_text()
    (tmp_path / "verifier.toml").write_text(written[: written.index("[verifier.sealed]")])
    done = world.verify()
    assert done.returncode == 5
    assert "[verifier.sealed]" in done.stderr


# -- a chamber whose host lies


@contextlib.contextmanager
def hosted(world, collectors=(), **sandboxed):
    """A chamber in this process, whose host may change it, and which has evidence where it is given some."""
    runtime = read_runtime(canonical.load((world.folder / "runtime.json").read_bytes()))
    setup = chamber.Setup(
        world.parties[Role.CHAMBER],
        tuple(world.parties[role].card for role in (Role.PROVER, Role.VERIFIER)),
        world.folder / "work",
        (runtime,),
        Sandbox.find() if not sandboxed else Sandbox(**sandboxed),
        Limits(seconds=60),
        collectors=collectors,
    )
    server, _ = chamber.serve(setup, f"127.0.0.1:{world.chamber_port}")
    try:
        yield
    finally:
        server.stop(grace=0).wait()


def test_a_chamber_that_shows_the_prover_other_keys_gets_no_weights(tmp_path, monkeypatch):
    world = make_sealed_world(tmp_path)
    honest, faces = chamber.ChamberService._open, {}

    def two_faced(self, request, card):
        self._sessions = faces.setdefault(card.role, chamber.Sessions(16))
        return honest(self, request, card)

    monkeypatch.setattr(chamber.ChamberService, "_open", two_faced)
    with in_process(world) as job, hosted(world), world.prover():
        machine = finish(world, job)
    assert machine.state is State.REFUSED
    assert (machine.facts.ending.role, machine.facts.ending.reason) == (Role.PROVER, "BAD_EVIDENCE")
    assert not list((tmp_path / "work").rglob("prover.sealed")), "not one byte of the weights was uploaded"


def test_a_chamber_without_boxes_gets_no_key_unless_its_user_accepts_that(tmp_path):
    world = make_sealed_world(tmp_path)
    with in_process(world) as job, hosted(world, kind="none"), world.prover():
        machine = finish(world, job)
    assert machine.state is State.REFUSED
    assert machine.facts.ending.reason == "BAD_CUSTODY"
    assert "sandbox" in machine.facts.ending.detail


@pytest.mark.parametrize("lie", ["replayed", "altered", "no receipt"])
def test_a_chamber_that_gives_another_runs_receipt_or_none_ends_the_session_with_the_reason(
    tmp_path, monkeypatch, lie
):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    honest, kept = chamber.ChamberService._outcome, []

    def keep(self, session, machine):
        kept.append(honest(self, session, machine))
        return kept[-1]

    def tell(self, session, machine):
        if lie == "no receipt":
            raise chamber.PeerError(Reason.BOX_FAILED, "nothing")
        return kept[0] if lie == "replayed" else honest(self, session, machine).replace(b"a", b"b", 1)

    monkeypatch.setattr(chamber.ChamberService, "_outcome", keep)
    world = make_sealed_world(first)
    with in_process(world) as job, hosted(world), world.prover():
        assert finish(world, job).state is State.FINISHED
    monkeypatch.setattr(chamber.ChamberService, "_outcome", tell)
    second.mkdir()
    world = make_sealed_world(second)
    with in_process(world) as job, hosted(world), world.prover():
        machine = finish(world, job)
    assert machine.state is State.ABORTED
    assert machine.facts.ending.role is Role.VERIFIER
    assert machine.facts.verdict is None
    assert Path(second / "record.parley").exists()
