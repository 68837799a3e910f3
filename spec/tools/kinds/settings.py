"""Vectors of exercises with more than two parties or more than answers: witnesses, a chamber, evidence, scripts."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import test_session_backing as lab
import test_session_prior as after
import test_session_witnesses as silence
from cheats import READY, terms
from kit import CHANNEL, Exercise, metric, pipe, right, seed
from parley_attestation import keys
from parley_attestation.claims import IdentityClaim
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import Role
from parley_attestation.evidence.compute.verdict import ClaimKind
from parley_attestation.log.witness import Event
from parley_attestation.session.exercise import expected_binding
from parley_attestation.session.machine import Machine
from parley_attestation.spending import Spent, spent
from parley_attestation.terms import Operator
from parley_attestation.witnessing import deadline, position
from parley_verifier.challenge import VerifierPolicy
from witnessed_kit import NOW, run_with, witnessed_exercise

from kinds.basics import Test
from kinds.records import folder, judged, record_of
from kinds.staged import refused, staged

OPERATOR = SigningKey(seed("operator"))
RUNTIME = Digest(seed("runtime"))


def witnessed() -> Iterator[Test]:
    """Exercises whose decision, end or silence witnesses saw."""
    for comment, count, threshold, up in (
        ("two of three witnesses, all up", 3, 2, [0, 1, 2]),
        ("two of three witnesses, one up", 3, 2, [0]),
    ):
        with folder() as where:
            bench, exercise = witnessed_exercise(where, count=count, threshold=threshold)
            bench.up = up
            v, _ = run_with(bench, exercise)
            yield judged(comment, "WIT-4", exercise, record_of(exercise, v))
    for comment, shown in (
        ("a prover that falls silent past its deadline", True),
        ("a silence that no witness was told of", False),
    ):
        with folder() as where:
            bench, exercise, v = silence.silent_prover(where)
            at, envelope = position(v.machine, v.machine.sequence), silence.last_envelope(v)
            if shown:
                sides = bench.ask(exercise.verifier, v.machine, at, Event.POSTED, record=envelope)
                bench.now += deadline(v.machine)
                sides += bench.ask(
                    exercise.verifier, v.machine, at, Event.DEFAULT, seconds=deadline(v.machine)
                )
                for sealed in sides:
                    v.journal.side(v.row, sealed)
            yield judged(comment, "WIT-4", exercise, record_of(exercise, v))
    for comment, since in (
        ("the prover's session key was revoked before the witnessed time", NOW - 1),
        ("the prover's session key was revoked at the witnessed time", NOW),
        ("the prover's session key was revoked after the witnessed time", NOW + 1),
    ):
        with folder() as where:
            bench, exercise = witnessed_exercise(where)
            one = exercise.prover
            revoked = keys.Revocation(one.root.public, one.session.public, since)
            exercise.prover = replace(one, history=(*one.history, revoked.sealed(one.root)))
            v, _ = run_with(bench, exercise)
            yield judged(comment, "KEY-3", exercise, record_of(exercise, v))


def _reproduced(characters: Callable[[int], str], key: SigningKey = OPERATOR, **names: Any) -> Any:
    """A chamber that says of unit n what `characters` does."""

    def say(machine: Machine) -> bytes:
        audit = machine.facts.audit
        assert audit is not None
        said = "".join(characters(n) for n in range(len(audit.units)))
        made = replace(
            expected_binding(machine.facts), execution_class="E1", sandbox="bubblewrap", reproduced=said
        )
        return replace(made, **names).sealed(key)

    return say


def _bound(where: Any, chamber: Any, run_by: str = "neutral", **terms: Any) -> Exercise:
    operator = Operator(Bytes32(OPERATOR.public), run_by, ("tests", "weights"))
    claims = (metric(min_assurance="re-executed"), IdentityClaim("identity", "re-executed"))
    exercise = Exercise(
        where,
        answer=right,
        terms_changes={"binding": "chamber", "operators": (operator,), "runtime": RUNTIME, "claims": claims}
        | terms,
    )
    exercise.verifier_policy = VerifierPolicy(  # type: ignore[attr-defined]
        exercise.verifier.history,
        CHANNEL,
        exercise.sealed_terms,
        exercise.tests,
        journal=exercise.journal(Role.VERIFIER),
        chamber=chamber,
    )
    return exercise


def bound() -> Iterator[Test]:
    """Exercises whose outputs a chamber re-executed."""
    for comment, chamber, run_by in (
        ("every output comes out again", _reproduced(lambda _: "1"), "neutral"),
        ("one output does not come out again", _reproduced(lambda n: "0" if n == 3 else "1"), "neutral"),
        ("a chamber of the verifier, which the prover declines", _reproduced(lambda _: "1"), "verifier"),
        ("a chamber of the prover adds nothing", _reproduced(lambda _: "1"), "prover"),
        (
            "a chamber of the prover, and one output less",
            _reproduced(lambda n: "0" if n == 3 else "1"),
            "prover",
        ),
    ):
        with folder() as where:
            exercise = _bound(where, chamber, run_by)
            v = exercise.verifier_end(policy=exercise.verifier_policy)  # type: ignore[attr-defined]
            pipe(v, exercise.prover_end())
            yield judged(comment, "BIND-1", exercise, record_of(exercise, v))


def _after(where: Any, claims: Any, prior: Any) -> tuple[Exercise, Any]:
    """A second exercise of the same parties, whose terms name what `prior` makes of the first one's risks."""
    exercise = Exercise(where, terms_changes={"claims": claims})
    v, _ = exercise.run()
    once = spent(v.machine.facts.exercise, claims)
    after.again(exercise, 2, prior=prior(once))
    return exercise, after.run(exercise, 2)[0]


