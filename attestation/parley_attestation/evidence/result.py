"""Room: evidence. The attestation result: EAR-like (draft-ietf-rats-ear-04) with an AR4SI vector.

Status, vector and assurance are derived from the recorded checks and never stored on their own, so a
result that was edited to look better is refused when it is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from parley_attestation.canonical import Fields
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.evidence.findings import MAX_DETAIL, Check, Finding, ReasonClass, TrustClaim
from parley_attestation.evidence.model import Kind
from parley_attestation.evidence.roots import Vendor
from parley_attestation.keys import MAX_TIME
from parley_attestation.statement import Statement, Subject

RESULT = "tag:parley,2026:attestation-result/v1"
MAX_CHECKS = 256
MAX_SUBMODS = 64
_AFFIRMED = {
    TrustClaim.INSTANCE_IDENTITY: 2,
    TrustClaim.CONFIGURATION: 2,
    TrustClaim.EXECUTABLES: 3,
    TrustClaim.HARDWARE: 2,
    TrustClaim.RUNTIME_OPAQUE: 2,
}


class Status(StrEnum):
    """EAR status tiers."""

    NONE = "none"
    AFFIRMING = "affirming"
    WARNING = "warning"
    CONTRAINDICATED = "contraindicated"


class Assurance(StrEnum):
    """What evidence adds to an exercise; derived, never claimed."""

    ATTESTED = "attested"
    SIMULATED = "simulated"
    NONE = "none"


_RANK = (Status.AFFIRMING, Status.NONE, Status.WARNING, Status.CONTRAINDICATED)


def tier(value: int) -> Status:
    """The tier of one AR4SI value."""
    if value >= 96:
        return Status.CONTRAINDICATED
    if value >= 32:
        return Status.WARNING
    return Status.AFFIRMING if value >= 2 else Status.NONE


def _worse(first: int, second: int) -> int:
    return max(first, second, key=lambda v: (_RANK.index(tier(v)), v))


@dataclass(frozen=True, slots=True)
class Appraisal:
    """The appraisal of one environment or device.

    Attributes:
        name: cpu0, gpu0, ...
        kind: The kind as it was stated; it may be one that nobody knows.
        evidence: SHA-256 of the raw evidence.
        authentic: Whether chain, time, revocation and signatures held: the bytes come from the hardware
            that they name. It says nothing about the policy.
        vendor, product, instance: Empty unless authentic.
        signed_body: SHA-256 of the signed bytes, the key of replay caches; empty unless authentic.
        holds_key: Whether the reference values that matched say that this code holds the answering key.
        checks: Every check in order.
        shown: Facts for a person, from verified evidence only.
    """

    name: str
    kind: str
    evidence: Digest
    authentic: bool
    vendor: str
    product: str
    instance: str
    signed_body: str
    holds_key: bool
    checks: tuple[Check, ...]
    shown: Mapping[str, str | int]

    @property
    def vector(self) -> dict[TrustClaim, int]:
        """The AR4SI trustworthiness vector."""
        vector = dict.fromkeys(TrustClaim, 0)
        if self.authentic:
            vector |= _AFFIRMED
        for check in self.checks:
            if not check.ok:
                meaning = check.meaning
                vector[meaning.claim] = _worse(vector[meaning.claim], meaning.value)
        if self.kind == Kind.SIMULATED:
            vector[TrustClaim.HARDWARE] = _worse(vector[TrustClaim.HARDWARE], 97)
            vector[TrustClaim.RUNTIME_OPAQUE] = 96
        return vector

    @property
    def status(self) -> Status:
        """The worst tier of the claims that this room can make."""
        vector = self.vector
        worst = max((tier(vector[claim]) for claim in _AFFIRMED), key=_RANK.index)
        return Status.NONE if worst is Status.AFFIRMING and not self.authentic else worst

    @property
    def is_gpu(self) -> bool:
        """Whether this is evidence of an accelerator."""
        return self.kind == Kind.NVIDIA

    def _sound(self) -> bool:
        return self.authentic and all(c.ok or c.finding is Finding.SIMULATED_EVIDENCE for c in self.checks)


@dataclass(frozen=True, slots=True)
class AttestationResult:
    """One party's result over all evidence of one collection.

    Attributes:
        at: The time of appraisal, Unix seconds.
        policy: Digest of the policy.
        production: Whether that was a production policy.
        submods: One appraisal per environment or device.
        checks: Checks over all of them: policy expiry, composite rule, root plurality.
    """

    at: int
    policy: Digest
    production: bool
    submods: tuple[Appraisal, ...]
    checks: tuple[Check, ...]

    @property
    def status(self) -> Status:
        """The worst status of all parts, and contraindicated where a rule over all of them failed."""
        parts = [one.status for one in self.submods] or [Status.NONE]
        parts += [tier(check.meaning.value) for check in self.checks if not check.ok]
        return max(parts, key=_RANK.index)

    @property
    def affirming(self) -> bool:
        """Whether every check of every part held."""
        return self.status is Status.AFFIRMING

    @property
    def authentic(self) -> bool:
        """Whether every piece of evidence is genuine; says nothing about the policy."""
        return bool(self.submods) and all(one.authentic for one in self.submods)

    @property
    def key_covered(self) -> bool:
        """Whether the binder carries the answering key and measured code of the references holds it."""
        return any(
            one.holds_key
            and not one.is_gpu
            and any(c.finding is Finding.BINDER_MISMATCH and c.ok for c in one.checks)
            and all(c.ok for c in one.checks if c.finding is Finding.BINDER_MISMATCH)
            for one in self.submods
        )

    @property
    def roots(self) -> tuple[str, ...]:
        """The vendors whose roots stand behind authentic evidence."""
        return tuple(sorted({one.vendor for one in self.submods if one.authentic}))

    @property
    def assurance(self) -> Assurance:
        """`attested` only under a production policy, when everything held and the key is covered."""
        if self.production:
            return Assurance.ATTESTED if self.affirming and self.key_covered else Assurance.NONE
        sound = self.submods and all(one._sound() for one in self.submods)  # noqa: SLF001 - same module
        return Assurance.SIMULATED if sound and all(c.ok for c in self.checks) else Assurance.NONE

    @property
    def failures(self) -> tuple[Check, ...]:
        """Every check that failed, in order."""
        every = (*(c for one in self.submods for c in one.checks), *self.checks)
        return tuple(c for c in every if not c.ok)

    @property
    def reasons(self) -> tuple[ReasonClass, ...]:
        """The classes of the checks that failed, each once, first failure first."""
        return tuple(dict.fromkeys(c.meaning.reason_class for c in self.failures))

    def document(self) -> dict[str, Any]:
        """The result as JSON values; the derived fields are for readers and are checked when read."""
        return {
            "eat_profile": RESULT,
            "iat": self.at,
            "policy": self.policy.hex(),
            "production": self.production,
            "status": self.status.value,
            "assurance": self.assurance.value,
            "roots": list(self.roots),
            "key_covered": self.key_covered,
            "submods": [_submod(one) for one in self.submods],
            "checks": [_check(one) for one in self.checks],
        }

    def statement(self) -> Statement:
        """The result as an in-toto statement about the evidence; sign it with `statement.seal`."""
        subjects = tuple(Subject(one.name, one.evidence) for one in self.submods)
        return Statement(RESULT, subjects, self.document())


def _check(one: Check) -> dict[str, Any]:
    return {"finding": one.finding.value, "ok": one.ok, "detail": one.detail}


def _submod(one: Appraisal) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "evidence": one.evidence.hex(),
        "authentic": one.authentic,
        "vendor": one.vendor,
        "product": one.product,
        "instance": one.instance,
        "signed_body": one.signed_body,
        "holds_key": one.holds_key,
        "ear.status": one.status.value,
        "ear.trustworthiness-vector": {claim.value: value for claim, value in one.vector.items()},
        "checks": [_check(c) for c in one.checks],
        "shown": dict(one.shown),
    }


def read_result(said: Statement) -> AttestationResult:
    """Read a result back; every derived field must follow from the checks.

    Raises:
        PeerError: BAD_EVIDENCE, BAD_STATEMENT.
    """
    fields = said.expect(RESULT).fields(Reason.BAD_EVIDENCE)
    result = AttestationResult(
        at=fields.integer("iat", 0, MAX_TIME),
        policy=fields.digest("policy"),
        production=fields.boolean("production"),
        submods=fields.items("submods", _read_submod, MAX_SUBMODS),
        checks=fields.items("checks", _read_check, MAX_CHECKS),
    )
    if said.predicate != result.document():
        raise PeerError(
            Reason.BAD_EVIDENCE, "the result's status or assurance does not follow from its checks"
        )
    if said.subjects != result.statement().subjects:
        raise PeerError(Reason.BAD_EVIDENCE, "the result's subjects are not the evidence it appraised")
    return result


def _read_check(fields: Fields) -> Check:
    found = Check(
        fields.choice("finding", {f.value: f for f in Finding}),
        fields.boolean("ok"),
        fields.text("detail", MAX_DETAIL, empty=True),
    )
    fields.end()
    return found


def _read_submod(fields: Fields) -> Appraisal:
    shown = fields.raw("shown")
    if not isinstance(shown, dict) or len(shown) > 64:
        fields.refuse("shown", "at most 64 facts")
    for value in shown.values():
        if not isinstance(value, str | int) or isinstance(value, bool):
            fields.refuse("shown", "texts and integers only")
    found = Appraisal(
        name=fields.text("name", 64),
        kind=fields.text("kind", MAX_DETAIL),
        evidence=fields.digest("evidence"),
        authentic=fields.boolean("authentic"),
        vendor=fields.choice("vendor", {"": "", **{v.value: v.value for v in Vendor}}),
        product=fields.text("product", 64, empty=True),
        instance=fields.text("instance", MAX_DETAIL, empty=True),
        signed_body=fields.text("signed_body", 64, empty=True),
        holds_key=fields.boolean("holds_key"),
        checks=fields.items("checks", _read_check, MAX_CHECKS),
        shown=shown,
    )
    fields.raw("ear.status")
    fields.raw("ear.trustworthiness-vector")
    fields.end()
    return found
