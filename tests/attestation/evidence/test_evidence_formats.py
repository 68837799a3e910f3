"""Every layout, key and state of each format, forged fresh: what passes, and what each defect is called."""

from dataclasses import replace

import evidence_cases as cases
import evidence_forge as forge
import pytest
from evidence_cases import failures
from evidence_forge import DAY, NOW
from evidence_forge_intel import level
from parley_attestation.evidence import (
    Binder64,
    Endorsements,
    EvidenceItem,
    Finding,
)

F = Finding
BOUND = Binder64(bytes(range(64)))


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
    assert failures(amd.item("genoa", fleet=True, hwid=bytes(64)), snp=snp) == {F.CHIP_MISMATCH}


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
        {"levels": [level(3, "SWHardeningNeeded", advisories=["INTEL-SA-1"])]},
        {F.TCB_STATUS},
    ),
    "out of date": ({"components": [3] * 16}, {}, {F.TCB_STATUS}),
    "relaunch": ({}, {"levels": [level(3, "TDRelaunchAdvised")]}, {F.TCB_STATUS}),
    "revoked TCB": ({}, {"levels": [level(3, "Revoked")]}, {F.TCB_REVOKED}),
    "unknown status": ({}, {"levels": [level(3, "Splendid")]}, {F.TCB_UNRECOGNISED}),
    "no level": ({}, {"levels": [level(9, "UpToDate")]}, {F.TCB_UNRECOGNISED}),
    "module": ({}, {"module": "OutOfDate"}, {F.TCB_STATUS}),
    "module version": ({"tee_tcb": bytes([5, 9]) + bytes([5]) * 14}, {}, {F.TCB_UNRECOGNISED}),
    "QE signer": ({}, {"qe_mrsigner": "00" * 32}, {F.QE_IDENTITY_MISMATCH}),
    "QE product": ({}, {"qe_product": 9}, {F.QE_IDENTITY_MISMATCH}),
    "QE signer size": ({}, {"qe_mrsigner": "00" * 31}, {F.MALFORMED}),
    "QE signer digits": ({}, {"qe_mrsigner": "x" * 64}, {F.MALFORMED}),
    "time": ({}, {"stamp": "2025-06-20 00:00:00"}, {F.BAD_ENDORSEMENT}),
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
    item = quote(intel, {"tee_tcb": bytes([4, 1]) + bytes([5]) * 14}, {"levels": [level(5, "UpToDate")]})
    item = replace(item, raw=intel.quote(components=[5] * 16, tee_tcb=bytes([4, 1]) + bytes([5]) * 14))
    assert failures(item) == set()


def test_collateral_without_module_identities_recognises_no_versioned_module(intel):
    item = quote(intel, None, {"modules": False})
    assert failures(item) == {F.TCB_UNRECOGNISED}


def test_a_module_of_another_signer_is_refused_without_collateral_too(intel):
    bare = EvidenceItem("tdx", intel.quote(mrsignerseam=b"\1" * 48))
    assert failures(bare) == {F.COLLATERAL_MISSING, F.GUEST_ATTRIBUTES}


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
