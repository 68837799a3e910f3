"""Room: evidence. The typed policy that both parties agree on and hash into the terms.

Plain data, denying by default: what a policy does not name is refused. Production and laboratory are
different types, and `ProductionPolicy` has no field that could hold a simulated root.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.ed25519 import PublicKey
from parley_attestation.encoding import Digest, Label, digest
from parley_attestation.evidence.model import Kind
from parley_attestation.keys import MAX_TIME

# Measurements without which a reference value covers no code (research section 8.4).
MANDATORY = {
    Kind.SNP: ("measurement",),
    Kind.TDX: ("mrtd", "rtmr0", "rtmr1", "rtmr2"),
    Kind.SGX: ("mrenclave",),
    Kind.NITRO: ("pcr0", "pcr1", "pcr2"),
    Kind.NVIDIA: ("driver", "vbios"),
    Kind.TPM2: ("pcr4",),
    Kind.AZURE_SNP: ("measurement", "pcr4"),
    Kind.AZURE_TDX: ("mrtd", "pcr4"),
    Kind.SIMULATED: ("measurement",),
}
STATUSES = (
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "TDRelaunchAdvised",
    "TDRelaunchAdvisedConfigurationNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "Revoked",
)
_FLOOR_PARTS = ("fmc", "bl", "tee", "snp", "ucode")
MAX_LIST = 4096


@dataclass(frozen=True, slots=True)
class SnpRules:
    """SEV-SNP: TCB floor by product and part, PLATFORM_INFO masks, allowed VMPLs, VLEK or not."""

    tcb_floor: Mapping[str, Mapping[str, int]]
    platform_required: int
    platform_forbidden: int
    vmpl: tuple[int, ...]
    fleet_keys: bool


@dataclass(frozen=True, slots=True)
class DcapRules:
    """TDX and SGX: accepted TCB statuses and advisories, evaluation floor, age of collateral in seconds."""

    statuses: tuple[str, ...]
    advisories: tuple[str, ...]
    min_evaluation: int
    max_collateral_age: int


@dataclass(frozen=True, slots=True)
class Reference:
    """One set of reference values: every named measurement must have one of its values.

    `holds_key` is the policy's statement that the measured code holds the key that signs Answers or
    Receipt, and lets nothing else use it.
    """

    name: str
    kind: Kind
    holds_key: bool
    values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Advisory:
    """A published break: evidence of these products is refused whatever it says."""

    name: str
    kinds: tuple[Kind, ...]
    products: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Composite:
    """How many distinct CPU environments and GPUs, and how many independent vendors' roots, at least."""

    cpus: int
    gpus: int
    roots: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What production and laboratory policies have in common."""

    name: str
    not_after: int
    kinds: tuple[Kind, ...]
    products: tuple[str, ...]
    machines: tuple[str, ...] | None
    revocation_required: tuple[Kind, ...]
    max_evidence_age: int
    snp: SnpRules
    dcap: DcapRules
    references: tuple[Reference, ...]
    advisories: tuple[Advisory, ...]
    composite: Composite

    def document(self) -> dict[str, Any]:
        """The rules as JSON values."""
        return {
            "name": self.name,
            "not_after": self.not_after,
            "kinds": [k.value for k in self.kinds],
            "products": list(self.products),
            "machines": {"rule": "any", "ids": []}
            if self.machines is None
            else {"rule": "registered", "ids": list(self.machines)},
            "revocation_required": [k.value for k in self.revocation_required],
            "max_evidence_age": self.max_evidence_age,
            "snp": {
                "tcb_floor": {p: dict(parts) for p, parts in self.snp.tcb_floor.items()},
                "platform_required": self.snp.platform_required,
                "platform_forbidden": self.snp.platform_forbidden,
                "vmpl": list(self.snp.vmpl),
                "fleet_keys": self.snp.fleet_keys,
            },
            "dcap": {
                "statuses": list(self.dcap.statuses),
                "advisories": list(self.dcap.advisories),
                "min_evaluation": self.dcap.min_evaluation,
                "max_collateral_age": self.dcap.max_collateral_age,
            },
            "references": [_reference_document(r) for r in self.references],
            "advisories": [advisory_document(a) for a in self.advisories],
            "composite": {
                "cpus": self.composite.cpus,
                "gpus": self.composite.gpus,
                "roots": self.composite.roots,
            },
        }


@dataclass(frozen=True, slots=True)
class ProductionPolicy:
    """A policy for exercises that count: hardware only, and the binder of the session is mandatory."""

    rules: Rules

    def document(self) -> dict[str, Any]:
        """The policy as JSON values, as it stands in the terms."""
        return {"type": "production", **self.rules.document()}

    def digest(self) -> Digest:
        """The policy's name: a framed digest of its canonical JSON."""
        return digest(Label.EVIDENCE_POLICY, canonical.dump(self.document()))


@dataclass(frozen=True, slots=True)
class LaboratoryPolicy:
    """A policy for tests and demonstrations; nothing appraised under it is ever `attested`.

    `simulated_root` is the key of this run's simulated hardware, or None; `binder_required` may be false
    so that captures from elsewhere can be replayed.
    """

    rules: Rules
    simulated_root: PublicKey | None
    binder_required: bool

    def document(self) -> dict[str, Any]:
        """The policy as JSON values, as it stands in the terms."""
        return {
            "type": "laboratory",
            **self.rules.document(),
            "simulated_root": self.simulated_root.hex() if self.simulated_root else "",
            "binder_required": self.binder_required,
        }

    def digest(self) -> Digest:
        """The policy's name: a framed digest of its canonical JSON."""
        return digest(Label.EVIDENCE_POLICY, canonical.dump(self.document()))


