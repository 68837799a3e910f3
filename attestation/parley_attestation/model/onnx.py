"""Room: the model. Finds the weights in an ONNX file by a bounded walk over its protobuf; `formats` calls it.

An initialiser of the main graph whose bytes stand in one piece becomes a tensor; every other byte (nodes,
subgraphs, values spread over several fields) is structure, and hashed as that. Weights in external files
become tensors of those files. Source: onnx.proto3 of onnx/onnx; protobuf encoding specification.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from parley_attestation.encoding import SAFE_INTEGER
from parley_attestation.errors import PeerError
from parley_attestation.model.cursor import Cursor, Read
from parley_attestation.model.layout import MAX_DIMENSIONS, MAX_NAME, MAX_PATH, Kind, Segment, check_path

MAX_FIELDS = 1 << 22  # protobuf fields looked at in one file
MAX_EXTERNAL_KEYS = 8  # the format defines five
_GRAPH, _INITIALIZER = 7, 5  # ModelProto.graph, GraphProto.initializer
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DIMS, _TYPE, _NAME, _RAW, _EXTERNAL, _LOCATION = 1, 2, 8, 9, 13, 14
_DATA = {
    4: "/float_data",
    5: "/int32_data",
    7: "/int64_data",
    _RAW: "",
    10: "/double_data",
    11: "/uint64_data",
}
# TensorProto.DataType: (name, bits)
TYPES = {
    1: ("FLOAT", 32),
    2: ("UINT8", 8),
    3: ("INT8", 8),
    4: ("UINT16", 16),
    5: ("INT16", 16),
    6: ("INT32", 32),
    7: ("INT64", 64),
    9: ("BOOL", 8),
    10: ("FLOAT16", 16),
    11: ("DOUBLE", 64),
    12: ("UINT32", 32),
    13: ("UINT64", 64),
    14: ("COMPLEX64", 64),
    15: ("COMPLEX128", 128),
    16: ("BFLOAT16", 16),
    17: ("FLOAT8E4M3FN", 8),
    18: ("FLOAT8E4M3FNUZ", 8),
    19: ("FLOAT8E5M2", 8),
    20: ("FLOAT8E5M2FNUZ", 8),
    21: ("UINT4", 4),
    22: ("INT4", 4),
    23: ("FLOAT4E2M1", 4),
    24: ("FLOAT8E8M0", 8),
    25: ("UINT2", 2),
    26: ("INT2", 2),
}


@dataclass(slots=True)
class _Initializer:
    """What the walk has seen of one TensorProto; `data` holds (field, offset, size) of each value field."""

    dims: list[int] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    data: list[tuple[int, int, int]] = field(default_factory=list)
    external: dict[str, str] = field(default_factory=dict)
    elsewhere: bool = False


def read_tensors(path: str, size: int, read: Read) -> list[Segment]:
    """The tensors of an ONNX file of `size` bytes: those inside it, and those of external files.

    An external tensor whose length the file leaves open has size -1: it goes to the end of its file.

    Raises:
        PeerError: BAD_MODEL_CLAIM.
    """
    cursor = Cursor(path, size, read)
    walk = _Walk(cursor)
    found: list[Segment] = []
    for number, wire, end in walk.fields(size):
        if number == _GRAPH and wire == _BYTES:
            for inner, inner_wire, inner_end in walk.fields(end):
                if inner == _INITIALIZER and inner_wire == _BYTES:
                    found += _tensor(cursor, walk.initializer(inner_end))
    return found


class _Walk:
    """Yields protobuf fields; whatever the caller leaves of a field is skipped."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._left = MAX_FIELDS

    def fields(self, stop: int) -> Iterator[tuple[int, int, int]]:
        """Number, wire type and end of each field up to byte `stop`; the cursor stands at its value."""
        cursor = self._cursor
        while cursor.position < stop:
            self._left -= 1
            if self._left < 0:
                cursor.refuse(f"expected at most {MAX_FIELDS} fields")
            tag = cursor.varint()
            end = self._end(tag & 7)
            if not 1 <= tag >> 3 < 1 << 29 or end > stop:
                cursor.refuse(f"expected a protobuf field that ends by byte {stop}")
            yield tag >> 3, tag & 7, end
            cursor.skip(end - cursor.position)
        if cursor.position != stop:
            cursor.refuse(f"expected a message to end at byte {stop}")

    def _end(self, wire: int) -> int:
        cursor = self._cursor
        if wire == _VARINT:
            start = cursor.position
            cursor.varint()
            end, cursor.position = cursor.position, start
            return end
        if wire == _BYTES:
            length = cursor.varint()
            return cursor.position + length
        if wire not in {_FIXED32, _FIXED64}:
            cursor.refuse(f"expected protobuf wire types 0, 1, 2 and 5, got {wire}")
        return cursor.position + (4 if wire == _FIXED32 else 8)

    def initializer(self, stop: int) -> _Initializer:
        """Read one TensorProto."""
        cursor, seen = self._cursor, _Initializer()
        for number, wire, end in self.fields(stop):
            size = end - cursor.position
            if number == _DIMS and wire in {_VARINT, _BYTES}:
                while cursor.position < end and len(seen.dims) <= MAX_DIMENSIONS:
                    seen.dims.append(cursor.varint())
            elif number == _TYPE and wire == _VARINT and len(seen.types) < 2:
                seen.types.append(cursor.varint())
            elif number == _NAME and wire == _BYTES and len(seen.names) < 2:
                seen.names.append(cursor.text(size, MAX_NAME))
            elif number in _DATA and len(seen.data) < 2:  # one piece, or more than one
                seen.data.append((number, cursor.position, size if wire == _BYTES else -1))
            elif number == _EXTERNAL and wire == _BYTES:
                key, value = self._pair(end)
                if key in seen.external or len(seen.external) == MAX_EXTERNAL_KEYS:
                    cursor.refuse(f"expected at most {MAX_EXTERNAL_KEYS} distinct keys in external_data")
                seen.external[key] = value
            elif number == _LOCATION and wire == _VARINT:
                seen.elsewhere = cursor.varint() == 1
        return seen

    def _pair(self, stop: int) -> tuple[str, str]:
        pair = {1: "", 2: ""}
        for number, wire, end in self.fields(stop):
            if number in pair and wire == _BYTES:
                pair[number] = self._cursor.text(end - self._cursor.position, MAX_PATH)
        return pair[1], pair[2]


