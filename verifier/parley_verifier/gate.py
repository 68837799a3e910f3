"""Room: the verifier. The null-model gate at registration: answers without a model must miss the profile."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from parley_attestation.canonical import Fields
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.grading import read_grader, read_outcome_map

from parley_verifier.config import ClaimFile, parse_rate
from parley_verifier.items import read_items
from parley_verifier.nullmodels import NullClaim, gate, require_gate

SEED = 1  # of the random baseline; any fixed number does


def run_gate(source: Path, claims: Sequence[ClaimFile], margin: Fraction) -> dict[str, Any]:
    """Run the baselines over the items of `source` under the metric claims that terms will make.

    Raises:
        LocalError: CONFIG, where a baseline meets the profile, or a claim covers no item.
    """
    references: dict[str, list[tuple[int, bytes]]] = {"": []}
    for number, item in enumerate(read_items(source)):
        references[""].append((number, item.reference))
        if item.stratum:
            references.setdefault(item.stratum, []).append((number, item.reference))
    result = gate([_claim(c, references) for c in claims if c.type == "metric"], margin, SEED)
    require_gate(result)
    return result


def _claim(written: ClaimFile, references: dict[str, list[tuple[int, bytes]]]) -> NullClaim:
    try:
        return NullClaim(
            written.id,
            read_grader(Fields(written.grader, "grader", reason=Reason.BAD_TERMS)),
            read_outcome_map(written.events),
            written.direction == "at-most",
            parse_rate(written.threshold),
            references.get(written.stratum, []),
        )
    except PeerError as error:
        raise LocalError(Reason.CONFIG, f"claim {written.id}: {error.message}") from error
