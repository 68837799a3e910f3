"""Every layout, key and state of each format, forged fresh: what passes, and what each defect is called."""

from contextlib import suppress
from dataclasses import replace

import cbor2
import evidence_cases as cases
import evidence_forge as forge
import pytest
from evidence_forge import DAY, NOW
from parley_attestation.evidence import (
    Binder64,
    Endorsements,
    EvidenceError,
    EvidenceItem,
    Finding,
    GpuNonce,
    appraise,
    authenticate,
)
from parley_attestation.evidence.nvidia import DEFAULT_NONCE

F = Finding
BOUND = Binder64(bytes(range(64)))


def failures(item, *, at=NOW, binder=BOUND, policy=None, **changes):
    """The findings that stand against an item whose own measurements are the references."""
    if policy is None:
        document = cases.rules(**changes)
        with suppress(EvidenceError):
            document["references"] = [cases.own_reference(item, at)]
        policy = cases.make_policy(document)
    return {c.finding for c in appraise(item, policy, binder, at).failures}


# SEV-SNP --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [2, 3, 4, 5])
@pytest.mark.parametrize("product", ["genoa", "turin"])
def test_every_report_version_and_layout_is_affirming_under_its_own_chip(amd, product, version):
    assert failures(amd.item(product, version=version)) == set()


def test_milan_is_genuine_but_on_the_advisory_list_whatever_its_tcb(amd):
    item = amd.item("milan", tcb={"bl": 255, "tee": 255, "snp": 255, "ucode": 255, "fmc": 0})
    assert failures(item) == {F.ADVISORY}


def test_a_fleet_key_is_genuine_and_counts_only_where_the_policy_says_so(amd):
    item = amd.item("genoa", fleet=True)
    assert failures(item) == {F.FLEET_KEY_NOT_ALLOWED}
    snp = cases.rules()["snp"] | {"fleet_keys": True}
    assert failures(item, snp=snp) == set()


def test_the_hardware_id_may_be_wrapped_in_an_octet_string(amd):
    assert failures(amd.item("genoa", wrapped=True)) == set()
    assert failures(amd.item("turin", wrapped=True)) == set()


SNP_DEFECTS = {
    "version 1": ({"version": 1}, {F.UNSUPPORTED_VERSION}),
    "version 6": ({"version": 6}, {F.UNSUPPORTED_VERSION}),
    "algorithm": ({"algorithm": 2}, {F.UNSUPPORTED_ALGORITHM}),
    "non-zero tail": ({"tail": bytes(367) + b"\1"}, {F.TRAILING_BYTES}),
    "other chip": ({"hwid": b"\x12" * 64}, {F.CHIP_MISMATCH}),
    "8-byte id": ({"hwid": b"\x11" * 8}, {F.CHIP_MISMATCH}),
    "masked chip": ({"chip": bytes(64)}, {F.CHIP_MISMATCH}),
    "other TCB": (
        {"certified": {"bl": 9, "tee": 0, "snp": 20, "ucode": 72, "fmc": 0}},
        {F.CERTIFIED_TCB_MISMATCH},
    ),
    "other name": ({"named": "Milan-B0"}, {F.PRODUCT_MISMATCH}),
    "other CPU": ({"cpuid": (0x19, 1, 1)}, {F.PRODUCT_MISMATCH}),
    "unknown CPU": ({"cpuid": (0x1B, 1, 1)}, {F.PRODUCT_MISMATCH}),
    "says VLEK": ({"signer": 1}, {F.SIGNING_KEY_MISMATCH}),
    "says no key": ({"signer": 7}, {F.SIGNING_KEY_MISMATCH}),
    "CN": ({"common": "VCEK"}, {F.WRONG_CERTIFICATE_ROLE}),
    "expired": ({"until": NOW - 1}, {F.CERTIFICATE_EXPIRED}),
    "early": ({"since": NOW + 1}, {F.CERTIFICATE_NOT_YET_VALID}),
    "debug": ({"policy": 0x30000 | 1 << 19}, {F.DEBUG_ENABLED}),
    "migration": ({"policy": 0x30000 | 1 << 18}, {F.MIGRATION_ENABLED}),
    "no alias check": ({"platform": 1}, {F.PLATFORM_BITS}),
    "VMPL 1": ({"vmpl": 1}, {F.PRIVILEGE_LEVEL}),
    "old TCB": ({"tcb": {"bl": 9, "tee": 0, "snp": 20, "ucode": 72, "fmc": 0}}, {F.TCB_BELOW_FLOOR}),
    "old launch": ({"launch": [9, 0, 0, 0, 0, 0, 20, 72]}, {F.TCB_BELOW_FLOOR}),
    "other binder": ({"bound": bytes(64)}, {F.BINDER_MISMATCH}),
}


