"""The captures and their tampered variants, assembled into items, with what each must give."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from parley_attestation.canonical import Fields
from parley_attestation.errors import PeerError
from parley_attestation.evidence import (
    Binder64,
    EvidenceItem,
    GpuNonce,
    Policy,
    appraise,
    authenticate,
    policy,
    read_policy,
)
from parley_attestation.evidence.advisories import packaged
from parley_attestation.evidence.capture import assemble

DATA = Path(__file__).parents[2] / "data" / "evidence"
LATER = 1 << 40
# Which reason classes answer for a manifest's "layer".
LAYERS = {
    "signature": {"signature"},
    "chain-binding": {"chain"},
    "root-pin": {"chain"},
    "chain": {"chain"},
    "parse": {"format"},
    "parse/signature": {"format", "signature"},
    "collateral-signature": {"signature"},
    "collateral-binding": {"chain"},
}
_TIMES = {
    "snp": "2025-06-01T00:00:00Z",
    "tdx": "2025-06-20T00:00:00Z",
    "nvidia": "2025-07-01T00:00:00Z",
    "az-snp-vtpm": "2026-11-20T00:00:00Z",
    "nitro": "2024-11-30T16:22:48Z",
}


def moment(text: str) -> int:
    """Unix seconds of an ISO time; captures without one are judged at a time in 2024."""
    return 1_713_378_000 if text == "n/a" else int(datetime.fromisoformat(text).timestamp())


def read(name: str) -> bytes:
    """One file of the test data."""
    return (DATA / name).read_bytes()


@dataclass(frozen=True)
class Case:
    """One capture or negative: what it is, when to judge it, what its authenticity must be."""

    name: str
    kind: str
    files: tuple[str, ...]
    at: int
    passes: bool
    layer: str
    facts: Mapping[str, object]

    def item(self) -> EvidenceItem:
        """The evidence item."""
        return assemble(self.kind, [read(name) for name in self.files])


@cache
def captures() -> tuple[Case, ...]:
    """Every entry of the index."""
    found = []
    for one in json.loads(read("index.json")):
        # NRAS, CCA and EAR are no evidence that this appraiser judges: a refusal is the expected verdict.
        foreign = one["kind"] in {"nras-eat", "cca", "ear"}
        found.append(
            Case(
                one["id"],
                one["kind"],
                tuple(one["files"]),
                moment(one["verify_time"]),
                one["expect_crypto"] == "pass" and not foreign,
                "parse" if foreign else "",
                one["facts"],
            )
        )
    return tuple(found)


@cache
def negatives() -> tuple[Case, ...]:
    """Every entry of the manifest."""
    found = []
    for one in json.loads(read("negatives/manifest.json")):
        kind = one["kind"]
        files = [f"negatives/{name}" for name in one["files"].values()]
        if kind == "snp" and one["layer"] != "root-pin":
            files.append(one["ek"])
        elif kind == "nvidia":
            files.append(one["chain"])
        elif kind == "tdx" and one.get("role") == "collateral":
            files.append(one["quote"])
        elif kind == "tdx" and one["base"] == "tdx/dcap-qvl/tdx_quote":
            files.append("tdx/dcap-qvl/tdx_quote_collateral.json")
        elif kind == "az-snp-vtpm":
            files.append(one["base"])
        passes = one["expect"] == "verify-ok"
        # Version 5 has another layout: a quote whose version was flipped cannot be read as one at all.
        layer = "parse" if one["name"] == "flip_header_version.bin" else one["layer"]
        found.append(
            Case(
                f"{kind}/{one['name']}",
                kind,
                tuple(files),
                moment(_TIMES[kind]),
                passes,
                "" if passes else layer,
                {},
            )
        )
    return tuple(found)


def case(name: str) -> Case:
    """A case by name."""
    return next(one for one in (*captures(), *negatives()) if one.name == name)


def rules(**changes: object) -> dict:
    """A strict document without references; `changes` replace top-level entries."""
    return {
        "type": "production",
        "name": "strict",
        "not_after": LATER,
        "kinds": ["snp", "tdx", "sgx", "nitro", "nvidia", "tpm2", "az-snp-vtpm", "az-tdx-vtpm"],
        "products": ["milan", "genoa", "turin", "tdx", "sgx", "nitro", "gh100", "gb100", "gb20x", "tpm2"],
        "machines": {"rule": "any", "ids": []},
        "revocation_required": ["nvidia"],
        "max_evidence_age": 300,
        "snp": {
            "tcb_floor": {
                "milan": {"bl": 4, "tee": 0, "snp": 22, "ucode": 213},
                "genoa": {"bl": 9, "tee": 0, "snp": 21, "ucode": 72},
                "turin": {"fmc": 0, "bl": 1, "tee": 0, "snp": 1, "ucode": 30},
            },
            "platform_required": 0x20,
            "platform_forbidden": 0,
            "vmpl": [0],
            "fleet_keys": False,
        },
        "dcap": {
            "statuses": ["UpToDate"],
            "advisories": [],
            "min_evaluation": 15,
            "max_collateral_age": 31 * 86400,
        },
        "references": [],
        "advisories": [policy.advisory_document(one) for one in packaged()],
        "composite": {"cpus": 0, "gpus": 0, "roots": 1},
        **changes,
    }


def make_policy(document: dict) -> Policy:
    """Read a policy document."""
    return read_policy(Fields(document))


def own_reference(item: EvidenceItem, at: int) -> dict:
    """Reference values that this very item meets."""
    claims = authenticate(item, at)
    values = {name: [claims.measurements[name]] for name in policy.MANDATORY[claims.kind]}
    return {"kind": claims.kind.value, "name": "own", "holds_key": True, "values": values}


def own_binder(item: EvidenceItem, at: int) -> Binder64 | GpuNonce | None:
    """The binder that this very item carries, if it has the size of one."""
    bound = authenticate(item, at).bound
    return Binder64(bound) if len(bound) == 64 else GpuNonce(bound) if len(bound) == 32 else None


def lenient(item: EvidenceItem, at: int, **changes: object) -> dict:
    """A production document that asks of this item no more than that it is what it is."""
    document = rules(references=[own_reference(item, at)], advisories=[], max_evidence_age=LATER)
    document["snp"] |= {"platform_required": 0, "tcb_floor": {"milan": {}, "genoa": {}, "turin": {}}}
    document["dcap"] |= {
        "statuses": list(policy.STATUSES[:-1]),
        "advisories": ["INTEL-SA-00289", "INTEL-SA-00615"],
        "min_evaluation": 0,
    }
    return document | changes


def laboratory(document: dict, root: str = "", *, binder_required: bool = False) -> dict:
    """The same rules as a laboratory policy."""
    return document | {"type": "laboratory", "simulated_root": root, "binder_required": binder_required}


BOUND = Binder64(bytes(range(64)))
NOW = 1_750_000_000  # the forge's time


def failures(item, *, at=NOW, binder=BOUND, policy=None, **changes):
    """The findings that stand against an item whose own measurements are the references."""
    if policy is None:
        document = rules(**changes)
        with suppress(PeerError):
            document["references"] = [own_reference(item, at)]
        policy = make_policy(document)
    return {c.finding for c in appraise(item, policy, binder, at).failures}
