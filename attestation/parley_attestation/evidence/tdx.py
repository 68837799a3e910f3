"""Room: evidence. Intel quotes: SGX v3, SGX and TDX v4, v5 with TD 1.0 and TD 1.5 bodies; see `dcap`.

Source: Intel TDX DCAP Quoting Library API, appendix A; Intel SGX ECDSA Quote Library API, appendix A.
Parsing accounts for every byte. Zeros may follow a quote, as drivers leave them; anything else there is
kept apart and refused by the appraisal, since no signature covers it.
"""

from dataclasses import dataclass

from parley_attestation.evidence import pem
from parley_attestation.evidence.findings import Finding, refuse
from parley_attestation.evidence.wire import Reader

SGX_TYPE, TDX_TYPE = 0x00, 0x81
_HEADER = 48
_SGX_BODY, _TD10_BODY, _TD15_BODY = 384, 584, 648
_INTEL_QE = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
_ECDSA_P256 = 2
_PCK_CHAIN, _QE_REPORT = 5, 6
_BODIES_V5 = {1: (_SGX_BODY, SGX_TYPE), 2: (_TD10_BODY, TDX_TYPE), 3: (_TD15_BODY, TDX_TYPE)}


@dataclass(frozen=True, slots=True)
class SgxReport:
    """An enclave report body of 384 bytes."""

    cpu_svn: bytes
    misc_select: bytes
    attributes: bytes
    mrenclave: bytes
    mrsigner: bytes
    config_id: bytes
    isv_prod_id: int
    isv_svn: int
    report_data: bytes


@dataclass(frozen=True, slots=True)
class TdReport:
    """A TD report body of 584 bytes, or of 648 for TD 1.5, which adds the last two fields."""

    tee_tcb_svn: bytes
    mrseam: bytes
    mrsignerseam: bytes
    seam_attributes: bytes
    td_attributes: bytes
    xfam: bytes
    mrtd: bytes
    mrconfigid: bytes
    mrowner: bytes
    mrownerconfig: bytes
    rtmrs: tuple[bytes, bytes, bytes, bytes]
    report_data: bytes
    tee_tcb_svn2: bytes
    mrservicetd: bytes


@dataclass(frozen=True, slots=True)
class Quote:
    """One quote; nothing in it is trusted before `dcap.authenticate`.

    Attributes:
        signed: Header and body (with the v5 descriptor), which the attestation key signs.
        attestation_key: x || y of the P-256 key that signed.
        qe_report_raw: The quoting enclave's report, which the PCK signs.
        chain: DER certificates from the quote, PCK first.
        padding: The bytes after the quote: zeros as drivers leave them, or a fault that `dcap` reports.
    """

    version: int
    tee_type: int
    body: SgxReport | TdReport
    signed: bytes
    signature: bytes
    attestation_key: bytes
    qe_report_raw: bytes
    qe_report: SgxReport
    qe_signature: bytes
    auth_data: bytes
    chain: tuple[bytes, ...]
    padding: bytes


def parse(raw: bytes) -> Quote:
    """Parse one quote.

    Raises:
        EvidenceError: MALFORMED, UNSUPPORTED_VERSION, UNSUPPORTED_ALGORITHM, TRAILING_BYTES,
            BAD_CERTIFICATE.
    """
    reader = Reader(raw, "quote")
    version, tee_type = _header(reader)
    body = _body(reader, version, tee_type)
    signed = raw[: reader.at]
    data = reader.part(reader.little(4), "quote signature data")
    padding = reader.take(reader.left)
    signature, key = data.take(64), data.take(64)
    if version > 3:
        data = _typed(data, _QE_REPORT, "QE certification data")
    qe_raw = data.take(_SGX_BODY)
    qe_signature = data.take(64)
    auth = data.take(data.little(2))
    certificates = _typed(data, _PCK_CHAIN, "PCK chain")
    return Quote(
        version=version,
        tee_type=tee_type,
        body=body,
        signed=signed,
        signature=signature,
        attestation_key=key,
        qe_report_raw=qe_raw,
        qe_report=sgx_report(Reader(qe_raw, "QE report")),
        qe_signature=qe_signature,
        auth_data=auth,
        chain=pem.chain(certificates.take(certificates.left), 4),
        padding=padding,
    )


