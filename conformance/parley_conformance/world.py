"""Room: the suite. The exercises that the suite proposes; any engine can sit them, whatever it answers.

The claims are decided neither before the second challenge nor only at the end of the budget by chance:
the cases that need a decision at a known unit count every answer, right or wrong.
"""

import hashlib
from dataclasses import dataclass, replace
from fractions import Fraction

from parley_attestation import statement
from parley_attestation.canonical import Fields
from parley_attestation.claims import MetricClaim
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.party import Party, PeerCard
from parley_attestation.encoding import Bytes32, Nonce
from parley_attestation.grading import Outcome, OutcomeMap, read_grader
from parley_attestation.model.claim import ModelClaim
from parley_attestation.terms import Caps, Plan, Terms, TestSetRef, Witnesses

from parley_conformance.hidden import Item, MemorySet
from parley_conformance.shapes import SHAPES

ITEMS = 24
BATCH = 3
EARLIEST = 9  # units before which no answers whatever decide the claim
CANARY = b"\xff\xfeparley-conformance-canary"
_EXACT = read_grader(Fields({"kind": "exact", "trim": True, "ignore_case": False}))
_TRUE_OR_NOT = OutcomeMap(frozenset({Outcome.PASS, Outcome.FAIL}))


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise: the hidden set, the terms, and the terms as the verifier sealed them."""

    tests: MemorySet
    terms: Terms
    sealed: bytes


def _sums() -> list[Item]:
    return [(f"{n}+{n * 7 % 13}".encode(), str(n + n * 7 % 13).encode()) for n in range(ITEMS)]


_SETS = {
    "plain": _sums(),
    "canary": [(CANARY + str(n).encode(), b"0") for n in range(ITEMS)],
}


class World:
    """Makes fresh exercises between the suite's verifier and the prover under test.

    Args:
        party: The suite's own party, a verifier; its folder holds the root key.
        peer: The pinned card of the prover under test.
        claim: The model claim that the prover registered.
        seed: Text that every value of the run follows from.
    """

    def __init__(self, party: Party, peer: PeerCard, claim: ModelClaim, seed: str) -> None:
        self.party, self.peer = party, peer
        self._claim = claim
        self._seed = seed
        self._sets: dict[str, MemorySet] = {}

    def derive(self, *what: object) -> bytes:
        """32 bytes that follow from the seed and `what`."""
        return self.derive_from(self._seed, *what)

    @staticmethod
    def derive_from(seed: str, *what: object) -> bytes:
        """32 bytes that follow from a seed and `what`."""
        return hashlib.sha256(repr((seed, *what)).encode()).digest()

    def tests(self, name: str) -> MemorySet:
        """The hidden set of that name: "plain", "canary", or any other for a second plain one."""
        if name not in self._sets:
            self._sets[name] = MemorySet(
                self.party.root,
                _SETS.get(name, _SETS["plain"]),
                set_id=Bytes32(self.derive("set", name)),
                master=Bytes32(self.derive("master", name)),
                graders=(_EXACT,),
            )
        return self._sets[name]

    def exercise(self, name: str, shape: str = "plain") -> Exercise:
        """A fresh exercise.

        Args:
            name: Makes the exercise distinct.
            shape: "plain"; "short", whose budget ends where a decision is first possible; "steady", in which every
                answer counts; "overrun", the same in batches of which one goes on after the decision; "canary", whose
                prompts are no text; or one of `shapes.SHAPES`.
        """
        if shape in SHAPES:
            return self._shaped(name, shape)
        tests = self.tests("canary" if shape == "canary" else "plain")
        terms = self._terms(tests, Nonce(self.derive("exercise", name)))
        if shape == "short":
            terms = replace(terms, plan=Plan(1, BATCH, (("", EARLIEST),)))
        elif shape in {"steady", "overrun"}:
            terms = replace(terms, claims=(replace(terms.metric_claims[0], events=_TRUE_OR_NOT),))
        if shape == "overrun":
            terms = replace(terms, plan=replace(terms.plan, batch=BATCH + 1))
        return self.sealed(tests, terms)

    def _shaped(self, name: str, shape: str) -> Exercise:
        form = SHAPES[shape]
        if shape not in self._sets:
            self._sets[shape] = MemorySet(
                self.party.root,
                form.items,
                set_id=Bytes32(self.derive("set", shape)),
                master=Bytes32(self.derive("master", shape)),
                graders=(form.grader,),
                item_kind=form.kind,
                members=form.members,
            )
            self._sets[shape].told = list(form.told)
        tests = self._sets[shape]
        return self.sealed(tests, form.change(self._terms(tests, Nonce(self.derive("exercise", name)))))

    def exercise_over(self, tests: MemorySet, name: str) -> Exercise:
        """A fresh plain exercise over any set of the verifier's."""
        return self.sealed(tests, self._terms(tests, Nonce(self.derive("exercise", name))))

    def sealed(self, tests: MemorySet, terms: Terms, key: SigningKey | None = None) -> Exercise:
        """An exercise under given terms, sealed with the verifier's session key unless `key` is given."""
        return Exercise(tests, terms, statement.seal(terms.statement(), key or self.party.session))

    def _terms(self, tests: MemorySet, nonce: Nonce) -> Terms:
        claim = MetricClaim(
            claim_id="accuracy",
            stratum="",
            grader=_EXACT,
            events=OutcomeMap(frozenset({Outcome.PASS})),
            at_most=False,
            threshold=Fraction(1, 2),
            alpha_compliant=Fraction(1, 1000),
            alpha_violation=Fraction(1, 1000),
            min_assurance="declared",
        )
        public = tests.public
        return Terms(
            nonce=nonce,
            title="conformance",
            mode="open",
            prover=self.peer.fingerprint,
            verifier=self.party.card.fingerprint,
            test_set=TestSetRef(public.statement.digest(), public.root, public.size, ()),
            model_claim=self._claim.statement.digest(),
            system={"scaffold": "none", "runtime": "as served", "decoding": "as served"},
            claims=(claim,),
            plan=Plan(1, BATCH, (("", public.size),)),
            caps=Caps(1 << 10, 1 << 10, 1 << 12, 1 << 15),
            answer_seconds=600,
            turn_seconds=600,
            witnesses=Witnesses((), 0, "unwitnessed"),
            consequences=("the run counts as failed", "the run counts as failed"),
            binding="none",
            operators=(),
            qualifiers=(),
            evidence_policy=None,
            inventory=None,
            scope=("conformance", "generated sums", ("nothing about any model",)),
        )
