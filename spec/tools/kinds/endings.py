"""Vectors of how exercises end and begin again: dissents, and attempts that may or may not follow."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cheats import CONFIRMED, OPENED, READY, STOPPED, ZERO, P, Pause, Standoff, V, Wrapped, always
from kit import Exercise, pipe, seed
from parley_attestation.edge.endpoint import Draft, Endpoint
from parley_attestation.encoding import Digest
from parley_attestation.session import messages as m
from parley_attestation.session.machine import Machine
from test_session_attempts import Vanished, Vanisher, exercise_of, first_attempt, quitter

from kinds.basics import Test
from kinds.records import folder, judged, record_of
from kinds.staged import cheats, staged


class _Objects:
    """A policy that dissents in the place of its acknowledgement; `digest` None names the derived verdict."""

    def __init__(self, inner: Any, digest: Digest | None) -> None:
        self.inner, self.role, self.digest = inner, inner.role, digest

    def propose(self, machine: Machine, secret: Any) -> Draft:
        draft = self.inner.propose(machine, secret)
        if draft.body.kind != "acknowledge":
            return draft
        return Draft(m.Dissent(self.digest or draft.body.verdict_digest, "it is\nnot as agreed"))

    def received(self, machine: Machine, body: Any) -> Any:
        return self.inner.received(machine, body)

    def side_record(self, machine: Machine, sealed: bytes) -> None:
        self.inner.side_record(machine, sealed)


def dissents() -> Iterator[Test]:
    """Objections of either party, with the verdict that follows and with another one."""
    other = Digest(seed("another verdict"))
    for comment, roles, digest in (
        ("the verifier dissents from another verdict than follows", (V,), other),
        ("the prover dissents from another verdict than follows", (P,), other),
        ("both dissent from another verdict than follows", (V, P), other),
        ("the prover dissents and names the verdict that follows", (P,), None),
    ):
        with folder() as where:
            exercise = Exercise(where)
            v, p = exercise.verifier_end(), exercise.prover_end()
            for end in (v, p):
                if end.policy.role in roles:
                    end.policy = _Objects(end.policy, digest)
            pipe(v, p)
            yield judged(comment, "JUDGE-6", exercise, record_of(exercise, v))
    yield from cheats(
        Exercise,
        (
            ("a dissent before the references", "ACK-1", V, STOPPED, 1, always(m.Dissent(ZERO, "early"))),
            ("another verdict acknowledged", "ACK-2", V, OPENED, 1, _other_verdict),
            ("the prover acknowledges another verdict", "ACK-2", P, CONFIRMED, 1, _other_verdict),
        ),
    )


def _other_verdict(s: Standoff) -> Any:
    assert s.draft is not None
    return replace(s.draft.body, verdict_digest=Digest(seed("another verdict")))  # type: ignore[type-var]


def _again(exercise: Exercise) -> tuple[Endpoint, Endpoint]:
    return exercise.verifier_end(b"second"), exercise.prover_end(b"p second")


def _proposals() -> Iterator[tuple[str, str, Any]]:
    yield "the second attempt skips a number", "ATT-1", lambda s: replace(s.draft.body, attempt=3)
    yield "the second attempt names no head", "ATT-1", lambda s: replace(s.draft.body, earlier_heads=())
    yield (
        "the second attempt names another head",
        "ATT-1",
        lambda s: replace(s.draft.body, earlier_heads=(ZERO,)),
    )
    yield (
        "the second attempt commits to another coin",
        "ATT-1",
        lambda s: replace(s.draft.body, coin_commitment=ZERO),
    )
    yield (
        "the second attempt is called the first",
        "ATT-1",
        lambda s: replace(s.draft.body, attempt=1, earlier_heads=()),
    )


def attempts() -> Iterator[Test]:
    """Attempts that follow an earlier one, rightly or not, and what an earlier one is worth afterwards."""
    with folder() as where:
        exercise = exercise_of(where)
        v, _ = _vanished(exercise)
        v2, p2 = _again(exercise)
        pipe(v2, p2)
        record = record_of(exercise, v2)
        yield judged("a second attempt after silence, of which it goes on", "ATT-1", exercise, record)
        superseded = m.Stop((4,)), v
        yield judged(
            "a message of the superseded attempt, kept as evidence, is of another session",
            "CHAIN-1",
            exercise,
            _with_evidence(exercise, v2, *superseded),
        )
    for comment, requirement, says in _proposals():
        with folder() as where:
            exercise = exercise_of(where)
            first_attempt(exercise)
            s = staged(exercise, V, READY, ends=_again(exercise))
            s.refused(s.turn(says(s)))
            yield judged(comment, requirement, exercise, record_of(exercise, s.victim))
    yield _after_open()


def _vanished(exercise: Exercise) -> tuple[Endpoint, Endpoint]:
    v, p = exercise.verifier_end(policy=quitter(exercise, Vanisher)), exercise.prover_end()
    try:
        pipe(v, p)
    except Vanished:
        for end in (v, p):
            end.journal.note(end.row, ended=True)
    return v, p


def _with_evidence(exercise: Exercise, end: Endpoint, body: Any, of: Endpoint) -> bytes:
    """The record of `end` with a signed message of another attempt among its evidence."""
    late = Standoff(exercise, of, end).turn(body)
    end.journal.evidence(end.row, late.envelope)
    return record_of(exercise, end, "evidence")


def _after_open() -> Test:
    """References were shown, so there is no further attempt."""
    with folder() as where:
        exercise = exercise_of(where)
        v, _ = exercise.run()
        ends = _again(exercise)
        said = proposed(v)
        ends[0].policy = Wrapped(ends[0].policy, READY)
        with contextlib.suppress(Pause):
            pipe(*ends)
        for frame in list(ends[0].resend(ends[1].machine.sequence)):
            list(ends[1].feed(frame))
        s = Standoff(exercise, *ends, Draft(said))
        s.refused(s.turn(replace(said, attempt=2, earlier_heads=(v.machine.heads[-1],))))
        record = record_of(exercise, ends[1])
        return judged("an attempt after the references were shown", "ATT-3", exercise, record)


def proposed(v: Endpoint) -> Any:
    """The Propose of a finished session."""
    assert v.row is not None
    envelopes = (turn.envelope for _, turn in v.journal.turns(v.row))
    return next(
        m.read("propose", e.payload)[1] for e in envelopes if e.payload_type == m.payload_type("propose")
    )
