"""Room: the edge. Files that are there whole or not at all; every role may call it.

A file is written beside its place, synced, and only then given its name; the folder is synced last.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from parley_attestation.errors import LocalError, Reason


@contextmanager
def atomic_write(path: Path, *, replace: bool = False) -> Iterator[BinaryIO]:
    """Open a file of mode 0600 that appears at `path` once the block ends without an error.

    Args:
        path: Where it is to be; its folder must exist.
        replace: Whether a file that is there already gives way. Without it, not even one that appears
            in the meantime is overwritten.

    Raises:
        LocalError: CONFIG, where the file exists or cannot be written.
    """
    if not replace and os.path.lexists(path):
        raise _exists(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LocalError(Reason.CONFIG, f"{path}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _name(temporary, path, replace=replace)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    _sync(path.parent)


def _name(temporary: Path, path: Path, *, replace: bool) -> None:
    try:
        if replace:
            temporary.replace(path)
        else:
            os.link(temporary, path)  # refuses an existing name, which rename does not
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise LocalError(Reason.CONFIG, f"{path}: {error.strerror}") from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _exists(path: Path) -> LocalError:
    return LocalError(
        Reason.CONFIG, f"{path}: exists already", hint="choose another name, or remove it first"
    )
