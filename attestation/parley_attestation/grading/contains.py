"""Room: grading. `contains`: the reference occurs in the output as a run of bytes."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from parley_attestation.canonical import Fields
from parley_attestation.grading.grader import Grader, outcome_of
from parley_attestation.grading.outcome import Outcome
from parley_attestation.grading.pattern import Pattern
from parley_attestation.grading.text import WORD, bad_reference, fold, trim

MAX_SOUGHT = 1024  # bytes of the trimmed reference; bounds the search for whole words


@dataclass(frozen=True, slots=True, kw_only=True)
class Contains(Grader):
    """Occurrence of the trimmed reference in the output; invalid only with a reference it refuses.

    Attributes:
        ignore_case: ASCII capitals and small letters are the same.
        whole_words: The occurrence neither starts nor ends inside a run of word bytes.
    """

    KIND: ClassVar[str] = "contains"
    ignore_case: bool
    whole_words: bool

    @classmethod
    def read(cls, fields: Fields, refusal: Pattern | None) -> Self:
        """Read the options."""
        ignore_case = fields.boolean("ignore_case")
        return cls(ignore_case=ignore_case, whole_words=fields.boolean("whole_words"), refusal=refusal)

    def options(self) -> dict[str, Any]:
        """The options as they stand in the document."""
        return {"ignore_case": self.ignore_case, "whole_words": self.whole_words}

    def compare(self, output: bytes, reference: bytes) -> Outcome:
        """Pass where the reference occurs."""
        sought = trim(reference)
        if not 1 <= len(sought) <= MAX_SOUGHT:
            return Outcome.INVALID
        return outcome_of(occurs(sought, output, ignore_case=self.ignore_case, whole_words=self.whole_words))

    def accept_reference(self, reference: bytes) -> None:
        """Refuse a reference that every output contains, or one too long to seek."""
        if not 1 <= len(trim(reference)) <= MAX_SOUGHT:
            raise bad_reference(f"1..{MAX_SOUGHT} bytes besides white space at the ends")


def occurs(sought: bytes, text: bytes, *, ignore_case: bool, whole_words: bool) -> bool:
    """Say whether `sought` occurs in `text` under the two options."""
    if ignore_case:
        text, sought = fold(text), fold(sought)
    at = text.find(sought)
    while at >= 0 and whole_words and not _whole(text, at, at + len(sought)):
        at = text.find(sought, at + 1)
    return at >= 0


def _whole(text: bytes, start: int, end: int) -> bool:
    """Say whether neither end of text[start:end] has word bytes on both sides."""
    return not (
        (start > 0 and WORD.fullmatch(text, start - 1, start + 1))
        or (end < len(text) and WORD.fullmatch(text, end - 1, end + 1))
    )
