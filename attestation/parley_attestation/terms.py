"""Room: the core. The terms of an exercise: the treaty both parties sign; pure, read strictly.

The terms are an in-toto statement. Their digest names them, and the exercise id follows from their
bytes. What a person writes is TOML, checked by the verifier's and the prover's edges; here stands
only what is signed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from parley_attestation.canonical import Fields
from parley_attestation.claims import (
    Claim,
    GradedClaim,
    MetricClaim,
    SampledClaim,
    read_claim,
    read_ratio,
    refuse_contradictions,
)
from parley_attestation.comparison import ClaimedResults, read_claimed
from parley_attestation.encoding import MAX_BLOB, MAX_UNITS_PER_TURN, Bytes32, Digest, Label, Nonce, digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.evidence.compute import verdict as compute
from parley_attestation.evidence.policy import Policy, read_policy
from parley_attestation.sealed_terms import SealedTerms, read_sealed_terms
from parley_attestation.spending import MAX_PRIOR, Spent, read_spent
from parley_attestation.statement import Statement, Subject

TERMS = "tag:parley,2026:terms/v1"
MAX_CLAIMS = 64
MAX_SAMPLES = 1024
MAX_EXCLUDED = 4096
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TestSetRef:
    """Which registered set, and which of its items were seen before and leave the population."""

    statement: Digest
    root: Digest
    size: int
    excluded: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Samples per item, units per Challenge at most, and the budget of each frame by stratum."""

    samples: int
    batch: int
    budgets: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Caps:
    """Bytes: of one prompt, reference and output, and of all content of one turn."""

    prompt: int
    reference: int
    output: int
    turn: int


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Keys of the witnesses, how many must cosign, and what happens when they cannot be reached."""

    keys: tuple[Bytes32, ...]
    threshold: int
    unreachable: str


@dataclass(frozen=True, slots=True)
class Operator:
    """Who may run the chamber: its key, on whose side it stands, and which secrets it could read.

    `run_by` is "neutral", "prover" or "verifier"; `reads` holds "tests" and "weights", or neither.
    """

    key: Bytes32
    run_by: str
    reads: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The operator as it is signed."""
        return {"key": self.key.hex(), "run_by": self.run_by, "reads": list(self.reads)}


@dataclass(frozen=True, slots=True)
class Terms:
    """The treaty of one exercise, verified in form; `statement` holds the signed bytes."""

    nonce: Nonce
    title: str
    mode: str
    prover: Digest
    verifier: Digest
    test_set: TestSetRef
    model_claim: Digest
    system: dict[str, str]
    claims: tuple[Claim, ...]
    plan: Plan
    caps: Caps
    answer_seconds: int
    turn_seconds: int
    witnesses: Witnesses
    consequences: tuple[str, str]
    binding: str
    operators: tuple[Operator, ...]
    qualifiers: tuple[Digest, ...]
    evidence_policy: Policy | None
    inventory: compute.Inventory | None
    scope: tuple[str, str, tuple[str, ...]]
    runtime: Digest | None = None
    sealed: SealedTerms | None = None
    audited: ClaimedResults | None = None
    prior: tuple[Spent, ...] = ()

    def document(self) -> dict[str, Any]:
        """The predicate as it is signed."""
        construct, frame, barred = self.scope
        return {
            "nonce": self.nonce.hex(),
            "title": self.title,
            "mode": self.mode,
            "parties": {"prover": self.prover.hex(), "verifier": self.verifier.hex()},
            "test_set": {
                "statement": self.test_set.statement.hex(),
                "root": self.test_set.root.hex(),
                "size": self.test_set.size,
                "excluded": [list(run) for run in self.test_set.excluded],
            },
            "model_claim": self.model_claim.hex(),
            "system": self.system,
            "claims": [c.document() for c in self.claims],
            "plan": {
                "samples": self.plan.samples,
                "batch": self.plan.batch,
                "budgets": [{"stratum": s, "units": n} for s, n in self.plan.budgets],
            },
            "caps": {
                "prompt_bytes": self.caps.prompt,
                "reference_bytes": self.caps.reference,
                "output_bytes": self.caps.output,
                "turn_bytes": self.caps.turn,
            },
            "deadlines": {"answer_seconds": self.answer_seconds, "turn_seconds": self.turn_seconds},
            "witnesses": {
                "keys": [k.hex() for k in self.witnesses.keys],
                "threshold": self.witnesses.threshold,
                "unreachable": self.witnesses.unreachable,
            },
            "consequences": {
                "prover_default": self.consequences[0],
                "verifier_default": self.consequences[1],
            },
            "binding": {"kind": self.binding, "operators": [one.document() for one in self.operators]}
            | ({} if self.runtime is None else {"runtime": self.runtime.hex()})
            | ({} if self.sealed is None else {"sealed": self.sealed.document()}),
            "qualifiers": [q.hex() for q in self.qualifiers],
            "evidence_policy": self.evidence_policy.document() if self.evidence_policy is not None else None,
            "inventory": _write_inventory(self.inventory),
            "scope": {"construct": construct, "sampling_frame": frame, "not_concluded": list(barred)},
        } | self._optional()

    def _optional(self) -> dict[str, Any]:
        """What stands in the terms only where there is something to say."""
        audited = {} if self.audited is None else {"audited": self.audited.document()}
        return audited | ({"prior": [one.document() for one in self.prior]} if self.prior else {})

    def statement(self) -> Statement:
        """The statement that both parties sign."""
        subject = Subject("test-set", self.test_set.root)
        return Statement(TERMS, (subject,), self.document())

    @property
    def metric_claims(self) -> tuple[MetricClaim, ...]:
        """The claims about a rate."""
        return tuple(c for c in self.claims if isinstance(c, MetricClaim))

    @property
    def sampled_claims(self) -> tuple[SampledClaim, ...]:
        """The claims that are decided by a sequential test over sampled units."""
        return tuple(c for c in self.claims if isinstance(c, MetricClaim | GradedClaim))

    @property
    def strata(self) -> tuple[str, ...]:
        """The frames, by stratum name, in the order of the plan."""
        return tuple(name for name, _ in self.plan.budgets)


