"""Vectors of what everything else rests on: hashing, signatures, commitments, the tree, the test."""

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from parley_attestation import merkle
from parley_attestation.commitment import (
    Field,
    SeedTree,
    SetName,
    commit_item,
    commit_output,
    content_digest,
    item_leaf,
)
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Bytes32, Digest, Label, Salt, digest, frame, mac
from parley_attestation.frametest import CERTAIN, FramePlan, FrameTest
from parley_attestation.session.schedule import Frame, order, sampling_seed

Test = dict[str, Any]


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
