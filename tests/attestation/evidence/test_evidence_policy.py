"""Policies: strict reading, denial by default, the lattice, and simulated evidence that never counts."""

import copy

import evidence_cases as cases
import pytest
from evidence_forge import NOW
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.ed25519 import SigningKey
from parley_attestation.errors import PeerError
from parley_attestation.evidence import (
    Assurance,
    Binder64,
    Endorsements,
    EvidenceItem,
    Finding,
    LaboratoryPolicy,
    ProductionPolicy,
    Status,
    appraise,
    appraise_all,
    read_policy,
)
from parley_attestation.evidence import policy as policies
from parley_attestation.evidence.advisories import packaged
from parley_attestation.evidence.simulated import SimulatedEnclave

BOUND = Binder64(bytes(range(64)))
ROOT = SigningKey(bytes(32))


def simulated(binder: bytes = BOUND, root: SigningKey = ROOT) -> EvidenceItem:
    return EvidenceItem("simulated", SimulatedEnclave(root, "sim-0", b"\xab" * 32).collect(binder))


SIMULATED_RULES = {
    "kinds": ["simulated"],
    "products": ["simulated"],
    "references": [
        {"kind": "simulated", "name": "sim", "holds_key": True, "values": {"measurement": ["ab" * 32]}}
    ],
}


def test_a_policy_reads_back_as_it_was_written():
    for document in (cases.rules(), cases.laboratory(cases.rules(), ROOT.public.hex())):
        again = read_policy(Fields(canonical.load(canonical.dump(document))))
        assert again.document() == document
        assert again.digest() == cases.make_policy(document).digest()


@pytest.mark.parametrize("name", sorted(cases.rules()))
def test_a_policy_with_a_rule_missing_is_refused(name):
    document = cases.rules()
    del document[name]
    with pytest.raises(PeerError):
        cases.make_policy(document)


@pytest.mark.parametrize(
    "change",
    [
        {"simulated_root": ROOT.public.hex()},
        {"binder_required": False},
        {"kinds": ["simulated"]},
        {"kinds": ["snp", "snp"]},
        {"kinds": ["sample"]},
        {"machines": {"rule": "any", "ids": ["x"]}},
        {"machines": {"rule": "maybe", "ids": []}},
        {"snp": cases.rules()["snp"] | {"vmpl": [4]}},
        {"snp": cases.rules()["snp"] | {"tcb_floor": {"naples": {}}}},
        {"dcap": cases.rules()["dcap"] | {"statuses": ["Revoked"]}},
        {"references": [{"kind": "snp", "name": "x", "holds_key": True, "values": {"host_data": ["00"]}}]},
        {"references": [{"kind": "tdx", "name": "x", "holds_key": True, "values": {"mrtd": ["00"]}}]},
        {"composite": {"cpus": 1, "gpus": 1, "roots": 0}},
        {"extra": 1},
    ],
    ids=str,
)
def test_a_production_policy_that_says_too_little_or_too_much_is_refused(change):
    with pytest.raises(PeerError):
        cases.make_policy(cases.rules(**change))


def test_the_packaged_advisories_name_the_milan_break():
    assert [(a.products, "2605.12990" in a.source) for a in packaged()] == [(("milan",), True)]


def test_an_empty_policy_accepts_nothing(amd):
    document = cases.rules(kinds=[], products=[], references=[])
    result = appraise(amd.item("genoa"), cases.make_policy(document), BOUND, NOW)
    assert {c.finding for c in result.failures} == {
        Finding.KIND_NOT_ALLOWED,
        Finding.PRODUCT_NOT_ALLOWED,
        Finding.NOT_IN_REFERENCES,
    }


def test_production_without_a_binder_is_a_refusal(amd):
    item = amd.item("genoa")
    document = cases.rules(references=[cases.own_reference(item, NOW)])
    result = appraise(item, cases.make_policy(document), None, NOW)
    assert [c.finding for c in result.failures] == [Finding.BINDER_NOT_GIVEN]
    assert result.status is Status.NONE
    assert result.assurance is Assurance.NONE


def test_the_registry_of_machines_is_exhaustive_once_it_is_named(amd):
    item = amd.item("genoa")
    references = [cases.own_reference(item, NOW)]
    for ids, accepted in (([], False), (["11" * 64], True), (["12" * 64], False)):
        document = cases.rules(references=references, machines={"rule": "registered", "ids": ids})
        assert appraise(item, cases.make_policy(document), BOUND, NOW).affirming is accepted


