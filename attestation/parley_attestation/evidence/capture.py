"""Room: evidence. Assembles files as vendors' tools leave them into an evidence item; for the CLI and tests.

Files come in no order; each is recognised by its content. Nothing here is a check: what was recognised
wrongly is refused by the appraisal.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from parley_attestation.evidence import der, pem, strictjson
from parley_attestation.evidence.findings import EvidenceError, Finding, refuse
from parley_attestation.evidence.model import Collateral, Endorsements, EvidenceItem, Kind
from parley_attestation.evidence.tpm2 import octets
from parley_attestation.evidence.x509 import Certificate, parse_certificate, parse_crl

MAX_FILE = 1 << 20  # bytes
_COLLATERAL_TEXT = (
    "tcb_info",
    "tcb_info_chain",
    "qe_identity",
    "qe_identity_chain",
    "pck_crl_chain",
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]+={0,2}")
_ALIASES = {
    "tcb_info_chain": "tcb_info_issuer_chain",
    "qe_identity_chain": "qe_identity_issuer_chain",
    "pck_crl_chain": "pck_crl_issuer_chain",
    "root_crl": "root_ca_crl",
}


@dataclass(slots=True)
class _Found:
    raw: list[bytes] = field(default_factory=list)
    certificates: list[tuple[bytes, ...]] = field(default_factory=list)  # one entry a file
    crls: list[bytes] = field(default_factory=list)
    ocsp: list[bytes] = field(default_factory=list)
    collateral: dict[str, bytes] = field(default_factory=dict)
    azure: dict[str, Any] = field(default_factory=dict)
    azure_whole: tuple[bytes, dict[str, Any]] | None = None


def assemble(kind: str, files: Sequence[bytes]) -> EvidenceItem:
    """Put files together into one item of the stated kind.

    Args:
        kind: A kind, as in `Kind`; others are assembled too and refused by the appraisal.
        files: The contents: raw evidence (binary, hexadecimal or JSON), DER or PEM certificates, CRLs,
            DCAP collateral as one JSON file or as Intel's responses.

    Raises:
        PeerError: BAD_EVIDENCE where no file holds evidence.
    """
    found = _Found()
    for content in files:
        if len(content) > MAX_FILE:
            refuse(Finding.SIZE, f"expected files of at most {MAX_FILE} bytes")
        _sort(kind, content, found)
    if found.azure_whole and not found.azure:
        found.raw.append(found.azure_whole[0])
    elif found.azure:
        whole = found.azure_whole[1] if found.azure_whole else {}
        found.raw.append(json.dumps({**whole, **found.azure}).encode())
    if not found.raw:
        refuse(Finding.MALFORMED, "expected a file with raw evidence")
    is_intel = kind in {Kind.TDX, Kind.SGX, Kind.AZURE_TDX}
    return EvidenceItem(
        kind,
        found.raw[-1],
        Endorsements(
            certificates=tuple(_path(found.certificates)),
            crls=() if is_intel else tuple(found.crls),
            ocsp=tuple(found.ocsp),
            collateral=_collateral(found) if is_intel else None,
        ),
    )


def _sort(kind: str, content: bytes, found: _Found) -> None:
    if b"-----BEGIN CERTIFICATE" in content and content[:1] not in {b"{", b"["} and content.isascii():
        found.certificates.append(pem.chain(pem.anywhere(content)))
    elif content.lstrip()[:1] in {b"{", b"["}:
        _sort_json(kind, content, found)
    elif content.startswith(b"HCLA"):
        found.azure["hcl_report"] = content.hex()
    elif _is_certificate(content):
        found.certificates.append((content,))
    elif _is_crl(content):
        found.crls.append(content)
    elif _is_ocsp(content):
        found.ocsp.append(content)
    else:
        found.raw.append(_bytes(content))


def _bytes(content: bytes) -> bytes:
    """Raw evidence from a file of bytes, of hexadecimal digits or of base64."""
    text = b"".join(content.split()) if content.isascii() else b""
    if len(text) > 64 and not text.lower().strip(b"0123456789abcdef"):
        return octets(text.lower().decode(), "file", MAX_FILE)
    if len(text) > 64 and _BASE64.fullmatch(text):
        return octets(text.decode(), "file", MAX_FILE)
    return content


def _sort_json(kind: str, content: bytes, found: _Found) -> None:
    value = strictjson.load(content, MAX_FILE, "file", 40_000)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = value[0]  # NVIDIA's SDK writes a list of devices
    if not isinstance(value, dict):
        found.raw.append(content)
    elif kind == Kind.NVIDIA and {"evidence", "certificate"} <= set(value):
        found.raw.append(octets(value["evidence"], "evidence"))
        found.certificates.append(pem.chain(pem.anywhere(octets(value["certificate"], "certificate"))))
    elif kind in {Kind.TDX, Kind.SGX} and "quote" in value:
        found.raw.append(octets(value["quote"], "quote"))
    elif "tcb_info" in value:
        _merge_collateral(value, found)
    elif "tcbInfo" in value:
        found.collateral["tcb_info"] = _inner(content, b'"tcbInfo":')
        found.collateral["tcb_info_signature"] = octets(value.get("signature"), "signature", 64)
    elif "enclaveIdentity" in value:
        found.collateral["qe_identity"] = _inner(content, b'"enclaveIdentity":')
        found.collateral["qe_identity_signature"] = octets(value.get("signature"), "signature", 64)
    elif kind in {Kind.AZURE_SNP, Kind.AZURE_TDX} and "message" in value:
        found.azure["tpm_quote"] = value
    elif kind in {Kind.AZURE_SNP, Kind.AZURE_TDX}:
        found.azure_whole = (content, value)
    else:
        found.raw.append(content)


def _merge_collateral(value: dict[str, Any], found: _Found) -> None:
    for name in Collateral.__dataclass_fields__:
        given = value.get(name, value.get(_ALIASES.get(name, name)))
        if given is not None:
            found.collateral[name] = (
                given.encode()
                if name in _COLLATERAL_TEXT and isinstance(given, str)
                else octets(given, name, MAX_FILE)
            )


def _inner(content: bytes, key: bytes) -> bytes:
    """The exact bytes of the object under `key`: what Intel signed."""
    start = content.index(key) + len(key)
    try:
        _, end = json.JSONDecoder().raw_decode(content[start:].decode())
    except ValueError:
        refuse(Finding.MALFORMED, "expected an Intel response")
    return content[start : start + end]


def _collateral(found: _Found) -> Collateral | None:
    parts = dict(found.collateral)
    for raw in found.crls:
        crl = parse_crl(raw, MAX_FILE)
        name = "root_crl" if b"Intel SGX Root CA" in crl.issuer else "pck_crl"
        parts.setdefault(name, raw)
    return Collateral(**parts) if parts else None


def _is_certificate(content: bytes) -> bool:
    try:
        parse_certificate(content)
    except EvidenceError:
        return False
    return True


def _is_crl(content: bytes) -> bool:
    try:
        der.parse(content)
        parse_crl(content, MAX_FILE)
    except EvidenceError:
        return False
    return True


def _is_ocsp(content: bytes) -> bool:
    try:
        return der.children(der.parse(content), 1, 2)[0].tag == der.ENUMERATED
    except EvidenceError:
        return False


def _path(files: list[tuple[bytes, ...]]) -> list[bytes]:
    """Order certificates that came in several files by their issuers; one file keeps its own order."""
    every = [raw for one in files for raw in one]
    try:
        parsed = {c.subject: c for c in map(parse_certificate, every)}
        alone = [parse_certificate(one[0]) for one in files if len(one) == 1]
    except EvidenceError:
        return every
    leaves = [c for c in alone if not c.is_ca]
    if len(files) == 1 or len(leaves) != 1:
        return every
    ordered: list[Certificate] = [leaves[0]]
    while (issuer := parsed.get(ordered[-1].issuer)) is not None and issuer not in ordered:
        ordered.append(issuer)
    return [c.raw for c in ordered]
