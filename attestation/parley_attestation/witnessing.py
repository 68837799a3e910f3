"""Room: the core. Where a session meets its witnesses: what is due, what is established, who defaulted.

The machine knows no witness. Cosignatures are side records: the parties collect them, the record
carries them, and the judge weighs them against the keys that the terms name.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from parley_attestation import statement
from parley_attestation.encoding import Digest
from parley_attestation.errors import ParleyError, PeerError, Reason, Role
from parley_attestation.log.panel import MAX_SHOWN, Default, Witnessed, default_stands, k_of_n
from parley_attestation.log.witness import Event, Position, cosignature_of
from parley_attestation.session.machine import Machine
from parley_attestation.session.tables import State

DECISION = 4  # sequence number of Accept and Decline
_DUE = {State.ACCEPTED: Event.ACCEPTED, State.DECLINED: Event.DECLINE, State.FINISHED: Event.END}


def due(machine: Machine) -> Event | None:
    """What the witnesses of the terms should see in the state that a session has reached."""
    terms = machine.facts.terms
    return _DUE.get(machine.state) if terms is not None and terms.witnesses.keys else None


def position(machine: Machine, sequence: int) -> Position:
    """The place of message `sequence` of a session whose terms are known."""
    facts = machine.facts
    assert facts.exercise is not None
    session, head = Digest(facts.session_id), machine.heads[sequence - 1]
    return Position(facts.exercise, facts.attempt, session, sequence, head)


def established(machine: Machine, sides: Sequence[bytes], event: Event) -> Witnessed:
    """What the witnesses established of an event of this session.

    Raises:
        PeerError: BAD_COSIGNATURE, where fewer signed than the terms ask for.
    """
    terms = machine.facts.terms
    assert terms is not None
    sequence = DECISION if event in {Event.ACCEPTED, Event.DECLINE} else machine.sequence
    if len(machine.heads) < sequence or not terms.witnesses.keys:
        raise PeerError(Reason.BAD_COSIGNATURE, "nothing to be witnessed here")
    return k_of_n(
        sides,
        terms.witnesses.keys,
        max(terms.witnesses.threshold, 1),
        position=position(machine, sequence),
        event=event,
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """What witnesses say about a session.

    Attributes:
        opening: The acceptance or the decline, where enough witnesses saw it.
        end: The last message, where enough witnesses saw it.
        default: A timeout claim that stands.
        attempts: Attempts of this exercise that the shown cosignatures name, ascending.
    """

    opening: Witnessed | None
    end: Witnessed | None
    default: Default | None
    attempts: tuple[int, ...]

    def __str__(self) -> str:
        if self.opening is None:
            return "unwitnessed"
        closing = f", ended by {self.end.time}" if self.end is not None else ", its end is not witnessed"
        return f"{self.opening}: decided by {self.opening.time}{closing} (Unix seconds)"


def standing(machine: Machine, sides: Sequence[bytes]) -> Standing:
    """Weigh the last `MAX_SHOWN` side records of a record: a session, whose own stand last, has far fewer."""
    facts, sides = machine.facts, sides[-MAX_SHOWN:]
    if facts.terms is None:
        return Standing(None, None, None, ())
    opening = _or_none(machine, sides, Event.ACCEPTED) or _or_none(machine, sides, Event.DECLINE)
    end = _or_none(machine, sides, Event.END) if machine.state is State.FINISHED else None
    return Standing(opening, end, _default(machine, sides), _attempts(machine, sides))


def _or_none(machine: Machine, sides: Sequence[bytes], event: Event) -> Witnessed | None:
    try:
        return established(machine, sides, event)
    except PeerError:
        return None


def _default(machine: Machine, sides: Sequence[bytes]) -> Default | None:
    terms, silent = machine.facts.terms, machine.turn
    if terms is None or silent is None or machine.sequence < DECISION:
        return None
    claimant = Role.VERIFIER if silent is Role.PROVER else Role.PROVER
    try:
        return default_stands(
            sides,
            terms.witnesses.keys,
            max(terms.witnesses.threshold, 1),
            position=position(machine, machine.sequence),
            claimant=claimant,
            deadline=deadline(machine),
        )
    except PeerError:
        return None


def deadline(machine: Machine, state: State | None = None) -> int:
    """Seconds that the terms allow for the message that comes next, or next after `state`."""
    terms = machine.facts.terms
    assert terms is not None
    return terms.answer_seconds if (state or machine.state) is State.CHALLENGED else terms.turn_seconds


def _attempts(machine: Machine, sides: Sequence[bytes]) -> tuple[int, ...]:
    terms = machine.facts.terms
    assert terms is not None
    found = set()
    for sealed in sides:
        for key in terms.witnesses.keys:
            try:
                said = cosignature_of(statement.open_sealed(sealed, key))
            except ParleyError:
                continue
            if said.position.exercise == machine.facts.exercise:
                found.add(said.position.attempt)
    return tuple(sorted(found))
