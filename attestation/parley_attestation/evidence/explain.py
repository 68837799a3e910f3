"""Room: evidence. An attestation result for a person: what was checked, and what it would take to pass."""

from collections.abc import Iterator

from parley_attestation.evidence.findings import Check, Finding
from parley_attestation.evidence.result import Appraisal, AttestationResult

# What each check asks, as a statement that holds where the check passed.
ASKS: dict[Finding, str] = {
    Finding.SIZE: "of a size that is read",
    Finding.UNKNOWN_KIND: "of the kind stated",
    Finding.MALFORMED: "well-formed",
    Finding.TRAILING_BYTES: "nothing but zeros after the evidence",
    Finding.UNSUPPORTED_VERSION: "of a known version",
    Finding.UNSUPPORTED_ALGORITHM: "signed with the vendor's algorithm",
    Finding.DUPLICATE_KEY: "every key once",
    Finding.UNPROTECTED_HEADER: "nothing outside the protected header",
    Finding.BAD_CERTIFICATE: "certificates readable",
    Finding.BAD_ENDORSEMENT: "endorsements readable",
    Finding.ENDORSEMENT_MISSING: "certificates present",
    Finding.ROOT_NOT_PINNED: "chain ends in the vendor's pinned root",
    Finding.CHAIN_BROKEN: "every link of the chain holds",
    Finding.WRONG_CERTIFICATE_ROLE: "certificate made for this role",
    Finding.CHIP_MISMATCH: "certificate of this very chip",
    Finding.CERTIFIED_TCB_MISMATCH: "certificate for the reported TCB",
    Finding.PRODUCT_MISMATCH: "root, certificate and CPU name one product",
    Finding.SIGNING_KEY_MISMATCH: "signed by the key that the certificate names",
    Finding.ATTESTATION_KEY_NOT_VOUCHED: "attestation key vouched for",
    Finding.FIRMWARE_ID_MISMATCH: "firmware is the certified one",
    Finding.WRONG_DEVICE: "a GPU, not another device",
    Finding.QE_IDENTITY_MISMATCH: "Intel's own enclave or module",
    Finding.COLLATERAL_MISMATCH: "collateral of this platform",
    Finding.CERTIFICATE_EXPIRED: "no certificate has ended",
    Finding.CERTIFICATE_NOT_YET_VALID: "every certificate has begun",
    Finding.COLLATERAL_EXPIRED: "collateral not expired",
    Finding.COLLATERAL_NOT_YET_VALID: "collateral has begun",
    Finding.COLLATERAL_TOO_OLD: "collateral recent enough for the policy",
    Finding.EVIDENCE_TIME: "evidence made at the right time",
    Finding.POLICY_EXPIRED: "policy not expired",
    Finding.CERTIFICATE_REVOKED: "not revoked",
    Finding.REVOCATION_UNKNOWN: "revocation status as the policy requires",
    Finding.SIGNATURE_INVALID: "signature holds",
    Finding.QE_SIGNATURE_INVALID: "quoting enclave's report signed by the PCK",
    Finding.COLLATERAL_SIGNATURE_INVALID: "collateral signed by the vendor",
    Finding.PCR_DIGEST_MISMATCH: "PCR values are the quoted ones",
    Finding.BINDER_MISMATCH: "bound to this exercise",
    Finding.BINDER_NOT_GIVEN: "binder given to the appraisal",
    Finding.DEFAULT_NONCE: "nonce of this session",
    Finding.KIND_NOT_ALLOWED: "kind allowed by the policy",
    Finding.PRODUCT_NOT_ALLOWED: "product allowed by the policy",
    Finding.SIMULATED_EVIDENCE: "hardware, not a simulation",
    Finding.DEBUG_ENABLED: "no debugging",
    Finding.MIGRATION_ENABLED: "no migration",
    Finding.PRIVILEGE_LEVEL: "attested from an allowed privilege level",
    Finding.PLATFORM_BITS: "platform set up as the policy requires",
    Finding.GUEST_ATTRIBUTES: "guest attributes as required",
    Finding.FLEET_KEY_NOT_ALLOWED: "key of a chip, or fleet keys allowed",
    Finding.FIRMWARE_ID_ABSENT: "firmware identified",
    Finding.MACHINE_NOT_REGISTERED: "machine accepted by the registry rule",
    Finding.ADVISORY: "not named by the advisory",
    Finding.COMPOSITE_INCOMPLETE: "every device required is there",
    Finding.ROOT_PLURALITY: "enough independent roots",
    Finding.DEVICE_REPEATED: "every device once",
    Finding.TCB_BELOW_FLOOR: "TCB at or above the floor",
    Finding.TCB_STATUS: "TCB status accepted by the policy",
    Finding.TCB_REVOKED: "TCB not revoked",
    Finding.TCB_UNRECOGNISED: "TCB recognised",
    Finding.TCB_EVALUATION_TOO_LOW: "TCB evaluation recent enough",
    Finding.COLLATERAL_MISSING: "collateral complete",
    Finding.NOT_IN_REFERENCES: "measurements among the reference values",
}


def explain(result: AttestationResult) -> Iterator[str]:
    """Tell a result line by line: evidence by evidence, check by check, then what follows."""
    for one in result.submods:
        yield from _submod(one)
    yield "all evidence"
    yield from _checks(result.checks)
    yield f"status: {result.status}"
    yield f"assurance: {result.assurance}"
    yield f"roots: {', '.join(result.roots) or 'none'}"
    yield f"answering key covered: {'yes' if result.key_covered else 'no'}"


def _submod(one: Appraisal) -> Iterator[str]:
    yield f"{one.name}: {one.kind} {one.product or 'unknown product'}, {one.status}"
    yield f"  genuine: {'yes' if one.authentic else 'no'}"
    if one.authentic:
        yield f"  instance: {one.instance[:64]}"
    for name, value in one.shown.items():
        yield f"  {name}: {value}"
    yield from _checks(one.checks)
    claims = ", ".join(f"{claim} {value}" for claim, value in one.vector.items() if value)
    yield f"  trust vector: {claims or 'no claim'}"


def _checks(checks: tuple[Check, ...]) -> Iterator[str]:
    for check in dict.fromkeys(checks):
        asked = ASKS[check.finding]
        if check.ok:
            yield f"  ok    {asked}: {check.detail}"
        else:
            meaning = check.meaning
            yield f"  FAIL  {asked}: {check.detail}"
            yield f"        {check.finding} ({meaning.reason_class}; {meaning.claim} {meaning.value})"
            yield f"        to pass: {meaning.remedy}"
