"""Room: the edge. The append-only journal of a party's sessions: SQLite, write-ahead log, full sync.

A turn is on disk before its first byte leaves, and a party's other promises (a debited budget, a
reserved attempt) are written in the same transaction. The prover's and the verifier's drivers call it.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from parley_attestation.envelope import Envelope
from parley_attestation.errors import LocalError, ParleyError, PeerError, Reason, Role
from parley_attestation.session.turns import Turn, blob_digest
from parley_attestation.transcript import decode_envelope, encode_envelope

_SCHEMA = """
CREATE TABLE IF NOT EXISTS session (
  id INTEGER PRIMARY KEY, hello BLOB UNIQUE NOT NULL, session_id BLOB UNIQUE, role TEXT NOT NULL,
  secret BLOB NOT NULL, exercise BLOB, ended INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS turn (
  session INTEGER NOT NULL REFERENCES session(id), sequence INTEGER NOT NULL, envelope BLOB NOT NULL,
  fault INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (session, sequence, fault));
CREATE TABLE IF NOT EXISTS turn_blob (
  session INTEGER NOT NULL, sequence INTEGER NOT NULL, fault INTEGER NOT NULL DEFAULT 0,
  position INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (session, sequence, fault, position));
CREATE TABLE IF NOT EXISTS blob (digest BLOB PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS side (session INTEGER NOT NULL, sealed BLOB NOT NULL, UNIQUE (session, sealed));
CREATE TABLE IF NOT EXISTS pledge (
  session INTEGER NOT NULL REFERENCES session(id), sequence INTEGER NOT NULL, after BLOB NOT NULL,
  envelope BLOB NOT NULL, PRIMARY KEY (session, sequence));
CREATE TABLE IF NOT EXISTS evidence (session INTEGER NOT NULL, envelope BLOB NOT NULL, UNIQUE (session, envelope));
"""

Also = Callable[[sqlite3.Connection], None]


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session in the journal."""

    id: int
    role: Role
    secret: bytes
    session_id: bytes | None
    hello: bytes
    ended: bool

    def __repr__(self) -> str:
        return f"SessionRow({self.id}, {self.role})"


class Journal:
    """A party's journal. One connection, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create the journal at `path` (mode 0600). Raises `LocalError` (CORRUPT)."""
        self.path = path
        try:
            if not path.exists():
                path.touch(0o600)
        except OSError as error:
            raise LocalError(Reason.CONFIG, f"{path}: {error.strerror}") from error
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        with self._guard():
            self.connection.execute("PRAGMA journal_mode=WAL")
            self.connection.execute("PRAGMA synchronous=FULL")
            self.connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise LocalError(
                Reason.CONFIG, f"{self.path}: another process works on this session", hint="let it finish"
            ) from error
        except sqlite3.DatabaseError as error:
            why = "text where bytes belong" if "decode" in str(error) else str(error)  # shows no content
            if isinstance(error, sqlite3.OperationalError) and why == str(error) and "malformed" not in why:
                raise LocalError(Reason.CONFIG, f"{self.path}: {error}") from error
            raise LocalError(
                Reason.CORRUPT,
                f"{self.path}: the journal is damaged ({why})",
                hint="restore it from a backup; nothing was overwritten",
            ) from None

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One atomic write, on disk when the block ends."""
        with self._guard():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    def start(
        self,
        role: Role,
        secret: bytes,
        first: Turn,
        reply: Turn | None = None,
        session_id: bytes | None = None,
    ) -> SessionRow:
        """Begin a session with its Hello, and on the prover's side with its reply and the id they give."""
        with self.transaction() as db:
            cursor = db.execute(
                "INSERT INTO session (hello, role, secret, session_id) VALUES (?, ?, ?, ?)",
                (first.envelope.head(), role.value, secret, session_id),
            )
            row = SessionRow(
                int(cursor.lastrowid or 0), role, secret, session_id, first.envelope.head(), ended=False
            )
            self._insert(db, row.id, 1, first)
            if reply is not None:
                self._insert(db, row.id, 2, reply)
        return row

    def append(self, row: SessionRow, sequence: int, turn: Turn, *also: Also) -> None:
        """Write a turn, and whatever else must be true with it, in one transaction.

        Raises:
            PeerError: ABORTED, where another message was pledged for the slot meanwhile.
        """
        with self.transaction() as db:
            kept = db.execute(
                "SELECT envelope FROM pledge WHERE session=? AND sequence=?", (row.id, sequence)
            ).fetchone()
            if kept is not None and kept[0] != encode_envelope(turn.envelope):
                raise PeerError(Reason.ABORTED, "this slot was given up towards the witnesses")
            self._insert(db, row.id, sequence, turn)
            for one in also:
                one(db)

    @staticmethod
    def _insert(
        db: sqlite3.Connection, session: int, sequence: int, turn: Turn, *, fault: bool = False
    ) -> None:
        db.execute(
            "INSERT INTO turn VALUES (?, ?, ?, ?)", (session, sequence, encode_envelope(turn.envelope), fault)
        )
        for position, blob in enumerate(turn.blobs):
            digest = blob_digest(blob)
            db.execute(
                "INSERT INTO turn_blob VALUES (?, ?, ?, ?, ?)", (session, sequence, fault, position, digest)
            )
            db.execute("INSERT OR IGNORE INTO blob VALUES (?, ?)", (digest, blob))

    def fault(self, row: SessionRow, sequence: int, turn: Turn) -> None:
        """Keep a signed turn that broke the protocol, as evidence; the session is over."""
        with self.transaction() as db:
            if not db.execute("SELECT 1 FROM turn WHERE session=? AND fault=1", (row.id,)).fetchone():
                self._insert(db, row.id, sequence, turn, fault=True)
            db.execute("UPDATE session SET ended=1 WHERE id=?", (row.id,))

    def pledge(
        self, row: SessionRow, sequence: int, after: Envelope, envelope: Envelope, *, length: int
    ) -> None:
        """Keep the own message for a slot whose predecessor is known from a witness alone.

        Whoever comes to `sequence` later says this and nothing else there. Nothing is kept where the
        journal no longer has `length` turns: the session has moved on.
        """
        with self.transaction() as db:
            if self._last(db, row) == length:
                db.execute(
                    "INSERT OR IGNORE INTO pledge VALUES (?, ?, ?, ?)",
                    (row.id, sequence, encode_envelope(after), encode_envelope(envelope)),
                )

    def pledged(self, row: SessionRow, sequence: int) -> tuple[Envelope, Envelope] | None:
        """What was pledged for a slot: the message that it follows, and the own message."""
        with self._guard():
            found = self.connection.execute(
                "SELECT after, envelope FROM pledge WHERE session=? AND sequence=?", (row.id, sequence)
            ).fetchone()
        return None if found is None else (self._envelope(found[0], 0), self._envelope(found[1], sequence))

    def last_pledge(self, row: SessionRow) -> tuple[int, Envelope] | None:
        """The furthest slot that was pledged, and the own message for it."""
        with self._guard():
            found = self.connection.execute(
                "SELECT sequence, envelope FROM pledge WHERE session=? ORDER BY sequence DESC LIMIT 1",
                (row.id,),
            ).fetchone()
        return None if found is None else (int(found[0]), self._envelope(found[1], found[0]))

    def length(self, row: SessionRow) -> int:
        """How many turns of a session the journal holds."""
        with self._guard():
            return self._last(self.connection, row)

    @staticmethod
    def _last(db: sqlite3.Connection, row: SessionRow) -> int:
        found = db.execute(
            "SELECT COALESCE(MAX(sequence), 0) FROM turn WHERE session=? AND fault=0", (row.id,)
        ).fetchone()
        return int(found[0])

    def evidence(self, row: SessionRow, envelope: Envelope) -> None:
        """Keep a second, different message for a filled slot; the session is over."""
        with self.transaction() as db:
            db.execute("INSERT OR IGNORE INTO evidence VALUES (?, ?)", (row.id, encode_envelope(envelope)))
            db.execute("UPDATE session SET ended=1 WHERE id=?", (row.id,))

    def side(self, row: SessionRow, sealed: bytes) -> None:
        """Keep a side record."""
        with self.transaction() as db:
            db.execute("INSERT OR IGNORE INTO side VALUES (?, ?)", (row.id, sealed))

    def note(self, row: SessionRow, **facts: bytes | bool | None) -> None:
        """Note the session's id, its exercise or its end, in a transaction of its own."""
        with self.transaction() as db:
            noted(row, **facts)(db)

    def broken(self, row: SessionRow) -> bool:
        """Whether a provable fault of the other party has ended the session."""
        with self._guard():
            found = self.connection.execute(
                "SELECT 1 FROM turn WHERE session=? AND fault=1 UNION SELECT 1 FROM evidence WHERE session=?",
                (row.id, row.id),
            ).fetchone()
        return found is not None

    def superseded(self, row: SessionRow) -> bool:
        """Whether a later session has taken up the exercise of this one."""
        with self._guard():
            found = self.connection.execute(
                "SELECT 1 FROM session AS one JOIN session AS two ON two.exercise = one.exercise"
                " AND two.role = one.role AND two.id > one.id WHERE one.id=?",
                (row.id,),
            ).fetchone()
        return found is not None

    def find(self, *, hello: bytes | None = None, session_id: bytes | None = None) -> SessionRow | None:
        """A session by the head of its Hello, or by its id."""
        column, value = ("hello", hello) if hello is not None else ("session_id", session_id)
        with self._guard():
            found = self.connection.execute(
                f"SELECT id, role, secret, session_id, hello, ended FROM session WHERE {column}=?",  # noqa: S608 - two fixed names
                (value,),
            ).fetchone()
        return None if found is None else _row(found)

    def attempts(self, role: Role, exercise: bytes, before: int | None = None) -> list[SessionRow]:
        """The sessions at one exercise, oldest first; only those older than session `before`."""
        with self._guard():
            rows = self.connection.execute(
                "SELECT id, role, secret, session_id, hello, ended FROM session WHERE role=? AND exercise=? AND id<?"
                " ORDER BY id",
                (role.value, exercise, before if before is not None else 1 << 62),
            ).fetchall()
        return [_row(found) for found in rows]

    def sessions(self, role: Role) -> list[SessionRow]:
        """Every session in which the party had `role`, oldest first."""
        with self._guard():
            rows = self.connection.execute(
                "SELECT id, role, secret, session_id, hello, ended FROM session WHERE role=? ORDER BY id",
                (role.value,),
            ).fetchall()
        return [_row(found) for found in rows]

    def exercise(self, row: SessionRow) -> bytes | None:
        """The exercise of a session, once it was proposed."""
        with self._guard():
            found = self.connection.execute("SELECT exercise FROM session WHERE id=?", (row.id,)).fetchone()
        return found[0] if found is not None else None

    def last(self, role: Role) -> SessionRow | None:
        """The newest session."""
        with self._guard():
            found = self.connection.execute(
                "SELECT id, role, secret, session_id, hello, ended FROM session WHERE role=? ORDER BY id DESC LIMIT 1",
                (role.value,),
            ).fetchone()
        return None if found is None else _row(found)

    def unfinished(self, role: Role) -> list[SessionRow]:
        """Sessions that have not ended, newest first."""
        with self._guard():
            rows = self.connection.execute(
                "SELECT id, role, secret, session_id, hello, ended FROM session"
                " WHERE role=? AND ended=0 ORDER BY id DESC",
                (role.value,),
            ).fetchall()
        return [_row(found) for found in rows]

    def proposed(self, role: Role) -> list[SessionRow]:
        """All sessions whose exercise is known, ended or not, oldest first."""
        with self._guard():
            rows = self.connection.execute(
                "SELECT id, role, secret, session_id, hello, ended FROM session"
                " WHERE role=? AND exercise IS NOT NULL ORDER BY id",
                (role.value,),
            ).fetchall()
        return [_row(found) for found in rows]

    def turns(self, row: SessionRow, after: int = 0, *, fault: bool = False) -> Iterator[tuple[int, Turn]]:
        """The turns of a session after `after`, in order, with all their content.

        Raises:
            LocalError: CORRUPT, naming the sequence number of the turn.
        """
        with self._guard():
            heads = self.connection.execute(
                "SELECT sequence, envelope FROM turn WHERE session=? AND sequence>? AND fault=? ORDER BY sequence",
                (row.id, after, fault),
            ).fetchall()
        for sequence, raw in heads:
            yield (
                sequence,
                Turn(self._envelope(raw, sequence), tuple(self._blobs(row, sequence, fault=fault))),
            )

    def envelope(self, row: SessionRow, sequence: int) -> Envelope | None:
        """The message in a slot, without its content."""
        with self._guard():
            found = self.connection.execute(
                "SELECT envelope FROM turn WHERE session=? AND sequence=? AND fault=0", (row.id, sequence)
            ).fetchone()
        return None if found is None else self._envelope(found[0], sequence)

    def _envelope(self, raw: bytes, sequence: int) -> Envelope:
        try:
            return decode_envelope(raw)
        except ParleyError as error:
            raise LocalError(
                Reason.CORRUPT, f"{self.path}: turn {sequence} is damaged ({error.message})"
            ) from error

    def _blobs(self, row: SessionRow, sequence: int, *, fault: bool) -> Iterator[bytes]:
        with self._guard():
            digests = self.connection.execute(
                "SELECT digest FROM turn_blob WHERE session=? AND sequence=? AND fault=? ORDER BY position",
                (row.id, sequence, fault),
            ).fetchall()
        for (digest,) in digests:
            blob = self.get(digest)
            if blob is None or blob_digest(blob) != digest:
                raise LocalError(
                    Reason.CORRUPT, f"{self.path}: content of turn {sequence} is missing or damaged"
                )
            yield blob

    def get(self, digest: bytes) -> bytes | None:
        """A blob by digest: this is the machine's view of earlier content."""
        with self._guard():
            found = self.connection.execute("SELECT data FROM blob WHERE digest=?", (digest,)).fetchone()
        return None if found is None else found[0]

    def extras(self, row: SessionRow) -> tuple[list[bytes], list[Envelope]]:
        """Side records and evidence of a session."""
        with self._guard():
            sides = self.connection.execute(
                "SELECT sealed FROM side WHERE session=? ORDER BY rowid", (row.id,)
            )
            side = [r[0] for r in sides.fetchall()]
            kept = self.connection.execute(
                "SELECT envelope FROM evidence WHERE session=? ORDER BY rowid", (row.id,)
            )
            return side, [self._envelope(r[0], 0) for r in kept.fetchall()]


def noted(row: SessionRow, **facts: bytes | bool | None) -> Also:
    """Facts about a session (session_id, exercise, ended) that become true with a turn."""

    def write(db: sqlite3.Connection) -> None:
        for name, value in facts.items():
            db.execute(f"UPDATE session SET {name}=? WHERE id=?", (value, row.id))  # noqa: S608 - own names

    return write


def _row(found: tuple[int, str, bytes, bytes | None, bytes, int]) -> SessionRow:
    return SessionRow(found[0], Role(found[1]), found[2], found[3], found[4], bool(found[5]))
