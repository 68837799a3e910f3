"""Room: the model. What may be asked of a claim, and which chunks answer; prover and verifier call it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from parley_attestation.commitment import SeedTree
from parley_attestation.encoding import MAX_BLOB, Bytes32, Digest, Label, digest, u64
from parley_attestation.errors import PeerError, Reason, printable
from parley_attestation.model.chunks import CHUNK, chunk_count
from parley_attestation.model.layout import check_path
from parley_attestation.model.manifest import Entry, Manifest

MAX_DRAWN = 4096  # chunks of one random opening
Runs = tuple[tuple[int, int], ...]  # ascending, apart: first chunk, one past the last


@dataclass(frozen=True, slots=True)
class TensorRequest:
    """The whole tensor `name` of file `path`; shows nothing about where it stands."""

    path: str
    name: str


@dataclass(frozen=True, slots=True)
class RangeRequest:
    """Bytes start..stop of file `path`; whole chunks are shown, so up to 64 KiB more at either end."""

    path: str
    start: int
    stop: int

    def __post_init__(self) -> None:
        check_path(self.path)
        if not 0 <= self.start < self.stop:
            raise PeerError(Reason.MALFORMED, "expected a byte range with 0 <= start < stop")


@dataclass(frozen=True, slots=True)
class RandomRequest:
    """`count` distinct chunks of the whole model, drawn from a seed that neither side chose alone.

    It shows the model's total size, and where the drawn chunks stand.
    """

    seed: Bytes32
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MAX_DRAWN:
            raise PeerError(Reason.MALFORMED, f"expected 1..{MAX_DRAWN} random chunks")


Request = TensorRequest | RangeRequest | RandomRequest


@dataclass(frozen=True, slots=True)
class Pick:
    """Chunks of one entry of the manifest."""

    index: int
    entry: Entry
    runs: Runs

    @property
    def size(self) -> int:
        """Bytes disclosed."""
        return runs_size(self.entry.segment.size, self.runs)


def runs_size(size: int, runs: Runs) -> int:
    """Bytes that the chunks in `runs` hold in a segment of `size` bytes."""
    return sum(min(size, CHUNK * stop) - CHUNK * start for start, stop in runs)


def request_digest(request: Request) -> Digest:
    """What an opening names the request by."""
    if isinstance(request, TensorRequest):
        return digest(Label.MODEL_CHUNK, b"tensor", request.path.encode(), request.name.encode())
    if isinstance(request, RangeRequest):
        return digest(
            Label.MODEL_CHUNK, b"range", request.path.encode(), u64(request.start), u64(request.stop)
        )
    return digest(Label.MODEL_CHUNK, b"random", request.seed, u64(request.count))


def draw(request: RandomRequest, chunks: int) -> tuple[int, ...]:
    """The chunk numbers that a random request asks for, ascending.

    Raises:
        PeerError: OVER_CAP, where the model has fewer chunks.
    """
    if request.count > chunks:
        raise PeerError(Reason.OVER_CAP, f"expected at most {chunks} random chunks, got {request.count}")
    found: set[int] = set()
    turn = 0
    while len(found) < request.count:
        word = digest(Label.MODEL_CHUNK, b"draw", request.seed, u64(turn))
        found.add(int.from_bytes(word, "big") % chunks)
        turn += 1
    return tuple(sorted(found))


def select(manifest: Manifest, request: Request) -> tuple[Pick, ...]:
    """The chunks that answer `request`, in the order of the manifest.

    Raises:
        PeerError: WRONG_INDEX where the model has no such tensor or range; OVER_CAP where an answer
            would be larger than one blob.
    """
    if isinstance(request, TensorRequest):
        picks = tuple(_tensor(manifest, request))
    elif isinstance(request, RangeRequest):
        picks = tuple(_range(manifest, request))
    else:
        picks = tuple(_random(manifest, request))
    if sum(p.size for p in picks) > MAX_BLOB:
        raise PeerError(Reason.OVER_CAP, f"expected an opening of at most {MAX_BLOB} bytes")
    return picks


def _tensor(manifest: Manifest, request: TensorRequest) -> Iterator[Pick]:
    for index, entry in enumerate(manifest.entries):
        if entry.segment.name and (entry.segment.path, entry.segment.name) == (request.path, request.name):
            yield Pick(index, entry, ((0, entry.chunks),) if entry.chunks else ())
            return
    raise PeerError(
        Reason.WRONG_INDEX,
        f"the model has no tensor {printable(request.name)!r} in file {printable(request.path)!r}",
    )


def _range(manifest: Manifest, request: RangeRequest) -> Iterator[Pick]:
    end = -1
    for index, entry in enumerate(manifest.entries):
        segment = entry.segment
        if segment.path != request.path:
            continue
        end = segment.offset + segment.size
        first = max(0, request.start - segment.offset) // CHUNK
        last = chunk_count(min(segment.size, request.stop - segment.offset))
        if segment.size and first < last:
            yield Pick(index, entry, ((first, last),))
    if request.stop > end:
        raise PeerError(
            Reason.WRONG_INDEX,
            f"the model has no bytes {request.start}..{request.stop} in file {printable(request.path)!r}",
        )


def _random(manifest: Manifest, request: RandomRequest) -> Iterator[Pick]:
    wanted = list(draw(request, manifest.chunks))
    for index, entry in enumerate(manifest.entries):
        inside = []
        while wanted and wanted[0] < entry.first_chunk + entry.chunks:
            inside.append(wanted.pop(0) - entry.first_chunk)
        if inside:
            yield Pick(index, entry, join(inside))


def join(numbers: list[int]) -> Runs:
    """Ascending numbers as runs."""
    grouped = groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    rows = ([number for _, number in row] for _, row in grouped)
    return tuple((row[0], row[-1] + 1) for row in rows)


def salts_cover(chunks: int, runs: Runs) -> tuple[tuple[int, int], ...]:
    """(first chunk, height) of the seeds that salt `runs`: the segment's own where all of it is shown."""
    if runs == ((0, chunks),):
        return ((0, SeedTree(Bytes32(bytes(32)), chunks).height),)
    shape = SeedTree(Bytes32(bytes(32)), chunks)
    return tuple((first, height) for run in runs for first, height, _ in shape.cover(*run))
