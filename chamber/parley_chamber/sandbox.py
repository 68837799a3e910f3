"""Room: the chamber. Boxes: other people's code behind bubblewrap, one process tree, bytes in, bytes out.

A box sees a read-only system, the files it was given and a small tmpfs that goes with it. It has every
namespace of its own, no network, no capability, a system-call filter and hard limits; a prover's program
alone has sockets, local ones that end in its box. What leaves a box is what it writes to standard output,
cut off at a limit. This protects the parties from each other's code, not from the machine's operator.
"""

import contextlib
import itertools
import json
import os
import select
import selectors
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from parley_attestation.errors import LocalError, Reason

from parley_chamber.seccomp import allowlist

_ENTRY = Path(__file__).with_name("box_entry.py")
_PACKAGES = ("parley_attestation", "parley_chamber", "parley")
_THREADS = 512  # threads of one process
_BLOCK = 1 << 20
_READY = _GO = b"\0"  # what a box says once it stands, and what it then waits for
BUBBLEWRAP, NONE = "bubblewrap", "none"  # how boxes are kept apart, as receipts state it


@dataclass(frozen=True, slots=True)
class Limits:
    """What a box may use.

    Attributes:
        memory: Bytes of address space of each process.
        seconds: Seconds from start to end; and, on every processor, of processor time of each process.
        output: Bytes on standard output.
        scratch: Bytes in its /tmp.
        processes: Processes; with 1 it can start threads alone.
    """

    memory: int = 4 << 30
    seconds: int = 600
    output: int = 64 << 20
    scratch: int = 64 << 20
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Box:
    """What to run: a program, and the files it may read, by their path in the box.

    Attributes:
        program: Its command.
        files: Files and folders outside, by their path in the box.
        limits: What it may use.
        sockets: Whether its processes may speak with each other over local sockets (AF_UNIX).
    """

    program: tuple[str, ...]
    files: Mapping[str, Path] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    sockets: bool = False


@dataclass(frozen=True, slots=True)
class Sandbox:
    """How boxes are made on this machine; `kind` is `BUBBLEWRAP` or `NONE`."""

    kind: str
    program: str = ""

    @classmethod
    def find(cls, *, unsafe: bool = False) -> "Sandbox":
        """The sandbox of this machine.

        Args:
            unsafe: Run without one where there is none; everything signed then says so.

        Raises:
            LocalError: CONFIG, with the reason why boxes cannot be made here.
        """
        reason = blocked()
        if not reason:
            return cls(BUBBLEWRAP, shutil.which("bwrap") or "")
        if unsafe:
            return cls(NONE)
        raise LocalError(
            Reason.CONFIG,
            f"no sandbox: {reason}",
            hint="install bubblewrap, allow user namespaces, or accept the risk with --unsafe-no-sandbox",
        )

    def run(self, box: Box, stdin: Iterable[bytes] = ()) -> bytes:
        """Run a box to its end and give what it wrote to standard output.

        Raises:
            LocalError: BOX_TIME, BOX_OUTPUT or BOX_FAILED; never with anything that the box said.
        """
        if box.limits.processes > 1 and os.geteuid() == 0:
            raise LocalError(
                Reason.CONFIG,
                "root has no limit of processes: a box of many processes needs a chamber of another user",
                hint="run the chamber under a user of its own",
            )
        with contextlib.ExitStack() as held:
            command = self._command(box, held)
            child = subprocess.Popen(
                command.arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                start_new_session=True,
                pass_fds=command.descriptors,
            )
            held.callback(_end, child)
            if command.info is not None:
                held.callback(_kill_box, _first_process(command.info, command.descriptors[-1]))
            output = _exchange(child, itertools.chain((_GO,), stdin), box.limits)
        if child.returncode != 0:
            raise LocalError(Reason.BOX_FAILED, "the program in the box failed or was stopped at a limit")
        return output

    def _command(self, box: Box, held: contextlib.ExitStack) -> "_Command":
        limits = box.limits
        python = os.path.realpath(sys.executable)
        inner = (
            python,
            "-I",
            "-S",
            str(_ENTRY),
            str(limits.memory),
            str(limits.seconds),
            str(limits.scratch),
        )
        program = (*inner, str(limits.processes * _THREADS), *box.program)
        if self.kind == NONE:
            return _Command(program, (), None)
        rules = allowlist(os.uname().machine, processes=limits.processes > 1, sockets=box.sockets)
        filter_ = _pipe(rules, held)
        options = _pipe("\0".join((*_fixed(limits), *_visible(box))).encode() + b"\0", held)
        info, tell = os.pipe()
        held.callback(os.close, info)
        first = (
            self.program,
            "--args",
            str(options),
            "--seccomp",
            str(filter_),
            "--info-fd",
            str(tell),
            "--",
        )
        return _Command((*first, *program), (options, filter_, tell), info)


@dataclass(frozen=True, slots=True)
class _Command:
    """A command, the descriptors that it inherits, and where bubblewrap says what it started.

    The options go through a descriptor: a box can read the command line, and it would name paths.
    """

    arguments: tuple[str, ...]
    descriptors: tuple[int, ...]
    info: int | None


def python(*arguments: str) -> tuple[str, ...]:
    """The command of a Python program in a box that may import the chamber's own packages."""
    setup = "import sys; sys.path[:0] = sys.argv.pop(1).split(':'); "
    run = "import runpy; m = sys.argv.pop(1); runpy.run_module(m, run_name='__main__', alter_sys=True)"
    return (
        os.path.realpath(sys.executable),
        "-I",
        "-S",
        "-B",
        "-c",
        setup + run,
        ":".join(_import_path()),
        *arguments,
    )


