"""Room: evidence. Revocation status from archived CRLs and OCSP responses; tri-state, never assumed good.

Revoked is a refusal. Unknown is said, and the policy decides what it means for each kind of evidence.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from parley_attestation.evidence import crypto, ocsp
from parley_attestation.evidence.findings import Finding, Ledger
from parley_attestation.evidence.ocsp import Answer, CertificateStatus, Response
from parley_attestation.evidence.x509 import (
    Certificate,
    RevocationList,
    parse_crl,
    revoked_serials,
    verify_crl,
    verify_issued,
)

MAX_CRL = 1 << 20  # bytes


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
        Whether a CRL of the path's own authorities was there. A CRL of an authority outside the path is
        ignored.

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
        EvidenceError: BAD_ENDORSEMENT, BAD_CERTIFICATE, COLLATERAL_SIGNATURE_INVALID.
    """
    good: set[bytes] = set()
    pairs = list(pairwise(path[1:]))
    for one in raw:
        response = ocsp.parse(one)
        for answer in response.answers:
            about = next((pair for pair in pairs if answer.is_about(*pair)), None)
            if about is None:
                continue
            child, issuer = about
            _verify_response(response, issuer, at)
            ledger.note(
                Finding.CERTIFICATE_REVOKED,
                answer.status is not CertificateStatus.REVOKED,
                f"{child.common_name!r} is {answer.status}",
            )
            _note_answer_times(answer, child, at, ledger)
            if answer.status is CertificateStatus.GOOD:
                good.add(child.raw)
    return bool(pairs) and all(child.raw in good for child, _ in pairs)


def _verify_response(response: Response, issuer: Certificate, at: int) -> None:
    """The issuer signed, or a responder whom it certified for this and whose certificate is valid."""
    signer = issuer
    for one in response.certificates:
        if one.raw != issuer.raw and ocsp.may_sign(one) and one.not_before <= at <= one.not_after:
            verify_issued(one, issuer)
            signer = one
    crypto.verify_der(
        crypto.load_key(signer.spki),
        response.algorithm,
        response.tbs,
        response.signature,
        Finding.COLLATERAL_SIGNATURE_INVALID,
    )


def _note_answer_times(answer: Answer, child: Certificate, at: int, ledger: Ledger) -> None:
    name = f"OCSP answer for {child.common_name!r}"
    ledger.note(
        Finding.COLLATERAL_NOT_YET_VALID, answer.this_update <= at, f"{name} from {answer.this_update}"
    )
    live = answer.next_update is not None and at <= answer.next_update
    ledger.note(Finding.COLLATERAL_EXPIRED, live, f"{name} until {answer.next_update}")
