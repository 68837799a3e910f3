"""Room: the suite. Every single fault that any message can have, at every step of the session table.

Derived from the tables of the session: a step that is added there is covered here. A deviation says what
one party sends instead of its honest message, the one reason that the other one must refuse it with, and
whether the bytes prove the fault. Suites for all roles draw from this list.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from parley.v1 import session_pb2 as pb
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Digest, Nonce, Salt
from parley_attestation.envelope import Envelope, Signature
from parley_attestation.errors import Reason, Role
from parley_attestation.session import messages as m
from parley_attestation.session.tables import FINAL, MODES, State
from parley_attestation.session.turns import Turn, to_frames

from parley_conformance.harness import sealed, signed

ZERO = Digest(bytes(32))
UNKNOWN = b"\xf8\x3f\x01"  # field 1023, varint 1
# States that the exercises of this suite never reach: they need a chamber.
UNREACHED = frozenset({State.BOUND})
_GREETINGS = frozenset({State.START, State.GREETED})
Said = Turn | list[pb.Frame]
Say = Callable[[Any], Said]  # takes a `Speaker` or a `Player`


@dataclass(frozen=True, slots=True)
class Deviation:
    """One fault in one message of one party.

    Attributes:
        id: Its stable name.
        what: The fault.
        requirements: Ids of the requirements of the draft that have the receiver refuse it.
        role: Who deviates.
        state: Where.
        say: What it says there instead.
        reason: The reason that the receiver must give.
        provable: Whether signed bytes prove the fault: the session is over then, and its record blames `role`.
        nth: Before which of its messages in that state.
        shape: Of the exercise.
    """

    id: str
    what: str
    requirements: tuple[str, ...]
    role: Role
    state: State
    say: Say
    reason: Reason
    provable: bool
    nth: int = 1
    shape: str = "plain"


def frames_of(said: Said) -> list[pb.Frame]:
    """The frames of what was said."""
    return list(to_frames(said)) if isinstance(said, Turn) else said


def steps(role: Role, mode: str = "open") -> list[State]:
    """The states in which a role has the word, in the order of the table."""
    return [state for state, (turn, _) in MODES[mode].items() if turn is role and state not in UNREACHED]


# -- what a party says instead of its honest message


def flip(value: bytes, at: int = 0) -> bytes:
    """The bytes with one bit changed."""
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def honest(p: Any) -> list[pb.Frame]:
    """The frames of the honest message."""
    return list(to_frames(p.turn()))


def altered(p: Any) -> list[pb.Frame]:
    """The honest message, one bit of its signature changed on the way."""
    found = honest(p)
    (one,) = found[0].envelope.signatures
    one.value = flip(one.value)
    return found


def changed_on_the_way(p: Any) -> list[pb.Frame]:
    """The honest message, one bit of its payload changed on the way."""
    found = honest(p)
    payload = found[0].envelope.payload
    found[0].envelope.payload = flip(payload, len(payload) - 1)
    return found


def stranger(p: Any) -> Turn:
    """The honest message under a key that nobody certified."""
    return Turn(signed(SigningKey(p.target.fresh()), p.header, p.draft.body), p.draft.blobs)


def signatures(count: int) -> Say:
    """The honest message with its signature so many times."""

    def say(p: Any) -> list[pb.Frame]:
        found = honest(p)
        (one,) = found[0].envelope.signatures
        del found[0].envelope.signatures[:]
        found[0].envelope.signatures.extend([one] * count)
        return found

    return say


def unread(p: Any) -> Turn:
    """Bytes that are no protobuf under a signature that does not hold: the signature is looked at first."""
    kind, key = p.turn().envelope.payload_type, p.target.party.session.public
    return Turn(Envelope(kind, b"\xff" * 40, (Signature(key, b"\x01" * 64),)))


def long_type(p: Any) -> list[pb.Frame]:
    """A payload type of one character more than it may have."""
    found = honest(p)
    found[0].envelope.payload_type = "x" * 129
    return found


def raw(change: Callable[[bytes], bytes], kind: str = "") -> Say:
    """The honest payload as changed bytes, signed, under its own payload type or another."""

    def say(p: Any) -> Turn:
        envelope = p.turn().envelope
        payload = change(envelope.payload)
        return Turn(sealed(p.target.party.session, kind or envelope.payload_type, payload), p.draft.blobs)

    return say


def header(**changes: Callable[[m.Header], Any]) -> Say:
    """The honest message for another place."""

    def say(p: Any) -> Turn:
        at: Any = p.header
        moved = replace(at, **{name: change(at) for name, change in changes.items()})
        return Turn(signed(p.target.party.session, moved, p.draft.body), p.draft.blobs)

    return say


def second(p: Any) -> Turn:
    """Another message for the slot that the party filled last."""
    machine, role = p.machine, p.endpoint.policy.role
    at = max(n for n, author in enumerate(machine.authors, 1) if author is role)
    session = machine.facts.session_id if at > 2 else b""
    place = m.Header(session, at, machine.heads[at - 2] if at > 1 else b"")
    changed: Any = m.Abort(Reason.ABORTED.value, "another message")
    if at <= 2:  # a greeting is known by its nonce
        turns = dict(p.journal.turns(p.endpoint.row))
        changed = m.read(machine.kinds[at - 1], turns[at].envelope.payload)[1]
        changed = replace(changed, key_history=changed.key_history * 2)
    return Turn(signed(p.target.party.session, place, changed))


SAMPLES: dict[str, m.Body] = {
    "hello": m.Hello((1,), (1,), ("open",), (b"{}",), Nonce(bytes(32)), ZERO, ZERO),
    "hello-reply": m.HelloReply(1, 1, "open", (b"{}",), Nonce(bytes(32)), ZERO, ZERO),
    "propose": m.Propose(b"{}", 1, (), ZERO, b"{}"),
    "accept": m.Accept(ZERO, (0,), ZERO, b"{}", ()),
    "decline": m.Decline(Reason.ABORTED.value, "out of place"),
    "coin": m.Coin(Nonce(bytes(32)), Salt(bytes(32))),
    "challenge": m.Challenge((m.Unit(0, 0, ZERO, ZERO, (), 1),), ZERO),
    "answers": m.Answers((m.Answer(ZERO, 1),), ZERO),
    "stop": m.Stop((1,)),
    "open": m.Open((1,), ZERO),
    "binding": m.Binding(b"{}"),
    "acknowledge": m.Acknowledge(ZERO, ZERO, ZERO),
    "dissent": m.Dissent(ZERO, "out of place"),
    "abort": m.Abort(Reason.ABORTED.value, "out of place"),
}


def misplaced(kind: str) -> Say:
    """A message of a kind that may not come here, in the right place of the chain."""
    return lambda p: Turn(signed(p.target.party.session, p.header, SAMPLES[kind]))


def out_of_turn(p: Any) -> list[pb.Frame]:
    """The honest message, and at once another one where the other party has the word."""
    turn = p.turn()
    at = p.machine.sequence + 1
    session = p.machine.facts.session_id
    place = m.Header(session, at + 1, turn.envelope.head())
    more = Turn(signed(p.target.party.session, place, m.Abort(Reason.ABORTED.value, "out of turn")))
    return [*to_frames(turn), *to_frames(more)]


def chunk(offset: int = 0, size: int = 0) -> Say:
    """The honest message, its first chunk moved by `offset` and longer by `size` bytes."""

    def say(p: Any) -> list[pb.Frame]:
        found = honest(p)
        found[1].chunk.offset += offset
        found[1].chunk.data += bytes(size)
        return found

    return say


def empty_chunk(p: Any) -> list[pb.Frame]:
    """The honest message, and a chunk without content."""
    return [honest(p)[0], pb.Frame(chunk=pb.BlobChunk())]


def other_content(p: Any) -> list[pb.Frame]:
    """The honest message, one bit of its content changed on the way."""
    found = honest(p)
    data = found[1].chunk.data
    found[1].chunk.data = flip(data, len(data) - 1)
    return found


def interrupted(p: Any) -> list[pb.Frame]:
    """The honest message again before its content has come."""
    return [honest(p)[0], honest(p)[0]]


# -- the list


@dataclass(frozen=True, slots=True)
class _Fault:
    """A fault that fits any step: its columns as `Deviation` has them, `greets` the reason of a greeting."""

    id: str
    what: str
    needs: str
    say: Say
    reason: Reason
    provable: bool = False
    greets: Reason | None = None

    def at(self, role: Role, state: State) -> Deviation:
        """The fault at one step; before a greeting has held, no signature is known to be a party's."""
        greeting = state in _GREETINGS
        return Deviation(
            f"{state}-{self.id}",
            f"{self.what}, in state {state}",
            tuple(self.needs.split()),
            role,
            state,
            self.say,
            self.greets if greeting and self.greets is not None else self.reason,
            self.provable and not greeting,
        )


