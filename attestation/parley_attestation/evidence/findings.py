"""Room: evidence. What an appraisal can find, one stable code per numbered check; everyone may read it.

A finding names its reason class, the AR4SI claim it bears on, the value that claim takes when the check
fails (draft-ietf-rats-ar4si-09 section 2.3) and what it would take to pass.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from parley_attestation.errors import PeerError, Reason, printable

MAX_DETAIL = 400  # characters of what one check saw


class ReasonClass(StrEnum):
    """Why evidence is refused, in one word."""

    FORMAT = "format"
    SIGNATURE = "signature"
    CHAIN = "chain"
    TIME = "time"
    REVOCATION = "revocation"
    BINDING = "binding"
    TCB = "tcb"
    POLICY = "policy"
    REFERENCE = "reference"


class TrustClaim(StrEnum):
    """The eight claims of the AR4SI trustworthiness vector."""

    INSTANCE_IDENTITY = "instance-identity"
    CONFIGURATION = "configuration"
    EXECUTABLES = "executables"
    FILE_SYSTEM = "file-system"
    HARDWARE = "hardware"
    RUNTIME_OPAQUE = "runtime-opaque"
    STORAGE_OPAQUE = "storage-opaque"
    SOURCED_DATA = "sourced-data"


class Finding(StrEnum):
    """Codes of single checks. A code is never renamed or reused."""

    # 1 Bytes that cannot be read.
    SIZE = "SIZE"
    UNKNOWN_KIND = "UNKNOWN_KIND"
    MALFORMED = "MALFORMED"
    TRAILING_BYTES = "TRAILING_BYTES"
    UNSUPPORTED_VERSION = "UNSUPPORTED_VERSION"
    UNSUPPORTED_ALGORITHM = "UNSUPPORTED_ALGORITHM"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    UNPROTECTED_HEADER = "UNPROTECTED_HEADER"
    BAD_CERTIFICATE = "BAD_CERTIFICATE"
    BAD_ENDORSEMENT = "BAD_ENDORSEMENT"
    # 2 Chains to a pinned vendor root.
    ENDORSEMENT_MISSING = "ENDORSEMENT_MISSING"
    ROOT_NOT_PINNED = "ROOT_NOT_PINNED"
    CHAIN_BROKEN = "CHAIN_BROKEN"
    WRONG_CERTIFICATE_ROLE = "WRONG_CERTIFICATE_ROLE"
    CHIP_MISMATCH = "CHIP_MISMATCH"
    CERTIFIED_TCB_MISMATCH = "CERTIFIED_TCB_MISMATCH"
    PRODUCT_MISMATCH = "PRODUCT_MISMATCH"
    SIGNING_KEY_MISMATCH = "SIGNING_KEY_MISMATCH"
    ATTESTATION_KEY_NOT_VOUCHED = "ATTESTATION_KEY_NOT_VOUCHED"
    FIRMWARE_ID_MISMATCH = "FIRMWARE_ID_MISMATCH"
    QE_IDENTITY_MISMATCH = "QE_IDENTITY_MISMATCH"
    COLLATERAL_MISMATCH = "COLLATERAL_MISMATCH"
    # 3 Time.
    CERTIFICATE_EXPIRED = "CERTIFICATE_EXPIRED"
    CERTIFICATE_NOT_YET_VALID = "CERTIFICATE_NOT_YET_VALID"
    COLLATERAL_EXPIRED = "COLLATERAL_EXPIRED"
    COLLATERAL_NOT_YET_VALID = "COLLATERAL_NOT_YET_VALID"
    COLLATERAL_TOO_OLD = "COLLATERAL_TOO_OLD"
    EVIDENCE_TIME = "EVIDENCE_TIME"
    POLICY_EXPIRED = "POLICY_EXPIRED"
    # 4 Revocation.
    CERTIFICATE_REVOKED = "CERTIFICATE_REVOKED"
    REVOCATION_UNKNOWN = "REVOCATION_UNKNOWN"
    # 5 Signatures.
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    QE_SIGNATURE_INVALID = "QE_SIGNATURE_INVALID"
    COLLATERAL_SIGNATURE_INVALID = "COLLATERAL_SIGNATURE_INVALID"
    PCR_DIGEST_MISMATCH = "PCR_DIGEST_MISMATCH"
    # 6 Binding to the exercise.
    BINDER_MISMATCH = "BINDER_MISMATCH"
    BINDER_NOT_GIVEN = "BINDER_NOT_GIVEN"
    DEFAULT_NONCE = "DEFAULT_NONCE"
    # 7 Policy.
    KIND_NOT_ALLOWED = "KIND_NOT_ALLOWED"
    PRODUCT_NOT_ALLOWED = "PRODUCT_NOT_ALLOWED"
    SIMULATED_EVIDENCE = "SIMULATED_EVIDENCE"
    DEBUG_ENABLED = "DEBUG_ENABLED"
    MIGRATION_ENABLED = "MIGRATION_ENABLED"
    PRIVILEGE_LEVEL = "PRIVILEGE_LEVEL"
    PLATFORM_BITS = "PLATFORM_BITS"
    GUEST_ATTRIBUTES = "GUEST_ATTRIBUTES"
    FLEET_KEY_NOT_ALLOWED = "FLEET_KEY_NOT_ALLOWED"
    WRONG_DEVICE = "WRONG_DEVICE"
    FIRMWARE_ID_ABSENT = "FIRMWARE_ID_ABSENT"
    MACHINE_NOT_REGISTERED = "MACHINE_NOT_REGISTERED"
    ADVISORY = "ADVISORY"
    COMPOSITE_INCOMPLETE = "COMPOSITE_INCOMPLETE"
    ROOT_PLURALITY = "ROOT_PLURALITY"
    DEVICE_REPEATED = "DEVICE_REPEATED"
    # 8 Trusted computing base.
    TCB_BELOW_FLOOR = "TCB_BELOW_FLOOR"
    TCB_STATUS = "TCB_STATUS"
    TCB_REVOKED = "TCB_REVOKED"
    TCB_UNRECOGNISED = "TCB_UNRECOGNISED"
    TCB_EVALUATION_TOO_LOW = "TCB_EVALUATION_TOO_LOW"
    COLLATERAL_MISSING = "COLLATERAL_MISSING"
    # 9 Reference values.
    NOT_IN_REFERENCES = "NOT_IN_REFERENCES"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a failed check means: class, claim, the claim's value, and what it takes to pass."""

    reason_class: ReasonClass
    claim: TrustClaim
    value: int
    remedy: str