@pytest.mark.parametrize("defect", SNP_DEFECTS)
def test_every_defect_of_an_snp_report_has_its_own_finding(amd, defect):
    changes, expected = SNP_DEFECTS[defect]
    assert failures(amd.item("genoa", **changes)) == expected


def test_a_chip_key_under_the_fleet_authority_is_refused(amd):
    item = amd.item("genoa", issuer=amd.roots["genoa"][2])
    assert failures(item) == {F.WRONG_CERTIFICATE_ROLE}


def test_a_turin_report_read_by_the_genoa_layout_is_refused(amd):
    genoa, turin = amd.item("genoa"), amd.item("turin")
    assert F.CHIP_MISMATCH in failures(replace(turin, endorsements=genoa.endorsements))


def test_amds_revocation_list_is_used_and_can_be_required(amd):
    ark, ask, _ = amd.roots["genoa"]
    rule = {"revocation_required": ["snp"]}
    assert failures(amd.item("genoa"), **rule) == {F.REVOCATION_UNKNOWN}
    assert failures(amd.item("genoa", crls=[forge.crl(ark)]), **rule) == set()
    gone = [forge.crl(ark, [ask.cert.serial_number])]
    assert failures(amd.item("genoa", crls=gone)) == {F.CERTIFICATE_REVOKED}
    stale = [forge.crl(ark, until=NOW - 1)]
    assert failures(amd.item("genoa", crls=stale)) == {F.COLLATERAL_EXPIRED}
    early = [forge.crl(ark, since=NOW + 1)]
    assert failures(amd.item("genoa", crls=early)) == {F.COLLATERAL_NOT_YET_VALID}


def test_a_revocation_list_that_another_key_signed_is_refused(amd):
    other = forge.issue("ARK-Genoa", forge.p384())
    assert failures(amd.item("genoa", crls=[forge.crl(other)])) <= {
        F.COLLATERAL_SIGNATURE_INVALID,
        F.BAD_ENDORSEMENT,
    }


# Intel ----------------------------------------------------------------------------------------------


def quote(intel, quote=None, collateral=None, *, tdx=True):
    raw = intel.quote(tdx=tdx, **(quote or {}))
    return EvidenceItem(
        "tdx" if tdx else "sgx", raw, Endorsements(collateral=intel.collateral(tdx=tdx, **(collateral or {})))
    )


@pytest.mark.parametrize("shape", [{}, {"version": 5}, {"version": 5, "td15": True}])
def test_every_td_quote_layout_is_affirming(intel, shape):
    assert failures(quote(intel, shape)) == set()


@pytest.mark.parametrize("version", [3, 4, 5])
def test_every_enclave_quote_layout_is_affirming(intel, version):
    assert failures(quote(intel, {"version": version}, tdx=False)) == set()


@pytest.mark.parametrize("size", [1, 39, 70, 3065])
def test_zero_padding_of_any_size_is_accepted_and_anything_else_is_not(intel, size):
    assert failures(quote(intel, {"padding_bytes": bytes(size)})) == set()
    assert failures(quote(intel, {"padding_bytes": bytes(size - 1) + b"x"})) == {F.TRAILING_BYTES}


