"""Room: the core. What a chamber signs in a sealed evaluation: its keys, and a receipt of bounded shape.

The keys of one run are stated before anything is released to them; the digest of that statement is what
a release binds. A receipt holds one count a claim and a root over committed result bits: its shape is
fixed by the terms, and what leaves with it is stated in bits. A run that ends otherwise leaves a refusal: a code of
a fixed list, and nothing else. A run under simulated evidence signs another type, which nothing here reads
as a receipt.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from parley_attestation.binding import EXECUTION_CLASSES, SANDBOXES
from parley_attestation.canonical import Fields
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.keys import MAX_TIME
from parley_attestation.runtime import NO_CLASS
from parley_attestation.sealed_terms import CODE_BITS, MAX_ROUNDING, MAX_RUNS, SealedTerms
from parley_attestation.statement import Statement, Subject, open_sealed, seal, signer
from parley_attestation.terms import MAX_CLAIMS, Operator, Terms

CHAMBER_KEYS = "tag:parley,2026:chamber-keys/v1"
RECEIPT = "tag:parley,2026:receipt/v1"
SIMULATED_RECEIPT = "tag:parley,2026:simulated-receipt/v1#NOT-HARDWARE"
REFUSAL = "tag:parley,2026:chamber-refusal/v1"
SWAP = ("absent", "present")  # whether the chamber's machine could write memory to a disk in the clear

# What code in a box can bring about: each tells a little of the tests, and counts against the bits.
BOX_REFUSALS = (Reason.BOX_TIME, Reason.BOX_OUTPUT, Reason.BOX_FAILED)
REFUSALS = (
    Reason.QUOTA_EXHAUSTED,
    Reason.BAD_SEAL,
    Reason.BAD_MODEL_CLAIM,
    Reason.BAD_OPENING,
    Reason.BAD_RUNTIME,
    Reason.PICKLED,
    *BOX_REFUSALS,
)


@dataclass(frozen=True, slots=True)
class ChamberKeys:
    """The fresh keys of one run, and how its boxes are kept apart.

    Attributes:
        session: The session.
        terms: Digest of the terms.
        hpke: The key to which data keys are released.
        receipt: The key that signs the receipt.
        sandbox: bubblewrap, or none.
        swap: Whether memory could be written to a disk in the clear, absent or present; encrypted swap, and
            compressed memory, count as absent.
        simulated: Whether the run stands under simulated evidence.
    """

    session: Digest
    terms: Digest
    hpke: Bytes32
    receipt: Bytes32
    sandbox: str
    swap: str
    simulated: bool

    def sealed(self, operator: SigningKey, receipt: SigningKey) -> bytes:
        """The statement, signed by the operator and, as proof of possession, by the receipt key."""
        predicate = {
            "session": self.session.hex(),
            "terms": self.terms.hex(),
            "hpke": self.hpke.hex(),
            "receipt": self.receipt.hex(),
            "sandbox": self.sandbox,
            "swap": self.swap,
            "simulated": self.simulated,
        }
        return seal(
            Statement(CHAMBER_KEYS, (Subject("session", self.session),), predicate), operator, receipt
        )


@dataclass(frozen=True, slots=True)
class StatedKeys:
    """Keys whose statement was checked; `statement` is what a release names, `sealed` its signed form."""

    keys: ChamberKeys
    operator: Operator
    statement: Statement
    sealed: bytes


def read_keys(sealed: bytes, terms: Terms, session: Digest, terms_digest: Digest) -> StatedKeys:
    """Verify the keys that a chamber states for one session. Raises `PeerError` (BAD_EVIDENCE)."""
    operator = _operator(sealed, terms)
    said = open_sealed(sealed, operator.key).expect(CHAMBER_KEYS)
    fields = said.fields(Reason.BAD_EVIDENCE)
    found = ChamberKeys(
        session=fields.digest("session"),
        terms=fields.digest("terms"),
        hpke=fields.bytes32("hpke"),
        receipt=fields.bytes32("receipt"),
        sandbox=fields.choice("sandbox", {name: name for name in SANDBOXES}),
        swap=fields.choice("swap", {name: name for name in SWAP}),
        simulated=fields.boolean("simulated"),
    )
    fields.end()
    open_sealed(sealed, operator.key, PublicKey(found.receipt))
    if (found.session, found.terms) != (session, terms_digest):
        raise PeerError(Reason.BAD_EVIDENCE, "the chamber's keys are for another session")
    return StatedKeys(found, operator, said, sealed)


def _operator(sealed: bytes, terms: Terms) -> Operator:
    key = signer(sealed)
    found = next((one for one in terms.operators if one.key == key), None)
    if found is None:
        raise PeerError(Reason.BAD_EVIDENCE, "the statement is signed by no operator that the terms name")
    return found


@dataclass(frozen=True, slots=True)
class Count:
    """What leaves of one claim: how many units of its whole population are successes, rounded down."""

    claim_id: str
    population: int
    successes: int

    def document(self) -> dict[str, Any]:
        """The count as it is signed."""
        return {"id": self.claim_id, "population": self.population, "successes": self.successes}

    def highest(self, round_to: int) -> int:
        """The largest exact count that is stated like this."""
        return min(self.successes + round_to - 1, self.population)


def outcome_bits(populations: Iterable[int], round_to: int) -> int:
    """Bits that one outcome can tell of the tests at most: of its counts, and of what a box can break off."""
    counts = prod(population // round_to + 1 for population in populations)
    return (counts + len(BOX_REFUSALS) - 1).bit_length()


def exercise_bits(populations: Sequence[int], rules: SealedTerms) -> int:
    """Bits that leave all chambers of an exercise at most; the first chamber alone hands results over."""
    handed = CODE_BITS * sum(populations) if rules.hand_over else 0
    return rules.quorum * outcome_bits(populations, rules.round_to) + handed


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of one sealed run.

    Attributes:
        keys: Digest of the statement of the run's keys.
        session: The session.
        exercise: Its exercise.
        model_claim: Digest of the model claim whose weights ran.
        test_set: Root of the committed tests, all of which ran.
        runtime: Digest of the runtime's document.
        execution_class: Of the runtime; none for a program that the prover supplied.
        run: How often this set and this claim have met in this chamber, this run included.
        begun: When the run began, before anything was opened, in Unix seconds.
        round_to: The counts are rounded down to multiples of this.
        counts: One count a metric claim, in the order of the terms.
        handed_over: Results that the verifier may fetch, one a claim and unit: all, or none.
        result_root: Root over salted result bits that only the verifier can open.
    """

    keys: Digest
    session: Digest
    exercise: Digest
    model_claim: Digest
    test_set: Digest
    runtime: Digest
    execution_class: str
    run: int
    begun: int
    round_to: int
    counts: tuple[Count, ...]
    handed_over: int
    result_root: Digest

    @property
    def results(self) -> int:
        """Results that the root commits to: one for every unit of every claim's population."""
        return sum(count.population for count in self.counts)

    @property
    def bits(self) -> int:
        """Bits that leave with the run at most; the root is hiding."""
        told = outcome_bits((count.population for count in self.counts), self.round_to)
        return told + CODE_BITS * self.handed_over

    def document(self) -> dict[str, Any]:
        """The predicate as it is signed."""
        return {
            "keys": self.keys.hex(),
            "session": self.session.hex(),
            "exercise": self.exercise.hex(),
            "model_claim": self.model_claim.hex(),
            "test_set": self.test_set.hex(),
            "runtime": self.runtime.hex(),
            "execution_class": self.execution_class,
            "run": self.run,
            "begun": self.begun,
            "round_to": self.round_to,
            "counts": [count.document() for count in self.counts],
            "handed_over": self.handed_over,
            "bits": self.bits,
            "result_root": self.result_root.hex(),
        }

    def sealed(self, key: SigningKey) -> bytes:
        """The signed receipt."""
        return seal(Statement(RECEIPT, (Subject("exercise", self.exercise),), self.document()), key)


