"""Room: grading. Regular expressions in RE2 syntax, narrowed so that every RE2 implementation agrees.

Text and pattern are UTF-8 and characters are code points. Allowed beside literals are what RE2 documents
except what depends on Unicode tables or differs between implementations: a backslash stands before ASCII
punctuation or one of `dDsSwWbBAznrtfva`, and `(?` opens `(?:`, `(?s:`, `(?m:` or `(?sm:` only. Case is
ignored by folding the text (ASCII), so a pattern that ignores case has no capital letters.

The expanded size of a pattern bounds the work: every character counts 1, and a counted repetition
multiplies the size of what it repeats by its largest count.
"""

import re
import string
from functools import lru_cache
from typing import Any, NamedTuple

import re2

from parley_attestation.canonical import Fields
from parley_attestation.grading.text import fold

MAX_PATTERN = 1024  # bytes
MAX_EXPANDED = 4096  # characters after counted repetitions are written out
_MEMORY = 64 << 20  # bytes RE2 may use; above what MAX_EXPANDED can need
_ESCAPED = frozenset(string.punctuation + "dDsSwWbBAznrtfva")
_FLAGS = re.compile(r"\(\?(?:s|m|sm)?:")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|\[:\^?[a-z]+:\]|[^\]\\])*\]", re.DOTALL)
_COUNT = re.compile(r"\{([0-9]{1,4})(?:,([0-9]{0,4}))?\}")


class BadPattern(Exception):  # noqa: N818 - never leaves this package
    """The pattern is not one that every implementation reads alike; the text says why."""


class Pattern(NamedTuple):
    """A pattern and whether ASCII case is ignored."""

    pattern: str
    ignore_case: bool

    def document(self) -> dict[str, Any]:
        """The pattern as it stands in a grader's document."""
        return {"pattern": self.pattern, "ignore_case": self.ignore_case}

    def check(self) -> None:
        """Refuse a pattern outside the common syntax. Raises `BadPattern`."""
        if not 1 <= len(self.pattern.encode()) <= MAX_PATTERN:
            raise BadPattern(f"1..{MAX_PATTERN} bytes")
        if _expanded(self.pattern) > MAX_EXPANDED:
            raise BadPattern(f"at most {MAX_EXPANDED} characters after its repetitions are written out")
        if self.ignore_case and re.search("[A-Z]", re.sub(r"\\.", "", self.pattern)):
            raise BadPattern("no capital letters where case is ignored")
        try:
            _compile(self.pattern)
        except re2.error as error:
            raise BadPattern("RE2 syntax") from error

    def found_in(self, text: bytes, *, whole: bool = False) -> bool:
        """Say whether valid UTF-8 `text` has a match, anywhere or as a whole. The pattern was checked."""
        text = fold(text) if self.ignore_case else text
        compiled = _compile(self.pattern)
        return (compiled.fullmatch(text) if whole else compiled.search(text)) is not None


def read_pattern(fields: Fields) -> Pattern:
    """Read and check a pattern object. Raises `PeerError` with the reason of `fields`."""
    found = Pattern(fields.text("pattern", MAX_PATTERN), fields.boolean("ignore_case"))
    fields.end()
    try:
        found.check()
    except BadPattern as error:
        fields.refuse("pattern", str(error))
    return found


@lru_cache(maxsize=64)
def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    return re2.compile(pattern.encode(), options)


def _expanded(pattern: str) -> int:
    """The size of `pattern` with counted repetitions written out. Raises `BadPattern`."""
    groups: list[int] = []  # sizes of the open groups up to where they were left
    size = atom = at = 0  # of the open group so far, and of the last atom in it
    while at < len(pattern):
        step, here = 1, pattern[at]
        if here == "\\":
            step = _escape(pattern, at)
        elif here == "[":
            step = _bracket(pattern, at)
        elif here == "(":
            groups.append(size)
            size = atom = 0
            step = _group(pattern, at)
            at += step
            continue
        elif here == ")":
            if not groups:
                raise BadPattern("balanced parentheses")
            size, atom = groups.pop() + size + 2, size + 2
            at += 1
            continue
        elif count := _COUNT.match(pattern, at):
            size += atom * (max(int(count[1]), int(count[2] or 0), 1) - 1)
            at = count.end()
            continue
        size, atom = size + step, step
        at += step
    return size + sum(groups)


def _escape(pattern: str, at: int) -> int:
    if pattern[at + 1 : at + 2] not in _ESCAPED:
        raise BadPattern("a backslash before ASCII punctuation or one of dDsSwWbBAznrtfva only")
    return 2


def _bracket(pattern: str, at: int) -> int:
    found = _CLASS.match(pattern, at)
    if found is None:
        raise BadPattern("a closed character class")
    for escape in re.finditer(r"\\.", found[0], re.DOTALL):
        _escape(escape[0], 0)
    return found.end() - at


def _group(pattern: str, at: int) -> int:
    if pattern[at + 1 : at + 2] != "?":
        return 1
    found = _FLAGS.match(pattern, at)
    if found is None:
        raise BadPattern("a group to open with (, (?:, (?s:, (?m: or (?sm:")
    return found.end() - at
