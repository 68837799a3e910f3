"""Room: grading. `checklist`: the share of listed texts that occur in the output, as points."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.errors import PeerError
from parley_attestation.grading.contains import MAX_SOUGHT, occurs
from parley_attestation.grading.grader import Grader, outcome_of
from parley_attestation.grading.outcome import Outcome
from parley_attestation.grading.pattern import Pattern
from parley_attestation.grading.text import MAX_REFERENCE, bad_reference, trim

MAX_TOP = 254  # points; a score and "unanswered" fit one byte
MAX_ENTRIES = 64  # texts of one reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklist(Grader):
    """floor(points * found / listed), where `found` of the listed texts occur in the output.

    The reference is a canonical JSON list of 1..64 different texts. All of them found is a pass, else a fail;
    with a reference that it refuses every output is invalid and scores 0.

    Attributes:
        points_of_all: Points for all of them, 2..254.
        ignore_case: ASCII capitals and small letters are the same.
        whole_words: An occurrence neither starts nor ends inside a run of word bytes.
    """

    KIND: ClassVar[str] = "checklist"
    points_of_all: int
    ignore_case: bool
    whole_words: bool

    @property
    def top(self) -> int:
        """The greatest score."""
        return self.points_of_all

    @classmethod
    def read(cls, fields: Fields, refusal: Pattern | None) -> Self:
        """Read the options."""
        return cls(
            points_of_all=fields.integer("points", 2, MAX_TOP),
            ignore_case=fields.boolean("ignore_case"),
            whole_words=fields.boolean("whole_words"),
            refusal=refusal,
        )

    def options(self) -> dict[str, Any]:
        """The options as they stand in the document."""
        return {
            "points": self.points_of_all,
            "ignore_case": self.ignore_case,
            "whole_words": self.whole_words,
        }

    def compare(self, output: bytes, reference: bytes) -> Outcome:
        """Pass where every listed text occurs."""
        found = self._found(output, reference)
        return Outcome.INVALID if found is None else outcome_of(all(found))

    def points(self, output: bytes, reference: bytes) -> int:
        """Points for the listed texts that occur, rounded down."""
        found = self._found(output, reference)
        return 0 if found is None else self.points_of_all * sum(found) // len(found)

    def accept_reference(self, reference: bytes) -> None:
        """Refuse a reference that is no list of texts to seek."""
        if _listed(reference) is None:
            raise bad_reference(
                f"a canonical JSON list of 1..{MAX_ENTRIES} different texts that can be sought"
            )

    def _found(self, output: bytes, reference: bytes) -> list[bool] | None:
        listed = _listed(reference)
        if listed is None:
            return None
        return [
            occurs(one, output, ignore_case=self.ignore_case, whole_words=self.whole_words) for one in listed
        ]


def _listed(reference: bytes) -> list[bytes] | None:
    """The texts of a reference, trimmed; None where it is no such list."""
    try:
        value = canonical.load(reference, limit=MAX_REFERENCE)
    except PeerError:
        return None
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ENTRIES:
        return None
    texts = [trim(one.encode()) for one in value if isinstance(one, str)]
    if len(set(texts)) != len(value) or not all(1 <= len(one) <= MAX_SOUGHT for one in texts):
        return None
    return texts