@cache
def blocked() -> str:
    """Why boxes cannot be made on this machine; empty where they can."""
    if sys.platform != "linux":
        return f"bubblewrap needs Linux, this is {sys.platform}"
    program = shutil.which("bwrap")
    if program is None:
        return "bubblewrap (bwrap) is not installed"
    try:
        Sandbox(BUBBLEWRAP, program).run(Box(("/usr/bin/true",), limits=Limits(seconds=20)))
    except LocalError as error:
        return f"bubblewrap cannot make a box: {error.message}; user namespaces may be switched off"
    return ""


def _fixed(limits: Limits) -> list[str]:
    options = ["--unshare-all", "--disable-userns", "--new-session", "--die-with-parent", "--clearenv"]
    options += [
        "--unshare-user",
        "--uid",
        "65534",
        "--gid",
        "65534",
        "--cap-drop",
        "ALL",
        "--hostname",
        "box",
    ]
    options += ["--setenv", "PATH", "/usr/bin", "--chdir", "/", "--dev", "/dev", "--proc", "/proc"]
    options += ["--size", str(limits.scratch), "--tmpfs", "/tmp"]  # noqa: S108 - inside the box
    # A chamber run by root is root to the kernel's settings in /proc/sys, without any capability.
    options += ["--remount-ro", "/dev", "--remount-ro", "/proc", "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib64", "sbin"):
        if Path("/", name).is_symlink():
            options += ["--symlink", f"usr/{name}", f"/{name}"]
        elif Path("/", name).exists():
            options += ["--ro-bind", f"/{name}", f"/{name}"]
    return options


def _visible(box: Box) -> list[str]:
    options: list[str] = []
    for path in (*_runtime(), _ENTRY):
        options += ["--ro-bind", str(path), str(path)]
    for inside, path in box.files.items():
        options += ["--ro-bind", str(path.resolve()), inside]
    return [*options, "--remount-ro", "/"]


@cache
def _runtime() -> tuple[Path, ...]:
    """The interpreter, its installed packages and this project's own: nothing beside them."""
    places = [Path(os.path.realpath(sys.base_prefix)), Path(sysconfig.get_path("purelib")), *_own()]
    return tuple(p for p in dict.fromkeys(places) if not p.is_relative_to("/usr") and p.exists())


@cache
def _own() -> tuple[Path, ...]:
    from importlib.util import find_spec  # noqa: PLC0415 - asked once

    specs = [find_spec(name) for name in _PACKAGES]
    return tuple(Path(place) for spec in specs if spec for place in spec.submodule_search_locations or ())


@cache
def _import_path() -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            [*(str(p.parent) for p in _own()), sysconfig.get_path("purelib"), *site.getsitepackages()]
        )
    )


def _pipe(content: bytes, held: contextlib.ExitStack) -> int:
    """A descriptor from which `content`, smaller than a pipe's buffer, can be read."""
    read, write = os.pipe()
    held.callback(os.close, read)
    with os.fdopen(write, "wb") as out:
        out.write(content)
    return read


def _first_process(info: int, tell: int) -> int | None:
    """A descriptor of the first process in a box, all others' parent; None where bubblewrap failed."""
    os.close(tell)
    said = b""
    while b"}" not in said and (part := os.read(info, 4096)):
        said += part
    with contextlib.suppress(ValueError, ProcessLookupError):
        return os.pidfd_open(json.loads(said)["child-pid"])
    return None


def _kill_box(process: int | None) -> None:
    """Kill a box's first process; the kernel kills the rest before it lets that one go."""
    if process is None:
        return
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, signal.SIGKILL)
    select.select([process], [], [])
    os.close(process)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Kill what is left outside the box and wait for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _exchange(child: "subprocess.Popen[bytes]", source: Iterator[bytes], limits: Limits) -> bytes:
    """Feed a box once it stands, and read it until it closes its output, within its time and size."""
    assert child.stdin is not None
    assert child.stdout is not None
    deadline = time.monotonic() + limits.seconds
    output, feed = bytearray(), _Feed(child.stdin.fileno(), source)
    os.set_blocking(child.stdin.fileno(), False)
    with selectors.DefaultSelector() as ready:
        ready.register(child.stdout, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            events = ready.select(max(left, 0))
            if left <= 0 or not events:
                raise LocalError(Reason.BOX_TIME, f"the box was stopped after {limits.seconds} s")
            for key, _ in events:
                if key.fileobj is child.stdin:
                    if not feed.push():
                        ready.unregister(child.stdin)
                        child.stdin.close()
                    continue
                part = os.read(child.stdout.fileno(), _BLOCK)
                if not output and part:
                    ready.register(child.stdin, selectors.EVENT_WRITE)
                output += part
                if len(output) > limits.output + len(_READY):
                    raise LocalError(Reason.BOX_OUTPUT, f"the box wrote more than {limits.output} bytes")
                if not part:
                    return _finish(child, bytes(output).removeprefix(_READY), deadline, limits)


def _finish(child: "subprocess.Popen[bytes]", output: bytes, deadline: float, limits: Limits) -> bytes:
    try:
        child.wait(max(deadline - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        raise LocalError(Reason.BOX_TIME, f"the box was stopped after {limits.seconds} s") from None
    return output


class _Feed:
    """Writes an iterator of byte strings to a descriptor that does not block."""

    def __init__(self, descriptor: int, source: Iterator[bytes]) -> None:
        self._descriptor = descriptor
        self._source = source
        self._rest = memoryview(b"")

    def push(self) -> bool:
        """Write some; False once all is written or nobody reads any more."""
        if not self._rest:
            part = next(self._source, None)
            if part is None:
                return False
            self._rest = memoryview(part)
        try:
            self._rest = self._rest[os.write(self._descriptor, self._rest) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False
        return True