@dataclass(frozen=True, slots=True)
class SimulatedReceipt:
    """The outcome of a laboratory run: another type, so that nothing takes it for a receipt."""

    outcome: Receipt

    def sealed(self, key: SigningKey) -> bytes:
        """The signed statement, of its own type."""
        subject = Subject("exercise", self.outcome.exercise)
        return seal(Statement(SIMULATED_RECEIPT, (subject,), self.outcome.document()), key)


@dataclass(frozen=True, slots=True)
class ChamberRefusal:
    """A run that ended without a receipt: a code of `REFUSALS`, and whose content is not as committed.

    Attributes:
        keys: Digest of the statement of the run's keys.
        session: The session.
        exercise: Its exercise.
        run: How often the set and the claim have met in this chamber, this run included.
        reason: The code.
        blamed: The party whose sealed content is not what it committed to; None for anything else.
    """

    keys: Digest
    session: Digest
    exercise: Digest
    run: int
    reason: Reason
    blamed: Role | None

    def document(self) -> dict[str, Any]:
        """The predicate as it is signed."""
        return {
            "keys": self.keys.hex(),
            "session": self.session.hex(),
            "exercise": self.exercise.hex(),
            "run": self.run,
            "reason": self.reason.value,
            "blamed": self.blamed.value if self.blamed is not None else "",
        }

    def sealed(self, key: SigningKey) -> bytes:
        """The signed refusal."""
        return seal(Statement(REFUSAL, (Subject("exercise", self.exercise),), self.document()), key)


