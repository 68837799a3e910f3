import json
import struct
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parley_attestation.errors import PeerError, Reason
from parley_attestation.model.formats import extension, split
from parley_attestation.model.layout import Kind

DATA = Path(__file__).parents[2] / "data" / "model"


def _split(files):
    @contextmanager
    def opener(path):
        def read(offset, size):
            assert 0 <= offset <= offset + size <= len(files[path])
            return files[path][offset : offset + size]

        yield read

    return split({path: len(raw) for path, raw in files.items()}, opener)


def _tensors(segments):
    return {s.name: (s.dtype, s.shape, s.offset, s.size) for s in segments if s.kind is Kind.TENSOR}


def _safetensors(header, data=b"", *, pad=0):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    raw += b" " * pad
    return struct.pack("<Q", len(raw)) + raw + data


def _tensor(start, stop, dtype="U8", shape=None):
    return {
        "dtype": dtype,
        "shape": [stop - start] if shape is None else shape,
        "data_offsets": [start, stop],
    }


def _refused(name, raw, **others):
    with pytest.raises(PeerError) as refused:
        _split({name: raw, **others})
    assert refused.value.reason is Reason.BAD_MODEL_CLAIM
    return refused.value.message


def test_files_written_by_the_reference_libraries_fall_into_the_tensors_they_hold():
    # Written with safetensors 0.8.0 and gguf 0.19.0; offsets and sizes as those libraries report them.
    segments = _split({p.name: p.read_bytes() for p in sorted(DATA.glob("small.*"))})
    assert _tensors(segments) == {
        "blk.0.attn_q.weight": ("F32", (32, 4), 448, 512),
        "out.bias": ("F16", (3,), 960, 6),
        "q8": ("Q8_0", (64, 2), 1024, 136),
        "ids": ("I64", (3,), 288, 24),
        "b.weight": ("F32", (4, 6), 312, 96),
        "nothing": ("F32", (0, 4), 408, 0),
        "a.bias": ("F16", (5,), 408, 10),
    }


def test_every_file_is_covered_without_gap_or_overlap():
    files = {p.name: p.read_bytes() for p in DATA.glob("small.*")} | {"model.pkl": b"\x80\x04.", "void": b""}
    for path, raw in files.items():
        end = 0
        for segment in [s for s in _split(files) if s.path == path]:
            assert segment.offset == end
            end += segment.size
        assert end == len(raw)


def test_a_pickle_is_one_opaque_segment():
    assert [s.kind for s in _split({"pytorch_model.bin": b"\x80\x04cos\nsystem\n."})] == [Kind.FILE]


