"""Registration of a large test set: check, shuffle, commit under per-field keys, seal, build the tree.

`python -m benchmarks.registration [ITEMS]`. One process, one core; the peer is one SHA-256 per field.
"""

import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from parley_attestation import merkle
from parley_attestation.canonical import Fields
from parley_attestation.commitment import ItemCommitter, SetName
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.vault import VaultKey
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.grading import read_grader
from parley_verifier import testset


def main() -> None:
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    grader = read_grader(Fields({"kind": "exact", "trim": True, "ignore_case": False}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    core(items)
    after_core = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "items.jsonl"
        with source.open("w") as out:
            for n in range(items):
                out.write(
                    json.dumps({"prompt": f"What is {n} plus {n % 977}?", "reference": str(n + n % 977)})
                    + "\n"
                )
        setup = testset.Setup(
            SigningKey(os.urandom(32)),
            (grader,),
            "text/plain",
            os.urandom(96),
            VaultKey(os.urandom(32), passphrase=False),
        )
        began, phases = time.process_time(), {}
        testset.register(
            source, Path(folder) / "set", setup, lambda name, *_: phases.setdefault(name, time.process_time())
        )
        ended = time.process_time()
        marks = [*phases.values(), ended]
        print(f"whole command, from JSONL to the sealed set: {items / (ended - began):,.0f} items/s of CPU")
        for name, start, end in zip(phases, marks, marks[1:]):
            print(f"  {name:18} {end - start:7.2f} s")
        print(f"  sealed file        {(Path(folder) / 'set').stat().st_size / 1e6:7.1f} MB")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"peak memory: {before / 1024:.0f} MiB at start, {after_core / 1024:.0f} MiB after the core, {peak / 1024:.0f} MiB in all"
    )


def core(items: int) -> None:
    name = SetName(Digest(os.urandom(32)), Bytes32(os.urandom(32)))
    prompt, reference = b"p" * 100, b"r" * 10
    began = time.process_time()
    committer = ItemCommitter(Bytes32(os.urandom(32)), name, items)
    keys = time.process_time()
    leaves = bytearray(32 * items)
    for n in range(items):
        leaves[32 * n : 32 * n + 32] = committer.leaf(n, prompt, reference)
    commit = time.process_time()
    merkle.Tree(leaves)
    tree = time.process_time()
    for _ in range(2 * items):
        hashlib.sha256(prompt).digest()
    floor = time.process_time() - tree
    total = tree - began
    print(f"{items:,} items, prompt and reference each under its own key, one core:")
    print(
        f"  keys from the seed trees {keys - began:6.2f} s, commitments {commit - keys:6.2f} s, tree {tree - commit:6.2f} s"
    )
    print(
        f"  {items / total:,.0f} items/s of CPU (goal: 100,000); {total / floor:.1f} x one SHA-256 per field"
    )


if __name__ == "__main__":
    main()
