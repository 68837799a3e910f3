"""Room: the edge. A witness's memory: SQLite, checked and written in one transaction before it signs.

The answer is durable (WAL, synchronous=FULL) before a signature over it exists. Ed25519 is
deterministic, so a witness killed between writing and replying gives the very same bytes when asked
again. Two processes on one database serialise on its write lock.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parley_attestation import statement
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Digest
from parley_attestation.envelope import Envelope, Signature
from parley_attestation.errors import LocalError, Reason
from parley_attestation.log.witness import (
    Cosignature,
    Receipt,
    Request,
    cosignature_of,
    receipt_of,
)
from parley_attestation.log.witness_state import Facts, Issued, WitnessState, register

MAX_SHOWN = 256  # statements that one look-up shows
BUSY_TIMEOUT = 10.0  # seconds to wait for another process that writes
_SCHEMA = """
CREATE TABLE IF NOT EXISTS witness (
  id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL, key BLOB NOT NULL,
  number INTEGER NOT NULL, time INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS exercise (
  id BLOB PRIMARY KEY, prover BLOB NOT NULL, verifier BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS issued (
  number INTEGER PRIMARY KEY, exercise BLOB NOT NULL, payload BLOB NOT NULL, request BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS issued_exercise ON issued (exercise, number);
CREATE TABLE IF NOT EXISTS receipt (
  digest BLOB PRIMARY KEY, number INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS record (
  exercise BLOB NOT NULL, head BLOB NOT NULL,
  payload_type TEXT NOT NULL, payload BLOB NOT NULL, key BLOB NOT NULL, signature BLOB NOT NULL,
  PRIMARY KEY (exercise, head)) STRICT;
"""


class WitnessStore:
    """The database of one witness, bound to its key and name for good; safe between threads."""

    def __init__(self, path: Path, name: str, key: SigningKey) -> None:
        """Open or create the database.

        Raises:
            LocalError: CONFIG, where it belongs to another key or name; CORRUPT, where it is no database.
        """
        self._key, self._name, self._lock = key, name, threading.Lock()
        try:
            self._db = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            with self._transaction():
                self._db.execute(
                    "INSERT OR IGNORE INTO witness VALUES (1, ?, ?, 0, 0)", (name, bytes(key.public))
                )
            owner = self._db.execute("SELECT name, key FROM witness").fetchone()
        except sqlite3.Error as error:
            raise LocalError(Reason.CORRUPT, f"cannot use the witness's database: {error}") from error
        if owner != (name, bytes(key.public)):
            self.close()
            raise LocalError(Reason.CONFIG, "the database belongs to a witness of another name or key")

    @property
    def public(self) -> bytes:
        """The witness's public key."""
        return self._key.public

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Hold the write lock; commit durably at the end, or leave nothing behind."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def cosign(self, request: Request, sealed: bytes, now: int, record: Envelope | None = None) -> bytes:
        """Decide a verified request, write the answer down, then sign it.

        Args:
            request: The request, verified by `read_request`.
            sealed: The same as it came.
            now: The witness's clock, Unix seconds.
            record: The record behind the head, checked by the caller; None for a timeout claim.

        Returns:
            The sealed cosignature.

        Raises:
            PeerError, LocalError: As `WitnessState.decide`.
        """
        with self._transaction():
            facts = self._facts(request.position.exercise)
            said = WitnessState(self._name, facts).decide(request, sealed, now)
            if said.number > facts.number:
                self._write(said, request, sealed)
            if record is not None:
                self._keep(request, record)
        return said.sealed(self._key)

    def register(self, digest: Digest, now: int) -> bytes:
        """Give the digest of a durable statement its first time; return the sealed receipt.

        Raises:
            LocalError: CLOCK.
        """
        with self._transaction():
            row = self._db.execute("SELECT payload FROM receipt WHERE digest = ?", (digest,)).fetchone()
            known = receipt_of(statement.parse(row[0])) if row else None
            number, time = self._db.execute("SELECT number, time FROM witness").fetchone()
            said = register(self._name, Facts(number, time), known, digest, now)
            if known is None:
                self._db.execute(
                    "INSERT INTO receipt VALUES (?, ?, ?)",
                    (digest, said.number, said.statement().payload()),
                )
                self._advance(said)
        return said.sealed(self._key)

    def exercise(self, exercise: Digest, first_number: int = 0) -> tuple[list[bytes], bool]:
        """Sealed cosignatures of an exercise from a running number on, and whether more follow."""
        with self._lock:
            rows = self._db.execute(
                "SELECT payload FROM issued WHERE exercise = ? AND number >= ? ORDER BY number LIMIT ?",
                (exercise, first_number, MAX_SHOWN + 1),
            ).fetchall()
        said = [cosignature_of(statement.parse(row[0])).sealed(self._key) for row in rows[:MAX_SHOWN]]
        return said, len(rows) > MAX_SHOWN

    def receipt(self, digest: Digest) -> bytes | None:
        """The sealed receipt of a digest, where one was given."""
        with self._lock:
            row = self._db.execute("SELECT payload FROM receipt WHERE digest = ?", (digest,)).fetchone()
        return receipt_of(statement.parse(row[0])).sealed(self._key) if row else None

    def record(self, exercise: Digest, head: bytes) -> Envelope | None:
        """The record behind a head, where it was shown."""
        with self._lock:
            row = self._db.execute(
                "SELECT payload_type, payload, key, signature FROM record WHERE exercise = ? AND head = ?",
                (exercise, head),
            ).fetchone()
        return Envelope(row[0], row[1], (Signature(row[2], row[3]),)) if row else None

    def _facts(self, exercise: Digest) -> Facts:
        number, time = self._db.execute("SELECT number, time FROM witness").fetchone()
        parties = self._db.execute(
            "SELECT prover, verifier FROM exercise WHERE id = ?", (exercise,)
        ).fetchone()
        rows = self._db.execute(
            "SELECT payload, request FROM issued WHERE exercise = ? ORDER BY number", (exercise,)
        )
        issued = tuple(Issued(cosignature_of(statement.parse(said)), asked) for said, asked in rows)
        return Facts(number, time, (Digest(parties[0]), Digest(parties[1])) if parties else None, issued)

    def _write(self, said: Cosignature, request: Request, sealed: bytes) -> None:
        exercise = request.position.exercise
        self._db.execute("INSERT OR IGNORE INTO exercise VALUES (?, ?, ?)", (exercise, *request.parties))
        self._db.execute(
            "INSERT INTO issued VALUES (?, ?, ?, ?)",
            (said.number, exercise, said.statement().payload(), sealed),
        )
        self._advance(said)

    def _advance(self, said: Cosignature | Receipt) -> None:
        self._db.execute("UPDATE witness SET number = ?, time = ?", (said.number, said.time))

    def _keep(self, request: Request, record: Envelope) -> None:
        place, signature = request.position, record.signatures[0]
        self._db.execute(
            "INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?, ?)",
            (
                place.exercise,
                place.head,
                record.payload_type,
                record.payload,
                signature.key,
                signature.value,
            ),
        )
