"""Room: the edge. Plain SHA-256 of files, for bundles of other formats; a pass of its own over the bytes."""

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor

from parley_attestation.edge.weights.hashing import Progress
from parley_attestation.edge.weights.source import FileInfo, open_source
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason, printable
from parley_attestation.model.oms import SINGLE, OmsStatement


def digest_file(location: str, info: FileInfo) -> bytes:
    """SHA-256 of one file. Runs in a worker. Raises `PeerError`, `LocalError`."""
    source = open_source(location)
    state = hashlib.sha256()
    buffer = memoryview(bytearray(min(source.block, info.size)))
    with source.reading(info) as read_into:
        for start in range(0, info.size, max(1, len(buffer))):
            view = buffer[: min(len(buffer), info.size - start)]
            read_into(start, view)
            state.update(view)
    return state.digest()


def file_digests(
    location: str,
    *,
    ignored: Iterable[str] = (),
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> dict[str, Digest]:
    """SHA-256 of every file at `location`, by path.

    Args:
        location: A folder, a single file, or a URL that fsspec knows.
        ignored: Files, and folders with all that is below them, to leave out.
        executor: Where hashing runs, one file a task; None hashes in this thread.
        progress: Called with bytes done and bytes in all.

    Raises:
        PeerError: BAD_MODEL_CLAIM, for links, special files, and files that change.
        LocalError: CORRUPT, where files cannot be read.
    """
    left_out = tuple(i.rstrip("/") for i in ignored)
    infos = [i for i in open_source(location).scan() if not _below(i.path, left_out)]
    total, done = sum(i.size for i in infos), 0
    found: dict[str, Digest] = {}
    locations = [location] * len(infos)
    results = (executor.map if executor is not None else map)(digest_file, locations, infos)
    for info, sha256 in zip(infos, results, strict=True):
        found[info.path] = Digest(sha256)
        done += info.size
        if progress is not None:
            progress(done, total)
    return found


def _below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def compare_digests(said: OmsStatement, found: Mapping[str, Digest]) -> None:
    """Check that the files of a bundle are those found.

    Raises:
        PeerError: BAD_MODEL_CLAIM, naming the first file that differs.
    """
    files = said.files
    if set(files) == {SINGLE} and len(found) == 1:
        files = dict(zip(found, files.values(), strict=True))
    for path in sorted(set(files) | set(found)):
        if path not in files:
            raise PeerError(Reason.BAD_MODEL_CLAIM, f"file {printable(path)!r} is not in the bundle")
        if path not in found:
            raise PeerError(Reason.BAD_MODEL_CLAIM, f"file {printable(path)!r} is missing")
        if files[path] != found[path]:
            raise PeerError(Reason.BAD_MODEL_CLAIM, f"file {printable(path)!r} differs from the bundle")
