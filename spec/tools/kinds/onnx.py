"""Models in ONNX for the vectors, in the bytes of their protobuf messages: no library decides what they are."""

from collections.abc import Iterator, Mapping

FLOAT, UINT4, STRING = 1, 21, 8
RAW, FLOATS, LOCATION, EXTERNAL = 9, 4, 14, 13  # fields of TensorProto
INSIDE, PATH = bytes(8), "m.onnx"


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _tensor(
    *more: tuple[int, int | bytes | str], name: str = "w", kind: int = FLOAT, shape: int = 2
) -> bytes:
    fields = ((1, shape), (2, kind), *(((8, name),) if name else ()), *more)
    return b"".join(_field(*one) for one in fields)


def _model(*tensors: bytes) -> bytes:
    """A ModelProto of version 10 whose graph has these initializers."""
    graph = _field(2, "g") + b"".join(_field(5, one) for one in tensors)
    return _field(1, 10) + _field(7, graph)


def _outside(**told: str) -> bytes:
    pairs = (_field(1, name) + _field(2, value) for name, value in told.items())
    return _model(_tensor((LOCATION, 1), *((EXTERNAL, one) for one in pairs)))


def files() -> Iterator[tuple[str, Mapping[str, bytes]]]:
    """Comment and files of each test."""
    yield "ONNX: a tensor inside the graph's file", {PATH: _model(_tensor((RAW, INSIDE)))}
    yield "ONNX: values in float_data", {PATH: _model(_tensor((FLOATS, INSIDE)))}
    yield (
        "ONNX: four-bit values, an odd number",
        {PATH: _model(_tensor((RAW, b"\x21\x03"), kind=UINT4, shape=3))},
    )
    yield "ONNX: a type that is no tensor's", {PATH: _model(_tensor((RAW, b"ab"), kind=STRING))}
    yield "ONNX: a tensor without a name", {PATH: _model(_tensor((RAW, INSIDE), name=""))}
    yield "ONNX: values in two fields", {PATH: _model(_tensor((RAW, INSIDE), (FLOATS, INSIDE)))}
    yield "ONNX: raw data too short for its shape", {PATH: _model(_tensor((RAW, bytes(4))))}
    yield "ONNX: 17 dimensions", {PATH: _model(_tensor(*((1, 1) for _ in range(16)), (RAW, bytes(8))))}
    yield (
        "ONNX: a tensor of another file",
        {"a/m.onnx": _outside(location="w.data", offset="4", length="8"), "a/w.data": bytes(16)},
    )
    yield (
        "ONNX: to the end of another file",
        {PATH: _outside(location="w.data", offset="8"), "w.data": bytes(16)},
    )
    yield (
        "ONNX: a length that does not fit the shape",
        {PATH: _outside(location="w.data", length="4"), "w.data": bytes(16)},
    )
    yield "ONNX: a file outside the model", {PATH: _outside(location="../w.data", length="8")}
    yield "ONNX: a file that is not there", {PATH: _outside(location="w.data", length="8")}
    yield (
        "ONNX: bytes behind the end of another file",
        {PATH: _outside(location="w.data", offset="12", length="8"), "w.data": bytes(16)},
    )
    yield "ONNX: a message cut short", {PATH: _model(_tensor((RAW, INSIDE)))[:-1]}
