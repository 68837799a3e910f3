"""Room: the suite. The cases for a verifier under test: honest runs, every fault of a prover, broken streams."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from parley.v1 import session_pb2 as pb
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge import party
from parley_attestation.edge.endpoint import Draft
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import Reason, Role
from parley_attestation.session import messages as m
from parley_attestation.session.machine import Machine
from parley_attestation.session.tables import State
from parley_attestation.statement import Statement, Subject, seal
from parley_attestation.terms import Witnesses

from parley_conformance.arena import Speaker
from parley_conformance.cases.base import Case, Profile
from parley_conformance.cases.documents import signed_also
from parley_conformance.cases.keeping import Wordy
from parley_conformance.counterpart import Script
from parley_conformance.deviations import ZERO, Deviation, Said, Say, deviations, flip, frames_of, raw, steps
from parley_conformance.harness import Failure
from parley_conformance.roles.backed import BACKED, NEEDS
from parley_conformance.roles.lies import LIES
from parley_conformance.roles.requirements import requirements
from parley_conformance.roles.verifier import UNREACHABLE, Verifier, finished, refused
from parley_conformance.run import Suite

S = State
FUZZED = 40  # messages with one changed bit that the extended profile sends
SIDE_RECORDS = 64  # that a session may have
_EXTENDED = frozenset(
    f"misplaced-{kind}"
    for kind in ("hello-reply", "accept", "challenge", "stop", "open", "binding", "dissent")
)


def fault(deviation: Deviation) -> Case:
    """A negative case: the refusal, then the honest continuation, which is the exercise without the fault."""

    def run(target: Verifier) -> None:
        exercise, journal = target.arena.exercise(deviation.shape), target.journal()
        script = Script(deviation.state, deviation.say, deviation.nth)
        found = target.run(exercise, script, journal=journal)
        refused(script, found, deviation.reason, provable=deviation.provable)
        if deviation.provable:
            finished(target, target.run(target.arena.exercise(deviation.shape)))
        else:
            finished(target, target.run(exercise, journal=journal))

    core = not any(deviation.id.endswith(name) for name in _EXTENDED)
    return Case(
        deviation.id,
        deviation.what,
        deviation.requirements,
        run,
        frozenset({deviation.reason}),
        Profile.CORE if core else Profile.EXTENDED,
    )


def _honest(shape: str, wrong: int, verdict: str) -> Callable[[Verifier], None]:
    def run(target: Verifier) -> None:
        target.arena.engine.wrong = wrong
        finished(target, target.run(target.arena.exercise(shape)), verdict)

    return run


def _ended(say: Callable[[Speaker], Said], state: State) -> Callable[[Verifier], None]:
    """The prover ends the session on the record: no verdict, nobody to blame, a valid transcript."""

    def run(target: Verifier) -> None:
        script = Script(state, say)
        found = target.run(target.arena.exercise(), script)
        if found.verdict or found.reason or found.blamed:
            raise Failure(f"expected an end without verdict, got {found.verdict or found.reason}")
        if found.judged is None or not found.judged.valid:
            raise Failure("the transcript of a session that the prover ended is not valid")
        finished(target, target.run(target.arena.exercise()))

    return run


def _dissent(target: Verifier) -> None:
    """The prover objects with the right digest: the verdict is the record's all the same."""

    def say(p: Speaker) -> Said:
        verdict = p.machine.facts.verdict
        assert verdict is not None
        return p.turn(m.Dissent(verdict.digest(), "we object"), ())

    finished(target, target.run(target.arena.exercise(), Script(S.CONFIRMED, say)), "COMPLIANT")


def _broken(script: Callable[[], Script]) -> Callable[[Verifier], None]:
    """The stream breaks; the verifier says so, and goes on in the same session when it is asked again."""

    def run(target: Verifier) -> None:
        exercise, journal, cut = target.arena.exercise(), target.journal(), script()
        found = target.run(exercise, cut, journal=journal)
        if not cut.reached or found.verdict or found.reason not in UNREACHABLE:
            raise Failure(f"a broken stream: expected UNREACHABLE, got {found.reason or found.verdict}")
        if found.blamed:
            raise Failure("a party is blamed for a stream that broke")
        again = target.run(exercise, journal=journal)
        finished(target, again)
        before, after = _session(found.judged), _session(again.judged)
        if before and before != after:
            raise Failure("a broken session was not resumed: another one took its place")

    return run


