"""Room: test sets. Exact contamination tests over results; the verifier's side only."""

from fractions import Fraction
from math import comb


def canary_p_value(canaries: int, choices: int, hits: int) -> Fraction:
    """P(at least `hits` right by chance) on items whose reference was drawn at random.

    A small value shows that the references leaked: nobody can know the answer otherwise. Canary items
    are left out of every claim.

    Args:
        canaries: Items with a random reference.
        choices: Equally likely answers of each.
        hits: Of them answered "right".
    """
    ways = sum(comb(canaries, k) * (choices - 1) ** (canaries - k) for k in range(hits, canaries + 1))
    return Fraction(ways, choices**canaries)


def canary_alarm(canaries: int, choices: int, alpha: Fraction) -> int:
    """The least number of hits with a p-value of at most `alpha`; canaries + 1 where none has one."""
    for hits in range(canaries + 1):
        if canary_p_value(canaries, choices, hits) <= alpha:
            return hits
    return canaries + 1


def fresh_against_exposed(fresh: tuple[int, int], exposed: tuple[int, int]) -> Fraction:
    """One-sided Fisher exact p-value against "exposed items are answered no better than fresh ones".

    Args:
        fresh: Right and wrong answers on items that nobody outside has seen.
        exposed: Right and wrong answers on items at exposure level 2 or above.
    """
    right = fresh[0] + exposed[0]
    shown, total = sum(exposed), sum(fresh) + sum(exposed)
    ways = sum(
        comb(right, k) * comb(total - right, shown - k) for k in range(exposed[0], min(right, shown) + 1)
    )
    return Fraction(ways, comb(total, shown))


def twin_consistency(first: list[bool], second: list[bool]) -> Fraction:
    """The share of paraphrase twins answered alike; `parley_attestation.mcnemar` tests the difference.

    Args:
        first: Result of one item of each pair.
        second: Result of its twin, in the same order; at least one pair.
    """
    return Fraction(sum(a == b for a, b in zip(first, second, strict=True)), len(first))
