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

    __slots__ = ("_left", "null", "opened", "products", "total")

    def __init__(self, size: int, null: int) -> None:
        self._left = size
        self.null = null
        self.opened = 0
        self.total = 0
        self.products = [ONE] * len(BETS)

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


def graded_test(plan: GradedPlan, scores: Sequence[int]) -> tuple[Decision | None, int]:
    """Run both one-sided tests over scores in ticket order.

    Returns:
        The decision, None while open, and the number of units it took.

    Raises:
        PeerError: OVER_CAP, for a score outside 0..x_max.
    """
    met = GradedProcess(plan.size, plan.threshold - 1)
    missed = GradedProcess(plan.size, plan.size * plan.top - plan.threshold)
    for n, score in enumerate(scores[: plan.budget], 1):
        if not 0 <= score <= plan.top:
            raise PeerError(Reason.OVER_CAP, f"expected a score in 0..{plan.top}, got {score}")
        met.push(score)
        missed.push(plan.top - score)
        up, down = met.crosses(plan.alpha_compliant), missed.crosses(plan.alpha_violation)
        if up and down:
            return Decision.INCONCLUSIVE, n
        if up or down:
            return (Decision.COMPLIANT if up else Decision.VIOLATION), n
    if len(scores) >= plan.budget:
        return Decision.INCONCLUSIVE, plan.budget
    return None, len(scores)


def comparison_score(claimed: int, confirmed: int, top: int) -> int:
    """What to feed where scores were claimed: x_max less the overstatement."""
    return top - max(claimed - confirmed, 0)
