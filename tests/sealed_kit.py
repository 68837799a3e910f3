"""Sealed exercises in memory: the two parties' ends, and a chamber that states whatever it is told to."""

from dataclasses import replace

from kit import CHANNEL, Exercise, metric, pipe, seed
from parley_attestation.claims import IdentityClaim
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.attempts import earlier_attempts
from parley_attestation.edge.endpoint import Endpoint
from parley_attestation.edge.sealed import Custody, Rules
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import Role
from parley_attestation.evidence.collect import collect
from parley_attestation.receipt import ChamberKeys, ChamberRefusal, Count, Receipt, SimulatedReceipt
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.sealing import RecipientKey
from parley_attestation.session.backing import binding, seal_evidence
from parley_attestation.session.machine import Machine
from parley_attestation.session.sealed import hands_over
from parley_attestation.terms import Operator
from parley_prover.answering import Offer, ProverPolicy
from parley_prover.budget import DisclosureBudget
from parley_verifier.sealed import SealedVerifierPolicy

CLAIMS = (metric(min_assurance="neutral-operator"), IdentityClaim("identity", "neutral-operator"))
RUNTIME = Digest(seed("sealed runtime"))
NOW = 1_700_000_000


class SealedEnds:
    """What an exercise needs besides its parties to be sealed: `links`, `plain` and `accept`."""

    def custody(self, role):
        plain = self.plain[role]
        rules = Rules(other_party=self.accept, unsandboxed=self.accept, swap=self.accept)
        return Custody(role, self.links, lambda _: iter([plain]), len(plain), rules)

    def policies(self, verifier=SealedVerifierPolicy):
        vj, pj = self.journal(Role.VERIFIER), self.journal(Role.PROVER)
        policy = verifier(
            self.verifier.history, CHANNEL, self.sealed_terms, self.tests, vj, self.custody(Role.VERIFIER)
        )
        offer = Offer(
            self.prover.history,
            (self.claim,),
            custody=self.custody(Role.PROVER),
            verifier_chamber=self.accept,
            hand_over=True,
        )
        budget = DisclosureBudget(pj.connection, self.verifier.owner, self.limits)
        return {
            Role.VERIFIER: (policy, self.verifier.session, vj),
            Role.PROVER: (ProverPolicy(offer, CHANNEL, self.engine, pj, budget), self.prover.session, pj),
        }

    def ends(
        self, verifier=SealedVerifierPolicy, attempt=(), wrapped=lambda policy: policy, *, resumed=False
    ):
        return tuple(
            Endpoint(wrapped(p), key, j, self.machine(role, j, resumed=resumed), seed(role, *attempt))
            for role, (p, key, j) in self.policies(verifier).items()
        )

    def machine(self, role, journal, *, resumed=False):
        """A machine for a session that begins, or for the unfinished one that is to be loaded."""
        row = next(iter(journal.unfinished(role)), None) if resumed else None
        earlier = earlier_attempts(journal, role, row)
        return Machine(journal, mode="sealed", pins=self.pins, channel=CHANNEL, earlier=earlier)

    def run(self, **more):
        v, p = self.ends(**more)
        pipe(v, p)
        return v, p


class StatedChamber:
    """A chamber that runs nothing: every key follows from its name, and it states what it is told to."""

    def __init__(self, name="", *, run_by="neutral", successes=60, collectors=(), refuses=None, **states):
        self.key = SigningKey(seed("stated operator", name))
        self.receipt_key = SigningKey(seed("stated receipt", name))
        self.hpke = RecipientKey.of_entropy(Bytes32(seed("stated hpke", name)))
        self.operator = Operator(Bytes32(self.key.public), run_by, ("tests", "weights"))
        self.successes, self.collectors, self.refuses = successes, collectors, refuses
        self.states = {"sandbox": "bubblewrap", "swap": "absent", "simulated": bool(collectors)} | states
        self.place = 0

    def stated(self, facts, **changes):
        keys = ChamberKeys(
            Digest(facts.session_id),
            facts.terms_statement.digest(),
            self.hpke.public,
            Bytes32(self.receipt_key.public),
            **self.states,
        )
        return replace(keys, **changes).sealed(self.key, self.receipt_key)

    def open(self, machine):
        facts, evidence = machine.facts, b""
        if self.collectors:
            bound = replace(
                binding(facts, machine.heads[:7], self.receipt_key.public), hpke_key=self.hpke.public
            )
            evidence = seal_evidence(collect(self.collectors, bound), NOW, self.receipt_key)
        return self.stated(facts), evidence

    def upload(self, machine, role, parts):
        """It looks into nothing."""

    def outcome(self, facts):
        names = facts.chambers[self.place].statement.digest(), Digest(facts.session_id), facts.exercise
        if self.refuses is not None:
            return ChamberRefusal(*names, 1, *self.refuses)
        rules, audit = facts.terms.sealed, facts.audit
        sizes = [(c.claim_id, audit.frames[audit.frame_of(c)].size) for c in audit.claims]
        good = min(self.successes, *(size for _, size in sizes))
        found = Receipt(
            *names,
            facts.model_claim.digest,
            facts.test_set.root,
            facts.terms.runtime,
            "none" if rules.program else "E1",
            1,
            NOW,
            rules.round_to,
            tuple(Count(name, size, good - good % rules.round_to) for name, size in sizes),
            0,
            Digest(seed("result root")),
        )
        return replace(found, handed_over=found.results if hands_over(facts.terms, self.place) else 0)

    def signed(self, outcome):
        simulated = self.states["simulated"] and isinstance(outcome, Receipt)
        return (SimulatedReceipt(outcome) if simulated else outcome).sealed(self.receipt_key)

    def receipt(self, machine):
        return self.signed(self.outcome(machine.facts))


class SealedParties(SealedEnds, Exercise):
    """Two parties and chambers that state what they are told to."""

    def __init__(self, folder, chambers=(), *, accept=False, rules=None, **terms):
        self.links = chambers or (StatedChamber(),)
        for place, one in enumerate(self.links):
            one.place = place
        self.accept = accept
        self.plain = {Role.PROVER: b"weights", Role.VERIFIER: b"tests"}
        changes = {
            "mode": "sealed",
            "claims": CLAIMS,
            "binding": "chamber",
            "operators": tuple(one.operator for one in self.links),
            "runtime": RUNTIME,
            "sealed": rules or SealedTerms(quorum=len(self.links)),
        }
        super().__init__(folder, terms_changes=changes | terms)
