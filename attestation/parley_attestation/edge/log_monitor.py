"""Room: the edge. What a monitor remembers of a log: the last checkpoint and every entry's digest."""

from pathlib import Path

from parley_attestation.edge.log_store import FolderStore
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, Reason
from parley_attestation.log.checkpoint import Checkpoint, open_checkpoint
from parley_attestation.log.monitor import follow
from parley_attestation.log.note import NoteKey
from parley_attestation.log.tiles import CHECKPOINT, Read

ENTRIES = "entries"


class LogMonitor:
    """Follows one log; `folder` is its memory, 32 bytes an entry."""

    def __init__(self, folder: Path, log_key: NoteKey, origin: str | None = None) -> None:
        """Load what was verified before.

        Raises:
            PeerError, LocalError: The folder's checkpoint is of another log; CORRUPT where entries are
                missing.
        """
        self._files, self._key, self._origin = FolderStore(folder), log_key, origin
        raw = self._files.read(CHECKPOINT)
        self.checkpoint: Checkpoint | None = None
        known = self._files.read(ENTRIES) or b""
        if raw is not None:
            self.checkpoint, _ = open_checkpoint(raw, log_key, origin)
            known = known[: 32 * self.checkpoint.size]
            if len(known) != 32 * self.checkpoint.size:
                raise LocalError(Reason.CORRUPT, "the monitor's folder lacks entries of its checkpoint")
        else:
            known = b""
        self._known = known

    def follow(self, read: Read) -> int:
        """Verify what the log serves now, remember it, and return how many entries are new.

        Raises:
            PeerError: As `monitor.follow`.
            LocalError: UNREACHABLE, where it serves no checkpoint.
        """
        raw = read(CHECKPOINT)
        if raw is None:
            raise LocalError(Reason.UNREACHABLE, "the log serves no checkpoint")
        new, entries = follow(self.checkpoint, raw, self._key, read, self._origin)
        self._known += b"".join(entries)
        if entries:
            self._files.write(ENTRIES, self._known)  # entries first: a checkpoint never lacks them
        self._files.write(CHECKPOINT, raw)
        self.checkpoint = new
        return len(entries)

    def entries(self) -> frozenset[Digest]:
        """Every entry of the log up to the checkpoint."""
        return frozenset(Digest(self._known[n : n + 32]) for n in range(0, len(self._known), 32))
