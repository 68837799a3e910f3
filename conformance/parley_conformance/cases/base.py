"""Room: the suite. What a case is, and the oracle that every negative case shares.

A negative case has one fault. It counts only where the prover refuses with one of the allowed reasons,
the honest continuation still works, and the paired control, the same exercise without the fault, ends.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from parley.v1 import session_pb2 as pb
from parley_attestation.errors import Reason
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn, to_frames

from parley_conformance.harness import Mutate, Player, Target, expect_refusal

RESUME, AUDIT = "resume", "audit"  # capabilities, as Describe lists them
Say = Callable[[Player], Turn | list[pb.Frame]]


class Profile(StrEnum):
    """What a run takes: core cases; the extended ones as well; and, strictly, what SHOULD be as what MUST be."""

    CORE = "core"
    EXTENDED = "extended"
    STRICT = "strict"

    def takes(self, case: "Case") -> bool:
        """Whether a run of this profile takes the case."""
        return self is not Profile.CORE or case.profile is Profile.CORE


class After(StrEnum):
    """How an honest verifier goes on after the refusal."""

    ENDED = "a provable fault: the session is over, a fresh one works"
    RESUMES = "nobody's provable fault: the same session resumes and ends"
    FRESH = "there is no session yet: a fresh one works"


@dataclass(frozen=True, slots=True)
class Where:
    """Where in an exercise a fault is placed: before the `nth` message that the verifier says in `state`.

    `control` is the shape of the same exercise without the fault, where `shape` itself is at fault.
    """

    state: State
    nth: int = 1
    shape: str = "plain"
    mutate: Mutate | None = None
    control: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What a verifier says instead of its honest message, and what follows; other roles' suites show it too."""

    where: Where
    say: Say
    after: After


@dataclass(frozen=True, slots=True)
class Case:
    """One test of an implementation.

    Attributes:
        id: Its stable name.
        what: The single fault, or what must work.
        requirements: Ids of the requirements that it holds the implementation to.
        run: Takes the way to the implementation; raises `Failure` or `Skip`, returns where it passed.
        reasons: The reasons that count as a refusal; empty where nothing is refused.
        profile: The smallest profile that runs it.
        capability: The capability, as `Describe` lists it, without which the case does not apply.
        fault: The single fault, where the case has one.
    """

    id: str
    what: str
    requirements: tuple[str, ...]
    run: Callable[[Any], None]
    reasons: frozenset[Reason] = frozenset()
    profile: Profile = Profile.CORE
    capability: str = ""
    fault: Fault | None = None


def fault(
    name: str, what: str, needs: str, at: Where | State, say: Say, reasons: Iterable[Reason], after: After
) -> Case:
    """A negative case. `needs` lists requirement ids, separated by spaces."""
    where = at if isinstance(at, Where) else Where(at)
    allowed = frozenset(reasons)

    def run(target: Target) -> None:
        player = target.begin(where.state, where.nth, shape=where.shape, mutate=where.mutate)
        said = say(player)
        player.stream.send(to_frames(said) if isinstance(said, Turn) else said)
        expect_refusal(player.stream, allowed)
        go_on(player, after)
        target.begin(shape=where.control or where.shape)

    return Case(name, what, tuple(needs.split()), run, allowed, fault=Fault(where, say, after))


def go_on(player: Player, after: After) -> None:
    """Check what must hold right after a refusal, where the prover resumes sessions. Raises `Failure`."""
    if RESUME not in player.target.described.capabilities:
        return
    if after is After.RESUMES:
        player.resumed()
    elif after is After.ENDED:
        again = Player(player.target, player.exercise, earlier=player)
        again.stream.send([again.endpoint.resume()])
        expect_refusal(again.stream, frozenset({Reason.ABORTED}))
