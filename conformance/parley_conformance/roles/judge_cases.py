"""Room: the suite. The cases for a judge under test: vectors, honest records, and every single fault in one."""

import base64
import io
import json
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from parley_attestation.encoding import Digest
from parley_attestation.errors import Reason, Role
from parley_attestation.session import messages as m
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn
from parley_attestation.transcript import Kind, RecordReader, RecordWriter, encode_envelope, redact

from parley_conformance.arena import PEER, Session, Stop
from parley_conformance.cases.base import Case, Profile
from parley_conformance.deviations import ZERO, Deviation, deviations, second
from parley_conformance.harness import signed
from parley_conformance.roles import judge_files as files
from parley_conformance.roles.judge import Ask, Judge, command
from parley_conformance.roles.judge_faults import FAULTS
from parley_conformance.roles.judge_further import FURTHER
from parley_conformance.roles.lies import LIES
from parley_conformance.roles.records import (
    Message,
    entries,
    join,
    left,
    messages,
    of_messages,
    so_far,
)
from parley_conformance.roles.requirements import requirements
from parley_conformance.run import Suite

S, R = State, Reason
SEQUENCE = {"reply-unpinned": 1}  # a pin is judged for the record as a whole
# Deviations of frames leave nothing in a record.
_FRAMES = frozenset(
    {"unannounced", "empty-frame", "chunk-gap", "chunk-too-long", "chunk-empty", "interrupted"}
)
_CORE_STATES = frozenset({S.START, S.GREETED, S.PROPOSED, S.SEEDED, S.CHALLENGED})


def _case(
    name: str, what: str, needs: str, run: Callable[[Judge], None], profile: Profile = Profile.CORE
) -> Case:
    return Case(name, what, tuple(needs.split()), run, profile=profile)


# -- vectors


KINDS = (
    *("", "_attempts", "_witnessed", "_chamber", "_backed", "_items", "_prior", "_graded", "_dissents"),
    *("_sealed", "_audits"),
)


def vectors(kind: str = "") -> list[dict[str, Any]]:
    """The transcript vectors of a kind: beside the package where it is installed, in `spec` in a checkout."""
    name = f"transcripts{kind}.json"
    packaged = resources.files("parley_conformance") / "spec/vectors" / name
    checkout = Path(__file__).parents[3] / "spec/vectors" / name
    source = packaged if packaged.is_file() else checkout
    tests: list[dict[str, Any]] = json.loads(source.read_text("utf-8"))["tests"]
    return tests


_SAME = (
    *("state", "turn", "blamed", "sequence", "unseen", "verdict", "overall"),
    *("differing", "opening", "ended", "default"),
)


def _vector(kind: str, test: dict[str, Any]) -> Case:
    def run(target: Judge) -> None:
        record = base64.b64decode(test["record"])
        if "state" not in test:
            target.broken(record)
            return
        wanted = {name: test[name] for name in _SAME}
        wanted |= {"valid": test["result"] == "valid", "reason": test.get("reason", "")}
        target.expect(record, test["pins"], **wanted)

    return _case(f"vector{kind.replace('_', '-')}-{test['id']}", test["comment"], test["requirement"], run)


# -- honest records


def _valid(session: Session) -> dict[str, Any]:
    verdict = session.ends[Role.VERIFIER].machine.facts.verdict
    assert verdict is not None
    return {
        "valid": True,
        "pinned": True,
        "reason": "",
        "blamed": "",
        "sequence": 0,
        "state": "finished",
        "turn": "",
        "unseen": [],
        "verdict": verdict.digest().hex(),
        "overall": verdict.predicate["overall"],
    }


def _honest(shape: str, wrong: int, overall: str) -> Callable[[Judge], None]:
    def run(target: Judge) -> None:
        session = target.session(shape, wrong)
        wanted = _valid(session)
        assert wanted["overall"] == overall
        target.expect(target.record(shape, wrong), **wanted)

    return run


def _both_sides(target: Judge) -> None:
    """The prover's record of the session is the verifier's."""
    session = target.arena.session(target.arena.exercise())
    for role in PEER:
        target.expect(session.record(role), **_valid(session))


def _unpinned(target: Judge) -> None:
    session = target.session()
    target.expect(target.record(), (), **(_valid(session) | {"pinned": False}))


def _wrong_pins(target: Judge) -> None:
    record = target.record()
    own = target.arena.pins
    for pins in ([own[Role.VERIFIER]], [own[Role.PROVER]], [Digest(target.arena.fresh())]):
        target.expect(record, pins, valid=False, reason="UNKNOWN_PARTY", blamed="", sequence=1, verdict="")


def _redacted(target: Judge) -> None:
    """All content withheld, and the content of one item: no verdict, and the indices listed."""
    record = target.record()
    audit = target.session().ends[Role.VERIFIER].machine.facts.audit
    assert audit is not None
    items = sorted({unit.name[0] for unit in audit.units})
    for hidden in (items, items[:1]):
        out = io.BytesIO()
        redact(RecordReader(io.BytesIO(record)), RecordWriter(out), hidden)
        target.expect(out.getvalue(), valid=True, state="finished", unseen=hidden, verdict="", overall="")


