"""Room: the edge. Writes a session's record from a journal; both roles call it."""

import contextlib
import filecmp
import os
from pathlib import Path

from parley_attestation.edge.journal import Journal, SessionRow
from parley_attestation.encoding import Digest
from parley_attestation.envelope import from_json
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.session import messages
from parley_attestation.statement import parse
from parley_attestation.terms import exercise_id
from parley_attestation.transcript import RecordWriter


def write_record(journal: Journal, row: SessionRow, path: Path) -> None:
    """Write the record of `row` and the attempts before it to `path`, atomically, never over a file.

    A turn that broke the protocol stands last, so that the judge names the party at fault.

    Raises:
        LocalError: CONFIG, where the file exists already and holds anything else.
    """
    exercise = journal.exercise(row) or _refused(journal, row)
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


def _refused(journal: Journal, row: SessionRow) -> Digest | None:
    """The exercise that a refused Propose names: what is wrong with it may show beside earlier attempts only."""
    for _, turn in journal.turns(row, fault=True):
        if turn.envelope.payload_type == messages.payload_type("propose"):
            with contextlib.suppress(PeerError):
                _, body = messages.read("propose", turn.envelope.payload)
                assert isinstance(body, messages.Propose)
                return exercise_id(parse(from_json(body.terms).payload))
    return None
