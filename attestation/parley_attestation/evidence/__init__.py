"""Room: evidence. Compute attestations: hardware evidence, appraised offline and kept checkable.

Everyone may call what is named here: `appraise`, `appraise_all`, `read_policy`, `read_result`, `binders`.
In RATS terms (RFC 9334) this is the appraiser; each party runs its own over the raw evidence.
"""

from parley_attestation.evidence.appraise import appraise, appraise_all, authenticate
from parley_attestation.evidence.binder import Binder64, Binders, Exercise, GpuNonce, binders, gpu_nonce
from parley_attestation.evidence.findings import Check, EvidenceError, Finding, ReasonClass
from parley_attestation.evidence.model import Claims, Collateral, Endorsements, EvidenceItem, Kind
from parley_attestation.evidence.policy import LaboratoryPolicy, Policy, ProductionPolicy, read_policy
from parley_attestation.evidence.result import (
    Appraisal,
    Assurance,
    AttestationResult,
    Status,
    read_result,
)

__all__ = [
    "Appraisal",
    "Assurance",
    "AttestationResult",
    "Binder64",
    "Binders",
    "Check",
    "Claims",
    "Collateral",
    "Endorsements",
    "EvidenceError",
    "EvidenceItem",
    "Exercise",
    "Finding",
    "GpuNonce",
    "Kind",
    "LaboratoryPolicy",
    "Policy",
    "ProductionPolicy",
    "ReasonClass",
    "Status",
    "appraise",
    "appraise_all",
    "authenticate",
    "binders",
    "gpu_nonce",
    "read_policy",
    "read_result",
]
