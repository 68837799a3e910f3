"""Room: the prover. The process behind the python engine; only that engine starts it (`python -m`).

It imports nothing of this project, so that it starts fast. The pipe is what it was given as standard
input: it takes that for itself before any foreign code runs, and what that code prints goes to the log.

Every number on the pipe is an unsigned 64-bit big-endian integer.
  request: count, then of each prompt its seed, its limit, its size and its bytes
  reply:   DONE, count, then of each output its size and its bytes, at most one byte over the limit:
           it tells the engine whether a character is cut
           FAILED, size and bytes of the name of the exception's class
           MISFIT, and nothing more: the callable gave something other than one `bytes` a prompt
Once, before the first request, it replies DONE and 0, or FAILED, about the import.
"""

import importlib
import math
import os
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

DONE, FAILED, MISFIT = 0, 1, 2
MAX_NAME = 100  # bytes of a class name
_PIECE = 1 << 20  # bytes asked of the pipe at once


class Pipe:
    """Numbers and byte strings over a socket, each read whole or not at all, before a deadline."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.deadline = math.inf  # on the monotonic clock, in seconds

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes. Raises `EOFError` when the other side is gone, `OSError`."""
        data = bytearray()
        while len(data) < size:
            self._arm()
            piece = self.channel.recv(min(size - len(data), _PIECE))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def number(self) -> int:
        """Read one number. Raises `EOFError`, `OSError`."""
        return int.from_bytes(self.read(8), "big")

    def write(self, *parts: int | bytes) -> None:
        """Write numbers, and byte strings each after its size. Raises `OSError`."""
        for part in parts:
            number = part if isinstance(part, int) else len(part)
            self._arm()
            self.channel.sendall(struct.pack(">Q", number))
            if isinstance(part, bytes):
                self._arm()
                self.channel.sendall(part)

    def _arm(self) -> None:
        if self.deadline == math.inf:
            return
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.channel.settimeout(left)


def _take_pipe() -> Pipe:
    """Move the pipe off standard input, where foreign code could read it."""
    channel = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return Pipe(channel)


def _failed(pipe: Pipe, error: BaseException) -> None:
    """Tell the class alone: the text may quote a prompt. The traceback goes to the log."""
    traceback.print_exception(error)
    pipe.write(FAILED, type(error).__name__.encode("ascii", "replace")[:MAX_NAME])


def _load(name: str) -> Callable[[list[bytes], list[int]], Any]:
    module, _, attribute = name.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if not callable(found):
        raise TypeError
    return found  # type: ignore[no-any-return]  # what is configured is trusted to be that callable


def _serve(pipe: Pipe, function: Callable[[list[bytes], list[int]], Any]) -> None:
    prompts, seeds, limits = [], [], []
    for _ in range(pipe.number()):
        seeds.append(pipe.number())
        limits.append(pipe.number())
        prompts.append(pipe.read(pipe.number()))
    try:
        outputs = function(prompts, seeds)
    except Exception as error:  # noqa: BLE001 - whatever a model raises is reported, and the next batch comes
        _failed(pipe, error)
        return
    fits = isinstance(outputs, list) and all(isinstance(output, bytes) for output in outputs)
    if not fits or len(outputs) != len(limits):
        pipe.write(MISFIT)
        return
    pipe.write(
        DONE, len(outputs), *(output[: limit + 1] for output, limit in zip(outputs, limits, strict=True))
    )


def main(name: str) -> None:
    """Import the callable `module:function`, then answer batches until the engine is gone."""
    pipe = _take_pipe()
    try:
        function = _load(name)
    except Exception as error:  # noqa: BLE001 - whatever an import raises is reported
        _failed(pipe, error)
        return
    pipe.write(DONE, 0)
    while True:
        try:
            _serve(pipe, function)
        except (EOFError, OSError):
            return


if __name__ == "__main__":
    main(sys.argv[1])