def _session(judged: object) -> bytes:
    machine = getattr(judged, "machine", None)
    return bytes(machine.facts.session_id) if machine is not None else b""


def _resumption(change: Callable[[pb.Resume], None], reason: Reason) -> Callable[[Verifier], None]:
    """The prover answers a resumption with another place than it has; an honest one goes on later."""

    def run(target: Verifier) -> None:
        exercise, journal = target.arena.exercise(), target.journal()
        target.run(exercise, Script(S.CHALLENGED, nth=2), journal=journal)
        script = Script(resume=change)
        refused(script, target.run(exercise, script, journal=journal), reason, provable=False)
        finished(target, target.run(exercise, journal=journal))

    return run


def _other_head(frame: pb.Resume) -> None:
    frame.head = flip(frame.head)


def _other_session(frame: pb.Resume) -> None:
    frame.session_id = flip(frame.session_id)


def _same_again(target: Verifier) -> None:
    """Every message of the prover comes twice."""
    for state in steps(Role.PROVER)[1:-1]:
        script = Script(state, lambda p: frames_of(p.turn()) * 2)
        exercise, journal = target.arena.exercise(), target.journal()
        found = target.run(exercise, script, journal=journal)
        if found.reason and found.reason not in UNREACHABLE:
            raise Failure(f"the same bytes again, in state {state}: {found.reason}")
        if not script.accepted and not found.verdict:
            raise Failure(f"the verifier did not go on after the same bytes again, in state {state}")


def _sides(target: Verifier) -> None:
    """One side record more than a session may have."""

    def say(p: Speaker) -> Said:
        frames = []
        for number in range(SIDE_RECORDS + 1):
            said = Statement("tag:parley,2026:test/v1", (Subject("n", ZERO),), {"number": number})
            frames.append(pb.Frame(side=pb.SideRecord(sealed=seal(said, p.target.party.session))))
        return frames

    exercise, journal = target.arena.exercise(), target.journal()
    script = Script(S.CHALLENGED, say)
    refused(script, target.run(exercise, script, journal=journal), Reason.TOO_LARGE, provable=False)
    finished(target, target.run(exercise, journal=journal))


def _other_server(target: Verifier) -> None:
    """The endpoint's certificate is not the pinned one: nothing is said there."""
    folder = Path(target.arena.folder) / target.journal()
    other = party.create(
        folder, name="other", role=Role.PROVER, entropy=target.arena.fresh() * 2, now=1_700_000_000, years=50
    )
    pinned = replace(
        target.arena.prover,
        card=target.arena.prover.card.model_copy(update={"certificate": other.card.certificate}),
    )
    found = target.run(target.arena.exercise(), prover=pinned)
    if target.prover.calls or found.verdict or found.reason not in UNREACHABLE:
        raise Failure("the verifier talked to a server whose certificate it had not pinned")
    finished(target, target.run(target.arena.exercise()))


def _pauses(target: Verifier) -> None:
    """No witness answers and the terms say `pause`: the verifier shows no coin."""
    plain = target.arena.exercise()
    named = Witnesses((Bytes32(target.arena.fresh()),), 1, "pause")
    exercise = target.arena.world.sealed(plain.tests, replace(plain.terms, witnesses=named))
    found = target.run(exercise)
    if found.verdict or not found.reason or found.judged is None:
        raise Failure("the verifier went on without the witnesses that the terms demand")
    if found.judged.state is not S.ACCEPTED:
        raise Failure(f"expected to stop after the acceptance, got state {found.judged.state}")
    finished(target, target.run(plain))


def _signed_twice(target: Verifier) -> None:
    """The prover's model claim is signed by a stranger as well: the same claim."""

    def also(_: Machine, draft: Draft) -> Draft:
        if not isinstance(draft.body, m.Accept):
            return draft
        claim = signed_also(draft.body.model_claim, SigningKey(target.arena.fresh()))
        return replace(draft, body=replace(draft.body, model_claim=claim))

    finished(target, target.run(target.arena.exercise(), Script(mutate=also)), "COMPLIANT")


