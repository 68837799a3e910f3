"""Room: the verdict. Several claims make a profile, several verdicts an agreement; pure and exact.

The two directions are not symmetric (spec section "Profiles"). COMPLIANT needs every claim COMPLIANT, each
at its own risk, without correction: an intersection-union test (Berger 1982). An accusation is corrected
for their number by Holm's procedure on anytime-valid p-values, under any dependence, and claims may stop
at different units. Running maxima of e-values are neither averaged nor fed to e-BH, which would be invalid.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb

from parley_attestation.errors import PeerError, Reason
from parley_attestation.frametest import Decision, OneSided


@dataclass(frozen=True, slots=True)
class ProfileVerdict:
    """What a profile says, and the positions of the claims whose VIOLATION survives Holm's procedure."""

    decision: Decision
    accused: tuple[int, ...]


def profile_verdict(
    decisions: Sequence[Decision], p_violation: Sequence[Fraction], alpha_violation: Fraction
) -> ProfileVerdict:
    """Combine the claims of a profile.

    Args:
        decisions: The verdict of each claim.
        p_violation: The anytime-valid p-value of each claim against "the threshold is met"; it may go on
            falling over units opened after the claim's own decision (`p_violation_over`).
        alpha_violation: Risk that any of the accusations is false.

    Raises:
        PeerError: BAD_TERMS, for an empty profile.
    """
    if not decisions or len(decisions) != len(p_violation):
        raise PeerError(Reason.BAD_TERMS, "expected a profile of at least one claim, each with a p-value")
    accused = holm(p_violation, alpha_violation)
    met = all(decision is Decision.COMPLIANT for decision in decisions)
    if met and not accused:
        return ProfileVerdict(Decision.COMPLIANT, ())
    if accused and not met:
        return ProfileVerdict(Decision.VIOLATION, accused)
    return ProfileVerdict(Decision.INCONCLUSIVE, accused)


def p_violation_over(frame: int, threshold: int, units: Sequence[bool | None]) -> Fraction:
    """The anytime-valid p-value against "at least `threshold` successes", over all opened units.

    Args:
        frame: Units in the frame.
        threshold: Least number of successes that meets the claim.
        units: Results in ticket order; None where a unit could not be graded.
    """
    test = OneSided(frame, frame - threshold, None)
    for unit in units:
        if test.certain:
            break
        test.push(success=unit is False)
    return test.p_value()


def holm(p_values: Sequence[Fraction], alpha: Fraction) -> tuple[int, ...]:
    """Positions of the hypotheses that Holm's step-down procedure rejects at familywise risk `alpha`."""
    return tuple(n for n, p in enumerate(holm_adjusted(p_values)) if p <= alpha)


def holm_adjusted(p_values: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Holm-adjusted p-values, in the order given (Holm 1979)."""
    adjusted = [Fraction(0)] * len(p_values)
    highest = Fraction(0)
    for rank, n in enumerate(sorted(range(len(p_values)), key=lambda n: p_values[n])):
        highest = max(highest, min((len(p_values) - rank) * p_values[n], Fraction(1)))
        adjusted[n] = highest
    return tuple(adjusted)


def panel_risk(evaluators: int, needed: int, alpha: Fraction) -> Fraction:
    """Risk that at least `needed` of independent evaluators err, each at risk `alpha`.

    It holds for the order of the units only: items, graders and prompts that evaluators share are not
    independent.
    """
    return sum(
        (
            comb(evaluators, j) * alpha**j * (1 - alpha) ** (evaluators - j)
            for j in range(needed, evaluators + 1)
        ),
        Fraction(0),
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the verdicts of several evaluators on one claim compare.

    Attributes:
        counts: How often each verdict was given, in the order of `Decision`.
        agreed: The verdict that at least `needed` gave while nobody gave the opposite; else None.
    """

    counts: tuple[tuple[Decision, int], ...]
    agreed: Decision | None


def agreement(decisions: Sequence[Decision], needed: int) -> Agreement:
    """Compare verdicts on one claim by different evaluators; `needed` of them make a panel's verdict."""
    tally = Counter(decisions)
    opposed = tally[Decision.COMPLIANT] > 0 and tally[Decision.VIOLATION] > 0
    enough = [d for d in Decision if d is not Decision.INCONCLUSIVE and tally[d] >= needed]
    return Agreement(tuple((d, tally[d]) for d in Decision), enough[0] if enough and not opposed else None)