def test_code_outside_the_references_is_a_warning_about_executables(amd):
    document = cases.rules(references=[cases.own_reference(amd.item("genoa"), NOW)])
    result = appraise(amd.item("genoa", measurement=b"\xbb" * 48), cases.make_policy(document), BOUND, NOW)
    assert [c.finding for c in result.failures] == [Finding.NOT_IN_REFERENCES]
    assert result.status is Status.WARNING


# The lattice ----------------------------------------------------------------------------------------


def tighten(document: dict, how: str, number: int) -> dict:  # noqa: C901, PLR0912 - one branch a rule
    """Add one requirement to a policy document."""
    d = copy.deepcopy(document)
    if how in {"kinds", "products", "references"} and d[how]:
        d[how].pop(number % len(d[how]))
    elif how == "statuses" and d["dcap"]["statuses"]:
        d["dcap"]["statuses"].pop(number % len(d["dcap"]["statuses"]))
    elif how == "revocation":
        d["revocation_required"] = sorted({*d["revocation_required"], ["snp", "tdx", "nitro"][number % 3]})
    elif how == "machines":
        ids = d["machines"]["ids"][: number % 3] if d["machines"]["rule"] == "registered" else ["11" * 64]
        d["machines"] = {"rule": "registered", "ids": ids}
    elif how == "expiry":
        d["not_after"] = min(d["not_after"], NOW - 5 + number % 10)
    elif how == "age":
        d["max_evidence_age"] = number % (d["max_evidence_age"] + 1)
        d["dcap"]["max_collateral_age"] = number * 1000 % (d["dcap"]["max_collateral_age"] + 1)
    elif how == "floor":
        for floor in d["snp"]["tcb_floor"].values():
            floor["snp"] = min(255, floor.get("snp", 0) + number % 30)
        d["dcap"]["min_evaluation"] += number % 5
    elif how == "platform":
        d["snp"]["platform_required"] |= 1 << number % 6
        d["snp"]["platform_forbidden"] |= 1 << number % 40
    elif how == "vmpl" and d["snp"]["vmpl"]:
        d["snp"]["vmpl"].pop()
    elif how == "fleet":
        d["snp"]["fleet_keys"] = False
    elif how == "advisory":
        kind, product = [("snp", "genoa"), ("tdx", "tdx"), ("nitro", "nitro")][number % 3]
        d["advisories"].append({"name": "a", "kinds": [kind], "products": [product], "source": "s"})
    elif how == "composite":
        part = ["cpus", "gpus", "roots"][number % 3]
        d["composite"][part] = min(8, d["composite"][part] + 1)
    elif how == "values":
        for reference in d["references"]:
            reference["values"]["extra"] = ["00"]
    return d


HOWS = [
    "kinds",
    "products",
    "references",
    "statuses",
    "revocation",
    "machines",
    "expiry",
    "age",
    "floor",
    "platform",
    "vmpl",
    "fleet",
    "advisory",
    "composite",
    "values",
]
_RANK = [Status.AFFIRMING, Status.NONE, Status.WARNING, Status.CONTRAINDICATED]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["genoa", "fleet", "tdx", "nitro"]),
    st.lists(st.tuples(st.sampled_from(HOWS), st.integers(0, 200)), min_size=1, max_size=6),
)
def test_adding_a_requirement_never_turns_a_refusal_into_an_acceptance(amd, intel, aws, which, steps):
    item = {
        "genoa": lambda: amd.item("genoa"),
        "fleet": lambda: amd.item("genoa", fleet=True),
        "tdx": lambda: EvidenceItem("tdx", intel.quote(), Endorsements(collateral=intel.collateral())),
        "nitro": aws.item,
    }[which]()
    document = cases.rules(references=[cases.own_reference(item, NOW)])
    document["snp"]["fleet_keys"] = True
    before = appraise(item, cases.make_policy(document), BOUND, NOW)
    assert before.affirming
    for how, number in steps:
        document = tighten(document, how, number)
        after = appraise(item, cases.make_policy(document), BOUND, NOW)
        assert before.affirming or not after.affirming
        assert _RANK.index(after.status) >= _RANK.index(before.status)
        assert not (after.assurance is Assurance.ATTESTED and before.assurance is not Assurance.ATTESTED)
        before = after


