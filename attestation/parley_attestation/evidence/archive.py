"""Room: evidence. The archive: all that one appraisal read, in one file that reads the same for decades.

It holds raw evidence, endorsements, collateral, binder, policy, the time and its proof. Re-appraising uses
nothing else: no clock, no network, no vendor that still answers.
"""

import base64
import binascii
from dataclasses import dataclass, fields
from typing import Any

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.encoding import Bytes32, Digest, Nonce
from parley_attestation.errors import PeerError, Reason
from parley_attestation.evidence.appraise import appraise_all
from parley_attestation.evidence.binder import Binder64, Exercise, GpuNonce
from parley_attestation.evidence.model import (
    MAX_CERTIFICATES,
    MAX_EVIDENCE,
    MAX_REVOCATIONS,
    Collateral,
    Endorsements,
    EvidenceItem,
)
from parley_attestation.evidence.policy import Policy, read_policy
from parley_attestation.evidence.result import MAX_SUBMODS, AttestationResult, read_result
from parley_attestation.keys import MAX_TIME
from parley_attestation.statement import parse

FORMAT = "tag:parley,2026:evidence-archive/v1"
MAX_ARCHIVE = 32 << 20  # bytes
MAX_PROOF = 64 << 10  # bytes of the time proof
_MAX_PART = 2 << 20  # base64 characters of one part


@dataclass(frozen=True, slots=True)
class Archive:
    """What one appraisal read, and what it concluded.

    Attributes:
        items: Evidence by name.
        binding: What the binders were made from, or the binder itself, or nothing.
        policy: The appraising party's policy.
        at: The time of appraisal, Unix seconds.
        time_proof: A witness's proof of `at`, opaque here; `parley_attestation.log` checks it.
        result: What the appraisal concluded then.
    """

    items: tuple[tuple[str, EvidenceItem], ...]
    binding: Exercise | Binder64 | GpuNonce | None
    policy: Policy
    at: int
    time_proof: bytes
    result: AttestationResult

    def dump(self) -> bytes:
        """The archive as canonical JSON."""
        return canonical.dump(
            {
                "format": FORMAT,
                "items": [write_item(name, item) for name, item in self.items],
                "binding": _binding(self.binding),
                "policy": self.policy.document(),
                "at": self.at,
                "time_proof": _b64(self.time_proof),
                "result": _b64(self.result.statement().payload()),
            }
        )

    def replay(self) -> AttestationResult:
        """Appraise again and compare with what was concluded then.

        Raises:
            PeerError: BAD_EVIDENCE where the conclusion differs.
        """
        again = appraise_all(dict(self.items), self.policy, self.binding, self.at)
        if again.document() != self.result.document():
            raise PeerError(Reason.BAD_EVIDENCE, "appraising the archive again gives another result")
        return again


def make(
    items: dict[str, EvidenceItem],
    policy: Policy,
    binding: Exercise | Binder64 | GpuNonce | None,
    at: int,
    time_proof: bytes = b"",
) -> Archive:
    """Appraise and archive in one step; arguments as for `appraise_all`."""
    result = appraise_all(items, policy, binding, at)
    return Archive(tuple(items.items()), binding, policy, at, time_proof, result)


def load(raw: bytes) -> Archive:
    """Read an archive of at most 32 MiB; `replay` appraises it again.

    Raises:
        PeerError: BAD_EVIDENCE, NOT_CANONICAL, TOO_LARGE.
    """
    top = Fields(canonical.load(raw, limit=MAX_ARCHIVE), reason=Reason.BAD_EVIDENCE)
    if top.text("format", 64) != FORMAT:
        top.refuse("format", FORMAT)
    items = top.items("items", read_item, MAX_SUBMODS, 1)
    if len({name for name, _ in items}) != len(items):
        top.refuse("items", "every name once")
    found = Archive(
        items=items,
        binding=_read_binding(top.object("binding")),
        policy=read_policy(top.object("policy")),
        at=top.integer("at", 0, MAX_TIME),
        time_proof=_bytes(top, "time_proof", MAX_PROOF),
        result=read_result(parse(_bytes(top, "result", MAX_ARCHIVE))),
    )
    top.end()
    return found


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decode(text: str) -> bytes | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


def _bytes(source: Fields, name: str, limit: int) -> bytes:
    raw = _decode(source.text(name, _MAX_PART, empty=True))
    if raw is None or len(raw) > limit:
        source.refuse(name, f"at most {limit} bytes in base64")
    return raw


def _many(source: Fields, name: str, high: int) -> tuple[bytes, ...]:
    found = []
    for one in source.list(name, high):
        raw = _decode(one) if isinstance(one, str) else None
        if raw is None:
            source.refuse(name, "byte strings in base64")
        found.append(raw)
    return tuple(found)


def write_item(name: str, item: EvidenceItem) -> dict[str, Any]:
    """One item as it stands in archives and evidence statements."""
    endorsed = item.endorsements
    collateral = endorsed.collateral
    return {
        "name": name,
        "kind": item.kind,
        "raw": _b64(item.raw),
        "certificates": [_b64(one) for one in endorsed.certificates],
        "crls": [_b64(one) for one in endorsed.crls],
        "ocsp": [_b64(one) for one in endorsed.ocsp],
        "collateral": {
            one.name: _b64(getattr(collateral, one.name))
            for one in (fields(collateral) if collateral else ())
        },
    }


def read_item(source: Fields) -> tuple[str, EvidenceItem]:
    """Read it back. Raises `PeerError` (the code of `source`)."""
    name, kind = source.text("name", 64), source.text("kind", 64)
    raw = _bytes(source, "raw", MAX_EVIDENCE)
    certificates = _many(source, "certificates", MAX_CERTIFICATES)
    crls, ocsp = _many(source, "crls", MAX_REVOCATIONS), _many(source, "ocsp", MAX_REVOCATIONS)
    inner = source.object("collateral")
    collateral = None
    if inner.has("tcb_info"):
        collateral = Collateral(
            **{one.name: _bytes(inner, one.name, _MAX_PART) for one in fields(Collateral)}
        )
    inner.end()
    source.end()
    return name, EvidenceItem(kind, raw, Endorsements(certificates, crls, ocsp, collateral))


def _binding(binding: Exercise | Binder64 | GpuNonce | None) -> dict[str, str]:
    if binding is None:
        return {"rule": "none"}
    if isinstance(binding, Exercise):
        return {
            "rule": "exercise",
            "transcript": binding.transcript.hex(),
            "prover_nonce": binding.prover_nonce.hex(),
            "verifier_nonce": binding.verifier_nonce.hex(),
            "answering_key": binding.answering_key.hex(),
            "hpke_key": _b64(binding.hpke_key),
        }
    return {"rule": "bind64" if isinstance(binding, Binder64) else "gpu32", "value": binding.hex()}


def _read_binding(source: Fields) -> Exercise | Binder64 | GpuNonce | None:
    rule = source.choice("rule", {name: name for name in ("none", "exercise", "bind64", "gpu32")})
    found: Exercise | Binder64 | GpuNonce | None = None
    if rule == "exercise":
        found = Exercise(
            Digest(source.hex("transcript")),
            Nonce(source.hex("prover_nonce")),
            Nonce(source.hex("verifier_nonce")),
            Bytes32(source.hex("answering_key")),
            _bytes(source, "hpke_key", 4096),
        )
    elif rule == "bind64":
        found = Binder64(source.hex("value", 64))
    elif rule == "gpu32":
        found = GpuNonce(source.hex("value"))
    source.end()
    return found