def _unfinished(target: Judge) -> None:
    """A record of the first n messages is valid, and says whose message is missing."""
    session = target.session()
    machine = session.ends[Role.VERIFIER].machine
    found = messages(target.record())
    for count in (1, 2, 3, 4, 6, 7, len(found) - 2, len(found) - 1):
        author = machine.authors[count].value
        target.expect(of_messages(found[:count]), valid=True, turn=author, sequence=0)


# -- a fault in one message


def _faulty(deviation: Deviation) -> Case:
    def run(target: Judge) -> None:
        session = target.arena.session(
            target.arena.exercise(deviation.shape), Stop(deviation.role, deviation.state, deviation.nth)
        )
        speaker = session.speaker(deviation.role)
        added = left(deviation.say(speaker), [len(blob) for blob in speaker.draft.blobs])
        machine = speaker.machine
        before = so_far(session, deviation.role)
        due = machine.sequence + sum(kind == Kind.ENVELOPE for kind, _ in added)
        target.expect(
            join([*before, *added]),
            valid=False,
            reason=deviation.reason.value,
            blamed=deviation.role.value if deviation.provable else "",
            sequence=SEQUENCE.get(deviation.id, due),
            verdict="",
            overall="",
        )
        place = ("control", deviation.role, deviation.state, deviation.nth, deviation.shape)
        if place not in target.controls:  # the same place without the fault, once
            target.expect(join([*before, *entries(speaker.turn())]), valid=True, reason="", sequence=0)
            target.controls.add(place)

    core = deviation in LIES or (deviation.state in _CORE_STATES and "misplaced" not in deviation.id)
    return _case(
        f"record-{deviation.id}",
        deviation.what,
        " ".join(deviation.requirements),
        run,
        Profile.CORE if core else Profile.EXTENDED,
    )


# -- faults in the order of a record


def _moved(
    change: Callable[[list[Message]], list[Message]], reason: Reason, due: int
) -> Callable[[Judge], None]:
    def run(target: Judge) -> None:
        found = messages(target.record())
        record = of_messages(change(found))
        target.expect(record, valid=False, reason=reason.value, blamed="", sequence=due, verdict="")

    return run


def _swap(at: int) -> Callable[[list[Message]], list[Message]]:
    return lambda found: [*found[:at], found[at + 1], found[at], *found[at + 2 :]]


def _without(at: int) -> Callable[[list[Message]], list[Message]]:
    return lambda found: [*found[:at], *found[at + 1 :]]


def _spliced(target: Judge) -> None:
    """From the fifth message on, another session of the same parties."""
    other = target.arena.session(target.arena.exercise()).record(Role.VERIFIER)
    record = of_messages([*messages(target.record())[:4], *messages(other)[4:]])
    target.expect(record, valid=False, reason="WRONG_SESSION", blamed="", sequence=5, verdict="")


def _inserted(target: Judge) -> None:
    """One message of another session between two of this one."""
    other = messages(target.arena.session(target.arena.exercise()).record(Role.VERIFIER))
    found = messages(target.record())
    record = of_messages([*found[:6], other[6], *found[6:]])
    target.expect(record, valid=False, reason="WRONG_SESSION", blamed="", sequence=7, verdict="")


def _swapped_blobs(target: Judge) -> None:
    """Two blobs of one message in the other order: sizes are the same, the stream digest is not."""
    found = messages(target.record())
    at = next(n for n, one in enumerate(found) if len(one.parts) > 2)
    envelope, *blobs = found[at].parts
    same = len({len(body) for _, body in blobs[:2]}) == 1
    changed = Message((envelope, blobs[1], blobs[0], *blobs[2:]))
    reason = "STREAM_MISMATCH" if same else "BLOB_MISMATCH"
    record = of_messages([*found[:at], changed, *found[at + 1 :]])
    target.expect(record, valid=False, reason=reason, blamed="", sequence=at + 1)


def _twice(target: Judge) -> None:
    """A message twice in a row."""
    found = messages(target.record())
    record = of_messages([*found[:5], found[4], *found[5:]])
    target.expect(record, valid=False, reason="MALFORMED", blamed="", sequence=6)


def _loose_blob(target: Judge) -> None:
    """Content that no message announces."""
    found = messages(target.record())
    loose = Message(((int(Kind.BLOB), bytes(40)),))
    target.expect(of_messages([*found[:4], loose]), valid=False, reason="MALFORMED", blamed="", sequence=5)


def _evidence(target: Judge) -> None:
    """A second message for a filled slot, kept as evidence; and evidence that shows none."""
    session = target.arena.session(target.arena.exercise(), Stop(Role.VERIFIER, S.SEEDED, 2))
    speaker = session.speaker(Role.VERIFIER)
    before = so_far(session, Role.VERIFIER)
    kept = (int(Kind.EVIDENCE), encode_envelope(second(speaker).envelope))
    due = speaker.machine.sequence + 1
    target.expect(
        join([*before, kept]), valid=False, reason="EQUIVOCATION", blamed="verifier", sequence=due, verdict=""
    )
    first = (int(Kind.EVIDENCE), next(body for kind, body in before if kind == Kind.ENVELOPE))
    target.expect(join([*before, first]), valid=False, reason="MALFORMED", blamed="", sequence=due)


