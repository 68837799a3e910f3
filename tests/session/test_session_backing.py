"""Evidence and compute records in an exercise: what they lift, what they do not, and what is refused."""

import copy
from dataclasses import replace

import evidence_cases as cases
import pytest
from cheats import standoff
from kit import Exercise, metric, pipe, seed, side
from parley_attestation.claims import ComputeClaim
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.evidence.collect import SimulatedCollector
from parley_attestation.evidence.compute.records import Close, Declaration, Device, Snapshot, seal_record
from parley_attestation.evidence.compute.verdict import Claim, ClaimKind, Inventory
from parley_attestation.evidence.simulated import SimulatedEnclave
from parley_attestation.session.tables import State
from parley_attestation.terms import read_terms

RULES = {"kinds": ["simulated"], "products": ["simulated"]}
ROOT = SigningKey(seed("simulated root"))
MEASURED = b"\x07" * 48
RUN, ZERO = Bytes32(seed("run")), Digest(bytes(32))


def laboratory_exercise(tmp_path, *, root=ROOT, policy=True, **terms):
    document = cases.laboratory(cases.rules(**RULES), ROOT.public.hex(), binder_required=True)
    enclave = SimulatedEnclave(root, "lab-1", MEASURED)
    exercise = Exercise(
        tmp_path,
        terms_changes={"evidence_policy": cases.make_policy(document) if policy else None, **terms},
    )
    exercise.offer_changes = {
        "collectors": (SimulatedCollector(enclave),),
        "key": exercise.prover.session,
        "now": lambda: 1_700_000_000,
    }
    return exercise


def records(key, flop=6 * 10**14):
    declared = Declaration(
        RUN, 10**6, "6ND", 10**16, "bf16", (Device("gpu-a", 10**12),), ZERO, ZERO, ZERO, 1000
    )
    shown = Snapshot(RUN, 1, flop // (6 * 10**6), flop, ZERO, 100, {"gpu-a": 900})
    one = seal_record(None, 500, declared, key)
    two = seal_record(one, 1500, shown, key)
    return one, two, seal_record(two, 1500, Close(RUN, shown.tokens, flop, ZERO, ()), key)


def compute(kind, flop):
    return ComputeClaim("training", Claim(kind, flop), "declared")


def said(exercise, claim_id):
    v, p = exercise.run()
    assert v.machine.facts.verdict.digest() == p.machine.facts.verdict.digest()
    predicate = v.machine.facts.verdict.predicate
    return next(c for c in predicate["claims"] if c["id"] == claim_id), predicate


def test_simulated_evidence_is_appraised_over_this_session_and_lifts_nothing(tmp_path):
    exercise = laboratory_exercise(tmp_path)
    v, _ = exercise.run()
    result = v.machine.facts.support.result
    assert result.submods[0].authentic
    assert all(c.ok for c in result.submods[0].checks if c.finding.name.startswith("BINDER"))
    assert v.machine.facts.verdict.predicate["assurance"] == "declared"


def test_evidence_under_another_root_backs_nothing_and_the_exercise_goes_on(tmp_path):
    exercise = laboratory_exercise(tmp_path, root=SigningKey(seed("another root")))
    v, _ = exercise.run()
    assert not v.machine.facts.support.result.authentic
    assert v.machine.facts.verdict.predicate["overall"] == "COMPLIANT"


def test_evidence_that_the_terms_did_not_ask_for_is_refused_and_blames_the_prover(tmp_path):
    exercise = laboratory_exercise(tmp_path)
    _, evidence = collected(exercise)
    (tmp_path / "other").mkdir()
    assert accepted_with(tmp_path / "other", evidence).reason is Reason.BAD_EVIDENCE


def accepted_with(folder, evidence):
    """The refusal of an Accept that brings `evidence`."""
    held = standoff(folder, Role.PROVER, State.PROPOSED)
    return held.refused(held.turn(replace(held.draft.body, evidence=tuple(evidence))))


def collected(exercise):
    """The evidence statement that the prover shows in one exercise."""
    shown = []
    end = exercise.prover_end()
    original = end.policy._evidence
    end.policy._evidence = lambda machine: shown.append(original(machine)) or shown[-1]
    v = exercise.verifier_end()
    pipe(v, end)
    return v, shown[-1]


def test_a_lower_bound_on_record_can_hold_and_an_upper_bound_never_does(tmp_path):
    for folder, kind, flop, verdicts in (
        ("low", ClaimKind.AT_LEAST, 10**14, {"COMPLIANT", "INCONCLUSIVE"}),
        ("high", ClaimKind.AT_MOST, 10**16, {"INCONCLUSIVE"}),
        ("broken", ClaimKind.AT_MOST, 10**12, {"VIOLATION"}),
    ):
        (tmp_path / folder).mkdir()
        exercise = Exercise(tmp_path / folder, terms_changes={"claims": (metric(), compute(kind, flop))})
        exercise.offer_changes = {"records": records(exercise.prover.session)}
        claim, predicate = said(exercise, "training")
        assert claim["verdict"] in verdicts, (folder, claim)
        assert claim["flop_on_record"] == str(6 * 10**14)
        assert predicate["overall"] == ("VIOLATION" if folder == "broken" else predicate["overall"])


def test_a_compute_claim_without_records_is_inconclusive(tmp_path):
    exercise = Exercise(tmp_path, terms_changes={"claims": (metric(), compute(ClaimKind.AT_LEAST, 1))})
    claim, predicate = said(exercise, "training")
    assert claim["verdict"] == "INCONCLUSIVE"
    assert predicate["overall"] == "INCONCLUSIVE"


def test_a_chain_of_records_with_a_gap_is_refused_and_blames_the_prover(tmp_path):
    error = accepted_with(tmp_path, records(side(Role.PROVER).session)[1:])
    assert error.reason is Reason.BAD_EVIDENCE
    assert error.blamed is Role.PROVER


@pytest.mark.parametrize("devices", [["b", "a"], ["a", "a"]])
@pytest.mark.parametrize("where", ["inventory", "claim"])
def test_devices_have_one_spelling_in_the_terms(tmp_path, devices, where):
    inventory = Inventory(frozenset({"a", "b"}), 0, 1)
    claims = (
        metric(),
        ComputeClaim("training", Claim(ClaimKind.DEVICES, 0, frozenset({"a", "b"})), "declared"),
    )
    said = Exercise(tmp_path, terms_changes={"claims": claims, "inventory": inventory}).terms.statement()
    assert read_terms(said).inventory == inventory
    document = copy.deepcopy(said.predicate)
    named = document["inventory"] if where == "inventory" else document["claims"][1]
    named["devices"] = devices
    with pytest.raises(PeerError) as caught:
        read_terms(replace(said, predicate=document))
    assert caught.value.reason is Reason.BAD_TERMS
