"""Room: the chamber. Counts its runs: a run that was aborted or refused counts like any other.

A run is on disk before anything is opened, so that nobody retries quietly until it passes. So is every
attempt at an exercise before it has keys: each place has one session, nothing follows a run, and what
another attempt has followed does not run.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
  id INTEGER PRIMARY KEY, test_set BLOB NOT NULL, model_claim BLOB NOT NULL, session BLOB UNIQUE NOT NULL,
  outcome TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS attempt (
  exercise BLOB NOT NULL, number INTEGER NOT NULL, session BLOB NOT NULL, PRIMARY KEY (exercise, number));
"""
_FOLLOWED = """
SELECT 1 FROM attempt AS one JOIN attempt AS two ON two.exercise = one.exercise AND two.number > one.number
WHERE one.session=?
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

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(self._connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def attempt(self, exercise: Digest, sessions: Sequence[bytes]) -> None:
        """Enter the last of the sessions that attempted an exercise, oldest first; the same again changes nothing.

        Raises:
            PeerError: BAD_ATTEMPT, where this chamber knows another session in the place of one of them, a
                later attempt, or a run of an earlier one: nothing continues an exercise that has run.
        """
        with self._transaction() as db:
            known = db.execute("SELECT number, session FROM attempt WHERE exercise=?", (bytes(exercise),))
            for number, session in known.fetchall():
                if number > len(sessions) or sessions[number - 1] != session:
                    raise PeerError(
                        Reason.BAD_ATTEMPT, f"attempt {number} at this exercise was another session"
                    )
            for session in sessions[:-1]:
                if db.execute("SELECT 1 FROM run WHERE session=?", (bytes(session),)).fetchone():
                    raise PeerError(Reason.BAD_ATTEMPT, "an earlier attempt at this exercise has had its run")
            entry = (bytes(exercise), len(sessions), bytes(sessions[-1]))
            db.execute("INSERT OR IGNORE INTO attempt VALUES (?,?,?)", entry)

    def begin(self, test_set: Digest, model_claim: Digest, session: Digest) -> int:
        """Count a run before it begins; returns how many there are now of this set and this claim.

        Raises:
            PeerError: QUOTA_EXHAUSTED, where this session had its run; BAD_ATTEMPT, where this chamber knows
                a later attempt at its exercise: of two that had each been opened both would run.
        """
        pair = (bytes(test_set), bytes(model_claim))
        with self._transaction() as db:
            if db.execute(_FOLLOWED, (bytes(session),)).fetchone():
                raise PeerError(
                    Reason.BAD_ATTEMPT, "a later attempt at this exercise has followed the session"
                )
            try:
                db.execute("INSERT INTO run VALUES (NULL,?,?,?,?)", (*pair, bytes(session), BEGUN))
            except sqlite3.IntegrityError:
                raise PeerError(Reason.QUOTA_EXHAUSTED, "this session has had its run") from None
            row = db.execute("SELECT count(*) FROM run WHERE test_set=? AND model_claim=?", pair)
            (runs,) = row.fetchone()
            return int(runs)

    def end(self, session: Digest, outcome: str) -> None:
        """Note how a run ended: done, or the code of what stopped it."""
        with closing(self._connect()) as db:
            db.execute("UPDATE run SET outcome=? WHERE session=?", (outcome, bytes(session)))

    def outcomes(self) -> list[str]:
        """How every run ended, oldest first; `begun` for one that was cut off."""
        with closing(self._connect()) as db:
            return [outcome for (outcome,) in db.execute("SELECT outcome FROM run ORDER BY id")]
