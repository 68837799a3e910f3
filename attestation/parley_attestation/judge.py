"""Room: the core. The offline judge: a record in, findings and a verdict out.

The judge replays the transcript through the one public machine and derives the verdict itself; what
the parties acknowledged is only compared. It validates the whole prefix and blames the first message
that breaks the protocol, and only where signed bytes prove the fault.
"""

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.qualification import qualified
from parley_attestation.session.checks import Check
from parley_attestation.session.machine import Duplicate, Machine
from parley_attestation.session.modes import offered_mode
from parley_attestation.session.tables import FINAL, State
from parley_attestation.session.turns import Blob
from parley_attestation.statement import Statement
from parley_attestation.transcript import Entry, Kind, RecordReader, decode_envelope, withheld
from parley_attestation.witnessing import DECISION, Standing, standing


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that broke, and the party whose signed bytes prove it; None blames nobody."""

    reason: Reason
    message: str
    blamed: Role | None
    sequence: int


@dataclass
class Judgement:
    """What a record shows.

    Attributes:
        checks: How often each numbered check held.
        fault: What broke; None where everything held.
        state: Where the session stands at the end of the record.
        turn: Whose message is missing; None where the session ended.
        standing: What the witnesses named in the terms establish.
        verdict: The verdict derived from the record; None where it gives none or content is withheld.
        acknowledged: Digests of the verdict statement that the parties acknowledged.
        unseen: Indices of the items with content that the record does not show.
        pinned: Whether both parties have a pinned root fingerprint.
        differing: Parties whose dissent names another verdict than the derived one; a finding, no fault.
        side_records: Sealed statements that stand beside the chain, unjudged.
    """

    machine: Machine
    fault: Fault | None = None
    unseen: tuple[int, ...] = ()
    pinned: bool = False
    side_records: list[bytes] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        """Whether every check held; says nothing about who the parties are."""
        return self.fault is None

    @property
    def state(self) -> State:
        """Where the session stands at the end of the record."""
        return self.machine.state

    @property
    def turn(self) -> Role | None:
        """Whose message is missing."""
        return self.machine.turn

    @property
    def standing(self) -> Standing:
        """What the witnesses named in the terms establish."""
        return standing(self.machine, self.side_records)

    @property
    def qualifier(self) -> Digest | None:
        """The qualifier named in the terms whose statement vouches for the set; None where none does."""
        facts = self.machine.facts
        if facts.terms is None or facts.test_set is None:
            return None
        return qualified(self.side_records, facts.terms.qualifiers, facts.test_set.root)

    @property
    def verdict(self) -> Statement | None:
        """The derived verdict."""
        return self.machine.facts.verdict if self.valid else None

    @property
    def differing(self) -> tuple[Role, ...]:
        """Parties whose dissent names another verdict than the derived one."""
        derived, dissents = self.verdict, self.machine.facts.dissents
        if derived is None:
            return ()
        return tuple(role for role, said in dissents.items() if said.verdict != derived.digest())

    @property
    def acknowledged(self) -> dict[Role, Digest]:
        """What the parties acknowledged."""
        return self.machine.facts.acknowledged


def judge(source: BinaryIO, pins: Collection[Digest] = ()) -> Judgement:
    """Judge one record.

    Args:
        source: The record, a seekable binary stream at its start.
        pins: Fingerprints of the root keys that the reader trusts to be the parties'.

    Raises:
        PeerError: MALFORMED, where the file itself is not a whole record; it names the place.
    """
    reader = RecordReader(source)
    entries = _Peekable(reader.entries())
    judgement = Judgement(Machine(reader, mode=_mode(entries)))
    while (entry := entries.next()) is not None:
        if judgement.fault is not None:
            continue  # the rest is only read to see that the file is whole
        machine = judgement.machine
        try:
            if entry.kind is Kind.ENVELOPE:
                _replay(machine, entry, entries)
            elif entry.kind is Kind.ATTEMPT:
                judgement.machine = _next_attempt(reader, machine)
            elif entry.kind is Kind.SIDE:
                judgement.side_records.append(entry.body)
            elif entry.kind is Kind.EVIDENCE:
                _evidence(machine, entry)
            else:
                raise PeerError(Reason.MALFORMED, f"entry {entry.number}: content that no message announces")
        except PeerError as error:
            judgement.fault = Fault(error.reason, error.message, error.blamed, machine.sequence + 1)
    if entries.broken is not None:
        raise entries.broken
    _pins(judgement, pins)
    _judge_keys(judgement)
    machine = judgement.machine
    audit = machine.facts.audit
    if audit is not None:
        judgement.unseen = tuple(sorted({unit.name[0] for unit in audit.units if unit.unseen}))
    if judgement.fault is None and machine.sequence == 0:
        judgement.fault = Fault(Reason.MALFORMED, "the record holds no message", None, 1)
    return judgement


def _mode(entries: "_Peekable") -> str:
    """The mode that the first message offers; whether it holds, the machine says."""
    first = entries.next()
    if first is None:
        return "open"
    entries.push(first)
    if first.kind is Kind.ENVELOPE:
        with contextlib.suppress(PeerError):
            return offered_mode(decode_envelope(first.body))
    return "open"


def _next_attempt(reader: RecordReader, machine: Machine) -> Machine:
    """A machine for the attempt that continues the one in `machine`."""
    if machine.facts.exercise is None:
        raise PeerError(Reason.MALFORMED, "an attempt that proposed nothing cannot be continued")
    earlier = machine.as_earlier()
    return Machine(
        reader,
        mode=machine.mode,
        earlier=lambda exercise: earlier if exercise == earlier.facts.exercise else None,
    )


def _pins(judgement: Judgement, pins: Collection[Digest]) -> None:
    histories = judgement.machine.facts.histories
    if not pins:
        return
    for role, history in histories.items():
        if history.owner not in pins:
            judgement.fault = judgement.fault or Fault(
                Reason.UNKNOWN_PARTY,
                f"the {role}'s root {history.owner.hex()} is not one you pinned",
                None,
                1,
            )
    judgement.pinned = len(histories) == 2 and all(h.owner in pins for h in histories.values())


def _judge_keys(judgement: Judgement) -> None:
    """Judge the session keys at the witnessed time of the decision, where there is one."""
    opening = judgement.standing.opening
    facts = judgement.machine.facts
    if opening is None or judgement.fault is not None:
        return
    for role, history in facts.histories.items():
        try:
            history.certified(facts.session_keys[role], role, opening.time)
        except PeerError as error:
            judgement.fault = Fault(error.reason, f"the {role}: {error.message}", None, DECISION)
    judgement.machine.checks[Check.WITNESSED] += len(opening.keys)


class _Peekable:
    """Entries one by one, with a look at the next; a file that breaks off ends, and says in `broken` why."""

    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries
        self._held: Entry | None = None
        self.broken: PeerError | None = None

    def next(self) -> Entry | None:
        """The next entry, or None at the end."""
        held, self._held = self._held, None
        try:
            return held if held is not None else next(self._entries, None)
        except PeerError as error:
            self.broken = error
            return None

    def push(self, entry: Entry) -> None:
        """Give an entry back."""
        self._held = entry


def _replay(machine: Machine, entry: Entry, entries: _Peekable) -> None:
    envelope = decode_envelope(entry.body)
    try:
        pending = machine.begin(envelope)
    except Duplicate:
        raise PeerError(
            Reason.MALFORMED, f"entry {entry.number}: a message stands twice in the record"
        ) from None
    blobs: list[Blob] = []
    while len(blobs) < len(pending.sizes) and (one := entries.next()) is not None:
        if one.kind is Kind.BLOB:
            blobs.append(one.body)
        elif one.kind is Kind.WITHHELD:
            blobs.append(withheld(one))
        else:
            entries.push(one)
            break
    machine.complete(pending, blobs)


def _evidence(machine: Machine, entry: Entry) -> None:
    with contextlib.suppress(Duplicate):
        machine.begin(decode_envelope(entry.body))
    raise PeerError(Reason.MALFORMED, f"entry {entry.number}: what is kept as evidence shows no equivocation")


def ended(judgement: Judgement) -> str:
    """In words, how the session of a record ended."""
    ending = judgement.machine.facts.ending
    if ending is not None:
        return f"{ending.kind} by the {ending.role}: {ending.reason} {ending.detail}".rstrip()
    if judgement.state in FINAL:
        return "complete"
    return f"incomplete: the {judgement.turn}'s next message is missing"


def checks(judgement: Judgement) -> tuple[tuple[Check, int], ...]:
    """The numbered checks and how often each held, in order."""
    return tuple((check, judgement.machine.checks[check]) for check in Check)
