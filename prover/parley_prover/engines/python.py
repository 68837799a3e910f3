"""Room: the prover. Any Python function as an engine, in a process of its own behind a framed pipe.

The pipe is a socket pair; what the function prints goes elsewhere. A process that is too slow or dies is
killed with its children, and the next batch starts a new one. It inherits almost no environment.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from parley_attestation.errors import LocalError, Reason
from parley_attestation.output import cut

from parley_prover.engines.base import EngineInfo, Prompt
from parley_prover.engines.config import PythonConfig

_CHILD = Path(__file__).with_name("python_child.py")
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")  # of the environment, besides what is configured
_OK = 0


class PythonEngine:
    """One child process that holds the function."""

    def __init__(self, config: PythonConfig) -> None:
        """Start the child and import the function. Raises `LocalError` (ENGINE)."""
        self._config = config
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: socket.socket | None = None
        self._start()

    def describe(self) -> EngineInfo:
        """Say what this engine is."""
        return EngineInfo(
            f"python:{self._config.callable}", sys.version.split()[0], self._config.deterministic
        )

    def generate(self, prompts: Sequence[Prompt]) -> list[bytes]:
        """Answer every prompt in one call of the function. Raises `LocalError` (ENGINE)."""
        if not prompts:
            return []
        if self._child is None or _ended(self._child.pid):
            self.close()
            self._start()
        parts = [struct.pack(">I", len(prompts))]
        for prompt in prompts:
            parts += (struct.pack(">QQQ", prompt.seed, prompt.limit, len(prompt.content)), prompt.content)
        self._deadline = time.monotonic() + self._config.seconds
        try:
            self._send(b"".join(parts))
            self._status()
            if (count := self._number()) != len(prompts):
                raise LocalError(Reason.ENGINE, f"expected {len(prompts)} outputs, the function gave {count}")
            return [self._output(prompt.limit) for prompt in prompts]
        except LocalError:
            self.close()
            raise

    def close(self) -> None:
        """Kill the child and everything it started."""
        if self._pipe is not None:
            self._pipe.close()
        if self._child is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
        self._child = self._pipe = None

    def _start(self) -> None:
        environment = {n: os.environ[n] for n in (*_KEPT, *self._config.environment) if n in os.environ}
        with ExitStack() as stack:
            ours, theirs = socket.socketpair()
            stack.enter_context(theirs)
            log = subprocess.DEVNULL
            if self._config.log is not None:
                log = os.open(self._config.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                stack.callback(os.close, log)
            folders = [] if self._config.path is None else [str(self._config.path.absolute())]
            self._child = subprocess.Popen(
                [sys.executable, "-I", str(_CHILD), str(theirs.fileno()), self._config.callable, *folders],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(theirs.fileno(),),
                env=environment,
                start_new_session=True,
            )
        self._pipe = ours
        self._deadline = time.monotonic() + self._config.start_seconds
        try:
            self._status()
        except LocalError:
            self.close()
            raise

    def _status(self) -> None:
        """Read a status byte; after a failure, the class of the exception: its text may hold a prompt."""
        if self._receive(1)[0] != _OK:
            name = self._receive(min(self._number(), 100)).decode("ascii", "replace")
            raise LocalError(
                Reason.ENGINE, f"{self._config.callable} raised {name}", hint="see the engine's log"
            )

    def _number(self) -> int:
        return int.from_bytes(self._receive(8), "big")

    def _output(self, limit: int) -> bytes:
        if (size := self._number()) > limit + 1:
            raise LocalError(Reason.ENGINE, "the process of the function broke its framing")
        return cut(self._receive(size), limit)

    def _wait(self) -> socket.socket:
        assert self._pipe is not None
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise LocalError(Reason.ENGINE, f"{self._config.callable} ran past its deadline and was killed")
        self._pipe.settimeout(left)
        return self._pipe

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._wait().send(view[: 1 << 20]) :]
            except TimeoutError:
                continue  # the next wait says so
            except OSError as error:
                raise self._died() from error

    def _receive(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                part = self._wait().recv(min(size - len(data), 1 << 20))
            except TimeoutError:
                continue  # the next wait says so
            except OSError as error:
                raise self._died() from error
            if not part:
                raise self._died()
            data += part
        return bytes(data)

    def _died(self) -> LocalError:
        return LocalError(
            Reason.ENGINE, f"the process of {self._config.callable} died", hint="see the engine's log"
        )


def _ended(pid: int) -> bool:
    """Whether the child has ended, without reaping it: its group is killed first, under a number still its own."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
