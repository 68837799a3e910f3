"""The vectors of model claims and model files: what the code says of each."""

import contextlib
import dataclasses
import hashlib
import json

from parley_attestation import merkle
from parley_attestation.commitment import SeedTree
from parley_attestation.ed25519 import PublicKey
from parley_attestation.encoding import Bytes32, Digest, Label, Salt, frame
from parley_attestation.model.claim import commit, read_claim
from parley_attestation.model.formats import split
from parley_attestation.model.manifest import Keys, commit_content, commit_what, commit_where, entry_leaf
from vector_kit import each, outcome


def plain_bytes(text: str) -> bytes:
    """The bytes of a file of the vectors, the long tensor written out."""
    start, _, rule = text.partition("+")
    return bytes.fromhex(start) + (bytes(n % 251 for n in range(160_000)) if rule else b"")


@each("model_claim")
def test_model_claim(test):
    sealed = test["sealed"].encode()
    outcome(test, lambda: read_claim(sealed, PublicKey.of_hex(test["root"]) if "root" in test else None))
    if test["result"] == "invalid":
        return
    claim = read_claim(sealed)
    files = {path: plain_bytes(text) for path, text in test["files"].items()}
    series, size = Bytes32.of_hex(test["series"]), len(test["what"])
    made, leaves = Keys(series, size), []
    for n, (what, where) in enumerate(zip(test["what"], test["where"], strict=True)):
        said, place = json.loads(what), json.loads(where)
        part = files[said["path"]][place["offset"] : place["offset"] + said["size"]]
        salts = SeedTree(made.chunks(n), -(-len(part) // 65536)).keys() if part else bytearray()
        chunked = [part[at : at + 65536] for at in range(0, len(part), 65536)]
        hashes = [
            hashlib.sha256(
                b"\0" + frame(Label.MODEL_CHUNK, bytes(salts[32 * k : 32 * k + 32]), chunk)
            ).digest()
            for k, chunk in enumerate(chunked)
        ]
        assert (merkle.Tree(hashes).root() if hashes else merkle.EMPTY_ROOT).hex() == said["root"]
        pair = commit_what(made.what(n), what.encode()), commit_where(made.where(n), where.encode())
        leaves.append(entry_leaf(*pair))
    assert merkle.Tree(leaves).root().hex() == test["tree_root"]
    content = commit_content(
        made.content, Digest.of_hex(test["tree_root"]), size, Digest.of_hex(test["total"])
    )
    assert content.hex() == test["content"]
    commitment = commit(
        Salt.of_hex(test["key"]), Digest.of_hex(test["owner"]), Bytes32.of_hex(test["claim_id"]), content
    )
    assert commitment.hex() == test["commitment"] == claim.commitment.hex()


@each("model_files")
def test_model_files(test):
    files = {path: bytes.fromhex(text) for path, text in test["files"].items()}
    sizes = {path: len(raw) for path, raw in files.items()}

    def opener(path):
        return contextlib.nullcontext(lambda start, size: files[path][start : start + size])

    outcome(test, lambda: split(sizes, opener))
    if test["result"] == "valid":
        found = [dataclasses.asdict(one) | {"shape": list(one.shape)} for one in split(sizes, opener)]
        assert found == test["segments"]