TDX_DEFECTS = {
    "debug": ({"td_attributes": 1 << 28 | 1}, {}, {F.DEBUG_ENABLED}),
    "debug profile": ({"td_attributes": 1 << 28 | 2}, {}, {F.GUEST_ATTRIBUTES}),
    "migratable": ({"td_attributes": 3 << 28}, {}, {F.MIGRATION_ENABLED}),
    "SEPT_VE": ({"td_attributes": 0}, {}, {F.GUEST_ATTRIBUTES}),
    "service TD": ({"version": 5, "td15": True, "service": b"\1" * 48}, {}, {F.GUEST_ATTRIBUTES}),
    "module signer": ({"mrsignerseam": b"\1" * 48}, {}, {F.QE_IDENTITY_MISMATCH}),
    "not vouched": ({"vouched": bytes(32)}, {}, {F.ATTESTATION_KEY_NOT_VOUCHED}),
    "PCK role": ({"common": "Intel SGX PCK"}, {}, {F.WRONG_CERTIFICATE_ROLE}),
    "PCK expired": ({"until": NOW - 1}, {}, {F.CERTIFICATE_EXPIRED}),
    "PCK early": ({"since": NOW + 1}, {}, {F.CERTIFICATE_NOT_YET_VALID}),
    "binder": ({"bound": bytes(64)}, {}, {F.BINDER_MISMATCH}),
    "hardening": (
        {},
        {"levels": [forge.level(3, "SWHardeningNeeded", advisories=["INTEL-SA-1"])]},
        {F.TCB_STATUS},
    ),
    "out of date": ({"components": [3] * 16}, {}, {F.TCB_STATUS}),
    "relaunch": ({}, {"levels": [forge.level(3, "TDRelaunchAdvised")]}, {F.TCB_STATUS}),
    "revoked TCB": ({}, {"levels": [forge.level(3, "Revoked")]}, {F.TCB_REVOKED}),
    "unknown status": ({}, {"levels": [forge.level(3, "Splendid")]}, {F.TCB_UNRECOGNISED}),
    "no level": ({}, {"levels": [forge.level(9, "UpToDate")]}, {F.TCB_UNRECOGNISED}),
    "module": ({}, {"module": "OutOfDate"}, {F.TCB_STATUS}),
    "module version": ({"tee_tcb": bytes([5, 9]) + bytes([5]) * 14}, {}, {F.TCB_UNRECOGNISED}),
    "QE": ({"qe_svn": 7}, {}, {F.TCB_STATUS}),
    "evaluation": ({}, {"evaluation": 14}, {F.TCB_EVALUATION_TOO_LOW}),
    "FMSPC": ({}, {"fmspc": "00A0B0C0D0E1"}, {F.COLLATERAL_MISMATCH}),
    "SGX info": ({}, {"info_id": "SGX"}, {F.COLLATERAL_MISMATCH}),
    "SGX identity": ({}, {"identity_id": "QE"}, {F.QE_IDENTITY_MISMATCH}),
    "expired": ({}, {"next": NOW - 1}, {F.COLLATERAL_EXPIRED}),
    "early": ({}, {"issued": NOW + 1}, {F.COLLATERAL_NOT_YET_VALID}),
    "old": ({}, {"issued": NOW - 32 * DAY}, {F.COLLATERAL_TOO_OLD}),
    "CRL expired": ({}, {"crl_until": NOW - 1}, {F.COLLATERAL_EXPIRED}),
}


@pytest.mark.parametrize("defect", TDX_DEFECTS)
def test_every_defect_of_a_td_quote_or_its_collateral_has_its_own_finding(intel, defect):
    changes, collateral, expected = TDX_DEFECTS[defect]
    assert failures(quote(intel, changes, collateral)) == expected


def test_the_modules_own_version_is_judged_by_its_identity_not_by_the_platform_level(intel):
    """Intel's rule (TcbLevelCheck.cpp): bytes 0 and 1 are skipped where the module has a version."""
    item = quote(
        intel, {"tee_tcb": bytes([4, 1]) + bytes([5]) * 14}, {"levels": [forge.level(5, "UpToDate")]}
    )
    item = replace(item, raw=intel.quote(components=[5] * 16, tee_tcb=bytes([4, 1]) + bytes([5]) * 14))
    assert failures(item) == set()


