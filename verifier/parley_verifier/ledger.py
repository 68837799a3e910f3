"""Room: test sets. The ledger of a test set: what has been spent of it; the verifier's own database.

One row per set, one per exercise, one per exposed item, in SQLite with write-ahead logging. Alpha is
charged once per exercise, whatever its attempts; exposure only rises; a set that is used up does not
enter terms again.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, Reason
from parley_attestation.frametest import Decision

from parley_verifier.inspection import leakage

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sets (
    root BLOB PRIMARY KEY, size INTEGER NOT NULL, alpha_cap TEXT NOT NULL, margin TEXT NOT NULL, retired TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS exercises (
    exercise BLOB PRIMARY KEY, root BLOB NOT NULL REFERENCES sets, alpha TEXT NOT NULL,
    alpha_violation TEXT NOT NULL, verdict TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS exposure (
    root BLOB NOT NULL REFERENCES sets, item INTEGER NOT NULL, level INTEGER NOT NULL,
    PRIMARY KEY (root, item)
) STRICT, WITHOUT ROWID;
"""


class Exposure(IntEnum):
    """How much of an item anybody outside has seen."""

    SEALED = 0
    RUN_SEALED = 1
    PROMPT_SEEN = 2
    PUBLIC = 3


@dataclass(frozen=True, slots=True)
class SetStatus:
    """Where a test set stands.

    Attributes:
        size: Items in the set.
        verdicts: Verdicts issued on it.
        alpha_spent: Risks of a false COMPLIANT of all exercises that it entered, summed.
        violation_spent: Risks of a false VIOLATION of them, summed.
        alpha_cap: Sum of either at which the set is used up.
        margin: Drift of its score that its owner accepts, as a share.
        leakage: How far its score may have drifted from the population's, at 95 % confidence.
        exposed: Items at each exposure level, from SEALED to PUBLIC.
        retired: Why its owner retired it; None while it is in use.
    """

    size: int
    verdicts: int
    alpha_spent: Fraction
    violation_spent: Fraction
    alpha_cap: Fraction
    margin: Fraction
    leakage: float
    exposed: tuple[int, int, int, int]
    retired: str | None


