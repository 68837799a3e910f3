"""Vectors of whole exercises, honest and cheating, run in memory by the parties of `tests/kit.py`."""

import base64
import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cheats import PROPOSED, SEEDED, P, V, standoff
from kit import Exercise, pipe, wrong_every
from parley_attestation.edge.records import write_record
from parley_attestation.encoding import Digest
from parley_attestation.judge import judge
from parley_attestation.session import messages as m
from parley_attestation.transcript import RecordReader, RecordWriter, redact
from test_session_attempts import exercise_of, first_attempt
from test_session_cheats import CHEATS as KNOWN
from test_session_cheats import said

from kinds.basics import Test

# cheat of tests/session/test_session_cheats.py -> the requirement that it breaks
CHEATS = {
    "a second attempt that nothing preceded": "ATT-2",
    "terms of another prover": "TERMS-3",
    "terms that decide nothing": "TEST-1",
    "a test set that the terms do not name": "TERMS-3",
    "a declared count below the threshold": "ACC-1",
    "a verifier's coin it did not commit to": "COIN-1",
    "a prover's coin it did not commit to": "COIN-1",
    "a challenge out of ticket order": "CHAL-1",
    "a challenge over the budget": "CHAL-1",
    "a forged proof": "TREE-2",
    "a changed prompt": "COMMIT-2",
    "too few answers": "ANS-1",
    "an output it did not commit to": "ANS-1",
    "a Stop over more than was asked": "STOP-1",
    "a changed reference": "OPEN-1",
    "a verifier's other verdict": "ACK-2",
    "a prover's other result bits": "ACK-3",
}


def judged(comment: str, requirement: str, exercise: Exercise, record: bytes) -> Test:
    """One record and everything that a judge must say of it."""
    pins = [pin.hex() for pin in exercise.pins.values()]
    found = judge(io.BytesIO(record), [Digest.of_hex(pin) for pin in pins])
    fault, standing = found.fault, found.standing
    return {
        "comment": comment,
        "requirement": requirement,
        "record": base64.b64encode(record).decode(),
        "pins": pins,
        "state": found.state.value,
        "turn": (found.turn or ""),
        "blamed": (fault.blamed or "") if fault else "",
        "sequence": fault.sequence if fault else 0,
        "unseen": list(found.unseen),
        "differing": [role.value for role in found.differing],
        "opening": standing.opening.time if standing.opening else 0,
        "ended": standing.end.time if standing.end else 0,
        "default": standing.default.verdict.value if standing.default else "",
        "verdict": found.verdict.digest().hex() if found.verdict else "",
        "overall": found.verdict.predicate["overall"] if found.verdict else "",
        "result": "invalid" if fault else "valid",
        **({"reason": fault.reason.value} if fault else {}),
    }


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def record_of(exercise: Exercise, end: Any, name: str = "record") -> bytes:
    path = exercise.folder / name
    write_record(end.journal, end.row, path)
    return path.read_bytes()


def honest_transcripts() -> Iterator[Test]:
    """Whole exercises between honest parties."""
    for comment, changes in (
        ("a complete exercise that ends COMPLIANT", {}),
        ("a complete exercise that ends in VIOLATION", {"answer": wrong_every(2)}),
    ):
        with folder() as where:
            exercise = Exercise(where, **changes)
            v, _ = exercise.run()
            record = record_of(exercise, v)
            yield judged(comment, "JUDGE-1", exercise, record)
            out = io.BytesIO()
            redact(RecordReader(io.BytesIO(record)), RecordWriter(out), None)
            yield judged(comment + ", redacted", "REC-2", exercise, out.getvalue())
            changed = bytearray(record)
            changed[len(record) // 2] ^= 1
            yield _broken(comment + ", one bit changed", exercise, bytes(changed))
            yield _broken(comment + ", cut off", exercise, record[:-1])


def _broken(comment: str, exercise: Exercise, record: bytes) -> Test:
    return {
        "comment": comment,
        "requirement": "REC-1",
        "record": base64.b64encode(record).decode(),
        "pins": [pin.hex() for pin in exercise.pins.values()],
        "result": "invalid",
        "reason": "MALFORMED",
    }


def ended_transcripts() -> Iterator[Test]:
    """A decline, an abort, and a second attempt after it."""
    with folder() as where:
        exercise = exercise_of(where)
        v, _ = first_attempt(exercise)
        yield judged(
            "an exercise that the verifier aborts", "ABORT-1", exercise, record_of(exercise, v, "one")
        )
        v2, p2 = exercise.verifier_end(b"second"), exercise.prover_end(b"p second")
        pipe(v2, p2)
        yield judged("two attempts at one exercise", "ATT-1", exercise, record_of(exercise, v2, "two"))
    with folder() as where:
        s = standoff(where, P, PROPOSED)
        s.victim.machine.step(turn := s.turn(m.Decline("BAD_TERMS", "not these terms")))
        s.victim._keep(turn, ())  # noqa: SLF001 - as the endpoint does with what it received
        yield judged("an exercise that the prover declines", "JUDGE-1", s.exercise, s.record())


def cheating_transcripts() -> Iterator[Test]:
    """The victim's record of every cheat that signed bytes prove."""
    for name, requirement in CHEATS.items():
        role, state, nth, what, _, _, changes = KNOWN[name]
        with folder() as where:
            s = standoff(where, role, state, nth, **changes)
            s.refused(said(s, what(s)))
            if s.victim.row is not None:
                yield judged(name, requirement, s.exercise, s.record())


def equivocation() -> Iterator[Test]:
    """A second, different message for a slot that the record fills, kept as evidence."""
    with folder() as where:
        s = standoff(where, V, SEEDED, 2)
        machine = s.victim.machine
        header = m.Header(machine.facts.session_id, 5, machine.heads[3])
        s.refused(s.turn(m.Abort("TIMEOUT", "another message 5"), header=header))
        yield judged("two different messages for one slot", "CHAIN-2", s.exercise, s.record())


def transcripts() -> Iterator[Test]:
    """All of them."""
    yield from honest_transcripts()
    yield from ended_transcripts()
    yield from cheating_transcripts()
    yield from equivocation()
