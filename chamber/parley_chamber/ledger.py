"""Room: the chamber. Counts its runs: a run that was aborted or refused counts like any other.

A run is on disk before anything is opened, so that nobody retries quietly until it passes.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
  id INTEGER PRIMARY KEY, test_set BLOB NOT NULL, model_claim BLOB NOT NULL, session BLOB UNIQUE NOT NULL,
  outcome TEXT NOT NULL);
"""
BEGUN, DONE = "begun", "done"


class RunLedger:
    """The runs of one chamber, in one file."""

    def __init__(self, path: Path) -> None:
        """Open or create the file."""
        self._path = path
        with closing(self._connect()) as db:
            db.executescript(_SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None)
        db.execute("PRAGMA synchronous=FULL")
        return db

    def begin(self, test_set: Digest, model_claim: Digest, session: Digest) -> int:
        """Count a run before it begins; returns how many there are now of this set and this claim.

        Raises:
            PeerError: QUOTA_EXHAUSTED, where this session had its run.
        """
        pair = (bytes(test_set), bytes(model_claim))
        with closing(self._connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                db.execute("INSERT INTO run VALUES (NULL,?,?,?,?)", (*pair, bytes(session), BEGUN))
            except sqlite3.IntegrityError:
                db.execute("ROLLBACK")
                raise PeerError(Reason.QUOTA_EXHAUSTED, "this session has had its run") from None
            row = db.execute("SELECT count(*) FROM run WHERE test_set=? AND model_claim=?", pair)
            (runs,) = row.fetchone()
            db.execute("COMMIT")
            return int(runs)

    def end(self, session: Digest, outcome: str) -> None:
        """Note how a run ended: done, or the code of what stopped it."""
        with closing(self._connect()) as db:
            db.execute("UPDATE run SET outcome=? WHERE session=?", (outcome, bytes(session)))

    def outcomes(self) -> list[str]:
        """How every run ended, oldest first; `begun` for one that was cut off."""
        with closing(self._connect()) as db:
            return [outcome for (outcome,) in db.execute("SELECT outcome FROM run ORDER BY id")]
