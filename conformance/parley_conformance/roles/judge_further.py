"""Room: the suite. For a judge under test: what stands beside the messages of a record, and who retries or objects."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.encoding import Digest
from parley_attestation.errors import Role
from parley_attestation.keys import fingerprint
from parley_attestation.log.witness import Cosignature, Event
from parley_attestation.qualification import seal_qualification
from parley_attestation.session import messages as m
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn
from parley_attestation.terms import Witnesses
from parley_attestation.transcript import Kind
from parley_attestation.witnessing import position

from parley_conformance.arena import Session, Stop
from parley_conformance.cases.base import Case
from parley_conformance.cases.documents import signed_also
from parley_conformance.cases.keeping import Wordy
from parley_conformance.deviations import ZERO, Say
from parley_conformance.roles.backed import BACKED, NEEDS
from parley_conformance.roles.judge import Judge
from parley_conformance.roles.lies import body
from parley_conformance.roles.records import Part, entries, join, messages, of_messages, so_far
from parley_conformance.world import Exercise

S = State
V, P = Role.VERIFIER, Role.PROVER
DEADLINE = 600  # seconds, in the suite's terms
BEFORE = 1_600_000_000  # no key of the suite's parties is valid yet
NOW = 1_800_000_000
ACCEPTED = 4


def _sides(sealed: Iterable[bytes]) -> list[Part]:
    return [(int(Kind.SIDE), one) for one in sealed]


class _Witness:
    """A witness of the suite's own, which signs whatever a case wants."""

    def __init__(self, target: Judge) -> None:
        self.key = SigningKey(target.arena.fresh())
        self._number = 0

    def exercise(self, target: Judge) -> Exercise:
        plain = target.arena.exercise()
        named = Witnesses((PublicKey(self.key.public),), 1, "unwitnessed")
        return target.arena.world.sealed(plain.tests, replace(plain.terms, witnesses=named))

    def sign(self, session: Session, sequence: int, event: Event, time: int, requester: Role = P) -> bytes:
        self._number += 1
        at = position(session.ends[V].machine, sequence)
        return Cosignature(at, event, requester, time, self._number, "w").sealed(self.key)

    def another_head(self, session: Session, sequence: int, event: Event, time: int) -> bytes:
        self._number += 1
        at = replace(position(session.ends[V].machine, sequence), head=ZERO)
        return Cosignature(at, event, P, time, self._number, "w").sealed(self.key)


def _key_times(target: Judge) -> None:
    """Keys that were not valid yet when the acceptance was witnessed; nobody looks at times without witnesses."""
    witness = _Witness(target)
    session = target.arena.session(witness.exercise(target))
    found = messages(session.record(V))
    early, now = (witness.sign(session, ACCEPTED, Event.ACCEPTED, time) for time in (BEFORE, NOW))
    target.expect(
        of_messages(found, _sides([early])), valid=False, reason="KEY_NOT_CERTIFIED", blamed="", verdict=""
    )
    target.expect(of_messages(found, _sides([now])), valid=True, opening=NOW, state="finished")
    target.expect(of_messages(found), valid=True, opening=0, state="finished")


def _contradiction(target: Judge) -> None:
    """A witness that signed two heads for one slot counts for nothing."""
    witness = _Witness(target)
    session = target.arena.session(witness.exercise(target))
    found, end = messages(session.record(V)), session.ends[V].machine.sequence
    good = [
        witness.sign(session, ACCEPTED, Event.ACCEPTED, NOW),
        witness.sign(session, end, Event.END, NOW + 9),
    ]
    target.expect(of_messages(found, _sides(good)), valid=True, opening=NOW, ended=NOW + 9)
    other = witness.another_head(session, ACCEPTED, Event.ACCEPTED, NOW + 1)
    target.expect(of_messages(found, _sides([*good, other])), valid=True, opening=0, ended=0, reason="")


