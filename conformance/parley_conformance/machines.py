"""Room: the suite. Hypothesis state machines that hold a prover or a verifier to the session tables.

Several sessions run side by side. Each step says the honest message, deviates from it by one fault of the
list, breaks the stream off, comes back, or sends hostile bytes; the oracle is the one that cases have. The
rules read the tables: a new step is walked and broken without a change here. Needs `hypothesis`.
"""

from typing import Any, ClassVar

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    multiple,
    rule,
    run_state_machine_as_test,
)
from parley.v1 import session_pb2 as pb
from parley_attestation.edge.attempts import earlier_attempts
from parley_attestation.edge.endpoint import Draft, Endpoint, Secret
from parley_attestation.edge.journal import Also, SessionRow
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.session import messages as m
from parley_attestation.session.facts import Channel
from parley_attestation.session.machine import Machine
from parley_attestation.session.tables import State
from parley_verifier.challenge import VerifierPolicy

from parley_conformance.arena import Pause, Speaker, Stand
from parley_conformance.cases.base import RESUME
from parley_conformance.counterpart import Script
from parley_conformance.deviations import HANDS_OVER, Deviation, frames_of, steps
from parley_conformance.harness import Failure, Target, expect_refusal, shown
from parley_conformance.roles.verifier import UNREACHABLE, Verifier, finished, refused
from parley_conformance.strategies import faults, hostile_frames, shapes
from parley_conformance.world import Exercise

EXAMPLES = 25  # runs of a machine
STEPS = 12  # steps of a run


class _OneWord:
    """An honest verifier that pauses before every message, and says as many as `words` allows."""

    role = Role.VERIFIER

    def __init__(self, inner: VerifierPolicy) -> None:
        self._inner = inner
        self.words = 0

    def propose(self, machine: Machine, secret: Secret) -> Draft:
        draft = self._inner.propose(machine, secret)
        if self.words == 0:
            raise Pause(draft)
        self.words -= 1
        return draft

    def received(self, machine: Machine, body: m.Body) -> tuple[Also, ...]:
        return self._inner.received(machine, body)

    def side_record(self, machine: Machine, sealed: bytes) -> None:
        self._inner.side_record(machine, sealed)


class Walk:
    """One session with a prover under test, message by message."""

    def __init__(self, target: Target, exercise: Exercise) -> None:
        self.target, self.exercise = target, exercise
        self.journal = target.journal()
        self.stream = target.stream()
        self.draft: Draft = Draft(m.Abort(Reason.ABORTED.value, ""))
        self.endpoint: Endpoint = self._connected(None)
        self._run(self.endpoint.pump())

    def _connected(self, row: SessionRow | None) -> Endpoint:
        """The own end of a new session, or of the one in `row`."""
        target = self.target
        seen = Channel(target.party.card.tls_digest, target.peer.tls_digest)
        inner = VerifierPolicy(
            target.party.history, seen, self.exercise.sealed, self.exercise.tests, journal=self.journal
        )
        self.policy = _OneWord(inner)
        pins = {Role.VERIFIER: target.party.card.fingerprint, Role.PROVER: target.peer.fingerprint}
        earlier = earlier_attempts(self.journal, Role.VERIFIER, row)
        machine = Machine(self.journal, pins=pins, channel=seen, earlier=earlier)
        made = Endpoint(self.policy, target.party.session, self.journal, machine, target.fresh())
        if row is not None:
            made.load(row)
        return made

    @property
    def state(self) -> State:
        """Where the session stands; the verifier has the word, or it has ended."""
        return self.endpoint.machine.state

    @property
    def speaker(self) -> Speaker:
        """The verifier, with the word."""
        stand = Stand(self.target.party, self.target.world, self.target.fresh)
        return Speaker(stand, self.exercise, self.endpoint, self.draft)

    def step(self) -> None:
        """Say the honest message and read up to the next own word. Raises `Failure`."""
        self.policy.words = 1
        self._run(self.endpoint.pump())

    def _run(self, frames: Any) -> None:
        try:
            self.stream.send(frames)
            while not self.endpoint.done:
                got = self.stream.receive()
                if not isinstance(got, pb.Frame):
                    raise Failure(f"in state {self.state}: expected the next message, got {shown(got)}")
                self.stream.send(self.endpoint.feed(got))
            self.stream.close()
        except Pause as pause:
            self.draft = pause.draft
        except PeerError as error:
            raise Failure(f"the prover's message breaks the protocol: {error}") from None

    def finish(self) -> None:
        """Run to the end. Raises `Failure`."""
        while not self.endpoint.done:
            self.step()
        if self.state is not State.FINISHED:
            raise Failure(f"an honest session ended in state {self.state}")

    def back(self) -> None:
        """Come back on another stream; the prover goes on in the same session. Raises `Failure`."""
        self.stream = self.target.stream()
        self.endpoint = self._connected(self.endpoint.row)
        machine = self.endpoint.machine
        if machine.sequence < 2:
            self._run(self.endpoint.resend(0) if machine.sequence else self.endpoint.pump())
        else:
            self._run([self.endpoint.resume()])

    def ended(self) -> None:
        """Check that a session with a provable fault cannot be resumed. Raises `Failure`."""
        if self.endpoint.machine.sequence < 2:
            return
        self.stream = self.target.stream()
        self.stream.send([self.endpoint.resume()])
        expect_refusal(self.stream, frozenset({Reason.ABORTED}))


