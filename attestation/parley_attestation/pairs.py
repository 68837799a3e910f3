"""Room: the core. Pairs: two items that count as one unit, such as a harmful prompt and its benign twin; pure.

The members of pair n are items 2n and 2n + 1 of a set registered with two member names. Which of them is
which stands in the first byte of the committed reference, so it is fixed before the exercise and hidden
until the reference is shown: an index tells the prover nothing about what kind of prompt it gets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parley_attestation.canonical import Fields
from parley_attestation.errors import PeerError, Reason
from parley_attestation.grading import Outcome, OutcomeMap, read_outcome_map

MEMBERS = 2  # items of a pair
_SPOILED = frozenset(Outcome) - {Outcome.PASS}

Members = tuple[str, ...]  # the two names, or none for a set without pairs


@dataclass(frozen=True, slots=True)
class PairEvents:
    """What a claim counts of a pair: the outcome of every named member is one of that member's."""

    members: tuple[tuple[str, OutcomeMap], ...]

    def counts(self, outcomes: Mapping[str, Outcome]) -> bool:
        """Say whether a pair with these outcomes, by member, is one of those that count."""
        return all(events.counts(outcomes[name]) for name, events in self.members)

    @property
    def spoiled_can_count(self) -> bool:
        """Whether some pair of outputs without a pass counts."""
        return all(events.counted & _SPOILED for _, events in self.members)

    @property
    def spoiled_always_counts(self) -> bool:
        """Whether every pair of outputs without a pass counts."""
        return all(events.counted >= _SPOILED for _, events in self.members)

    def document(self) -> dict[str, list[str]]:
        """The events as they stand in the terms."""
        return {name: events.document() for name, events in self.members}


def read_pair_events(value: dict[str, Any]) -> PairEvents:
    """Read the events of a claim over pairs: an outcome map for one or both members, by name.

    Raises:
        PeerError: BAD_TERMS.
    """
    if not 1 <= len(value) <= MEMBERS:
        raise PeerError(Reason.BAD_TERMS, "events: expected an outcome map for one or both members of a pair")
    return PairEvents(tuple((name, read_outcome_map(value[name])) for name in sorted(value)))


def read_members(fields: Fields) -> Members:
    """Read the optional `members` of a registration: two different names, where the items are pairs."""
    if not fields.has("members"):
        return ()
    names = fields.texts("members", MEMBERS, MEMBERS)
    if len(set(names)) != MEMBERS or not all(1 <= len(name) <= 64 for name in names):
        fields.refuse("members", "two different names of 1..64 characters")
    return names


def mark(member: int, reference: bytes) -> bytes:
    """The reference of a pair's item as it is committed: which member it is, then what a grader reads."""
    return bytes([member]) + reference


def unmark(reference: bytes, members: Members) -> tuple[str, bytes]:
    """Which member an item is ("" in a set without pairs), and what a grader reads of its reference.

    Raises:
        PeerError: BAD_REGISTRATION, for a reference that names no member.
    """
    if not members:
        return "", reference
    if not reference or reference[0] >= len(members):
        raise PeerError(Reason.BAD_REGISTRATION, "expected the reference of a pair's item to name its member")
    return members[reference[0]], reference[1:]
