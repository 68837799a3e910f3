"""Room: evidence. Appraisal: evidence, policy, binder and time in, an attestation result out.

Order (research section 8.2): size, strict parse, root, chain at time, revocation, signature, bindings;
then, only over verified claims, binder and policy, every reason at once. No bytes make it raise: a
refusal is a result. Denies by default.
"""

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, printable
from parley_attestation.evidence import azure, dcap, nitro, nvidia, simulated, snp, tpm2
from parley_attestation.evidence.binder import Binder64, Exercise, GpuNonce, binders
from parley_attestation.evidence.findings import MAX_DETAIL, Finding, Ledger, refuse
from parley_attestation.evidence.model import (
    MAX_CERTIFICATES,
    MAX_EVIDENCE,
    MAX_REVOCATIONS,
    Claims,
    EvidenceItem,
    Kind,
)
from parley_attestation.evidence.policy import (
    Composite,
    LaboratoryPolicy,
    Policy,
    ProductionPolicy,
    Reference,
    Rules,
)
from parley_attestation.evidence.result import Appraisal, AttestationResult

Authenticate = Callable[[EvidenceItem, int, Ledger], Claims]
Judge = Callable[[Claims, Rules, int, Ledger], None]
FORMATS: Mapping[Kind, tuple[Authenticate, Judge]] = MappingProxyType(
    {
        Kind.SNP: (snp.authenticate, snp.judge),
        Kind.TDX: (dcap.authenticate, dcap.judge),
        Kind.SGX: (dcap.authenticate, dcap.judge),
        Kind.NITRO: (nitro.authenticate, nitro.judge),
        Kind.NVIDIA: (nvidia.authenticate, nvidia.judge),
        Kind.TPM2: (tpm2.authenticate, tpm2.judge),
        Kind.AZURE_SNP: (azure.authenticate, azure.judge),
        Kind.AZURE_TDX: (azure.authenticate, azure.judge),
    }
)


def authenticate(item: EvidenceItem, at: int) -> Claims:
    """Verify one item of hardware evidence without any policy.

    Args:
        item: Raw evidence with its endorsements.
        at: The time of appraisal, Unix seconds.

    Raises:
        PeerError: BAD_EVIDENCE.
    """
    return _authenticate(item, None, at, Ledger())


def appraise(
    item: EvidenceItem, policy: Policy, binder: Binder64 | GpuNonce | None, at: int
) -> AttestationResult:
    """Appraise one item. Raises nothing, whatever the bytes: a refusal is a result.

    Args:
        item: Raw evidence with its endorsements.
        policy: What the appraising party demands.
        binder: What the hardware-signed field must carry; None is a refusal in production.
        at: The time of appraisal, Unix seconds.
    """
    name = "gpu0" if item.kind == Kind.NVIDIA else "cpu0"
    return appraise_all({name: item}, policy, binder, at)


def appraise_all(
    items: Mapping[str, EvidenceItem],
    policy: Policy,
    binding: Exercise | Binder64 | GpuNonce | None,
    at: int,
) -> AttestationResult:
    """Appraise all evidence of one collection: GPUs over `gpu32`, the rest over `bind64`.

    Args:
        items: Evidence by name (cpu0, gpu0, ...); the GPU reports in the order of collection.
        policy: What the appraising party demands.
        binding: What the binders are made from, or one binder for all; None is a refusal in production.
        at: The time of appraisal, Unix seconds.
    """
    gpu32: bytes | None
    bind64: bytes | None
    gpu32 = bind64 = None if isinstance(binding, Exercise) else binding
    if isinstance(binding, Exercise):
        both = binders(binding, [item.raw for item in items.values() if item.kind == Kind.NVIDIA])
        gpu32, bind64 = both.gpu32, both.bind64
    submods = tuple(
        _one(name, item, policy, gpu32 if item.kind == Kind.NVIDIA else bind64, at)
        for name, item in items.items()
    )
    return _combine(submods, policy, at)


def _authenticate(item: EvidenceItem, policy: Policy | None, at: int, ledger: Ledger) -> Claims:
    endorsed = item.endorsements
    if not 0 < len(item.raw) <= MAX_EVIDENCE:
        refuse(Finding.SIZE, f"expected 1..{MAX_EVIDENCE} bytes of evidence, got {len(item.raw)}")
    if len(endorsed.certificates) > MAX_CERTIFICATES or (
        max(len(endorsed.crls), len(endorsed.ocsp)) > MAX_REVOCATIONS
    ):
        refuse(Finding.SIZE, "expected fewer endorsements")
    if item.kind == Kind.SIMULATED:
        if not isinstance(policy, LaboratoryPolicy):
            refuse(Finding.SIMULATED_EVIDENCE, "simulated evidence counts under no production policy")
        return simulated.authenticate(item, policy.simulated_root, ledger)
    known = {kind.value: found for kind, found in FORMATS.items()}
    if item.kind not in known:
        refuse(Finding.UNKNOWN_KIND, f"expected a known kind of evidence, got {item.kind[:40]!r}")
    return known[item.kind][0](item, at, ledger)


