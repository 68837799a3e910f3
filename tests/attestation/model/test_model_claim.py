import dataclasses

import pytest
from parley_attestation import statement
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Bytes32, Digest, Salt
from parley_attestation.errors import PeerError, Reason
from parley_attestation.keys import fingerprint
from parley_attestation.model.claim import (
    PREDICATE_TYPE,
    ClaimSecret,
    read_claim,
    read_secret,
    seal_claim,
    verify_secret,
)
from parley_attestation.model.layout import Kind, Segment, opaque
from parley_attestation.model.manifest import build

ROOT = SigningKey(bytes(32))
SEGMENTS = (
    *opaque("config.json", 10),
    Segment("model.safetensors", Kind.STRUCTURE, "", "", (), 0, 100),
    Segment("model.safetensors", Kind.TENSOR, "layer.0.weight", "F32", (128, 256), 100, 131072),
)
ROOTS = [Digest(bytes([n]) * 32) for n in (1, 2, 3)]


def _secret(**changes):
    made = ClaimSecret(Bytes32(b"i" * 32), Salt(b"k" * 32), Bytes32(b"s" * 32), build(SEGMENTS, ROOTS))
    return dataclasses.replace(made, **changes)


def _sealed(secret=None, **changes):
    said = statement.open_sealed(seal_claim(ROOT, secret=secret or _secret(), name="our model"), ROOT.public)
    return statement.seal(
        statement.Statement(
            changes.pop("predicate_type", PREDICATE_TYPE),
            changes.pop("subjects", said.subjects),
            {**said.predicate, **changes},
        ),
        ROOT,
    )


def test_a_claim_reads_back_and_its_owner_is_the_root_key():
    claim = read_claim(
        seal_claim(ROOT, secret=_secret(), name="our model", formats=("safetensors",)), ROOT.public
    )
    assert (claim.owner, claim.claim_id) == (fingerprint(ROOT.public), b"i" * 32)
    assert (claim.name, claim.formats) == ("our model", ("safetensors",))
    assert claim.digest == claim.statement.digest()
    assert read_claim(claim.sealed) == claim


def test_a_claim_says_nothing_about_sizes_names_or_digests_of_the_weights():
    sealed = read_claim(seal_claim(ROOT, secret=_secret(), name="our model")).statement.payload()
    for told in (b"131072", b"layer", b"config", b"F32", ROOTS[2].hex().encode(), b"128"):
        assert told not in sealed


@pytest.mark.parametrize(
    "change",
    [
        {"owner": "00" * 32},
        {"claim_id": "00" * 31},
        {"scheme": "sha512"},
        {"name": ""},
        {"name": "a\nb"},
        {"name": "a\u202eb"},
        {"name": "a\u2028b"},
        {"name": "a\x85b"},
        {"formats": ["pickle"]},
        {"formats": ["onnx", "gguf"]},
        {"formats": ["onnx", "onnx"]},
        {"commitment": "11" * 32},
        {"size": 3},
        {"subjects": (statement.Subject("model", Digest(bytes(32))),)},
        {"predicate_type": "tag:parley,2026:model-claim/v2"},
    ],
)
def test_a_claim_that_says_anything_else_is_refused(change):
    with pytest.raises(PeerError) as refused:
        read_claim(_sealed(**change), ROOT.public)
    assert refused.value.reason is Reason.BAD_MODEL_CLAIM


def test_a_claim_under_another_root_key_is_refused():
    with pytest.raises(PeerError) as refused:
        read_claim(_sealed(), SigningKey(b"x" * 32).public)
    assert refused.value.reason is Reason.BAD_SIGNATURE


def test_a_secret_reads_back_opens_its_claim_and_stays_out_of_representations():
    secret = _secret()
    assert read_secret(secret.encode()) == secret
    assert verify_secret(read_claim(seal_claim(ROOT, secret=secret, name="m")), secret) == secret.manifest
    assert "73737373" not in repr(secret)
    assert "ssss" not in repr(secret)
    assert "layer" not in repr(secret)


@pytest.mark.parametrize(
    "change",
    [
        {"key": Salt(b"K" * 32)},
        {"series": Bytes32(b"S" * 32)},
        {"claim_id": Bytes32(b"I" * 32)},
        {"manifest": build(SEGMENTS, [*ROOTS[:2], ROOTS[1]])},
        {"manifest": build(SEGMENTS[:2], ROOTS[:2])},
        {"manifest": build((*SEGMENTS[:2], dataclasses.replace(SEGMENTS[2], name="other")), ROOTS)},
        {"manifest": build((*SEGMENTS[:2], dataclasses.replace(SEGMENTS[2], shape=(256, 128))), ROOTS)},
    ],
)
def test_any_other_secret_does_not_open_the_claim(change):
    claim = read_claim(seal_claim(ROOT, secret=_secret(), name="m"))
    with pytest.raises(PeerError) as refused:
        verify_secret(claim, _secret(**change))
    assert refused.value.reason is Reason.BAD_OPENING


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"path":"config.json"', b'"path":"../fig.json"'),
        (b'"path":"config.json"', b'"path":"zonfig.json"'),
        (b'"shape":[128,256]', b'"shape":[-28,256]'),
        (b'"kind":"file"', b'"kind":"link"'),
        (b'"size":10}', b'"size":0}'),
        (b'"name":"layer.0.weight",', b""),
        (b'"kind":"structure"', b'"kind":"structure","name":"x"'),
    ],
)
def test_a_malformed_manifest_is_refused(old, new):
    raw = _secret().encode()
    assert old in raw
    with pytest.raises(PeerError) as refused:
        read_secret(raw.replace(old, new))
    assert refused.value.reason is Reason.BAD_MODEL_CLAIM
