"""Room: grading. The four outcomes of a unit, and the map that says which of them a claim counts."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from parley_attestation.errors import PeerError, Reason


class Outcome(StrEnum):
    """What a grader says about one output; spec section "Outcomes"."""

    PASS = "pass"  # noqa: S105 - a grade
    FAIL = "fail"
    REFUSE = "refuse"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class OutcomeMap:
    """The outcomes that a claim counts. A map of none or all of them says nothing about a unit."""

    counted: frozenset[Outcome]

    def counts(self, outcome: Outcome) -> bool:
        """Say whether `outcome` is one of those that count."""
        return outcome in self.counted

    @property
    def rewards_degradation(self) -> bool:
        """Whether an output that a prover spoiled, refused or filtered on purpose would count."""
        return self.counted != {Outcome.PASS}

    def document(self) -> list[str]:
        """The map as it stands in the terms: the names that count, in the order of `Outcome`."""
        return [outcome.value for outcome in Outcome if outcome in self.counted]


def read_outcome_map(value: Any) -> OutcomeMap:
    """Read a map: a list of 1 to 3 outcome names, each once, in the order of `Outcome`.

    Raises:
        PeerError: BAD_TERMS.
    """
    names = [outcome.value for outcome in Outcome]
    known = value if isinstance(value, list) else []
    found = OutcomeMap(frozenset(Outcome(name) for name in known if isinstance(name, str) and name in names))
    if found.document() != value or not 1 <= len(found.counted) < len(names):
        raise PeerError(
            Reason.BAD_TERMS, f"events: expected 1..3 of {', '.join(names)}, each once and in this order"
        )
    return found
