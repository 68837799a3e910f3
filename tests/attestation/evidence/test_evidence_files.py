"""Files to evidence: what a capture recognises, in every order and spelling; what findings say."""

import base64
import hashlib
import json
from importlib import resources

import evidence_cases as cases
import pytest
from parley_attestation.errors import PeerError
from parley_attestation.evidence import (
    Finding,
    appraise,
    capture,
    roots,
    snp,
)
from parley_attestation.evidence.explain import ASKS
from parley_attestation.evidence.findings import MEANINGS
from parley_attestation.evidence.roots import pinned

VCEK = cases.read("snp/trustee/test-vcek.der")


def test_every_finding_has_a_meaning_and_a_remedy():
    assert set(MEANINGS) == set(Finding) == set(ASKS)
    assert all(one.remedy and 0 <= one.value <= 99 for one in MEANINGS.values())


def test_files_are_recognised_in_any_order():
    case = cases.case("tdx-v4-gotdx")
    files = [cases.read(name) for name in case.files]
    assert capture.assemble("tdx", files) == capture.assemble("tdx", files[::-1])
    case = cases.case("snp-milan-gosev")
    files = [cases.read(name) for name in case.files]
    assert capture.assemble("snp", files) == capture.assemble("snp", files[::-1])


def test_certificates_from_separate_files_are_put_in_order():
    der_files = [pinned(name).raw for name in ("amd_milan_ark", "amd_milan_ask")]
    report = cases.read("snp/trustee/test-report.bin")
    item = capture.assemble("snp", [*der_files, VCEK, report])
    assert [hashlib.sha256(c).hexdigest() for c in item.endorsements.certificates] == [
        hashlib.sha256(VCEK).hexdigest(),
        roots.PINS["amd_milan_ask"],
        roots.PINS["amd_milan_ark"],
    ]


def test_a_vendors_bundle_beside_the_leaf_is_searched_for_the_path():
    bundle = b"".join(
        resources.files(roots).joinpath(f"amd_milan_{role}.pem").read_bytes()
        for role in ("ask", "ark", "asvk")
    )
    item = capture.assemble("snp", [bundle, cases.read("snp/trustee/test-report.bin"), VCEK])
    assert [hashlib.sha256(c).hexdigest() for c in item.endorsements.certificates][1:] == [
        roots.PINS["amd_milan_ask"],
        roots.PINS["amd_milan_ark"],
    ]


def test_a_chain_in_one_file_keeps_its_order_right_or_wrong():
    chain = cases.read("nvidia/nvtrust/hopperCertChain.txt")
    blocks = [b + b"-----END CERTIFICATE-----\n" for b in chain.split(b"-----END CERTIFICATE-----\n")[:-1]]
    swapped = b"".join([blocks[0], blocks[2], blocks[1], *blocks[3:]])
    report = cases.read("nvidia/nvtrust/hopperAttestationReport.txt")
    item = capture.assemble("nvidia", [report, swapped])
    result = appraise(item, cases.make_policy(cases.rules()), None, cases.case("nv-hopper-nvtrust").at)
    assert {c.finding for c in result.failures} == {Finding.CHAIN_BROKEN}


def test_files_without_evidence_are_refused():
    with pytest.raises(PeerError):
        capture.assemble("snp", [VCEK])


def test_the_two_tcb_layouts_differ():
    version = bytes(range(8))
    assert snp.tcb(version, "genoa") == {"bl": 0, "tee": 1, "snp": 6, "ucode": 7}
    assert snp.tcb(version, "turin") == {"fmc": 0, "bl": 1, "tee": 2, "snp": 3, "ucode": 7}


@pytest.mark.parametrize(
    "spell", [bytes.hex, lambda b: b.hex().upper(), lambda b: base64.b64encode(b).decode()]
)
def test_evidence_in_text_files_is_read_in_every_spelling(spell):
    case = cases.case("nv-hopper-nvtrust")
    raw = case.item().raw
    chain = cases.read("nvidia/nvtrust/hopperCertChain.txt")
    assert capture.assemble("nvidia", [spell(raw).encode() + b"\n", chain]).raw == raw


def test_ocsp_answers_and_quotes_in_json_are_recognised(gpus, intel):
    item = gpus.item()
    answers = gpus.ocsp()
    files = [item.raw, *item.endorsements.certificates, *answers]
    assert capture.assemble("nvidia", files).endorsements.ocsp == answers
    quote = intel.quote()
    wrapped = json.dumps({"quote": base64.b64encode(quote).decode()}).encode()
    assert capture.assemble("tdx", [wrapped]).raw == quote