def test_collateral_without_module_identities_recognises_no_versioned_module(intel):
    item = quote(intel, None, {"modules": False})
    assert failures(item) == {F.TCB_UNRECOGNISED}


def test_a_revoked_pck_is_refused(intel):
    raw = intel.quote()
    revoked = intel.collateral(revoked=[intel.pck.cert.serial_number])
    assert failures(EvidenceItem("tdx", raw, Endorsements(collateral=revoked))) == {F.CERTIFICATE_REVOKED}


@pytest.mark.parametrize("which", ["authority", "signer"])
def test_a_revoked_authority_is_refused(intel, which):
    raw = intel.quote()
    revoked = intel.collateral(root_revoked=[getattr(intel, which).cert.serial_number])
    assert failures(EvidenceItem("tdx", raw, Endorsements(collateral=revoked))) == {F.CERTIFICATE_REVOKED}


def test_the_crl_of_the_other_pck_authority_is_no_answer(intel):
    raw = intel.quote()
    other = intel.collateral(authority=intel.processor)
    assert failures(EvidenceItem("tdx", raw, Endorsements(collateral=other))) == {F.COLLATERAL_MISMATCH}


def test_collateral_that_a_pck_signed_is_refused(intel):
    raw = intel.quote()
    forged = intel.collateral(signer=intel.processor)
    assert failures(EvidenceItem("tdx", raw, Endorsements(collateral=forged))) == {F.WRONG_CERTIFICATE_ROLE}


@pytest.mark.parametrize("part", ["tcb_info", "qe_identity", "root_crl", "pck_crl", "tcb_info_chain"])
def test_collateral_with_one_part_missing_counts_as_none(intel, part):
    item = quote(intel)
    partial = replace(item.endorsements.collateral, **{part: b""})
    assert failures(replace(item, endorsements=Endorsements(collateral=partial))) == {F.COLLATERAL_MISSING}


def test_an_edited_tcb_status_breaks_intels_signature(intel):
    item = quote(intel, {"components": [3] * 16})
    edited = item.endorsements.collateral.tcb_info.replace(b"OutOfDate", b"UpToDate ")
    forged = replace(item.endorsements.collateral, tcb_info=edited)
    assert failures(replace(item, endorsements=Endorsements(collateral=forged))) == {
        F.COLLATERAL_SIGNATURE_INVALID
    }


def test_an_enclave_quote_given_as_a_td_is_refused(intel):
    assert failures(replace(quote(intel, tdx=False), kind="tdx")) == {F.UNKNOWN_KIND}


def test_a_debug_enclave_is_refused(intel):
    assert failures(quote(intel, {"attributes": b"\x07" + bytes(15)}, tdx=False)) == {F.DEBUG_ENABLED}


# AWS ------------------------------------------------------------------------------------------------


def test_a_nitro_document_over_the_binder_is_affirming(aws):
    assert failures(aws.item()) == set()


def test_a_tagged_document_is_the_same_document(aws):
    item = aws.item()
    assert failures(replace(item, raw=b"\xd2" + item.raw)) == set()


def test_indefinite_length_maps_are_the_vendors_choice(aws):
    fields = aws.payload()
    payload = b"\xbf" + b"".join(cbor2.dumps(k) + cbor2.dumps(v) for k, v in fields.items()) + b"\xff"
    assert failures(EvidenceItem("nitro", aws.sign(payload))) == set()


def test_fields_of_1024_bytes_are_accepted_and_longer_ones_are_not(aws):
    assert failures(aws.item(user_data=bytes(1024), public_key=bytes(1024))) == set()
    assert failures(aws.item(user_data=bytes(1025))) == {F.MALFORMED}


