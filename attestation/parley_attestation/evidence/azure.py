"""Room: evidence. Azure confidential VMs: an SNP report or TDX quote that vouches for a vTPM's key.

Source: Microsoft, "Confidential VM guest attestation design detail" (HCL report) and the formats that
Confidential Containers collect. SHA-256 of the runtime JSON, which holds the vTPM's key, stands in the
first half of the hardware's report data; the binder is in the vTPM quote.
"""

import hashlib
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from parley_attestation.canonical import Fields
from parley_attestation.evidence import crypto, dcap, pem, snp, strictjson, tdx, tpm2
from parley_attestation.evidence.crypto import PublicKey
from parley_attestation.evidence.findings import Finding, Ledger, refuse
from parley_attestation.evidence.model import (
    MAX_EVIDENCE,
    Claims,
    Endorsements,
    EvidenceItem,
    Kind,
    body_digest,
)
from parley_attestation.evidence.policy import Rules
from parley_attestation.evidence.tdx import TdReport
from parley_attestation.evidence.tpm2 import octets
from parley_attestation.evidence.wire import Reader

_HCL_HEADER, _HW_REPORT = 32, 0x4A0
_SNP_TYPE, _TDX_TYPE = 2, 4
_SHA256 = 1


@dataclass(frozen=True, slots=True)
class HclReport:
    """The report of Azure's paravisor: a hardware report and the runtime JSON that it commits to."""

    hardware: bytes
    report_type: int
    runtime: bytes


def parse_hcl(raw: bytes) -> HclReport:
    """Parse an HCL report. Raises `EvidenceError` (MALFORMED, UNSUPPORTED_VERSION, TRAILING_BYTES)."""
    reader = Reader(raw, "HCL report")
    if reader.take(4) != b"HCLA":
        refuse(Finding.UNSUPPORTED_VERSION, "HCL report: expected the magic HCLA")
    reader.take(_HCL_HEADER - 4)
    hardware = reader.take(_HW_REPORT)
    size, version, kind, digest = (reader.little(4) for _ in range(4))
    length = reader.little(4)
    if version != 1 or digest != _SHA256 or kind not in {_SNP_TYPE, _TDX_TYPE}:
        refuse(Finding.UNSUPPORTED_VERSION, f"HCL report: expected SNP or TDX with SHA-256, got type {kind}")
    if size not in {length, length + 20}:
        refuse(Finding.MALFORMED, f"HCL report: expected {length + 20} bytes of runtime data, got {size}")
    runtime = reader.take(length)
    reader.zeros()
    return HclReport(hardware, kind, runtime)


def attestation_key(runtime: bytes) -> PublicKey:
    """The vTPM's attestation key (HCLAkPub) from the runtime JSON. Raises `EvidenceError`."""
    fields = strictjson.fields(runtime, 16 << 10, "HCL runtime data")
    found = [one for one in fields.items("keys", lambda key: key, 8) if one.text("kid", 64) == "HCLAkPub"]
    if len(found) != 1 or found[0].text("kty", 8) != "RSA":
        refuse(Finding.MALFORMED, "HCL runtime data: expected one RSA key HCLAkPub")
    modulus, exponent = (octets(found[0].text(name, 2048), f"HCLAkPub {name}", 1024) for name in ("n", "e"))
    return crypto.rsa_key(int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big"))


def authenticate(item: EvidenceItem, at: int, ledger: Ledger) -> Claims:
    """Verify the composite: hardware report, then the key it commits to, then the vTPM's quote.

    Raises:
        EvidenceError: with the finding recorded in `ledger`.
    """
    fields = strictjson.fields(item.raw, MAX_EVIDENCE, "Azure evidence")
    hcl = parse_hcl(octets(_first(fields, "hcl_report", "report"), "HCL report"))
    expected = _SNP_TYPE if item.kind == Kind.AZURE_SNP else _TDX_TYPE
    ledger.demand(
        Finding.UNKNOWN_KIND, hcl.report_type == expected, f"an HCL report of type {hcl.report_type}"
    )
    base, data = (
        _snp(fields, hcl, item.endorsements, at, ledger)
        if expected == _SNP_TYPE
        else _td(fields, item.endorsements, at, ledger)
    )
    ledger.demand(
        Finding.ATTESTATION_KEY_NOT_VOUCHED,
        data == hashlib.sha256(hcl.runtime).digest() + bytes(32),
        "the hardware report commits to the runtime JSON with the vTPM's key",
    )
    signed = tpm2.read_signed(fields.object("tpm_quote" if fields.has("tpm_quote") else "quote"))
    pcrs = tpm2.verify_signed(signed, attestation_key(hcl.runtime), ledger)
    ledger.settle()
    return replace(
        base,
        measurements=MappingProxyType({**base.measurements, **pcrs}),
        bound=signed.quote.extra_data,
        signed_body=body_digest(base.signed_body + signed.quote.message),
        shown={**base.shown, "vtpm-reset-count": signed.quote.reset_count},
    )


def _first(fields: Fields, *names: str) -> Any:
    return fields.raw(next((name for name in names if fields.has(name)), names[0]))


def _snp(
    fields: Fields, hcl: HclReport, endorsed: Endorsements, at: int, ledger: Ledger
) -> tuple[Claims, bytes]:
    report = snp.parse(hcl.hardware)
    if not endorsed.certificates and fields.has("vcek"):
        endorsed = replace(endorsed, certificates=_vcek(fields.raw("vcek")))
    facts = snp.verify_report(report, endorsed, at, ledger)
    return snp.claims(Kind.AZURE_SNP, report, facts), report.report_data


def _vcek(value: Any) -> tuple[bytes, ...]:
    if isinstance(value, str) and value.startswith("-----BEGIN") and value.isascii():
        return pem.chain(value.encode())
    return (octets(value, "VCEK", 8192),)


def _td(fields: Fields, endorsed: Endorsements, at: int, ledger: Ledger) -> tuple[Claims, bytes]:
    quote = tdx.parse(octets(fields.raw("td_quote"), "TD quote"))
    if not isinstance(quote.body, TdReport):
        refuse(Finding.UNKNOWN_KIND, "Azure evidence: expected the quote of a TD")
    facts = dcap.verify_quote(quote, endorsed, at, ledger)
    return dcap.claims(Kind.AZURE_TDX, facts), quote.body.report_data


def judge(found: Claims, rules: Rules, at: int, ledger: Ledger) -> None:
    """Policy checks of the hardware underneath."""
    (snp.judge if found.kind is Kind.AZURE_SNP else dcap.judge)(found, rules, at, ledger)
