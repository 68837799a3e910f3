"""Runs pieces of work in forked children: what one does, a crash or an endless loop included, stays in it."""

import contextlib
import json
import os
import resource
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEMORY = 6 << 30  # bytes of address space of one child
_POLL = 0.01


@dataclass(frozen=True, slots=True)
class Work:
    """One piece: `run` gets a folder of its own and returns a JSON value."""

    key: str
    run: Callable[[Path], Any]
    seconds: float


def results(work: Iterable[Work], jobs: int) -> Iterator[tuple[str, Any]]:
    """Key and result of every piece, as they end; the result is None for one that died or took too long."""
    left = iter(work)
    running: dict[int, tuple[Work, Path, float]] = {}
    more = True
    while more or running:
        while more and len(running) < jobs:
            one = next(left, None)
            if one is None:
                more = False
                break
            folder = Path(tempfile.mkdtemp(prefix="parley-weakened-"))
            running[_fork(one, folder)] = one, folder, time.monotonic() + one.seconds
        for pid in list(running):
            one, folder, until = running[pid]
            ended, _ = os.waitpid(pid, os.WNOHANG)
            if not ended and time.monotonic() < until:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # the child's group: the processes that it started, too
            if not ended:
                os.waitpid(pid, 0)
            del running[pid]
            said = folder / "result.json"
            found = json.loads(said.read_text()) if said.exists() else None
            shutil.rmtree(folder, ignore_errors=True)
            yield one.key, found
        time.sleep(_POLL)


def _fork(work: Work, folder: Path) -> int:
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        return pid
    code = 1
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
        (folder / "tmp").mkdir()
        made = json.dumps(work.run(folder / "tmp"))
        (folder / "result.part").write_text(made)
        (folder / "result.part").rename(folder / "result.json")
        code = 0
    finally:
        os._exit(code)
