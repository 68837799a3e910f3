"""Room: the edge. Writes a session's record from a journal; both roles call it."""

import filecmp
import os
from pathlib import Path

from parley_attestation.edge.journal import Journal, SessionRow
from parley_attestation.errors import LocalError, Reason
from parley_attestation.transcript import RecordWriter


def write_record(journal: Journal, row: SessionRow, path: Path) -> None:
    """Write the record of `row` to `path`, atomically, never over an existing file.

    A turn that broke the protocol stands last, so that the judge names the party at fault.

    Raises:
        LocalError: CONFIG, where the file exists already and holds anything else.
    """
    part = path.with_name(path.name + ".part")
    with part.open("wb") as out:
        writer = RecordWriter(out)
        for fault in (False, True):
            for _, turn in journal.turns(row, fault=fault):
                writer.turn(turn)
        side, evidence = journal.extras(row)
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
