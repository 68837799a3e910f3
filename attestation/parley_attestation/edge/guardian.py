"""Room: the edge. Keeps an honest party from being blamed for silence; servers and the CLI run it.

A witness sees only what it is shown. A peer that takes an answer on the stream, shows the witnesses the
question alone and waits out the deadline would get its claim; one that shows a question to the witnesses
and never delivers it would get one too. So each party looks at the witnesses of its exercises, shows them
every own message whose predecessor they hold, and answers with an Abort, in half of the deadline, what
came through a witness only. Spec section "Witnesses".
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from parley_attestation import ed25519
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.attempts import replay
from parley_attestation.edge.endpoint import MAX_SIDE_RECORDS, signed
from parley_attestation.edge.journal import Journal, SessionRow
from parley_attestation.edge.notary import Shown
from parley_attestation.encoding import Digest
from parley_attestation.envelope import Envelope
from parley_attestation.errors import ParleyError, PeerError, Reason, Role
from parley_attestation.log.witness import Event, Position
from parley_attestation.session import messages as m
from parley_attestation.session.machine import Machine
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn
from parley_attestation.witnessing import DECISION, deadline

LOOK_SECONDS = 5.0  # between two looks at the witnesses
MIN_DEADLINE = 20  # seconds; four looks fit into the shortest deadline that a party agrees to
ENDED_AT_ONCE = 16  # ended sessions in one look, in turn: what they lack can be claimed later as well
_OWN = (Event.POSTED, Event.LATE)
ROOM = 32  # side records that acceptance and end of an exercise may still need
_log = logging.getLogger("parley.guardian")


class Witnesses(Protocol):
    """What the guardian asks of a party's notary."""

    def shown(self, exercise: Digest) -> list[Shown]:
        """What the witnesses that answer have signed for an exercise."""

    def record(self, at: Position, witness: bytes) -> Envelope | None:
        """The record that one witness holds for a position."""

    def post(self, machine: Machine, at: Position, record: Envelope) -> tuple[bytes, ...]:
        """Leave an own message with the witnesses."""


def _now() -> int:
    return int(time.time())


