"""Room: the verdict. The exact frame test over a finite committed population; session and judge call it.

A frame of F units is opened in a fixed random order. The asserting party says that at least `threshold`
of them are successes. Two one-sided tests run side by side, one against "at most threshold - 1
successes", one against "at most F - threshold failures"; each is a test martingale, so it may be looked
at after every unit (Ville's inequality), and the first crossing is final. Everything here is an integer
or a `Fraction`: any third party recomputes the decision bit for bit.

The e-value against "at most K0 successes" after s successes and f failures, n = s + f, with the uniform
prior over the counts above K0 and, where a count K* was declared, an equal weight on it
(spec section "Frame test"; the prior-posterior ratio of Waudby-Smith and Ramdas 2020, one-sided):

    T = sum over k = K0+1..F of C(k, s) C(F-k, f) = sum over j = 0..s of C(K0+1, j) C(F-K0, n+1-j)
    E = (C(K*, s) C(F-K*, f) (F-K0) + T) / (2 (F-K0) C(K0, s) C(F-K0, f))    with a declared count
    E = T / ((F-K0) C(K0, s) C(F-K0, f))                                     without
    s > K0: E is infinite (certain).   f > F - K0: E = 0 (the null hypothesis is certain).

`OneSided` keeps h = C(K0, s) C(F-K0, f) and T up to date with a few products of a long and a short
integer per unit. With m = n + 1 and g = C(K0+1, s+1) C(F-K0, f+1):

    failure: (m+1) T' = (F+1-m) T - (s+1) g        success: (m+1) T' = (F+1-m) T + (f+1) g
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from fractions import Fraction

from parley_attestation.encoding import MAX_ITEMS
from parley_attestation.errors import PeerError, Reason

MAX_BUDGET = 1 << 18  # units that one test may open; bounds the work of a judge, spec section "Limits"
_LEADING_BITS = 96  # bits compared before two ratios are compared in full


class Decision(StrEnum):
    """What a test says; spec section "Verdicts"."""

    COMPLIANT = "COMPLIANT"
    VIOLATION = "VIOLATION"
    INCONCLUSIVE = "INCONCLUSIVE"


class Certain(Enum):
    """The e-value of a hypothesis that the opened units contradict outright: infinite."""

    CERTAIN = "certain"


CERTAIN = Certain.CERTAIN
EValue = Fraction | Certain


def threshold_count(numerator: int, denominator: int, size: int, *, at_most: bool) -> int:
    """The least number of successes among `size` units that meets the rate numerator/denominator.

    Args:
        numerator: Of the rate.
        denominator: Of the rate, at least 1.
        size: Units in the population, at least 1.
        at_most: The rate caps failures (a success is a harmless unit) instead of flooring successes.

    Raises:
        PeerError: BAD_TERMS, where the rate lies outside 0..1 or the size below 1.
    """
    if denominator < 1 or not 0 <= numerator <= denominator:
        raise PeerError(Reason.BAD_TERMS, f"expected a rate in 0..1, got {numerator}/{denominator}")
    if size < 1:
        raise PeerError(Reason.BAD_TERMS, f"expected at least 1 unit, got {size}")
    if at_most:
        return size - numerator * size // denominator
    return -(-numerator * size // denominator)


@dataclass(frozen=True, slots=True)
class FramePlan:
    """Everything that decides a frame test, fixed before the order of the units is known.

    Attributes:
        frame: Units in the frame, F.
        threshold: Least number of successes that meets the claim, 1..F.
        declared: The count the prover declares, threshold..F; None for the uniform prior alone.
        alpha_compliant: Risk of a false COMPLIANT, above 0 and at most 1/2.
        alpha_violation: Risk of a false VIOLATION, above 0 and at most 1/2.
        budget: Most units that may be opened, 1..F and at most 2^18.
    """

    frame: int
    threshold: int
    declared: int | None
    alpha_compliant: Fraction
    alpha_violation: Fraction
    budget: int

    def __post_init__(self) -> None:
        """Refuse a plan that means nothing. Raises `PeerError` (BAD_TERMS)."""
        _within("frame", self.frame, 1, MAX_ITEMS)
        _within("threshold", self.threshold, 1, self.frame)
        _within("budget", self.budget, 1, min(self.frame, MAX_BUDGET))
        if self.declared is not None:
            _within("declared count", self.declared, self.threshold, self.frame)
        for alpha in (self.alpha_compliant, self.alpha_violation):
            if not isinstance(alpha, Fraction) or not 0 < alpha <= Fraction(1, 2):
                raise PeerError(Reason.BAD_TERMS, f"expected a risk above 0 and at most 1/2, got {alpha}")


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise PeerError(Reason.BAD_TERMS, f"expected a {name} in {low}..{high}, got {value}")


def _greater(left: tuple[int, int], right: tuple[int, int]) -> bool:
    """Compare two ratios of long non-negative integers; most pairs differ within their leading bits."""
    one_low, one_high, one_shift = _product(left[0], right[1])
    two_low, two_high, two_shift = _product(right[0], left[1])
    shift = one_shift - two_shift
    one_up, two_up = max(shift, 0), max(-shift, 0)
    if one_low << one_up >= two_high << two_up:
        return True
    if one_high << one_up <= two_low << two_up:
        return False
    return left[0] * right[1] > right[0] * left[1]


def _product(one: int, other: int) -> tuple[int, int, int]:
    """Integers (low, high, shift) with low * 2^shift <= one * other < high * 2^shift."""
    one_shift = max(one.bit_length() - _LEADING_BITS, 0)
    other_shift = max(other.bit_length() - _LEADING_BITS, 0)
    one, other = one >> one_shift, other >> other_shift
    return one * other, (one + 1) * (other + 1), one_shift + other_shift


class OneSided:
    """The test process against "at most `null` successes among `frame` units".

    Args:
        frame: Units in the frame, F.
        null: K0, 0..F-1.
        declared: K*; a declared count below K0 is taken as K0, which leaves its half of the e-value at 1.
    """

    __slots__ = (
        "_best",
        "_declared",
        "_declared_product",
        "_null_product",
        "_total",
        "failures",
        "frame",
        "null",
        "successes",
    )

    def __init__(self, frame: int, null: int, declared: int | None) -> None:
        self.frame = frame
        self.null = null
        self.successes = 0
        self.failures = 0
        self._declared = None if declared is None else max(declared, null)
        self._declared_product = 1  # C(K*, s) C(F-K*, f)
        self._null_product = 1  # C(K0, s) C(F-K0, f)
        self._total = frame - null  # T
        self._best = (1, 1)

    @property
    def certain(self) -> bool:
        """The opened units contradict the null hypothesis outright."""
        return self.successes > self.null

    def push(self, success: bool) -> None:  # noqa: FBT001 - the one thing a unit is
        """Take the next unit."""
        s, f, above, m = (
            self.successes,
            self.failures,
            self.frame - self.null,
            self.successes + self.failures + 1,
        )
        grown = self._null_product * ((self.null + 1) * (above - f))
        kept = (self.frame + 1 - m) * self._total
        if success:
            self._total = (kept + grown // (s + 1)) // (m + 1)
            self._null_product = self._null_product * (self.null - s) // (s + 1)
            self.successes += 1
        else:
            self._total = (kept - grown // (f + 1)) // (m + 1)
            self._null_product = self._null_product * (above - f) // (f + 1)
            self.failures += 1
        if self._declared is not None:
            left = self._declared - s if success else self.frame - self._declared - f
            self._declared_product = self._declared_product * left // (s + 1 if success else f + 1)
        if success and not self.certain and _greater(ratio := self._ratio(), self._best):
            self._best = ratio

    def _ratio(self) -> tuple[int, int]:
        """Numerator and denominator of E, not reduced; only for a null hypothesis still possible."""
        above = self.frame - self.null
        if self._null_product == 0:  # more failures than the null hypothesis allows: it is certain
            return 0, 1
        if self._declared is None:
            return self._total, above * self._null_product
        return self._declared_product * above + self._total, 2 * above * self._null_product

    def crosses(self, alpha: Fraction) -> bool:
        """Say whether E is at least 1/alpha now; a tie crosses."""
        if self.certain:
            return True
        numerator, denominator = self._ratio()
        return numerator * alpha.numerator >= denominator * alpha.denominator

    def e_value(self) -> EValue:
        """E after the units so far."""
        return CERTAIN if self.certain else Fraction(*self._ratio())

    def p_value(self) -> Fraction:
        """The anytime-valid p-value, 1 / max E over the path so far."""
        return Fraction(0) if self.certain else Fraction(self._best[1], self._best[0])


@dataclass(frozen=True, slots=True)
class FrameResult:
    """What a frame test found, exactly.

    Attributes:
        decision: None while the test is still open.
        crossed_at: Units opened when a boundary was crossed; None without a crossing.
        opened: Units opened, n.
        successes: Confirmed successes.
        failures: Confirmed failures; the rest of the opened units could not be graded.
        e_compliant: E against "the threshold is missed", after the last unit.
        e_violation: E against "the threshold is met", after the last unit.
        p_compliant: Anytime-valid p-value against "the threshold is missed".
        p_violation: Anytime-valid p-value against "the threshold is met".
        count_low: Least count of successes in the frame not rejected at `alpha_compliant`.
        count_high: Greatest count of successes in the frame not rejected at `alpha_violation`.
    """

    decision: Decision | None
    crossed_at: int | None
    opened: int
    successes: int
    failures: int
    e_compliant: EValue
    e_violation: EValue
    p_compliant: Fraction
    p_violation: Fraction
    count_low: int
    count_high: int


class FrameTest:
    """The two tests of one claim, fed unit by unit in ticket order."""

    def __init__(self, plan: FramePlan) -> None:
        """Start with no unit opened."""
        self.plan = plan
        self.decision: Decision | None = None
        self.crossed_at: int | None = None
        self.successes = 0
        self.failures = 0
        self._compliant = OneSided(plan.frame, plan.threshold - 1, plan.declared)
        self._violation = OneSided(plan.frame, plan.frame - plan.threshold, None)
        self._path: list[bool | None] = []

    @property
    def n(self) -> int:
        """Units opened so far."""
        return len(self._path)

    @property
    def total(self) -> int:
        """Confirmed successes so far."""
        return self.successes

    def observe(self, success: bool | None) -> Decision | None:  # noqa: FBT001 - the one thing a unit is
        """Take the next unit in ticket order and say whether the test is decided.

        Args:
            success: The unit's confirmed result; None for a unit that could not be opened or graded, which
                counts as a failure in the COMPLIANT test and as a success in the VIOLATION test.

        Raises:
            PeerError: OVER_BUDGET, for a unit after the decision.
        """
        if self.decision is not None:
            raise PeerError(Reason.OVER_BUDGET, f"expected no unit after {self.decision} at {self.n}")
        self._path.append(success)
        self.successes += success is True
        self.failures += success is False
        self._compliant.push(success is True)
        self._violation.push(success is False)
        met = self._compliant.crosses(self.plan.alpha_compliant)
        missed = self._violation.crosses(self.plan.alpha_violation)
        if met or missed:
            self.crossed_at = self.n
        if met and missed:
            self.decision = Decision.INCONCLUSIVE
        elif met:
            self.decision = Decision.COMPLIANT
        elif missed:
            self.decision = Decision.VIOLATION
        elif self.n == self.plan.budget:
            self.decision = Decision.INCONCLUSIVE
        return self.decision

    def result(self) -> FrameResult:
        """Everything the path so far shows; the count bounds cost about 2 log2(F) passes over it."""
        plan = self.plan
        confirmed = [unit is True for unit in self._path]
        refuted = [unit is False for unit in self._path]
        most_failures = count_low(plan.frame, None, plan.alpha_violation, refuted)
        return FrameResult(
            self.decision,
            self.crossed_at,
            self.n,
            self.successes,
            self.failures,
            self._compliant.e_value(),
            self._violation.e_value(),
            self._compliant.p_value(),
            self._violation.p_value(),
            count_low(plan.frame, plan.declared, plan.alpha_compliant, confirmed),
            plan.frame - most_failures,
        )


def count_low(frame: int, declared: int | None, alpha: Fraction, path: list[bool]) -> int:
    """The first K0 whose test is not rejected anywhere on `path`: a lower bound on the count at risk `alpha`.

    Rejection is monotone in K0: the likelihood is log-concave in the count, so a rejected K0 has every
    smaller one rejected at the same unit. Hence bisection.
    """
    low, high = sum(path), frame  # every K0 below the confirmed successes is rejected for certain
    while low < high:
        middle = (low + high) // 2
        if _rejected(OneSided(frame, middle, declared), alpha, path):
            low = middle + 1
        else:
            high = middle
    return low


def _rejected(test: OneSided, alpha: Fraction, path: list[bool]) -> bool:
    for unit in path:
        test.push(unit)
        if unit and test.crosses(alpha):
            return True
    return False


@dataclass(frozen=True, slots=True)
class Earliest:
    """The fewest units after which each verdict is possible at all; None where the budget is too small."""

    compliant: int | None
    violation: int | None


def earliest(plan: FramePlan) -> Earliest:
    """How soon a plan can decide: all successes for COMPLIANT, all failures for VIOLATION."""
    return Earliest(
        _first(OneSided(plan.frame, plan.threshold - 1, plan.declared), plan.alpha_compliant, plan.budget),
        _first(OneSided(plan.frame, plan.frame - plan.threshold, None), plan.alpha_violation, plan.budget),
    )


def require_decidable(plan: FramePlan) -> None:
    """Refuse a plan that cannot decide; both parties check it before they sign.

    Both directions go forward together, so that the check is cheap for any population: whatever the
    threshold, one of them crosses after a few hundred units or the budget ends.

    Raises:
        PeerError: BAD_TERMS, where no results within the budget lead to a verdict.
    """
    up = OneSided(plan.frame, plan.threshold - 1, plan.declared)
    down = OneSided(plan.frame, plan.frame - plan.threshold, None)
    for _ in range(plan.budget):
        up.push(success=True)
        down.push(success=True)
        if up.crosses(plan.alpha_compliant) or down.crosses(plan.alpha_violation):
            return
    raise PeerError(
        Reason.BAD_TERMS,
        f"a budget of {plan.budget} of {plan.frame} units cannot lead to any verdict at these risks",
        hint="raise the budget or the risks",
    )


def _first(test: OneSided, alpha: Fraction, budget: int) -> int | None:
    for n in range(1, budget + 1):
        test.push(success=True)
        if test.crosses(alpha):
            return n
    return None
