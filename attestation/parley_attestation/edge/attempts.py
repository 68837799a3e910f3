"""Room: the edge. Earlier attempts at an exercise, replayed from a party's own journal; both roles call it.

Each party counts attempts by itself: a verifier that retries under a fresh session is refused unless it
says so, and continues where the last attempt ended.
"""

from collections.abc import Callable

from parley_attestation.edge.journal import Journal, SessionRow
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, ParleyError, Reason, Role
from parley_attestation.session.facts import Earlier
from parley_attestation.session.machine import Duplicate, Machine
from parley_attestation.session.modes import offered_mode


def earlier_attempts(
    journal: Journal, role: Role, before: SessionRow | None = None
) -> Callable[[Digest], Earlier | None]:
    """A finder of the latest attempt at an exercise, older than session `before`."""

    def find(exercise: Digest) -> Earlier | None:
        rows = journal.attempts(role, exercise, before.id if before is not None else None)
        return replay(journal, role, rows[-1]).as_earlier() if rows else None

    return find


def session_mode(journal: Journal, row: SessionRow) -> str:
    """The mode of a session in the journal."""
    return next((offered_mode(turn.envelope) for _, turn in journal.turns(row)), "open")


def replay(journal: Journal, role: Role, row: SessionRow) -> Machine:
    """The machine of a session in the journal. Raises `LocalError` (CORRUPT)."""
    mode = session_mode(journal, row)
    machine = Machine(journal, mode=mode, earlier=earlier_attempts(journal, role, row))
    for sequence, turn in journal.turns(row):
        try:
            machine.step(turn)
        except (ParleyError, Duplicate) as error:
            raise LocalError(
                Reason.CORRUPT, f"{journal.path}: turn {sequence} no longer holds ({error})"
            ) from error
    return machine
