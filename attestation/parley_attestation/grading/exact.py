"""Room: grading. `exact`: the output is the reference, byte for byte, after the stated folding."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from parley_attestation.canonical import Fields
from parley_attestation.grading.grader import Grader, outcome_of
from parley_attestation.grading.outcome import Outcome
from parley_attestation.grading.pattern import Pattern
from parley_attestation.grading.text import fold, trim


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact(Grader):
    """Equality of bytes. Never invalid.

    Attributes:
        trim: White space at both ends of output and reference does not count.
        ignore_case: ASCII capitals and small letters are the same.
    """

    KIND: ClassVar[str] = "exact"
    trim: bool
    ignore_case: bool

    @classmethod
    def read(cls, fields: Fields, refusal: Pattern | None) -> Self:
        """Read the options."""
        return cls(trim=fields.boolean("trim"), ignore_case=fields.boolean("ignore_case"), refusal=refusal)

    def options(self) -> dict[str, Any]:
        """The options as they stand in the document."""
        return {"trim": self.trim, "ignore_case": self.ignore_case}

    def compare(self, output: bytes, reference: bytes) -> Outcome:
        """Pass where the folded bytes are equal."""
        return outcome_of(self._folded(output) == self._folded(reference))

    def _folded(self, text: bytes) -> bytes:
        text = trim(text) if self.trim else text
        return fold(text) if self.ignore_case else text

    def accept_reference(self, reference: bytes) -> None:
        """Every reference will do."""