NITRO_DEFECTS = {
    "debug": ({"pcrs": {n: bytes(48) for n in range(16)}}, {F.DEBUG_ENABLED}),
    "digest": ({"digest": "SHA256"}, {F.UNSUPPORTED_ALGORITHM}),
    "no PCR0": ({"pcrs": {1: bytes(48)}}, {F.MALFORMED}),
    "PCR size": ({"pcrs": {n: bytes(32) for n in range(16)}}, {F.MALFORMED}),
    "PCR index": ({"pcrs": dict.fromkeys((0, 1, 2, 32), b"\x01" * 48)}, {F.MALFORMED}),
    "nonce": ({"nonce": bytes(64)}, {F.BINDER_MISMATCH}),
    "no nonce": ({"nonce": None}, {F.BINDER_MISMATCH}),
    "no bundle": ({"cabundle": []}, {F.MALFORMED}),
    "null bundle": ({"cabundle": None}, {F.MALFORMED}),
    "future": ({"timestamp": (NOW + 301) * 1000}, {F.EVIDENCE_TIME}),
    "before the leaf": ({"timestamp": (NOW - 61) * 1000}, {F.EVIDENCE_TIME}),
    "float": ({"timestamp": 1.0}, {F.MALFORMED}),
}


@pytest.mark.parametrize("defect", NITRO_DEFECTS)
def test_every_defect_of_a_nitro_document_has_its_own_finding(aws, defect):
    changes, expected = NITRO_DEFECTS[defect]
    assert failures(aws.item(**changes)) == expected


def test_an_old_document_is_refused_live(aws):
    assert failures(aws.item(), at=NOW + 301) == {F.EVIDENCE_TIME}


def test_the_algorithm_must_stand_in_the_protected_header(aws):
    payload = cbor2.dumps(aws.payload())
    smuggled = aws.sign(payload, protected=b"", unprotected={1: -35})
    assert failures(EvidenceItem("nitro", smuggled)) == {F.UNPROTECTED_HEADER}
    bare = aws.sign(payload, protected=b"")
    assert failures(EvidenceItem("nitro", bare)) == {F.UNSUPPORTED_ALGORITHM}
    other = aws.sign(payload, protected=cbor2.dumps({1: -7}))
    assert failures(EvidenceItem("nitro", other)) == {F.UNSUPPORTED_ALGORITHM}


def test_a_byte_after_the_document_is_refused(aws):
    item = aws.item()
    assert failures(replace(item, raw=item.raw + b"\0")) == {F.TRAILING_BYTES}


def test_duplicate_keys_are_refused_in_definite_and_indefinite_maps(aws):
    fields = b"".join(cbor2.dumps(k) + cbor2.dumps(v) for k, v in aws.payload().items())
    twice = cbor2.dumps("nonce") + cbor2.dumps(b"x")
    indefinite = b"\xbf" + fields + twice + b"\xff"
    definite = bytes((0xA0 + len(aws.payload()) + 1,)) + fields + twice
    for payload in (indefinite, definite):
        assert failures(EvidenceItem("nitro", aws.sign(payload))) == {F.DUPLICATE_KEY}


def test_a_bundle_in_the_wrong_order_is_refused(aws):
    item = aws.item(cabundle=[aws.zone.der, aws.root.der])
    assert failures(item) & {F.ROOT_NOT_PINNED, F.CHAIN_BROKEN}


# NVIDIA ---------------------------------------------------------------------------------------------

GPU = GpuNonce(bytes(range(32)))


def with_ocsp(gpus, item, **changes):
    return replace(item, endorsements=replace(item.endorsements, ocsp=gpus.ocsp(**changes)))


@pytest.mark.parametrize("model", ["GH100", "GB100", "GB202"])
@pytest.mark.parametrize("delegate", [False, True])
def test_a_gpu_with_good_ocsp_answers_is_affirming(gpus, model, delegate):
    assert failures(with_ocsp(gpus, gpus.item(model), delegate=delegate), binder=GPU) == set()


def test_a_gpu_without_ocsp_answers_is_never_affirming(gpus):
    item = gpus.item()
    assert failures(item, binder=GPU, revocation_required=[]) == {F.REVOCATION_UNKNOWN}


