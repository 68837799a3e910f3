"""Room: the chamber. Where plaintext may be: this process's memory and a tmpfs, and no way from there to a disk.

A process that holds plaintext leaves no core dump and no other process of its user can read its memory.
Whether the kernel could swap memory out is `swap`'s business.
"""

import contextlib
import ctypes
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parley_attestation.errors import LocalError, Reason

_PREFIX = "parley-chamber-"
_SHARED = Path("/dev/shm")  # noqa: S108 - checked to be a tmpfs
_PR_SET_DUMPABLE = 4
# Not 0: a kernel that pipes cores to a program ignores 0 and heeds 1, and no core fits into one byte (core(5)).
NO_CORE = (1, 1)


def harden() -> None:
    """Make this process leave no core and be closed to its user's other processes. Raises `LocalError`."""
    resource.setrlimit(resource.RLIMIT_CORE, NO_CORE)
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise LocalError(Reason.CONFIG, "the kernel does not let this process refuse to be dumped")


def executes() -> bool:
    """Whether programs can start from where plaintext is put."""
    return not os.statvfs(_SHARED).f_flag & os.ST_NOEXEC


@contextmanager
def plaintext() -> Iterator[Path]:
    """A folder of this process alone on a tmpfs, wiped at the end.

    Raises:
        LocalError: CONFIG, where /dev/shm is no tmpfs.
    """
    prepare()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-{_started(os.getpid())}-", dir=_SHARED))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def prepare() -> None:
    """Make this process fit to hold plaintext, and remove what a killed one left.

    Raises:
        LocalError: CONFIG, where /dev/shm is no tmpfs.
    """
    harden()
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    if not any(line.split()[1:3] == [str(_SHARED), "tmpfs"] for line in mounts):
        raise LocalError(Reason.CONFIG, f"{_SHARED} is no tmpfs: plaintext has no place here")
    sweep(_SHARED)


def wipe() -> None:
    """Remove what this process itself still has on the tmpfs: it ends in the middle of a run."""
    for folder in _SHARED.glob(f"{_PREFIX}{os.getpid()}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def sweep(place: Path) -> None:
    """Remove what a killed chamber of this user left on the tmpfs; it was never on a disk.

    A process is known by its number and its start: in a container every chamber may have the number of the
    one before it.
    """
    for folder in place.glob(f"{_PREFIX}*"):
        number, _, rest = folder.name.removeprefix(_PREFIX).partition("-")
        with contextlib.suppress(FileNotFoundError):  # another chamber of this user sweeps too
            if folder.lstat().st_uid == os.geteuid() and not _alive(number, rest.rpartition("-")[0]):
                shutil.rmtree(folder, ignore_errors=True)


def _alive(number: str, started: str) -> bool:
    """Whether the process with that number runs that started then, or, where a folder does not say when, any."""
    since = _started(int(number)) if number.isdigit() else ""
    return bool(since) and started in {"", since}


def _started(process: int) -> str:
    """When a process started, in clock ticks since the machine's start; empty where there is none."""
    try:
        return Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""