def exercise_id(terms: Statement) -> Digest:
    """The name of an exercise: a digest of the terms' bytes."""
    return digest(Label.EXERCISE, terms.payload())


def read_terms(said: Statement) -> Terms:
    """Read terms strictly and check what can be checked without the test set.

    Raises:
        PeerError: BAD_TERMS, with the path of the field.
    """
    said.expect(TERMS)
    fields = said.fields(Reason.BAD_TERMS)
    parties = fields.object("parties")
    consequences = fields.object("consequences")
    deadlines = fields.object("deadlines")
    binding = fields.object("binding")
    scope = fields.object("scope")
    terms = Terms(
        nonce=Nonce(fields.hex("nonce")),
        title=fields.text("title", 200),
        mode=fields.text("mode", 32),
        prover=parties.digest("prover"),
        verifier=parties.digest("verifier"),
        test_set=_test_set(fields.object("test_set")),
        model_claim=fields.digest("model_claim"),
        system=_system(fields.object("system")),
        claims=fields.items("claims", read_claim, MAX_CLAIMS, 1),
        plan=_plan(fields.object("plan")),
        caps=_caps(fields.object("caps")),
        answer_seconds=deadlines.integer("answer_seconds", 1, 1 << 24),
        turn_seconds=deadlines.integer("turn_seconds", 1, 1 << 24),
        witnesses=_witnesses(fields.object("witnesses")),
        consequences=(consequences.text("prover_default"), consequences.text("verifier_default")),
        binding=binding.choice("kind", {"none": "none", "chamber": "chamber"}),
        operators=binding.items("operators", _operator, 16),
        qualifiers=tuple(Digest(k) for k in _keys(fields, "qualifiers")),
        evidence_policy=_optional(fields, "evidence_policy", read_policy),
        inventory=_optional(fields, "inventory", _inventory),
        scope=(
            scope.text("construct"),
            scope.text("sampling_frame"),
            scope.texts("not_concluded", 64, 1),
        ),
        runtime=binding.digest("runtime") if binding.has("runtime") else None,
        sealed=read_sealed_terms(binding.object("sealed")) if binding.has("sealed") else None,
        audited=_audited(fields.object("audited")) if fields.has("audited") else None,
        prior=fields.items("prior", read_spent, MAX_PRIOR, 1) if fields.has("prior") else (),
    )
    for nested in (parties, consequences, deadlines, binding, scope, fields):
        nested.end()
    _check(terms)
    return terms


def _optional(fields: Fields, name: str, read: Callable[[Fields], T]) -> T | None:
    """An object read by `read`, or null."""
    value = fields.raw(name)
    return None if value is None else read(Fields(value, name, reason=Reason.BAD_TERMS))


def _audited(fields: Fields) -> ClaimedResults:
    return read_claimed(fields, read_ratio(fields, "tolerance"))


def _write_inventory(inventory: compute.Inventory | None) -> dict[str, Any] | None:
    if inventory is None:
        return None
    return {"devices": sorted(inventory.devices), "start": inventory.start, "end": inventory.end}


def _inventory(fields: Fields) -> compute.Inventory:
    found = compute.Inventory(
        fields.names("devices", 4096, 1),
        fields.integer("start", 0, 1 << 42),
        fields.integer("end", 0, 1 << 42),
    )
    fields.end()
    return found


def _keys(fields: Fields, name: str) -> tuple[Bytes32, ...]:
    try:
        return tuple(Bytes32.of_hex(text) for text in fields.texts(name, 16))
    except PeerError:
        fields.refuse(name, "a list of 64 lower-case hexadecimal digits each")


