"""Room: the edge. Where a log's static files lie: a folder, or any fsspec store (extra `store`).

A file is there whole or not at all, and durable when `write` returns, so that the order of writes is
the order in which a reader, or the writer after a crash, finds them.
"""

import fcntl
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from parley_attestation.errors import LocalError, Reason
from parley_attestation.log.note import MAX_NOTE
from parley_attestation.log.tiles import MAX_BUNDLE

MAX_FILE = max(MAX_NOTE, MAX_BUNDLE)  # bytes of any file of a log
FLUSHES = 4  # flushes to disk at once
TIMEOUT = 10.0  # seconds for one file over HTTP


class LogStore(Protocol):
    """Files by relative path."""

    def read(self, path: str) -> bytes | None:
        """The file, or None where there is none. Raises `LocalError` (UNREACHABLE)."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Put a file in place, whole and durable. Raises `LocalError` (UNREACHABLE)."""
        ...

    def write_all(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Put several files in place, in order; all are durable when it returns. Raises `LocalError`."""
        ...

    def drop(self, path: str) -> None:
        """Remove a folder of files that nobody needs any more; nothing happens where there is none."""
        ...

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other writers out. Raises `LocalError` (CONFIG), where one is at work."""
        ...


class FolderStore:
    """A log in a folder, which any web server can serve as it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: set[Path] = set()
        self._pool = ThreadPoolExecutor(FLUSHES)

    def read(self, path: str) -> bytes | None:
        """The file, or None where there is none."""
        try:
            return (self._folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise LocalError(Reason.UNREACHABLE, f"cannot read {path}: {error.strerror}") from error

    def write(self, path: str, data: bytes) -> None:
        """Put one file in place."""
        self.write_all([(path, data)])

    def write_all(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Write beside, flush to disk, rename, flush the folders; flushes run together and share a commit."""
        targets = [self._folder / path for path, _ in files]
        try:
            for target in targets:
                self._make(target.parent)
            list(self._pool.map(_put_beside, targets, [data for _, data in files]))
            for target in targets:
                _beside(target).rename(target)
            list(self._pool.map(_flush, {target.parent for target in targets}))
        except OSError as error:
            raise LocalError(Reason.UNREACHABLE, f"cannot write {files[0][0]}: {error.strerror}") from error

    def drop(self, path: str) -> None:
        """Remove a folder."""
        shutil.rmtree(self._folder / path, ignore_errors=True)
        self._known.discard(self._folder / path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the folder against other processes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise LocalError(Reason.CONFIG, "another process writes to this log") from error
            yield

    def _make(self, folder: Path) -> None:
        if folder in self._known:
            return
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)
            _flush(folder.parent)
        self._known.add(folder)


def _beside(target: Path) -> Path:
    return target.with_name(target.name + ".tmp")


def _put_beside(target: Path, data: bytes) -> None:
    with _beside(target).open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class FsspecStore:
    """A log in any fsspec store. Object stores put files in place whole; the operator sees to one writer."""

    def __init__(self, url: str) -> None:
        """Open a store such as s3://bucket/log or memory://log.

        Raises:
            LocalError: MISSING_EXTRA, where fsspec is not installed; CONFIG for a URL it cannot open.
        """
        try:
            import fsspec  # noqa: PLC0415 - an extra, imported where it is used
        except ImportError as error:
            raise LocalError(
                Reason.MISSING_EXTRA, "logs outside a folder need fsspec", hint="pip install 'parley[store]'"
            ) from error
        try:
            found: tuple[Any, str] = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise LocalError(Reason.CONFIG, f"fsspec cannot open {url}") from error
        self._files, self._root = found

    def read(self, path: str) -> bytes | None:
        """The file, or None where there is none."""
        try:
            return bytes(self._files.cat_file(f"{self._root}/{path}"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LocalError(Reason.UNREACHABLE, f"cannot read {path}") from error

    def write(self, path: str, data: bytes) -> None:
        """Write one object."""
        target = f"{self._root}/{path}"
        try:
            self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(target, data)
        except OSError as error:
            raise LocalError(Reason.UNREACHABLE, f"cannot write {path}") from error

    def write_all(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Write several objects."""
        for path, data in files:
            self.write(path, data)

    def drop(self, path: str) -> None:
        """Remove a folder."""
        with suppress(OSError):
            self._files.rm(f"{self._root}/{path}", recursive=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Nothing to lock with in general."""
        yield


class HttpReader:
    """Reads a log that somebody serves over HTTP, for monitors and provers."""

    def __init__(self, prefix: str) -> None:
        """Take the log's URL prefix. Raises `LocalError` (CONFIG) for anything but http and https."""
        if not prefix.startswith(("https://", "http://")):
            raise LocalError(Reason.CONFIG, "expected an http or https prefix")
        self._prefix = prefix.rstrip("/")

    def read(self, path: str) -> bytes | None:
        """The file, or None where the server has none."""
        try:
            with urllib.request.urlopen(  # noqa: S310 - the scheme is checked above
                f"{self._prefix}/{path}", timeout=TIMEOUT
            ) as answer:
                data: bytes = answer.read(MAX_FILE + 1)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (404, 410):
                return None
            raise LocalError(Reason.UNREACHABLE, f"the log answers {error.code} for {path}") from error
        except OSError as error:
            raise LocalError(Reason.UNREACHABLE, f"the log does not answer for {path}") from error
        if len(data) > MAX_FILE:
            raise LocalError(Reason.UNREACHABLE, f"the log serves more than {MAX_FILE} bytes for {path}")
        return data


def open_store(where: str) -> LogStore:
    """A folder for a path, an fsspec store for anything with a scheme. Raises `LocalError`."""
    return FsspecStore(where) if "://" in where else FolderStore(Path(where))
