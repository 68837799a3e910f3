"""Room: evidence. Compute records of training runs, checks over them, and verdicts on compute claims.

Today no hardware signs FLOPs or GPU-hours. A record says: attested code, on attested hardware, counted
this. Records never show absence; `verdict` keeps the labels honest.
"""

from parley_attestation.evidence.compute.checks import Problem, check_records
from parley_attestation.evidence.compute.records import (
    Close,
    Declaration,
    Device,
    Record,
    Records,
    Snapshot,
    Window,
    read_records,
    seal_record,
)
from parley_attestation.evidence.compute.verdict import (
    Backing,
    Claim,
    ClaimKind,
    ComputeVerdict,
    Inventory,
    judge_claim,
)

__all__ = [
    "Backing",
    "Claim",
    "ClaimKind",
    "Close",
    "ComputeVerdict",
    "Declaration",
    "Device",
    "Inventory",
    "Problem",
    "Record",
    "Records",
    "Snapshot",
    "Window",
    "check_records",
    "judge_claim",
    "read_records",
    "seal_record",
]
