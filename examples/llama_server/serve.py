"""A program for the box of a chamber: llama.cpp's own server over the GGUF file of the model claim.

It starts the server on a local socket, asks it for the greedy continuation of each prompt, and writes the
bytes of the tokens. The parley side of it is the two functions on frames; the rest is an ordinary client.
"""

import http.client
import json
import os
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
SOCKET = "/tmp/llama.sock"
TOKENS = 4
_FIRST_BYTE = 3  # number of the token for byte 0; unknown, begin and end come before it


def read() -> Iterator[bytes]:
    """Frames on standard input: the limit of an output first, then the prompts."""
    while head := sys.stdin.buffer.read(8):
        yield sys.stdin.buffer.read(*struct.unpack(">Q", head))


def say(answer: bytes) -> None:
    """One answer, a frame that begins with a zero byte."""
    os.write(OUT, struct.pack(">Q", len(answer) + 1) + b"\0" + answer)


class Local(http.client.HTTPConnection):
    """HTTP over a local socket."""

    def connect(self) -> None:
        """Connect to the server."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


def start(model: Path) -> object:
    """llama.cpp's server with one thread and no cache between prompts, so that an answer depends on its prompt."""
    sys.path.insert(0, str(HERE))
    import xllamacpp  # noqa: PLC0415 - it lies beside this file

    chosen = xllamacpp.CommonParams()
    chosen.model.path = str(model)
    chosen.hostnames = [SOCKET]
    chosen.n_ctx, chosen.n_parallel, chosen.n_gpu_layers = 256, 1, 0
    chosen.cpuparams.n_threads = chosen.cpuparams_batch.n_threads = 1
    chosen.n_threads_http = 1
    chosen.warmup = False
    return xllamacpp.Server(chosen)


def ask(prompt: bytes) -> bytes:
    """The bytes of the tokens that follow a prompt, greedily."""
    server = Local("llama")
    wanted = {"prompt": prompt.decode(), "n_predict": TOKENS, "temperature": 0, "cache_prompt": False}
    wanted["return_tokens"] = True
    server.request("POST", "/completion", json.dumps(wanted), {"Content-Type": "application/json"})
    tokens = json.loads(server.getresponse().read())["tokens"]
    server.close()
    return bytes(token - _FIRST_BYTE for token in tokens if token >= _FIRST_BYTE)


OUT = os.dup(1)
if __name__ == "__main__":
    os.dup2(2, 1)  # what the server prints is no answer
    frames = read()
    limit = int.from_bytes(next(frames), "big")
    server = start(Path(sys.argv[1]))
    for one in frames:
        say(ask(one)[:limit])
    os._exit(0)
