"""A toolkit for dishonest parties: stop an honest exercise at any step and say something else there."""

import io
from dataclasses import dataclass, field, replace

import pytest
from kit import (
    CHANNEL,
    Caps,
    Exercise,
    MemorySet,
    Plan,
    pipe,
    right,
    seed,
    side,
    sums,
)
from parley_attestation import keys, statement
from parley_attestation.commitment import Field, commit_output
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.endpoint import Draft, Endpoint
from parley_attestation.edge.records import write_record
from parley_attestation.encoding import Digest, Salt
from parley_attestation.envelope import Envelope, Signature, pae
from parley_attestation.errors import PeerError, Role
from parley_attestation.judge import Judgement, judge
from parley_attestation.session import messages as m
from parley_attestation.session.results import result_root
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn, stream_digest, to_frames
from parley_prover.answering import Offer, ProverPolicy
from parley_prover.budget import DisclosureBudget
from parley_verifier.challenge import VerifierPolicy

V, P = Role.VERIFIER, Role.PROVER


class Pause(Exception):  # noqa: N818 - an interruption, not an error
    """The cheating party is about to speak."""


class Wrapped:
    """A policy whose drafts are changed by `mutate(machine, draft)`, and that pauses at a state."""

    def __init__(self, inner, state=None, nth=1, mutate=None):
        self.inner, self.role = inner, inner.role
        self.state, self.left, self.mutate = state, nth, mutate

    def propose(self, machine, secret):
        if machine.state is self.state:
            self.left -= 1
            if self.left == 0:
                raise Pause
        draft = self.inner.propose(machine, secret)
        return self.mutate(machine, draft) if self.mutate else draft

    def received(self, machine, body):
        return self.inner.received(machine, body)

    def side_record(self, machine, sealed):
        self.inner.side_record(machine, sealed)


def policy_of(exercise: Exercise, role: Role):
    if role is V:
        return VerifierPolicy(exercise.verifier.history, CHANNEL, exercise.sealed_terms, exercise.tests)
    journal = exercise.journal(role)
    budget = DisclosureBudget(journal.connection, exercise.verifier.owner, exercise.limits)
    offer = Offer(exercise.prover.history, (exercise.claim,), exercise.declared)
    return ProverPolicy(offer, CHANNEL, exercise.engine, journal, budget)


def signed(key, header, body, kind=None, payload=None) -> Envelope:
    """Any body, or any payload, under any header, type and key."""
    payload = m.write(header, body) if payload is None else payload
    kind = m.payload_type(body.kind) if kind is None else kind
    return Envelope(kind, payload, (Signature(key.public, key.sign(pae(kind, payload))),))


def snapshot(machine):
    return machine.state, tuple(machine.heads), repr(machine.facts)


@dataclass
class Standoff:
    """An honest exercise, stopped where `cheat` is about to speak to `victim`."""

    exercise: Exercise
    cheat: Endpoint
    victim: Endpoint
    draft: Draft | None = None
    records: int = field(default=0)

    @property
    def key(self):
        return self.cheat._key

    @property
    def header(self):
        return self.cheat.machine.next_header()

    def turn(self, body, blobs=(), **how) -> Turn:
        return Turn(
            signed(how.pop("key", self.key), how.pop("header", self.header), body, **how), tuple(blobs)
        )

    def honest(self) -> Turn:
        return self.turn(self.draft.body, self.draft.blobs)

    def refused(self, turn: Turn | list) -> PeerError:
        """Deliver a turn, or frames: the victim refuses it and stays as it was."""
        before = snapshot(self.victim.machine)
        frames = to_frames(turn) if isinstance(turn, Turn) else turn
        with pytest.raises(PeerError) as caught:
            [list(self.victim.feed(frame)) for frame in frames]
        assert snapshot(self.victim.machine) == before
        return caught.value

    def record(self) -> bytes:
        """The victim's record."""
        self.records += 1
        path = self.exercise.folder / f"record{self.records}.parley"
        write_record(self.victim.journal, self.victim.row, path)
        return path.read_bytes()

    def judged(self) -> Judgement:
        return judge(io.BytesIO(self.record()), list(self.exercise.pins.values()))

    def go_on(self) -> None:
        """Both parties come back to their journals and finish honestly."""
        v, p = self.exercise.verifier_end(), self.exercise.prover_end()
        pipe(v, p)
        assert v.done
        assert p.done
        assert v.machine.facts.verdict.digest() == p.machine.facts.verdict.digest()


def standoff(folder, role, state, nth=1, mutate=None, **changes) -> Standoff:
    """Run an exercise until `role` is to speak in `state` for the `nth` time."""
    exercise = Exercise(folder, **changes)
    inner = policy_of(exercise, role)
    policy = Wrapped(inner, state, nth, mutate)
    ends = {
        V: exercise.verifier_end(policy=policy if role is V else None),
        P: exercise.prover_end(policy=policy if role is P else None),
    }
    with pytest.raises(Pause):
        pipe(ends[V], ends[P])
    cheat, victim = ends[role], ends[P if role is V else V]
    for frame in list(cheat.resend(victim.machine.sequence)):
        list(victim.feed(frame))
    draft = inner.propose(cheat.machine, cheat._secret)
    return Standoff(exercise, cheat, victim, draft)


def unit(body: m.Challenge, position: int, **changes) -> m.Challenge:
    """A challenge with one unit changed."""
    units = list(body.units)
    units[position] = replace(units[position], **changes)
    return replace(body, units=tuple(units))


# -- what cheating parties say, each from the standoff's honest draft

