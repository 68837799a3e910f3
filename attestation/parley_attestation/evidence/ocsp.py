"""Room: evidence. OCSP responses (RFC 6960 section 4.2), read strictly; called by `revocation` only."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from parley_attestation.evidence import der
from parley_attestation.evidence.crypto import Algorithm
from parley_attestation.evidence.der import Node, oid
from parley_attestation.evidence.findings import Finding, refuse
from parley_attestation.evidence.x509 import Certificate, algorithm_of, parse_certificate

MAX_OCSP = 16 << 10  # bytes
_BASIC = oid("1.3.6.1.5.5.7.48.1.1")
_OCSP_SIGNING = oid("1.3.6.1.5.5.7.3.9")
_EXTENDED_KEY_USAGE = oid("2.5.29.37")
# The hash only names an issuer; what binds an answer to it is its signature.
_HASHES = {
    oid("1.3.14.3.2.26"): "sha1",
    oid("2.16.840.1.101.3.4.2.1"): "sha256",
    oid("2.16.840.1.101.3.4.2.2"): "sha384",
}


class CertificateStatus(StrEnum):
    """What an answer says."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


_STATUSES = {
    0x80: CertificateStatus.GOOD,
    0xA1: CertificateStatus.REVOKED,
    0x82: CertificateStatus.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer about one certificate; `next_update` is None where the response names none."""

    digest: str
    issuer_name: bytes
    serial: int
    status: CertificateStatus
    this_update: int
    next_update: int | None

    def is_about(self, child: Certificate, issuer: Certificate) -> bool:
        """Whether this answers for `child` of `issuer`."""
        named = hashlib.new(self.digest, issuer.subject).digest()
        return self.serial == child.serial and self.issuer_name == named


@dataclass(frozen=True, slots=True)
class Response:
    """A basic OCSP response as it was read; trusted only after its signature held."""

    tbs: bytes
    answers: tuple[Answer, ...]
    algorithm: Algorithm
    signature: bytes
    certificates: tuple[Certificate, ...]


def parse(raw: bytes) -> Response:
    """Parse one successful basic OCSP response of at most 16 KiB.

    Raises:
        EvidenceError: BAD_ENDORSEMENT, BAD_CERTIFICATE, UNSUPPORTED_ALGORITHM.
    """
    if len(raw) > MAX_OCSP:
        refuse(Finding.BAD_ENDORSEMENT, f"expected an OCSP response of at most {MAX_OCSP} bytes")
    outer = der.children(der.parse(raw), 1, 2)
    if der.expect(outer[0], der.ENUMERATED).body != b"\0" or len(outer) != 2:
        refuse(Finding.BAD_ENDORSEMENT, "expected a successful OCSP response")
    kind, content = der.children(der.only(der.expect(outer[1], 0xA0), der.SEQUENCE), 2, 2)
    if kind.body != _BASIC:
        refuse(Finding.BAD_ENDORSEMENT, "expected a basic OCSP response")
    parts = der.children(der.parse(der.expect(content, der.OCTET_STRING).body), 3, 4)
    certificates: list[Node] = []
    if len(parts) == 4:
        certificates = der.children(der.only(der.expect(parts[3], 0xA0), der.SEQUENCE), 0, 4)
    return Response(
        tbs=parts[0].raw,
        answers=_answers(parts[0]),
        algorithm=algorithm_of(parts[1]),
        signature=der.bits(parts[2]),
        certificates=tuple(parse_certificate(one.raw) for one in certificates),
    )


def _answers(data: Node) -> tuple[Answer, ...]:
    fields = der.children(der.expect(data, der.SEQUENCE), 3, 5)
    if fields[0].tag == 0xA0:
        fields = fields[1:]
    if len(fields) < 3 or fields[0].tag not in {0xA1, 0xA2}:
        refuse(Finding.BAD_ENDORSEMENT, "expected an OCSP response that names its responder")
    return tuple(_answer(one) for one in der.children(der.expect(fields[2], der.SEQUENCE), 1, 8))


def _answer(node: Node) -> Answer:
    fields = der.children(der.expect(node, der.SEQUENCE), 3, 5)
    algorithm, name, _, serial = der.children(der.expect(fields[0], der.SEQUENCE), 4, 4)
    digest = _HASHES.get(der.children(der.expect(algorithm, der.SEQUENCE), 1, 2)[0].body)
    status = _STATUSES.get(fields[1].tag)
    if digest is None or status is None:
        refuse(Finding.BAD_ENDORSEMENT, "expected an OCSP answer with a known hash and status")
    following = next((one for one in fields[3:] if one.tag == 0xA0), None)
    return Answer(
        digest,
        der.expect(name, der.OCTET_STRING).body,
        der.integer(serial),
        status,
        der.time(der.expect(fields[2], der.GENERALIZED_TIME)),
        None if following is None else der.time(der.only(following, der.GENERALIZED_TIME)),
    )


def may_sign(certificate: Certificate) -> bool:
    """Whether a certificate is one of a delegated responder (RFC 6960 section 4.2.2.2)."""
    usage = certificate.extensions.get(_EXTENDED_KEY_USAGE)
    return usage is not None and any(one.body == _OCSP_SIGNING for one in der.each(der.parse(usage)))
