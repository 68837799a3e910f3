"""Room: the model. How files fall into segments; format readers produce these, manifests hold them.

A file is a gap-free row of segments. A segment is a tensor, structure between tensors (headers,
padding, graphs), or a whole opaque file. Chunks restart at every segment, so that opening a tensor
discloses no neighbour.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from parley_attestation.encoding import SAFE_INTEGER
from parley_attestation.errors import PeerError, Reason, printable

MAX_PATH = 1024  # characters of a path below the model's folder
MAX_NAME = 1024  # characters of a tensor's name
MAX_DIMENSIONS = 16
MAX_SEGMENTS = 1 << 20  # in one model
MAX_FILES = 1 << 16  # in one model


class Kind(StrEnum):
    """What a segment is."""

    FILE = "file"
    STRUCTURE = "structure"
    TENSOR = "tensor"


@dataclass(frozen=True, slots=True)
class Segment:
    """One run of bytes of one file; offset and size in bytes."""

    path: str
    kind: Kind
    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int

    def __str__(self) -> str:
        if self.kind is Kind.TENSOR:
            return f"tensor {printable(self.name)!r} of {printable(self.path)!r}"
        if self.kind is Kind.FILE:
            return f"file {printable(self.path)!r}"
        return (
            f"bytes {self.offset}..{self.offset + self.size} of {printable(self.path)!r}, outside any tensor"
        )


# What hides or reorders text where it is shown; a fixed list, so that every implementation has the same one.
_UNPRINTABLE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ufeff]")


def check_printable(text: str) -> str:
    """Return `text` if it has no control, line-separating or direction-changing character.

    Raises:
        PeerError: BAD_MODEL_CLAIM.
    """
    if _UNPRINTABLE.search(text):
        raise PeerError(Reason.BAD_MODEL_CLAIM, f"expected printable characters, got {printable(text)!r}")
    return text


def check_path(path: str) -> str:
    """Return `path` if it names a file below a folder in its one plain spelling.

    Raises:
        PeerError: BAD_MODEL_CLAIM.
    """
    parts = path.split("/")
    if (
        not 1 <= len(path) <= MAX_PATH
        or any(part in {"", ".", ".."} for part in parts)
        or "\\" in path
        or _UNPRINTABLE.search(path)
    ):
        raise PeerError(
            Reason.BAD_MODEL_CLAIM,
            f"expected a relative path of 1..{MAX_PATH} printable characters without '.', '..', '\\' "
            f"or empty parts, got {printable(path)!r}",
        )
    return path


def opaque(path: str, size: int) -> tuple[Segment, ...]:
    """The layout of a file whose inside is nobody's business: one segment."""
    return (Segment(check_path(path), Kind.FILE, "", "", (), 0, size),)


def fill(path: str, size: int, tensors: Iterable[Segment]) -> tuple[Segment, ...]:
    """Put structure segments between `tensors`, so that they cover the `size` bytes of the file.

    Raises:
        PeerError: BAD_MODEL_CLAIM, where tensors overlap, leave the file or share a name.
    """
    check_path(path)
    row: list[Segment] = []
    names: set[str] = set()
    end = 0
    for tensor in sorted(tensors, key=lambda t: (t.offset, t.size, t.name)):
        _check_tensor(tensor, path, size, names)
        if tensor.offset < end:
            raise PeerError(Reason.BAD_MODEL_CLAIM, f"{tensor} overlaps the tensor before it")
        if tensor.offset > end:
            row.append(Segment(path, Kind.STRUCTURE, "", "", (), end, tensor.offset - end))
        row.append(tensor)
        end = tensor.offset + tensor.size
    if end < size or not row:
        row.append(Segment(path, Kind.STRUCTURE, "", "", (), end, size - end))
    return tuple(row)


def _check_tensor(tensor: Segment, path: str, size: int, names: set[str]) -> None:
    if tensor.path != path or tensor.kind is not Kind.TENSOR or not tensor.name:
        raise PeerError(Reason.BAD_MODEL_CLAIM, f"expected named tensors of {printable(path)!r} only")
    if tensor.name in names:
        raise PeerError(Reason.BAD_MODEL_CLAIM, f"{tensor} stands in the file twice")
    if len(tensor.name) > MAX_NAME or len(tensor.shape) > MAX_DIMENSIONS:
        raise PeerError(
            Reason.BAD_MODEL_CLAIM,
            f"expected tensor names of at most {MAX_NAME} characters and {MAX_DIMENSIONS} dimensions",
        )
    if any(not 0 <= n < SAFE_INTEGER for n in (tensor.offset, tensor.size, *tensor.shape)):
        raise PeerError(Reason.BAD_MODEL_CLAIM, f"{tensor} has a size, offset or dimension out of range")
    if tensor.offset + tensor.size > size:
        raise PeerError(Reason.BAD_MODEL_CLAIM, f"{tensor} ends after the file, which has {size} bytes")
    names.add(tensor.name)
