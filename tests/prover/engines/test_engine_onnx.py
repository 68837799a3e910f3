import importlib
import json
import sys

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from parley_attestation.errors import LocalError, Reason
from parley_prover.engines.base import Prompt
from parley_prover.engines.config import EngineConfig, open_engine
from pydantic import TypeAdapter, ValidationError

WEIGHTS = np.array([[1, 0, -1], [0, 2, 0]], dtype=np.float32)


def prompt(text, limit=1000):
    return Prompt(text.encode(), 7, limit)


def model_file(folder, *, batch="N", weights=None, dtype=TensorProto.FLOAT, name="model.onnx"):
    """y = x W for rows of two numbers."""
    if weights is None:
        weights = numpy_helper.from_array(WEIGHTS.astype(helper.tensor_dtype_to_np_dtype(dtype)), "W")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "W"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", dtype, [batch, 2])],
        [helper.make_tensor_value_info("y", dtype, [batch, 3])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return path


def outside(location):
    tensor = TensorProto(name="W", dims=[2, 3], data_type=TensorProto.FLOAT)
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", str(location)
    return tensor


def config(path, **more):
    return TypeAdapter(EngineConfig).validate_python({"kind": "onnx", "model": path, "shape": [2], **more})


def answers(path, *texts, **more):
    engine = open_engine(config(path, **more))
    try:
        return engine.generate([prompt(t) for t in texts])
    finally:
        engine.close()


def refused(reason, call, *parts):
    with pytest.raises(LocalError) as caught:
        call()
    assert caught.value.reason is reason
    for part in parts:
        assert part in caught.value.message
    return caught.value


def test_argmax_gives_the_label_of_the_largest_value(tmp_path):
    path = model_file(tmp_path)
    assert answers(path, "[3,1]", "[-3,1]", "[0,1]", labels=["a", "b", "c"]) == [b"a", b"c", b"b"]
    assert answers(path, "[[3],[1]]") == [b"0"]


def test_a_model_with_a_fixed_batch_of_one_answers_prompt_by_prompt(tmp_path):
    assert answers(model_file(tmp_path, batch=1), "[3,1]", "[-3,1]") == [b"0", b"2"]


def test_a_fixed_batch_of_another_size_is_refused(tmp_path):
    refused(Reason.CONFIG, lambda: answers(model_file(tmp_path, batch=4), "[1,1]"), "[4, 2]")


def test_json_output_spells_decimals_and_integers(tmp_path):
    path = model_file(tmp_path)
    assert answers(path, '["0.5",0.25]', output="json", decimals=2) == [b"[0.50,0.50,-0.50]"]
    whole = model_file(tmp_path, dtype=TensorProto.INT64, name="whole.onnx")
    assert answers(whole, "[3,-1]", output="json", dtype="int64") == [b"[3,-2,-3]"]


def test_numbers_are_divided_by_the_scale(tmp_path):
    assert answers(model_file(tmp_path), "[8,2]", output="json", decimals=2, scale=4) == [
        b"[2.00,1.00,-2.00]"
    ]


def test_paths_are_resolved_beside_the_configuration(tmp_path):
    assert config("m.onnx").resolved(tmp_path).model == tmp_path / "m.onnx"
    read = TypeAdapter(EngineConfig).validate_python
    python = read({"kind": "python", "callable": "a:b", "path": "here"})
    assert python.resolved(tmp_path).path == tmp_path / "here"
    endpoint = read({"kind": "openai", "base_url": "http://x", "model": "m", "key_file": "/abs"})
    assert str(endpoint.resolved(tmp_path).key_file) == "/abs"


def test_an_output_over_the_limit_is_cut_between_characters(tmp_path):
    engine = open_engine(config(model_file(tmp_path), labels=["fünf", "b", "c"]))
    assert engine.generate([prompt("[3,1]", 2)]) == [b"f"]


def test_no_prompts_give_no_outputs(tmp_path):
    assert answers(model_file(tmp_path)) == []


@pytest.mark.parametrize(
    "text",
    ["", "{}", "7", "[1]", "[1,2,3]", "[1,null]", "[1,true]", '[1,"x"]', "[1,NaN]", "[1,1e999]", "[1,1e300]",
     "[" * 100_000, '[1,"Infinity"]', "\xff"],
)  # fmt: skip
def test_a_prompt_that_is_no_array_of_the_right_numbers_is_an_engine_error_without_its_text(tmp_path, text):
    path = model_file(tmp_path)
    error = refused(Reason.BAD_PROMPT, lambda: answers(path, "[1,1]", text), "prompt 1", "2 numbers")
    assert text in ("", "7", "[1]") or text not in str(error)


def test_fractions_are_refused_where_the_model_takes_integers(tmp_path):
    path = model_file(tmp_path, dtype=TensorProto.INT64)
    refused(Reason.BAD_PROMPT, lambda: answers(path, "[1,0.5]", dtype="int64"), "integers")
    refused(Reason.BAD_PROMPT, lambda: answers(path, "[1,99999999999999999999]", dtype="int64"))


def test_a_number_that_the_element_type_cannot_hold_is_an_engine_error(tmp_path):
    whole = model_file(tmp_path, dtype=TensorProto.INT64)
    refused(Reason.BAD_PROMPT, lambda: answers(whole, "[1, 1e25]", dtype="int64"), "array of 2 numbers")
    floats = model_file(tmp_path)
    refused(Reason.BAD_PROMPT, lambda: answers(floats, "[1, 1e39]"), "array of 2 numbers")


def test_no_answer_depends_on_the_batch_it_came_in(tmp_path):
    random = np.random.default_rng(7)
    weights = numpy_helper.from_array(random.normal(size=(2, 3)).astype(np.float32), "W")
    path = model_file(tmp_path, weights=weights)
    texts = [json.dumps(row) for row in random.normal(size=(100, 2)).round(3).tolist()]
    whole = answers(path, *texts, output="json", decimals=17)
    for size in (1, 7, 64):
        parts = [answers(path, *texts[i : i + size], output="json", decimals=17) for i in range(0, 100, size)]
        assert [answer for part in parts for answer in part] == whole


def test_external_weights_load_from_the_folder_and_from_nowhere_else(tmp_path):
    inside = tmp_path / "model"
    inside.mkdir()
    (inside / "w.bin").write_bytes(WEIGHTS.tobytes())
    (tmp_path / "w.bin").write_bytes(WEIGHTS.tobytes())
    (inside / "link.bin").symlink_to(tmp_path / "w.bin")
    assert answers(model_file(inside, weights=outside("w.bin")), "[3,1]") == [b"0"]
    for location in ("../w.bin", tmp_path / "w.bin", "link.bin"):
        path = model_file(inside, weights=outside(location))
        refused(Reason.ENGINE, lambda path=path: answers(path, "[3,1]"), "xternal data path")


def test_a_model_that_is_not_there_or_no_model_is_refused_with_its_path(tmp_path):
    refused(Reason.CONFIG, lambda: answers(tmp_path / "none.onnx"), "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"\x00garbage")
    refused(Reason.ENGINE, lambda: answers(tmp_path / "bad.onnx"), "bad.onnx")


def test_a_configuration_that_does_not_fit_the_model_is_refused(tmp_path):
    path = model_file(tmp_path)
    refused(Reason.CONFIG, lambda: answers(path, shape=[3]), "(3,)")
    refused(Reason.CONFIG, lambda: answers(path, shape=[2, 1]))
    refused(Reason.CONFIG, lambda: answers(path, dtype="int64"), "int64")
    refused(Reason.CONFIG, lambda: answers(path, output_name="z"), "y")
    refused(Reason.ENGINE, lambda: answers(path, "[-3,1]", labels=["a"]), "1 labels")
    refused(Reason.CONFIG, lambda: answers(path, runtime_version="0.1"), "0.1")


def test_only_one_thread_of_a_pinned_runtime_is_class_e1(tmp_path):
    path = model_file(tmp_path)
    pinned = {"runtime_version": onnxruntime.__version__}
    assert open_engine(config(path, **pinned)).describe().execution_class == "E1"
    assert open_engine(config(path)).describe().execution_class is None
    assert open_engine(config(path, threads=2, **pinned)).describe().execution_class is None
    assert not open_engine(config(path, threads=2)).describe().deterministic


def test_a_runtime_that_would_load_weights_from_anywhere_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(onnxruntime, "__version__", "1.23.9")
    refused(Reason.CONFIG, lambda: answers(model_file(tmp_path), "[1,1]"), "1.24")


def test_without_onnxruntime_the_error_names_the_extra(tmp_path, monkeypatch):
    path = model_file(tmp_path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "parley_prover.engines.onnx", raising=False)
    monkeypatch.delitem(sys.modules, "parley_attestation.edge.onnx", raising=False)
    error = refused(Reason.MISSING_EXTRA, lambda: answers(path, "[1,1]"))
    assert error.hint == "pip install 'parley[onnx]'"
    monkeypatch.undo()
    importlib.import_module("parley_prover.engines.onnx")


@pytest.mark.parametrize("bad", [{"kind": "torch"}, {"colour": 1}, {"shape": [0]}, {"decimals": 99}])
def test_an_unknown_kind_or_field_or_a_value_out_of_bounds_is_refused(tmp_path, bad):
    with pytest.raises(ValidationError):
        config(tmp_path / "m.onnx", **bad)


def test_every_field_of_every_configuration_is_documented():
    schema = TypeAdapter(EngineConfig).json_schema()
    for model in schema["$defs"].values():
        assert all(field.get("description") for field in model["properties"].values()), model["title"]
