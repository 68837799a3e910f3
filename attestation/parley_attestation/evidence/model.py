"""Room: evidence. What goes into an appraisal and what comes out of its first half; everyone may use it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from parley_attestation.evidence.roots import Vendor

MAX_EVIDENCE = 256 << 10  # bytes of one raw evidence item
MAX_CERTIFICATES = 16
MAX_REVOCATIONS = 16


class Kind(StrEnum):
    """Kinds of evidence that an appraiser can judge."""

    SNP = "snp"
    TDX = "tdx"
    SGX = "sgx"
    NITRO = "nitro"
    NVIDIA = "nvidia"
    TPM2 = "tpm2"
    AZURE_SNP = "az-snp-vtpm"
    AZURE_TDX = "az-tdx-vtpm"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Collateral:
    """DCAP collateral as Intel's PCS serves it; an empty field is one that is missing.

    Attributes:
        tcb_info: The exact JSON bytes of the `tcbInfo` object.
        tcb_info_signature: 64 bytes, r || s.
        tcb_info_chain: PEM, TCB signing certificate first.
        qe_identity: The exact JSON bytes of the `enclaveIdentity` object.
        qe_identity_signature: 64 bytes, r || s.
        qe_identity_chain: PEM, TCB signing certificate first.
        pck_crl: DER, issued by the PCK's own certification authority.
        pck_crl_chain: PEM, issuer of `pck_crl` first.
        root_crl: DER, issued by the root.
    """

    tcb_info: bytes = b""
    tcb_info_signature: bytes = b""
    tcb_info_chain: bytes = b""
    qe_identity: bytes = b""
    qe_identity_signature: bytes = b""
    qe_identity_chain: bytes = b""
    pck_crl: bytes = b""
    pck_crl_chain: bytes = b""
    root_crl: bytes = b""


@dataclass(frozen=True, slots=True)
class Endorsements:
    """What vendors say about the hardware, archived beside the evidence.

    Attributes:
        certificates: DER, leaf first and in order; empty where the evidence carries its own chain.
        crls: DER certificate revocation lists.
        ocsp: DER OCSP responses.
        collateral: DCAP collateral, for TDX and SGX.
    """

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsp: tuple[bytes, ...] = ()
    collateral: Collateral | None = None


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One piece of raw evidence of a stated kind, with its endorsements."""

    kind: str
    raw: bytes
    endorsements: Endorsements = field(default_factory=Endorsements)


@dataclass(frozen=True, slots=True)
class Claims:
    """What verified evidence says. It exists only where every check of authenticity held.

    Attributes:
        kind: The kind of evidence.
        vendor: Whose root stands behind it.
        product: Vendor's product, lower case: milan, genoa, turin, tdx, sgx, nitro, gh100, vtpm...
        instance: Stable identifier of the machine or device, lower-case hexadecimal or text.
        measurements: Names and lower-case hexadecimal values, for reference values.
        bound: The bytes of the hardware-signed field that carries the binder.
        signed_body: SHA-256 over the signed bytes: the key of a replay cache (signatures are malleable).
        debug: Whether the environment can be debugged.
        migratable: Whether it may migrate to another machine.
        revocation_known: Whether a valid CRL or OCSP answer covers the chain.
        facts: The format's own parsed report, for its policy checks.
        shown: Further facts for a person: names and values.
    """

    kind: Kind
    vendor: Vendor
    product: str
    instance: str
    measurements: Mapping[str, str]
    bound: bytes
    signed_body: bytes
    debug: bool
    migratable: bool
    revocation_known: bool
    facts: Any
    shown: Mapping[str, str | int] = field(default_factory=dict)


def body_digest(body: bytes) -> bytes:
    """SHA-256 of a signed body: what names evidence, since signatures and padding do not."""
    return hashlib.sha256(body).digest()