class SetLedger:
    """The ledger file. Use as a context manager, or call `close`."""

    def __init__(self, path: Path) -> None:
        """Open or create the ledger at `path`. Raises `LocalError` (CORRUPT)."""
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise LocalError(Reason.CORRUPT, f"{path} is not a ledger of test sets") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def register(self, root: Digest, size: int, alpha_cap: Fraction, margin: Fraction) -> None:
        """Open the account of a set; registering the same set again with the same numbers does nothing.

        Args:
            root: Root of the set's tree.
            size: Items in it.
            alpha_cap: Risks that its exercises may add up to.
            margin: Drift that reuse may cause before it is used up, as a share.

        Raises:
            LocalError: CONFIG, where the set is registered with other numbers.
        """
        row = (size, str(alpha_cap), str(margin))
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO sets VALUES (?, ?, ?, ?, NULL)", (root, *row))
            kept = self._one("SELECT size, alpha_cap, margin FROM sets WHERE root = ?", root)
        if kept != row:
            raise LocalError(Reason.CONFIG, "the set is registered with another size, alpha cap or margin")

    def _one(self, query: str, *arguments: bytes) -> tuple[object, ...] | None:
        with closing(self._db.execute(query, arguments)) as cursor:
            row: tuple[object, ...] | None = cursor.fetchone()
            return row

    def status(self, root: Digest) -> SetStatus:
        """Everything that has been spent of a set. Raises `LocalError` (CONFIG) for an unknown one."""
        row = self._one("SELECT size, alpha_cap, margin, retired FROM sets WHERE root = ?", root)
        if row is None:
            raise LocalError(
                Reason.CONFIG, f"the ledger has no set {root.hex()[:16]}…", hint="register the set first"
            )
        size = int(str(row[0]))
        spent = self._db.execute(
            "SELECT alpha, alpha_violation, verdict FROM exercises WHERE root = ?", (root,)
        ).fetchall()
        verdicts = sum(verdict is not None for *_, verdict in spent)
        levels = self._db.execute(
            "SELECT level, count(*) FROM exposure WHERE root = ? GROUP BY level", (root,)
        ).fetchall()
        shown = [dict(levels).get(level, 0) for level in Exposure]
        return SetStatus(
            size=size,
            verdicts=verdicts,
            alpha_spent=sum((Fraction(alpha) for alpha, *_ in spent), Fraction(0)),
            violation_spent=sum((Fraction(alpha) for _, alpha, _ in spent), Fraction(0)),
            alpha_cap=Fraction(str(row[1])),
            margin=Fraction(str(row[2])),
            leakage=leakage(size, verdicts) if verdicts else 0.0,
            exposed=(size - sum(shown), shown[1], shown[2], shown[3]),
            retired=None if row[3] is None else str(row[3]),
        )

    def enter(
        self, root: Digest, exercise: Digest, alpha: Fraction, violation: Fraction = Fraction(0)
    ) -> SetStatus:
        """Charge an exercise to a set before terms are proposed; further attempts charge nothing.

        Args:
            root: Root of the set's tree.
            exercise: The exercise id.
            alpha: Sum of its claims' risks of a false COMPLIANT.
            violation: Sum of its claims' risks of a false VIOLATION.

        Raises:
            LocalError: BUDGET_EXHAUSTED, where the set is used up; CONFIG, where the exercise stands in
                the ledger with another set or risk.
        """
        with self._transaction():
            status = self.status(root)
            kept = self._one(
                "SELECT root, alpha, alpha_violation FROM exercises WHERE exercise = ?", exercise
            )
            if kept is not None:
                if kept != (root, str(alpha), str(violation)):
                    raise LocalError(Reason.CONFIG, "the exercise was entered with another set or risk")
                return status
            _refuse_used_up(status, alpha, violation)
            row = (exercise, root, str(alpha), str(violation))
            self._db.execute("INSERT INTO exercises VALUES (?, ?, ?, ?, NULL)", row)
            return self.status(root)

    def issue(self, exercise: Digest, verdict: Decision) -> None:
        """Note the verdict of an entered exercise; once noted it does not change.

        Raises:
            LocalError: CONFIG, for an exercise not entered or one with another verdict.
        """
        with self._transaction():
            kept = self._one("SELECT verdict FROM exercises WHERE exercise = ?", exercise)
            if kept is None or kept[0] not in (None, verdict.value):
                raise LocalError(Reason.CONFIG, "expected an exercise entered before and without a verdict")
            self._db.execute("UPDATE exercises SET verdict = ? WHERE exercise = ?", (verdict.value, exercise))

    def expose(self, root: Digest, items: Iterable[int], level: Exposure) -> None:
        """Raise the exposure of items to `level`; a higher one stays.

        Raises:
            LocalError: CONFIG, for an unknown set or an item outside it.
        """
        with self._transaction():
            size = self.status(root).size
            rows = [(root, item, int(level)) for item in items]
            if any(not 0 <= item < size for _, item, _ in rows):
                raise LocalError(Reason.CONFIG, f"expected items in 0..{size - 1}")
            self._db.executemany(
                "INSERT INTO exposure VALUES (?, ?, ?) "
                "ON CONFLICT (root, item) DO UPDATE SET level = max(level, excluded.level)",
                rows,
            )

    def exposed(self, root: Digest, level: Exposure) -> tuple[tuple[int, int], ...]:
        """The items at `level` or above, as ascending (start, count) runs: what leaves the population."""
        found = self._db.execute(
            "SELECT item FROM exposure WHERE root = ? AND level >= ? ORDER BY item", (root, int(level))
        )
        runs: list[tuple[int, int]] = []
        for (item,) in found:
            if runs and sum(runs[-1]) == item:
                runs[-1] = (runs[-1][0], runs[-1][1] + 1)
            else:
                runs.append((item, 1))
        return tuple(runs)

    def retire(self, root: Digest, why: str) -> None:
        """Take a set out of use for good. Raises `LocalError` (CONFIG) for an unknown set."""
        with self._transaction():
            self.status(root)
            self._db.execute("UPDATE sets SET retired = coalesce(retired, ?) WHERE root = ?", (why, root))


def _refuse_used_up(status: SetStatus, alpha: Fraction, violation: Fraction) -> None:
    """Refuse a set that cannot carry one exercise more. Raises `LocalError` (BUDGET_EXHAUSTED)."""
    if status.retired is not None:
        raise LocalError(Reason.BUDGET_EXHAUSTED, f"the set was retired: {status.retired}")
    sums = (("COMPLIANT", status.alpha_spent + alpha), ("VIOLATION", status.violation_spent + violation))
    for word, total in sums:
        if total > status.alpha_cap:
            raise LocalError(
                Reason.BUDGET_EXHAUSTED,
                f"the set's exercises would add up to a risk of {total} of a false {word},"
                f" above its cap of {status.alpha_cap}",
                hint="use a fresh set",
            )
    drift = leakage(status.size, status.verdicts + 1)
    if drift > status.margin:
        raise LocalError(
            Reason.BUDGET_EXHAUSTED,
            f"one verdict more on the set could move its score by {drift:.3f},"
            f" above its margin of {float(status.margin):.3f}",
            hint="use a fresh or larger set",
        )
    if status.exposed[Exposure.PROMPT_SEEN] + status.exposed[Exposure.PUBLIC] >= status.size:
        raise LocalError(
            Reason.BUDGET_EXHAUSTED, "every item of the set has been seen", hint="use a fresh set"
        )
