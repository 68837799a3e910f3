"""Room: test sets. A secret, unbiased order from 32 bytes; registration calls it.

Fisher-Yates (Durstenfeld 1964) from the last place down. A draw for place i takes the next 64-bit word,
keeps as many low bits as i has, and is repeated while it exceeds i: every permutation is equally likely
as far as the words are random. Words come in blocks of 64 KiB: SHAKE-256 of HMAC-SHA-256(seed, block).
"""

import hashlib
import struct
from collections.abc import Iterator, MutableSequence

from parley_attestation.encoding import Bytes32, Label, mac, u64

_WORDS = 8192  # in one block


def shuffle(values: MutableSequence[int], seed: Bytes32, context: bytes) -> None:
    """Put `values` in an order that depends on `seed`, `context` and their number alone."""
    words = _words(seed, context)
    for place in range(len(values) - 1, 0, -1):
        mask = (1 << place.bit_length()) - 1
        while (other := next(words) & mask) > place:
            pass
        values[place], values[other] = values[other], values[place]


def _words(seed: Bytes32, context: bytes) -> Iterator[int]:
    counter = 0
    while True:
        block = mac(seed, Label.LOCAL, b"shuffle", context, u64(counter))
        yield from struct.unpack(f">{_WORDS}Q", hashlib.shake_256(block).digest(8 * _WORDS))
        counter += 1
