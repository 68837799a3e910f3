"""Room: grading. `regex`: the reference is a pattern, and the output matches it."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from parley_attestation.canonical import Fields
from parley_attestation.grading.grader import Grader, is_utf8, outcome_of
from parley_attestation.grading.outcome import Outcome
from parley_attestation.grading.pattern import BadPattern, Pattern
from parley_attestation.grading.text import bad_reference, trim


@dataclass(frozen=True, slots=True, kw_only=True)
class Regex(Grader):
    """A match of the trimmed output with the item's own pattern (`pattern.py` fixes the syntax).

    An output that is not UTF-8 is invalid.

    Attributes:
        whole: The pattern matches the whole output, not just a part.
        ignore_case: ASCII capitals in the output read as small letters; the pattern has no capitals.
    """

    KIND: ClassVar[str] = "regex"
    whole: bool
    ignore_case: bool

    @classmethod
    def read(cls, fields: Fields, refusal: Pattern | None) -> Self:
        """Read the options."""
        return cls(whole=fields.boolean("whole"), ignore_case=fields.boolean("ignore_case"), refusal=refusal)

    def options(self) -> dict[str, Any]:
        """The options as they stand in the document."""
        return {"whole": self.whole, "ignore_case": self.ignore_case}

    def compare(self, output: bytes, reference: bytes) -> Outcome:
        """Pass where the output matches."""
        try:
            pattern = self._pattern(reference)
        except BadPattern:
            return Outcome.INVALID
        if not is_utf8(output):
            return Outcome.INVALID
        return outcome_of(pattern.found_in(trim(output), whole=self.whole))

    def accept_reference(self, reference: bytes) -> None:
        """Refuse a reference that is no pattern."""
        try:
            self._pattern(reference)
        except BadPattern as error:
            raise bad_reference(f"a pattern with {error}") from error

    def _pattern(self, reference: bytes) -> Pattern:
        if not is_utf8(reference):
            raise BadPattern("valid UTF-8")
        found = Pattern(reference.decode(), self.ignore_case)
        found.check()
        return found
