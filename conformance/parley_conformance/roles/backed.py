"""Room: the suite. For roles that derive verdicts: exercises whose prover shows compute records and simulated evidence.

No laboratory can make evidence of hardware. But the verdict of a compute claim says in words what became of
the appraisal, so whoever appraises otherwise derives another verdict: `simulated` where every check but that
of being simulated held, `none` where one more failed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from parley_attestation.because import Because
from parley_attestation.claims import ComputeClaim
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.endpoint import Draft
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.evidence import Kind, LaboratoryPolicy, binders
from parley_attestation.evidence.collect import SimulatedCollector
from parley_attestation.evidence.compute.records import (
    Close,
    Declaration,
    Device,
    Snapshot,
    seal_record,
)
from parley_attestation.evidence.compute.verdict import Claim, ClaimKind
from parley_attestation.evidence.policy import Composite, DcapRules, Reference, Rules, SnpRules
from parley_attestation.evidence.simulated import SimulatedEnclave
from parley_attestation.session import messages as m
from parley_attestation.session.backing import binding, seal_evidence
from parley_attestation.session.machine import Machine
from parley_attestation.statement import Statement

from parley_conformance.arena import Arena
from parley_conformance.harness import Failure, Mutate
from parley_conformance.world import Exercise

PAST, NOW, FUTURE = 1_600_000_000, 1_800_000_000, 1 << 41  # Unix seconds
_MEASURED = b"\x07" * 48
_ZERO, _RUN = Digest(bytes(32)), Bytes32(bytes(range(32)))
_TOKENS, _PARAMETERS = 10**8, 10**6
_FLOP = 6 * _PARAMETERS * _TOKENS  # formula 6ND
CLAIM = "training"


@dataclass(frozen=True, slots=True)
class Backed:
    """What a prover shows, and what an appraisal makes of it.

    Attributes:
        word: The assurance of the appraisal.
        at: The time of the evidence, Unix seconds.
        not_after: The end of the policy, Unix seconds.
        own_key: Whether the binder carries the key that signs every Answers.
    """

    word: str
    at: int = NOW
    not_after: int = FUTURE
    own_key: bool = True

    def exercise(self, arena: Arena) -> Exercise:
        """An exercise with a compute claim, and a policy that takes what the suite's enclave signs."""
        plain = arena.exercise()
        policy = LaboratoryPolicy(_rules(self.not_after), _root(arena).public, binder_required=True)
        claim = ComputeClaim(CLAIM, Claim(ClaimKind.AT_LEAST, _FLOP), "declared")
        terms = replace(plain.terms, claims=(*plain.terms.claims, claim), evidence_policy=policy)
        return arena.world.sealed(plain.tests, terms)

    def mutate(self, arena: Arena) -> Mutate:
        """Has the prover show its records and the evidence in its Accept."""
        key = arena.prover.session
        enclave = SimulatedCollector(SimulatedEnclave(_root(arena), "one", _MEASURED))
        answering = key.public if self.own_key else SigningKey(arena.fresh()).public

        def accept(machine: Machine, draft: Draft) -> Draft:
            if not isinstance(draft.body, m.Accept):
                return draft
            bound = binders(binding(machine.facts, machine.heads, answering), []).bind64
            evidence = seal_evidence({"cpu0": enclave.collect(bound)}, self.at, key)
            return replace(draft, body=replace(draft.body, evidence=(evidence, *_records(key))))

        return accept

    def check(self, verdict: Statement | None) -> None:
        """Check that a verdict says what this appraisal comes to. Raises `Failure`."""
        claims = verdict.predicate["claims"] if verdict is not None else ()
        said = next((one["because"] for one in claims if one["id"] == CLAIM), ())
        wanted = Because.NOT_ATTESTED.says(assurance=self.word)
        if wanted not in said:
            raise Failure(f"expected the verdict to say: {wanted}")


BACKED: Mapping[str, Backed] = MappingProxyType(
    {
        "simulated": Backed("simulated"),
        "for-another-key": Backed("none", own_key=False),
        "under-a-policy-of-its-time": Backed("simulated", at=PAST, not_after=PAST + 1),
        "later-than-its-policy": Backed("none", at=FUTURE + 1),
    }
)
NEEDS = MappingProxyType(
    {
        "simulated": "EVID-1",
        "for-another-key": "EVID-2",
        "under-a-policy-of-its-time": "EVID-3",
        "later-than-its-policy": "EVID-3",
    }
)


def _root(arena: Arena) -> SigningKey:
    return SigningKey(arena.world.derive("simulated root"))


def _rules(not_after: int) -> Rules:
    measured = {"measurement": (_MEASURED.hex(),)}
    return Rules(
        name="the suite's laboratory",
        not_after=not_after,
        kinds=(Kind.SIMULATED,),
        products=("simulated",),
        machines=None,
        revocation_required=(),
        max_evidence_age=300,
        snp=SnpRules({}, 0, 0, (), fleet_keys=False),
        dcap=DcapRules((), (), 0, 0),
        references=(Reference("the suite's", Kind.SIMULATED, holds_key=True, values=measured),),
        advisories=(),
        composite=Composite(1, 0, 1),
    )


def _records(key: SigningKey) -> tuple[bytes, ...]:
    """A run of as much work as the claim wants."""
    device = Device("gpu-a", 10**12)
    declared = Declaration(_RUN, _PARAMETERS, "6ND", 10**16, "bf16", (device,), _ZERO, _ZERO, _ZERO, 1000)
    shown = Snapshot(_RUN, 1, _TOKENS, _FLOP, _ZERO, 100, {device.name: 900})
    one = seal_record(None, 500, declared, key)
    two = seal_record(one, 1500, shown, key)
    return one, two, seal_record(two, 1500, Close(_RUN, _TOKENS, _FLOP, _ZERO, ()), key)
