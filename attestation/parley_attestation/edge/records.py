"""Room: the edge. Writes a session's record from a journal; both roles call it."""

import filecmp
import os
from pathlib import Path

from parley_attestation.edge.journal import Journal, SessionRow
from parley_attestation.errors import LocalError, Reason
from parley_attestation.transcript import RecordWriter


def write_record(journal: Journal, row: SessionRow, path: Path) -> None:
    """Write the record of `row` and the attempts before it to `path`, atomically, never over a file.

    A turn that broke the protocol stands last, so that the judge names the party at fault.

    Raises:
        LocalError: CONFIG, where the file exists already and holds anything else.
    """
    exercise = journal.exercise(row)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as out:
        writer = RecordWriter(out)
        rows = [*(journal.attempts(row.role, exercise, row.id) if exercise is not None else ()), row]
        for number, attempt in enumerate(rows):
            if number:
                writer.attempt()
            for fault in (False, True):
                for _, turn in journal.turns(attempt, fault=fault):
                    writer.turn(turn)
        extras = [journal.extras(attempt) for attempt in rows]
        side, evidence = [s for sides, _ in extras for s in sides], [e for _, kept in extras for e in kept]
        for envelope in evidence:
            writer.evidence(envelope)
        for sealed in side:
            writer.side(sealed)
        writer.end()
        out.flush()
        os.fsync(out.fileno())
    try:
        os.link(part, path)  # overwrites nothing
    except FileExistsError:
        if not filecmp.cmp(part, path, shallow=False):
            raise LocalError(
                Reason.CONFIG, f"{path}: exists already", hint="choose another file; records are kept"
            ) from None
    finally:
        part.unlink()
