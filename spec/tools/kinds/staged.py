"""An honest exercise of any kind, stopped where one party is about to cheat; the victim's record follows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cheats import Pause, Standoff, Wrapped
from kit import Exercise, pipe
from parley_attestation.edge.endpoint import Draft, Endpoint
from parley_attestation.errors import Role
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn, stream_digest

from kinds.basics import Test
from kinds.records import folder, judged

Says = Callable[[Standoff], Any]  # a body, a body with its content, or a turn
# comment, requirement, who cheats, where, the nth time, what it says
Cheat = tuple[str, str, Role, State, int, Says]


def staged(
    exercise: Exercise, role: Role, state: State, nth: int = 1, ends: tuple[Endpoint, Endpoint] | None = None
) -> Standoff:
    """Run an exercise until `role` is to speak in `state` for the `nth` time."""
    v, p = ends or (exercise.verifier_end(), exercise.prover_end())
    cheat, victim = (v, p) if role is Role.VERIFIER else (p, v)
    inner = cheat.policy
    cheat.policy = Wrapped(inner, state, nth)
    with pytest.raises(Pause):
        pipe(v, p)
    for frame in list(cheat.resend(victim.machine.sequence)):
        list(victim.feed(frame))
    draft = inner.propose(cheat.machine, cheat._secret)  # noqa: SLF001 - as the toolkit of cheats does
    return Standoff(exercise, cheat, victim, draft)


def refused(s: Standoff, said: Any) -> bytes:
    """Deliver what the cheat says, and give the victim's record of it."""
    if not isinstance(said, Turn):
        said = s.turn(*said) if isinstance(said, tuple) else s.turn(said, _draft(s).blobs)
    s.refused(said)
    return s.record()


def cheats(make: Callable[[Path], Exercise], cases: Sequence[Cheat]) -> Iterator[Test]:
    """The victim's record of each cheat, in a fresh exercise of `make` each."""
    for comment, requirement, role, state, nth, says in cases:
        with folder() as where:
            s = staged(make(where), role, state, nth)
            yield judged(comment, requirement, s.exercise, refused(s, says(s)))


def with_blobs(s: Standoff, change: Callable[[list[bytes]], list[bytes]], **fields: Any) -> Any:
    """The draft over other content, with the stream digest that fits it."""
    blobs = change(list(_draft(s).blobs))
    return replace(_draft(s).body, stream_digest=stream_digest(blobs), **fields), tuple(blobs)


def _draft(s: Standoff) -> Draft:
    assert s.draft is not None
    return s.draft
