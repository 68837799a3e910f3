"""Room: grading. What every grader is: a closed document and a total function from bytes to an outcome."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.encoding import Digest
from parley_attestation.grading.outcome import Outcome
from parley_attestation.grading.pattern import Pattern, read_pattern
from parley_attestation.grading.text import MAX_OUTPUT, MAX_REFERENCE, bad_reference
from parley_attestation.script import read_answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Grader(ABC):
    """One kind of grader with its options.

    Attributes:
        refusal: Where set, an output that matches it is a refusal, whatever else it says.
        answers: For script items, what is graded: the "last" answer, or all of them "joined" by line
            feeds; None grades the output as it stands.
    """

    KIND: ClassVar[str]
    refusal: Pattern | None = None
    answers: str | None = None

    @classmethod
    @abstractmethod
    def read(cls, fields: Fields, refusal: Pattern | None) -> Self:
        """Read this kind's own options; the caller has read `kind` and `refusal` and ends `fields`."""

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """This kind's own options as they stand in the document."""

    @abstractmethod
    def compare(self, output: bytes, reference: bytes) -> Outcome:
        """Grade an output of at most MAX_OUTPUT bytes that is no refusal."""

    @abstractmethod
    def accept_reference(self, reference: bytes) -> None:
        """Refuse a reference that this grader cannot use. Raises `PeerError` (BAD_REGISTRATION)."""

    def document(self) -> dict[str, Any]:
        """The grader as a JSON value; `read_grader` reads it back."""
        refusal = {} if self.refusal is None else {"refusal": self.refusal.document()}
        answers = {} if self.answers is None else {"answers": self.answers}
        return {"kind": self.KIND, **self.options(), **refusal, **answers}

    def digest(self) -> Digest:
        """SHA-256 over the canonical bytes of the document: the grader's name in terms and registrations."""
        return Digest(hashlib.sha256(canonical.dump(self.document())).digest())

    def check_reference(self, reference: bytes) -> None:
        """Refuse a reference that this grader cannot use.

        Raises:
            PeerError: BAD_REGISTRATION.
        """
        if len(reference) > MAX_REFERENCE:
            raise bad_reference(f"at most {MAX_REFERENCE} bytes")
        self.accept_reference(reference)

    @property
    def top(self) -> int:
        """The greatest score that `score` gives; 1 for a kind that only passes or fails."""
        return 1

    def points(self, output: bytes, reference: bytes) -> int:
        """Score an output of at most MAX_OUTPUT bytes that is no refusal, 0..top."""
        return int(self.compare(output, reference) is Outcome.PASS)

    def grade(self, output: bytes, reference: bytes) -> Outcome:
        """Grade `output` against `reference`. Total: any bytes have an outcome.

        Checked in this order: an output above MAX_OUTPUT is invalid; with `answers`, an output that is no
        list of answers is invalid, and what is chosen from it takes its place; a valid UTF-8 output that matches
        `refusal` is a refusal; then the kind decides. With a reference that `check_reference` refuses
        every output is invalid; callers check references first and blame their owner.
        """
        chosen = self._chosen(output, reference)
        return chosen if isinstance(chosen, Outcome) else self.compare(chosen, reference)

    def score(self, output: bytes, reference: bytes) -> int:
        """Score `output` in 0..top; what `grade` calls invalid or a refusal before it compares scores 0."""
        chosen = self._chosen(output, reference)
        return 0 if isinstance(chosen, Outcome) else self.points(chosen, reference)

    def _chosen(self, output: bytes, reference: bytes) -> bytes | Outcome:
        """What is compared, or the outcome that is clear before."""
        if len(output) > MAX_OUTPUT or len(reference) > MAX_REFERENCE:
            return Outcome.INVALID
        if self.answers is not None:
            said = read_answers(output)
            if said is None:
                return Outcome.INVALID
            output = (said[-1] if self.answers == LAST else "\n".join(said)).encode()
        if self.refusal is not None and is_utf8(output) and self.refusal.found_in(output):
            return Outcome.REFUSE
        return output


def is_utf8(text: bytes) -> bool:
    """Say whether `text` is valid UTF-8 (RFC 3629: no surrogates, nothing overlong)."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


LAST, JOINED = "last", "joined"


def read_selection(fields: Fields) -> str | None:
    """Read the optional `answers` of a grader document."""
    return fields.choice("answers", {one: one for one in (LAST, JOINED)}) if fields.has("answers") else None


def read_refusal(fields: Fields) -> Pattern | None:
    """Read the optional `refusal` of a grader document."""
    return read_pattern(fields.object("refusal")) if fields.has("refusal") else None


def outcome_of(passed: bool) -> Outcome:  # noqa: FBT001 - one flag is all there is
    """Pass or fail."""
    return Outcome.PASS if passed else Outcome.FAIL
