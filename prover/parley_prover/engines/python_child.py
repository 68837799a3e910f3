"""Room: the prover. The child of the python engine: run as a script, imports nothing of this project.

Frames: in, a count, then seed, limit, size and bytes of each prompt; out, a status byte and either the
outputs with their sizes or the class of the exception. The parent's end closing is the order to stop.
"""

import importlib
import os
import socket
import struct
import sys


def _receive(pipe: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = pipe.recv(min(size - len(data), 1 << 20))
        if not part:
            os._exit(0)  # the parent is gone; whatever the function left running goes too
        data += part
    return bytes(data)


def _failure(error: BaseException) -> bytes:
    name = type(error).__name__.encode("ascii", "replace")[:100]
    return b"\x01" + struct.pack(">Q", len(name)) + name


def _outputs(found: object, limits: list[int]) -> bytes:
    if not isinstance(found, list) or not all(isinstance(one, bytes) for one in found):
        raise TypeError
    parts = [b"\x00", struct.pack(">Q", len(found))]
    for one, limit in zip(found, limits, strict=len(found) == len(limits)):
        kept = one[: limit + 1]  # one byte more tells the parent whether a character was cut
        parts += (struct.pack(">Q", len(kept)), kept)
    return b"".join(parts)


def main(handle: str, target: str, *folders: str) -> None:
    """Import the function, then answer batch after batch until the parent goes."""
    pipe = socket.socket(fileno=int(handle))
    pipe.set_inheritable(False)
    sys.path[:0] = folders
    module, _, name = target.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except BaseException as error:  # noqa: BLE001 - whatever stops the import is reported by its class
        pipe.sendall(_failure(error))
        return
    pipe.sendall(b"\x00")
    while True:
        (count,) = struct.unpack(">I", _receive(pipe, 4))
        prompts, seeds, limits = [], [], []
        for _ in range(count):
            seed, limit, size = struct.unpack(">QQQ", _receive(pipe, 24))
            prompts.append(_receive(pipe, size))
            seeds.append(seed)
            limits.append(limit)
        try:
            answer = _outputs(function(prompts, seeds), limits)
        except Exception as error:  # noqa: BLE001 - the class goes to the parent, the text nowhere
            answer = _failure(error)
        pipe.sendall(answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
