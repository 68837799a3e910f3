"""Room: the edge. What a party seals for a chamber, as a stream: its weights, or its tests, with their secret.

    weights   secret, then for every file its path and its size (u64) with the bytes after them; where the
              prover supplies the program, an empty frame and its files in the same way
    tests     master secret (32) and result seed (32), then prompt and reference of every item

Each part but a file's bytes is a frame: its length (u64) and the bytes. The parties write here; the
chamber reads (`parley_chamber.packages`). Nothing is held in memory.
"""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from parley_attestation.encoding import Bytes32
from parley_attestation.model.claim import ClaimSecret

_SIZE = struct.Struct(">Q")
_BLOCK = 1 << 20


def pack(part: bytes) -> bytes:
    """One frame."""
    return _SIZE.pack(len(part)) + part


Files = Iterable[tuple[str, Path]]  # files by their path in the claim, or in the runtime's document


def write_weights(secret: ClaimSecret, files: Files, program: Files = ()) -> Iterator[bytes]:
    """The stream of a model: its claim's secret, its files by their path in the claim, the program's files."""
    yield pack(secret.encode())
    yield from _write_files(files)
    mark = pack(b"")
    for part in _write_files(program):
        yield mark + part
        mark = b""


def _write_files(files: Files) -> Iterator[bytes]:
    for path, place in files:
        yield pack(path.encode())
        with place.open("rb") as file:
            yield _SIZE.pack(place.stat().st_size)
            while part := file.read(_BLOCK):
                yield part


def weights_size(secret: ClaimSecret, files: Files, program: Files = ()) -> int:
    """Bytes of the stream of a model, without reading it."""
    sizes = [
        [2 * _SIZE.size + len(p.encode()) + f.stat().st_size for p, f in some] for some in (files, program)
    ]
    return _SIZE.size + len(secret.encode()) + sum(sizes[0]) + (_SIZE.size + sum(sizes[1]) if sizes[1] else 0)


def write_tests(
    master: Bytes32, result_seed: Bytes32, items: Iterable[tuple[bytes, bytes]]
) -> Iterator[bytes]:
    """The stream of a test set: what its keys follow from, a seed for result bits, its items in order."""
    yield pack(master) + pack(result_seed)
    for prompt, reference in items:
        yield pack(prompt) + pack(reference)


def tests_size(sizes: Iterable[int]) -> int:
    """Bytes of the stream of a test set, from the sizes of every prompt and every reference."""
    return 2 * (_SIZE.size + 32) + sum(_SIZE.size + size for size in sizes)
