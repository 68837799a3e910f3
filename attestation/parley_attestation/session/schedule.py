"""Room: the session. Which unit comes next: frames, tickets and the order that the joint seed fixes.

ticket = SHA-256(frame(label, root, seed, item, sample)); within a frame, units are challenged in
increasing (ticket, item, sample). Nobody can choose the order, everybody can check it.
"""

import hashlib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from parley_attestation.claims import GradedClaim, MetricClaim
from parley_attestation.encoding import Digest, Label, digest, frame, u64
from parley_attestation.errors import PeerError, Reason
from parley_attestation.pairs import MEMBERS, Members, PairEvents
from parley_attestation.registration import TestSet
from parley_attestation.terms import Terms

MAX_POPULATION = 1 << 24  # units of all populations together: everyone hashes a ticket for each
UnitName = tuple[int, int]  # item index, sample number


@dataclass(frozen=True, slots=True)
class Frame:
    """One committed population: a stratum less the excluded items, times the samples; its units may be pairs."""

    stratum: str
    runs: tuple[tuple[int, int], ...]  # [start, stop) of item indices
    samples: int
    budget: int  # units
    members: Members = ()

    @property
    def group(self) -> int:
        """Items of one unit."""
        return len(self.members) or 1

    @property
    def size(self) -> int:
        """Units in the population."""
        return self.samples * sum(stop - start for start, stop in self.runs) // self.group

    def __contains__(self, item: int) -> bool:
        return any(start <= item < stop for start, stop in self.runs)

    def position(self, unit: UnitName) -> int:
        """Place of a unit of a population without pairs in index order."""
        before = sum(min(stop, unit[0]) - start for start, stop in self.runs if start < unit[0])
        return before * self.samples + unit[1]

    def units(self) -> Iterator[UnitName]:
        """Every unit of the population, in index order; a pair has the name of its first item."""
        for start, stop in self.runs:
            for item in range(start, stop, self.group):
                for sample in range(self.samples):
                    yield item, sample


def frames(terms: Terms, test_set: TestSet) -> tuple[Frame, ...]:
    """The populations that the terms fix over a registered set.

    Raises:
        PeerError: BAD_TERMS, where a stratum is unknown, a population is empty or smaller than its
            budget, a grader is not one for the kind of the items, or the terms name another set than the registration.
    """
    ref = terms.test_set
    if (ref.statement, ref.root, ref.size) != (test_set.statement.digest(), test_set.root, test_set.size):
        raise PeerError(Reason.BAD_TERMS, "the terms name another test set than the registration shows")
    _check_kind(terms, test_set)
    _check_pairs(terms, test_set)
    spans = {s.name: (s.start, s.start + s.count) for s in test_set.strata} | {"": (0, test_set.size)}
    found = []
    for stratum, budget in terms.plan.budgets:
        if stratum not in spans:
            raise PeerError(Reason.BAD_TERMS, f"the test set has no stratum {stratum!r}")
        runs = without(spans[stratum], ref.excluded)
        one = Frame(stratum, runs, terms.plan.samples, budget, test_set.members)
        if not 1 <= budget <= one.size:
            raise PeerError(
                Reason.BAD_TERMS, f"stratum {stratum!r}: expected a budget of 1..{one.size} units"
            )
        found.append(one)
    if sum(one.size for one in found) > MAX_POPULATION:
        raise PeerError(Reason.BAD_TERMS, f"expected populations of at most {MAX_POPULATION} units together")
    return tuple(found)


def check_graders(terms: Terms, test_set: TestSet) -> None:
    """Refuse a claim whose grader the set was not registered for. Raises `PeerError` (BAD_TERMS)."""
    known = set(test_set.graders)
    for claim in terms.sampled_claims:
        if claim.grader.digest() not in known:
            raise PeerError(
                Reason.BAD_TERMS,
                f"claim {claim.claim_id}: its grader is not one the test set was registered for",
            )


