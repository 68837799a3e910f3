"""Room: the prover. Engine `python`: any importable callable, in a process of its own.

The process sees almost no environment and none of our files or sockets. One that is late, dies or
breaks its framing is killed with everything that it started, and the next batch starts another.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from platform import python_version

from parley_attestation.errors import LocalError, Reason
from parley_attestation.output import cut

from parley_prover.engines.base import EngineInfo, Prompt
from parley_prover.engines.config import PythonConfig
from parley_prover.engines.python_child import DONE, FAILED, MAX_NAME, MISFIT, Pipe

_LOG_HINT = "name a file as `log` in the engine's configuration to see the traceback"


class PythonEngine:
    """One callable, and the process that runs it; one batch at a time."""

    def __init__(self, config: PythonConfig) -> None:
        """Start the process and import the callable. Raises `LocalError` (CONFIG, ENGINE)."""
        self._config = config
        self._hint = _LOG_HINT if config.log is None else f"see {config.log}"
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Pipe | None = None
        self._start()

    def describe(self) -> EngineInfo:
        """Say what this engine is; whether it repeats itself is the word of who configured it."""
        config = self._config
        return EngineInfo(f"python:{config.callable}", python_version(), config.deterministic)

    def generate(self, prompts: Sequence[Prompt]) -> list[bytes]:
        """Answer the batch by one call of the callable. Raises `LocalError` (ENGINE)."""
        if not prompts:
            return []
        pipe = self._pipe
        if pipe is None or not _quiet(pipe):
            pipe = self._start()
        late = f"gave no answer in {self._config.seconds:g} s and was stopped"
        with self._guard(pipe, self._config.seconds, late, "died"):
            pipe.write(len(prompts))
            for prompt in prompts:
                pipe.write(prompt.seed, prompt.limit, prompt.content)
            return self._reply(pipe, [prompt.limit for prompt in prompts])

    def close(self) -> None:
        """Kill the process and everything that it started."""
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        if pipe is not None:
            pipe.channel.close()
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # not yet waited for: the number is still its own
            process.wait()

    def _start(self) -> Pipe:
        self.close()
        config = self._config
        with ExitStack() as stack:
            ours, theirs = socket.socketpair()
            stack.enter_context(theirs)
            self._pipe = Pipe(ours)
            try:
                log = os.open(config.log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                stack.callback(os.close, log)
            except OSError as error:
                self.close()
                raise LocalError(Reason.CONFIG, f"{config.log}: {error.strerror}") from error
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "parley_prover.engines.python_child", config.callable],
                stdin=theirs.fileno(),
                stdout=log,
                stderr=log,
                env=self._environment(),
                start_new_session=True,
            )
        late, died = f"was not imported in {config.start_seconds:g} s", "died while it was imported"
        try:
            with self._guard(self._pipe, config.start_seconds, late, died):
                self._reply(self._pipe, [])
        except LocalError:
            self.close()
            raise
        return self._pipe

    @contextmanager
    def _guard(self, pipe: Pipe, seconds: float, late: str, died: str) -> Iterator[None]:
        """Talk for at most `seconds`; stop the process unless it ends between two frames."""
        pipe.deadline = time.monotonic() + seconds
        try:
            yield
        except LocalError:  # told by the process in a whole frame, or it is stopped already
            raise
        except TimeoutError:
            self.close()
            raise self._error(late) from None
        except (EOFError, OSError):
            self.close()
            raise self._error(died) from None
        except BaseException:
            self.close()
            raise

    def _environment(self) -> dict[str, str]:
        named = ("PATH", *self._config.environment)
        found = {name: os.environ[name] for name in named if name in os.environ}
        if self._config.path is not None:
            found["PYTHONPATH"] = str(self._config.path.absolute())
        return found

    def _reply(self, pipe: Pipe, limits: list[int]) -> list[bytes]:
        status = pipe.number()
        if status == FAILED:
            name = self._output(pipe, MAX_NAME).decode("ascii", "replace")
            raise self._error(f"raised {name}")
        if status == MISFIT:
            raise self._error(f"did not return a list of {len(limits)} bytes objects, one a prompt")
        if status != DONE or pipe.number() != len(limits):
            raise self._broken()
        return [cut(self._output(pipe, limit + 1), limit) for limit in limits]

    def _output(self, pipe: Pipe, limit: int) -> bytes:
        if (size := pipe.number()) > limit:
            raise self._broken()
        return pipe.read(size)

    def _broken(self) -> LocalError:
        self.close()
        return self._error("broke its framing")

    def _error(self, what: str) -> LocalError:
        return LocalError(Reason.ENGINE, f"{self._config.callable} {what}", hint=self._hint)


def _quiet(pipe: Pipe) -> bool:
    """Say whether the process lives and owes nothing: its end is open, and no byte waits."""
    pipe.channel.settimeout(0)
    try:
        pipe.channel.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
