"""Room: evidence. Revocation status from archived CRLs and OCSP responses; tri-state, never assumed good.

Revoked is a refusal. Unknown is said, and the policy decides what it means for each kind of evidence.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from parley_attestation.evidence import crypto
from parley_attestation.evidence.findings import Finding, Ledger, refuse
from parley_attestation.evidence.x509 import (
    MAX_CERTIFICATE,
    Certificate,
    RevocationList,
    parse_certificate,
    parse_crl,
    revoked_serials,
    verify_crl,
    verify_issued,
)

MAX_CRL = 1 << 20  # bytes
MAX_OCSP = 16 << 10  # bytes
_HASHES: dict[str, type[hashes.SHA1 | hashes.SHA256 | hashes.SHA384]] = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
}
_SIGNATURES = {
    "1.2.840.10045.4.3.2": crypto.Algorithm.ECDSA_P256_SHA256,
    "1.2.840.10045.4.3.3": crypto.Algorithm.ECDSA_P384_SHA384,
}


def check_crl(crl: RevocationList, issuer: Certificate, at: int, ledger: Ledger) -> None:
    """Verify one CRL and note its dates, both ends inclusive. Raises `EvidenceError`."""
    verify_crl(crl, issuer)
    ledger.note(
        Finding.COLLATERAL_NOT_YET_VALID,
        crl.this_update <= at,
        f"CRL of {issuer.common_name!r} from {crl.this_update}",
    )
    ledger.note(
        Finding.COLLATERAL_EXPIRED,
        at <= crl.next_update,
        f"CRL of {issuer.common_name!r} until {crl.next_update}",
    )


def check_crls(path: Sequence[Certificate], raw: Sequence[bytes], at: int, ledger: Ledger) -> bool:
    """Judge `path`, leaf first up to its root, by the CRLs that its authorities signed.

    Returns:
        Whether every certificate below the root whose issuer publishes a CRL here has a status. A CRL of
        an authority outside the path is ignored.

    Raises:
        EvidenceError: BAD_ENDORSEMENT, COLLATERAL_SIGNATURE_INVALID.
    """
    covered: set[bytes] = set()
    for one in raw:
        crl = parse_crl(one, MAX_CRL)
        issuer = next((c for c in path if c.subject == crl.issuer), None)
        if issuer is None:
            continue
        check_crl(crl, issuer, at, ledger)
        note_revoked(crl, (c for c in path if c.issuer == crl.issuer and c.raw != issuer.raw), ledger)
        covered.add(issuer.subject)
    return any(c.issuer in covered for c in path[:-1])


def note_revoked(crl: RevocationList, issued: Iterable[Certificate], ledger: Ledger) -> None:
    """Note for each certificate whether `crl` lists its serial number."""
    revoked = revoked_serials(crl)
    for one in issued:
        ledger.note(
            Finding.CERTIFICATE_REVOKED,
            one.serial not in revoked,
            f"{one.common_name!r}, serial {one.serial:x}",
        )


def check_ocsp(path: Sequence[Certificate], raw: Sequence[bytes], at: int, ledger: Ledger) -> bool:
    """Judge the authorities of `path` (neither leaf nor root) by OCSP responses (RFC 6960).

    NVIDIA's leaf is made by the device itself and has no OCSP status; everything up to the root has.

    Returns:
        Whether every such certificate has a valid answer that says good.

    Raises:
        EvidenceError: BAD_ENDORSEMENT, COLLATERAL_SIGNATURE_INVALID.
    """
    good: set[bytes] = set()
    pairs = list(pairwise(path[1:]))
    for one in raw:
        answer = _load(one)
        for child, issuer in pairs:
            if not _is_about(answer, child, issuer):
                continue
            _verify(answer, issuer, at)
            status = answer.certificate_status
            ledger.note(
                Finding.CERTIFICATE_REVOKED,
                status is not ocsp.OCSPCertStatus.REVOKED,
                f"{child.common_name!r} is {status.name.lower()}",
            )
            if _note_times(answer, child, at, ledger) and status is ocsp.OCSPCertStatus.GOOD:
                good.add(child.raw)
    return bool(pairs) and all(child.raw in good for child, _ in pairs)


def _load(raw: bytes) -> ocsp.OCSPResponse:
    if len(raw) > MAX_OCSP:
        refuse(Finding.BAD_ENDORSEMENT, f"expected an OCSP response of at most {MAX_OCSP} bytes")
    try:
        answer = ocsp.load_der_ocsp_response(raw)
        if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            refuse(Finding.BAD_ENDORSEMENT, "expected a successful OCSP response")
        answer.serial_number  # noqa: B018 - raises where there is not exactly one answer
    except (ValueError, TypeError) as error:
        refuse(Finding.BAD_ENDORSEMENT, f"expected an OCSP response with one answer: {type(error).__name__}")
    return answer


def _is_about(answer: ocsp.OCSPResponse, child: Certificate, issuer: Certificate) -> bool:
    try:
        kind = _HASHES.get(answer.hash_algorithm.name)
    except (ValueError, TypeError):
        return False
    if kind is None or answer.serial_number != child.serial:
        return False
    name = hashes.Hash(kind())
    name.update(issuer.subject)
    return answer.issuer_name_hash == name.finalize()


def _verify(answer: ocsp.OCSPResponse, issuer: Certificate, at: int) -> None:
    finding = Finding.COLLATERAL_SIGNATURE_INVALID
    try:
        algorithm = _SIGNATURES[answer.signature_algorithm_oid.dotted_string]
        signature, message = answer.signature, answer.tbs_response_bytes
        delegates = [c for c in answer.certificates if _may_sign(c)]
        signers = [c.public_bytes(Encoding.DER) for c in delegates]
    except (KeyError, ValueError, TypeError, pyca.ExtensionNotFound):
        refuse(finding, "expected an OCSP response signed with ECDSA")
    responder = issuer
    for raw in signers[:2]:
        found = parse_certificate(raw) if len(raw) <= MAX_CERTIFICATE else issuer
        if found.raw != issuer.raw and found.not_before <= at <= found.not_after:
            verify_issued(found, issuer)
            responder = found
    crypto.verify_der(crypto.load_key(responder.spki), algorithm, message, signature, finding)


def _may_sign(certificate: pyca.Certificate) -> bool:
    usages = certificate.extensions.get_extension_for_class(pyca.ExtendedKeyUsage).value
    return ExtendedKeyUsageOID.OCSP_SIGNING in usages


def _note_times(answer: ocsp.OCSPResponse, child: Certificate, at: int, ledger: Ledger) -> bool:
    since, until = _seconds(answer.this_update_utc), _seconds(answer.next_update_utc)
    begun, live = since is not None and since <= at, until is not None and at <= until
    name = f"OCSP answer for {child.common_name!r}"
    ledger.note(Finding.COLLATERAL_NOT_YET_VALID, begun, f"{name} from {since}")
    ledger.note(Finding.COLLATERAL_EXPIRED, live, f"{name} until {until}")
    return begun and live


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
