"""Writes the test vectors: `python spec/tools/vectors.py`. The same bytes come out every time.

Every secret follows from a seed, so that another implementation can be given the same ones. Transcripts
are whole exercises, honest and cheating, run in memory by the parties of `tests/kit.py`.
"""

import base64
import contextlib
import hashlib
import io
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/session")]

from kit import Exercise, pipe, wrong_every  # noqa: E402 - the path is set above
from parley_attestation import merkle  # noqa: E402
from parley_attestation.commitment import (  # noqa: E402
    Field,
    SeedTree,
    SetName,
    commit_item,
    commit_output,
    content_digest,
    item_leaf,
)
from parley_attestation.ed25519 import SigningKey  # noqa: E402
from parley_attestation.edge.records import write_record  # noqa: E402
from parley_attestation.encoding import Bytes32, Digest, Label, Salt, digest, frame, mac  # noqa: E402
from parley_attestation.frametest import CERTAIN, FramePlan, FrameTest  # noqa: E402
from parley_attestation.judge import judge  # noqa: E402
from parley_attestation.session import messages as m  # noqa: E402
from parley_attestation.session.schedule import Frame, order, sampling_seed  # noqa: E402
from parley_attestation.transcript import RecordReader, RecordWriter, redact  # noqa: E402

VECTORS = ROOT / "spec/vectors"
Test = dict[str, Any]

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


def secret(*what: object) -> bytes:
    """32 bytes that depend on `what` alone."""
    return hashlib.sha256(("parley-vectors/" + "/".join(map(str, what))).encode()).digest()


def framing() -> Iterator[Test]:
    """Frames, digests and MACs."""
    for label, parts in (
        (Label.COIN, [b"ab"]),
        (Label.COIN, [b"a", b"b"]),
        (Label.RECORD, []),
        (Label.CONTENT, [b""]),
        (Label.STREAM, [secret(1), secret(2), bytes(300)]),
    ):
        yield {
            "comment": f"{len(parts)} parts",
            "requirement": "FRAME-1",
            "label": label.value,
            "parts": [part.hex() for part in parts],
            "key": secret("key").hex(),
            "frame": frame(label, *parts).hex(),
            "digest": digest(label, *parts).hex(),
            "mac": mac(secret("key"), label, *parts).hex(),
            "result": "valid",
        }


def ed25519() -> Iterator[Test]:
    """The acceptance rule of suite 1 at its edges."""
    order_of_base = 2**252 + 27742317777372353535851937790883648493
    key, message = SigningKey(secret("ed25519")), b"parley"
    good, public = key.sign(message), bytes(key.public)
    identity = (1).to_bytes(32, "little")
    large = int.from_bytes(good[32:], "little") + order_of_base
    scalar = bytearray(hashlib.sha512(key.seed()).digest()[:32])
    scalar[0] &= 248
    scalar[31] = scalar[31] & 127 | 64
    challenge = int.from_bytes(hashlib.sha512(identity + public + message).digest(), "little")
    small_r = identity + (challenge * int.from_bytes(scalar, "little") % order_of_base).to_bytes(32, "little")
    eight = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
    for comment, one, signature, result in (
        ("an honest signature", public, good, "valid"),
        ("S + L", public, good[:32] + large.to_bytes(32, "little"), "invalid"),
        ("a changed bit in R", public, bytes([good[0] ^ 1]) + good[1:], "invalid"),
        ("R of small order, where the equation holds", public, small_r, "invalid"),
        ("the identity as key, which verifies anything", identity, identity + bytes(32), "invalid"),
        ("a key of order 8", bytes.fromhex(eight), identity + bytes(32), "invalid"),
        ("a key in non-canonical form: p + 1", (2**255 - 18).to_bytes(32, "little"), good, "invalid"),
        ("a key that is no point", b"\x02" + bytes(31), good, "invalid"),
    ):
        yield {
            "comment": comment,
            "requirement": "SIG-1",
            "key": one.hex(),
            "message": message.hex(),
            "signature": signature.hex(),
            "result": result,
            **({"reason": "BAD_SIGNATURE"} if result == "invalid" else {}),
        }