@dataclass(slots=True)
class Guardian:
    """Watches the witnesses of all exercises in one party's journal.

    Attributes:
        role: The party's role.
        key: Its session key.
        journal: Its journal.
        witnesses: Its way to the witnesses.
        clock: Unix seconds.
    """

    role: Role
    key: SigningKey
    journal: Path
    witnesses: Witnesses
    clock: Callable[[], int] = _now
    _turn: int = field(default=0, init=False)
    _settled: set[int] = field(default_factory=set, init=False)

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set."""
        while not stop.is_set():
            self.try_look()
            stop.wait(LOOK_SECONDS)

    def try_look(self) -> None:
        """Look; a failure is logged."""
        try:
            self.look()
        except ParleyError as error:
            _log.warning("the witnesses cannot be watched now: %s", error)

    def look(self) -> None:
        """Look at every session that is under way, and at some of those that have ended."""
        with closing(Journal(self.journal)) as journal:
            rows = [row for row in journal.proposed(self.role) if row.id not in self._settled]
            ended = [row for row in rows if row.ended]
            first = self._turn % max(len(ended), 1)
            self._turn += ENDED_AT_ONCE
            some = [*ended[first:], *ended[:first]][:ENDED_AT_ONCE]
            for row in [*(row for row in rows if not row.ended), *some]:
                try:
                    self._session(journal, row)
                except ParleyError as error:  # one session's trouble leaves no other unwatched
                    _log.warning("a session cannot be watched now: %s", error)

    def _session(self, journal: Journal, row: SessionRow) -> None:
        exercise = journal.exercise(row)
        assert exercise is not None
        seen = [_of_session(one, row) for one in self.witnesses.shown(Digest(exercise))]
        seen = [one for one in seen if one.cosignatures]
        last = journal.length(row)
        for key, at in _forked(journal, row, seen):
            self._second(journal, row, at, self.witnesses.record(at, key))
        if held := _ahead(seen, last):
            self._undelivered(journal, row, held)
        own = self._own(journal, row, last)
        if own is None or not seen:
            return
        sequence, envelope = own
        if any(self._lacks(one, sequence, ended=row.ended) for one in seen):
            machine = replay(journal, self.role, row)
            self._post(journal, row, machine, envelope, sequence)
        elif row.ended and not journal.broken(row):
            machine = replay(journal, self.role, row)
            if sequence == last or machine.state is State.FINISHED:
                self._settled.add(row.id)

    def _own(self, journal: Journal, row: SessionRow, last: int) -> tuple[int, Envelope] | None:
        """The own last message after the decision, sent or pledged."""
        pledged = journal.last_pledge(row)
        for sequence in range(last, DECISION, -1):
            if pledged is not None and pledged[0] > sequence:
                break
            envelope = journal.envelope(row, sequence)
            if envelope is not None and envelope.signatures[0].key == self.key.public:
                return sequence, envelope
        return pledged

    def _lacks(self, one: Shown, last: int, *, ended: bool) -> bool:
        """Whether a witness could take a claim against this party that its last message answers.

        It could where it holds a head above everything that this party has shown it, below that message;
        once the session has ended, where it was not shown that message at all.
        """
        own = [c.position.sequence for c in one.cosignatures if c.requester is self.role and c.event in _OWN]
        shown = max(own, default=DECISION if self.role is Role.PROVER else DECISION - 1)
        held = {c.position.sequence for c in one.cosignatures if c.event is not Event.DEFAULT}
        return any(shown < n < last for n in held) or (ended and shown < last)

    def _post(
        self, journal: Journal, row: SessionRow, machine: Machine, envelope: Envelope, sequence: int
    ) -> None:
        facts = machine.facts
        assert facts.exercise is not None
        at = Position(facts.exercise, facts.attempt, Digest(facts.session_id), sequence, envelope.head())
        for sealed in self.witnesses.post(machine, at, envelope):
            if len(journal.extras(row)[0]) < MAX_SIDE_RECORDS - ROOM:
                journal.side(row, sealed)
        _log.info("message %d was shown to the witnesses", sequence)

    def _second(self, journal: Journal, row: SessionRow, at: Position, record: Envelope | None) -> None:
        """Keep a second message for a filled slot as evidence, where its author signed both.

        Where nothing of this party's stands above the slot, an Abort after the second one does.
        """
        if record is None:
            return
        machine = replay(journal, self.role, row)
        try:
            machine.begin(record)
        except PeerError as error:
            _log.warning("the witnesses hold another message than the journal: %s", error)
            if error.reason is not Reason.EQUIVOCATION or error.blamed in (None, self.role):
                return
            journal.evidence(row, record)
            if self.role not in machine.authors[at.sequence :]:
                self._abort(journal, row, machine, record)

    def _undelivered(
        self, journal: Journal, row: SessionRow, held: Sequence[tuple[bytes, Position, int]]
    ) -> None:
        """Give up what came through a witness only, as far on as half of a deadline has passed.

        Junk for far slots, and messages left later, hide nothing that stands before them.
        """
        machine = replay(journal, self.role, row)
        for witness, at, since in held:
            record = self.witnesses.record(at, witness)
            if record is None or not self._theirs(machine, record, at):
                continue
            seconds = self._shortest(machine)
            if at.sequence == machine.sequence + 1:
                try:
                    seconds = deadline(machine, machine.begin(record).next_state)
                except PeerError as error:
                    _log.warning("what the witnesses hold breaks the protocol: %s", error)
                    if error.blamed is not None:
                        journal.fault(row, machine.sequence + 1, Turn(record))
            if self.clock() >= since + seconds // 2:
                self._abort(journal, row, machine, record)
                return

    @staticmethod
    def _shortest(machine: Machine) -> int:
        return min(deadline(machine, State.CHALLENGED), deadline(machine, State.SEEDED))

    def _theirs(self, machine: Machine, record: Envelope, at: Position) -> bool:
        """Whether the other party signed a message for that place; who relays or squats gets no answer."""
        signature = record.signatures[0]
        other = Role.VERIFIER if self.role is Role.PROVER else Role.PROVER
        facts, kind = machine.facts, m.KINDS.get(record.payload_type)
        here = (facts.exercise, facts.attempt) == (at.exercise, at.attempt)
        if not here or kind is None or signature.key != facts.session_keys.get(other):
            return False
        try:
            ed25519.verify(signature.key, record.pae(), signature.value)
            header, _ = m.parse(kind, record.payload)
        except PeerError:
            return False
        return (header.session, header.sequence) == (at.session, at.sequence)

    def _abort(self, journal: Journal, row: SessionRow, machine: Machine, record: Envelope) -> None:
        """Pledge an Abort after a message that a witness holds; the next look shows it."""
        header, _ = m.parse(m.KINDS[record.payload_type], record.payload)
        after = m.Header(header.session, header.sequence + 1, record.head())
        body = m.Abort(Reason.UNDELIVERED.value, "this message came through a witness only")
        own = signed(after, body, self.key)
        journal.pledge(row, after.sequence, record, own, length=machine.sequence)


@contextmanager
def guarding(guardian: Guardian | None) -> Iterator[None]:
    """Have a guardian look in a thread of its own while the block runs; None guards nothing."""
    if guardian is None:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=guardian.run, args=(stop,), name="parley-guardian", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _of_session(one: Shown, row: SessionRow) -> Shown:
    said = tuple(c for c in one.cosignatures if c.position.session == row.session_id)
    return replace(one, cosignatures=said)


def _forked(journal: Journal, row: SessionRow, seen: Sequence[Shown]) -> list[tuple[bytes, Position]]:
    """Positions in filled slots that have another head than the journal, and a witness of each."""
    found = {}
    for one in seen:
        for at in (c.position for c in one.cosignatures):
            envelope = journal.envelope(row, at.sequence)
            if envelope is not None and envelope.head() != at.head:
                found[at] = one.key
    return [(key, at) for at, key in found.items()]


def _ahead(seen: Sequence[Shown], last: int) -> list[tuple[bytes, Position, int]]:
    """Messages behind the last one of the journal, the furthest first: who holds it, where, since when."""
    held: dict[Position, tuple[int, bytes]] = {}
    for one in seen:
        for c in one.cosignatures:
            if c.position.sequence > last:
                held[c.position] = min(held.get(c.position, (c.time, one.key)), (c.time, one.key))
    ordered = sorted(held, key=lambda at: at.sequence, reverse=True)
    return [(held[at][1], at, held[at][0]) for at in ordered]
