"""Room: evidence. What Intel's PCK certificate says about a platform; called by `dcap`.

Source: Intel SGX PCK Certificate and CRL Profile Specification, section 1.3.5.
"""

from dataclasses import dataclass

from parley_attestation.evidence import der
from parley_attestation.evidence.der import Node, oid
from parley_attestation.evidence.findings import Finding, refuse
from parley_attestation.evidence.x509 import Certificate

_SGX = "1.2.840.113741.1.13.1"
_EXTENSION = oid(_SGX)
_PPID, _TCB, _PCEID, _FMSPC = (oid(f"{_SGX}.{n}") for n in range(1, 5))
_COMPONENTS = [oid(f"{_SGX}.2.{n}") for n in range(1, 17)]
_PCESVN = oid(f"{_SGX}.2.17")


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform as its PCK certificate names it."""

    ppid: bytes
    components: tuple[int, ...]
    pce_svn: int
    pce_id: bytes
    fmspc: bytes


def platform_of(certificate: Certificate) -> Platform:
    """Read the SGX extension of a PCK certificate. Raises `EvidenceError` (BAD_CERTIFICATE)."""
    raw = certificate.extensions.get(_EXTENSION)
    if raw is None:
        refuse(Finding.WRONG_CERTIFICATE_ROLE, "expected a PCK certificate with the SGX extension")
    top = _pairs(der.parse(raw))
    tcb = _pairs(_get(top, _TCB))
    return Platform(
        ppid=_octets(top, _PPID, 16),
        components=tuple(_byte(tcb, name, 255) for name in _COMPONENTS),
        pce_svn=_byte(tcb, _PCESVN, 65535),
        pce_id=_octets(top, _PCEID, 2),
        fmspc=_octets(top, _FMSPC, 6),
    )


def _pairs(node: Node) -> dict[bytes, Node]:
    found: dict[bytes, Node] = {}
    for pair in der.children(der.expect(node, der.SEQUENCE), 1):
        name, value = der.children(der.expect(pair, der.SEQUENCE), 2, 2)
        if name.body in found:
            refuse(Finding.BAD_CERTIFICATE, "expected every SGX extension field once")
        found[der.expect(name, der.OID).body] = value
    return found


def _get(found: dict[bytes, Node], name: bytes) -> Node:
    if name not in found:
        refuse(Finding.BAD_CERTIFICATE, "expected every field of the SGX extension")
    return found[name]


def _octets(found: dict[bytes, Node], name: bytes, size: int) -> bytes:
    value = der.expect(_get(found, name), der.OCTET_STRING).body
    if len(value) != size:
        refuse(Finding.BAD_CERTIFICATE, f"expected {size} bytes in the SGX extension, got {len(value)}")
    return value


def _byte(found: dict[bytes, Node], name: bytes, high: int) -> int:
    value = der.integer(_get(found, name))
    if value > high:
        refuse(Finding.BAD_CERTIFICATE, f"expected at most {high} in the SGX extension")
    return value
