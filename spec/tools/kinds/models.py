"""Vectors of model claims: how files are cut, and what a claim commits to."""

import contextlib
import dataclasses
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from parley_attestation.canonical import dump
from parley_attestation.commitment import SeedTree
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Bytes32, Digest, Salt
from parley_attestation.errors import PeerError
from parley_attestation.keys import fingerprint
from parley_attestation.merkle import EMPTY_ROOT, Tree
from parley_attestation.model import chunks, formats
from parley_attestation.model.claim import ClaimSecret, commit, read_claim, seal_claim
from parley_attestation.model.layout import Segment
from parley_attestation.model.manifest import Keys, build
from parley_attestation.statement import Statement, Subject, open_sealed, seal

from kinds import onnx
from kinds.basics import Test, secret

DATA = Path(__file__).parent.parent.parent.parent / "tests/data/model"


def _safetensors(header: Any, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def _reader(raw: bytes) -> Callable[[int, int], bytes]:
    return lambda start, size: raw[start : start + size]


def _cut(files: Mapping[str, bytes]) -> tuple[Segment, ...]:
    return formats.split(
        {path: len(raw) for path, raw in files.items()},
        lambda path: contextlib.nullcontext(_reader(files[path])),
    )


def model_files() -> Iterator[Test]:
    """Files of one model and the segments they fall into."""
    one = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    small = {path.name: path.read_bytes() for path in sorted(DATA.glob("small.*"))}
    twice = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    for comment, files in (
        (
            "a safetensors file, a text, and an empty file",
            {"m.safetensors": _safetensors({"w": one}, bytes(8)), "a.txt": b"text", "void": b""},
        ),
        *(
            (f"written by the format's own library: {name}", {name: raw})
            for name, raw in small.items()
            if len(raw) < 10_000
        ),
        ("a pickle", {"pytorch_model.bin": b"\x80\x04cos\nsystem\n."}),
        ("an extension in capitals", {"M.SafeTensors": _safetensors({"w": one}, bytes(8))}),
        (
            "a gap before a tensor",
            {"m.safetensors": _safetensors({"w": {**one, "data_offsets": [1, 9]}}, bytes(9))},
        ),
        ("bytes after the last tensor", {"m.safetensors": _safetensors({"w": one}, bytes(9))}),
        (
            "a size that does not fit the shape",
            {"m.safetensors": _safetensors({"w": {**one, "shape": [3]}}, bytes(8))},
        ),
        ("an unknown dtype", {"m.safetensors": _safetensors({"w": {**one, "dtype": "F31"}}, bytes(8))}),
        ("a tensor twice", {"m.safetensors": _safetensors(twice, b"\0")}),
        ("a GGUF file of version 1", {"m.gguf": b"GGUF" + struct.pack("<IQQ", 1, 0, 0)}),
        ("a path that leaves the folder", {"../m.bin": b""}),
        ("a path with a backslash", {"a\\b": b""}),
        *onnx.files(),
    ):
        try:
            found = _cut(files)
        except PeerError as error:
            outcome = {"segments": [], "result": "invalid", "reason": error.reason.value}
        else:
            outcome = {"segments": [_shown(segment) for segment in found], "result": "valid"}
        yield {
            "comment": comment,
            "requirement": "CUT-1",
            "files": {path: raw.hex() for path, raw in files.items()},
            **outcome,
        }


def _shown(segment: Segment) -> dict[str, Any]:
    return {
        **dataclasses.asdict(segment),
        "kind": segment.kind.value,
        "shape": list(segment.shape),
    }


def _roots(segments: tuple[Segment, ...], content: bytes, keys: Keys) -> list[Digest]:
    found, at = [], 0
    for n, segment in enumerate(segments):
        part = content[at : at + segment.size]
        at += segment.size
        if not part:
            found.append(EMPTY_ROOT)
            continue
        salts = SeedTree(keys.chunks(n), chunks.chunk_count(len(part))).keys()
        found.append(Tree(chunks.leaves(salts, memoryview(part))).root())
    return found


def model_claim() -> Iterator[Test]:
    """From the bytes of a model and its secrets to the signed claim; then claims that say anything else."""
    root = SigningKey(secret("prover root"))
    owner = fingerprint(root.public)
    weights = bytes(n % 251 for n in range(4 * 40_000))
    header = {"w": {"dtype": "F32", "shape": [40_000], "data_offsets": [0, len(weights)]}}
    for comment, files in (
        ("one small file", {"model.bin": b"weights"}),
        (
            "a tensor of several chunks, a text and an empty file",
            {"a.txt": b"text", "m.safetensors": _safetensors(header, weights), "void": b""},
        ),
    ):
        segments = _cut(files)
        key, series, claim_id = Salt(secret("key")), Bytes32(secret("series")), Bytes32(secret("claim"))
        manifest = build(
            segments, _roots(segments, b"".join(files[p] for p in sorted(files)), Keys(series, len(segments)))
        )
        made = ClaimSecret(claim_id, key, series, manifest)
        blinded = made.blinded()
        sealed = seal_claim(root, secret=made, name="a model")
        yield {
            "comment": comment,
            "requirement": "CLAIM-1",
            "files": {path: _compact(raw) for path, raw in files.items()},
            "owner": owner.hex(),
            "claim_id": claim_id.hex(),
            "key": key.hex(),
            "series": series.hex(),
            "what": [entry.what().decode() for entry in manifest.entries],
            "where": [entry.where().decode() for entry in manifest.entries],
            "tree_root": blinded.tree.root().hex(),
            "total": blinded.total().hex(),
            "content": made.content().hex(),
            "commitment": commit(key, owner, claim_id, made.content()).hex(),
            "sealed": sealed.decode(),
            "result": "valid",
        }
    yield from _refused(root, sealed)


def _compact(raw: bytes) -> str:
    """Bytes in hexadecimal; the long tensor of these vectors is left to its rule."""
    return raw.hex() if len(raw) < 1000 else raw[: len(raw) - 160_000].hex() + "+160000 bytes n % 251"


def _refused(root: SigningKey, sealed: bytes) -> Iterator[Test]:
    said = open_sealed(sealed, root.public)
    for comment, changes, subject in (
        ("another owner", {"owner": "00" * 32}, "model-claim"),
        ("another scheme", {"scheme": "sha512"}, "model-claim"),
        ("a name that turns the text around", {"name": "a\u202eb"}, "model-claim"),
        ("formats out of order", {"formats": ["onnx", "gguf"]}, "model-claim"),
        ("a commitment that is not the subject's", {"commitment": "11" * 32}, "model-claim"),
        ("a field too many", {"size": 3}, "model-claim"),
        ("another subject", {}, "model"),
    ):
        subjects = (Subject(subject, said.subjects[0].sha256),)
        changed = seal(Statement(said.predicate_type, subjects, {**said.predicate, **changes}), root)
        try:
            read_claim(changed, root.public)
        except PeerError as error:
            reason = error.reason.value
        assert dump(said.predicate)
        yield {
            "comment": comment,
            "requirement": "JSON-3" if "size" in changes else "STMT-3",
            "owner": fingerprint(root.public).hex(),
            "root": root.public.hex(),
            "sealed": changed.decode(),
            "result": "invalid",
            "reason": reason,
        }
