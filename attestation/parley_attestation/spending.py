"""Room: the core. Risks that several exercises on one test set and one model add up to; pure.

One exercise errs at its stated risks; ten quiet ones at 5 % find what they look for in 40 % of cases. So terms
name the earlier exercises of the same set root, model claim and parties with what each risked, and the verdict
adds them up. A false COMPLIANT and a false VIOLATION harm different parties and are summed apart. An exercise
counts from its Accept on, whatever became of it; a sealed one samples nothing and risks nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from parley_attestation.canonical import Fields
from parley_attestation.claims import SampledClaim, ratio, read_ratio
from parley_attestation.encoding import Digest

MAX_PRIOR = 64  # earlier exercises that one set of terms names


@dataclass(frozen=True, slots=True)
class Spent:
    """An exercise, and the sums of its claims' risks of a false COMPLIANT and of a false VIOLATION."""

    exercise: Digest
    compliant: Fraction
    violation: Fraction

    def document(self) -> dict[str, Any]:
        """The entry as it is signed."""
        return {
            "exercise": self.exercise.hex(),
            "alpha_compliant": ratio(self.compliant),
            "alpha_violation": ratio(self.violation),
        }


def spent(exercise: Digest, claims: Iterable[SampledClaim]) -> Spent:
    """What an exercise with these sampled claims risks."""
    known = tuple(claims)
    return Spent(
        exercise,
        sum((claim.alpha_compliant for claim in known), Fraction(0)),
        sum((claim.alpha_violation for claim in known), Fraction(0)),
    )


def read_spent(fields: Fields) -> Spent:
    """Read one entry of `prior`. Raises `PeerError` (BAD_TERMS)."""
    found = Spent(
        fields.digest("exercise"),
        read_ratio(fields, "alpha_compliant"),
        read_ratio(fields, "alpha_violation"),
    )
    fields.end()
    return found


def summed(prior: tuple[Spent, ...], own: Spent) -> dict[str, Any]:
    """What a verdict says: the earlier exercises, and all risks with its own, each sum at most 1."""
    every = (*prior, own)
    return {
        "exercises": [one.exercise.hex() for one in prior],
        "alpha_compliant": ratio(min(sum((one.compliant for one in every), Fraction(0)), Fraction(1))),
        "alpha_violation": ratio(min(sum((one.violation for one in every), Fraction(0)), Fraction(1))),
    }