SIX_UNITS = {"terms_changes": {"plan": Plan(1, 8, (("", 6),))}}
WIDE = {  # prompts of which two do not fit one turn
    "items": [(p + b" " * 600, r) for p, r in sums(20)],
    "answer": lambda p, _: right(p.strip()),
    "terms_changes": {"plan": Plan(1, 8, (("", 20),)), "caps": Caps(1000, 100, 100, 1100)},
}
NUMERIC = {"kind": "numeric", "absolute": "0", "relative": "0", "pick": "only", "thousands": False}
STRANGER = SigningKey(seed("a stranger"))


def flip(value, at=0):
    return type(value)(value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :])


def again(body, blobs):
    """A body over changed content, with the stream digest that fits the content."""
    return replace(body, stream_digest=stream_digest(blobs)), tuple(blobs)


def terms(s: Standoff, **changes):
    """The honest proposal with other terms, sealed by the verifier."""
    made = replace(s.exercise.terms, **changes)
    return replace(s.draft.body, terms=statement.seal(made.statement(), s.key))


def foreign_set(s: Standoff):
    other = MemorySet(side(V, "other"), sums(60))
    return replace(s.draft.body, test_set=other.registration)


def other_set(s: Standoff):
    other = MemorySet(s.exercise.verifier, sums(60), set_seed=b"other set")
    return replace(s.draft.body, test_set=other.registration)


def changed_blob(s: Standoff, at=0, where=-1):
    blobs = list(s.draft.blobs)
    blobs[at] = flip(blobs[at], len(blobs[at]) - 1 if where < 0 else where)
    return again(s.draft.body, blobs)


def swapped(s: Standoff):
    units, blobs = list(s.draft.body.units), list(s.draft.blobs)
    units[0], units[1] = units[1], units[0]
    blobs[0], blobs[1] = blobs[1], blobs[0]
    return again(replace(s.draft.body, units=tuple(units)), blobs)


def skipped(s: Standoff):
    return again(replace(s.draft.body, units=s.draft.body.units[1:]), s.draft.blobs[1:])


def twice(s: Standoff):
    body, blobs = s.draft.body, s.draft.blobs
    return again(replace(body, units=(body.units[0], body.units[0])), (blobs[0], blobs[0]))


def past_the_budget(s: Standoff):
    item = next(n for n in range(60) if all(n != u.name[0] for u in s.cheat.machine.facts.audit.units))
    return challenge_of(s, [(item, 0)])


def challenge_of(s: Standoff, names):
    tests = s.exercise.tests
    units = tuple(
        m.Unit(
            n,
            j,
            tests.commitment(n, Field.PROMPT),
            tests.commitment(n, Field.REFERENCE),
            tests.inclusion(n),
            len(tests.prompt(n)),
        )
        for n, j in names
    )
    blobs = tuple(tests.key(n, Field.PROMPT) + tests.prompt(n) for n, _ in names)
    return again(m.Challenge(units, Digest(bytes(32))), blobs)


def too_many(s: Standoff):
    orders = s.cheat.machine.facts.audit._order(0)
    return challenge_of(s, orders[:9])


def two_wide(s: Standoff):
    return challenge_of(s, s.cheat.machine.facts.audit._order(0)[:2])


def wrong_bits(s: Standoff):
    (blob,) = s.draft.blobs
    secret, codes = blob[:32], [bytes([c ^ 1]) for c in blob[32:]]
    root = result_root(Salt(secret), s.cheat.machine.facts.exercise, codes)
    return again(replace(s.draft.body, result_root=root), [secret + b"".join(codes)])


def long_output(s: Standoff):
    cap = s.exercise.terms.caps.output
    return replace(
        s.draft.body, answers=(replace(s.draft.body.answers[0], size=cap + 1), *s.draft.body.answers[1:])
    )


def foreign_commitment(s: Standoff):
    """The output for one unit, offered as the answer to another."""
    facts = s.cheat.machine.facts
    one, two = facts.audit.waiting(facts.pending)[:2]
    key, output = Salt(s.draft.blobs[0][:32]), s.draft.blobs[0][32:]
    answer = m.Answer(commit_output(key, facts.exercise, *two.name, output), len(output))
    assert one.name != two.name
    return replace(s.draft.body, answers=(answer, *s.draft.body.answers[1:]))


def uncertified(s: Standoff):
    return Turn(signed(STRANGER, s.header, s.draft.body))


def certified_as(role):
    def say(s: Standoff):
        party = s.exercise.verifier if s.cheat.policy.role is V else s.exercise.prover
        certificate = keys.Certificate(party.root.public, party.session.public, role, 0, 1 << 40)
        return replace(s.draft.body, key_history=(certificate.sealed(party.root),))

    return say


def unpinned(s: Standoff):
    other = side(s.cheat.policy.role, "unpinned")
    body = replace(s.draft.body, key_history=other.history)
    return Turn(signed(other.session, s.header, body))


def body(**changes):
    return lambda s: replace(s.draft.body, **{k: v(s) if callable(v) else v for k, v in changes.items()})


def always(other):
    return lambda _: other


def in_unit(position=0, **changes):
    return lambda s: unit(
        s.draft.body, position, **{k: v(s.draft.body.units[position]) for k, v in changes.items()}
    )


ZERO = Digest(bytes(32))
START, GREETED, READY, PROPOSED = State.START, State.GREETED, State.READY, State.PROPOSED
ACCEPTED, SHOWN, SEEDED, CHALLENGED = State.ACCEPTED, State.COIN_SHOWN, State.SEEDED, State.CHALLENGED
STOPPED, OPENED, CONFIRMED = State.STOPPED, State.OPENED, State.CONFIRMED


def frames_of(turn: Turn):
    return list(to_frames(turn))
