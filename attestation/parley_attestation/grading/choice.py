"""Room: grading. `multiple_choice`: the first choice label that stands alone in the output."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from parley_attestation.canonical import Fields
from parley_attestation.grading.grader import Grader, outcome_of
from parley_attestation.grading.outcome import Outcome
from parley_attestation.grading.pattern import Pattern
from parley_attestation.grading.text import WORD, after_marker, bad_reference, fold, trim

MAX_CHOICES = 64
MAX_LABEL = 16  # bytes of one label
MAX_MARKER = 64  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class MultipleChoice(Grader):
    """The answer is a label; the reference is the right one.

    The rule: where a marker is set, drop everything up to the end of its last occurrence (ASCII case does
    not count; no occurrence: invalid). Split the rest into its longest runs of word bytes (ASCII letters
    and digits, "_", bytes from 0x80 on). The first run that equals a label is the answer; with
    `ignore_case`, ASCII capitals equal small letters. No such run: invalid.

    Attributes:
        choices: The labels: distinct, ASCII letters and digits only.
        ignore_case: ASCII capitals and small letters are the same.
        marker: Text that comes before the answer, such as "Answer:"; None reads the whole output.
    """

    KIND: ClassVar[str] = "multiple_choice"
    choices: tuple[str, ...]
    ignore_case: bool
    marker: str | None

    @classmethod
    def read(cls, fields: Fields, refusal: Pattern | None) -> Self:
        """Read the options."""
        choices = fields.texts("choices", MAX_CHOICES, 2)
        ignore_case = fields.boolean("ignore_case")
        if any(len(c) > MAX_LABEL or not (c.isascii() and c.isalnum()) for c in choices):
            fields.refuse("choices", f"labels of 1..{MAX_LABEL} ASCII letters and digits")
        if len({c.lower() if ignore_case else c for c in choices}) != len(choices):
            fields.refuse("choices", "labels that differ from each other")
        marker = fields.text("marker", MAX_MARKER) if fields.has("marker") else None
        return cls(choices=choices, ignore_case=ignore_case, marker=marker, refusal=refusal)

    def options(self) -> dict[str, Any]:
        """The options as they stand in the document."""
        marker = {} if self.marker is None else {"marker": self.marker}
        return {"choices": list(self.choices), "ignore_case": self.ignore_case, **marker}

    def compare(self, output: bytes, reference: bytes) -> Outcome:
        """Pass where the first label is the right one."""
        right = self._label(trim(reference))
        text = after_marker(output, self.marker)
        if right is None or text is None:
            return Outcome.INVALID
        for run in WORD.finditer(text):
            answer = self._label(run[0])
            if answer is not None:
                return outcome_of(answer == right)
        return Outcome.INVALID

    def accept_reference(self, reference: bytes) -> None:
        """Refuse a reference that is no label."""
        if self._label(trim(reference)) is None:
            raise bad_reference("one of the choices " + ", ".join(self.choices))

    def _label(self, run: bytes) -> bytes | None:
        """The label that `run` is, in its folded form."""
        folded = fold(run) if self.ignore_case else run
        labels = (c.encode() for c in self.choices)
        return folded if folded in {fold(c) if self.ignore_case else c for c in labels} else None