def _empty(target: Judge) -> None:
    """A record of nothing, and one that begins with a later attempt."""
    target.expect(join([]), (), valid=False, reason="MALFORMED", blamed="", sequence=1)
    marker = (int(Kind.ATTEMPT), b"")
    target.expect(join([marker]), (), valid=False, reason="MALFORMED", blamed="", sequence=1)


def _first_fault(target: Judge) -> None:
    """Two faults: an early one that nobody's bytes prove, a later one that is provable. The first is the fault."""
    session = target.arena.session(target.arena.exercise(), Stop(Role.PROVER, S.CHALLENGED))
    speaker = session.speaker(Role.PROVER)
    before = so_far(session, Role.PROVER)
    early = signed(speaker.target.party.session, replace(speaker.header, previous=ZERO), speaker.draft.body)
    late = Turn(signed(speaker.target.party.session, speaker.header, m.Stop((1,))))
    record = join([*before, *entries(Turn(early)), *entries(late)])
    target.expect(
        record, valid=False, reason="WRONG_PREVIOUS", blamed="", sequence=speaker.machine.sequence + 1
    )
    record = join([*before, *entries(late), *entries(Turn(early))])
    target.expect(record, valid=False, reason="OUT_OF_ORDER", blamed="prover")


_HONEST = "JUDGE-1 VERD-1 VERD-2 VERD-4 FRAME-1 GRADE-1 TEST-3"
_RUNS = (
    ("honest-compliant", ("plain", 0, "COMPLIANT")),
    ("honest-violation", ("plain", 1, "VIOLATION")),
    ("honest-open", ("short", 2, "INCONCLUSIVE")),
    ("honest-overrun", ("overrun", 2, "INCONCLUSIVE")),
    ("honest-steady", ("steady", 2, "INCONCLUSIVE")),
)
JUDGE: tuple[Case, ...] = (
    *(_vector(kind, test) for kind in KINDS for test in vectors(kind)),
    *(_case(name, "an honest record", _HONEST, _honest(*how)) for name, how in _RUNS),
    _case("both-sides", "the record of either party", "JUDGE-1", _both_sides),
    _case("unfinished", "the first n messages of a record", "JUDGE-1", _unfinished),
    _case("unpinned", "nobody is pinned", "JUDGE-2", _unpinned),
    _case("wrong-pins", "a party is not the pinned one", "JUDGE-1", _wrong_pins),
    _case("redacted", "content that is withheld", "JUDGE-3 JUDGE-4", _redacted),
    *(_case(f"broken-{name}", what, "REC-1", files.broken(change)) for name, what, change in files.BROKEN),
    _case("cut-off", "a file cut off", "REC-1", files.cut),
    _case("flipped", "one bit changed, eight times", "REC-1", files.flipped(8)),
    _case("flipped-often", "one bit changed, a hundred times", "REC-1", files.flipped(100), Profile.EXTENDED),
    _case(
        "swapped-messages",
        "two messages in the other order",
        "JUDGE-1",
        _moved(_swap(6), R.WRONG_SEQUENCE, 7),
    ),
    _case(
        "swapped-greetings", "the reply before the Hello", "JUDGE-1", _moved(_swap(0), R.WRONG_SEQUENCE, 1)
    ),
    _case("missing-message", "a message left out", "JUDGE-1", _moved(_without(5), R.WRONG_SEQUENCE, 6)),
    _case("missing-hello", "a record without its Hello", "JUDGE-1", _moved(_without(0), R.WRONG_SEQUENCE, 1)),
    _case("spliced", "two sessions joined", "CHAIN-1", _spliced),
    _case("inserted", "a message of another session", "CHAIN-1", _inserted),
    _case("swapped-blobs", "content in the other order", "WIRE-4", _swapped_blobs),
    _case("twice", "a message twice", "JUDGE-1", _twice),
    _case("loose-blob", "content that no message announces", "JUDGE-1", _loose_blob),
    _case("evidence", "evidence of equivocation, and none", "JUDGE-1 CHAIN-2", _evidence),
    _case("nothing", "records of nothing", "JUDGE-1", _empty),
    _case("first-fault", "two faults", "JUDGE-1", _first_fault),
    *(_faulty(one) for one in LIES),
    *FAULTS,
    *FURTHER,
    *(
        _faulty(one)
        for role in PEER
        for one in deviations(role)
        if one.id.removeprefix(f"{one.state}-") not in _FRAMES
    ),
)


def suite(line: str, seconds: float = 30.0, ask: Ask | None = None) -> Suite:
    """The suite for the judge behind a command; `ask` takes another way to it."""
    return Suite(
        "judge",
        requirements(JUDGE),
        JUDGE,
        lambda seed, folder: Judge(ask or command(line, seconds), line, seed, folder),
    )