def commitments() -> Iterator[Test]:
    """Items of a set, from its master secret, and outputs."""
    name, master, size = (
        SetName(Digest(secret("owner")), Bytes32(secret("set"))),
        Bytes32(secret("master")),
        5,
    )
    trees = {field: SeedTree.of_field(master, name, field, size) for field in Field}
    exercise = Digest(secret("exercise"))
    for index in range(size):
        shown = {Field.PROMPT: f"prompt {index}".encode(), Field.REFERENCE: b"" if index else b"0"}
        made = {f: commit_item(trees[f].key(index), name, index, f, content_digest(shown[f])) for f in Field}
        key = Salt(secret("output", index))
        yield {
            "comment": f"item {index}",
            "requirement": "COMMIT-2",
            "owner": name.owner.hex(),
            "set_id": name.set_id.hex(),
            "master": master.hex(),
            "size": size,
            "index": index,
            "prompt": shown[Field.PROMPT].hex(),
            "reference": shown[Field.REFERENCE].hex(),
            "prompt_key": trees[Field.PROMPT].key(index).hex(),
            "prompt_commitment": made[Field.PROMPT].hex(),
            "reference_commitment": made[Field.REFERENCE].hex(),
            "leaf": item_leaf(made[Field.PROMPT], made[Field.REFERENCE]).hex(),
            "exercise": exercise.hex(),
            "output": shown[Field.PROMPT].hex(),
            "sample": 1,
            "output_key": key.hex(),
            "output_commitment": commit_output(key, exercise, index, 1, shown[Field.PROMPT]).hex(),
            "result": "valid",
        }


def tree() -> Iterator[Test]:
    """Inclusion proofs, and what may not pass for one."""
    for size in (1, 2, 3, 7, 8):
        made = merkle.Tree(merkle.leaf_hash(bytes([n])) for n in range(size))
        index = size - 1
        proof = list(made.inclusion(index))
        cases: list[tuple[str, int, int, list[Digest]]] = [("a proof", index, size, proof)]
        cases.append(("a proof with one hash more", index, size, [*proof, made.root()]))
        if proof:
            cases.append(("a proof with one hash less", index, size, proof[:-1]))
            cases.append(("a changed proof", index, size, [Digest(bytes(32)), *proof[1:]]))
        cases.append(("an index beyond the size", size, size, proof))
        for comment, at, of, hashes in cases:
            good = comment == "a proof"
            yield {
                "comment": f"{comment}, {size} leaves",
                "requirement": "TREE-2",
                "leaf": made.leaf(index).hex(),
                "index": at,
                "size": of,
                "proof": [one.hex() for one in hashes],
                "root": made.root().hex(),
                "result": "valid" if good else "invalid",
                **({} if good else {"reason": "BAD_PROOF"}),
            }


def tickets() -> Iterator[Test]:
    """The order of populations and the sampling seeds."""
    for runs, samples, budget in ((((0, 10),), 1, 10), (((0, 3), (5, 9)), 2, 14), (((0, 100),), 1, 5)):
        root, seed = Digest(secret("root")), Digest(secret("seed"))
        units = order(Frame("", runs, samples, budget), root, seed)
        yield {
            "comment": f"{budget} of {samples} x {runs}",
            "requirement": "CHAL-1",
            "root": root.hex(),
            "seed": seed.hex(),
            "runs": [list(run) for run in runs],
            "samples": samples,
            "budget": budget,
            "order": [list(unit) for unit in units],
            "sampling_seeds": [str(sampling_seed(seed, unit)) for unit in units],
            "result": "valid",
        }


def frame_test() -> Iterator[Test]:
    """Paths of successes (1), failures (0) and unanswered units (-), and where they lead."""
    risks = (Fraction(1, 20), Fraction(1, 100))
    for frame_size, threshold, declared, budget, path in (
        (60, 48, None, 60, "1" * 15),
        (60, 48, 60, 60, "1" * 60),
        (60, 48, None, 60, "0" * 60),
        (60, 48, 50, 20, "1-1" + "10" * 30),
        (10, 10, None, 10, "1" * 10),
        (10, 1, None, 10, "0" * 10),
        (1000, 900, 950, 200, "1111111110" * 20),
    ):
        test = FrameTest(FramePlan(frame_size, threshold, declared, *risks, budget))
        taken = ""
        for unit in path:
            if test.decision is not None:
                break
            test.observe({"1": True, "0": False, "-": None}[unit])
            taken += unit
        found = test.result()
        yield {
            "comment": f"{found.decision} after {found.opened} of {frame_size}",
            "requirement": "TEST-2",
            "frame": frame_size,
            "threshold_count": threshold,
            "declared_count": declared or 0,
            "alpha_compliant": str(risks[0]),
            "alpha_violation": str(risks[1]),
            "budget": budget,
            "path": taken,
            "decision": found.decision.value if found.decision else "",
            "e_compliant": _ratio(found.e_compliant),
            "e_violation": _ratio(found.e_violation),
            "p_compliant": str(found.p_compliant),
            "p_violation": str(found.p_violation),
            "count_low": found.count_low,
            "count_high": found.count_high,
            "result": "valid",
        }


def _ratio(value: object) -> str:
    return "infinite" if value is CERTAIN else str(value)


