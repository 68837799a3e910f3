"""Room: grading. `numeric`: a number in the output lies within an exact tolerance of the reference."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Self

from parley_attestation.canonical import Fields
from parley_attestation.grading import number
from parley_attestation.grading.grader import Grader, outcome_of
from parley_attestation.grading.outcome import Outcome
from parley_attestation.grading.pattern import Pattern
from parley_attestation.grading.text import after_marker, bad_reference, trim

PICKS = ("only", "first", "last")
MAX_MARKER = 64  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric(Grader):
    """|number - reference| <= absolute + relative * |reference|, in exact rationals.

    An output without the number asked for is invalid, and so is one whose number is out of bounds.

    Attributes:
        absolute: Absolute tolerance, a decimal string, not negative.
        relative: Relative tolerance, a decimal string, not negative.
        pick: The number is the `only` content after trimming, or the `first` or `last` number that stands.
        thousands: Commas may group the digits before the point.
        marker: Where set, only what follows its last occurrence is read; ASCII case does not count.
    """

    KIND: ClassVar[str] = "numeric"
    absolute: str
    relative: str
    pick: str
    thousands: bool
    marker: str | None

    @classmethod
    def read(cls, fields: Fields, refusal: Pattern | None) -> Self:
        """Read the options."""
        return cls(
            absolute=_tolerance(fields, "absolute"),
            relative=_tolerance(fields, "relative"),
            pick=fields.choice("pick", {p: p for p in PICKS}),
            thousands=fields.boolean("thousands"),
            marker=fields.text("marker", MAX_MARKER) if fields.has("marker") else None,
            refusal=refusal,
        )

    def options(self) -> dict[str, Any]:
        """The options as they stand in the document."""
        marker = {} if self.marker is None else {"marker": self.marker}
        shown = {"absolute": self.absolute, "relative": self.relative, "pick": self.pick}
        return {**shown, "thousands": self.thousands, **marker}

    def compare(self, output: bytes, reference: bytes) -> Outcome:
        """Pass where the number is close enough."""
        expected = number.parse(trim(reference))
        text = after_marker(output, self.marker)
        if expected is None or text is None:
            return Outcome.INVALID
        if self.pick == "only":
            found = number.parse(trim(text), thousands=self.thousands)
        else:
            found = number.find(text, last=self.pick == "last", thousands=self.thousands)
        if found is None:
            return Outcome.INVALID
        allowed = Fraction(self.absolute) + Fraction(self.relative) * abs(expected)
        return outcome_of(abs(found - expected) <= allowed)

    def accept_reference(self, reference: bytes) -> None:
        """Refuse a reference that is no number."""
        if number.parse(trim(reference)) is None:
            raise bad_reference("a decimal number")


def _tolerance(fields: Fields, name: str) -> str:
    value = fields.decimal(name)
    if value.startswith("-"):
        fields.refuse(name, "a tolerance that is not negative")
    return value
