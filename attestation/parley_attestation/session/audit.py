"""Room: the session. The audit inside a session: challenged units, grades, the stopping rule.

Everything is derived from committed bytes; nobody sends a grade. The state carries over to a later
attempt at the same exercise: the order goes on where it stood, answered units keep their commitments,
and a unit that was challenged and never answered counts against compliance only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from parley_attestation import graded
from parley_attestation.claims import GradedClaim, MetricClaim, SampledClaim
from parley_attestation.comparison import ClaimedResults, Compared, ComparisonTest, comparison_plan
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.frametest import FramePlan, FrameTest, require_decidable, threshold_count
from parley_attestation.graded import GradedPlan, GradedTest
from parley_attestation.grading import Outcome
from parley_attestation.pairs import unmark
from parley_attestation.profile import p_violation_over
from parley_attestation.session.messages import Unit
from parley_attestation.session.schedule import Frame, UnitName, order
from parley_attestation.session.turns import Blob, Withheld, blob_digest
from parley_attestation.terms import Terms


@dataclass(slots=True)
class Challenged:
    """One challenged unit and what the record has shown of it so far.

    `outcomes` has one entry for every metric claim over the unit's frame, once graded; it stays None
    where content was withheld or no answer came.
    """

    name: UnitName
    frame: int
    prompt_commitment: Digest
    reference_commitment: Digest
    prompt: Digest  # digest of the blob key || prompt
    output: Digest | None = None  # digest of the blob key || output
    output_commitment: Digest | None = None
    outcomes: tuple[Outcome | int, ...] | None = None
    unseen: bool = False
    reproduced: bool | None = None
    member: str = ""  # in a set of pairs, known with the reference
    claimed: bytes = b""  # codes of the audited receipt, once opened


@dataclass
class Audit:
    """The units of one exercise, in the order in which they were challenged."""

    claims: tuple[SampledClaim, ...]
    frames: tuple[Frame, ...]
    declared: tuple[int, ...]
    units: list[Challenged] = field(default_factory=list)
    pointers: list[int] = field(default_factory=list)
    starts: list[list[int]] = field(default_factory=list)
    opened: int = 0
    receipt: ClaimedResults | None = None
    _seed: tuple[Digest, Digest] | None = None  # root and seed that fix the orders
    _orders: dict[int, list[UnitName]] = field(
        default_factory=dict, repr=False, compare=False
    )  # as asked for
    _named: dict[UnitName, Challenged] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def begin(cls, terms: Terms, frames: tuple[Frame, ...], declared: tuple[int, ...]) -> "Audit":
        """An audit before the first challenge.

        Raises:
            PeerError: BAD_COUNT, where a declared count does not fit its claim.
        """
        claims = terms.sampled_claims
        if len(declared) != len(claims):
            raise PeerError(Reason.BAD_COUNT, f"expected {len(claims)} declared counts, got {len(declared)}")
        audit = cls(
            claims,
            frames,
            declared,
            pointers=[0] * len(frames),
            starts=[[] for _ in frames],
            receipt=terms.audited,
        )
        for number in range(len(claims)):
            audit.plan(number)
        return audit

    def continued(self) -> "Audit":
        """This audit as a later attempt takes it up: nothing is opened yet, the order goes on."""
        units = [replace(unit, outcomes=None) for unit in self.units]
        starts = [list(s) for s in self.starts]
        return Audit(
            self.claims,
            self.frames,
            self.declared,
            units,
            list(self.pointers),
            starts,
            receipt=self.receipt,
            _seed=self._seed,
            _orders=self._orders,
            _named={unit.name: unit for unit in units},
        )

    def plan(self, number: int) -> FramePlan | GradedPlan:
        """The plan of sampled claim `number`. Raises `PeerError` (BAD_COUNT, BAD_TERMS)."""
        claim, population = self.claims[number], self.frames[self.frame_of(self.claims[number])]
        declared = self.declared[number] or None
        top = claim.grader.top if isinstance(claim, GradedClaim) else 1
        whole = population.size * top
        threshold = threshold_count(
            claim.threshold.numerator, claim.threshold.denominator, whole, at_most=claim.at_most
        )
        if not 1 <= threshold <= whole:
            raise PeerError(Reason.BAD_TERMS, f"claim {claim.claim_id}: its threshold decides nothing")
        counted = isinstance(claim, MetricClaim) and self.receipt is None
        least = threshold if counted else whole + 1
        if declared is not None and not least <= declared <= whole:
            raise PeerError(
                Reason.BAD_COUNT,
                f"claim {claim.claim_id}: expected a count in {least}..{whole}, or none, got {declared}",
            )
        risks = claim.alpha_compliant, claim.alpha_violation
        if isinstance(claim, GradedClaim):
            graded_plan = GradedPlan(population.size, top, threshold, *risks, population.budget)
            graded.require_decidable(graded_plan)
            return graded_plan
        plan = FramePlan(population.size, threshold, declared, *risks, population.budget)
        require_decidable(
            plan if self.receipt is None else comparison_plan(plan, self.receipt.counts[number])
        )
        return plan

    def test(self, number: int) -> FrameTest | GradedTest | ComparisonTest:
        """A fresh test of sampled claim `number`."""
        plan = self.plan(number)
        if isinstance(plan, GradedPlan):
            return GradedTest(plan)
        if self.receipt is not None:
            return ComparisonTest(plan, self.receipt.counts[number], self.receipt.tolerance)
        return FrameTest(plan)

    def claimed_place(self, unit: Challenged) -> tuple[int, int]:
        """Where the audited receipt's tree has the result of a unit, and how many leaves it has."""
        sizes = [one.size for one in self.frames]
        return sum(sizes[: unit.frame]) + self.frames[unit.frame].position(unit.name), sum(sizes)

    def compared(self, number: int, *, reproduced: bool) -> list[Compared]:
        """Claimed and confirmed results of every challenged unit for one claim, in ticket order."""
        claim = self.claims[number]
        frame = self.frame_of(claim)
        position = self._members(frame).index(number)
        confirmed = self.successes(number, reproduced=reproduced)
        return [
            Compared(claimed(claim, unit[0].claimed[position]), None if one is None else bool(one))
            for unit, one in zip(self.frame_units(frame), confirmed, strict=True)
        ]

    def p_violation(self, number: int, *, reproduced: bool) -> Fraction:
        """The anytime-valid p-value against "the threshold is met", over all challenged units."""
        plan, units = self.plan(number), self.successes(number, reproduced=reproduced)
        if isinstance(plan, GradedPlan):
            return graded.p_violation_over(plan, units)
        return p_violation_over(plan.frame, plan.threshold, [None if u is None else bool(u) for u in units])

    def frame_of(self, claim: SampledClaim) -> int:
        """Position of the frame that a claim is about."""
        return next(n for n, f in enumerate(self.frames) if f.stratum == claim.stratum)

    def seed(self, root: Digest, seed: Digest) -> None:
        """Fix the order of every frame, once both coins are shown.

        A ticket for every unit is hashed only where an order is asked for, and once for all attempts, whose
        coins are the first one's: a short message would cost its reader a minute, and a sealed session asks
        for none.
        """
        if self._seed != (root, seed):
            self._seed, self._orders = (root, seed), {}

    def _order(self, number: int) -> list[UnitName]:
        if number not in self._orders:
            assert self._seed is not None
            self._orders[number] = order(self.frames[number], *self._seed)
        return self._orders[number]

    def next_units(self, number: int, count: int) -> list[UnitName]:
        """The next items of a frame in ticket order, at most `count` in whole units, within its budget."""
        start = self.pointers[number]
        count -= count % self.frames[number].group
        return self._order(number)[start : start + count]

    def check_challenge(self, units: Sequence[Unit]) -> list[int]:
        """The frame of every unit, where the units are the next ones in ticket order.

        Raises:
            PeerError: WRONG_INDEX or OVER_BUDGET, provable against the verifier.
        """
        pointers, found = list(self.pointers), []
        for unit in units:
            number = next((n for n, f in enumerate(self.frames) if unit.item in f), None)
            if number is None:
                raise PeerError(Reason.WRONG_INDEX, f"item {unit.item} stands in no population of the terms")
            at = pointers[number]
            if at >= len(self._order(number)):
                raise PeerError(
                    Reason.OVER_BUDGET, f"the budget of {self.frames[number].budget} units is used up"
                )
            expected = self._order(number)[at]
            if (unit.item, unit.sample) != expected:
                raise PeerError(
                    Reason.WRONG_INDEX,
                    f"expected unit {expected} next in ticket order, got {(unit.item, unit.sample)}",
                )
            pointers[number] += 1
            found.append(number)
        if any(at % frame.group for at, frame in zip(pointers, self.frames, strict=True)):
            raise PeerError(Reason.WRONG_UNITS, "both members of a pair are challenged in one turn")
        return found

    def challenge(self, units: Sequence[Unit], numbers: Sequence[int], blobs: Sequence[Blob]) -> None:
        """Take checked units and their prompts."""
        for number in sorted(set(numbers)):
            self.starts[number].append(self.challenged(number))
        for unit, number, blob in zip(units, numbers, blobs, strict=True):
            self.pointers[number] += 1
            one = Challenged(
                (unit.item, unit.sample),
                number,
                unit.prompt_commitment,
                unit.reference_commitment,
                blob_digest(blob),
                unseen=isinstance(blob, Withheld),
            )
            self.units.append(one)
            self._named[one.name] = one

    def waiting(self, count: int) -> list[Challenged]:
        """The `count` units of the last challenge."""
        return self.units[len(self.units) - count :]

    def challenged(self, number: int) -> int:
        """Challenged units of one frame."""
        return self.pointers[number] // self.frames[number].group

    def frame_units(self, number: int) -> Iterator[tuple[Challenged, ...]]:
        """The challenged units of one frame, in ticket order, each with its items."""
        items = [one for one in self.units if one.frame == number]
        group = self.frames[number].group
        return (tuple(items[at : at + group]) for at in range(0, len(items), group))

    def unmark(
        self, items: Sequence[Challenged], references: Sequence[bytes | None]
    ) -> list[tuple[str, bytes]]:
        """The member that each item is, and what graders read of its reference; None where it is withheld.

        Raises:
            PeerError: BAD_REGISTRATION, where a pair is not one of each member.
        """
        found = [
            ("", b"") if reference is None else unmark(reference, self.frames[one.frame].members)
            for one, reference in zip(items, references, strict=True)
        ]
        told: dict[UnitName, str] = {}
        for one, (member, _) in zip(items, found, strict=True):
            told[one.name] = member
            twin = one.name[0] ^ 1, one.name[1]
            before = self._named[twin].member if twin in self._named else ""
            if member and told.get(twin, before) == member:
                raise PeerError(Reason.BAD_REGISTRATION, f"item {one.name[0]} and its twin are one member")
        return found

    @property
    def complete(self) -> bool:
        """Whether the references of all challenged units have been shown."""
        return self.opened == len(self.units)

    @property
    def redacted(self) -> bool:
        """Whether any content of any unit was withheld."""
        return any(unit.unseen for unit in self.units)

    def claims_of(self, number: int) -> tuple[SampledClaim, ...]:
        """The claims over one frame, in the order of the terms."""
        return tuple(c for c in self.claims if self.frame_of(c) == number)

    def tests(self, *, reproduced: bool = False) -> "tuple[Tests, tuple[int, ...]]":
        """Run every claim's frame test; give the tests and the units that count in each frame.

        With `reproduced`, a unit that a chamber could not reproduce is a failure of every claim, and
        each test stops at the unit where the first run did, decided or not.
        """
        tests = tuple(self.test(n) for n in range(len(self.claims)))
        last = [test.n for test in self.tests()[0]] if reproduced else [test.plan.budget for test in tests]
        counts = []
        for number in range(len(self.frames)):
            members = [(n, k) for k, n in enumerate(self._members(number))]
            count = 0
            for unit in self.frame_units(number):
                going = [n for n, _ in members if tests[n].decision is None and tests[n].n < last[n]]
                if not going:
                    break
                count += 1
                for n, k in members:
                    if n in going:
                        value = self._success(unit, self.claims[n], k, reproduced=reproduced)
                        if self.receipt is not None:
                            value = Compared(claimed(self.claims[n], unit[0].claimed[k]), value)
                        tests[n].observe(value)
            counts.append(count)
        return tests, tuple(counts)

    def successes(self, number: int, *, reproduced: bool = False) -> list[int | None]:
        """The result of every challenged unit for one claim, in ticket order, counted or not."""
        claim = self.claims[number]
        frame = self.frame_of(claim)
        position = self._members(frame).index(number)
        return [
            self._success(unit, claim, position, reproduced=reproduced) for unit in self.frame_units(frame)
        ]

    def _members(self, number: int) -> list[int]:
        return [n for n, claim in enumerate(self.claims) if self.frame_of(claim) == number]

    @staticmethod
    def _success(
        unit: tuple[Challenged, ...], claim: SampledClaim, position: int, *, reproduced: bool
    ) -> Any:
        """A truth value, or a graded claim's points; None for a unit without an answer."""
        outcomes: dict[str, Any] = {}
        for one in unit:
            if one.outcomes is None:
                return None
            outcomes[one.member] = one.outcomes[position]
        if reproduced and not all(one.reproduced for one in unit):
            return False if isinstance(claim, MetricClaim) else 0
        return claim.result(outcomes)

    def check_stop(self, counts: Sequence[int]) -> "Tests":
        """Check the announced counts against the grades, once every reference is shown.

        Raises:
            PeerError: STOP_TOO_EARLY or STOP_TOO_LATE, blaming the verifier.
        """
        tests, derived = self.tests()
        for number, population in enumerate(self.frames):
            members = self._members(number)
            decided = all(tests[n].decision is not None for n in members)
            if not decided or counts[number] < derived[number]:
                raise PeerError(
                    Reason.STOP_TOO_EARLY,
                    f"stratum {population.stratum!r}: stopped at {counts[number]} units, undecided there",
                ).blame(Role.VERIFIER)
            if counts[number] > derived[number] or self.starts[number][-1] >= derived[number]:
                raise PeerError(
                    Reason.STOP_TOO_LATE,
                    f"stratum {population.stratum!r}: decided at {derived[number]} units, went on after that",
                ).blame(Role.VERIFIER)
        return tests

    def outcome_bytes(self) -> list[bytes]:
        """One byte per claim and unit: what the result bits commit to, in challenge order."""
        return [
            bytes(
                code(claim, unit.outcomes[n] if unit.outcomes is not None else None)
                for n, claim in enumerate(self.claims_of(unit.frame))
            )
            for unit in self.units
        ]


def claimed(claim: SampledClaim, byte: int) -> bool:
    """Whether a receipt's byte for a claim says success; no answer is none."""
    assert isinstance(claim, MetricClaim)  # terms audit no receipt about other claims
    return any(claim.result({"": outcome}) for outcome, known in OUTCOMES.items() if known == byte)


def code(claim: SampledClaim, outcome: Outcome | int | None) -> int:
    """The byte of one result: of an outcome, of a graded claim's score, or of no answer."""
    if isinstance(claim, GradedClaim):
        return _NO_SCORE if outcome is None else int(outcome)
    return OUTCOMES[outcome] if isinstance(outcome, Outcome) else UNANSWERED


Tests = tuple[FrameTest | GradedTest | ComparisonTest, ...]
UNANSWERED, _NO_SCORE = 4, 255
OUTCOMES = {Outcome.FAIL: 0, Outcome.PASS: 1, Outcome.REFUSE: 2, Outcome.INVALID: 3}
