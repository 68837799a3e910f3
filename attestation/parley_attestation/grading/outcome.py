"""Room: grading. The four outcomes of a unit, and the map that says which of them count as a success."""

from dataclasses import dataclass
from enum import StrEnum

from parley_attestation.canonical import Fields


class Outcome(StrEnum):
    """What a grader says about one output; spec section "Outcomes"."""

    PASS = "pass"  # noqa: S105 - a grade
    FAIL = "fail"
    REFUSE = "refuse"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class OutcomeMap:
    """Which outcomes a claim counts as successes. A map that takes all or none cannot fail or cannot pass."""

    successes: frozenset[Outcome]

    def success(self, outcome: Outcome) -> bool:
        """Say whether `outcome` counts as a success."""
        return outcome in self.successes

    def document(self) -> dict[str, bool]:
        """The map as it stands in the terms."""
        return {outcome.value: outcome in self.successes for outcome in Outcome}


def read_outcome_map(fields: Fields) -> OutcomeMap:
    """Read a map: each of the four outcomes with true or false.

    Raises:
        PeerError: With the reason of `fields`, where a field is missing or unknown or all are equal.
    """
    found = OutcomeMap(frozenset(o for o in Outcome if fields.boolean(o.value)))
    fields.end()
    if len(found.successes) in (0, len(Outcome)):
        fields.refuse("", "an outcome map under which a unit can both succeed and fail")
    return found
