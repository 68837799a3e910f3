"""Room: evidence. AWS Nitro Enclaves attestation documents; called by `appraise`.

Source: AWS Nitro Enclaves "Verifying the root of trust" and the attestation document specification. The
signature covers the payload as received: AWS writes indefinite-length maps, so nothing is re-encoded.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from parley_attestation.evidence import cbor, cose, crypto, revocation
from parley_attestation.evidence.findings import Finding, Ledger, refuse
from parley_attestation.evidence.model import Claims, EvidenceItem, Kind, body_digest
from parley_attestation.evidence.policy import Rules
from parley_attestation.evidence.roots import Vendor, pinned
from parley_attestation.evidence.x509 import parse_certificate, verify_path

MAX_DOCUMENT = 32 << 10  # bytes
MAX_FIELD = 1024  # bytes of nonce, user data or public key; AWS documents 512, real ones have 1024
MAX_SKEW = 300  # seconds that the enclave's clock may run ahead of the appraisal
_PCR_SIZE = 48
_REQUIRED = {"module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"}


@dataclass(frozen=True, slots=True)
class Document:
    """The payload of a document; nothing in it is trusted before its signature held."""

    module_id: str
    timestamp: int
    pcrs: tuple[tuple[int, bytes], ...]
    certificate: bytes
    cabundle: tuple[bytes, ...]
    public_key: bytes
    user_data: bytes
    nonce: bytes


def parse_payload(payload: bytes) -> Document:
    """Parse the payload map. Raises `EvidenceError` (MALFORMED, DUPLICATE_KEY, UNSUPPORTED_ALGORITHM)."""
    value = cbor.load(payload, "Nitro payload")
    if not isinstance(value, dict) or not set(value) >= _REQUIRED:
        refuse(Finding.MALFORMED, "Nitro payload: expected a map with every mandatory field")
    if value["digest"] != "SHA384":
        refuse(Finding.UNSUPPORTED_ALGORITHM, "Nitro payload: expected PCRs of SHA-384")
    module, timestamp = value["module_id"], value["timestamp"]
    if not isinstance(module, str) or not 1 <= len(module) <= 200:
        refuse(Finding.MALFORMED, "Nitro payload: expected a module id")
    if type(timestamp) is not int or not 0 < timestamp < 1 << 52:
        refuse(Finding.MALFORMED, "Nitro payload: expected a timestamp in milliseconds")
    bundle = value["cabundle"]
    if not isinstance(bundle, list) or not 1 <= len(bundle) <= 7:
        refuse(Finding.MALFORMED, "Nitro payload: expected 1..7 certificates in the bundle")
    return Document(
        module_id=module,
        timestamp=timestamp,
        pcrs=_pcrs(value["pcrs"]),
        certificate=_octets(value["certificate"], "certificate", 1, 4096),
        cabundle=tuple(_octets(one, "cabundle", 1, 4096) for one in bundle),
        public_key=_optional(value, "public_key"),
        user_data=_optional(value, "user_data"),
        nonce=_optional(value, "nonce"),
    )


def _octets(value: Any, name: str, low: int, high: int) -> bytes:
    if not isinstance(value, bytes) or not low <= len(value) <= high:
        refuse(Finding.MALFORMED, f"Nitro payload: expected {low}..{high} bytes for {name}")
    return value


def _optional(value: dict[Any, Any], name: str) -> bytes:
    found = value.get(name)
    return b"" if found is None else _octets(found, name, 0, MAX_FIELD)


def _pcrs(value: Any) -> tuple[tuple[int, bytes], ...]:
    if not isinstance(value, dict) or not 1 <= len(value) <= 32:
        refuse(Finding.MALFORMED, "Nitro payload: expected 1..32 PCRs")
    for index in value:
        if type(index) is not int or not 0 <= index < 32:
            refuse(Finding.MALFORMED, "Nitro payload: expected PCR indices in 0..31")
    found = tuple((n, _octets(value[n], f"PCR{n}", _PCR_SIZE, _PCR_SIZE)) for n in sorted(value))
    if {0, 1, 2} - set(value):
        refuse(Finding.MALFORMED, "Nitro payload: expected PCR0, PCR1 and PCR2")
    return found


def authenticate(item: EvidenceItem, at: int, ledger: Ledger) -> Claims:
    """Verify one document: the numbered checks of research section 4.3.

    Raises:
        EvidenceError: with the finding recorded in `ledger`.
    """
    if len(item.raw) > MAX_DOCUMENT:
        refuse(Finding.SIZE, f"Nitro document: expected at most {MAX_DOCUMENT} bytes")
    signed = cose.parse(item.raw, "Nitro document")
    document = parse_payload(signed.payload)
    # (1) chain: leaf, then the bundle from its end (it is root first); (2) time, (3) revocation.
    path = [parse_certificate(raw) for raw in (document.certificate, *reversed(document.cabundle))]
    full = verify_path(path, [pinned("aws_nitro_root_g1")], at, ledger)
    leaf = full[0]
    ledger.note(Finding.WRONG_CERTIFICATE_ROLE, not leaf.is_ca, f"{leaf.common_name!r} signs documents")
    known = revocation.check_crls(full, item.endorsements.crls, at, ledger)
    # (4) the signature, over the payload as received.
    cose.verify(signed, crypto.load_key(leaf.spki))
    ledger.note(Finding.SIGNATURE_INVALID, True, f"{leaf.common_name!r} signed the document")
    # (5) the document's own time lies in its certificate's life and not in the future.
    made = document.timestamp // 1000
    ledger.note(
        Finding.EVIDENCE_TIME,
        leaf.not_before <= made <= leaf.not_after and made <= at + MAX_SKEW,
        f"made at {made}",
    )
    ledger.settle()
    return _claims(document, signed, known=known)


def _claims(document: Document, signed: cose.Sign1, *, known: bool) -> Claims:
    pcrs = dict(document.pcrs)
    return Claims(
        kind=Kind.NITRO,
        vendor=Vendor.AWS,
        product="nitro",
        instance=document.module_id,
        measurements=MappingProxyType({f"pcr{n}": value.hex() for n, value in pcrs.items()}),
        bound=document.nonce,
        signed_body=body_digest(signed.protected + signed.payload),
        debug=not any(pcrs[0]),
        migratable=False,
        revocation_known=known,
        facts=document,
        shown={
            "timestamp": document.timestamp // 1000,
            "public-key": document.public_key.hex()[:64],
            "user-data-bytes": len(document.user_data),
        },
    )


def judge(found: Claims, rules: Rules, at: int, ledger: Ledger) -> None:
    """Policy checks of this format: the document's age."""
    age = at - found.facts.timestamp // 1000
    ledger.note(
        Finding.EVIDENCE_TIME,
        age <= rules.max_evidence_age,
        f"made {age} s before the appraisal, at most {rules.max_evidence_age}",
    )