Policy = ProductionPolicy | LaboratoryPolicy


def read_policy(fields: Fields) -> Policy:
    """Read a policy; a missing rule or an unknown field is a refusal.

    Raises:
        PeerError: the code of `fields`.
    """
    kind = fields.choice("type", {"production": "production", "laboratory": "laboratory"})
    rules = _rules(fields)
    if kind == "production":
        if Kind.SIMULATED in rules.kinds:
            fields.refuse("kinds", "hardware only in a production policy")
        fields.end()
        return ProductionPolicy(rules)
    root = fields.text("simulated_root", 64, empty=True)
    if root and (len(root) != 64 or root.strip("0123456789abcdef")):
        fields.refuse("simulated_root", "64 lower-case hexadecimal digits or nothing")
    required = fields.boolean("binder_required")
    fields.end()
    return LaboratoryPolicy(rules, PublicKey(bytes.fromhex(root)) if root else None, required)


def _rules(fields: Fields) -> Rules:
    return Rules(
        name=fields.text("name", 200),
        not_after=fields.integer("not_after", 0, MAX_TIME),
        kinds=_kinds(fields, "kinds"),
        products=fields.texts("products", 64),
        machines=_machines(fields.object("machines")),
        revocation_required=_kinds(fields, "revocation_required"),
        max_evidence_age=fields.integer("max_evidence_age", 0, MAX_TIME),
        snp=_snp(fields.object("snp")),
        dcap=_dcap(fields.object("dcap")),
        references=fields.items("references", _reference, 256),
        advisories=fields.items("advisories", read_advisory, 256),
        composite=_composite(fields.object("composite")),
    )


def _kinds(fields: Fields, name: str) -> tuple[Kind, ...]:
    known = {k.value: k for k in Kind}
    found = fields.texts(name, len(known))
    if not set(found) <= set(known) or len(set(found)) != len(found):
        fields.refuse(name, "distinct kinds among " + ", ".join(known))
    return tuple(known[one] for one in found)


def _machines(fields: Fields) -> tuple[str, ...] | None:
    rule = fields.choice("rule", {"any": "any", "registered": "registered"})
    ids = fields.texts("ids", MAX_LIST)
    if rule == "any" and ids:
        fields.refuse("ids", "no identifiers where any machine is accepted")
    fields.end()
    return None if rule == "any" else ids


def _integers(fields: Fields, name: str, high: int, limit: int) -> tuple[int, ...]:
    values = fields.list(name, limit)
    for one in values:
        if not isinstance(one, int) or isinstance(one, bool) or not 0 <= one <= high:
            fields.refuse(name, f"integers in 0..{high}")
    return tuple(values)


def _snp(fields: Fields) -> SnpRules:
    floors = fields.object("tcb_floor")
    found = {}
    for product in ("milan", "genoa", "turin"):
        if floors.has(product):
            parts = floors.object(product)
            found[product] = {name: parts.integer(name, 0, 255) for name in _FLOOR_PARTS if parts.has(name)}
            parts.end()
    floors.end()
    rules = SnpRules(
        found,
        fields.integer("platform_required"),
        fields.integer("platform_forbidden"),
        _integers(fields, "vmpl", 3, 4),
        fields.boolean("fleet_keys"),
    )
    fields.end()
    return rules


def _dcap(fields: Fields) -> DcapRules:
    statuses = fields.texts("statuses", len(STATUSES))
    if not set(statuses) <= set(STATUSES[:-1]):
        fields.refuse("statuses", "TCB statuses among " + ", ".join(STATUSES[:-1]))
    rules = DcapRules(
        statuses,
        fields.texts("advisories", MAX_LIST),
        fields.integer("min_evaluation"),
        fields.integer("max_collateral_age", 0, MAX_TIME),
    )
    fields.end()
    return rules


def _reference(fields: Fields) -> Reference:
    kind = fields.choice("kind", {k.value: k for k in Kind})
    name = fields.text("name", 200)
    holds_key = fields.boolean("holds_key")
    raw = fields.raw("values")
    if not isinstance(raw, dict) or not 1 <= len(raw) <= 128:
        fields.refuse("values", "1..128 measurements")
    inner = Fields(raw, f"{fields.path}.values", reason=fields.reason)
    values = {key: inner.texts(key, 256, 1) for key in raw}
    missing = [key for key in MANDATORY[kind] if key not in values]
    if missing:
        fields.refuse("values", f"a value of {', '.join(missing)}, which {kind} needs to cover code")
    fields.end()
    return Reference(name, kind, holds_key, values)


def _reference_document(one: Reference) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind.value,
        "holds_key": one.holds_key,
        "values": {key: list(values) for key, values in one.values.items()},
    }


def read_advisory(fields: Fields) -> Advisory:
    """Read one advisory. Raises `PeerError`."""
    found = Advisory(
        fields.text("name", 200),
        _kinds(fields, "kinds"),
        fields.texts("products", 64, 1),
        fields.text("source", 500),
    )
    fields.end()
    return found


def advisory_document(one: Advisory) -> dict[str, Any]:
    """An advisory as JSON values."""
    return {
        "name": one.name,
        "kinds": [k.value for k in one.kinds],
        "products": list(one.products),
        "source": one.source,
    }


def _composite(fields: Fields) -> Composite:
    found = Composite(
        fields.integer("cpus", 0, 64), fields.integer("gpus", 0, 1024), fields.integer("roots", 1, 8)
    )
    fields.end()
    return found
