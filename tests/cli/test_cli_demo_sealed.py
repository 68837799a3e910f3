"""What the sealed demo stands on: parties kept apart, a model that reads text, made-up items."""

import json
import subprocess
from pathlib import Path

import onnxruntime
import pytest
from parley_attestation.edge.onnx import OnnxModel, pinned
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.runtime import OnnxRuntime, read_runtime
from parley_cli import reviews
from parley_cli.stage import Stage

TEXT = OnnxRuntime(
    version=onnxruntime.__version__,
    file="reviews.onnx",
    shape=(1,),
    dtype="string",
    labels=reviews.JUDGEMENTS,
)


def test_the_transformer_reads_text_and_is_right_about_reviews_it_never_saw(tmp_path):
    reviews.write(tmp_path)
    model = OnnxModel(pinned(TEXT, tmp_path))
    rows = [json.loads(line) for line in (tmp_path / "reviews.jsonl").read_text().splitlines()][:100]
    said = model.answer([(row["prompt"].encode(), 100) for row in rows])
    right = sum(a.decode() == row["reference"] for a, row in zip(said, rows, strict=True))
    assert len({row["reference"] for row in rows}) == 2
    assert right >= 95


def test_a_prompt_that_is_no_text_is_refused_without_its_bytes(tmp_path):
    reviews.write(tmp_path)
    with pytest.raises(LocalError) as caught:
        OnnxModel(pinned(TEXT, tmp_path)).answer([(b"\xff\xfe", 100)])
    assert caught.value.reason is Reason.BAD_PROMPT


@pytest.mark.parametrize("change", [{"shape": [2]}, {"scale": "2"}])
def test_a_runtime_that_reads_text_takes_one_element_and_no_scale(change):
    assert read_runtime(TEXT.document()) == TEXT
    with pytest.raises(PeerError) as caught:
        read_runtime(TEXT.document() | change)
    assert caught.value.reason is Reason.BAD_RUNTIME


def test_a_party_on_the_stage_sees_its_own_folder_and_the_table_and_no_others(tmp_path):
    folder = tmp_path / "demo"
    folder.mkdir()
    tmp_path.chmod(0o755)
    stage = Stage.build(folder, ("lab", "institute"))
    if stage.kind == "none":
        pytest.skip("bubblewrap keeps nobody apart here")
    (folder / "lab" / "secret").write_text("weights")
    (folder / "table" / "card").write_text("public")
    stage.settle()

    def sees(party: str, path: Path) -> bool:
        command = [*stage._apart(party), "/bin/cat", str(path)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    assert sees("lab", folder / "lab" / "secret")
    assert sees("institute", folder / "table" / "card")
    assert not sees("institute", folder / "lab" / "secret")