def _header(reader: Reader) -> tuple[int, int]:
    version, key_type, tee_type = reader.little(2), reader.little(2), reader.little(4)
    if version not in {3, 4, 5}:
        refuse(Finding.UNSUPPORTED_VERSION, f"quote: expected version 3, 4 or 5, got {version}")
    if key_type != _ECDSA_P256:
        refuse(Finding.UNSUPPORTED_ALGORITHM, f"quote: expected an ECDSA P-256 key, got type {key_type}")
    reader.take(4)  # QE and PCE SVN (v3) or reserved; the QE report repeats what matters
    if reader.take(16) != _INTEL_QE:
        refuse(Finding.UNSUPPORTED_VERSION, "quote: expected Intel's quoting enclave as the QE vendor")
    reader.take(20)
    return version, tee_type


def _typed(reader: Reader, expected: int, what: str) -> Reader:
    found, size = reader.little(2), reader.little(4)
    if found != expected:
        refuse(Finding.UNSUPPORTED_ALGORITHM, f"quote: expected certification data {expected}, got {found}")
    inner = reader.part(size, what)
    reader.end()
    return inner


def _body(reader: Reader, version: int, tee_type: int) -> SgxReport | TdReport:
    if tee_type not in {SGX_TYPE, TDX_TYPE} or (version == 3 and tee_type != SGX_TYPE):
        refuse(
            Finding.UNSUPPORTED_VERSION,
            f"quote: expected a known TEE for version {version}, got {tee_type:#x}",
        )
    size = _TD10_BODY if tee_type == TDX_TYPE else _SGX_BODY
    if version == 5:
        kind, size = reader.little(2), reader.little(4)
        if _BODIES_V5.get(kind) != (size, tee_type):
            refuse(
                Finding.UNSUPPORTED_VERSION,
                f"quote: expected a v5 body that fits TEE {tee_type:#x}, got type {kind} of {size} bytes",
            )
    body = reader.part(size, "quote body")
    found = td_report(body) if tee_type == TDX_TYPE else sgx_report(body)
    body.end()
    return found


def sgx_report(reader: Reader) -> SgxReport:
    """Read an enclave report body. Raises `EvidenceError` (MALFORMED)."""
    cpu_svn, misc = reader.take(16), reader.take(4)
    reader.take(28)
    attributes, enclave = reader.take(16), reader.take(32)
    reader.take(32)
    signer = reader.take(32)
    reader.take(32)
    config_id = reader.take(64)
    product, svn = reader.little(2), reader.little(2)
    reader.take(60)
    return SgxReport(cpu_svn, misc, attributes, enclave, signer, config_id, product, svn, reader.take(64))


def td_report(reader: Reader) -> TdReport:
    """Read a TD report body, 1.0 or 1.5 by its size. Raises `EvidenceError` (MALFORMED)."""
    tcb, seam, signer = reader.take(16), reader.take(48), reader.take(48)
    seam_attributes, attributes, xfam = reader.take(8), reader.take(8), reader.take(8)
    mrtd, config, owner, owner_config = (reader.take(48) for _ in range(4))
    rtmrs = (reader.take(48), reader.take(48), reader.take(48), reader.take(48))
    data = reader.take(64)
    longer = reader.left > 0
    return TdReport(
        tee_tcb_svn=tcb,
        mrseam=seam,
        mrsignerseam=signer,
        seam_attributes=seam_attributes,
        td_attributes=attributes,
        xfam=xfam,
        mrtd=mrtd,
        mrconfigid=config,
        mrowner=owner,
        mrownerconfig=owner_config,
        rtmrs=rtmrs,
        report_data=data,
        tee_tcb_svn2=reader.take(16) if longer else b"",
        mrservicetd=reader.take(48) if longer else b"",
    )
