"""The release rule over real connections: each party appraises the chamber under its own policy, or refuses."""

import json

import evidence_cases as cases
import pytest
from chamber_kit import boxed
from kit import seed
from parley_attestation.ed25519 import SigningKey
from parley_attestation.errors import Role
from parley_attestation.evidence.collect import SimulatedCollector
from parley_attestation.evidence.simulated import SimulatedEnclave
from parley_attestation.session.tables import State
from parley_chamber.ledger import RunLedger
from sealed_world import ITEMS, WRONG, make_sealed_world
from test_e2e_sealed import hosted, judged

pytestmark = boxed
ROOT = SigningKey(seed("simulated root"))
COLLECTORS = (SimulatedCollector(SimulatedEnclave(ROOT, "lab-1", b"\x07" * 48)),)


def laboratory(measurement):
    """A policy that affirms one measurement of simulated hardware."""
    values = {"measurement": [measurement]}
    reference = {"kind": "simulated", "name": "lab", "holds_key": True, "values": values}
    rules = cases.rules(kinds=["simulated"], products=["simulated"], references=[reference])
    return cases.laboratory(rules, ROOT.public.hex(), binder_required=True)


AGREED, STRICTER = laboratory("07" * 48), laboratory("08" * 48)


def demand(world, role, policy):
    """Give a party a policy of its own."""
    (world.folder / f"{role}.policy.json").write_text(json.dumps(policy))
    written = (world.folder / f"{role}.toml").read_text()
    section = f"[{role}.sealed]\n"
    assert section in written
    (world.folder / f"{role}.toml").write_text(
        written.replace(section, f'{section}policy = "{role}.policy.json"\n')
    )


def checked(world):
    """What `parley check` says of the record, with both parties pinned."""
    pins = [word for pin in world.pins for word in ("--pin", pin.hex())]
    return world.parley("check", "record.parley", *pins)


def test_evidence_that_the_terms_and_both_parties_policies_affirm_gets_both_keys(tmp_path):
    world = make_sealed_world(tmp_path, evidence_policy=AGREED)
    for role in (Role.PROVER, Role.VERIFIER):
        demand(world, role, AGREED)
    with hosted(world, COLLECTORS), world.prover():
        done = world.verify()
    said = judged(world).verdict.predicate
    assert done.returncode == 3, done.stderr
    assert (said["assurance"], said["claims"][0]["successes"]) == ("simulated", ITEMS - WRONG)
    assert RunLedger(tmp_path / "work" / "runs").outcomes() == ["done"]


@pytest.mark.parametrize("who", [Role.VERIFIER, Role.PROVER])
@pytest.mark.parametrize(
    ("policy", "finding"),
    [(STRICTER, "NOT_IN_REFERENCES"), (cases.rules(), "SIMULATED_EVIDENCE")],
    ids=["other measurement", "production"],
)
def test_a_party_whose_own_policy_is_stricter_refuses_on_the_record_and_releases_no_key(
    tmp_path, who, policy, finding
):
    world = make_sealed_world(tmp_path, evidence_policy=AGREED)
    demand(world, who, policy)
    with hosted(world, COLLECTORS), world.prover():
        done = world.verify()
    found, said = judged(world), checked(world)
    facts = found.machine.facts
    assert (found.state, facts.ending.role, facts.ending.reason) == (State.REFUSED, who, "BAD_EVIDENCE")
    assert facts.ending.detail.endswith(f"under this party's own policy: {finding}")
    assert found.verdict is None
    assert found.machine.as_earlier().over, "nobody tries again until it passes"
    # The verifier speaks first: where it refuses, nobody has released a key.
    assert set(facts.released) == ({Role.VERIFIER} if who is Role.PROVER else set())
    uploads = {path.name for path in (tmp_path / "work").rglob("*.sealed")}
    assert uploads == ({"verifier.sealed"} if who is Role.PROVER else set())
    assert RunLedger(tmp_path / "work" / "runs").outcomes() == [], "nothing ran"
    assert done.returncode == 3, done.stderr
    assert f"refusal by the {who}: BAD_EVIDENCE" in done.stdout
    assert said.returncode == 0, said.stderr
    assert f"session: refusal by the {who}: BAD_EVIDENCE" in said.stdout
    assert "verdict: none" in said.stdout
    assert "blame" not in said.stdout, "to refuse is no breach, and to be refused is none"


# -- a chamber that a party operates


PARTIES = {  # who runs it, who must accept it, in which field
    Role.PROVER: (Role.VERIFIER, "prover_chamber"),
    Role.VERIFIER: (Role.PROVER, "verifier_chamber"),
}


def accept(world, run_by, *, operator=True):
    """The other party gives its secret to a chamber that `run_by` operates, if its operator has the right key."""
    other, field = PARTIES[run_by]
    file = world.folder / f"{other}.toml"
    written = file.read_text().replace(f"[{other}]\n", f"[{other}]\n{field} = true\n")
    if not operator:
        key = world.parties[Role.CHAMBER].session.public.hex()
        assert key in written
        written = written.replace(key, seed("another operator").hex())
    file.write_text(written)


@pytest.mark.parametrize("run_by", PARTIES)
def test_a_partys_chamber_that_the_other_one_accepts_runs_and_its_custody_stands_on_the_verdict(
    tmp_path, run_by
):
    world = make_sealed_world(tmp_path, run_by=run_by.value)
    accept(world, run_by)
    with world.chamber(), world.prover():
        done = world.verify()
    assert done.returncode == 3, done.stderr
    said = judged(world).verdict.predicate
    key = world.parties[Role.CHAMBER].session.public.hex()
    assert said["chambers"][0]["operator"] == {"key": key, "run_by": run_by, "reads": ["tests", "weights"]}
    assert said["claims"][0]["successes"] == ITEMS - WRONG, "it ran"
    # The prover's own chamber adds nothing to its word; the verifier's is no neutral one either.
    level = {Role.PROVER: "declared", Role.VERIFIER: "re-executed"}[run_by]
    assert (said["assurance"], said["claims"][1]["verdict"]) == (level, "INCONCLUSIVE")
    check = checked(world)
    assert check.stdout.startswith(f"VALID, assurance {level}")
    custody = f"custody: the {run_by} runs a chamber and could read tests and weights; the other party accepted that"
    assert custody in check.stdout
    assert custody in done.stdout


def test_a_provers_chamber_under_a_key_that_the_verifier_does_not_name_is_refused_before_a_session(tmp_path):
    """To accept chambers of the other party is not to accept every key of its; these are its own terms."""
    world = make_sealed_world(tmp_path, run_by="prover")
    accept(world, Role.PROVER, operator=False)
    with world.chamber(), world.prover():
        done = world.verify()
    assert done.returncode == 5, "a fault of its own; nobody else has broken the protocol"
    assert "name 0 operators accepted here" in done.stderr
    assert not (tmp_path / "record.parley").exists()


def test_a_verifiers_chamber_under_a_key_that_the_prover_does_not_name_is_declined_on_the_record(tmp_path):
    world = make_sealed_world(tmp_path, run_by="verifier")
    accept(world, Role.VERIFIER, operator=False)
    with world.chamber(), world.prover():
        done = world.verify()
    found = judged(world)
    assert (found.state, found.machine.facts.ending.role) == (State.DECLINED, Role.PROVER)
    assert "decline by the prover: BAD_CUSTODY" in done.stdout
    assert "name 0 operators accepted here" in done.stdout
    assert not list((tmp_path / "work").rglob("*.sealed"))
