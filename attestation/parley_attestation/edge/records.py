"""Room: the edge. Writes a session's record from a journal; both roles call it."""

import contextlib
import filecmp
import os
from pathlib import Path

from parley_attestation.edge.attempts import replay
from parley_attestation.edge.journal import Journal, SessionRow
from parley_attestation.encoding import Digest
from parley_attestation.envelope import from_json
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.session import messages
from parley_attestation.statement import parse
from parley_attestation.terms import exercise_id, read_terms
from parley_attestation.transcript import RecordWriter


def write_record(journal: Journal, row: SessionRow, path: Path) -> None:
    """Write the record of `row` and the attempts before it to `path`, atomically, never over a file.

    A turn that broke the protocol stands last in its attempt, and evidence after it: the judge names the party
    at fault.

    Raises:
        LocalError: CONFIG, where the file exists already and holds anything else.
    """
    exercise = journal.exercise(row) or _refused(journal, row)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as out:
        writer = RecordWriter(out)
        side: list[bytes] = []
        rows = [*(journal.attempts(row.role, exercise, row.id) if exercise is not None else ()), row]
        for number, attempt in enumerate(rows):
            if number:
                writer.attempt()
            for fault in (False, True):
                for _, turn in journal.turns(attempt, fault=fault):
                    writer.turn(turn)
            sides, evidence = journal.extras(attempt)
            for envelope in evidence:
                writer.evidence(envelope)
            side += sides
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
    """The exercise that a refused Propose names: what is wrong with it may show beside earlier attempts only.

    None where the terms are not between the parties of the session: the attempts are somebody else's then.
    """
    for _, turn in journal.turns(row, fault=True):
        if turn.envelope.payload_type == messages.payload_type("propose"):
            with contextlib.suppress(PeerError):
                _, body = messages.read("propose", turn.envelope.payload)
                assert isinstance(body, messages.Propose)
                said = parse(from_json(body.terms).payload)
                terms, histories = read_terms(said), replay(journal, row.role, row).facts.histories
                owners = {role: history.owner for role, history in histories.items()}
                if owners == {Role.VERIFIER: terms.verifier, Role.PROVER: terms.prover}:
                    return exercise_id(said)
    return None
