"""Room: the verdict. The frame test's sibling for graded scores, in 64-bit fixed point rounded down.

Scores are integers in 0..x_max over a finite committed population of N units, opened without
replacement. Against "the total is at most T0", with S the sum of the scores before unit j,

    factor_c = (1 - c) + c x (N - j + 1) / (T0 - S)        c in {1, 2, 4, 8, 16, 24, 30} / 32

has conditional mean at most 1 (Kaplan and Wald), and so has the running product. Each product is kept
as an integer in units of 2^-64 and rounded down after every unit, which keeps it a test process and
makes it the same everywhere; their average decides. S > T0 is certain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from parley_attestation.errors import PeerError, Reason
from parley_attestation.frametest import MAX_BUDGET, Decision

ONE = 1 << 64  # the fixed-point 1
BETS = (1, 2, 4, 8, 16, 24, 30)  # in 32nds
_WHOLE = 32


class GradedProcess:
    """The test process against "the total of `size` scores is at most `null`"."""

    __slots__ = ("_best", "_left", "null", "opened", "products", "total")

    def __init__(self, size: int, null: int) -> None:
        self._left = size
        self.null = null
        self.opened = 0
        self.total = 0
        self.products = [ONE] * len(BETS)
        self._best = ONE * len(BETS)

    @property
    def certain(self) -> bool:
        """The opened scores contradict the null hypothesis outright."""
        return self.total > self.null

    def push(self, score: int) -> None:
        """Take the score of the next unit."""
        room = self.null - self.total
        if room > 0:
            self.products = [
                product * ((_WHOLE - bet) * room + bet * score * self._left) // (_WHOLE * room)
                for product, bet in zip(self.products, BETS, strict=True)
            ]
        else:  # nothing is left under the null hypothesis: a score of 0 loses the bet, any other is certain
            self.products = [
                product * (_WHOLE - bet) // _WHOLE for product, bet in zip(self.products, BETS, strict=True)
            ]
        self.total += score
        self._left -= 1
        self.opened += 1
        self._best = max(self._best, sum(self.products))

    def p_value(self) -> Fraction:
        """The anytime-valid p-value, 1 over the greatest average product of the path so far."""
        return Fraction(0) if self.certain else Fraction(ONE * len(BETS), self._best)

    def crosses(self, alpha: Fraction) -> bool:
        """Say whether the average product is at least 1/alpha now; a tie crosses."""
        wealth = sum(self.products) * alpha.numerator
        return self.certain or wealth >= len(BETS) * ONE * alpha.denominator


@dataclass(frozen=True, slots=True)
class GradedPlan:
    """Everything that decides a graded test, fixed before the order is known.

    Attributes:
        size: Units in the population, N.
        top: Greatest score of a unit, x_max, 1 to 2^32.
        threshold: Least total that meets the claim, 1 to N x_max.
        alpha_compliant: Risk of a false COMPLIANT, above 0 and at most 1/2.
        alpha_violation: Risk of a false VIOLATION, above 0 and at most 1/2.
        budget: Most units that may be opened, 1 to N and at most 2^18.
    """

    size: int
    top: int
    threshold: int
    alpha_compliant: Fraction
    alpha_violation: Fraction
    budget: int

    def __post_init__(self) -> None:
        """Refuse a plan that means nothing. Raises `PeerError` (BAD_TERMS)."""
        sound = (
            1 <= self.top <= 1 << 32
            and 1 <= self.threshold <= self.size * self.top
            and 1 <= self.budget <= min(self.size, MAX_BUDGET)
            and all(0 < alpha <= Fraction(1, 2) for alpha in (self.alpha_compliant, self.alpha_violation))
        )
        if not sound:
            raise PeerError(Reason.BAD_TERMS, "expected a graded plan with every number in its range")


@dataclass(frozen=True, slots=True)
class GradedResult:
    """What a graded test found.

    Attributes:
        decision: None while the test is still open.
        opened: Units opened, n.
        total: Sum of the scores that could be graded.
        p_compliant: Anytime-valid p-value against "the threshold is missed".
        p_violation: Anytime-valid p-value against "the threshold is met".
        total_low: Least total of the population not rejected at `alpha_compliant`.
        total_high: Greatest total of the population not rejected at `alpha_violation`.
    """

    decision: Decision | None
    opened: int
    total: int
    p_compliant: Fraction
    p_violation: Fraction
    total_low: int
    total_high: int


class GradedTest:
    """The two tests of one graded claim, fed unit by unit in ticket order."""

    def __init__(self, plan: GradedPlan) -> None:
        """Start with no unit opened."""
        self.plan = plan
        self.decision: Decision | None = None
        self._met = GradedProcess(plan.size, plan.threshold - 1)
        self._missed = GradedProcess(plan.size, plan.size * plan.top - plan.threshold)
        self._path: list[int | None] = []

    @property
    def n(self) -> int:
        """Units opened so far."""
        return len(self._path)

    @property
    def total(self) -> int:
        """Sum of the scores so far."""
        return self._met.total

    def observe(self, score: int | None) -> Decision | None:
        """Take the next unit in ticket order and say whether the test is decided.

        Args:
            score: 0..x_max; None for a unit that could not be opened or graded, which scores nothing in
                the COMPLIANT test and x_max in the VIOLATION test.

        Raises:
            PeerError: OVER_CAP, for a score outside 0..x_max; OVER_BUDGET, for a unit after the decision.
        """
        plan = self.plan
        if self.decision is not None:
            raise PeerError(Reason.OVER_BUDGET, f"expected no unit after {self.decision} at {self.n}")
        if score is not None and not 0 <= score <= plan.top:
            raise PeerError(Reason.OVER_CAP, f"expected a score in 0..{plan.top}, got {score}")
        self._path.append(score)
        self._met.push(score or 0)
        self._missed.push(0 if score is None else plan.top - score)
        up, down = self._met.crosses(plan.alpha_compliant), self._missed.crosses(plan.alpha_violation)
        if up and down:
            self.decision = Decision.INCONCLUSIVE
        elif up or down:
            self.decision = Decision.COMPLIANT if up else Decision.VIOLATION
        elif self.n == plan.budget:
            self.decision = Decision.INCONCLUSIVE
        return self.decision

    def result(self) -> GradedResult:
        """Everything the path so far shows; each bound costs log2(N x_max) passes over it."""
        plan = self.plan
        scores = [score or 0 for score in self._path]
        missing = [0 if score is None else plan.top - score for score in self._path]
        whole = plan.size * plan.top
        return GradedResult(
            self.decision,
            self.n,
            self.total,
            self._met.p_value(),
            self._missed.p_value(),
            total_low(plan, plan.alpha_compliant, scores),
            whole - total_low(plan, plan.alpha_violation, missing),
        )


def total_low(plan: GradedPlan, alpha: Fraction, scores: Sequence[int]) -> int:
    """The least total whose test is not rejected anywhere on the path: a lower bound at risk `alpha`.

    Rejection is monotone: every factor falls with the total under test, and so does every rounded
    product. Hence bisection.
    """
    low, high = sum(scores), plan.size * plan.top
    while low < high:
        middle = (low + high) // 2
        if _rejected(GradedProcess(plan.size, middle), alpha, scores):
            low = middle + 1
        else:
            high = middle
    return low


def _rejected(process: GradedProcess, alpha: Fraction, scores: Sequence[int]) -> bool:
    for score in scores:
        process.push(score)
        if process.crosses(alpha):
            return True
    return False


def p_violation_over(plan: GradedPlan, scores: Sequence[int | None]) -> Fraction:
    """The anytime-valid p-value against "the threshold is met", over all opened units."""
    process = GradedProcess(plan.size, plan.size * plan.top - plan.threshold)
    for score in scores:
        process.push(0 if score is None else plan.top - score)
    return process.p_value()


def require_decidable(plan: GradedPlan) -> None:
    """Refuse a plan that no scores within its budget decide. Raises `PeerError` (BAD_TERMS)."""
    up = GradedProcess(plan.size, plan.threshold - 1)
    down = GradedProcess(plan.size, plan.size * plan.top - plan.threshold)
    for _ in range(plan.budget):
        up.push(plan.top)
        down.push(plan.top)
        if up.crosses(plan.alpha_compliant) or down.crosses(plan.alpha_violation):
            return
    raise PeerError(
        Reason.BAD_TERMS,
        f"a budget of {plan.budget} of {plan.size} units cannot lead to any verdict at these risks",
        hint="raise the budget or the risks",
    )