def _silence(target: Judge) -> None:
    """A prover that owes answers: blamed by a claim that stands, and by nothing less."""
    witness = _Witness(target)
    session = target.arena.session(witness.exercise(target), Stop(P, S.CHALLENGED))
    found, at = messages(session.record(V)), session.ends[V].machine.sequence
    seen = witness.sign(session, at, Event.POSTED, NOW, V)
    claim, early = (
        witness.sign(session, at, Event.DEFAULT, NOW + wait, V) for wait in (DEADLINE, DEADLINE - 1)
    )
    for shown, default in (
        ([], ""),
        ([seen], ""),
        ([seen, early], ""),
        ([claim], ""),
        ([seen, claim], "PROVER-DEFAULT"),
    ):
        record = of_messages(found, _sides(shown))
        target.expect(record, valid=True, blamed="", reason="", default=default, turn="prover")


def _qualified(target: Judge) -> None:
    """A VIOLATION with and without a third party that vouches for the references."""
    qualifier = SigningKey(target.arena.fresh())
    plain = target.arena.exercise()
    named = replace(plain.terms, qualifiers=(fingerprint(qualifier.public),))
    target.arena.engine.wrong = 1
    session = target.arena.session(target.arena.world.sealed(plain.tests, named))
    found, root = messages(session.record(V)), plain.tests.public.root
    vouched, other = (seal_qualification(qualifier, one, "checked by hand") for one in (root, ZERO))
    stranger = seal_qualification(SigningKey(target.arena.fresh()), root, "checked by hand")
    for shown, unqualified in (([], True), ([other], True), ([stranger], True), ([vouched], False)):
        record = of_messages(found, _sides(shown))
        target.expect(record, valid=True, overall="VIOLATION", unqualified=unqualified)
    target.expect(target.record(), valid=True, overall="COMPLIANT", unqualified=False)


def _dissents(target: Judge) -> None:
    """A dissent over another verdict is a finding and no fault; one over the same verdict is none."""
    session = target.arena.session(target.arena.exercise(), Stop(P, S.CONFIRMED))
    speaker, before = session.speaker(P), so_far(session, P)
    verdict = speaker.machine.facts.verdict
    assert verdict is not None
    for digest, differing in ((Digest(ZERO), ["prover"]), (verdict.digest(), [])):
        said = speaker.turn(m.Dissent(digest, "we object"), ())
        target.expect(join([*before, *entries(said)]), valid=True, state="finished", differing=differing)


def _after_the_end(target: Judge) -> None:
    """A second attempt at an exercise that has finished."""
    session = target.session()
    machine = session.ends[V].machine
    again = target.arena.session(session.exercise, Stop(V, S.READY))
    speaker = again.speaker(V)
    proposed = body(attempt=2, earlier_heads=(machine.heads[-1],))(speaker)
    first = [part for one in messages(target.record()) for part in one.parts]
    second = [*so_far(again, V), *entries(proposed)]  # type: ignore[arg-type]
    record = join([*first, (int(Kind.ATTEMPT), b""), *second])
    target.expect(record, valid=False, reason="BAD_ATTEMPT", blamed="verifier", verdict="")


def _retried(say: Say) -> Callable[[Judge], None]:
    """A second attempt at an exercise whose first was given up, as `say` has it; the honest one is valid."""

    def run(target: Judge) -> None:
        exercise = target.arena.exercise()
        first = target.arena.session(exercise, Stop(V, S.SEEDED, 2))
        ends = {role: end.journal for role, end in first.ends.items()}
        before = [*so_far(first, V), (int(Kind.ATTEMPT), b"")]
        again = target.arena.session(exercise, Stop(V, S.READY), journals=ends)
        speaker = again.speaker(V)
        shown = [*before, *so_far(again, V)]
        said = say(speaker)
        assert isinstance(said, Turn)
        reasons = frozenset({"BAD_ATTEMPT", "BAD_COIN"})
        faulty = join([*shown, *entries(said)])
        target.expect(faulty, valid=False, reason=reasons, blamed="verifier", verdict="")
        target.expect(join([*shown, *entries(speaker.turn())]), valid=True, turn="prover")

    return run


