"""A toolkit for dishonest parties: stop an honest exercise at any step and say something else there."""

import io
from dataclasses import dataclass, field, replace

import pytest
from kit import CHANNEL, Exercise, pipe
from parley_attestation.edge.endpoint import Draft, Endpoint
from parley_attestation.edge.records import write_record
from parley_attestation.envelope import Envelope, Signature, pae
from parley_attestation.errors import PeerError, Role
from parley_attestation.judge import Judgement, judge
from parley_attestation.session import messages as m
from parley_attestation.session.turns import Turn, to_frames
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
