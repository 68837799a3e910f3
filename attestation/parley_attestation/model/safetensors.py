"""Room: the model. Reads the header of a safetensors file and nothing else; `formats` calls it.

Stricter than the common readers: no duplicate keys, known dtypes, sizes that fit the shapes, and tensors
that cover the rest of the file without gap or overlap, so that no two parsers can see two models.
Source: the format section of the safetensors README (huggingface/safetensors).
"""

import json
import math
from typing import Any

from parley_attestation.encoding import SAFE_INTEGER
from parley_attestation.model.cursor import MAX_HEADER, Cursor, Read
from parley_attestation.model.layout import MAX_DIMENSIONS, MAX_NAME, Kind, Segment, fill

BITS = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}


def read_layout(path: str, size: int, read: Read) -> tuple[Segment, ...]:
    """The segments of a safetensors file of `size` bytes.

    Raises:
        PeerError: BAD_MODEL_CLAIM.
    """
    cursor = Cursor(path, size, read)
    length = cursor.u64()
    if not 2 <= length <= MAX_HEADER:
        cursor.refuse(f"expected a header of 2..{MAX_HEADER} bytes, got {length}")
    header = _parse(cursor, cursor.take(length))
    _check_metadata(cursor, header.pop("__metadata__", {}))
    start = 8 + length
    tensors = sorted(
        (_tensor(cursor, name, start, told) for name, told in header.items()),
        key=lambda t: (t.offset, t.size),
    )
    end = start
    for tensor in tensors:
        if tensor.offset != end:
            cursor.refuse(f"{tensor} starts at byte {tensor.offset}, expected {end}: no gap, no overlap")
        end += tensor.size
    if end != size:
        cursor.refuse(f"expected the tensors to end with the file at byte {size}, they end at {end}")
    return fill(path, size, tensors)


def _parse(cursor: Cursor, raw: bytes) -> dict[str, Any]:
    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=lambda pairs: _object(cursor, pairs))
    except (ValueError, RecursionError):
        cursor.refuse("expected a JSON header in UTF-8")
    if not isinstance(header, dict) or raw[:1] != b"{":
        cursor.refuse("expected a JSON object as header")
    return header


def _object(cursor: Cursor, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        cursor.refuse("a key stands in the header twice")
    return made


def _check_metadata(cursor: Cursor, told: Any) -> None:
    if not isinstance(told, dict) or not all(isinstance(v, str) for v in told.values()):
        cursor.refuse("expected __metadata__ to map strings to strings")


def _tensor(cursor: Cursor, name: str, start: int, told: Any) -> Segment:
    if not isinstance(told, dict) or told.keys() != {"dtype", "shape", "data_offsets"}:
        cursor.refuse("expected dtype, shape and data_offsets for each tensor")
    dtype, shape, span = told["dtype"], told["shape"], told["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        cursor.refuse("a tensor has a dtype that the format does not define")
    if not _integers(shape) or len(shape) > MAX_DIMENSIONS or not _integers(span) or len(span) != 2:
        cursor.refuse("expected shapes and data_offsets of non-negative integers below 2^53")
    if not 1 <= len(name) <= MAX_NAME or not _encodable(name):
        cursor.refuse(f"expected tensor names of 1..{MAX_NAME} characters")
    if (span[1] - span[0]) * 8 != math.prod(shape) * BITS[dtype]:
        cursor.refuse("a tensor has a size that does not fit its dtype and shape")
    return Segment(cursor.path, Kind.TENSOR, name, dtype, tuple(shape), start + span[0], span[1] - span[0])


def _integers(values: Any) -> bool:
    return isinstance(values, list) and all(type(n) is int and 0 <= n < SAFE_INTEGER for n in values)


def _encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
