"""Room: the session. Salted commitments to the result bits, so that versions compare without content."""

from collections.abc import Sequence

from parley_attestation.commitment import SeedTree
from parley_attestation.encoding import Bytes32, Digest, Label, mac, u64
from parley_attestation.merkle import CompactRange, leaf_hash


def result_root(seed: Bytes32, exercise: Digest, outcomes: Sequence[bytes]) -> Digest:
    """Root over one salted leaf per challenged unit, in challenge order.

    Args:
        seed: 32 secret bytes; the salts are the leaves of its seed tree.
        exercise: The exercise id.
        outcomes: One byte per claim over the unit's frame, for every unit.
    """
    keys = SeedTree(seed, len(outcomes)).keys()
    tree = CompactRange()
    for n, codes in enumerate(outcomes):
        key = bytes(keys[32 * n : 32 * n + 32])
        tree.append(result_leaf(key, exercise, n, codes))
    return tree.root()


def result_leaf(key: bytes, exercise: Digest, place: int, codes: bytes) -> Digest:
    """The leaf of one unit's results."""
    return leaf_hash(mac(key, Label.RESULT_BIT, exercise, u64(place), codes))


def split(codes: bytes, lengths: Sequence[int]) -> list[bytes]:
    """Cut joined outcome bytes into those of each unit."""
    found, start = [], 0
    for length in lengths:
        found.append(codes[start : start + length])
        start += length
    return found
