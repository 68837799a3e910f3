"""Room: the edge. Drives one session for one party: frames in, frames out, the journal in between.

Roles are policies that propose the next message; everything else (signing, journaling before sending,
resumption, catching up, keeping evidence) is the same for both and stands here. It opens no socket.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from parley.v1 import session_pb2 as pb

from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.journal import Also, Journal, SessionRow, noted
from parley_attestation.edge.notary import Notary
from parley_attestation.encoding import Bytes32, Label, Salt, mac
from parley_attestation.envelope import Envelope, Signature, from_json, pae
from parley_attestation.errors import LocalError, ParleyError, PeerError, Reason, Role
from parley_attestation.log.witness import Event
from parley_attestation.session import messages as m
from parley_attestation.session.exercise import NOBODYS_FAULT
from parley_attestation.session.machine import Duplicate, Machine, Pending
from parley_attestation.session.messages import Body
from parley_attestation.session.results import result_root
from parley_attestation.session.tables import FINAL, State
from parley_attestation.session.turns import Assembler, Turn, envelope_from_wire, stream_digest, to_frames
from parley_attestation.witnessing import due, established, position

MAX_SIDE_RECORDS = 64  # of one session; spec section "Limits"


@dataclass(frozen=True, slots=True)
class Draft:
    """The next message of a party: its body, its content, and what must become true with it."""

    body: Body
    blobs: tuple[bytes, ...] = ()
    also: tuple[Also, ...] = ()


class Policy(Protocol):
    """What a role decides."""

    role: Role

    def propose(self, machine: Machine, secret: "Secret") -> Draft:
        """The party's next message, where it is its turn."""

    def received(self, machine: Machine, body: Body) -> tuple[Also, ...]:
        """What must become true together with a message that came; may raise.

        It is the other party's, or an own one that a journal restored from an old copy had lost.
        """

    def side_record(self, machine: Machine, sealed: bytes) -> None:
        """Take a side record from the other party; may raise `PeerError`."""


class Secret:
    """The session's own randomness, drawn once: every nonce, coin and key follows from it.

    So a restarted party says again what it said, byte for byte.
    """

    def __init__(self, secret: bytes) -> None:
        """Take 32 random bytes."""
        self._secret = Bytes32(secret)

    def __repr__(self) -> str:
        return "Secret(…)"

    def derive(self, *what: bytes) -> Salt:
        """32 bytes for one purpose."""
        return Salt(mac(self._secret, Label.LOCAL, *what))

    def raw(self) -> bytes:
        """The secret itself, for the journal."""
        return bytes(self._secret)


