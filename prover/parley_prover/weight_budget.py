"""Room: the prover. The weight-disclosure budget: how much of a model has been opened, to whom, in all.

Kept in SQLite with a write-ahead log. A reservation is one immediate transaction, made before a byte is
read: two sessions, or two processes, cannot both spend what is left, and a restart forgets nothing. What
was opened twice counts twice, and a reservation is not given back: both err on the side of silence.

The default is 1 % of the bytes, per counterparty and in total, because a fifth of a model is enough to
extract a surrogate of an aligned model's safety classifier (Noirot Ferrand et al. 2025, "Targeting
Alignment: Extracting Safety Classifiers of Aligned LLMs").
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, PeerError, Reason

DEFAULT_FRACTION = Fraction(1, 100)
_BUSY = 30.0  # seconds to wait for another process's transaction
_SCHEMA = """
CREATE TABLE IF NOT EXISTS disclosure (
  id INTEGER PRIMARY KEY,
  model BLOB NOT NULL CHECK (length(model) = 32),
  counterparty BLOB NOT NULL CHECK (length(counterparty) = 32),
  request BLOB NOT NULL CHECK (length(request) = 32),
  size INTEGER NOT NULL CHECK (size >= 0)
) STRICT;
CREATE INDEX IF NOT EXISTS by_model ON disclosure (model, counterparty);
"""


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `fraction` of the model's bytes, and at most `size` bytes where that is given."""

    fraction: Fraction = DEFAULT_FRACTION
    size: int | None = None

    def bytes_of(self, model_size: int) -> int:
        """The cap in bytes for a model of `model_size` bytes."""
        share = int(self.fraction * model_size)
        return share if self.size is None else min(share, self.size)


@dataclass(frozen=True, slots=True)
class Caps:
    """What one counterparty may see of a model, and what all of them together may."""

    counterparty: Cap = Cap()
    total: Cap = Cap()


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One opening about to be made: of which model (its content commitment), to whom, for what, bytes."""

    model: Digest
    counterparty: Digest
    request: Digest
    size: int


class WeightBudget:
    """The ledger at one path."""

    def __init__(self, path: Path, caps: Caps | None = None) -> None:
        """Open or create the ledger; `caps` are the prover's own, 1 % and 1 % unless given."""
        self._path = path
        self._caps = caps or Caps()
        with self._connection() as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.executescript(_SCHEMA)

    def reserve(self, asked: Disclosure, model_size: int, terms: Caps | None = None) -> None:
        """Spend the bytes of one opening, or refuse it; durable when this returns.

        Args:
            asked: The opening.
            model_size: Bytes of the whole model.
            terms: The caps that the terms of the exercise set; the stricter of both holds.

        Raises:
            PeerError: BUDGET_EXHAUSTED, blaming nobody.
            LocalError: CORRUPT, where the ledger cannot be used.
        """
        policies = [self._caps] if terms is None else [self._caps, terms]
        own = min(p.counterparty.bytes_of(model_size) for p in policies)
        total = min(p.total.bytes_of(model_size) for p in policies)
        with self._connection() as database:
            database.execute("BEGIN IMMEDIATE")
            spent, spent_total = _spent(database, asked.model, asked.counterparty)
            if spent + asked.size > own:
                _refuse(asked.size, own - spent, "for this counterparty")
            if spent_total + asked.size > total:
                _refuse(asked.size, total - spent_total, "for all counterparties together")
            database.execute(
                "INSERT INTO disclosure (model, counterparty, request, size) VALUES (?, ?, ?, ?)",
                (asked.model, asked.counterparty, asked.request, asked.size),
            )
            database.execute("COMMIT")

    def spent(self, model: Digest, counterparty: Digest) -> tuple[int, int]:
        """Bytes opened to `counterparty`, and bytes opened to anybody."""
        with self._connection() as database:
            return _spent(database, model, counterparty)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=_BUSY, isolation_level=None)) as database:
                database.execute("PRAGMA synchronous=FULL")
                yield database
        except sqlite3.Error as error:
            raise LocalError(Reason.CORRUPT, f"the weight-disclosure ledger failed: {error}") from error


def _spent(database: sqlite3.Connection, model: Digest, counterparty: Digest) -> tuple[int, int]:
    row = database.execute(
        "SELECT COALESCE(SUM(size) FILTER (WHERE counterparty = ?), 0), COALESCE(SUM(size), 0) "
        "FROM disclosure WHERE model = ?",
        (counterparty, model),
    ).fetchone()
    return int(row[0]), int(row[1])


def _refuse(size: int, left: int, whose: str) -> None:
    raise PeerError(
        Reason.BUDGET_EXHAUSTED,
        f"expected an opening of at most {max(left, 0)} bytes, the weight-disclosure budget left {whose}, "
        f"got {size}",
    )
