"""The time sweep: each sample is valid exactly inside its window, at both edges."""

import evidence_cases as cases
import pytest
from evidence_forge import NOW
from parley_attestation.evidence import (
    Endorsements,
    EvidenceItem,
    ReasonClass,
    appraise,
    collateral,
    cose,
    nitro,
    strictjson,
    tdx,
)
from parley_attestation.evidence import snp as snp_format
from parley_attestation.evidence.pem import chain
from parley_attestation.evidence.roots import pinned
from parley_attestation.evidence.x509 import parse_certificate, parse_crl

ANY = cases.make_policy(cases.rules())
SAMPLES = [c for c in cases.captures() if c.passes]


def certificates(item: EvidenceItem):
    """Every certificate that the evidence stands on."""
    raw = list(item.endorsements.certificates)
    if item.kind == "snp" or item.kind.startswith("az-"):
        raw = raw or list(azure_chain(item))
        found = [parse_certificate(one) for one in raw]
        if len(found) == 1:
            found += [pinned("amd_milan_ask"), pinned("amd_milan_ark")]
        return found
    if item.kind in {"tdx", "sgx"}:
        raw = list(tdx.parse(item.raw).chain)
    if item.kind == "nitro":
        document = nitro.parse_payload(cose.parse(item.raw, "x").payload)
        raw = [document.certificate, *document.cabundle]
    return [parse_certificate(one) for one in raw]


def azure_chain(item):
    from parley_attestation.evidence.azure import _vcek  # noqa: PLC0415 - the test reads what azure reads

    return _vcek(strictjson.load(item.raw, 1 << 20, "x")["vcek"])


def window(item: EvidenceItem) -> tuple[int, int]:
    """The first and the last second at which every date of the evidence holds."""
    found = certificates(item)
    since, until = max(c.not_before for c in found), min(c.not_after for c in found)
    if item.kind == "nitro":
        document = nitro.parse_payload(cose.parse(item.raw, "x").payload)
        since = max(since, document.timestamp // 1000 - nitro.MAX_SKEW)
    parts = item.endorsements.collateral
    if parts is not None and collateral.is_complete(parts):
        for document in (parts.tcb_info, parts.qe_identity):
            value = strictjson.load(document, 1 << 20, "x")
            since = max(since, collateral.seconds(value["issueDate"]))
            until = min(until, collateral.seconds(value["nextUpdate"]))
        for raw in (parts.root_crl, parts.pck_crl):
            crl = parse_crl(raw, 1 << 20)
            since, until = max(since, crl.this_update), min(until, crl.next_update)
        for pem in (parts.tcb_info_chain, parts.qe_identity_chain, parts.pck_crl_chain):
            for one in map(parse_certificate, chain(pem)):
                since, until = max(since, one.not_before), min(until, one.not_after)
    return since, until


@pytest.mark.parametrize("case", SAMPLES, ids=lambda case: case.name)
def test_each_sample_is_genuine_exactly_inside_its_window(case):
    item = case.item()
    since, until = window(item)
    assert since <= case.at <= until
    for at, inside in (
        (since - 1, False),
        (since, True),
        (case.at, True),
        ((since + until) // 2, True),
        (until, True),
        (until + 1, False),
    ):
        result = appraise(item, ANY, None, at)
        assert result.authentic is inside, at
        if not inside:
            assert {c.meaning.reason_class for c in result.failures} == {ReasonClass.TIME}


def test_an_snp_windows_edges_come_from_its_own_certificate(amd):
    item = amd.item("turin", since=NOW, until=NOW + 1)
    assert [appraise(item, ANY, None, NOW + d).authentic for d in (-1, 0, 1, 2)] == [False, True, True, False]
    assert snp_format.parse(item.raw).version == 3


@pytest.mark.parametrize(
    ("collateral_changes", "edges"),
    [
        ({"next": NOW}, [True, True, False]),
        ({"issued": NOW}, [False, True, True]),
        ({"crl_until": NOW}, [True, True, False]),
        ({"crl_since": NOW}, [False, True, True]),
    ],
)
def test_every_date_of_collateral_includes_its_edge(intel, collateral_changes, edges):
    item = EvidenceItem("tdx", intel.quote(), Endorsements(collateral=intel.collateral(**collateral_changes)))
    assert [appraise(item, ANY, None, NOW + d).authentic for d in (-1, 0, 1)] == edges


def test_a_policy_ends_at_its_last_second(aws):
    item = aws.item()
    document = cases.rules(not_after=NOW, references=[cases.own_reference(item, NOW)])
    binder = cases.own_binder(item, NOW)
    policy = cases.make_policy(document)
    assert appraise(item, policy, binder, NOW).affirming
    later = appraise(item, policy, binder, NOW + 1)
    assert [c.finding.value for c in later.failures] == ["POLICY_EXPIRED"]


def test_the_age_of_evidence_and_of_collateral_includes_its_edge(aws, intel):
    item = aws.item()
    document = cases.rules(max_evidence_age=10, references=[cases.own_reference(item, NOW)])
    policy, binder = cases.make_policy(document), cases.own_binder(item, NOW)
    assert [appraise(item, policy, binder, NOW + d).affirming for d in (10, 11)] == [True, False]
    quote = EvidenceItem(
        "tdx", intel.quote(until=NOW + 99), Endorsements(collateral=intel.collateral(issued=NOW))
    )
    document = cases.rules(references=[cases.own_reference(quote, NOW)])
    document["dcap"] |= {"max_collateral_age": 10}
    policy, binder = cases.make_policy(document), cases.own_binder(quote, NOW)
    assert [appraise(quote, policy, binder, NOW + d).affirming for d in (10, 11)] == [True, False]


def test_a_certificate_that_ends_in_the_year_9999_is_read():
    case = cases.case("nv-hopper-nvtrust")
    assert appraise(case.item(), ANY, None, 253_402_300_799).authentic