def _tensor(cursor: Cursor, seen: _Initializer) -> Iterator[Segment]:
    if len(seen.names) != 1 or not seen.names[0] or len(seen.types) != 1 or seen.types[0] not in TYPES:
        if seen.elsewhere:
            cursor.refuse("expected a name and a type for a tensor with external data")
        return
    dtype, bits = TYPES[seen.types[0]]
    if len(seen.dims) > MAX_DIMENSIONS or any(n >= SAFE_INTEGER for n in seen.dims):
        cursor.refuse(f"expected at most {MAX_DIMENSIONS} dimensions below 2^53")
    expected = -(-math.prod(seen.dims) * bits // 8)
    if seen.elsewhere:
        path, offset, size = _external(cursor, seen.external)
        if size not in {-1, expected}:
            cursor.refuse("a tensor has an external length that does not fit its type and shape")
        yield Segment(path, Kind.TENSOR, seen.names[0], dtype, tuple(seen.dims), offset, size)
    elif len(seen.data) == 1 and seen.data[0][2] > 0:
        number, offset, size = seen.data[0]
        if number == _RAW and size != expected:
            cursor.refuse("a tensor has raw_data of a size that does not fit its type and shape")
        yield Segment(
            cursor.path, Kind.TENSOR, seen.names[0], dtype + _DATA[number], tuple(seen.dims), offset, size
        )


def _external(cursor: Cursor, told: dict[str, str]) -> tuple[str, int, int]:
    folder = cursor.path.rpartition("/")[0]
    location = told.get("location", "")
    try:
        path = check_path(f"{folder}/{location}" if folder else location)
    except PeerError:
        cursor.refuse("expected external data at a relative path inside the model's folder")
    numbers = [told.get("offset", "0"), told.get("length", "-1")]
    if any(len(n) > 17 or not n.isascii() or not (n.isdigit() or n == "-1") for n in numbers):
        cursor.refuse("expected offset and length of external data as decimal integers")
    return path, int(numbers[0]), int(numbers[1])
