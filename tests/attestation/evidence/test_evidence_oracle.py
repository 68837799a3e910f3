"""dcap-qvl, an independent verifier in Rust, agrees on every quote, on mutations and on forged states."""

import random
from dataclasses import replace

import dcap_qvl
import evidence_cases as cases
import evidence_forge as forge
import pytest
from evidence_forge_intel import level
from parley_attestation.evidence import Collateral, Endorsements, EvidenceItem, Finding, appraise

SAMPLES = ("tdx-v4-qvl", "sgx-v3-qvl")
# A policy that asks only what dcap-qvl asks by itself: any status but Revoked, and no reference values.
IGNORED = {Finding.NOT_IN_REFERENCES, Finding.TCB_STATUS, Finding.COLLATERAL_TOO_OLD}


def text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def theirs(item: EvidenceItem, at: int, root: bytes | None = None) -> str | None:
    """The status that dcap-qvl gives, or None where it refuses."""
    c = item.endorsements.collateral
    collateral = dcap_qvl.QuoteCollateralV3(
        pck_crl_issuer_chain=text(c.pck_crl_chain),
        root_ca_crl=c.root_crl,
        pck_crl=c.pck_crl,
        tcb_info_issuer_chain=text(c.tcb_info_chain),
        tcb_info=text(c.tcb_info),
        tcb_info_signature=c.tcb_info_signature,
        qe_identity_issuer_chain=text(c.qe_identity_chain),
        qe_identity=text(c.qe_identity),
        qe_identity_signature=c.qe_identity_signature,
    )
    try:
        if root is None:
            return dcap_qvl.verify(item.raw, collateral, at).status
        return dcap_qvl.verify_with_root_ca(item.raw, collateral, root, at).status
    except ValueError:
        return None


POLICY = cases.make_policy(
    cases.laboratory(cases.rules(revocation_required=[], max_evidence_age=cases.LATER) | {"name": "oracle"})
)


def ours(item: EvidenceItem, at: int) -> tuple[str | None, set]:
    """The status that we give, or None and the findings where we refuse."""
    result = appraise(item, POLICY, None, at)
    failures = {c.finding for c in result.failures} - IGNORED
    return (None if failures else result.submods[0].shown["tcb-status"]), failures


@pytest.mark.parametrize("name", SAMPLES)
def test_dcap_qvl_gives_the_same_status_for_every_quote_with_collateral(name):
    case = cases.case(name)
    status, _ = ours(case.item(), case.at)
    assert status == theirs(case.item(), case.at) is not None


@pytest.mark.parametrize(
    "case", [c for c in cases.negatives() if c.kind == "tdx" and len(c.files) == 2], ids=lambda c: c.name
)
def test_dcap_qvl_refuses_every_tampered_quote_too(case):
    assert ours(case.item(), case.at)[0] is None
    assert theirs(case.item(), case.at) is None


def unsigned_bytes(raw: bytes) -> set[int]:
    """Where no signature reaches and dcap-qvl does not look: what our exact accounting refuses on its own.

    The padding after the quote, the copy of the root certificate in its chain (dcap-qvl takes its own
    anchor; we demand the pinned bytes), and line ends and dashes of PEM.
    """
    marks = [n for n in range(len(raw)) if raw.startswith(b"-----BEGIN CERT", n)]
    found = set(range(marks[2], len(raw)))
    found |= {n for n in range(marks[0], len(raw)) if raw[n] in b"\r\n\0"}
    for mark in (*marks, *(n for n in range(len(raw)) if raw.startswith(b"-----END CERT", n))):
        found |= set(range(mark, mark + 28))
    return found


@pytest.mark.parametrize("name", SAMPLES)
def test_dcap_qvl_agrees_on_mutated_quotes_except_where_no_signature_reaches(name):
    case = cases.case(name)
    item = case.item()
    free = unsigned_bytes(item.raw)
    rng = random.Random(20_260_101)
    stricter = 0
    for _ in range(190):
        raw = bytearray(item.raw)
        kind = rng.random()
        where = rng.randrange(len(raw))
        if kind < 0.8:
            raw[where] ^= 1 << rng.randrange(8)
        elif kind < 0.9:
            where = len(raw)
            raw += rng.choice((bytes(rng.randrange(1, 3000)), rng.randbytes(9)))
        else:
            del raw[where:]
        mutated = replace(item, raw=bytes(raw))
        (mine, failures), other = ours(mutated, case.at), theirs(mutated, case.at)
        if (mine is None) != (other is None):
            assert mine is None, "we accept what dcap-qvl refuses"
            assert where in free or where == len(item.raw), (where, failures)
            stricter += 1
    assert stricter > 0


