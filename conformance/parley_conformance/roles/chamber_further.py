"""Room: the suite. For a chamber under test: attempts, keys and results that a party would rather have otherwise."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from parley_attestation.ed25519 import SigningKey
from parley_attestation.errors import Reason, Role
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn, envelope_to_wire

from parley_conformance.arena import Stop
from parley_conformance.cases.base import Case
from parley_conformance.cases.documents import signed_also
from parley_conformance.cases.keeping import Wordy
from parley_conformance.deviations import ZERO
from parley_conformance.harness import Failure, Lost, Refused
from parley_conformance.roles.chamber import Chamber, Link, finished, outcome, refuses
from parley_conformance.roles.lies import body

S, R = State, Reason
V, P = Role.VERIFIER, Role.PROVER
SEEDED = 6
HELD = 2  # seconds for which an outcome is held back
PICKLE = b"\x80\x04\x95\x06\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94."


def _wire(said: Any) -> Any:
    assert isinstance(said, Turn)
    return envelope_to_wire(said.envelope)


def _other_encoding(target: Chamber) -> None:
    """Messages that spell their header twice: heads and signatures are over the bytes as they came."""
    finished(target.session(target.plan(), kind=Wordy))


def _signed_twice(target: Chamber) -> None:
    """Terms with one signature more are the same terms, and the receipt names the same statement."""
    plan = target.plan()
    sealed = signed_also(plan.exercise.sealed, SigningKey(target.arena.fresh()))
    finished(target.session(replace(plan, exercise=replace(plan.exercise, sealed=sealed))))


def _scripts(target: Chamber) -> None:
    """A sealed exercise over scripts."""
    tests = target.arena.exercise("scripts-graded-whole").tests
    plan = replace(target.plan(), exercise=target.over(tests))
    session = target.session(plan, Stop(V, S.READY))
    refuses(target.open([*target.envelopes(session), _wire(session.speaker(V).turn())]), R.BAD_TERMS)


def _second_session(target: Chamber) -> None:
    """Another session in the place of one that the chamber knows."""
    plan = target.plan()
    first = target.session(plan, Stop(V, S.EVIDENCED))
    known = target.envelopes(first, count=SEEDED)
    second = target.session(plan, Stop(P, S.COIN_SHOWN))
    shown = [*target.envelopes(second, P), _wire(second.speaker(P).turn())]
    refuses(target.open(shown), R.BAD_ATTEMPT)
    if isinstance(target.open(known), Refused | Lost):
        raise Failure("the first session is refused after the second")


def _retries(target: Chamber) -> None:
    """Second attempts that skip one, name another past, or change the coin."""
    plan = target.plan()
    first = target.session(plan, Stop(V, S.EVIDENCED))
    known, facts = target.envelopes(first, count=SEEDED), first.ends[V].machine.facts
    head, coin = first.ends[V].machine.heads[SEEDED - 1], facts.coin_commitments[V]
    second = target.session(plan, Stop(V, S.READY))
    speaker, greeted = second.speaker(V), target.envelopes(second)
    honest: dict[str, Any] = {"attempt": 2, "earlier_heads": (head,), "coin_commitment": coin}
    for change, reason in (
        ({"attempt": 3}, R.BAD_ATTEMPT),
        ({"earlier_heads": (ZERO,)}, R.BAD_ATTEMPT),
        ({"coin_commitment": ZERO}, R.BAD_COIN),
        ({}, R.OUT_OF_ORDER),  # in order, and too early for keys
    ):
        said = _wire(body(**honest | change)(speaker))
        refuses(target.open([*greeted, said], earlier=[known]), reason)


def _after_the_run(target: Chamber) -> None:
    """A second attempt at an exercise whose keys were released."""
    plan = target.plan()
    first = target.session(plan)
    finished(first)
    known, facts = target.envelopes(first), first.ends[V].machine.facts
    second = target.session(plan, Stop(V, S.READY))
    changes: dict[str, Any] = {
        "attempt": 2,
        "earlier_heads": (first.ends[V].machine.heads[-1],),
        "coin_commitment": facts.coin_commitments[V],
    }
    said = _wire(body(**changes)(second.speaker(V)))
    refuses(target.open([*target.envelopes(second), said], earlier=[known]), R.BAD_ATTEMPT)


def _cut_off(link: Link, session: bytes, content: bytes) -> None:
    link.send(session, 0, content[:-1])


def _wasted(target: Chamber) -> None:
    """A run that fails counts: nothing runs a second time."""
    plan = target.plan()
    if outcome(target.session(replace(plan, uploads={V: _cut_off})))[0] != R.BAD_SEAL:
        raise Failure("damaged content was run")
    if outcome(target.session(target.again(plan)))[0] != R.QUOTA_EXHAUSTED:
        raise Failure("a run that failed was not counted")


def _held_back(target: Chamber) -> None:
    """An outcome, whatever it is, leaves no earlier than the terms say."""
    began = time.monotonic()
    session = target.session(target.plan(sealed=SealedTerms(release_seconds=HELD)))
    if session.ends[V].machine.state is not S.FINISHED:
        raise Failure(f"a session with a release time ended in state {session.ends[V].machine.state}")
    if time.monotonic() - began < HELD - 1:  # terms count whole seconds
        raise Failure("an outcome left before the time that the terms fix")


def _altered(state: State, name: str, reason: Reason) -> Callable[[Chamber], None]:
    """The chamber is shown a message of sealed mode in which one entry stands twice."""

    def run(target: Chamber) -> None:
        session = target.session(target.plan(), Stop(V, state))
        speaker = session.speaker(V)
        said = body(**{name: getattr(speaker.draft.body, name) * 2})(speaker)
        refuses(target.run([*target.envelopes(session), _wire(said)]), reason)

    return run


def _wrapped_for_another(target: Chamber) -> None:
    """A key that was wrapped for something else: the run opens nothing."""

    def change(_: Any, draft: Any) -> Any:
        if draft.body.kind != "release":
            return draft
        first, *rest = draft.body.keys
        wrapped = first.wrapped[:-1] + bytes([first.wrapped[-1] ^ 1])
        return replace(draft, body=replace(draft.body, keys=(replace(first, wrapped=wrapped), *rest)))

    session = target.session(target.plan(), Stop(V, None, 1, change))
    if outcome(session)[0] != R.BAD_SEAL:
        raise Failure(f"expected BAD_SEAL, got {outcome(session)[0] or 'a receipt'}")


def _pickled(target: Chamber) -> None:
    """Weights that are a pickle."""
    if outcome(target.session(target.plan(weights=PICKLE)))[0] != R.PICKLED:
        raise Failure("model files that hold a pickle were not refused as such")


def _case(name: str, what: str, needs: str, run: Callable[[Chamber], None]) -> Case:
    return Case(name, what, tuple(needs.split()), run)


FURTHER: tuple[Case, ...] = (
    _case("other-encoding", "messages in other bytes", "ENV-3", _other_encoding),
    _case("signed-by-a-stranger-too", "terms with one signature more", "STMT-1", _signed_twice),
    _case("scripts", "a sealed exercise over scripts", "SCRIPT-3", _scripts),
    _case("second-session", "another session in one place", "SEAL-15", _second_session),
    _case("retries", "second attempts out of order", "ATT-1", _retries),
    _case("after-the-run", "an attempt after the run", "ATT-3 SEAL-15", _after_the_run),
    _case("wasted", "a failed run, and another", "SEAL-6", _wasted),
    _case("held-back", "an outcome that is held back", "SEAL-8", _held_back),
    _case("two-of-one-chamber", "Evidence of one chamber twice", "SEAL-2",
          _altered(S.SEEDED, "chambers", R.BAD_EVIDENCE)),
    _case("two-receipts", "a Receipt with one statement twice", "SEAL-5",
          _altered(S.RUNNING, "statements", R.BAD_RECEIPT)),
    _case("wrapped-for-another", "a key that does not open", "HPKE-4", _wrapped_for_another),
    _case("pickled", "weights that are a pickle", "SEAL-11", _pickled),
)  # fmt: skip
