"""Sealing throughput on one core, beside plain AES-256-GCM and beside HPKE over the whole content.

`python -m benchmarks.sealing [MIB]`. Goal: 1 GB/s a core, memory flat.
"""

import io
import os
import resource
import sys
import time

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import Role
from parley_attestation.sealing import CHUNK, Sealed, seal, unseal


class Zeros(io.RawIOBase):
    """A source without a disk behind it."""

    def __init__(self, size: int) -> None:
        self.left, self.block = size, os.urandom(CHUNK)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes."""
        size = min(size, self.left)
        self.left -= size
        return self.block if size == CHUNK else self.block[:size]


class Chain:
    """Reads from an iterator of byte strings, whole parts where they fit."""

    def __init__(self, parts) -> None:
        self.parts, self.rest = parts, b""

    def read(self, size: int) -> bytes:
        """At most `size` bytes."""
        data = self.rest or next(self.parts, b"")
        self.rest = data[size:]
        return data[:size]


def main() -> None:
    size = (int(sys.argv[1]) if len(sys.argv) > 1 else 2048) << 20
    content = Sealed(Role.PROVER, Digest(bytes(32)), Digest(bytes(32)), size)
    key = Bytes32(os.urandom(32))
    began = time.process_time()
    for _ in seal(content, key, Zeros(size).read):
        pass
    one = time.process_time() - began
    began = time.process_time()
    for _ in unseal(content, key, Chain(seal(content, key, Zeros(size).read)).read):
        pass
    both = time.process_time() - began
    cipher, block, nonce = AESGCM(os.urandom(32)), os.urandom(CHUNK), bytes(12)
    began = time.process_time()
    for _ in range(size // CHUNK):
        cipher.encrypt(nonce, block, b"")
    bare = time.process_time() - began
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    whole = os.urandom(256 << 20)
    began = time.process_time()
    suite.encrypt(whole, X25519PrivateKey.generate().public_key(), b"")
    at_once = time.process_time() - began
    print(f"{size / 1e9:.2f} GB of content, one core, CPU time (goal: 1 GB/s):")
    print(f"  seal          {size / 1e9 / one:6.2f} GB/s")
    print(
        f"  seal + unseal {size / 1e9 / both:6.2f} GB/s, unseal alone about {size / 1e9 / (both - one):.2f}"
    )
    print(
        f"  peer: bare AES-256-GCM {size / 1e9 / bare:.2f} GB/s; HPKE over 256 MiB at once {len(whole) / 1e9 / at_once:.2f} GB/s"
    )
    print(f"  peak memory before that last one: {peak} MiB")


if __name__ == "__main__":
    main()
