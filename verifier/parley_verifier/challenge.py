"""Room: the verifier. The verifier's policy: which units come next, when to stop, what to open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from parley_attestation.claims import SampledClaim
from parley_attestation.commitment import Field
from parley_attestation.comparison import Compared
from parley_attestation.edge.attempts import earlier_attempts
from parley_attestation.edge.endpoint import Draft, Secret, acknowledgement
from parley_attestation.edge.journal import Also, Journal
from parley_attestation.encoding import MAX_UNITS_PER_TURN, Digest, Nonce, Salt
from parley_attestation.envelope import from_json
from parley_attestation.errors import LocalError, Reason, Role
from parley_attestation.pairs import unmark
from parley_attestation.session import messages as m
from parley_attestation.session.agreement import SUITE, VERSION, coin_commitment
from parley_attestation.session.audit import Audit, Challenged, Tests, claimed
from parley_attestation.session.facts import Channel
from parley_attestation.session.machine import Machine
from parley_attestation.session.schedule import most_units
from parley_attestation.session.tables import State
from parley_attestation.session.turns import stream_digest
from parley_attestation.statement import parse
from parley_attestation.terms import Terms, exercise_id

from parley_verifier.results import SealedResults

_PER_UNIT = 96  # bytes of a unit in an envelope besides its proof
_PER_RESULT = 64 + 34 * 42 + 64  # bytes of a claimed result at most: key, proof, codes
_ENVELOPE = 900_000  # bytes of units in one envelope; below the limit with room for header and digest


class HiddenSet(Protocol):
    """A registered test set with its secrets, read item by item."""

    registration: bytes

    def prompt(self, index: int) -> bytes:
        """The prompt of an item."""

    def reference(self, index: int) -> bytes:
        """The reference of an item."""

    def key(self, index: int, field: Field) -> Salt:
        """The key that opens one field of an item."""

    def commitment(self, index: int, field: Field) -> Digest:
        """The commitment to one field of an item."""

    def inclusion(self, index: int) -> tuple[Digest, ...]:
        """The inclusion proof of an item."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How an exercise goes: units answered, the most there can be, and what the first claim has of them."""

    answered: int
    budget: int
    successes: int


