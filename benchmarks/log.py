"""The log: appends to a folder in batches of 256, proofs from its tiles, checkpoints.

Usage: python -m benchmarks.log [ENTRIES]; 1,000,000 by default. Its peer in one run is the plain tree of
`merkle.Tree`, held whole in memory and on no disk.
"""

import hashlib
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.log_store import FolderStore
from parley_attestation.edge.log_writer import BATCH, init_log, open_log
from parley_attestation.encoding import Digest
from parley_attestation.log.checkpoint import open_checkpoint
from parley_attestation.log.cosignature import Ed25519Cosigner, cosign, cosigned
from parley_attestation.log.note import Ed25519Key, Note
from parley_attestation.log.proof import LogProof, verify_logged
from parley_attestation.log.tiles import TileTree
from parley_attestation.merkle import Tree, leaf_hash

NAME = "bench.example/log"
KEY, WITNESS = SigningKey(b"b" * 32), SigningKey(b"w" * 32)
PROOFS = 200


def entry(number):
    return Digest(hashlib.sha256(number.to_bytes(8, "big")).digest())


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def append(store, count):
    init_log(store, KEY, NAME)
    marks = {}
    start = time.perf_counter()
    with open_log(store, KEY, NAME) as log:
        for at in range(0, count, BATCH):
            log.append([entry(n) for n in range(at, min(at + BATCH, count))])
            if at // BATCH == count // BATCH // 10:
                marks["early"] = peak()
    took = time.perf_counter() - start
    print(f"append           {count:>9} entries in {took:6.1f} s: {count / took:9.0f}/s, batches of {BATCH}")
    print(
        f"                 peak memory {marks.get('early', peak()):.0f} MiB after a tenth, {peak():.0f} at the end"
    )


def prove(store, count):
    raw, public = store.read("checkpoint"), Ed25519Key(NAME, KEY.public)
    checkpoint, signed = open_checkpoint(raw, public)
    times, busy, indexes = [], [], random.Random(7).sample(range(count), min(PROOFS, count))
    for index in indexes:
        start, before = time.perf_counter(), time.process_time()
        proof = LogProof(index, TileTree(store.read, count).inclusion(index), raw)
        times.append(time.perf_counter() - start)
        busy.append(time.process_time() - before)
        verify_logged(proof.dump(), entry(index), public)
    times.sort()
    print(
        f"proof from tiles {1e3 * times[len(times) // 2]:9.2f} ms median, {1e3 * times[-1]:.2f} ms at most "
        f"({1e3 * max(busy):.2f} ms of processor time)"
    )
    line = cosign(signed.text, WITNESS, "w", 1)
    both = Note(signed.text, (*signed.signatures, line)).dump()
    start = time.perf_counter()
    for _ in range(PROOFS):
        _, read = open_checkpoint(both, public)
        cosigned(read, [Ed25519Cosigner("w", WITNESS.public)], 1)
    print(
        f"checkpoint       {1e3 * (time.perf_counter() - start) / PROOFS:9.3f} ms to verify, one cosignature"
    )
    return checkpoint


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder) / "log")
        append(store, count)
        checkpoint = prove(store, count)
    start = time.perf_counter()
    root = Tree(leaf_hash(entry(n)) for n in range(count)).root()
    took = time.perf_counter() - start
    assert root == checkpoint.root
    print(f"plain tree       {count:>9} entries in {took:6.1f} s, {peak():.0f} MiB, nothing on disk")


if __name__ == "__main__":
    main()