@pytest.mark.parametrize("name", SAMPLES)
def test_dcap_qvl_agrees_on_mutated_collateral(name):
    """Stricter again only about the copy of the root and the line ends of PEM chains."""
    case = cases.case(name)
    item = case.item()
    names = list(Collateral.__dataclass_fields__)
    rng = random.Random(20_260_102)
    for _ in range(60):
        part = rng.choice(names)
        raw = bytearray(getattr(item.endorsements.collateral, part))
        where = rng.randrange(len(raw))
        raw[where] ^= 1 << rng.randrange(7)
        collateral = replace(item.endorsements.collateral, **{part: bytes(raw)})
        mutated = replace(item, endorsements=Endorsements(collateral=collateral))
        (mine, failures), other = ours(mutated, case.at), theirs(mutated, case.at)
        if (mine is None) != (other is None):
            assert mine is None, f"we accept what dcap-qvl refuses: {part} {where}"
            assert part.endswith("_chain"), (part, where, failures)


STATES = {
    "current": ({}, {}),
    "v5": ({"version": 5}, {}),
    "v5 td15": ({"version": 5, "td15": True}, {}),
    "sw hardening": ({}, {"levels": [level(3, "SWHardeningNeeded", advisories=["INTEL-SA-1"])]}),
    "configuration": ({}, {"levels": [level(3, "ConfigurationNeeded")]}),
    "out of date": ({"components": [3] * 16}, {}),
    "revoked level": ({}, {"levels": [level(3, "Revoked")]}),
    "no level": ({}, {"levels": [level(9, "UpToDate")]}),
    "pcesvn too low": ({"pcesvn": 12}, {"levels": [level(4, "UpToDate")]}),
    "old module": ({"tee_tcb": bytes([3, 1]) + bytes([5]) * 14}, {}),
    "unknown module": ({"tee_tcb": bytes([5, 2]) + bytes([5]) * 14}, {}),
    "first module": ({"tee_tcb": bytes([5, 0]) + bytes([5]) * 14}, {}),
    "module out of date": ({}, {"module": "OutOfDate"}),
    "QE out of date": ({"qe_svn": 7}, {}),
    "QE too old": ({"qe_svn": 0}, {}),
    "wrong FMSPC": ({}, {"fmspc": "00A0B0C0D0E1"}),
    "SGX collateral": ({}, {"info_id": "SGX"}),
    "SGX identity": ({}, {"identity_id": "QE"}),
    "expired": ({}, {"next": forge.NOW - 1}),
    "ends now": ({}, {"next": forge.NOW}),
    "CRL expired": ({}, {"crl_until": forge.NOW - 1}),
    "PCK expired": ({"until": forge.NOW - 1}, {}),
    "PCK ends now": ({"until": forge.NOW}, {}),
    "PCK begins now": ({"since": forge.NOW}, {}),
    "PCK not yet": ({"since": forge.NOW + 1}, {}),
    "debug": ({"td_attributes": 1 << 28 | 1}, {}),
    "no SEPT_VE_DISABLE": ({"td_attributes": 0}, {}),
    "migratable": ({"td_attributes": 1 << 28 | 1 << 29}, {}),
    "service TD": ({"version": 5, "td15": True, "service": b"\1" * 48}, {}),
    "not vouched": ({"vouched": bytes(32)}, {}),
}
# We say less than dcap-qvl only here: where no level matches it may still report a status, we never do.
STRICTER_STATES: set[str] = set()


@pytest.mark.parametrize("state", STATES)
def test_dcap_qvl_agrees_on_forged_states_under_a_forged_root(intel, state):
    quote, collateral = STATES[state]
    raw = intel.quote(**quote)
    item = EvidenceItem("tdx", raw, Endorsements(collateral=intel.collateral(**collateral)))
    mine, failures = ours(item, forge.NOW)
    other = theirs(item, forge.NOW, intel.root.der)
    assert (mine, failures if mine is None else None) == (other, failures if other is None else None)


def test_dcap_qvl_agrees_that_a_revoked_platform_is_refused(intel):
    raw = intel.quote()
    item = EvidenceItem(
        "tdx", raw, Endorsements(collateral=intel.collateral(revoked=[intel.pck.cert.serial_number]))
    )
    assert ours(item, forge.NOW) == (None, {Finding.CERTIFICATE_REVOKED})
    assert theirs(item, forge.NOW, intel.root.der) is None
