"""Room: the suite. Failures that an implementer knows of: they run all the same, are shown, and run out.

A file lists them, each with an issue and a last day. One that has run out is a failure again, and so is
one that passes: the list never says less than what is so. A known failure is never conformance.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from parley_attestation.errors import LocalError, Reason, printable

_FIELDS = {"case", "issue", "until"}


@dataclass(frozen=True, slots=True)
class Known:
    """One known failure: the case, where it is being worked on, and the last day on which it is excused."""

    case: str
    issue: str
    until: date

    def live(self, today: date) -> bool:
        """Whether it is still excused."""
        return today <= self.until


def read_known(path: Path, cases: Iterable[str]) -> Mapping[str, Known]:
    """Read a TOML file of `[[known]]` tables with `case`, `issue` and `until` (a date).

    Args:
        path: The file.
        cases: Ids of the cases that the suite has.

    Raises:
        LocalError: CONFIG, where the file cannot be read or says anything else.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LocalError(Reason.CONFIG, f"{path}: {printable(str(error))}") from error
    rows = tables.get("known")
    if set(tables) != {"known"} or not isinstance(rows, list):
        raise LocalError(Reason.CONFIG, f"{path}: expected tables [[known]] and nothing else")
    found: dict[str, Known] = {}
    for row in rows:
        one = _read(row, path)
        if one.case in found or one.case not in set(cases):
            raise LocalError(
                Reason.CONFIG,
                f"{path}: expected case ids of the suite, each once, got {printable(one.case)!r}",
            )
        found[one.case] = one
    return found


def _read(row: Any, path: Path) -> Known:
    if not isinstance(row, dict) or set(row) != _FIELDS:
        raise LocalError(Reason.CONFIG, f"{path}: expected case, issue and until in every [[known]]")
    case, issue, until = row["case"], row["issue"], row["until"]
    if (
        not isinstance(case, str)
        or not isinstance(issue, str)
        or not issue.strip()
        or type(until) is not date
    ):
        raise LocalError(
            Reason.CONFIG, f"{path}: expected text for case and issue, and a date for until (2026-12-31)"
        )
    return Known(case, issue, until)
