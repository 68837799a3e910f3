"""Room: evidence. Appraisal of Intel TDX and SGX quotes with DCAP collateral; called by `appraise`.

Formats are in `tdx`, the PCK extension in `pck`, TCB info and QE identity in `collateral`.
"""

from dataclasses import dataclass
from types import MappingProxyType

from parley_attestation.evidence import collateral, crypto, tdx
from parley_attestation.evidence.collateral import TcbState
from parley_attestation.evidence.crypto import Algorithm
from parley_attestation.evidence.findings import EvidenceError, Finding, Ledger
from parley_attestation.evidence.model import Claims, Endorsements, EvidenceItem, Kind, body_digest
from parley_attestation.evidence.pck import Platform, platform_of
from parley_attestation.evidence.policy import Rules
from parley_attestation.evidence.roots import Vendor, pinned
from parley_attestation.evidence.tdx import Quote, SgxReport, TdReport
from parley_attestation.evidence.x509 import parse_certificate, verify_path

_SGX_DEBUG = 0x02  # SGX ATTRIBUTES.FLAGS bit 1
# TD_ATTRIBUTES (Intel TDX module base architecture specification, table "TD_ATTRIBUTES").
_TD_DEBUG = 1
_TD_SEPT_VE_DISABLE = 1 << 28
_TD_MIGRATABLE = 1 << 29
_TD_RESERVED = 0xFE | 0x07FFFF00 | 0x7FFFFFFF << 32
_PCK_AUTHORITIES = ("Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the policy checks of this format need; `state` is None where collateral is missing."""

    quote: Quote
    platform: Platform
    state: TcbState | None


def authenticate(item: EvidenceItem, at: int, ledger: Ledger) -> Claims:
    """Verify one quote and, where it is complete, its collateral.

    Raises:
        EvidenceError: with the finding recorded in `ledger`.
    """
    quote = tdx.parse(item.raw)
    is_td = isinstance(quote.body, TdReport)
    ledger.demand(
        Finding.UNKNOWN_KIND,
        is_td == (item.kind == Kind.TDX),
        f"a quote of a {'TD' if is_td else 'enclave'}, given as {item.kind!r}",
    )
    return claims(Kind.TDX if is_td else Kind.SGX, verify_quote(quote, item.endorsements, at, ledger))


def verify_quote(quote: Quote, endorsed: Endorsements, at: int, ledger: Ledger) -> Facts:
    """The numbered checks of research section 4.2. Raises `EvidenceError`."""
    # (1) the PCK chain.
    path = [parse_certificate(raw) for raw in quote.chain]
    full = verify_path(path, [pinned("intel_sgx_root_ca")], at, ledger)
    ledger.demand(
        Finding.WRONG_CERTIFICATE_ROLE,
        len(full) == 3
        and full[0].common_name == "Intel SGX PCK Certificate"
        and full[1].common_name in _PCK_AUTHORITIES,
        f"{full[0].common_name!r} under {full[1].common_name!r}",
    )
    platform = platform_of(full[0])
    # (2) PCK signs the QE report, (3) which vouches for the attestation key, (4) which signs the quote.
    _note_signature(
        ledger,
        crypto.load_key(full[0].spki),
        quote.qe_report_raw,
        quote.qe_signature,
        Finding.QE_SIGNATURE_INVALID,
    )
    ledger.note(
        Finding.ATTESTATION_KEY_NOT_VOUCHED,
        ledger.checks[-1].ok
        and quote.qe_report.report_data
        == collateral.attestation_key_hash(quote.attestation_key, quote.auth_data),
        "a quoting enclave's report that this PCK signed names the attestation key by its hash",
    )
    _note_quote_signature(ledger, quote)
    # (5) collateral, as far as it is there.
    state = None
    if endorsed.collateral is not None and collateral.is_complete(endorsed.collateral):
        state = collateral.evaluate(
            endorsed.collateral, quote.body, quote.qe_report, platform, full, at, ledger
        )
    ledger.settle()
    return Facts(quote, platform, state)


def _note_quote_signature(ledger: Ledger, quote: Quote) -> None:
    try:
        key = crypto.point_key(quote.attestation_key, Algorithm.ECDSA_P256_SHA256)
    except EvidenceError as error:
        ledger.note(Finding.SIGNATURE_INVALID, False, error.message)
    else:
        _note_signature(ledger, key, quote.signed, quote.signature, Finding.SIGNATURE_INVALID)


def _note_signature(
    ledger: Ledger, key: crypto.PublicKey, message: bytes, signature: bytes, finding: Finding
) -> None:
    try:
        crypto.verify(key, Algorithm.ECDSA_P256_SHA256, message, signature, finding)
    except EvidenceError as error:
        ledger.note(finding, False, error.message)
    else:
        ledger.note(finding, True, "the signature holds")


def claims(kind: Kind, facts: Facts) -> Claims:
    """The claims of a verified quote."""
    body = facts.quote.body
    is_td = isinstance(body, TdReport)
    return Claims(
        kind=kind,
        vendor=Vendor.INTEL,
        product="tdx" if is_td else "sgx",
        instance=facts.platform.ppid.hex(),
        measurements=MappingProxyType(_td_values(body) if isinstance(body, TdReport) else _sgx_values(body)),
        bound=body.report_data,
        signed_body=body_digest(facts.quote.signed),
        debug=bool(body.td_attributes[0] & _TD_DEBUG)
        if isinstance(body, TdReport)
        else bool(body.attributes[0] & _SGX_DEBUG),
        migratable=isinstance(body, TdReport)
        and bool(int.from_bytes(body.td_attributes, "little") & _TD_MIGRATABLE),
        revocation_known=facts.state is not None,
        facts=facts,
        shown={
            "quote-version": facts.quote.version,
            "fmspc": facts.platform.fmspc.hex(),
            "pce-svn": facts.platform.pce_svn,
            "padding": len(facts.quote.padding),
            "tcb-status": facts.state.worst if facts.state else "unknown: no collateral",
        },
    )


def _td_values(body: TdReport) -> dict[str, str]:
    values = {
        "mrseam": body.mrseam,
        "td_attributes": body.td_attributes,
        "xfam": body.xfam,
        "mrtd": body.mrtd,
        "mrconfigid": body.mrconfigid,
        "mrowner": body.mrowner,
        "mrownerconfig": body.mrownerconfig,
    } | {f"rtmr{n}": value for n, value in enumerate(body.rtmrs)}
    return {name: value.hex() for name, value in values.items()}


def _sgx_values(body: SgxReport) -> dict[str, str]:
    return {
        "mrenclave": body.mrenclave.hex(),
        "mrsigner": body.mrsigner.hex(),
        "config_id": body.config_id.hex(),
        "isv_prod_id": body.isv_prod_id.to_bytes(2, "big").hex(),
        "isv_svn": body.isv_svn.to_bytes(2, "big").hex(),
    }


def judge(found: Claims, rules: Rules, at: int, ledger: Ledger) -> None:
    """Policy checks of this format: collateral, TCB statuses, advisories, guest attributes."""
    facts: Facts = found.facts
    state, dcap = facts.state, rules.dcap
    ledger.note(
        Finding.TRAILING_BYTES,
        not any(facts.quote.padding),
        f"{len(facts.quote.padding)} bytes after the quote, zeros only",
    )
    ledger.note(
        Finding.COLLATERAL_MISSING,
        state is not None,
        "TCB info, QE identity and both CRLs" if state else "collateral is missing or incomplete",
    )
    if state is not None:
        for part, status in state.statuses.items():
            ledger.note(_status_finding(status), status in dcap.statuses, f"{part} {status}")
        open_ids = [one for one in state.advisories if one not in dcap.advisories]
        ledger.note(Finding.TCB_STATUS, not open_ids, f"advisories {', '.join(open_ids) or 'none open'}")
        ledger.note(
            Finding.TCB_EVALUATION_TOO_LOW,
            state.evaluation >= dcap.min_evaluation,
            f"TCB evaluation {state.evaluation}, at least {dcap.min_evaluation}",
        )
        ledger.note(
            Finding.COLLATERAL_TOO_OLD,
            at - state.issued <= dcap.max_collateral_age,
            f"collateral {at - state.issued} s old, at most {dcap.max_collateral_age}",
        )
    if isinstance(facts.quote.body, TdReport):
        _guest(facts.quote.body, ledger)


def _status_finding(status: str) -> Finding:
    return {"Revoked": Finding.TCB_REVOKED, "Unrecognised": Finding.TCB_UNRECOGNISED}.get(
        status, Finding.TCB_STATUS
    )


def _guest(body: TdReport, ledger: Ledger) -> None:
    attributes = int.from_bytes(body.td_attributes, "little")
    ledger.note(
        Finding.GUEST_ATTRIBUTES,
        not attributes & _TD_RESERVED and bool(attributes & _TD_SEPT_VE_DISABLE),
        f"TD attributes {attributes:#x}: no reserved bit, SEPT_VE_DISABLE",
    )
    ledger.note(
        Finding.GUEST_ATTRIBUTES,
        not any(body.mrservicetd),
        "no service TD (MRSERVICETD is zero)",
    )
    ledger.note(
        Finding.GUEST_ATTRIBUTES,
        not any(body.mrsignerseam),
        "the TDX module is signed by Intel (zero signer)",
    )