@pytest.mark.parametrize(
    ("header", "data", "why"),
    [
        (b'{"a":%b,"a":%b}' % ((json.dumps(_tensor(0, 1)).encode(),) * 2), b"x", "twice"),
        ({"a": _tensor(0, 1), "b": _tensor(2, 3)}, b"xyz", "no gap"),
        ({"a": _tensor(0, 2), "b": _tensor(1, 3)}, b"xyz", "no gap"),
        ({"a": _tensor(0, 1)}, b"xy", "end with the file"),
        ({"a": _tensor(0, 3)}, b"xy", "end with the file"),
        ({"a": _tensor(0, 4, "F32", [2])}, b"wxyz", "does not fit"),
        ({"a": _tensor(0, 4, "F99")}, b"wxyz", "dtype"),
        ({"a": _tensor(0, 4, shape=[True, 4])}, b"wxyz", "integers"),
        ({"a": _tensor(0, 4, shape=[-2, -2])}, b"wxyz", "integers"),
        ({"a": _tensor(0, 1, shape=[1] * 17)}, b"x", "shapes"),
        ({"": _tensor(0, 1)}, b"x", "names"),
        ({"a": {**_tensor(0, 1), "extra": 1}}, b"x", "expected dtype"),
        ({"__metadata__": {"a": 1}}, b"", "__metadata__"),
        (b" {}", b"", "JSON object"),
        (b"[]", b"", "JSON object"),
        (b"{ ", b"", "JSON header"),
        (b"\xff\xff", b"", "JSON header"),
        (b'{"\\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x", "names"),
    ],
)
def test_a_safetensors_header_that_two_parsers_could_read_differently_is_refused(header, data, why):
    message = _refused("m.safetensors", _safetensors(header, data))
    assert "'m.safetensors'" in message
    assert why in message


def test_a_safetensors_header_longer_than_the_file_or_the_limit_is_refused():
    assert "header" in _refused("m.safetensors", struct.pack("<Q", 1000) + b"{}")
    assert "header" in _refused("m.safetensors", struct.pack("<Q", 1 << 60) + b"{}")
    assert "header" in _refused("m.safetensors", b"\x02")


def test_a_padded_safetensors_header_is_read():
    raw = _safetensors({"a": _tensor(0, 2)}, b"xy", pad=5)
    assert _tensors(_split({"m.SafeTensors": raw})) == {"a": ("U8", (2,), len(raw) - 2, 2)}


def _gguf(tensors=(), *, keys=b"", count=0, version=3, data=b""):
    text = lambda s: struct.pack("<Q", len(s)) + s  # noqa: E731
    raw = b"GGUF" + struct.pack("<IQQ", version, len(tensors), count) + keys
    for name, shape, kind, offset in tensors:
        raw += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        raw += struct.pack("<IQ", kind, offset)
    return raw + bytes(-len(raw) % 32) + data


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"GGML" + bytes(20), "expected GGUF"),
        (_gguf(version=1), "expected GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 40, 0), "at most"),
        (_gguf([(b"a", (4,), 0, 0)], data=bytes(12)), "ends after the file"),
        (_gguf([(b"a", (4,), 0, 8)], data=bytes(64)), "multiples"),
        (_gguf([(b"a", (4,), 77, 0)], data=bytes(64)), "unknown ggml type"),
        (_gguf([(b"a", (33,), 8, 0)], data=bytes(64)), "multiple of 32"),
        (_gguf([(b"a", (1 << 62, 4), 0, 0)]), "multiple of 1"),
        (_gguf([(b"a", (4,), 0, 0)] * 2, data=bytes(64)), "twice"),
        (_gguf([(b"a", (16,), 0, 0), (b"b", (4,), 0, 32)], data=bytes(96)), "overlaps"),
        (_gguf(keys=(struct.pack("<Q", 1) + b"k" + struct.pack("<IB", 7, 1)) * 2, count=2), "metadata twice"),
        (_gguf(keys=struct.pack("<Q", 1) + b"k" + struct.pack("<I", 13), count=1), "unknown type"),
        (
            _gguf(
                keys=struct.pack("<Q", 1) + b"k" + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 9,
                count=1,
            ),
            "deep",
        ),
        (
            _gguf(keys=struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 10, 1 << 60), count=1),
            "more bytes",
        ),
        (
            _gguf(keys=struct.pack("<Q", 17) + b"general.alignment" + struct.pack("<II", 4, 33), count=1),
            "power of two",
        ),
    ],
)
def test_a_broken_gguf_header_is_refused(raw, why):
    assert why in _refused("m.gguf", raw)


onnx = pytest.importorskip("onnx")


def _onnx(*initializers):
    graph = onnx.helper.make_graph([], "g", [], [], initializer=list(initializers))
    return onnx.helper.make_model(graph).SerializeToString()


def _raw(name, values):
    return onnx.helper.make_tensor(
        name, onnx.TensorProto.FLOAT, [len(values)], struct.pack(f"<{len(values)}f", *values), raw=True
    )


def test_onnx_initialisers_are_tensors_and_the_rest_is_structure():
    packed = onnx.helper.make_tensor("packed", onnx.TensorProto.INT64, [3], [1, 2, 300])
    raw = _onnx(_raw("w", [1.0, 2.0]), packed)
    found = _tensors(_split({"m.onnx": raw}))
    assert set(found) == {"w", "packed"}
    dtype, shape, offset, size = found["w"]
    assert (dtype, shape, raw[offset : offset + size]) == ("FLOAT", (2,), struct.pack("<2f", 1, 2))
    dtype, shape, offset, size = found["packed"]
    assert (dtype, shape, raw[offset : offset + size]) == ("INT64/int64_data", (3,), b"\x01\x02\xac\x02")


