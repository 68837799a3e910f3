"""Room: evidence. X.509 certificates and CRLs as the vendors use them (RFC 5280); this room only.

Paths are exact: leaf first, every link in order, the end a root that is pinned byte for byte. Time is an
argument. `cryptography` checks the signatures; the structure is read here, because AMD signs
certificates with serial number 0, which general parsers warn about and will refuse.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from parley_attestation.evidence import crypto, der
from parley_attestation.evidence.crypto import Algorithm
from parley_attestation.evidence.der import Node, oid
from parley_attestation.evidence.findings import EvidenceError, Finding, Ledger, refuse

MAX_CERTIFICATE = 8 << 10  # bytes of one certificate
MAX_PATH = 8  # certificates in one path
_COMMON_NAME = oid("2.5.4.3")
_BASIC_CONSTRAINTS = oid("2.5.29.19")
_KEY_USAGE = oid("2.5.29.15")
_KNOWN_CRITICAL = frozenset({_BASIC_CONSTRAINTS, _KEY_USAGE, oid("2.5.29.37")})
_KEY_CERT_SIGN, _CRL_SIGN = 1 << 5, 1 << 6
_SHA384, _MGF1 = oid("2.16.840.1.101.3.4.2.2"), oid("1.2.840.113549.1.1.8")
_PSS = oid("1.2.840.113549.1.1.10")
_ALGORITHMS = {
    oid("1.2.840.10045.4.3.2"): Algorithm.ECDSA_P256_SHA256,
    oid("1.2.840.10045.4.3.3"): Algorithm.ECDSA_P384_SHA384,
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as it was read. Nothing in it is trusted before `verify_path` has returned."""

    raw: bytes
    tbs: bytes
    serial: int
    issuer: bytes
    subject: bytes
    common_name: str
    not_before: int
    not_after: int
    spki: bytes
    algorithm: Algorithm
    signature: bytes
    extensions: Mapping[bytes, bytes]
    is_ca: bool
    path_length: int | None
    key_usage: int | None


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A CRL as it was read; trusted only after `verify_crl`, and its entries are read only then."""

    tbs: bytes
    issuer: bytes
    this_update: int
    next_update: int
    entries: bytes
    algorithm: Algorithm
    signature: bytes


def algorithm_of(node: Node) -> Algorithm:
    """Read a signature AlgorithmIdentifier. Raises `EvidenceError` (UNSUPPORTED_ALGORITHM)."""
    parts = der.children(der.expect(node, der.SEQUENCE), 1, 2)
    name = der.expect(parts[0], der.OID).body
    if name in _ALGORITHMS and len(parts) == 1:
        return _ALGORITHMS[name]
    if name != _PSS or len(parts) != 2 or not _is_pss_sha384(parts[1]):
        refuse(Finding.UNSUPPORTED_ALGORITHM, "expected ECDSA with SHA-256 or SHA-384, or PSS with SHA-384")
    return Algorithm.RSA_PSS_SHA384


def _is_pss_sha384(parameters: Node) -> bool:
    fields = {child.tag: child for child in der.children(der.expect(parameters, der.SEQUENCE), 0, 4)}
    if not set(fields) >= {0xA0, 0xA1, 0xA2}:
        return False
    digest = der.children(der.only(fields[0xA0], der.SEQUENCE), 1, 2)
    mask = der.children(der.only(fields[0xA1], der.SEQUENCE), 2, 2)
    inner = der.children(der.expect(mask[1], der.SEQUENCE), 1, 2)
    return (
        digest[0].body == _SHA384
        and mask[0].body == _MGF1
        and inner[0].body == _SHA384
        and der.integer(der.only(fields[0xA2], der.INTEGER)) == 48
        and (0xA3 not in fields or der.integer(der.only(fields[0xA3], der.INTEGER)) == 1)
        and set(fields) <= {0xA0, 0xA1, 0xA2, 0xA3}
    )


def parse_certificate(raw: bytes) -> Certificate:
    """Parse one DER certificate, version 3, of at most 8 KiB.

    Raises:
        EvidenceError: BAD_CERTIFICATE, UNSUPPORTED_ALGORITHM.
    """
    if len(raw) > MAX_CERTIFICATE:
        refuse(Finding.BAD_CERTIFICATE, f"expected a certificate of at most {MAX_CERTIFICATE} bytes")
    tbs, outer, signature = der.children(der.parse(raw), 3, 3)
    fields = der.children(der.expect(tbs, der.SEQUENCE), 7, 10)
    version = der.only(der.expect(fields[0], 0xA0), der.INTEGER)
    if der.integer(version) != 2:
        refuse(Finding.BAD_CERTIFICATE, "expected an X.509 version 3 certificate")
    serial, inner, issuer, validity, subject, spki = fields[1:7]
    if inner.raw != outer.raw:
        refuse(Finding.BAD_CERTIFICATE, "expected one signature algorithm inside and outside")
    since, until = der.children(der.expect(validity, der.SEQUENCE), 2, 2)
    found, critical = _extensions(fields[7:])
    if not critical <= _KNOWN_CRITICAL:
        refuse(Finding.BAD_CERTIFICATE, "expected no critical extension that is not understood")
    is_ca, path_length = _basic_constraints(found.get(_BASIC_CONSTRAINTS))
    usage = found.get(_KEY_USAGE)
    return Certificate(
        raw=raw,
        tbs=tbs.raw,
        serial=der.integer(serial),
        issuer=der.expect(issuer, der.SEQUENCE).raw,
        subject=der.expect(subject, der.SEQUENCE).raw,
        common_name=_common_name(subject),
        not_before=der.time(since),
        not_after=der.time(until),
        spki=der.expect(spki, der.SEQUENCE).raw,
        algorithm=algorithm_of(outer),
        signature=der.bits(signature),
        extensions=MappingProxyType(found),
        is_ca=is_ca,
        path_length=path_length,
        key_usage=None if usage is None else der.named_bits(der.parse(usage, der.BIT_STRING)),
    )


def _extensions(tail: list[Node]) -> tuple[dict[bytes, bytes], set[bytes]]:
    found: dict[bytes, bytes] = {}
    critical: set[bytes] = set()
    for node in tail:
        if node.tag != 0xA3 or found:
            refuse(Finding.BAD_CERTIFICATE, "expected extensions once, and no unique identifiers")
        for one in der.children(der.only(node, der.SEQUENCE), 1):
            parts = der.children(der.expect(one, der.SEQUENCE), 2, 3)
            name = der.expect(parts[0], der.OID).body
            if name in found:
                refuse(Finding.BAD_CERTIFICATE, "expected every extension once")
            if len(parts) == 3 and der.boolean(parts[1]):
                critical.add(name)
            found[name] = der.expect(parts[-1], der.OCTET_STRING).body
    return found, critical


def _basic_constraints(value: bytes | None) -> tuple[bool, int | None]:
    if value is None:
        return False, None
    parts = der.children(der.parse(value), 0, 2)
    if not parts:
        return False, None
    is_ca = der.boolean(parts[0])
    return is_ca, der.integer(parts[1]) if len(parts) == 2 else None


def _common_name(name: Node) -> str:
    found = ""
    for group in der.each(name):
        for pair in der.each(der.expect(group, der.SET)):
            kind, value = der.children(der.expect(pair, der.SEQUENCE), 2, 2)
            if kind.body == _COMMON_NAME:
                if found:
                    refuse(Finding.BAD_CERTIFICATE, "expected one common name")
                found = value.body.decode("utf-8", "replace")[:200]
    return found


def parse_crl(raw: bytes, limit: int) -> RevocationList:
    """Parse one DER certificate revocation list of at most `limit` bytes (RFC 5280 section 5).

    Raises:
        EvidenceError: BAD_ENDORSEMENT, BAD_CERTIFICATE, UNSUPPORTED_ALGORITHM.
    """
    if len(raw) > limit:
        refuse(Finding.BAD_ENDORSEMENT, f"expected a CRL of at most {limit} bytes")
    tbs, outer, signature = der.children(der.parse(raw), 3, 3)
    fields = der.children(der.expect(tbs, der.SEQUENCE), 4, 7)
    if fields[0].tag != der.INTEGER or der.integer(fields[0]) != 1:
        refuse(Finding.BAD_ENDORSEMENT, "expected a version 2 CRL")
    inner, issuer, since = fields[1:4]
    rest = fields[4:]
    if inner.raw != outer.raw or not rest or rest[0].tag not in {der.UTC_TIME, der.GENERALIZED_TIME}:
        refuse(Finding.BAD_ENDORSEMENT, "expected one signature algorithm and the time of the next update")
    entries = b""
    if len(rest) > 1 and rest[1].tag == der.SEQUENCE:
        entries = rest[1].raw
        rest = rest[1:]
    if len(rest) > 1 and (len(rest) > 2 or rest[1].tag != 0xA0 or _has_critical(rest[1])):
        refuse(Finding.BAD_ENDORSEMENT, "expected no critical extension in a CRL")
    return RevocationList(
        tbs=tbs.raw,
        issuer=der.expect(issuer, der.SEQUENCE).raw,
        this_update=der.time(since),
        next_update=der.time(fields[4]),
        entries=entries,
        algorithm=algorithm_of(outer),
        signature=der.bits(signature),
    )


def revoked_serials(crl: RevocationList) -> frozenset[int]:
    """The serial numbers that a verified CRL lists. Raises `EvidenceError` (BAD_CERTIFICATE)."""
    found: set[int] = set()
    for entry in der.each(der.parse(crl.entries)) if crl.entries else ():
        found.add(der.integer(der.children(der.expect(entry, der.SEQUENCE), 2, 3)[0]))
    return frozenset(found)


def _has_critical(node: Node) -> bool:
    return any(
        len(der.children(der.expect(one, der.SEQUENCE), 2, 3)) == 3
        for one in der.children(der.only(node, der.SEQUENCE))
    )


def verify_issued(child: Certificate, issuer: Certificate) -> None:
    """Check that `issuer` may issue and did issue `child` (RFC 5280 section 6.1).

    Raises:
        EvidenceError: CHAIN_BROKEN.
    """
    if child.issuer != issuer.subject:
        refuse(
            Finding.CHAIN_BROKEN, f"{child.common_name!r} names another issuer than {issuer.common_name!r}"
        )
    if not issuer.is_ca or (issuer.key_usage is not None and not issuer.key_usage & _KEY_CERT_SIGN):
        refuse(Finding.CHAIN_BROKEN, f"{issuer.common_name!r} is no certification authority")
    crypto.verify_der(
        crypto.load_key(issuer.spki), child.algorithm, child.tbs, child.signature, Finding.CHAIN_BROKEN
    )


def verify_path(
    path: Sequence[Certificate], roots: Sequence[Certificate], at: int, ledger: Ledger
) -> tuple[Certificate, ...]:
    """Verify a path, leaf first, to one of the pinned `roots`; the root itself may be left out.

    Args:
        path: The certificates as presented, 1..8 of them, in order.
        roots: The pinned roots of this vendor.
        at: The time of appraisal, Unix seconds; each validity period includes both ends.
        ledger: Where the checks are recorded; times are noted, everything else is demanded.

    Returns:
        The path up to and including the pinned root.

    Raises:
        EvidenceError: CHAIN_BROKEN, ROOT_NOT_PINNED.
    """
    ledger.demand(Finding.CHAIN_BROKEN, 1 <= len(path) <= MAX_PATH, f"{len(path)} certificates presented")
    full = (*path, *_anchor(path[-1], roots, ledger))
    for depth, (child, issuer) in enumerate(pairwise(full)):
        try:
            verify_issued(child, issuer)
        except EvidenceError as error:
            ledger.demand(Finding.CHAIN_BROKEN, False, error.message)
        if issuer.path_length is not None and issuer.path_length < depth:
            ledger.demand(Finding.CHAIN_BROKEN, False, f"{issuer.common_name!r} allows no path this long")
    ledger.note(Finding.CHAIN_BROKEN, True, " <- ".join(c.common_name for c in full))
    note_times(full, at, ledger)
    return full


def _anchor(last: Certificate, roots: Sequence[Certificate], ledger: Ledger) -> tuple[Certificate, ...]:
    """What is missing at the end of a path: nothing where `last` is a pinned root, else its issuer."""
    if any(last.raw == root.raw for root in roots):
        ledger.note(Finding.ROOT_NOT_PINNED, True, f"the chain ends in the pinned root {last.common_name!r}")
        return ()
    issuer = next((r for r in roots if last.issuer == r.subject and last.subject != r.subject), None)
    ledger.demand(
        Finding.ROOT_NOT_PINNED,
        issuer is not None,
        f"the chain ends in {last.common_name!r}, whose SHA-256 is that of no pinned root"
        if issuer is None
        else f"the chain is issued by the pinned root {issuer.common_name!r}",
    )
    return () if issuer is None else (issuer,)


def note_times(path: Sequence[Certificate], at: int, ledger: Ledger) -> None:
    """Note whether every certificate of `path` is valid at `at`, both ends inclusive."""
    early = [c.common_name for c in path if at < c.not_before]
    late = [c.common_name for c in path if at > c.not_after]
    ledger.note(
        Finding.CERTIFICATE_NOT_YET_VALID, not early, ", ".join(early) or "all certificates have begun"
    )
    ledger.note(Finding.CERTIFICATE_EXPIRED, not late, ", ".join(late) or "no certificate has ended")


def verify_crl(crl: RevocationList, issuer: Certificate) -> None:
    """Check that `issuer` signed `crl`. Raises `EvidenceError` (COLLATERAL_SIGNATURE_INVALID)."""
    if crl.issuer != issuer.subject or (issuer.key_usage is not None and not issuer.key_usage & _CRL_SIGN):
        refuse(Finding.COLLATERAL_MISMATCH, f"the CRL is not of {issuer.common_name!r}")
    crypto.verify_der(
        crypto.load_key(issuer.spki),
        crl.algorithm,
        crl.tbs,
        crl.signature,
        Finding.COLLATERAL_SIGNATURE_INVALID,
    )
