"""Room: the suite. Whole sessions: honest runs, capabilities, resumption, and more than one stream."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import grpc
from parley.v1 import session_pb2 as pb
from parley_attestation.edge.records import write_record
from parley_attestation.errors import Reason
from parley_attestation.judge import judge
from parley_attestation.session.tables import State
from parley_attestation.session.turns import to_frames

from parley_conformance.cases.base import RESUME, Case
from parley_conformance.harness import Failure, Lost, Player, Refused, Target, expect_refusal, shown

S = State


def _describe(target: Target) -> None:
    said = target.described
    if 1 not in said.versions or 1 not in said.suites or "open" not in said.modes:
        raise Failure("Describe does not list version 1, suite 1 and the open mode")
    if said.root != target.peer.fingerprint:
        raise Failure("Describe names another root key than the pinned card")


def _capabilities(target: Target) -> None:
    """Resumption is claimed and works, or it is answered UNIMPLEMENTED."""
    player = target.begin(S.SEEDED, 2)
    if RESUME in target.described.capabilities:
        player.stream.close()
        player.resumed()
        return
    player.stream.close()
    stream = target.stream()
    stream.send([player.endpoint.resume()])
    got = stream.answer()
    if not isinstance(got, Refused) or got.code is not grpc.StatusCode.UNIMPLEMENTED:
        raise Failure(f"resumption is not claimed: expected UNIMPLEMENTED, got {shown(got)}")


def _honest(shape: str) -> Callable[[Target], None]:
    def run(target: Target) -> None:
        player = target.begin(shape=shape)
        row = player.endpoint.row
        assert row is not None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "record.parley"
            write_record(player.journal, row, path)
            with path.open("rb") as source:
                found = judge(source, (target.party.card.fingerprint, target.peer.fingerprint))
        if found.fault is not None:
            raise Failure(f"the record of an honest run judges invalid: {found.fault.reason}")
        if found.verdict is None:
            raise Failure(f"an honest run ended in state {player.machine.state}, without a verdict")

    return run


def _acknowledges(target: Target) -> None:
    player = target.begin()
    verdict = player.machine.facts.verdict
    if verdict is None or set(player.machine.facts.acknowledged.values()) != {verdict.digest()}:
        raise Failure("the prover does not acknowledge the verdict that the record gives")


def _broken_before(state: State) -> Callable[[Target], None]:
    """The stream breaks before the verifier speaks in `state`."""

    def run(target: Target) -> None:
        player = target.begin(state)
        player.stream.close()
        _ended(player.resumed())

    return run


def _broken_after(state: State) -> Callable[[Target], None]:
    """The stream breaks when the verifier has spoken in `state` and has not read the answer."""

    def run(target: Target) -> None:
        player = target.begin(state)
        player.say()
        player.stream.settle()
        player.stream.cut()
        _ended(player.resumed())

    return run


def _hello_lost(target: Target) -> None:
    """The stream breaks when the Hello has gone out."""
    player = Player(target, target.exercise())
    player.stream.send(player.endpoint.pump())
    player.stream.settle()
    player.stream.cut()
    _ended(player.resumed())


def _ended(player: Player) -> None:
    if player.machine.state is not S.FINISHED:
        raise Failure(f"the resumed session ended in state {player.machine.state}")


def _unknown_session(target: Target) -> None:
    stream = target.stream()
    stream.send([pb.Frame(resume=pb.Resume(session_id=target.fresh(), sequence=4, head=target.fresh()))])
    expect_refusal(stream, frozenset({Reason.WRONG_SESSION}))
    target.begin()


def _other_head(target: Target) -> None:
    player = target.begin(S.SEEDED, 2)
    player.stream.close()
    stream = target.stream()
    frame = player.endpoint.resume()
    frame.resume.head = target.fresh()
    stream.send([frame])
    expect_refusal(stream, frozenset({Reason.HEAD_MISMATCH}))
    player.resumed()


def _takeover(target: Target) -> None:
    """A second stream of one session takes over while the first still stands, and the first one ends."""
    first = target.begin(S.SEEDED, 2)
    again = Player(target, first.exercise, earlier=first)
    again.play()
    _ended(again)
    first.stream.send([pb.Frame(ping=pb.Ping())])
    got = first.stream.receive()
    if isinstance(got, pb.Frame):
        raise Failure("the older stream still answers when a newer one has taken its session")
    if isinstance(got, Lost) and got.code is grpc.StatusCode.DEADLINE_EXCEEDED:
        raise Failure("the older stream stays open when a newer one has taken its session")
    first.stream.send(to_frames(first.turn()))
    got = first.stream.answer()
    if isinstance(got, pb.Frame):
        raise Failure("one session was answered on two streams")


def _side_by_side(target: Target) -> None:
    """Two sessions of different exercises, the second whole while the first waits."""
    if target.described.max_sessions == 1:
        target.begin()
        return
    waiting = target.begin(S.SEEDED, 2)
    target.begin()
    waiting.go_on()
    _ended(waiting)


_STEPS = (S.READY, S.ACCEPTED, S.SEEDED, S.STOPPED, S.OPENED)

CASES: tuple[Case, ...] = (
    Case("describe", "Describe says what it must", ("DESC-1",), _describe),
    Case("dialogues", "an exercise over scripts, to its end", ("SCRIPT-2",), _honest("scripts")),
    Case("pairs", "an exercise over pairs, to its end", ("ANS-2",), _honest("pairs")),
    Case("capabilities", "what Describe claims works", ("DESC-2", "DESC-3"), _capabilities),
    Case("honest-run", "an honest exercise and its record", ("FRAME-1", "ENV-1", "WIRE-1"), _honest("plain")),
    Case("honest-run-short", "an honest exercise that its budget ends", ("FRAME-1",), _honest("short")),
    Case("honest-run-overrun", "an honest exercise decided within a batch", ("TEST-3",), _honest("overrun")),
    Case("honest-run-steady", "an honest exercise decided early", ("FRAME-1",), _honest("steady")),
    Case(
        "acknowledged",
        "the verdict acknowledged is the record's",
        ("ACK-5", "GRADE-1", "VERD-4"),
        _acknowledges,
    ),
    Case("hello-lost", "a stream that breaks after the Hello", ("RES-7",), _hello_lost, capability=RESUME),
    *(
        Case(
            f"broken-before-{state}",
            f"a stream that breaks before the message in state {state}",
            ("RES-7",),
            _broken_before(state),
            capability=RESUME,
        )
        for state in _STEPS
    ),
    *(
        Case(
            f"broken-after-{state}",
            f"a stream that breaks after the message in state {state}",
            ("RES-7",),
            _broken_after(state),
            capability=RESUME,
        )
        for state in _STEPS
    ),
    Case(
        "resume-unknown",
        "a resumption of a session that never was",
        ("RES-5",),
        _unknown_session,
        frozenset({Reason.WRONG_SESSION}),
        capability=RESUME,
    ),
    Case(
        "resume-other-head",
        "a resumption that names another head",
        ("RES-4",),
        _other_head,
        frozenset({Reason.HEAD_MISMATCH}),
        capability=RESUME,
    ),
    Case(
        "two-streams",
        "a second stream of one session",
        ("RES-9",),
        _takeover,
        capability=RESUME,
    ),
    Case("side-by-side", "two sessions at once", ("DESC-4",), _side_by_side),
)