def _signed_by_a_stranger_too(target: Judge) -> None:
    """Terms with one signature more are the same terms, and the verdict names the same statement."""
    exercise = target.arena.exercise()
    also = replace(exercise, sealed=signed_also(exercise.sealed, SigningKey(target.arena.fresh())))
    session = target.arena.session(also)
    verdict = session.ends[V].machine.facts.verdict
    assert verdict is not None
    target.expect(session.record(V), valid=True, verdict=verdict.digest().hex())


def _other_encoding(target: Judge) -> None:
    """Messages that spell their header twice: heads and signatures are over the bytes as they came."""
    session = target.arena.session(target.arena.exercise(), kind=Wordy)
    verdict = session.ends[V].machine.facts.verdict
    assert verdict is not None
    target.expect(session.record(V), valid=True, state="finished", verdict=verdict.digest().hex())


def _shaped(shape: str) -> Callable[[Judge], None]:
    """An honest record of an exercise over other items."""

    def run(target: Judge) -> None:
        session = target.session(shape)
        verdict = session.ends[V].machine.facts.verdict
        assert verdict is not None
        target.expect(
            target.record(shape),
            valid=True,
            verdict=verdict.digest().hex(),
            overall=verdict.predicate["overall"],
        )

    return run


def _backed(kind: str) -> Callable[[Judge], None]:
    """A record with compute records and simulated evidence: the verdict says what became of the appraisal."""

    def run(target: Judge) -> None:
        one = BACKED[kind]
        session = target.arena.session(
            one.exercise(target.arena), Stop(P, None, mutate=one.mutate(target.arena))
        )
        verdict = session.ends[V].machine.facts.verdict
        one.check(verdict)
        assert verdict is not None
        digest = verdict.digest().hex()
        target.expect(session.record(V), valid=True, overall="INCONCLUSIVE", verdict=digest)

    return run


def _case(name: str, what: str, needs: str, run: Callable[[Judge], None]) -> Case:
    return Case(name, what, tuple(needs.split()), run)


FURTHER: tuple[Case, ...] = (
    _case("key-times", "keys at the witnessed time", "KEY-3", _key_times),
    _case("contradiction", "a witness that contradicts itself", "WIT-3", _contradiction),
    _case("silence", "silence, and claims over it", "WIT-4", _silence),
    _case("qualified", "who vouches for the references", "JUDGE-5", _qualified),
    _case("dissents", "a dissent over another verdict", "JUDGE-6", _dissents),
    _case("after-the-end", "an attempt after the end", "ATT-3", _after_the_end),
    _case("attempt-skipped", "attempt 3 after attempt 1", "ATT-1", _retried(body(attempt=3))),
    _case("attempt-of-another-past", "other earlier heads", "ATT-1", _retried(body(earlier_heads=(ZERO,)))),
    _case("attempt-with-another-coin", "another coin", "ATT-1", _retried(body(coin_commitment=ZERO))),
    _case("signed-by-a-stranger-too", "one signature more", "STMT-1 STMT-2", _signed_by_a_stranger_too),
    _case("other-encoding", "messages in other bytes", "ENV-3", _other_encoding),
    _case("honest-scripts", "an honest record over scripts", "SCRIPT-2", _shaped("scripts")),
    _case("honest-pairs", "an honest record over pairs", "PAIR-2", _shaped("pairs")),
    *(
        _case(f"evidence-{kind}", f"evidence {kind.replace('-', ' ')}", NEEDS[kind], _backed(kind))
        for kind in BACKED
    ),
    _case("tie", "a risk that is met exactly", "TEST-2", _shaped("tie")),
    _case("below-tie", "a risk just below one that is met", "TEST-2", _shaped("below-tie")),
    _case("honest-points", "an honest record over scores", "TEST-5", _shaped("points")),
)