def test_an_onnx_initialiser_in_several_pieces_or_without_a_name_stays_structure():
    twice = _raw("w", [1.0])
    raw = twice.SerializeToString()
    model = _onnx()
    for one in (raw + b"\x4a\x04" + bytes(4), raw + b"\x42\x01v", raw.replace(b"\x42\x01w", b"")):
        graph = b"\x2a" + bytes([len(one)]) + one
        assert _tensors(_split({"m.onnx": model + b"\x3a" + bytes([len(graph)]) + graph})) == {}


def _external(**told):
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[2], data_location=1)
    for key, value in told.items():
        tensor.external_data.add(key=key, value=value)
    return _onnx(tensor)


def test_onnx_external_data_becomes_tensors_of_that_file():
    files = {
        "sub/m.onnx": _external(location="m.data", offset="4", length="8"),
        "sub/m.data": bytes(20),
    }
    segments = [s for s in _split(files) if s.path == "sub/m.data"]
    assert [(s.kind, s.offset, s.size) for s in segments] == [
        (Kind.STRUCTURE, 0, 4),
        (Kind.TENSOR, 4, 8),
        (Kind.STRUCTURE, 12, 8),
    ]
    files["sub/m.onnx"] = _external(location="m.data", offset="12")
    assert _tensors(_split(files)) == {"w": ("FLOAT", (2,), 12, 8)}


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"location": "../m.data"}, "relative path"),
        ({"location": "/etc/passwd"}, "relative path"),
        ({"location": "other"}, "missing"),
        ({}, "relative path"),
        ({"location": "m.data", "offset": "-4"}, "decimal"),
        ({"location": "m.data", "offset": "٣"}, "decimal"),
        ({"location": "m.data", "length": "9"}, "does not fit"),
        ({"location": "m.data", "offset": "16", "length": "8"}, "ends after"),
    ],
)
def test_onnx_external_data_outside_the_model_or_its_file_is_refused(told, why):
    assert why in _refused("m.onnx", _external(**told), **{"m.data": bytes(20)})


def test_an_onnx_tensor_whose_bytes_do_not_fit_its_shape_is_refused():
    tensor = _raw("w", [1.0, 2.0])
    tensor.dims[0] = 3
    assert "does not fit" in _refused("m.onnx", _onnx(tensor))
    assert "twice" in _refused("m.onnx", _onnx(_raw("w", [1.0]), _raw("w", [2.0])))


@pytest.mark.parametrize(
    "raw",
    [b"\x3a\x05\x2a", b"\x3b", b"\xff" * 11, b"\x00\x00", b"\x3a\x02\x2a\x09", b"\x0a\xff\xff\xff\xff\x0f"],
)
def test_bytes_that_are_no_protobuf_are_refused(raw):
    _refused("m.onnx", raw)


ONNX = _onnx(_raw("w", [1.0, 2.0]), onnx.helper.make_tensor("p", onnx.TensorProto.INT64, [3], [1, 2, 300]))
SEEDS = {p.name: p.read_bytes() for p in DATA.glob("small.*")} | {"m.onnx": ONNX}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(SEEDS)), st.data())
def test_any_altered_header_is_read_or_refused_and_nothing_else_happens(name, data):
    raw = bytearray(SEEDS[name])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    try:
        segments = _split({name: raw})
    except PeerError as error:
        assert error.reason is Reason.BAD_MODEL_CLAIM  # noqa: PT017 - either outcome is right
    else:
        assert sum(s.size for s in segments) == len(raw)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a/b.ONNX", ".onnx"), ("a.gguf/b", ""), ("x.tar.gz", ".gz"), (".onnx", ".onnx"), ("plain", "")],
)
def test_the_last_extension_decides_the_format(path, expected):
    assert extension(path) == expected
