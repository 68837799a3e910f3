"""Every capture and every negative gives the expected verdict with the right reason class."""

import json

import evidence_cases as cases
import pytest
from parley_attestation.evidence import Finding, ReasonClass, Status, appraise

EXPECTED = json.loads(cases.read("expected.json"))
ALL = (*cases.captures(), *cases.negatives())


def strict(case: cases.Case):
    """The case under the strict production policy with its own reference values and binder."""
    item = case.item()
    if not case.passes:
        return appraise(item, cases.make_policy(cases.rules()), None, case.at)
    document = cases.rules(references=[cases.own_reference(item, case.at)])
    return appraise(item, cases.make_policy(document), cases.own_binder(item, case.at), case.at)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_authenticity_and_reason_class_are_as_expected(case):
    result = strict(case)
    assert result.authentic is case.passes
    if case.layer:
        assert {c.value for c in result.reasons} & cases.LAYERS[case.layer]
        assert result.status is Status.CONTRAINDICATED


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_every_finding_under_the_strict_policy_is_as_expected(case):
    assert [c.finding.value for c in strict(case).failures] == EXPECTED[case.name]


@pytest.mark.parametrize("case", [c for c in ALL if c.passes], ids=lambda case: case.name)
def test_genuine_evidence_is_affirming_only_where_nothing_but_its_own_defects_stands_against_it(case):
    item = case.item()
    document = cases.laboratory(cases.lenient(item, case.at))
    result = appraise(item, cases.make_policy(document), None, case.at)
    # What no policy can allow: debugging, default nonces, missing collateral or status, odd padding,
    # guests without SEPT_VE_DISABLE.
    fatal = {
        Finding.DEBUG_ENABLED,
        Finding.GUEST_ATTRIBUTES,
        Finding.COLLATERAL_MISSING,
        Finding.DEFAULT_NONCE,
        Finding.REVOCATION_UNKNOWN,
        Finding.TRAILING_BYTES,
    }
    assert {c.finding for c in result.failures} <= fatal
    assert result.affirming is (not result.failures)


def test_the_up_to_date_tdx_quote_is_accepted_in_production():
    result = strict(cases.case("tdx-v4-qvl"))
    assert result.affirming
    assert result.assurance == "attested"
    assert result.roots == ("intel",)
    assert result.key_covered


@pytest.mark.parametrize("name", ["tdx-v4-qvl", "sgx-v3-qvl", "snp-milan-trustee", "nv-hopper_evidence-0"])
def test_facts_of_the_index_are_what_the_parser_reads(name):
    case = cases.case(name)
    claims = cases.authenticate(case.item(), case.at)
    facts = case.facts
    bound = facts.get("report_data", facts.get("nonce"))
    assert claims.bound.hex() == bound
    for theirs, ours in (("measurement", "measurement"), ("driver", "driver")):
        if theirs in facts:
            assert claims.measurements[ours] == facts[theirs]
    if "mr" in facts:
        assert facts["mr"] in {claims.measurements.get("mrtd"), claims.measurements.get("mrenclave")}
    if "chip_id" in facts:
        assert claims.instance == facts["chip_id"]


def test_no_class_of_reasons_is_left_without_a_case():
    seen = {c.meaning.reason_class for case in ALL for c in strict(case).failures}
    assert seen >= set(ReasonClass) - {ReasonClass.TIME, ReasonClass.REFERENCE}
