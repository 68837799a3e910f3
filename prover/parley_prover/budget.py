"""Room: the prover. The disclosure budget: what a counterparty has drawn, kept across sessions.

Reserved when terms are accepted, debited together with the journal row of every answer, released when
the exercise ends. The prover enforces it by itself, whatever the terms say.
"""

import sqlite3
from dataclasses import dataclass

from parley_attestation.errors import PeerError, Reason

_SCHEMA = """
CREATE TABLE IF NOT EXISTS disclosure (
  peer BLOB NOT NULL, exercise BLOB NOT NULL, reserved INTEGER NOT NULL, answered INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0, closed INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (peer, exercise))
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """Answers and output bytes that one counterparty may draw, over all its exercises."""

    answers: int
    output_bytes: int


class DisclosureBudget:
    """The account of one counterparty in the prover's journal."""

    def __init__(self, db: sqlite3.Connection, peer: bytes, limits: Limits) -> None:
        """Open the account of the party with root fingerprint `peer`."""
        db.execute(_SCHEMA)
        self._db = db
        self._peer = peer
        self._limits = limits

    def left(self, db: sqlite3.Connection | None = None) -> tuple[int, int]:
        """Answers and bytes still free: neither given nor reserved by an open exercise."""
        row = (
            (db or self._db)
            .execute(
                "SELECT COALESCE(SUM(CASE closed WHEN 1 THEN answered ELSE MAX(reserved, answered) END), 0),"
                " COALESCE(SUM(bytes), 0) FROM disclosure WHERE peer=?",
                (self._peer,),
            )
            .fetchone()
        )
        return self._limits.answers - row[0], self._limits.output_bytes - row[1]

    def reserve(self, db: sqlite3.Connection, exercise: bytes, answers: int) -> None:
        """Reserve an exercise's whole budget. Raises `PeerError` (BUDGET_EXHAUSTED)."""
        free, free_bytes = self.left(db)
        known = db.execute(
            "UPDATE disclosure SET closed=0 WHERE peer=? AND exercise=?", (self._peer, exercise)
        ).rowcount
        if known:  # a later attempt goes on with what the first reserved
            return
        if answers > free or free_bytes <= 0:
            raise PeerError(
                Reason.BUDGET_EXHAUSTED,
                f"the terms ask for {answers} answers, {max(free, 0)} are left for this party",
            )
        db.execute(
            "INSERT OR IGNORE INTO disclosure (peer, exercise, reserved) VALUES (?, ?, ?)",
            (self._peer, exercise, answers),
        )

    def debit(self, db: sqlite3.Connection, exercise: bytes, answers: int, size: int) -> None:
        """Debit given answers. Raises `PeerError` (BUDGET_EXHAUSTED); the transaction then undoes all."""
        db.execute(
            "UPDATE disclosure SET answered=answered+?, bytes=bytes+? WHERE peer=? AND exercise=?",
            (answers, size, self._peer, exercise),
        )
        free, free_bytes = self.left(db)
        if free < 0 or free_bytes < 0:
            raise PeerError(Reason.BUDGET_EXHAUSTED, "this party's disclosure budget is used up")

    def close(self, db: sqlite3.Connection, exercise: bytes) -> None:
        """Give back what an ended exercise reserved and did not use."""
        db.execute("UPDATE disclosure SET closed=1 WHERE peer=? AND exercise=?", (self._peer, exercise))
