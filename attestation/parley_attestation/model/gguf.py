"""Room: the model. Reads the header of a GGUF file and nothing else; `formats` calls it.

Versions 2 and 3, little-endian. Source: ggml's docs/gguf.md, and its table of block sizes.
"""

import math
import struct
from dataclasses import dataclass

from parley_attestation.encoding import SAFE_INTEGER
from parley_attestation.model.cursor import MAX_HEADER, Cursor, Read
from parley_attestation.model.layout import MAX_NAME, MAX_SEGMENTS, Kind, Segment, fill

MAX_KEYS = 1 << 16
MAX_NESTING = 4
_DEFAULT_ALIGNMENT = 32
_STRING, _ARRAY, _UINT32 = 8, 9, 4
_WIDTH = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
# ggml type: (name, elements in a block, bytes of a block)
TYPES = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
}


@dataclass(frozen=True, slots=True)
class _Told:
    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int


def read_layout(path: str, size: int, read: Read) -> tuple[Segment, ...]:
    """The segments of a GGUF file of `size` bytes.

    Raises:
        PeerError: BAD_MODEL_CLAIM.
    """
    cursor = Cursor(path, size, read)
    if cursor.take(4) != b"GGUF" or cursor.u32() not in {2, 3}:
        cursor.refuse("expected GGUF version 2 or 3, little-endian")
    tensors, keys = cursor.u64(), cursor.u64()
    if tensors > MAX_SEGMENTS or keys > MAX_KEYS:
        cursor.refuse(f"expected at most {MAX_SEGMENTS} tensors and {MAX_KEYS} keys")
    alignment = _alignment(cursor, keys)
    told = [_tensor(cursor, alignment) for _ in range(tensors)]
    start = -(-cursor.position // alignment) * alignment
    return fill(
        path,
        size,
        [Segment(path, Kind.TENSOR, t.name, t.dtype, t.shape, start + t.offset, t.size) for t in told],
    )


def _alignment(cursor: Cursor, keys: int) -> int:
    """Pass over the metadata; returns general.alignment."""
    seen: set[str] = set()
    alignment = _DEFAULT_ALIGNMENT
    for _ in range(keys):
        key = cursor.text(cursor.u64(), MAX_NAME)
        if key in seen:
            cursor.refuse("a key stands in the metadata twice")
        seen.add(key)
        kind = cursor.u32()
        if key == "general.alignment":
            alignment = cursor.u32() if kind == _UINT32 else 0
            if not 8 <= alignment <= 1 << 20 or alignment & (alignment - 1):
                cursor.refuse("expected general.alignment to be a power of two in 8..2^20")
        else:
            _skip_value(cursor, kind, MAX_NESTING)
    return alignment


def _skip_value(cursor: Cursor, kind: int, nesting: int) -> None:
    if cursor.position > MAX_HEADER:
        cursor.refuse(f"expected a header of at most {MAX_HEADER} bytes")
    if kind in _WIDTH:
        cursor.skip(_WIDTH[kind])
    elif kind == _STRING:
        cursor.skip(cursor.u64())
    elif kind == _ARRAY and nesting:
        inner, count = struct.unpack("<IQ", cursor.take(12))
        if inner in _WIDTH:
            cursor.skip(_WIDTH[inner] * count)
        else:
            for _ in range(count):
                _skip_value(cursor, inner, nesting - 1)
    else:
        cursor.refuse("a metadata value has an unknown type or is nested too deep")


def _tensor(cursor: Cursor, alignment: int) -> _Told:
    name = cursor.text(cursor.u64(), MAX_NAME)
    dimensions = cursor.u32()
    if dimensions > 8:
        cursor.refuse("expected tensors of at most 8 dimensions")
    shape = tuple(cursor.u64() for _ in range(dimensions))
    kind, offset = cursor.u32(), cursor.u64()
    if kind not in TYPES:
        cursor.refuse(f"a tensor has the unknown ggml type {kind}")
    dtype, block, width = TYPES[kind]
    elements = math.prod(shape)
    if elements >= SAFE_INTEGER or any(n >= SAFE_INTEGER for n in shape) or (shape[:1] or (1,))[0] % block:
        cursor.refuse(f"expected the first dimension of a {dtype} tensor to be a multiple of {block}")
    if offset % alignment:
        cursor.refuse(f"expected tensor offsets that are multiples of {alignment}")
    return _Told(name, dtype, shape, offset, elements // block * width)