def fits(fault: Deviation, draft: Draft) -> bool:
    """Whether a fault can be had with this honest message: some need content, or that the word passes on."""
    if fault.id.endswith("out-of-turn"):
        return draft.body.kind in HANDS_OVER
    needs_content = {"WIRE-3", "WIRE-4"} & set(fault.requirements) or "chunk" in fault.id
    return bool(draft.blobs) or not needs_content


class ProverMachine(RuleBasedStateMachine):
    """Sessions with the prover in `target`, which the one who runs the machine sets."""

    target: ClassVar[Target]
    walks = Bundle("walks")

    @rule(target=walks, shape=shapes())
    def begin(self, shape: str) -> Any:
        """Begin a session."""
        return Walk(self.target, self.target.exercise(shape))

    @rule(target=walks, walk=consumes(walks), count=st.integers(1, 4))
    def say(self, walk: Walk, count: int) -> Any:
        """Say some honest messages."""
        for _ in range(count):
            if not walk.endpoint.done:
                walk.step()
        return multiple() if walk.endpoint.done else walk

    @rule(walk=consumes(walks))
    def finish(self, walk: Walk) -> None:
        """Run to the end."""
        walk.finish()

    @rule(target=walks, walk=consumes(walks), data=st.data())
    def deviate(self, walk: Walk, data: st.DataObject) -> Any:
        """One fault: the refusal, and what must hold after it."""
        fault = data.draw(faults(Role.VERIFIER, walk.state).filter(lambda one: fits(one, walk.draft)))
        walk.stream.send(frames_of(fault.say(walk.speaker)))
        expect_refusal(walk.stream, frozenset({fault.reason}))
        if RESUME not in self.target.capabilities or walk.state is State.START:
            return multiple()
        if fault.provable:
            walk.ended()
            return multiple()
        walk.back()
        return walk

    @rule(target=walks, walk=consumes(walks), spoken=st.booleans())
    def break_off(self, walk: Walk, spoken: bool) -> Any:  # noqa: FBT001 - drawn
        """Break the stream off, with a message on its way or without, and come back."""
        if spoken and walk.state is not State.START:
            walk.stream.send(frames_of(walk.speaker.turn()))
        walk.stream.cut()
        if RESUME not in self.target.capabilities:
            return multiple()
        walk.back()
        return walk

    @rule(target=walks, walk=consumes(walks))
    def take_over(self, walk: Walk) -> Any:
        """Come back while the older stream still stands."""
        if RESUME not in self.target.capabilities or walk.state is State.START:
            return walk
        older = walk.stream
        walk.back()
        if isinstance(older.answer(), pb.Frame):
            raise Failure("one session was answered on two streams")
        return walk

    @rule(frames=st.lists(hostile_frames(), min_size=1, max_size=3))
    def hostile(self, frames: list[pb.Frame]) -> None:
        """A stream of hostile bytes."""
        stream = self.target.stream()
        stream.send(frames)
        stream.finish()
        got = stream.answer()
        if isinstance(got, pb.Frame):
            raise Failure(f"hostile bytes were answered: {shown(got)}")
        if getattr(got, "code", None) is not None and got.code.name in {"INTERNAL", "UNKNOWN"}:
            raise Failure(f"hostile bytes: {got.code.name}")

    def teardown(self) -> None:
        """The honest exercise still works."""
        self.target.begin()
        self.target.release()