def _operator(fields: Fields) -> Operator:
    found = Operator(
        fields.bytes32("key"),
        fields.choice("run_by", {side: side for side in ("neutral", "prover", "verifier")}),
        fields.texts("reads", 2),
    )
    if list(found.reads) != sorted(set(found.reads) & {"tests", "weights"}):
        fields.refuse("reads", "the secrets it could read, among tests and weights, in this order")
    fields.end()
    return found


def _test_set(fields: Fields) -> TestSetRef:
    size = fields.integer("size", 1, 1 << 32)
    runs: list[tuple[int, int]] = []
    end = 0
    for run in fields.list("excluded", MAX_EXCLUDED):
        if (
            not isinstance(run, list)
            or len(run) != 2
            or not all(isinstance(v, int) and not isinstance(v, bool) for v in run)
            or not (end <= run[0] and run[1] >= 1 and run[0] + run[1] <= size)
        ):
            fields.refuse("excluded", "ascending, disjoint [start, count] runs inside the set")
        runs.append((run[0], run[1]))
        end = run[0] + run[1]
    found = TestSetRef(fields.digest("statement"), fields.digest("root"), size, tuple(runs))
    fields.end()
    return found


def _system(fields: Fields) -> dict[str, str]:
    found = {name: fields.text(name, 2000) for name in ("scaffold", "runtime", "decoding")}
    fields.end()
    return found


def _plan(fields: Fields) -> Plan:
    def budget(one: Fields) -> tuple[str, int]:
        found = (one.text("stratum", 64, empty=True), one.integer("units", 1, 1 << 42))
        one.end()
        return found

    plan = Plan(
        fields.integer("samples", 1, MAX_SAMPLES),
        fields.integer("batch", 1, MAX_UNITS_PER_TURN),
        fields.items("budgets", budget, 64, 1),
    )
    fields.end()
    return plan


def _caps(fields: Fields) -> Caps:
    names = ("prompt_bytes", "reference_bytes", "output_bytes", "turn_bytes")
    caps = Caps(*(fields.integer(name, 1, MAX_BLOB - 32) for name in names))
    fields.end()
    return caps


def _witnesses(fields: Fields) -> Witnesses:
    keys = _keys(fields, "keys")
    if len(set(keys)) != len(keys):
        fields.refuse("keys", "every witness once")
    found = Witnesses(
        keys,
        fields.integer("threshold", min(1, len(keys)), len(keys)),
        fields.choice("unreachable", {"pause": "pause", "unwitnessed": "unwitnessed"}),
    )
    fields.end()
    return found


def _check(terms: Terms) -> None:
    names = [c.claim_id for c in terms.claims]
    if len(set(names)) != len(names):
        raise PeerError(Reason.BAD_TERMS, "two claims carry the same id")
    if not terms.sampled_claims:
        raise PeerError(Reason.BAD_TERMS, "expected at least one metric or graded claim")
    frames = terms.strata
    wanted = {c.stratum for c in terms.sampled_claims}
    if len(set(frames)) != len(frames) or set(frames) != wanted:
        raise PeerError(Reason.BAD_TERMS, "expected exactly one budget for every stratum that claims name")
    if "" in wanted and len(wanted) > 1:
        raise PeerError(Reason.BAD_TERMS, "claims over the whole set and over strata cannot stand together")
    if terms.prover == terms.verifier:
        raise PeerError(Reason.BAD_TERMS, "prover and verifier are one party")
    if max(terms.caps.prompt, terms.caps.reference, terms.caps.output) + 32 > terms.caps.turn:
        raise PeerError(Reason.BAD_TERMS, "caps.turn_bytes cannot hold one prompt, reference or output")
    if not (terms.binding == "chamber") == bool(terms.operators) == (terms.runtime is not None):
        raise PeerError(
            Reason.BAD_TERMS, "a chamber's binding names its operators and the runtime, and nothing else does"
        )
    if len({one.key for one in terms.operators}) != len(terms.operators):
        raise PeerError(Reason.BAD_TERMS, "two operators carry one key")
    _check_sealed(terms)
    if terms.audited is not None and (
        terms.mode != "open"
        or len(terms.audited.counts) != len(terms.sampled_claims)
        or len(terms.metric_claims) != len(terms.sampled_claims)
    ):
        raise PeerError(
            Reason.BAD_TERMS, "a receipt is audited in open mode, with its count for every claim, all metric"
        )
    if len({one.exercise for one in terms.prior}) != len(terms.prior):
        raise PeerError(Reason.BAD_TERMS, "the terms name one earlier exercise twice")
    refuse_contradictions(terms.sampled_claims)


def _check_sealed(terms: Terms) -> None:
    if (terms.mode == "sealed") is (terms.sealed is None):
        raise PeerError(Reason.BAD_TERMS, "binding.sealed stands in terms of sealed mode, and in no others")
    if terms.sealed is None:
        return
    if terms.binding != "chamber":
        raise PeerError(Reason.BAD_TERMS, "sealed mode needs a chamber: its operators and the runtime")
    if len(terms.operators) < terms.sealed.quorum:
        raise PeerError(Reason.BAD_TERMS, "expected an operator for every chamber of the quorum")