def _other_encoding(target: Verifier) -> None:
    """The prover spells the header of its messages twice: heads and signatures are over the bytes as they came."""
    finished(target, target.run(target.arena.exercise(), Script(kind=Wordy)), "COMPLIANT")


def _backed(kind: str) -> Callable[[Verifier], None]:
    """The prover shows compute records and simulated evidence: the verdict says what became of the appraisal."""

    def run(target: Verifier) -> None:
        one = BACKED[kind]
        found = target.run(one.exercise(target.arena), Script(mutate=one.mutate(target.arena)))
        finished(target, found, "INCONCLUSIVE")
        assert found.judged is not None
        one.check(found.judged.verdict)

    return run


def _silence(target: Verifier) -> None:
    """The prover accepts a challenge and says nothing more."""
    script = Script(S.CHALLENGED, silent=True)
    found = target.run(target.arena.exercise(), script, seconds=3.0)
    if found.verdict or found.reason not in UNREACHABLE or found.blamed:
        raise Failure(f"silence: expected UNREACHABLE or TIMEOUT, got {found.reason or found.verdict}")
    finished(target, target.run(target.arena.exercise()))


def _coins(target: Verifier) -> None:
    """No nonce, coin commitment or coin comes twice."""
    seen: set[bytes] = set()
    for _ in range(3):
        found = target.run(target.arena.exercise())
        finished(target, found)
        assert found.judged is not None
        facts = found.judged.machine.facts
        for value in (
            facts.nonces[Role.VERIFIER],
            facts.coin_commitments[Role.VERIFIER],
            facts.coins[Role.VERIFIER],
        ):
            if bytes(value) in seen:
                raise Failure("a nonce or a coin came twice")
            seen.add(bytes(value))


def _side_by_side(target: Verifier) -> None:
    """Three honest sessions at once."""
    for found in target.side_by_side([target.arena.exercise() for _ in range(3)]):
        if not found.verdict:
            raise Failure(f"a session beside others ended without a verdict: {found.reason}")