def test_ocsp_answers_that_say_otherwise_are_not_good(gpus):
    item = gpus.item()
    assert failures(with_ocsp(gpus, item, status="REVOKED"), binder=GPU) == {F.CERTIFICATE_REVOKED}
    assert failures(with_ocsp(gpus, item, status="UNKNOWN"), binder=GPU) == {F.REVOCATION_UNKNOWN}
    assert failures(with_ocsp(gpus, item, until=NOW - 1), binder=GPU) == {F.COLLATERAL_EXPIRED}


def test_an_answer_for_only_part_of_the_chain_leaves_revocation_unknown(gpus):
    item = gpus.item()
    part = replace(item, endorsements=replace(item.endorsements, ocsp=gpus.ocsp()[:2]))
    assert failures(part, binder=GPU) == {F.REVOCATION_UNKNOWN}


def test_an_ocsp_answer_signed_by_a_stranger_is_refused(gpus):
    item = gpus.item()
    raw = bytearray(gpus.ocsp()[0])
    raw[-20] ^= 1
    forged = replace(item, endorsements=replace(item.endorsements, ocsp=(bytes(raw),)))
    assert failures(forged, binder=GPU) <= {F.COLLATERAL_SIGNATURE_INVALID, F.BAD_ENDORSEMENT}


@pytest.mark.parametrize("field", [23, 24, 25])
def test_a_switch_never_passes_as_a_gpu(gpus, field):
    switch = gpus.item("LS10", opaque=[(field, b"\1")])
    assert failures(with_ocsp(gpus, switch), binder=GPU, products=["ls10"]) == {F.WRONG_DEVICE}
    fields_only = gpus.item("GH100", opaque=[(field, b"\1")])
    assert failures(with_ocsp(gpus, fields_only), binder=GPU) == {F.WRONG_DEVICE}
    model_only = gpus.item("LS10")
    assert failures(with_ocsp(gpus, model_only), binder=GPU, products=["ls10"]) == {F.WRONG_DEVICE}


def test_an_old_report_without_fwid_is_genuine_but_not_affirming(gpus):
    item = with_ocsp(gpus, gpus.item(reported=False))
    assert authenticate(item, NOW).product == "gh100"
    assert failures(item, binder=GPU) == {F.FIRMWARE_ID_ABSENT}


def test_a_fwid_that_the_certificate_does_not_name_is_refused(gpus):
    item = gpus.item(opaque=[(99, b"x")])
    other = gpus.item(fwid=b"\x67" * 48)
    mixed = replace(item, endorsements=other.endorsements)
    assert failures(mixed, binder=GPU) == {F.FIRMWARE_ID_MISMATCH, F.SIGNATURE_INVALID}


def test_the_sdk_default_nonce_is_refused_even_as_a_binder(gpus):
    item = with_ocsp(gpus, gpus.item(nonce=DEFAULT_NONCE))
    assert failures(item, binder=GpuNonce(DEFAULT_NONCE)) == {F.DEFAULT_NONCE}


def test_one_zero_after_the_signature_is_accepted_and_anything_else_is_not(gpus):
    assert failures(with_ocsp(gpus, gpus.item(tail=b"\0")), binder=GPU) == set()
    assert failures(gpus.item(tail=b"\1"), binder=GPU) == {F.TRAILING_BYTES}
    assert failures(gpus.item(tail=bytes(65)), binder=GPU) == {F.TRAILING_BYTES}


def test_a_chain_out_of_order_or_incomplete_is_refused(gpus):
    item = gpus.item()
    for chain in (item.endorsements.certificates[::-1], item.endorsements.certificates[:2]):
        broken = replace(item, endorsements=Endorsements(chain))
        assert failures(broken, binder=GPU) & {F.CHAIN_BROKEN, F.ROOT_NOT_PINNED, F.WRONG_CERTIFICATE_ROLE}
    assert failures(replace(item, endorsements=Endorsements()), binder=GPU) == {F.ENDORSEMENT_MISSING}


def test_a_gpu_report_without_the_pinned_root_at_its_end_still_ends_there(gpus):
    item = with_ocsp(gpus, gpus.item())
    short = replace(
        item,
        endorsements=replace(item.endorsements, certificates=item.endorsements.certificates[:-1]),
    )
    assert failures(short, binder=GPU) == set()
