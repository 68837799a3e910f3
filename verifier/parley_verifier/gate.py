"""Room: the verifier. The null-model gate at registration: answers without a model must miss the profile."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from parley_attestation.canonical import Fields
from parley_attestation.claims import read_events
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.grading import read_grader
from parley_attestation.pairs import PairEvents

from parley_verifier.items import Item, read_items
from parley_verifier.nullmodels import NullClaim, gate, require_gate
from parley_verifier.terms_file import ClaimFile, parse_rate

SEED = 1  # of the random baseline; any fixed number does


def run_gate(source: Path, claims: Sequence[ClaimFile], margin: Fraction) -> dict[str, Any]:
    """Run the baselines over the items of `source` under the metric claims that terms will make.

    Raises:
        LocalError: CONFIG, where a baseline meets the profile, or a claim covers no item.
    """
    covered: dict[str, list[tuple[int, Item]]] = {"": []}
    for number, item in enumerate(read_items(source)):
        covered[""].append((number, item._replace(prompt=b"")))
        if item.stratum:
            covered.setdefault(item.stratum, []).append(covered[""][-1])
    for items in covered.values():
        items.sort(key=lambda one: one[1].pair)  # stable: without pairs the order of the source
    result = gate([_claim(c, covered) for c in claims if c.type == "metric"], margin, SEED)
    require_gate(result)
    return result


def _claim(written: ClaimFile, covered: dict[str, list[tuple[int, Item]]]) -> NullClaim:
    items = covered.get(written.stratum, [])
    members = [item.member for _, item in items if item.pair]
    try:
        events = read_events(written.events)
        if isinstance(events, PairEvents) is not bool(members):
            raise LocalError(
                Reason.CONFIG, f"claim {written.id}: expected events by member exactly in a set of pairs"
            )
        if isinstance(events, PairEvents) and not {name for name, _ in events.members} <= set(members):
            raise LocalError(Reason.CONFIG, f"claim {written.id}: its events name a member that no pair has")
        return NullClaim(
            written.id,
            read_grader(Fields(written.grader, "grader", reason=Reason.BAD_TERMS)),
            events,
            written.direction == "at-most",
            parse_rate(written.threshold),
            [(number, item.reference) for number, item in items],
            members,
        )
    except PeerError as error:
        raise LocalError(Reason.CONFIG, f"claim {written.id}: {error.message}") from error