def _fuzz(target: Verifier) -> None:
    """One bit of a message changes before the prover signs it: a typed refusal, now or when nothing follows."""
    states = steps(Role.PROVER)
    for number in range(FUZZED):
        state = states[number % len(states)]
        drawn = int.from_bytes(target.arena.fresh()[:8], "big")

        def change(payload: bytes, at: int = drawn) -> bytes:
            at %= len(payload) * 8
            return payload[: at // 8] + bytes([payload[at // 8] ^ 1 << at % 8]) + payload[at // 8 + 1 :]

        script = Script(state, raw(change))
        found = target.run(target.arena.exercise(), script, seconds=5.0)
        if found.verdict or not found.reason:
            raise Failure(f"a changed bit ({drawn}) in state {state} ended in {found.verdict or 'nothing'}")
        if found.reason in {Reason.INTERNAL, Reason.CORRUPT, Reason.ENGINE}:
            raise Failure(f"a changed bit ({drawn}) in state {state}: {found.reason}")
    finished(target, target.run(target.arena.exercise()))


_ABORT = m.Abort(Reason.ABORTED.value, "the prover ends here")
_GONE = frozenset({Reason.UNREACHABLE})


def _case(
    name: str,
    what: str,
    needs: str,
    run: Callable[[Verifier], None],
    reasons: Iterable[Reason] = (),
    profile: Profile = Profile.CORE,
) -> Case:
    return Case(name, what, tuple(needs.split()), run, frozenset(reasons), profile)


def _aborts(state: State) -> Case:
    say: Say = lambda p: p.turn(_ABORT, ())  # noqa: E731 - one line of a table
    return _case(f"abort-{state}", f"a prover that aborts in state {state}", "ABORT-1", _ended(say, state))


def _breaks(name: str, what: str, make: Callable[[], Script]) -> Case:
    return _case(f"broken-{name}", f"a stream that breaks {what}", "RES-1 RES-2 RES-7", _broken(make))


def _resumes(name: str, change: Callable[[pb.Resume], None], needs: str, reason: Reason) -> Case:
    what = f"a resumption that names {name.replace('-', ' ')}"
    return _case(f"resume-{name}", what, needs, _resumption(change, reason), {reason})


def _declines(p: Speaker) -> Said:
    return p.turn(m.Decline(Reason.ABORTED.value, "no"), ())


_RUNS = (
    ("honest-compliant", "an honest run that ends COMPLIANT", ("plain", 0, "COMPLIANT")),
    ("honest-violation", "an honest run that ends in VIOLATION", ("plain", 1, "VIOLATION")),
    ("honest-open", "an honest run that its budget ends", ("short", 2, "INCONCLUSIVE")),
    ("honest-pairs", "an honest run over pairs", ("pairs", 0, "VIOLATION")),
    ("honest-scripts", "an honest run over scripts", ("scripts", 0, "VIOLATION")),
    ("honest-overrun", "an honest run decided within a batch", ("overrun", 2, "INCONCLUSIVE")),
    ("honest-steady", "an honest run in which every answer counts", ("steady", 2, "INCONCLUSIVE")),
)
# An honest prover refuses whatever the verifier says otherwise than the draft has it.
_HONEST = "H-1 H-2 VERD-1 FRAME-1 ENV-1 WIRE-1 GRADE-1 TEST-3 VERD-2 VERD-4 ACK-5"
VERIFIER: tuple[Case, ...] = (
    *(_case(name, what, _HONEST, _honest(*how)) for name, what, how in _RUNS),
    _case("tie", "a risk that is met exactly", "TEST-2", _honest("tie", 0, "VIOLATION")),
    _case("below-tie", "a risk just below one that is met", "TEST-2", _honest("below-tie", 0, "VIOLATION")),
    _case("points", "an honest run over scores", "TEST-5", _honest("points", 0, "VIOLATION")),
    _case("signed-by-a-stranger-too", "a claim with one signature more", "STMT-1 STMT-2", _signed_twice),
    _case("other-encoding", "messages in other bytes, signed as they are", "ENV-3", _other_encoding),
    _case("dissent", "a prover that objects", "VERD-1", _dissent),
    *(
        _case(f"evidence-{kind}", f"evidence {kind.replace('-', ' ')}", NEEDS[kind], _backed(kind))
        for kind in BACKED
    ),
    _case("fresh-coins", "nonces and coins of three exercises", "COIN-2", _coins),
    _case("side-by-side", "three sessions at once", "H-3", _side_by_side),
    _case("same-bytes-again", "every message twice", "RES-3", _same_again),
    *(_aborts(state) for state in steps(Role.PROVER)[1:]),
    _case("decline", "a prover that declines", "VERD-1", _ended(_declines, S.PROPOSED)),
    *(_breaks(state, f"in state {state}", partial(Script, state)) for state in steps(Role.PROVER)),
    *(_breaks(f"after-{n}", f"after {n} frames", partial(Script, sent=n)) for n in range(1, 8)),
    _resumes("other-head", _other_head, "RES-4", Reason.HEAD_MISMATCH),
    _resumes("other-session", _other_session, "RES-5", Reason.WRONG_SESSION),
    _case("side-records", "too many side records", "SIDE-1", _sides, {Reason.TOO_LARGE}),
    _case("other-server", "a server that is not pinned", "TLS-2", _other_server, _GONE),
    _case("no-witness", "terms that pause without witnesses", "WIT-5", _pauses, _GONE),
    *(fault(one) for one in LIES),
    *(fault(one) for one in deviations(Role.PROVER)),
    _case("silence", "a prover that falls silent", "H-1", _silence, _GONE, Profile.EXTENDED),
    _case(
        "one-changed-bit",
        f"{FUZZED} messages with one changed bit",
        "CHAIN-1",
        _fuzz,
        Reason,
        Profile.EXTENDED,
    ),
)


def suite(endpoint: str, seconds: float = 30.0, listen: str = "127.0.0.1:0") -> Suite:
    """The suite for the verifier behind a harness at `endpoint`."""
    return Suite(
        "verifier",
        requirements(VERIFIER),
        VERIFIER,
        lambda seed, folder: Verifier(endpoint, seed, folder, seconds, listen),
    )
