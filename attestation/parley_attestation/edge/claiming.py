"""Room: the edge. Claims the other party's default with the witnesses; the command line of both roles calls it."""

from parley_attestation.edge.attempts import replay
from parley_attestation.edge.journal import Journal, SessionRow
from parley_attestation.edge.notary import PanelNotary
from parley_attestation.errors import LocalError, Reason, Role
from parley_attestation.log.panel import Default
from parley_attestation.witnessing import deadline, position, standing


def awaiting(journal: Journal, role: Role) -> SessionRow:
    """The newest session that waits for the other party. Raises `LocalError` (CONFIG)."""
    for row in journal.unfinished(role):
        machine = replay(journal, role, row)
        if machine.facts.exercise is not None and machine.turn not in (None, role):
            return row
    raise LocalError(Reason.CONFIG, "no session waits for the other party")


def claim_default(journal: Journal, role: Role, row: SessionRow, notary: PanelNotary) -> Default | str:
    """Start the other party's clock with the witnesses, or, once it has run out, claim its default.

    Returns:
        The default, once enough witnesses stand behind it; before, what is still in the way.
    """
    machine = replay(journal, role, row)
    at = position(machine, machine.sequence)
    last = journal.envelope(row, at.sequence)
    assert last is not None
    shown = notary.start_clock(machine, at, last)
    claimed = notary.claim(machine, at) if shown else ()
    for sealed in (*shown, *claimed):
        journal.side(row, sealed)
    found = standing(machine, journal.extras(row)[0]).default
    if found is not None:
        return found
    why = "; ".join(str(error) for error in notary.refusals.values())
    return f"the {machine.turn} has {deadline(machine)} s from the time the witnesses gave; {why}"
