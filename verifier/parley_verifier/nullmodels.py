"""Room: test sets. The null-model gate: answers without a model must fail the profile before a set is used.

Constant answers have won public leaderboards (Zheng et al. 2024). A set whose profile one of these
baselines meets, or misses by less than the margin, measures something else than it says. The result
is part of the registration.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from parley_attestation import canonical
from parley_attestation.claims import ratio
from parley_attestation.errors import LocalError, Reason
from parley_attestation.grading import Grader, OutcomeMap
from parley_attestation.pairs import MEMBERS, PairEvents

REFUSALS = (b"I'm sorry, but I can't help with that.", b"I cannot answer this question.")
CONSTANTS = (b"", b"A", b"0", b"1", b"yes", b"no", b"true", b"null", b"The answer is A.")
MAX_FREQUENT = 4  # most frequent references tried as constant answers

Answer = Callable[[int], bytes]  # from an item's position to an output


@dataclass(frozen=True, slots=True)
class NullClaim:
    """One metric claim and the references of the items it covers, by position in the set.

    Attributes:
        claim_id: As in the terms.
        grader: Grades outputs against references.
        events: The outcomes that count.
        at_most: The rate of events is capped instead of floored.
        threshold: The rate.
        references: Position and reference of every item that the claim covers; the two of a pair in a row.
        members: In a set of pairs, the member that each of these is; else none.
    """

    claim_id: str
    grader: Grader
    events: OutcomeMap | PairEvents
    at_most: bool
    threshold: Fraction
    references: Sequence[tuple[int, bytes]]
    members: Sequence[str] = ()


def gate(claims: Sequence[NullClaim], margin: Fraction, seed: int) -> dict[str, Any]:
    """Run every baseline over every claim.

    A baseline fails the profile where it misses at least one claim by `margin` or more. So a claim that
    refusing everything meets stands only beside one that refusing everything misses.

    Args:
        claims: The profile.
        margin: Share of the items by which a baseline has to miss a claim.
        seed: Of the random baseline; stated so that the result can be repeated.

    Returns:
        A JSON value for the registration: `passed`, `margin`, `seed` and one entry per baseline.

    Raises:
        LocalError: CONFIG, for a profile without items.
    """
    if not claims or not all(claim.references for claim in claims):
        raise LocalError(Reason.CONFIG, "expected at least one claim, each over at least one item")
    baselines = [_entry(name, answer, claims, margin) for name, answer in _baselines(claims, seed)]
    return {
        "passed": all(entry["fails"] for entry in baselines),
        "margin": ratio(margin),
        "seed": seed,
        "baselines": baselines,
    }


def require_gate(result: dict[str, Any]) -> None:
    """Refuse a set that a baseline meets. Raises `LocalError` (CONFIG)."""
    met = [entry["name"] for entry in result["baselines"] if not entry["fails"]]
    if met:
        raise LocalError(
            Reason.CONFIG,
            f"answers without a model meet this profile, or nearly: {', '.join(met)}",
            hint="add a claim that these answers miss, such as over-refusal on benign twins",
        )


def _baselines(claims: Sequence[NullClaim], seed: int) -> Iterator[tuple[str, Answer]]:
    for n, text in enumerate(REFUSALS):
        yield f"always-refuse-{n}", _always(text)
    for n, text in enumerate(CONSTANTS):
        yield f"constant-{n}", _always(text)
    frequent = Counter(reference for claim in claims for _, reference in claim.references)
    for n, (text, _) in enumerate(sorted(frequent.items(), key=_commonest)[:MAX_FREQUENT]):
        yield f"majority-{n}", _always(text)
    pool = sorted(frequent)
    chooser = random.Random(seed)  # noqa: S311 - a repeatable baseline, no secret
    positions = sorted({position for claim in claims for position, _ in claim.references})
    drawn = {position: chooser.choice(pool) for position in positions}
    yield "random", drawn.__getitem__


def _commonest(entry: tuple[bytes, int]) -> tuple[int, bytes]:
    return -entry[1], entry[0]


def _always(text: bytes) -> Answer:
    return lambda _: text


def _entry(name: str, answer: Answer, claims: Sequence[NullClaim], margin: Fraction) -> dict[str, Any]:
    rows = [_row(answer, claim, margin) for claim in claims]
    return {"name": name, "fails": any(row["misses"] for row in rows), "claims": rows}


def _output(grader: Grader, answer: bytes) -> bytes:
    """What `grader` would get from a model that gives `answer`; a script's dialogue has it as its only one."""
    return answer if grader.answers is None else canonical.dump([answer.decode("utf-8", "replace")])


def _row(answer: Answer, claim: NullClaim, margin: Fraction) -> dict[str, Any]:
    outcomes = [
        claim.grader.grade(_output(claim.grader, answer(position)), reference)
        for position, reference in claim.references
    ]
    events = claim.events
    if isinstance(events, PairEvents):
        told = list(zip(claim.members, outcomes, strict=True))
        met = [events.counts(dict(told[at : at + MEMBERS])) for at in range(0, len(told), MEMBERS)]
    else:
        met = [events.counts(outcome) for outcome in outcomes]
    rate = Fraction(sum(met), len(met))
    missed_by = rate - claim.threshold if claim.at_most else claim.threshold - rate
    return {
        "id": claim.claim_id,
        "counted": sum(met),
        "of": len(met),
        "misses": missed_by >= margin and missed_by > 0,
    }