def _check_kind(terms: Terms, test_set: TestSet) -> None:
    """Scripts are graded by graders that read answers, in open mode, and no chamber runs them; pairs stay whole."""
    for claim in terms.sampled_claims:
        if (claim.grader.answers is not None) is not test_set.scripted:
            kind = "scripts" if test_set.scripted else "single items"
            raise PeerError(
                Reason.BAD_TERMS, f"claim {claim.claim_id}: its grader is not one for a set of {kind}"
            )
    if terms.mode != "open" and any(isinstance(claim, GradedClaim) for claim in terms.claims):
        raise PeerError(Reason.BAD_TERMS, "graded claims are evaluated in open mode only")
    if test_set.scripted and (terms.mode != "open" or terms.runtime is not None):
        raise PeerError(Reason.BAD_TERMS, "script items are evaluated in open mode without a chamber only")


def _check_pairs(terms: Terms, test_set: TestSet) -> None:
    """A set of pairs takes claims over pairs, and none of a pair is excluded or asked alone."""
    for claim in terms.sampled_claims:
        events = claim.events if isinstance(claim, MetricClaim) else None
        named = [name for name, _ in events.members] if isinstance(events, PairEvents) else []
        if bool(named) is not bool(test_set.members) or not set(named) <= set(test_set.members):
            raise PeerError(
                Reason.BAD_TERMS,
                f"claim {claim.claim_id}: expected events by member exactly in a set of pairs,"
                f" whose members are {', '.join(test_set.members) or 'none'}",
            )
    if not test_set.members:
        return
    if terms.audited is not None:
        raise PeerError(Reason.BAD_TERMS, "no receipt is about pairs")
    if terms.mode != "open":
        raise PeerError(Reason.BAD_TERMS, "pairs are evaluated in open mode only")
    if any(start % MEMBERS or count % MEMBERS for start, count in terms.test_set.excluded):
        raise PeerError(Reason.BAD_TERMS, "expected pairs to be excluded whole")
    caps = terms.caps
    if most_units(terms) < MEMBERS or MEMBERS * (max(caps.prompt, caps.reference) + 32) > caps.turn:
        raise PeerError(
            Reason.BAD_TERMS, "expected a batch and caps.turn_bytes that hold both members of a pair"
        )


def most_units(terms: Terms) -> int:
    """Items of one challenge at most: the plan's batch, and no more than answers that surely fit one turn."""
    return max(1, min(terms.plan.batch, terms.caps.turn // (terms.caps.output + 32)))


def without(span: tuple[int, int], excluded: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """A range of items less the excluded [start, count] runs, as [start, stop) runs."""
    start, stop = span
    runs = []
    for first, count in excluded:
        low, high = max(first, start), min(first + count, stop)
        if low < high:
            if start < low:
                runs.append((start, low))
            start = high
    if start < stop:
        runs.append((start, stop))
    return tuple(runs)


def order(population: Frame, root: Digest, seed: Digest) -> list[UnitName]:
    """The items of the first `budget` units of a frame in ticket order; a pair's ticket is its first item's."""
    base = hashlib.sha256(frame(Label.TICKET, root, seed))

    def ticket(unit: UnitName) -> tuple[bytes, UnitName]:
        state = base.copy()
        state.update(_EIGHT + u64(unit[0]) + _EIGHT + u64(unit[1]))
        return state.digest(), unit

    tickets = map(ticket, population.units())
    if population.budget * 4 < population.size:
        first = heapq.nsmallest(population.budget, tickets)
    else:
        first = sorted(tickets)[: population.budget]
    return [(item + n, sample) for _, (item, sample) in first for n in range(population.group)]


_EIGHT = u64(8)


def sampling_seed(seed: Digest, unit: UnitName) -> int:
    """The 63-bit sampling seed of a unit; both parties can compute it once the coins are shown."""
    return int.from_bytes(digest(Label.SAMPLING, seed, u64(unit[0]), u64(unit[1]))[:8], "big") >> 1
