"""Room: the session. The one public machine: turns in, facts out; the transcript is its only input.

`Machine.step` takes the next turn or refuses it and stays as it was. It has no role, socket, clock,
file or randomness: the prover, the verifier, the judge and the conformance suite run the same code.
Blame rests on signed bytes only.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from parley_attestation import ed25519
from parley_attestation.encoding import Digest, Label, digest
from parley_attestation.envelope import Envelope, to_json
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.session import exercise, messages
from parley_attestation.session.checks import Check
from parley_attestation.session.facts import Channel, Context, Earlier, Expect, Facts
from parley_attestation.session.messages import Body, Header
from parley_attestation.session.tables import FINAL, MODES, State
from parley_attestation.session.turns import Blob, Contents, Turn, blob_size, stream_digest


@dataclass(frozen=True, slots=True)
class Pending:
    """A checked envelope whose content is still on its way."""

    envelope: Envelope
    header: Header
    body: Body
    sender: Role
    next_state: State
    expect: Expect

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the turn's blobs, in bytes."""
        return self.expect.sizes


class Duplicate(Exception):  # noqa: N818 - an outcome, not an error: the same bytes came again
    """The envelope is one that the chain already holds, byte for byte."""


class Machine:
    """One session in one mode.

    Args:
        contents: Blobs of earlier turns by digest; the machine reads outputs back for grading.
        mode: The mode whose table applies.
        pins: Root fingerprints that the parties must have, by role; empty pins nobody.
        channel: The certificates that the own transport saw; None where there is no transport.
        earlier: Finds the latest earlier attempt at an exercise that the caller knows of.
    """

    def __init__(
        self,
        contents: Contents,
        *,
        mode: str = "open",
        pins: Mapping[Role, Digest] | None = None,
        channel: Channel | None = None,
        earlier: Callable[[Digest], Earlier | None] = lambda _: None,
    ) -> None:
        self._table = MODES[mode]
        self._context = Context(contents, mode, dict(pins or {}), channel, earlier)
        self._first = b""
        self.state = State.START
        self.heads: list[Digest] = []
        self.authors: list[Role] = []
        self.kinds: list[str] = []

    @property
    def mode(self) -> str:
        """The mode whose table applies."""
        return self._context.mode

    @property
    def contents(self) -> Contents:
        """Blobs of earlier turns by digest."""
        return self._context.contents

    @property
    def facts(self) -> Facts:
        """What the session has established."""
        return self._context.facts

    @property
    def checks(self) -> Counter[Check]:
        """How often each numbered check has held."""
        return self._context.checks

    @property
    def turn(self) -> Role | None:
        """Whose turn it is; None where the session has ended."""
        return None if self.state in FINAL else self._table[self.state][0]

    @property
    def sequence(self) -> int:
        """Sequence number of the last message."""
        return len(self.heads)

    @property
    def head(self) -> bytes:
        """What the next message must name as its predecessor."""
        return self.heads[-1] if self.heads else b""

    def as_earlier(self) -> Earlier:
        """This session as the attempt that a later one continues."""
        audit = self.facts.audit
        ended = self.state in {State.DECLINED, State.REFUSED, State.FINISHED}
        over = ended or bool(audit and audit.opened) or bool(self.facts.released)
        return Earlier(self.facts, self.heads[-1], over)

    def next_header(self) -> Header:
        """The header of the next message."""
        return Header(self.facts.session_id, self.sequence + 1, self.head)

    def step(self, turn: Turn) -> Body:
        """Take one whole turn.

        Raises:
            PeerError: The turn breaks the protocol; the machine is as it was.
            Duplicate: The same bytes came before; nothing changed.
        """
        return self.complete(self.begin(turn.envelope), turn.blobs)

    def begin(self, envelope: Envelope) -> Pending:
        """Check an envelope before its content has come. Raises like `step`; changes nothing."""
        sender = self._signed(envelope)
        kind = messages.KINDS.get(envelope.payload_type)
        if kind is None:
            raise PeerError(Reason.UNSUPPORTED, f"unknown payload type {envelope.payload_type}")
        header, message = messages.parse(kind, envelope.payload)
        self._check_header(envelope, header, sender, getattr(message, "nonce", None))
        try:
            body = messages.read_body(kind, message)
            next_state = self._check_order(body, sender)
            expect = exercise.receive(self._context, sender, envelope.signatures[0].key, body, self.heads)
        except PeerError as error:
            if sender not in self.facts.session_keys:
                raise  # before a greeting has held, no signature is known to be a party's
            raise error.blame(sender, to_json(envelope)) from None
        return Pending(envelope, header, body, sender, next_state, expect)

    def complete(self, pending: Pending, blobs: Sequence[Blob]) -> Body:
        """Take the content of a checked envelope and move on. Raises like `step`."""
        if tuple(blob_size(b) for b in blobs) != pending.sizes:
            raise PeerError(Reason.BLOB_MISMATCH, "expected blobs of the sizes that the message states")
        signed = getattr(pending.body, "stream_digest", None)
        if signed is not None and stream_digest(blobs) != signed:
            raise PeerError(Reason.STREAM_MISMATCH, "the content is not the one that the message signs")
        try:
            pending.expect.finish(blobs)
        except PeerError as error:
            raise error.blame(pending.sender, to_json(pending.envelope)) from None
        self.heads.append(pending.envelope.head())
        self.authors.append(pending.sender)
        self.kinds.append(pending.body.kind)
        self.state = pending.next_state
        if self.sequence == 1:
            self._first = pending.envelope.pae()
        elif self.sequence == 2:
            self.facts.session_id = digest(Label.SESSION, self._first, pending.envelope.pae())
        self.checks[Check.CHAIN] += 1
        self.checks[Check.ORDER] += 1
        return pending.body

    def _signed(self, envelope: Envelope) -> Role:
        """Who signed the envelope: its signature is checked before anything in it is read."""
        if len(envelope.signatures) != 1:
            raise PeerError(Reason.MALFORMED, "expected exactly one signature on a session message")
        (signature,) = envelope.signatures
        ed25519.verify(signature.key, envelope.pae(), signature.value)
        for role, key in self.facts.session_keys.items():
            if key == signature.key:
                return role
        newcomer = {0: Role.VERIFIER, 1: Role.PROVER}.get(self.sequence)
        if newcomer is None:
            raise PeerError(Reason.BAD_SIGNATURE, "the message is signed by a key outside this session")
        return newcomer

    def _check_header(self, envelope: Envelope, header: Header, sender: Role, nonce: bytes | None) -> None:
        expected = self.next_header()
        if header.session != expected.session and header.sequence > 2:
            raise PeerError(Reason.WRONG_SESSION, "the message belongs to another session")
        if 1 <= header.sequence <= self.sequence:
            self._refuse_second(envelope, header, sender, nonce)
        if header.session != expected.session:
            raise PeerError(Reason.WRONG_SESSION, "the message belongs to another session")
        if header.sequence != expected.sequence:
            raise PeerError(
                Reason.WRONG_SEQUENCE, f"expected message {expected.sequence}, got {header.sequence}"
            )
        if header.previous != expected.previous:
            raise PeerError(Reason.WRONG_PREVIOUS, "the message names another predecessor than the chain has")

    def _refuse_second(
        self, envelope: Envelope, header: Header, sender: Role, nonce: bytes | None
    ) -> NoReturn:
        """Refuse a message for a slot that the chain fills: the same again, or a provable fault.

        A greeting carries no session id; the sender's own nonce ties it to this session.
        """
        position = header.sequence - 1
        if self.heads[position] == envelope.head():
            raise Duplicate
        if position < 2 and nonce != self.facts.nonces.get(sender):
            raise PeerError(Reason.WRONG_SESSION, "the greeting belongs to another session")
        if self.authors[position] is sender:
            error = PeerError(
                Reason.EQUIVOCATION, f"a second, different message for slot {header.sequence} of this session"
            )
            raise error.blame(sender, to_json(envelope))
        error = PeerError(
            Reason.OUT_OF_ORDER, f"slot {header.sequence} of this session is not the {sender}'s"
        )
        if position >= 2 and header.previous == self.heads[position - 1]:
            error.blame(sender, to_json(envelope))
        raise error

    def _check_order(self, body: Body, sender: Role) -> State:
        turn, allowed = (None, {}) if self.state in FINAL else self._table[self.state]
        if sender is not turn or body.kind not in allowed:
            wanted = f"{' or '.join(allowed)} from the {turn}" if turn else "nothing: the session has ended"
            raise PeerError(Reason.OUT_OF_ORDER, f"expected {wanted}, got {body.kind} from the {sender}")
        return allowed[body.kind]