_IDENTITY, _HARDWARE = TrustClaim.INSTANCE_IDENTITY, TrustClaim.HARDWARE
_CONFIGURATION, _EXECUTABLES = TrustClaim.CONFIGURATION, TrustClaim.EXECUTABLES
_UNREADABLE = "send the evidence exactly as the hardware produced it"
_OWN_CHAIN = "send the vendor's own certificate chain for this device, leaf first and complete"
MEANINGS: dict[Finding, Meaning] = {
    Finding.SIZE: Meaning(ReasonClass.FORMAT, _HARDWARE, 99, _UNREADABLE),
    Finding.UNKNOWN_KIND: Meaning(
        ReasonClass.FORMAT, _HARDWARE, 97, "use a kind of evidence that this appraiser knows"
    ),
    Finding.MALFORMED: Meaning(ReasonClass.FORMAT, _HARDWARE, 99, _UNREADABLE),
    Finding.TRAILING_BYTES: Meaning(
        ReasonClass.FORMAT, _HARDWARE, 99, "remove every byte after the evidence; zeros may stay"
    ),
    Finding.UNSUPPORTED_VERSION: Meaning(
        ReasonClass.FORMAT, _HARDWARE, 99, "use a report version that this appraiser knows"
    ),
    Finding.UNSUPPORTED_ALGORITHM: Meaning(
        ReasonClass.FORMAT, _HARDWARE, 99, "use the vendor's signature algorithm"
    ),
    Finding.DUPLICATE_KEY: Meaning(ReasonClass.FORMAT, _HARDWARE, 99, _UNREADABLE),
    Finding.UNPROTECTED_HEADER: Meaning(ReasonClass.FORMAT, _HARDWARE, 99, "remove every unprotected header"),
    Finding.BAD_CERTIFICATE: Meaning(ReasonClass.FORMAT, _IDENTITY, 99, _OWN_CHAIN),
    Finding.BAD_ENDORSEMENT: Meaning(
        ReasonClass.FORMAT, _IDENTITY, 99, "fetch the endorsement again from the vendor"
    ),
    Finding.ENDORSEMENT_MISSING: Meaning(ReasonClass.CHAIN, _IDENTITY, 99, _OWN_CHAIN),
    Finding.ROOT_NOT_PINNED: Meaning(
        ReasonClass.CHAIN, _IDENTITY, 99, "use hardware whose chain ends in the pinned root"
    ),
    Finding.CHAIN_BROKEN: Meaning(ReasonClass.CHAIN, _IDENTITY, 99, _OWN_CHAIN),
    Finding.WRONG_CERTIFICATE_ROLE: Meaning(ReasonClass.CHAIN, _IDENTITY, 99, _OWN_CHAIN),
    Finding.CHIP_MISMATCH: Meaning(
        ReasonClass.CHAIN, _IDENTITY, 99, "send the certificate of the chip that made the report"
    ),
    Finding.CERTIFIED_TCB_MISMATCH: Meaning(
        ReasonClass.CHAIN, _IDENTITY, 99, "fetch the certificate for the reported TCB"
    ),
    Finding.PRODUCT_MISMATCH: Meaning(ReasonClass.CHAIN, _IDENTITY, 99, _OWN_CHAIN),
    Finding.SIGNING_KEY_MISMATCH: Meaning(
        ReasonClass.CHAIN, _IDENTITY, 99, "send the certificate of the key that signed"
    ),
    Finding.ATTESTATION_KEY_NOT_VOUCHED: Meaning(
        ReasonClass.CHAIN, _IDENTITY, 99, "quote with a key the hardware vouches for"
    ),
    Finding.FIRMWARE_ID_MISMATCH: Meaning(ReasonClass.CHAIN, _IDENTITY, 99, _OWN_CHAIN),
    Finding.WRONG_DEVICE: Meaning(
        ReasonClass.POLICY, _IDENTITY, 97, "send the report of a GPU, not of another device"
    ),
    Finding.QE_IDENTITY_MISMATCH: Meaning(
        ReasonClass.CHAIN, _IDENTITY, 99, "use Intel's quoting enclave and its own identity"
    ),
    Finding.COLLATERAL_MISMATCH: Meaning(
        ReasonClass.CHAIN, _HARDWARE, 99, "fetch the collateral of this platform"
    ),
    Finding.CERTIFICATE_EXPIRED: Meaning(
        ReasonClass.TIME,
        _IDENTITY,
        99,
        "collect evidence under a certificate that is valid now",
    ),
    Finding.CERTIFICATE_NOT_YET_VALID: Meaning(
        ReasonClass.TIME, _IDENTITY, 99, "check the time of appraisal"
    ),
    Finding.COLLATERAL_EXPIRED: Meaning(
        ReasonClass.TIME,
        _HARDWARE,
        99,
        "fetch fresh collateral, or appraise at the witnessed time",
    ),
    Finding.COLLATERAL_NOT_YET_VALID: Meaning(ReasonClass.TIME, _HARDWARE, 99, "check the time of appraisal"),
    Finding.COLLATERAL_TOO_OLD: Meaning(ReasonClass.TIME, _HARDWARE, 36, "fetch fresh collateral"),
    Finding.EVIDENCE_TIME: Meaning(
        ReasonClass.TIME, _IDENTITY, 99, "collect the evidence during the exercise"
    ),
    Finding.POLICY_EXPIRED: Meaning(ReasonClass.TIME, _CONFIGURATION, 99, "agree on a new policy"),
    Finding.CERTIFICATE_REVOKED: Meaning(
        ReasonClass.REVOCATION, _IDENTITY, 96, "use hardware whose key is not revoked"
    ),
    Finding.REVOCATION_UNKNOWN: Meaning(
        ReasonClass.REVOCATION, _IDENTITY, 0, "add the vendor's revocation status to the bundle"
    ),
    Finding.SIGNATURE_INVALID: Meaning(ReasonClass.SIGNATURE, _IDENTITY, 99, _UNREADABLE),
    Finding.QE_SIGNATURE_INVALID: Meaning(ReasonClass.SIGNATURE, _IDENTITY, 99, _UNREADABLE),
    Finding.COLLATERAL_SIGNATURE_INVALID: Meaning(
        ReasonClass.SIGNATURE,
        _HARDWARE,
        99,
        "fetch the collateral again from the vendor",
    ),
    Finding.PCR_DIGEST_MISMATCH: Meaning(
        ReasonClass.SIGNATURE, _EXECUTABLES, 99, "send the PCR values that were quoted"
    ),
    Finding.BINDER_MISMATCH: Meaning(
        ReasonClass.BINDING, _IDENTITY, 99, "collect evidence over the binder of this session"
    ),
    Finding.BINDER_NOT_GIVEN: Meaning(
        ReasonClass.BINDING, _IDENTITY, 0, "give the binder of the session to the appraisal"
    ),
    Finding.DEFAULT_NONCE: Meaning(
        ReasonClass.BINDING, _IDENTITY, 99, "collect the report over the session's own GPU nonce"
    ),
    Finding.KIND_NOT_ALLOWED: Meaning(
        ReasonClass.POLICY, _HARDWARE, 97, "use a kind of evidence that the policy allows"
    ),
    Finding.PRODUCT_NOT_ALLOWED: Meaning(
        ReasonClass.POLICY, _HARDWARE, 97, "use a product that the policy allows"
    ),
    Finding.SIMULATED_EVIDENCE: Meaning(
        ReasonClass.POLICY, _HARDWARE, 97, "use real hardware, or a laboratory policy"
    ),
    Finding.DEBUG_ENABLED: Meaning(ReasonClass.POLICY, _CONFIGURATION, 96, "launch without debugging"),
    Finding.MIGRATION_ENABLED: Meaning(
        ReasonClass.POLICY, _CONFIGURATION, 96, "launch with migration forbidden"
    ),
    Finding.PRIVILEGE_LEVEL: Meaning(
        ReasonClass.POLICY, _CONFIGURATION, 96, "attest from the privilege level the policy names"
    ),
    Finding.PLATFORM_BITS: Meaning(
        ReasonClass.POLICY, _CONFIGURATION, 96, "set the platform up as the policy requires"
    ),
    Finding.GUEST_ATTRIBUTES: Meaning(
        ReasonClass.POLICY, _CONFIGURATION, 96, "launch the guest with the attributes required"
    ),
    Finding.FLEET_KEY_NOT_ALLOWED: Meaning(
        ReasonClass.POLICY,
        _IDENTITY,
        97,
        "use a chip's own key (VCEK), not a fleet's (VLEK)",
    ),
    Finding.FIRMWARE_ID_ABSENT: Meaning(
        ReasonClass.POLICY, _IDENTITY, 0, "use GPU firmware that reports its FWID"
    ),
    Finding.MACHINE_NOT_REGISTERED: Meaning(
        ReasonClass.POLICY, _IDENTITY, 97, "register the inspected machine in the policy"
    ),
    Finding.ADVISORY: Meaning(
        ReasonClass.POLICY, _HARDWARE, 96, "use hardware that no listed advisory names"
    ),
    Finding.COMPOSITE_INCOMPLETE: Meaning(
        ReasonClass.POLICY, _CONFIGURATION, 99, "send evidence for every device required"
    ),
    Finding.ROOT_PLURALITY: Meaning(
        ReasonClass.POLICY, _HARDWARE, 97, "add evidence under another vendor's root"
    ),
    Finding.DEVICE_REPEATED: Meaning(ReasonClass.POLICY, _IDENTITY, 99, "send one report per device"),
    Finding.TCB_BELOW_FLOOR: Meaning(
        ReasonClass.TCB, _HARDWARE, 32, "update the platform's firmware to the floor"
    ),
    Finding.TCB_STATUS: Meaning(
        ReasonClass.TCB, _HARDWARE, 32, "update or reconfigure the platform as its vendor advises"
    ),
    Finding.TCB_REVOKED: Meaning(ReasonClass.TCB, _HARDWARE, 96, "use a platform whose TCB is not revoked"),
    Finding.TCB_UNRECOGNISED: Meaning(
        ReasonClass.TCB, _HARDWARE, 97, "use a platform that the collateral recognises"
    ),
    Finding.TCB_EVALUATION_TOO_LOW: Meaning(
        ReasonClass.TCB, _HARDWARE, 36, "fetch collateral of a later evaluation"
    ),
    Finding.COLLATERAL_MISSING: Meaning(
        ReasonClass.TCB, _HARDWARE, 97, "add the vendor's collateral to the bundle"
    ),
    Finding.NOT_IN_REFERENCES: Meaning(
        ReasonClass.REFERENCE, _EXECUTABLES, 33, "run code whose measurement both sides signed"
    ),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One check that was made: its code, whether it held, and what was seen."""

    finding: Finding
    ok: bool
    detail: str

    @property
    def meaning(self) -> Meaning:
        """What a failure of this check means."""
        return MEANINGS[self.finding]


class EvidenceError(PeerError):
    """A refusal that names the finding behind it; what every parser of this room raises."""

    def __init__(self, finding: Finding, message: str) -> None:
        super().__init__(Reason.BAD_EVIDENCE, message, hint=MEANINGS[finding].remedy)
        self.finding = finding


def refuse(finding: Finding, message: str) -> NoReturn:
    """Raise an `EvidenceError`."""
    raise EvidenceError(finding, message)


class Ledger:
    """Collects the checks of one appraisal in the order in which they were made."""

    def __init__(self) -> None:
        """Start empty."""
        self._checks: list[Check] = []

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every check so far."""
        return tuple(self._checks)

    def note(self, finding: Finding, ok: bool, detail: str) -> None:  # noqa: FBT001 - the outcome itself
        """Record one check and go on, so that a person sees every reason at once."""
        self._checks.append(Check(finding, ok, printable(detail, 300)[:MAX_DETAIL]))

    def demand(self, finding: Finding, ok: bool, detail: str) -> None:  # noqa: FBT001 - the outcome itself
        """Record one check and stop here if it failed. Raises `EvidenceError`."""
        self.note(finding, ok, detail)
        if not ok:
            raise _RecordedError(finding, detail)

    def settle(self) -> None:
        """Stop here if any check so far failed. Raises `EvidenceError`."""
        failed = next((c for c in self._checks if not c.ok), None)
        if failed is not None:
            raise _RecordedError(failed.finding, failed.detail)

    def record(self, error: PeerError) -> None:
        """Record the refusal of a parser, unless `demand` or `settle` recorded it already."""
        if isinstance(error, _RecordedError):
            return
        finding = error.finding if isinstance(error, EvidenceError) else Finding.MALFORMED
        self.note(finding, False, error.message)


class _RecordedError(EvidenceError):
    """A refusal that stands in the ledger already."""