class VerifierMachine(RuleBasedStateMachine):
    """Sessions of the verifier in `target`; a broken one may be taken up again."""

    target: ClassVar[Verifier]
    left = Bundle("left")

    @rule(target=left, shape=shapes(), state=st.sampled_from(steps(Role.PROVER)), nth=st.integers(1, 2))
    def break_off(self, shape: str, state: State, nth: int) -> Any:
        """A stream that breaks before a message of the prover."""
        exercise, journal = self.target.arena.exercise(shape), self.target.journal()
        return self._broken(exercise, journal, Script(state, nth=nth if state is State.CHALLENGED else 1))

    @rule(target=left, one=consumes(left), sent=st.integers(1, 6))
    def break_off_again(self, one: tuple[Exercise, str], sent: int) -> Any:
        """Take a broken session up, and break it off again."""
        return self._broken(*one, Script(sent=sent))

    def _broken(self, exercise: Exercise, journal: str, script: Script) -> Any:
        found = self.target.run(exercise, script, journal=journal)
        if found.verdict and not script.reached:
            return multiple()
        if found.reason not in UNREACHABLE or found.blamed:
            raise Failure(f"a broken stream: expected UNREACHABLE, got {found.reason or found.verdict}")
        return (exercise, journal)

    @rule(fault=faults(Role.PROVER))
    def deviate(self, fault: Deviation) -> None:
        """One fault of the prover: the refusal, and what must hold after it."""
        exercise, journal = self.target.arena.exercise(fault.shape), self.target.journal()
        script = Script(fault.state, fault.say, fault.nth)
        refused(
            script, self.target.run(exercise, script, journal=journal), fault.reason, provable=fault.provable
        )
        if not fault.provable:
            finished(self.target, self.target.run(exercise, journal=journal))

    @rule(one=consumes(left))
    def resume(self, one: tuple[Exercise, str]) -> None:
        """Take a broken session up, to its end."""
        exercise, journal = one
        finished(self.target, self.target.run(exercise, journal=journal))

    @rule(shape=shapes(), frames=st.lists(hostile_frames(), min_size=1, max_size=3))
    def hostile(self, shape: str, frames: list[pb.Frame]) -> None:
        """Hostile bytes where answers are due."""
        script = Script(State.CHALLENGED, lambda _: list(frames))
        found = self.target.run(self.target.arena.exercise(shape), script, seconds=5.0)
        if found.verdict or not found.reason or found.reason in {Reason.INTERNAL, Reason.CORRUPT}:
            raise Failure(f"hostile bytes ended in {found.verdict or found.reason or 'nothing'}")

    def teardown(self) -> None:
        """The honest exercise still works."""
        finished(self.target, self.target.run(self.target.arena.exercise()))
        self.target.release()


def check(machine: type[RuleBasedStateMachine], target: Any, examples: int = EXAMPLES) -> None:
    """Run a machine against an implementation; every example, also the failing one, comes again.

    Args:
        machine: `ProverMachine` or `VerifierMachine`.
        target: The way to the implementation: a `Target` or a `Verifier`.
        examples: Runs; each has `STEPS` steps at most.

    Raises:
        Failure: The implementation broke a rule; Hypothesis prints the shortest run that shows it.
    """
    bound = type(machine.__name__, (machine,), {"target": target})
    run_state_machine_as_test(
        bound,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
