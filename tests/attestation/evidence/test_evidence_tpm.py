"""TPM quotes, bare and inside Azure's composite: who vouches for the key, and what was quoted."""

import base64
import hashlib
import json

import evidence_cases as cases
import evidence_forge as forge
import pytest
from parley_attestation.evidence import EvidenceError, Finding, appraise, azure, capture, strictjson, tpm2


def quote_of(case_name="az-snp-v1"):
    return json.loads(cases.case(case_name).item().raw)["tpm_quote"]


def test_a_bare_tpm_quote_proves_nothing_until_a_registry_names_its_key():
    case = cases.case("az-snp-v1")
    whole = json.loads(case.item().raw)
    runtime = strictjson.load(azure.parse_hcl(tpm2.octets(whole["hcl_report"], "x")).runtime, 1 << 20, "x")
    n, e = (int.from_bytes(tpm2.octets(runtime["keys"][0][k], "x"), "big") for k in ("n", "e"))
    spki = (
        forge.rsa.RSAPublicNumbers(e, n)
        .public_key()
        .public_bytes(forge.serialization.Encoding.DER, forge.serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    raw = json.dumps({"ak_public": base64.b64encode(spki).decode(), "tpm_quote": quote_of()}).encode()
    item = capture.assemble("tpm2", [raw])
    document = cases.laboratory(cases.rules(references=[cases.own_reference(item, 0)]))
    bare = appraise(item, cases.make_policy(document), None, 0)
    assert bare.authentic
    assert {c.finding for c in bare.failures} == {Finding.ATTESTATION_KEY_NOT_VOUCHED}
    document["machines"] = {"rule": "registered", "ids": [hashlib.sha256(spki).hexdigest()]}
    assert appraise(item, cases.make_policy(document), None, 0).affirming
    edited = raw.replace(b'"pcrs": ["', b'"pcrs": ["00', 1)
    assert not appraise(capture.assemble("tpm2", [edited]), cases.make_policy(document), None, 0).authentic


def test_tpm_signatures_are_read_in_the_tpms_own_form_too():
    bare = bytes.fromhex(quote_of()["signature"])
    wrapped = b"\x00\x14\x00\x0b" + len(bare).to_bytes(2, "big") + bare
    assert tpm2.parse_signature(bare) == tpm2.parse_signature(wrapped)
    for broken in (wrapped + b"\0", wrapped[:-1], b"\x00\x14\x00\x04" + wrapped[4:], b"", b"\x00\x18"):
        with pytest.raises(EvidenceError):
            tpm2.parse_signature(broken)


def test_a_quote_from_another_session_or_vm_is_refused():
    case = cases.case("az-snp-v1")
    whole = json.loads(case.item().raw)
    whole["tpm_quote"] = quote_of() | {"pcrs": quote_of()["pcrs"][:-1]}
    item = capture.assemble("az-snp-vtpm", [json.dumps(whole).encode()])
    assert not appraise(item, cases.make_policy(cases.rules()), None, case.at).authentic
    other = capture.assemble(
        "az-snp-vtpm",
        [cases.read("az-snp-vtpm/evidence-v2.json"), cases.read("az-snp-vtpm/tpm-quote-v1.json")],
    )
    result = appraise(other, cases.make_policy(cases.rules()), None, case.at)
    assert {c.finding for c in result.failures} == {Finding.SIGNATURE_INVALID}


def test_a_runtime_with_another_key_is_not_what_the_hardware_committed_to():
    case = cases.case("az-snp-v1")
    whole = json.loads(case.item().raw)
    hcl = bytearray(tpm2.octets(whole["hcl_report"], "x"))
    hcl[1300] ^= 1
    whole["hcl_report"] = bytes(hcl).hex()
    item = capture.assemble("az-snp-vtpm", [json.dumps(whole).encode()])
    result = appraise(item, cases.make_policy(cases.rules()), None, case.at)
    assert {c.finding for c in result.failures} == {Finding.ATTESTATION_KEY_NOT_VOUCHED}


def test_azure_tdx_evidence_is_a_td_quote_that_vouches_for_the_vtpm(intel):
    case = cases.case("az-snp-v1")
    whole = json.loads(case.item().raw)
    hcl = bytearray(tpm2.octets(whole["hcl_report"], "x"))
    runtime = azure.parse_hcl(bytes(hcl)).runtime
    hcl[1216 + 8] = 4  # the report type: TDX
    quote = intel.quote(bound=hashlib.sha256(runtime).digest() + bytes(32))
    evidence = {
        "version": 1,
        "hcl_report": base64.urlsafe_b64encode(bytes(hcl)).decode(),
        "td_quote": base64.urlsafe_b64encode(quote).decode(),
        "tpm_quote": whole["tpm_quote"],
    }
    item = capture.assemble("az-tdx-vtpm", [json.dumps(evidence).encode()])
    result = appraise(item, cases.make_policy(cases.rules()), None, forge.NOW)
    assert result.authentic
    assert {c.finding for c in result.failures} == {
        Finding.BINDER_NOT_GIVEN,
        Finding.COLLATERAL_MISSING,
        Finding.NOT_IN_REFERENCES,
    }
    evidence["td_quote"] = base64.urlsafe_b64encode(intel.quote(tdx=False)).decode()
    item = capture.assemble("az-tdx-vtpm", [json.dumps(evidence).encode()])
    result = appraise(item, cases.make_policy(cases.rules()), None, forge.NOW)
    assert {c.finding for c in result.failures} == {Finding.UNKNOWN_KIND}
    evidence["td_quote"] = base64.urlsafe_b64encode(intel.quote()).decode()
    item = capture.assemble("az-tdx-vtpm", [json.dumps(evidence).encode()])
    result = appraise(item, cases.make_policy(cases.rules()), None, forge.NOW)
    assert {c.finding for c in result.failures} == {Finding.ATTESTATION_KEY_NOT_VOUCHED}