def _one(name: str, item: EvidenceItem, policy: Policy, binder: bytes | None, at: int) -> Appraisal:
    ledger = Ledger()
    claims: Claims | None = None
    reference: Reference | None = None
    try:
        claims = _authenticate(item, policy, at, ledger)
        reference = _policy(claims, policy, binder, at, ledger)
    except PeerError as error:
        ledger.record(error)
    return Appraisal(
        name=name,
        kind=printable(item.kind, 40) or "none",
        evidence=Digest(hashlib.sha256(item.raw).digest()),
        authentic=claims is not None,
        vendor=claims.vendor.value if claims else "",
        product=claims.product if claims else "",
        instance=printable(claims.instance)[:MAX_DETAIL] if claims else "",
        signed_body=claims.signed_body.hex() if claims else "",
        holds_key=reference is not None and reference.holds_key,
        checks=ledger.checks,
        shown={k: printable(v) if isinstance(v, str) else v for k, v in claims.shown.items()}
        if claims
        else {},
    )


def _policy(
    claims: Claims, policy: Policy, binder: bytes | None, at: int, ledger: Ledger
) -> Reference | None:
    rules = policy.rules
    if claims.kind is Kind.SIMULATED:
        ledger.note(Finding.SIMULATED_EVIDENCE, False, "this is not hardware")
    ledger.note(Finding.KIND_NOT_ALLOWED, claims.kind in rules.kinds, f"kind {claims.kind}")
    ledger.note(Finding.PRODUCT_NOT_ALLOWED, claims.product in rules.products, f"product {claims.product}")
    _binder(claims, policy, binder, ledger)
    ledger.note(Finding.DEBUG_ENABLED, not claims.debug, f"debugging {'on' if claims.debug else 'off'}")
    ledger.note(
        Finding.MIGRATION_ENABLED, not claims.migratable, f"migration {'on' if claims.migratable else 'off'}"
    )
    # NVIDIA's certificates end in the year 9999: only OCSP can say that one is withdrawn.
    needed = claims.kind in rules.revocation_required or claims.kind is Kind.NVIDIA
    ledger.note(
        Finding.REVOCATION_UNKNOWN,
        claims.revocation_known or not needed,
        f"revocation {'known' if claims.revocation_known else 'unknown'}, "
        f"{'required' if needed else 'not required'}",
    )
    ledger.note(
        Finding.MACHINE_NOT_REGISTERED,
        rules.machines is None or claims.instance in rules.machines,
        f"instance {claims.instance[:40]}, {'any accepted' if rules.machines is None else 'registry'}",
    )
    for advisory in rules.advisories:
        hit = claims.kind in advisory.kinds and claims.product in advisory.products
        ledger.note(Finding.ADVISORY, not hit, f"{advisory.name} ({advisory.source})")
    if claims.kind in FORMATS:
        FORMATS[claims.kind][1](claims, rules, at, ledger)
    return _reference(claims, rules, ledger)


def _binder(claims: Claims, policy: Policy, binder: bytes | None, ledger: Ledger) -> None:
    if binder is None:
        optional = isinstance(policy, LaboratoryPolicy) and not policy.binder_required
        ledger.note(Finding.BINDER_NOT_GIVEN, optional, "no binder was given to the appraisal")
    else:
        ledger.note(
            Finding.BINDER_MISMATCH,
            claims.bound == binder,
            f"signed field {claims.bound.hex()[:16]}…, binder {binder.hex()[:16]}…",
        )


def _reference(claims: Claims, rules: Rules, ledger: Ledger) -> Reference | None:
    for reference in rules.references:
        if reference.kind is claims.kind and all(
            claims.measurements.get(name) in values for name, values in reference.values.items()
        ):
            ledger.note(Finding.NOT_IN_REFERENCES, True, f"reference values {reference.name!r}")
            return reference
    ledger.note(Finding.NOT_IN_REFERENCES, False, f"no reference values match among {len(rules.references)}")
    return None


def _combine(submods: tuple[Appraisal, ...], policy: Policy, at: int) -> AttestationResult:
    rules = policy.rules
    ledger = Ledger()
    ledger.note(Finding.POLICY_EXPIRED, at <= rules.not_after, f"policy valid until {rules.not_after}")
    # Where one part is not genuine its own findings say why; counting roots would only hide that.
    if all(one.authentic for one in submods):
        _composite(submods, rules.composite, ledger)
    return AttestationResult(
        at, policy.digest(), isinstance(policy, ProductionPolicy), submods, ledger.checks
    )


def _composite(submods: tuple[Appraisal, ...], need: Composite, ledger: Ledger) -> None:
    gpus = sum(one.is_gpu for one in submods)
    cpus = len(submods) - gpus
    ledger.note(
        Finding.COMPOSITE_INCOMPLETE,
        cpus >= need.cpus and gpus >= need.gpus and bool(submods),
        f"{cpus} of {need.cpus} CPU environments, {gpus} of {need.gpus} GPUs",
    )
    devices = {(one.vendor, one.instance) for one in submods}
    ledger.note(Finding.DEVICE_REPEATED, len(devices) == len(submods), f"{len(devices)} devices")
    roots = {one.vendor for one in submods}
    ledger.note(Finding.ROOT_PLURALITY, len(roots) >= need.roots, f"{len(roots)} of {need.roots} roots")
