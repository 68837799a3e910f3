"""Room: the edge. The files of a model where they lie; `hashing` and `verify` call it.

Links, special files and paths outside the folder are refused, and so is a file that is not the same
before and after it was read. A source is rebuilt from its location in every worker.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from parley_attestation.errors import LocalError, PeerError, Reason, printable
from parley_attestation.model.layout import MAX_FILES, check_path

ReadInto = Callable[[int, memoryview], None]  # fills the view from an offset in bytes, or raises


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file of the model: path below the folder, bytes, and what changes whenever its content does."""

    path: str
    size: int
    version: str


class Source(Protocol):
    """Where the files of one model lie; `block` is how many bytes to read at once."""

    block: int

    def scan(self) -> tuple[FileInfo, ...]:
        """All files, in the order of their paths."""

    def reading(self, info: FileInfo) -> AbstractContextManager[ReadInto]:
        """Open a file; on leaving, refuse it if it changed since `info` was taken."""


def open_source(location: str) -> Source:
    """The source at `location`: a local path, or a URL that fsspec knows. Raises `LocalError`."""
    if "://" in location:
        from parley_attestation.edge.weights.store import StoreFiles  # noqa: PLC0415 - needs an extra

        return StoreFiles(location)
    return LocalFiles(Path(location))


def changed(path: str) -> PeerError:
    """The refusal of a file that did not hold still."""
    return PeerError(
        Reason.BAD_MODEL_CLAIM,
        f"file {printable(path)!r} changed while it was read",
        hint="work on a copy that nothing writes to",
    )


class LocalFiles:
    """A folder, or one file, on this machine."""

    block = 1 << 20  # fits the second-level cache, so that hashing finds the bytes there

    def __init__(self, location: Path) -> None:
        """Take the folder, or the file; the location itself may be reached through links."""
        try:
            location = location.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise LocalError(Reason.CONFIG, f"no model at {printable(str(location))!r}") from error
        self._single = None if location.is_dir() else location.name
        self._folder = location if location.is_dir() else location.parent

    def scan(self) -> tuple[FileInfo, ...]:
        """All files, in the order of their paths.

        Raises:
            PeerError: BAD_MODEL_CLAIM, for links, special files, unusual names, or no file at all.
        """
        if self._single is not None:
            return (_info(self._single, os.lstat(self._folder / self._single)),)
        found = sorted(self._walk(""), key=lambda info: info.path)
        if not 1 <= len(found) <= MAX_FILES:
            raise PeerError(Reason.BAD_MODEL_CLAIM, f"expected 1..{MAX_FILES} files, found {len(found)}")
        return tuple(found)

    def _walk(self, below: str) -> Iterator[FileInfo]:
        try:
            with os.scandir(self._folder / below) as entries:
                for entry in entries:
                    path = check_path(below + entry.name)
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        yield from self._walk(path + "/")
                    else:
                        yield _info(path, status)
        except OSError as error:
            raise unreadable(below or ".", error) from error

    @contextmanager
    def reading(self, info: FileInfo) -> Iterator[ReadInto]:
        """Open a file; on leaving, refuse it if it changed since `info` was taken."""
        try:
            handle = os.open(
                self._folder / info.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            )
        except OSError as error:
            raise unreadable(info.path, error) from error
        try:
            if _info(info.path, os.fstat(handle)) != info:
                raise changed(info.path)

            def read_into(offset: int, view: memoryview) -> None:
                done = 0
                while done < len(view):
                    try:
                        got = os.preadv(handle, [view[done:]], offset + done)
                    except OSError as error:
                        raise unreadable(info.path, error) from error
                    if got == 0:
                        raise changed(info.path)
                    done += got

            yield read_into
            if _info(info.path, os.fstat(handle)) != info:
                raise changed(info.path)
        finally:
            os.close(handle)


def unreadable(path: str, error: OSError) -> LocalError:
    """Our own failure to read a file."""
    return LocalError(Reason.CORRUPT, f"cannot read {printable(path)!r}: {error.strerror}")


def _info(path: str, status: os.stat_result) -> FileInfo:
    if stat.S_ISLNK(status.st_mode):
        raise PeerError(
            Reason.BAD_MODEL_CLAIM,
            f"{printable(path)!r} is a symbolic link",
            hint="copy the folder with its links resolved: cp -rL",
        )
    if not stat.S_ISREG(status.st_mode):
        raise PeerError(Reason.BAD_MODEL_CLAIM, f"{printable(path)!r} is no regular file")
    version = f"{status.st_dev}:{status.st_ino}:{status.st_mtime_ns}:{status.st_ctime_ns}"
    return FileInfo(path, status.st_size, version)
