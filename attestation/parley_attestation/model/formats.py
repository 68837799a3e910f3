"""Room: the model. Which files have a known format, and the segments of all files; the edge calls it.

The choice goes by the name's extension alone, so that any two implementations split a model alike.
Pickle-based checkpoints are opaque: nothing here unpickles.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace

from parley_attestation.errors import PeerError, Reason, printable
from parley_attestation.model import gguf, onnx, safetensors
from parley_attestation.model.cursor import Read
from parley_attestation.model.layout import MAX_SEGMENTS, Segment, fill, opaque

Opener = Callable[[str], AbstractContextManager[Read]]  # path -> an open file
_WHOLE = {".safetensors": safetensors.read_layout, ".gguf": gguf.read_layout}


def extension(path: str) -> str:
    """The last extension in lower case: what decides the format."""
    name = path.rpartition("/")[2].lower()
    return name[name.rfind(".") :] if "." in name else ""


def split(sizes: Mapping[str, int], opener: Opener) -> tuple[Segment, ...]:
    """The segments of all files, in the order of their paths.

    Args:
        sizes: Bytes of each file by path.
        opener: Gives a reader for one path.

    Raises:
        PeerError: BAD_MODEL_CLAIM, naming the file.
    """
    rows: dict[str, tuple[Segment, ...]] = {}
    tensors: dict[str, dict[tuple[int, int], Segment]] = {}
    for path in sorted(sizes):
        kind = extension(path)
        if kind in _WHOLE:
            with opener(path) as read:
                rows[path] = _WHOLE[kind](path, sizes[path], read)
        elif kind == ".onnx":
            tensors.setdefault(path, {})
            with opener(path) as read:
                found = onnx.read_tensors(path, sizes[path], read)
            for tensor in found:
                placed = _place(tensor, path, sizes)
                tensors.setdefault(placed.path, {}).setdefault((placed.offset, placed.size), placed)
    for path, row in tensors.items():
        if path not in rows:
            rows[path] = fill(path, sizes[path], row.values())
    segments = [s for path in sorted(sizes) for s in rows.get(path) or opaque(path, sizes[path])]
    if len(segments) > MAX_SEGMENTS:
        raise PeerError(Reason.BAD_MODEL_CLAIM, f"expected at most {MAX_SEGMENTS} segments")
    return tuple(segments)


def _place(tensor: Segment, graph: str, sizes: Mapping[str, int]) -> Segment:
    """Check that an ONNX tensor lies in a file that is there, and settle a length left open."""
    if tensor.path not in sizes:
        raise PeerError(
            Reason.BAD_MODEL_CLAIM,
            f"file {printable(graph)!r} keeps weights in {printable(tensor.path)!r}, which is missing",
            hint="claim the folder that holds both",
        )
    return tensor if tensor.size >= 0 else replace(tensor, size=max(0, sizes[tensor.path] - tensor.offset))