# Simulated evidence ---------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_simulated_evidence_under_any_production_policy_is_ever_accepted(data):
    document = cases.rules(
        products=data.draw(st.lists(st.sampled_from(["simulated", "genoa"]), unique=True)),
        composite={"cpus": data.draw(st.integers(0, 1)), "gpus": 0, "roots": 1},
        references=SIMULATED_RULES["references"],
        advisories=[],
    )
    rules = cases.make_policy(cases.laboratory(document, ROOT.public.hex())).rules
    if data.draw(st.booleans()):
        rules = cases.make_policy(
            cases.laboratory({**document, "kinds": ["simulated"]}, ROOT.public.hex())
        ).rules
    production = ProductionPolicy(rules)  # built past the reader on purpose
    binder = data.draw(st.sampled_from([BOUND, None]))
    kind = data.draw(st.sampled_from(["simulated", "snp", "tdx", "sgx", "nitro", "nvidia", "tpm2"]))
    item = EvidenceItem(kind, simulated().raw)
    result = appraise(item, production, binder, data.draw(st.integers(0, 1 << 40)))
    assert result.status is Status.CONTRAINDICATED
    assert result.assurance is Assurance.NONE
    assert not result.authentic
    assert not result.key_covered


def test_no_field_of_a_production_policy_can_hold_a_simulated_root():
    assert set(ProductionPolicy.__dataclass_fields__) == {"rules"}
    assert not {name for name in policies.Rules.__dataclass_fields__ if "root" in name or "simul" in name}


def test_a_laboratory_accepts_simulated_evidence_as_simulated_and_never_affirms_it():
    document = cases.laboratory(cases.rules(**SIMULATED_RULES), ROOT.public.hex(), binder_required=True)
    policy = cases.make_policy(document)
    assert isinstance(policy, LaboratoryPolicy)
    result = appraise(simulated(), policy, BOUND, NOW)
    assert result.assurance is Assurance.SIMULATED
    assert result.status is Status.CONTRAINDICATED
    assert result.key_covered
    vector = result.submods[0].vector
    assert (vector["hardware"], vector["runtime-opaque"]) == (97, 96)


@pytest.mark.parametrize(
    ("item", "root", "binder"),
    [
        (simulated(bytes(64)), ROOT, BOUND),
        (simulated(), SigningKey(b"\1" * 32), BOUND),
        (simulated(root=SigningKey(b"\1" * 32)), ROOT, BOUND),
        (simulated(), None, BOUND),
        (simulated(), ROOT, None),
    ],
)
def test_a_laboratory_refuses_simulated_evidence_that_is_not_its_own(item, root, binder):
    document = cases.laboratory(
        cases.rules(**SIMULATED_RULES), root.public.hex() if root else "", binder_required=True
    )
    assert appraise(item, cases.make_policy(document), binder, NOW).assurance is Assurance.NONE


def test_genuine_hardware_under_a_laboratory_policy_is_never_attested(amd):
    item = amd.item("genoa")
    document = cases.laboratory(cases.rules(references=[cases.own_reference(item, NOW)]))
    result = appraise(item, cases.make_policy(document), BOUND, NOW)
    assert result.affirming
    assert result.assurance is Assurance.SIMULATED


# Composites -----------------------------------------------------------------------------------------


def test_an_empty_collection_is_not_affirming():
    result = appraise_all({}, cases.make_policy(cases.rules()), None, NOW)
    assert not result.affirming
    assert result.assurance is Assurance.NONE


def test_two_roots_are_demanded_and_one_is_not_enough(amd, aws):
    one, other = amd.item("genoa"), aws.item()
    references = [cases.own_reference(one, NOW), cases.own_reference(other, NOW)]
    document = cases.rules(references=references, composite={"cpus": 2, "gpus": 0, "roots": 2})
    policy = cases.make_policy(document)
    assert appraise_all({"cpu0": one, "cpu1": other}, policy, BOUND, NOW).affirming
    twice = appraise_all({"cpu0": one, "cpu1": one}, policy, BOUND, NOW)
    assert {c.finding for c in twice.failures} == {Finding.DEVICE_REPEATED, Finding.ROOT_PLURALITY}
    assert {c.finding for c in appraise_all({"cpu0": one}, policy, BOUND, NOW).failures} == {
        Finding.COMPOSITE_INCOMPLETE,
        Finding.ROOT_PLURALITY,
    }
