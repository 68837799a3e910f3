"""Room: the edge. The C2SP witness protocol over HTTP: a client for logs and a small witness.

Source: c2sp.org/tlog-witness v1.0.0. The witness checks and writes in one transaction, and cosigns
what is durable: two submissions at once never roll it back.
"""

import http.client
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, PeerError, Reason, printable
from parley_attestation.log import note
from parley_attestation.log.add_checkpoint import (
    MAX_BODY,
    Submission,
    SubmissionError,
    admit,
    decide,
    parse_submission,
)
from parley_attestation.log.checkpoint import Checkpoint
from parley_attestation.log.cosignature import cosign
from parley_attestation.log.note import Note, NoteKey, NoteSignature
from parley_attestation.log.tiles import Read, TileTree

TIMEOUT = 10.0  # seconds for one exchange
MAX_ANSWER = 64 << 10  # bytes of a witness's answer
SIZE_TYPE = "text/x.tlog.size"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS latest (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL) STRICT
"""


def _now() -> int:
    return int(time.time())


class CheckpointWitness:
    """Cosigns the checkpoints of the logs it knows; one SQLite database, safe between threads."""

    def __init__(self, path: Path, key: SigningKey, name: str, logs: Sequence[tuple[str, NoteKey]]) -> None:
        """Open or create the database; `logs` gives origin and key of every log it cosigns for."""
        self._key, self._name, self._logs = key, note.check_name(name), tuple(logs)
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(_SCHEMA)
        except sqlite3.Error as error:
            raise LocalError(Reason.CORRUPT, f"cannot use the witness's database: {error}") from error

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def add_checkpoint(self, body: bytes, now: int) -> NoteSignature:
        """Check a submission, write its checkpoint down, then cosign it at `now` (Unix seconds).

        Raises:
            SubmissionError: With the HTTP status of the protocol.
        """
        submission = parse_submission(body)
        new = admit(submission, self._logs)
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                decide(self._latest(new.origin), submission, new)
                self._persist(new)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        return cosign(submission.checkpoint.text, self._key, self._name, now)

    def _latest(self, origin: str) -> Checkpoint | None:
        row = self._db.execute("SELECT size, root FROM latest WHERE origin = ?", (origin,)).fetchone()
        return Checkpoint(origin, row[0], Digest(row[1])) if row else None

    def _persist(self, new: Checkpoint) -> None:
        self._db.execute("INSERT OR REPLACE INTO latest VALUES (?, ?, ?)", (new.origin, new.size, new.root))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT
    server: "_Server"

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != "/add-checkpoint" or not length.isascii() or not length.isdigit():
            self._answer(404 if self.path != "/add-checkpoint" else 411, b"")
            return
        if len(length) > 9 or int(length) > MAX_BODY:
            self._answer(413, b"")
            return
        try:
            line = self.server.witness.add_checkpoint(self.rfile.read(int(length)), self.server.clock())
        except SubmissionError as error:
            if error.size is not None:
                self._answer(error.status, b"%d\n" % error.size, SIZE_TYPE)
            else:
                self._answer(error.status, error.message.encode() + b"\n")
        except Exception:  # noqa: BLE001 - whatever it is, its text stays here
            self._answer(500, b"")
        else:
            self._answer(200, line.line().encode())

    def _answer(self, status: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status >= 400:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Write nothing: what is submitted is for the operator's own log."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], witness: CheckpointWitness, clock: Callable[[], int]
    ) -> None:
        self.witness, self.clock = witness, clock
        super().__init__(address, _Handler)


def serve_checkpoints(
    witness: CheckpointWitness, host: str, port: int, clock: Callable[[], int] = _now
) -> ThreadingHTTPServer:
    """Bind a witness to an address; the caller runs `serve_forever`. TLS is the front's business."""
    return _Server((host, port), witness, clock)


def submit(url: str, submission: Submission, *, timeout: float = TIMEOUT) -> tuple[NoteSignature, ...]:
    """Send one submission to a witness and return the signature lines that it answers with.

    Raises:
        SubmissionError: The witness refused, with its status and, for a conflict, its latest size.
        PeerError: MALFORMED, where the answer has no signature lines.
        LocalError: UNREACHABLE, or CONFIG for a URL that is not http or https.
    """
    where = urlsplit(url)
    if where.scheme not in ("http", "https") or not where.hostname:
        raise LocalError(Reason.CONFIG, "expected an http or https URL of a witness")
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.hostname, where.port, timeout=timeout)
    try:
        connection.request("POST", where.path.rstrip("/") + "/add-checkpoint", submission.dump())
        answer = connection.getresponse()
        body = answer.read(MAX_ANSWER)
    except (OSError, http.client.HTTPException) as error:
        raise LocalError(Reason.UNREACHABLE, "the witness does not answer") from error
    finally:
        connection.close()
    if answer.status != 200:
        conflict = answer.status == 409 and answer.headers.get_content_type() == SIZE_TYPE
        size = body.strip().decode("ascii", errors="replace")
        raise SubmissionError(
            Reason.BAD_CHECKPOINT,
            answer.status,
            f"the witness answers {answer.status}: {printable(body.decode(errors='replace'))}",
            int(size) if conflict and size.isdigit() and len(size) < 20 else None,
        )
    try:
        return note.parse_lines(body.decode())
    except UnicodeDecodeError as error:
        raise PeerError(Reason.MALFORMED, "expected signature lines in UTF-8") from error


def cosign_by(
    url: str, witness: NoteKey, read: Read, checkpoint: Checkpoint, signed: Note, old_size: int = 0
) -> NoteSignature:
    """Have a witness cosign a checkpoint of a log, from whatever size it saw last.

    Args:
        url: The witness's submission prefix.
        witness: Its key; signatures of others are ignored.
        read: Reads the log's tiles.
        checkpoint: The checkpoint.
        signed: Its signed note.
        old_size: What the witness is believed to have seen; corrected once by its answer.

    Raises:
        SubmissionError, PeerError, LocalError: As `submit`; BAD_COSIGNATURE where the answer is none.
    """
    tree = TileTree(read, checkpoint.size)
    try:
        lines = submit(url, Submission(old_size, tree.consistency(old_size), signed))
    except SubmissionError as error:
        if error.size is None or error.size == old_size or error.size > checkpoint.size:
            raise
        lines = submit(url, Submission(error.size, tree.consistency(error.size), signed))
    for one in lines:
        if (one.name, one.id) == (witness.name, witness.id):
            witness.check(signed.text, one.value)
            return one
    raise PeerError(Reason.BAD_COSIGNATURE, f"the answer holds no cosignature of {witness.name}")