Outcome = Receipt | ChamberRefusal


def read_outcome(sealed: bytes, stated: StatedKeys) -> Outcome:
    """Verify what a run left, whichever it is; of a laboratory run as well.

    Raises:
        PeerError: BAD_RECEIPT, BAD_SIGNATURE.
    """
    if open_sealed(sealed, stated.keys.receipt).predicate_type == REFUSAL:
        return read_refusal(sealed, stated)
    return read_simulated(sealed, stated).outcome if stated.keys.simulated else read_receipt(sealed, stated)


def read_refusal(sealed: bytes, stated: StatedKeys) -> ChamberRefusal:
    """Verify a chamber's refusal. Raises `PeerError` (BAD_RECEIPT, BAD_SIGNATURE)."""
    said = open_sealed(sealed, stated.keys.receipt).expect(REFUSAL)
    fields = said.fields(Reason.BAD_RECEIPT)
    found = ChamberRefusal(
        keys=fields.digest("keys"),
        session=fields.digest("session"),
        exercise=fields.digest("exercise"),
        run=fields.integer("run", 1, MAX_RUNS),
        reason=fields.choice("reason", {one.value: one for one in REFUSALS}),
        blamed=fields.choice("blamed", {"": None, "prover": Role.PROVER, "verifier": Role.VERIFIER}),
    )
    fields.end()
    if said.subjects != (Subject("exercise", found.exercise),):
        raise PeerError(Reason.BAD_RECEIPT, "the refusal's subject does not follow from it")
    _same_run(found, stated)
    return found


def _same_run(found: Outcome, stated: StatedKeys) -> None:
    if (found.keys, found.session) != (stated.statement.digest(), stated.keys.session):
        raise PeerError(Reason.BAD_RECEIPT, "the receipt is of another run")


def read_receipt(sealed: bytes, stated: StatedKeys) -> Receipt:
    """Verify a receipt under the keys that its chamber stated.

    Raises:
        PeerError: BAD_RECEIPT, and for every simulated one; BAD_SIGNATURE.
    """
    if stated.keys.simulated:
        raise PeerError(
            Reason.BAD_RECEIPT, "the chamber stands under simulated evidence: there is no receipt"
        )
    return _read(sealed, stated, RECEIPT)


def read_simulated(sealed: bytes, stated: StatedKeys) -> SimulatedReceipt:
    """Verify the outcome of a laboratory run. Raises `PeerError` (BAD_RECEIPT, BAD_SIGNATURE)."""
    if not stated.keys.simulated:
        raise PeerError(Reason.BAD_RECEIPT, "the chamber does not stand under simulated evidence")
    return SimulatedReceipt(_read(sealed, stated, SIMULATED_RECEIPT))


def _read(sealed: bytes, stated: StatedKeys, kind: str) -> Receipt:
    said = open_sealed(sealed, stated.keys.receipt)
    if said.predicate_type != kind:
        raise PeerError(Reason.BAD_RECEIPT, f"expected a statement of type {kind}")
    fields = said.fields(Reason.BAD_RECEIPT)
    found = Receipt(
        keys=fields.digest("keys"),
        session=fields.digest("session"),
        exercise=fields.digest("exercise"),
        model_claim=fields.digest("model_claim"),
        test_set=fields.digest("test_set"),
        runtime=fields.digest("runtime"),
        execution_class=fields.choice("execution_class", {n: n for n in (*EXECUTION_CLASSES, NO_CLASS)}),
        run=fields.integer("run", 1, MAX_RUNS),
        begun=fields.integer("begun", 0, MAX_TIME),
        round_to=fields.integer("round_to", 1, MAX_ROUNDING),
        counts=fields.items("counts", _count, MAX_CLAIMS, 1),
        handed_over=fields.integer("handed_over", 0, MAX_CLAIMS << 42),
        result_root=fields.digest("result_root"),
    )
    fields.raw("bits")
    fields.end()
    if said.predicate != found.document() or said.subjects != (Subject("exercise", found.exercise),):
        raise PeerError(Reason.BAD_RECEIPT, "the receipt's bits or subject do not follow from it")
    _same_run(found, stated)
    return found


def _count(fields: Fields) -> Count:
    population = fields.integer("population", 1, 1 << 42)
    found = Count(fields.text("id", 64), population, fields.integer("successes", 0, population))
    fields.end()
    return found
