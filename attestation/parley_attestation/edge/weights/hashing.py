"""Room: the edge. One pass over a model's bytes, on any `concurrent.futures.Executor`.

The work is cut into units of at most about 64 MiB of one file: small tensors are put together, large
ones cut at aligned runs of chunks whose subtree roots join to the tensor's root. A unit carries the seeds
of its own chunks and nothing else, can be pickled, and returns 32 bytes a piece; a bounded window of
units is in flight, so memory does not grow with the model.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from parley_attestation.commitment import SeedTree
from parley_attestation.edge.weights.plan import Plan
from parley_attestation.edge.weights.source import FileInfo, ReadInto, changed, open_source
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.merkle import Tree
from parley_attestation.model.chunks import CHUNK, RUN, chunk_count, join_runs, leaves, run_seed
from parley_attestation.model.layout import Segment
from parley_attestation.model.manifest import Keys

Progress = Callable[[int, int], None]  # bytes done, bytes in all
WINDOW = 32  # units in flight
_PIECES = 1024  # in one unit, so that a model of tiny tensors still moves


@dataclass(frozen=True, slots=True)
class Piece:
    """At most one run of one segment: its place in the file, and the seed and height above its salts."""

    segment: int
    offset: int
    size: int
    seed: Bytes32
    height: int


@dataclass(frozen=True, slots=True)
class Unit:
    """What one worker does at a time."""

    location: str
    info: FileInfo
    pieces: tuple[Piece, ...]

    @property
    def size(self) -> int:
        """Bytes to be hashed."""
        return sum(p.size for p in self.pieces)


def hash_unit(unit: Unit) -> bytes:
    """Hash the pieces of one unit; returns their roots, joined. Runs in a worker.

    Raises:
        PeerError: BAD_MODEL_CLAIM, where the file changed.
        LocalError: CORRUPT, where it cannot be read.
    """
    source = open_source(unit.location)
    buffer = memoryview(bytearray(min(source.block, max(p.size for p in unit.pieces))))
    with source.reading(unit.info) as read_into:
        return b"".join(_hash_piece(piece, read_into, buffer) for piece in unit.pieces)


def _hash_piece(piece: Piece, read_into: ReadInto, buffer: memoryview) -> bytes:
    salts = SeedTree(piece.seed, 1 << piece.height).keys()
    found = bytearray()
    for start in range(0, piece.size, len(buffer)):
        view = buffer[: min(len(buffer), piece.size - start)]
        read_into(piece.offset + start, view)
        at = 32 * (start // CHUNK)
        found += leaves(salts[at : at + 32 * chunk_count(len(view))], view)
    return Tree([bytes(found)]).root()


def units(plan: Plan, keys: Keys, *, skip: frozenset[str] = frozenset()) -> Iterator[Unit]:
    """Cut a plan into units, in the order of the manifest; files in `skip` are left out."""
    infos = {f.path: f for f in plan.files}
    held: list[Piece] = []
    size, path = 0, ""
    for number, segment in enumerate(plan.segments):
        if segment.path in skip or segment.size == 0:
            continue
        for piece in _pieces(segment, number, keys.chunks(number)):
            if held and (path != segment.path or size + piece.size > RUN or len(held) >= _PIECES):
                yield Unit(plan.location, infos[path], tuple(held))
                held, size = [], 0
            held.append(piece)
            size, path = size + piece.size, segment.path
    if held:
        yield Unit(plan.location, infos[path], tuple(held))


def _pieces(segment: Segment, number: int, seed: Bytes32) -> Iterator[Piece]:
    for run, start in enumerate(range(0, segment.size, RUN)):
        piece_seed, height = run_seed(seed, segment.size, run)
        yield Piece(number, segment.offset + start, min(RUN, segment.size - start), piece_seed, height)


@dataclass(frozen=True, slots=True)
class Resume:
    """Files whose segments have known roots already, and what to call when another one is finished."""

    known: Mapping[str, Sequence[Digest]]
    finished: Callable[[FileInfo, Sequence[Digest]], None]


def hash_plan(
    plan: Plan,
    keys: Keys,
    executor: Executor | None = None,
    progress: Progress | None = None,
    resume: Resume | None = None,
) -> list[Digest]:
    """Hash everything; returns the root of each segment, in order.

    Args:
        plan: From `make_plan`; the listing is compared again after the pass.
        keys: The keys of the claim's series.
        executor: Where units run; None runs them here.
        progress: Called with bytes done and bytes in all.
        resume: What an earlier, interrupted pass has left.

    Raises:
        PeerError: BAD_MODEL_CLAIM, where files changed under way.
        LocalError: CORRUPT, where they cannot be read.
    """
    gathered = _Gathered(plan, resume)
    done = sum(f.size for f in plan.files if f.path in gathered.roots)
    for unit, found in _run(units(plan, keys, skip=frozenset(gathered.roots)), executor):
        gathered.take(unit, found)
        done += unit.size
        if progress is not None:
            progress(done, plan.size)
    roots = gathered.finish()
    if moved := set(plan.files) ^ set(open_source(plan.location).scan()):
        raise changed(min(info.path for info in moved))
    return roots


class _Gathered:
    """Joins the roots that units return to segments and files; units come in the order of the manifest."""

    def __init__(self, plan: Plan, resume: Resume | None) -> None:
        self._resume = resume
        self._infos = {f.path: f for f in plan.files}
        self._rows: dict[str, list[int]] = {f.path: [] for f in plan.files}
        for number, segment in enumerate(plan.segments):
            self._rows[segment.path].append(number)
        self._runs: dict[int, list[bytes]] = {}
        self._path = ""
        self.roots: dict[str, Sequence[Digest]] = dict(resume.known) if resume is not None else {}

    def take(self, unit: Unit, found: bytes) -> None:
        if self._path not in {"", unit.info.path}:
            self._close(self._path)
        self._path = unit.info.path
        for n, piece in enumerate(unit.pieces):
            self._runs.setdefault(piece.segment, []).append(found[32 * n : 32 * n + 32])

    def _close(self, path: str) -> None:
        self.roots[path] = [join_runs(self._runs.pop(n, [])) for n in self._rows[path]]
        if self._resume is not None:
            self._resume.finished(self._infos[path], self.roots[path])

    def finish(self) -> list[Digest]:
        for path in self._rows:
            if path not in self.roots:  # the last file, and files without a byte
                self._close(path)
        return [root for path in self._rows for root in self.roots[path]]


def _run(work: Iterator[Unit], executor: Executor | None) -> Iterator[tuple[Unit, bytes]]:
    if executor is None:
        for unit in work:
            yield unit, hash_unit(unit)
        return
    flight: deque[tuple[Unit, Future[bytes]]] = deque()
    try:
        for unit in work:
            flight.append((unit, executor.submit(hash_unit, unit)))
            if len(flight) >= WINDOW:
                first, future = flight.popleft()
                yield first, future.result()
        while flight:
            first, future = flight.popleft()
            yield first, future.result()
    finally:
        for _, future in flight:
            future.cancel()