def prior() -> Iterator[Test]:
    """Exercises whose terms name earlier ones, so that verdicts add the risks up."""
    for comment, claims, named in (
        ("one earlier exercise", (metric(),), lambda one: (one,)),
        ("an earlier exercise of two claims", after.CLAIMS, lambda one: (one,)),
        (
            "an earlier exercise that risked nothing",
            (metric(),),
            lambda one: (replace(one, compliant=Fraction(0), violation=Fraction(0)),),
        ),
        (
            "earlier exercises whose risks add up to more than 1",
            (metric(),),
            lambda one: (one, Spent(Digest(seed("earlier")), Fraction(1), Fraction(2))),
        ),
    ):
        with folder() as where:
            exercise, v = _after(where, claims, named)
            yield judged(comment, "PRIOR-2", exercise, record_of(exercise, v))
    with folder() as where:
        entry = Spent(Digest(seed("earlier")), Fraction(1, 20), Fraction(1, 100))
        s = staged(Exercise(where), Role.VERIFIER, READY)
        said = terms(s, prior=(entry, entry))
        yield judged("an earlier exercise named twice", "PRIOR-2", s.exercise, refused(s, said))


def backed() -> Iterator[Test]:
    """Exercises with compute records, and with simulated evidence, which lifts nothing."""
    for comment, kind, flop, changes in (
        ("a lower bound that the records meet, on the owner's word", ClaimKind.AT_LEAST, 10**14, {}),
        ("an upper bound that the records exceed", ClaimKind.AT_MOST, 10**14, {}),
        ("an upper bound that no record can show", ClaimKind.AT_MOST, 10**15, {}),
    ):
        with folder() as where:
            claims = (metric(), lab.compute(kind, flop))
            exercise = Exercise(where, terms_changes={"claims": claims, **changes})
            exercise.offer_changes = {"records": lab.records(exercise.prover.session)}
            v, _ = exercise.run()
            yield judged(comment, "COMP-1", exercise, record_of(exercise, v))
    with folder() as where:
        exercise = Exercise(where, terms_changes={"claims": (metric(), lab.compute(ClaimKind.AT_LEAST, 1))})
        v, _ = exercise.run()
        yield judged("a compute claim without records", "VERD-4", exercise, record_of(exercise, v))
    with folder() as where:
        exercise = lab.laboratory_exercise(where)
        v, _ = exercise.run()
        yield judged("simulated evidence", "EVID-1", exercise, record_of(exercise, v))