R = Reason
_NO_MESSAGE = "application/vnd.parley.challenge.v99+proto"
_ANYWHERE = (
    _Fault("bad-signature", "a changed signature", "SIG-1", altered, R.BAD_SIGNATURE),
    _Fault("changed-on-the-way", "a payload changed after signing", "ENV-2", changed_on_the_way, R.BAD_SIGNATURE),
    _Fault("strangers-signature", "a message under a strange key", "KEY-2", stranger, R.BAD_SIGNATURE,
           greets=R.KEY_NOT_CERTIFIED),
    _Fault("no-signature", "no signature", "ENV-4", signatures(0), R.MALFORMED),
    _Fault("unread", "no message under a signature that does not hold", "ENV-2", unread, R.BAD_SIGNATURE),
    _Fault("long-type", "a payload type of 129 characters", "ENV-4", long_type, R.MALFORMED),
    _Fault("two-signatures", "a signature twice", "CHAIN-1", signatures(2), R.MALFORMED),
    _Fault("unknown-type", "an unknown payload type", "EXT-1", raw(lambda b: b, _NO_MESSAGE), R.UNSUPPORTED),
    _Fault("not-parsing", "signed bytes that are no message", "CHAIN-1", raw(lambda _: b"\xff" * 40), R.MALFORMED),
    _Fault("unknown-field", "an unknown field", "CHAIN-1", raw(lambda b: b + UNKNOWN), R.UNKNOWN_FIELD, provable=True),
    _Fault("wrong-session", "a message of another session", "CHAIN-1 CHAIN-2",
           header(session=lambda h: Digest(flip(h.session or ZERO))), R.WRONG_SESSION),
    _Fault("wrong-sequence", "a message for a slot to come", "CHAIN-1 CHAIN-2",
           header(sequence=lambda h: h.sequence + 2), R.WRONG_SEQUENCE),
    _Fault("sequence-zero", "a message for slot 0", "CHAIN-1", header(sequence=lambda _: 0), R.WRONG_SEQUENCE),
    _Fault("wrong-previous", "another predecessor", "CHAIN-1 CHAIN-2", header(previous=lambda _: ZERO), R.WRONG_PREVIOUS),
)  # fmt: skip
_AFTER_THE_FIRST = (
    _Fault("unannounced", "content that no message announced", "WIRE-2",
           lambda _: [pb.Frame(chunk=pb.BlobChunk(data=b"x"))], R.BLOB_MISMATCH),
    _Fault("empty-frame", "a frame that carries nothing", "WIRE-5", lambda _: [pb.Frame()], R.MALFORMED),
)  # fmt: skip
_WITH_CONTENT = (
    _Fault("other-content", "content changed on the way", "WIRE-4", other_content, R.STREAM_MISMATCH),
    _Fault("chunk-gap", "content that begins elsewhere", "WIRE-2", chunk(offset=1), R.BLOB_MISMATCH),
    _Fault("chunk-too-long", "a byte of content too much", "WIRE-2", chunk(size=1), R.BLOB_MISMATCH),
    _Fault("chunk-empty", "a chunk without content", "WIRE-2", empty_chunk, R.BLOB_MISMATCH),
    _Fault("interrupted", "a message before the last one's content", "WIRE-3", interrupted, R.OUT_OF_ORDER),
)
_SECOND = _Fault(
    "second", "another message for a filled slot", "CHAIN-2", second, R.EQUIVOCATION, provable=True
)
_OUT_OF_TURN = _Fault(
    "out-of-turn", "a message out of turn", "CHAIN-2", out_of_turn, R.OUT_OF_ORDER, provable=True
)
_KEEPS_THE_WORD = frozenset({"abort", "decline", "stop", "open", "binding"})  # or ends the session
HANDS_OVER = frozenset(SAMPLES) - _KEEPS_THE_WORD  # kinds after which the other party has the word
# The honest messages of these states carry content.
_CONTENT = {
    Role.PROVER: frozenset({State.CHALLENGED, State.CONFIRMED}),
    Role.VERIFIER: frozenset({State.SEEDED, State.STOPPED, State.OPENED}),
}


def deviations(role: Role) -> Iterator[Deviation]:
    """Every fault of any message, at every step of a role in open mode."""
    for state in steps(role):
        for fault in _faults(role, state):
            yield fault.at(role, state)


def _faults(role: Role, state: State) -> Iterator[_Fault]:
    yield from _ANYWHERE
    if state is not State.START:
        yield from _AFTER_THE_FIRST
    allowed = MODES["open"][state][1]
    for kind in SAMPLES:
        if kind not in allowed:
            what = f"a message of kind {kind} out of place"
            say = misplaced(kind)
            yield _Fault(f"misplaced-{kind}", what, "CHAIN-1 CHAIN-2", say, R.OUT_OF_ORDER, provable=True)
    if state in _CONTENT[role]:
        yield from _WITH_CONTENT
    if state is not steps(role)[0]:
        yield _SECOND
        if _word_passes(role, state):
            yield _OUT_OF_TURN


def _word_passes(role: Role, state: State) -> bool:
    """Whether the honest message there hands the word over, and the session goes on."""
    table = MODES["open"]
    after = {s for kind, s in table[state][1].items() if kind not in _KEEPS_THE_WORD}
    return bool(after) and not after & FINAL and all(table[s][0] is not role for s in after)
