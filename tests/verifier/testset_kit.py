"""What the tests of test sets share."""

import json

import pytest
from parley_attestation.canonical import Fields
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.vault import VaultKey
from parley_attestation.errors import LocalError
from parley_attestation.grading import read_grader
from parley_verifier.testset import Setup

ROOT = SigningKey(b"r" * 32)
KEY = VaultKey(b"k" * 32, passphrase=False)
EXACT = read_grader(Fields({"kind": "exact", "trim": True, "ignore_case": False}))
ENTROPY = bytes(range(96))


def setup(**more):
    given = {"graders": (EXACT,), "media_type": "text/plain", "entropy": ENTROPY, "key": KEY}
    return Setup(root_key=ROOT, **given | more)


def json_lines(folder, rows, name="items.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def refused(reason, call, *parts):
    with pytest.raises(LocalError) as caught:
        call()
    assert caught.value.reason is reason
    for part in parts:
        assert part in caught.value.message
    return caught.value