class VerifierPolicy:
    """The verifier's side of one session.

    Args:
        history: The verifier's key history.
        channel: The TLS certificates of the connection.
        terms: The sealed terms to propose.
        tests: The hidden test set.
        progress: Called after every answered challenge.
        journal: Where earlier attempts at this exercise stand; None begins the first.
        results: The results of the sealed run whose receipt the terms audit.
        chamber: Has a chamber re-execute a session whose references are all shown; gives its sealed binding.
    """

    role = Role.VERIFIER

    def __init__(  # noqa: PLR0913, PLR0917 - each a part of one session
        self,
        history: tuple[bytes, ...],
        channel: Channel,
        terms: bytes,
        tests: HiddenSet,
        progress: Callable[[Progress], None] = lambda _: None,
        journal: Journal | None = None,
        chamber: Callable[[Machine], bytes] | None = None,
        results: SealedResults | None = None,
    ) -> None:
        self._history = history
        self._channel = channel
        self._terms = terms
        self._exercise = exercise_id(parse(from_json(terms).payload))
        self._tests = tests
        self._progress = progress
        self._journal = journal
        self._chamber = chamber
        self._results = results
        self._graded = 0
        self._running: Tests = ()

    def propose(self, machine: Machine, secret: Secret) -> Draft:
        """The verifier's next message."""
        match machine.state:
            case State.START:
                return Draft(self._hello(machine, secret))
            case State.READY:
                return Draft(self._propose(secret))
            case State.ACCEPTED:
                secret = self._first(secret)
                return Draft(m.Coin(Nonce(secret.derive(b"coin")), secret.derive(b"coin-key")))
            case State.SEEDED:
                return self._challenge_or_stop(machine)
            case State.STOPPED | State.OPENED if not self._audit(machine).complete:
                return self._open(machine)
            case State.OPENED if self._agreed(machine).runtime is not None:
                return Draft(m.Binding(self._bound(machine)))
            case State.OPENED | State.BOUND:
                return acknowledgement(machine, secret)
        raise LocalError(Reason.INTERNAL, f"the verifier has nothing to say in state {machine.state}")

    def received(self, machine: Machine, body: m.Body) -> tuple[Also, ...]:
        """Nothing becomes true with the prover's messages but what the journal holds."""
        del machine, body
        return ()

    def side_record(self, machine: Machine, sealed: bytes) -> None:
        """Side records are kept; none changes what the verifier does."""

    def _audit(self, machine: Machine) -> Audit:
        assert machine.facts.audit is not None
        return machine.facts.audit

    def _agreed(self, machine: Machine) -> Terms:
        assert machine.facts.terms is not None
        return machine.facts.terms

    def _bound(self, machine: Machine) -> bytes:
        """The statement of the chamber that the terms demand."""
        if self._chamber is None:
            raise LocalError(
                Reason.CONFIG,
                "the terms demand a chamber, and none is configured",
                hint="have the saved record re-executed (parley chamber reexecute), name its statement, run again",
            )
        return self._chamber(machine)

    def _hello(self, machine: Machine, secret: Secret) -> m.Hello:
        return m.Hello(
            (VERSION,),
            (SUITE,),
            (machine.mode,),
            self._history,
            Nonce(secret.derive(b"nonce")),
            self._channel.verifier,
            self._channel.prover,
        )

    def _first(self, secret: Secret) -> Secret:
        """The secret of the first attempt: coins stay what they were."""
        rows = self._journal.attempts(Role.VERIFIER, self._exercise) if self._journal else []
        return Secret(rows[0].secret) if rows else secret

    def _propose(self, secret: Secret) -> m.Propose:
        secret = self._first(secret)
        earlier = earlier_attempts(self._journal, Role.VERIFIER)(self._exercise) if self._journal else None
        commitment = coin_commitment(
            secret.derive(b"coin-key"), self._exercise, Role.VERIFIER, secret.derive(b"coin")
        )
        if earlier is None:
            return m.Propose(self._terms, 1, (), commitment, self._tests.registration)
        if earlier.over:
            raise LocalError(
                Reason.CONFIG, "this exercise has ended: nothing can continue it", hint="make new terms"
            )
        heads = (*earlier.facts.earlier_heads, earlier.head)
        return m.Propose(self._terms, earlier.facts.attempt + 1, heads, commitment, self._tests.registration)

    def _grade(self, machine: Machine) -> None:
        """Bring the own frame tests up to date with every answered unit."""
        audit = self._audit(machine)
        if not self._running:
            self._running = tuple(audit.test(n) for n in range(len(audit.claims)))
        while self._graded < len(audit.units):
            frame = audit.units[self._graded].frame
            unit = audit.units[self._graded : self._graded + audit.frames[frame].group]
            if unit[0].output is None and self._graded >= len(audit.units) - machine.facts.pending:
                return
            for number, (claim, test) in enumerate(zip(audit.claims, self._running, strict=True)):
                if audit.frame_of(claim) == frame and test.decision is None:
                    test.observe(self._observed(machine, number, unit))
            self._graded += len(unit)

    def _result(self, machine: Machine, claim: SampledClaim, unit: Sequence[Challenged]) -> Any:
        """What a unit is worth to a claim; None where an earlier attempt broke off before the answer."""
        outcomes: dict[str, Any] = {}
        for one in unit:
            blob = machine.contents.get(one.output) if one.output is not None else None
            if blob is None:
                return None
            members = self._audit(machine).frames[one.frame].members
            member, reference = unmark(self._tests.reference(one.name[0]), members)
            if member in outcomes:
                raise LocalError(
                    Reason.CORRUPT,
                    f"item {one.name[0]} and its twin are one member, {member}, in the test set",
                )
            outcomes[member] = claim.grade(blob[32:], reference)
        return claim.result(outcomes)

    def _opened(self, machine: Machine, unit: Challenged) -> m.ClaimedResult:
        """What the audited receipt commits to of a unit."""
        if self._results is None:
            raise LocalError(
                Reason.CONFIG,
                "the terms audit a receipt, and its results are not configured",
                hint="name the file of results of the sealed run",
            )
        return self._results.opened(self._audit(machine).claimed_place(unit)[0])

    def _observed(self, machine: Machine, number: int, unit: Sequence[Challenged]) -> Any:
        """What the test of a claim takes: what a unit is worth, beside what was claimed of it in an audit."""
        audit = self._audit(machine)
        claim = audit.claims[number]
        found = self._result(machine, claim, unit)
        if audit.receipt is None:
            return found
        position = audit.claims_of(unit[0].frame).index(claim)
        return Compared(claimed(claim, self._opened(machine, unit[0]).codes[position]), found)

    def _challenge_or_stop(self, machine: Machine) -> Draft:
        self._grade(machine)
        audit = self._audit(machine)
        if self._graded:
            budget = sum(population.budget for population in audit.frames)
            self._progress(Progress(self._graded, budget, self._running[0].total))
        counts = []
        for number in range(len(audit.frames)):
            tests = [
                test
                for claim, test in zip(audit.claims, self._running, strict=True)
                if audit.frame_of(claim) == number
            ]
            if any(test.decision is None for test in tests):
                return self._challenge(machine, number)
            counts.append(max(test.n for test in tests))
        return Draft(m.Stop(tuple(counts)))

    def _challenge(self, machine: Machine, number: int) -> Draft:
        audit, terms = self._audit(machine), self._agreed(machine)
        units: list[m.Unit] = []
        blobs: list[bytes] = []
        content = signed = 0
        group = audit.frames[number].group
        for item, sample in audit.next_units(number, most_units(terms)):
            prompt, proof = self._tests.prompt(item), self._tests.inclusion(item)
            content += 32 + len(prompt)
            signed += _PER_UNIT + 34 * len(proof)
            if units and (content > terms.caps.turn or signed > _ENVELOPE):
                whole = len(units) - len(units) % group  # a pair goes out whole
                del units[whole:], blobs[whole:]
                break
            units.append(
                m.Unit(
                    item,
                    sample,
                    self._tests.commitment(item, Field.PROMPT),
                    self._tests.commitment(item, Field.REFERENCE),
                    proof,
                    len(prompt),
                )
            )
            blobs.append(self._tests.key(item, Field.PROMPT) + prompt)
        return Draft(m.Challenge(tuple(units), stream_digest(blobs)), tuple(blobs))

    def _open(self, machine: Machine) -> Draft:
        audit, terms = self._audit(machine), self._agreed(machine)
        sizes: list[int] = []
        blobs: list[bytes] = []
        content = signed = 0
        for unit in audit.units[audit.opened : audit.opened + MAX_UNITS_PER_TURN]:
            reference = self._tests.reference(unit.name[0])
            content += 32 + len(reference)
            signed += _PER_RESULT if audit.receipt is not None else 0
            if blobs and (content > terms.caps.turn or signed > _ENVELOPE):
                break
            sizes.append(len(reference))
            blobs.append(self._tests.key(unit.name[0], Field.REFERENCE) + reference)
        shown = audit.units[audit.opened : audit.opened + len(sizes)] if audit.receipt is not None else ()
        results = tuple(self._opened(machine, unit) for unit in shown)
        return Draft(m.Open(tuple(sizes), stream_digest(blobs), results), tuple(blobs))
