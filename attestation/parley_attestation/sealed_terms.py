"""Room: the core. What terms of sealed mode add: how much of the tests may leave a chamber, when, how often.

It stands in the binding of the terms, in sealed mode and in no other.
"""

from dataclasses import dataclass
from typing import Any

from parley_attestation.canonical import Fields

MAX_BITS = 1 << 20
MAX_RUNS = 1 << 32
MAX_ROUNDING = 1 << 42
MAX_QUORUM = 4
MIN_RELEASE = 2  # seconds; less than that and no run ends in time
MAX_RELEASE = 1 << 24  # seconds

CODE_BITS = 3  # of one handed-over result: pass, fail, refuse, invalid or unanswered

# What terms with more than one chamber say in these words.
SECOND_PLACE = (
    "Every further chamber raises integrity and is one more place from which weights and tests could leak."
)


@dataclass(frozen=True, slots=True)
class SealedTerms:
    """The rules of one sealed exercise.

    Attributes:
        bits: Bits that may leave all chambers of the exercise together, at most.
        hand_over: Whether the verifier gets the result of every unit, so that it can audit the receipt.
        program: Whether the runtime is a program that the prover supplies.
        quorum: How many chambers, each of another operator, must state the same counts.
        release_seconds: The outcome leaves this long after its run began, whatever it is; at 0 it leaves
            when it is there, and the time tells something of the tests.
        round_to: Counts are stated rounded down to a multiple of this many units.
        runs: How often this test set and this model claim may meet in one chamber, failed runs included.
    """

    bits: int = 256
    hand_over: bool = False
    program: bool = False
    quorum: int = 1
    release_seconds: int = 0
    round_to: int = 1
    runs: int = 1

    def document(self) -> dict[str, Any]:
        """The rules as they are signed."""
        return {
            "bits": self.bits,
            "hand_over": self.hand_over,
            "notice": SECOND_PLACE if self.quorum > 1 else "",
            "program": self.program,
            "quorum": self.quorum,
            "release_seconds": self.release_seconds,
            "round_to": self.round_to,
            "runs": self.runs,
        }


def read_sealed_terms(fields: Fields) -> SealedTerms:
    """Read the rules strictly. Raises what `fields` raises, with the path of the field."""
    found = SealedTerms(
        bits=fields.integer("bits", 1, MAX_BITS),
        hand_over=fields.boolean("hand_over"),
        program=fields.boolean("program"),
        quorum=fields.integer("quorum", 1, MAX_QUORUM),
        release_seconds=fields.integer("release_seconds", 0, MAX_RELEASE),
        round_to=fields.integer("round_to", 1, MAX_ROUNDING),
        runs=fields.integer("runs", 1, MAX_RUNS),
    )
    if 0 < found.release_seconds < MIN_RELEASE:
        fields.refuse("release_seconds", f"0, or at least {MIN_RELEASE}")
    if fields.text("notice", 200, empty=True) != found.document()["notice"]:
        fields.refuse("notice", "the words about a second chamber, where there is one")
    fields.end()
    return found