def _judged(comment: str, requirement: str, exercise: Exercise, record: bytes) -> Test:
    """One record and everything that a judge must say of it."""
    pins = [pin.hex() for pin in exercise.pins.values()]
    found = judge(io.BytesIO(record), [Digest.of_hex(pin) for pin in pins])
    fault = found.fault
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
        "verdict": found.verdict.digest().hex() if found.verdict else "",
        "overall": found.verdict.predicate["overall"] if found.verdict else "",
        "result": "invalid" if fault else "valid",
        **({"reason": fault.reason.value} if fault else {}),
    }


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def _record(exercise: Exercise, end: Any, name: str = "record") -> bytes:
    path = exercise.folder / name
    write_record(end.journal, end.row, path)
    return path.read_bytes()


def honest_transcripts() -> Iterator[Test]:
    """Whole exercises between honest parties."""
    for comment, changes in (
        ("a complete exercise that ends COMPLIANT", {}),
        ("a complete exercise that ends in VIOLATION", {"answer": wrong_every(2)}),
    ):
        with _folder() as where:
            exercise = Exercise(where, **changes)
            v, _ = exercise.run()
            record = _record(exercise, v)
            yield _judged(comment, "JUDGE-1", exercise, record)
            out = io.BytesIO()
            redact(RecordReader(io.BytesIO(record)), RecordWriter(out), None)
            yield _judged(comment + ", redacted", "REC-2", exercise, out.getvalue())
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
    from test_session_attempts import exercise_of, first_attempt  # noqa: PLC0415 - needs the path

    with _folder() as where:
        exercise = exercise_of(where)
        v, _ = first_attempt(exercise)
        yield _judged(
            "an exercise that the verifier aborts", "ABORT-1", exercise, _record(exercise, v, "one")
        )
        v2, p2 = exercise.verifier_end(b"second"), exercise.prover_end(b"p second")
        pipe(v2, p2)
        yield _judged("two attempts at one exercise", "ATT-1", exercise, _record(exercise, v2, "two"))
    with _folder() as where:
        from cheats import PROPOSED, P, standoff  # noqa: PLC0415 - needs the path

        s = standoff(where, P, PROPOSED)
        s.victim.machine.step(turn := s.turn(m.Decline("BAD_TERMS", "not these terms")))
        s.victim._keep(turn, ())  # noqa: SLF001 - as the endpoint does with what it received
        yield _judged("an exercise that the prover declines", "JUDGE-1", s.exercise, s.record())


def cheating_transcripts() -> Iterator[Test]:
    """The victim's record of every cheat that signed bytes prove."""
    from cheats import standoff  # noqa: PLC0415 - needs the path
    from test_session_cheats import CHEATS as KNOWN  # noqa: PLC0415 - needs the path
    from test_session_cheats import said  # noqa: PLC0415 - needs the path

    for name, requirement in CHEATS.items():
        role, state, nth, what, _, _, changes = KNOWN[name]
        with _folder() as where:
            s = standoff(where, role, state, nth, **changes)
            s.refused(said(s, what(s)))
            if s.victim.row is not None:
                yield _judged(name, requirement, s.exercise, s.record())


def equivocation() -> Iterator[Test]:
    """A second, different message for a slot that the record fills, kept as evidence."""
    from cheats import SEEDED, V, standoff  # noqa: PLC0415 - needs the path

    with _folder() as where:
        s = standoff(where, V, SEEDED, 2)
        machine = s.victim.machine
        header = m.Header(machine.facts.session_id, 5, machine.heads[3])
        s.refused(s.turn(m.Abort("TIMEOUT", "another message 5"), header=header))
        yield _judged("two different messages for one slot", "CHAIN-2", s.exercise, s.record())


def transcripts() -> Iterator[Test]:
    """All of them."""
    yield from honest_transcripts()
    yield from ended_transcripts()
    yield from cheating_transcripts()
    yield from equivocation()


KINDS: dict[str, Callable[[], Iterator[Test]]] = {
    "framing": framing,
    "ed25519": ed25519,
    "commitments": commitments,
    "tree": tree,
    "tickets": tickets,
    "frame_test": frame_test,
    "transcripts": transcripts,
}


def render(kind: str) -> str:
    """The file of one kind of vectors."""
    tests = [{"id": n, **test} for n, test in enumerate(KINDS[kind](), 1)]
    return json.dumps({"kind": kind, "version": 1, "tests": tests}, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all files, or the kinds named on the command line."""
    VECTORS.mkdir(exist_ok=True)
    for kind in sys.argv[1:] or KINDS:
        (VECTORS / f"{kind}.json").write_text(render(kind))
        sys.stdout.write(f"{kind}.json\n")


if __name__ == "__main__":
    main()