class Endpoint:
    """One party's end of one session.

    Args:
        policy: What the role decides.
        key: The session key that signs this party's messages.
        journal: Where turns are kept.
        machine: A fresh machine; earlier turns are replayed into it.
        secret: Randomness for a new session; a known session has its own.
        notary: The way to the witnesses that the terms name; None where the party uses none.
    """

    def __init__(
        self,
        policy: Policy,
        key: SigningKey,
        journal: Journal,
        machine: Machine,
        secret: bytes,
        notary: Notary | None = None,
    ) -> None:
        self.policy = policy
        self.journal = journal
        self.machine = machine
        self.row: SessionRow | None = None
        self._key = key
        self._notary = notary
        self._secret = Secret(secret)
        self._pending: Pending | None = None
        self._assembler = Assembler(())
        self._skip = False
        self._catch_up = 0
        self._first: Turn | None = None

    # -- beginning and resuming

    def load(self, row: SessionRow) -> None:
        """Replay a session from the journal into the machine.

        Raises:
            LocalError: CORRUPT, where the journal no longer holds what was once checked.
            PeerError: ABORTED, where a provable fault ended the session or a later attempt took its place;
                WRONG_SESSION, where it is another party's.
        """
        if self.journal.broken(row):
            raise PeerError(Reason.ABORTED, "a provable fault has ended this session")
        if self.journal.superseded(row):
            raise PeerError(Reason.ABORTED, "a later attempt at this exercise has taken this session's place")
        self.row = row
        self._secret = Secret(row.secret)
        for sequence, turn in self.journal.turns(row):
            try:
                self.machine.step(turn)
            except (ParleyError, Duplicate) as error:
                if isinstance(error, PeerError) and error.reason in NOBODYS_FAULT:
                    raise PeerError(
                        Reason.WRONG_SESSION, "this session was begun with another party or certificate"
                    ) from error
                raise LocalError(
                    Reason.CORRUPT, f"{self.journal.path}: turn {sequence} no longer holds ({error})"
                ) from error

    def resume(self) -> pb.Frame:
        """The frame that says how far this party's journal goes."""
        machine = self.machine
        return pb.Frame(
            resume=pb.Resume(
                session_id=machine.facts.session_id, sequence=machine.sequence, head=machine.head
            )
        )

    def resend(self, after: int) -> Iterator[pb.Frame]:
        """The turns after `after`, from the journal."""
        if self.row is not None:
            for _, turn in self.journal.turns(self.row, after):
                yield from to_frames(turn)

    def check_resume(self, theirs: pb.Resume) -> None:
        """Compare the other party's position with the own journal.

        Raises:
            PeerError: HEAD_MISMATCH, where both journals fill one slot differently, or WRONG_SESSION.
        """
        machine = self.machine
        if theirs.session_id != machine.facts.session_id:
            raise PeerError(Reason.WRONG_SESSION, "the other party resumes another session")
        if 0 < theirs.sequence <= machine.sequence and machine.heads[theirs.sequence - 1] != theirs.head:
            raise PeerError(
                Reason.HEAD_MISMATCH,
                f"the two journals differ at message {theirs.sequence}: one of the parties equivocated",
                hint="keep this journal; publish the record together with the other party's",
            )
        self._catch_up = theirs.sequence
        self._pending = None  # half of a turn that a broken stream left behind comes again, whole

    # -- frames

    def feed(self, frame: pb.Frame) -> Iterator[pb.Frame]:
        """Take one frame; give the frames to send in answer.

        Raises:
            PeerError: The peer broke the protocol; signed evidence is in the journal.
            LocalError: We failed.
        """
        kind = frame.WhichOneof("kind")
        if kind == "envelope":
            self._envelope(envelope_from_wire(frame.envelope))
        elif kind == "chunk":
            self._chunk(frame.chunk)
        elif kind == "ping":
            if not frame.ping.reply:
                yield pb.Frame(ping=pb.Ping(reply=True))
            return
        elif kind == "resume":
            self.check_resume(frame.resume)
            yield from self.resend(frame.resume.sequence)
        elif kind == "side":
            self._side(frame.side.sealed)
            return
        else:
            raise PeerError(Reason.MALFORMED, "expected a frame that carries something")
        yield from self.pump()

    def _side(self, sealed: bytes) -> None:
        """Keep a side record of the other party: no more, and none other, than a record file can hold."""
        from_json(sealed)
        self.policy.side_record(self.machine, sealed)
        if self.row is None:
            return
        known, _ = self.journal.extras(self.row)
        if sealed not in known and len(known) >= MAX_SIDE_RECORDS:
            raise PeerError(
                Reason.TOO_LARGE, f"expected at most {MAX_SIDE_RECORDS} side records in a session"
            )
        self.journal.side(self.row, sealed)

    def pump(self) -> Iterator[pb.Frame]:
        """Say whatever it is this party's turn to say, and have witnessed what is due."""
        yield from self._witness()
        while (
            self._pending is None
            and self.machine.turn is self.policy.role
            and self.machine.sequence >= self._catch_up
        ):
            turn, also = self._pledged() or self._propose()
            try:
                self.machine.step(turn)
            except PeerError as error:
                raise LocalError(Reason.INTERNAL, f"the own next message is refused ({error})") from error
            self._keep(turn, also)
            yield from to_frames(turn)
            yield from self._witness()

    def _witness(self) -> Iterator[pb.Frame]:
        """Have the acceptance, the decline or the end cosigned, once.

        Raises:
            LocalError: UNREACHABLE, for the verifier, where the terms pause without witnesses.
        """
        event = due(self.machine)
        if event is None or self.row is None:
            return
        terms = self.machine.facts.terms
        assert terms is not None
        sides, _ = self.journal.extras(self.row)
        if not self._witnessed(sides, event) and self._notary is not None:
            sequence = self.machine.sequence
            _, last = next(self.journal.turns(self.row, sequence - 1))
            at = position(self.machine, sequence)
            new = self._notary.cosign(self.machine, at, event, last.envelope)
            for sealed in new:
                self.journal.side(self.row, sealed)
            sides += new
            yield from (pb.Frame(side=pb.SideRecord(sealed=sealed)) for sealed in new)
        if (
            event is Event.ACCEPTED
            and self.policy.role is Role.VERIFIER
            and terms.witnesses.unreachable == "pause"
            and not self._witnessed(sides, event)
        ):
            raise LocalError(
                Reason.UNREACHABLE,
                f"fewer than {terms.witnesses.threshold} witnesses cosigned; the terms pause the exercise",
                hint="run again when the witnesses can be reached",
            )

    def _witnessed(self, sides: Sequence[bytes], event: Event) -> bool:
        try:
            established(self.machine, sides, event)
        except PeerError:
            return False
        return True

    @property
    def done(self) -> bool:
        """Whether the session has ended."""
        return self.machine.state in FINAL

    def _propose(self) -> tuple[Turn, tuple[Also, ...]]:
        draft = self.policy.propose(self.machine, self._secret)
        return Turn(signed(self.machine.next_header(), draft.body, self._key), draft.blobs), draft.also

    def _pledged(self) -> tuple[Turn, tuple[Also, ...]] | None:
        """What this party has already shown to witnesses for this slot; nothing else may stand there.

        Raises:
            PeerError: EQUIVOCATION, where the message that was left with the witnesses is another one.
        """
        kept = self.journal.pledged(self.row, self.machine.sequence + 1) if self.row is not None else None
        if kept is None:
            return None
        after, envelope = kept
        try:
            self.machine.begin(after)
        except Duplicate:
            return Turn(envelope), ()
        except PeerError as error:
            self._remember(error, Turn(after))
            raise
        raise LocalError(Reason.INTERNAL, "the journal and what it pledged do not fit")

    def _envelope(self, envelope: Envelope) -> None:
        if self._pending is not None:
            raise PeerError(Reason.OUT_OF_ORDER, "a new message came before the content of the last one")
        try:
            self._pending = self.machine.begin(envelope)
        except Duplicate:
            self._skip = True
            return
        except PeerError as error:
            self._remember(error, Turn(envelope))
            raise
        self._skip = False
        self._assembler = Assembler(self._pending.sizes)
        self._finish()

    def _chunk(self, chunk: pb.BlobChunk) -> None:
        if self._skip:
            return
        if self._pending is None:
            raise PeerError(Reason.BLOB_MISMATCH, "content came that no message announced")
        self._assembler.add(chunk)
        self._finish()

    def _finish(self) -> None:
        pending = self._pending
        if pending is None or not self._assembler.complete:
            return
        self._pending = None
        turn = Turn(pending.envelope, self._assembler.blobs())
        try:
            body = self.machine.complete(pending, turn.blobs)
        except PeerError as error:
            self._remember(error, turn)
            raise
        self._keep(turn, self.policy.received(self.machine, body))

    def _keep(self, turn: Turn, also: Sequence[Also]) -> None:
        """Write the turn down. A session enters the prover's journal with its reply, not before."""
        journal, machine = self.journal, self.machine
        if machine.sequence == 1:
            if self.policy.role is Role.VERIFIER:
                self.row = journal.start(Role.VERIFIER, self._secret.raw(), turn)
            else:
                self._first = turn
        elif self._first is not None:
            self.row = journal.start(
                self.policy.role, self._secret.raw(), self._first, turn, machine.facts.session_id
            )
            self._first = None
        else:
            assert self.row is not None
            journal.append(self.row, machine.sequence, turn, *also, noted(self.row, **self._facts()))

    def _facts(self) -> dict[str, bytes | bool]:
        """What the journal must know from the last turn on.

        A verifier's finished session ends when its record is written: until then it can be resumed.
        """
        machine = self.machine
        facts: dict[str, bytes | bool] = {}
        if machine.sequence == 2:
            facts["session_id"] = machine.facts.session_id
        if machine.sequence == 3 and machine.facts.exercise is not None:
            facts["exercise"] = machine.facts.exercise
        if machine.state in FINAL and (
            machine.state is not State.FINISHED or self.policy.role is Role.PROVER
        ):
            facts["ended"] = True
        return facts

    def _remember(self, error: PeerError, turn: Turn) -> None:
        """Keep the signed bytes of a provable fault."""
        if error.blamed is None or self.row is None:
            return
        if error.reason is Reason.EQUIVOCATION:
            self.journal.evidence(self.row, turn.envelope)
        else:
            self.journal.fault(self.row, self.machine.sequence + 1, turn)


def signed(header: m.Header, body: Body, key: SigningKey) -> Envelope:
    """A message of a session, signed by the party's session key."""
    payload, kind = m.write(header, body), m.payload_type(body.kind)
    return Envelope(kind, payload, (Signature(key.public, key.sign(pae(kind, payload))),))


def acknowledgement(machine: Machine, secret: Secret, also: Sequence[Also] = ()) -> Draft:
    """The last message of a party that agrees: the verdict it derived, and its committed result bits."""
    facts = machine.facts
    assert facts.verdict is not None
    assert facts.audit is not None
    assert facts.exercise is not None
    seed = Bytes32(secret.derive(b"result-seed"))
    codes = facts.audit.outcome_bytes()
    blob = seed + b"".join(codes)
    root = result_root(seed, facts.exercise, codes)
    return Draft(m.Acknowledge(facts.verdict.digest(), root, stream_digest([blob])), (blob,), tuple(also))
