"""Room: the suite. Faults in exercises over scripts, pairs and scores, in audits of receipts, and in what came before."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import grpc
from parley.v1 import session_pb2 as pb
from parley_attestation.commitment import Field
from parley_attestation.comparison import ClaimedResults
from parley_attestation.encoding import Digest, Salt
from parley_attestation.errors import Reason
from parley_attestation.pairs import PairEvents
from parley_attestation.session import messages as m
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn, to_frames
from parley_attestation.spending import Spent
from parley_attestation.terms import Plan

from parley_conformance.cases.base import AUDIT, RESUME, After, Case, Where, fault
from parley_conformance.cases.says import ZERO, again, audit, challenge, envelope_of, next_units, terms
from parley_conformance.harness import Failure, Lost, Player, Refused, Target, expect_refusal, shown
from parley_conformance.shapes import ITEMS, PAIRS

S = State
_BAD = {Reason.BAD_TERMS}
_COUNT = 20  # successes of the receipt that nobody gave
Said = Turn | list[Any]


def honest(p: Player) -> Turn:
    """What an honest verifier says there: the fault is in what it registered or agreed on."""
    return p.turn()


# -- scripts and pairs


def sealed_scripts(p: Player) -> Said:
    """Terms over scripts that are of sealed mode."""
    return terms(runtime=ZERO)(p)


def one_of_a_pair(p: Player) -> Turn:
    """A challenge that ends within a pair."""
    return challenge(p, next_units(p, 2)[:1])


def as_committed(p: Player) -> Turn:
    """The references as they were committed to, where the verifier grades by others."""
    found, tests = audit(p), p.exercise.tests
    said: Any = p.draft.body
    items = [unit.name[0] for unit in found.units[found.opened :][: len(said.sizes)]]
    return again(p, said, [tests.key(n, Field.REFERENCE) + tests.committed(n) for n in items])


def strange_member(p: Player) -> Said:
    """Terms over pairs, with a claim about a member that the set does not have."""
    claim = p.exercise.terms.metric_claims[0]
    assert isinstance(claim.events, PairEvents)
    other = PairEvents((("three", claim.events.members[0][1]),))
    return terms(claims=(replace(claim, events=other),))(p)


def half_a_pair_excluded(p: Player) -> Said:
    """Terms over pairs that leave out one item of a pair."""
    changed = replace(p.exercise.terms.test_set, excluded=((3, 1),))
    return terms(test_set=changed, plan=Plan(1, 4, (("", PAIRS - 1),)))(p)


def _acknowledged(*shapes: str) -> Callable[[Target], None]:
    """Exercises that are decided exactly: who rounds otherwise refuses the Stop or derives another verdict."""

    def run(target: Target) -> None:
        for shape in shapes:
            player = target.begin(shape=shape)
            verdict = player.machine.facts.verdict
            if player.machine.state is not S.FINISHED or verdict is None:
                raise Failure(f"an exercise of shape {shape} ended in state {player.machine.state}")
            if set(player.machine.facts.acknowledged.values()) != {verdict.digest()}:
                raise Failure(f"the prover does not acknowledge the verdict of shape {shape}")

    return run


# -- audits and what came before


def claimed(*counts: int) -> ClaimedResults:
    """A receipt that nobody gave, with these counts."""
    return ClaimedResults(Digest(b"\1" * 32), Digest(b"\2" * 32), Digest(b"\3" * 32), counts, Fraction(0))


def results_out_of_place(p: Player) -> Turn:
    """References with claimed results in an exercise that audits nothing."""
    said: Any = p.draft.body
    one = m.ClaimedResult(bytes(1), Salt(bytes(32)), ())
    return p.turn(replace(said, results=(one,) * len(said.sizes)))


def _audit(target: Target) -> None:
    """An audit of a receipt that nobody gave: declined, and with UNSUPPORTED where audits are not claimed."""
    plain = target.exercise()
    exercise = target.world.sealed(plain.tests, replace(plain.terms, audited=claimed(_COUNT)))
    player = target.begin(S.READY, exercise=exercise)
    player.stream.send(to_frames(player.turn()))
    got = player.stream.answer()
    reason = _declined(got)
    if AUDIT in target.described.capabilities:
        if not reason:
            raise Failure(f"expected a Decline, got {shown(got)}")
    elif reason != Reason.UNSUPPORTED:
        raise Failure(f"audits are not claimed: expected UNSUPPORTED, got {reason or shown(got)}")
    target.begin()


def _declined(got: pb.Frame | Refused | Lost) -> str:
    """The reason of a Decline, or of a refusal because the prover cannot do it; empty for anything else."""
    if isinstance(got, Refused):
        return got.reason if got.code is grpc.StatusCode.UNIMPLEMENTED else ""
    if isinstance(got, Lost):
        return ""
    envelope = envelope_of(got)
    kind = m.KINDS.get(envelope.payload_type, "")
    body = m.read(kind, envelope.payload)[1] if kind == "decline" else None
    return body.reason if isinstance(body, m.Decline) else ""


def twice(p: Player) -> Said:
    """Terms that name one earlier exercise twice, with other risks."""
    named = [Spent(Digest(b"\4" * 32), Fraction(1, n), Fraction(1, n)) for n in (100, 200)]
    return terms(prior=tuple(named))(p)


def _superseded(target: Target) -> None:
    """A first attempt is resumed when the second has begun."""
    first = target.begin(S.SEEDED, 2)
    first.stream.close()
    second = Player(target, first.exercise, S.SEEDED, journal=first.journal)
    second.play()
    second.stream.close()
    stream = target.stream()
    stream.send([first.endpoint.resume()])
    expect_refusal(stream, frozenset({Reason.ABORTED}))
    if second.resumed().machine.state is not S.FINISHED:
        raise Failure("the second attempt does not go on after the first was asked for again")


def _audit_fault(name: str, what: str, needs: str, at: Where | State, say: Any, reason: Reason) -> Case:
    return replace(fault(name, what, needs, at, say, {reason}, After.ENDED), capability=AUDIT)


CASES: tuple[Case, ...] = (
    fault("no-script", "a prompt of a script set that is no script", "SCRIPT-1",
          Where(S.SEEDED, shape="no-scripts", control="scripts"), honest, {Reason.BAD_REGISTRATION}, After.ENDED),
    fault("script-over-cap", "a script whose empty answers exceed the cap", "SCRIPT-1",
          Where(S.SEEDED, shape="narrow-scripts", control="scripts"), honest, {Reason.OVER_CAP}, After.ENDED),
    fault("scripts-graded-whole", "scripts under a grader of single answers", "SCRIPT-3",
          Where(S.READY, shape="scripts-graded-whole", control="scripts"), honest, _BAD, After.ENDED),
    fault("scripts-in-a-chamber", "scripts with a chamber's runtime", "SCRIPT-3", Where(S.READY, shape="scripts"),
          sealed_scripts, _BAD, After.ENDED),
    fault("pair-of-nobody", "a reference that names no member", "PAIR-2",
          Where(S.STOPPED, shape="pairs-of-nobody", control="pairs"), as_committed,
          {Reason.BAD_REGISTRATION}, After.ENDED),
    fault("pair-of-one", "a pair whose two items name one member", "PAIR-2",
          Where(S.STOPPED, shape="pairs-of-one", control="pairs"), as_committed,
          {Reason.BAD_REGISTRATION}, After.ENDED),
    fault("strange-member", "a claim about a member that the pairs do not have", "PAIR-3",
          Where(S.READY, shape="pairs"), strange_member, _BAD, After.ENDED),
    fault("half-a-pair-excluded", "an excluded run that begins within a pair", "PAIR-3",
          Where(S.READY, shape="pairs"), half_a_pair_excluded, _BAD, After.ENDED),
    fault("one-of-a-pair", "a challenge that leaves a pair with one item", "PAIR-4",
          Where(S.SEEDED, shape="pairs"), one_of_a_pair, {Reason.WRONG_UNITS}, After.ENDED),
    Case("points", "an exercise over scores, to its end", ("TEST-5",), _acknowledged("points")),
    Case("tie", "a risk that is met exactly, and one just below it", ("TEST-2",), _acknowledged("tie", "below-tie")),
    Case("unknown-receipt", "an audit of a receipt that nobody gave", ("AUD-2", "DESC-3"), _audit),
    _audit_fault("audit-of-two-counts", "an audit with two counts for one claim", "AUD-1", S.READY,
                 terms(audited=claimed(_COUNT, _COUNT)), Reason.BAD_TERMS),
    _audit_fault("audit-of-pairs", "an audit over a set of pairs", "AUD-1", Where(S.READY, shape="pairs"),
                 terms(audited=claimed(_COUNT)), Reason.BAD_TERMS),
    _audit_fault("audit-count-too-high", "an audit of more successes than units", "AUD-4", S.READY,
                 terms(audited=claimed(ITEMS + 1)), Reason.BAD_COUNT),
    _audit_fault("audit-count-too-low", "an audit of too few successes", "AUD-4", S.READY,
                 terms(audited=claimed(1)), Reason.BAD_COUNT),
    _audit_fault("results-out-of-place", "claimed results where nothing is audited", "AUD-3", S.STOPPED,
                 results_out_of_place, Reason.WRONG_UNITS),
    fault("prior-twice", "terms that name an earlier exercise twice", "PRIOR-2", S.READY, twice, _BAD, After.ENDED),
    Case("superseded", "a first attempt that is resumed after the second began", ("ATT-4",), _superseded,
         frozenset({Reason.ABORTED}), capability=RESUME),
)  # fmt: skip
