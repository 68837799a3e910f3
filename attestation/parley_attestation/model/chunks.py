"""Room: the model. Salted 64 KiB chunks, their tree, and proofs about any set of them.

Leaf j of a segment is SHA-256(0x00 || frame(label, salt_j, chunk_j)); the tree is RFC 9162. Salts are the
leaves of the segment's own seed tree: zero-filled and freshly initialised chunks are guessable, and an
unsalted sibling hash in a proof would confirm the guess. 64 KiB because CPU time is flat from 64 KiB
to 1 MiB, and a smaller leaf discloses less around what was asked for.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence

from parley_attestation.commitment import SeedTree
from parley_attestation.encoding import Bytes32, Digest, Label, frame, u64
from parley_attestation.errors import PeerError, Reason
from parley_attestation.merkle import EMPTY_ROOT, Tree, node_hash

CHUNK = 64 << 10  # bytes; fixed by version 1 of the claim
RUN_HEIGHT = 10  # an aligned run of 2^10 chunks (64 MiB) is hashed in one piece
RUN = CHUNK << RUN_HEIGHT  # bytes

_sha256 = hashlib.sha256
_PREFIX = b"\x00" + frame(Label.MODEL_CHUNK) + u64(32)


def chunk_count(size: int) -> int:
    """Number of chunks in a segment of `size` bytes."""
    return -(-size // CHUNK)


def chunk_size(size: int, index: int) -> int:
    """Bytes of chunk `index` of a segment of `size` bytes."""
    return min(CHUNK, size - CHUNK * index)


def leaf(salt: bytes | bytearray, chunk: bytes | memoryview) -> bytes:
    """Leaf hash of one chunk; the chunk is not copied, and hashing it releases the interpreter lock."""
    state = _sha256(_PREFIX + salt + len(chunk).to_bytes(8, "big"))
    state.update(chunk)
    return state.digest()


def leaves(salts: bytearray, view: memoryview) -> bytes:
    """Leaf hashes, joined, of the chunks in `view` under joined `salts`."""
    found = bytearray()
    for number, start in enumerate(range(0, len(view), CHUNK)):
        found += leaf(salts[32 * number : 32 * number + 32], view[start : start + CHUNK])
    return bytes(found)


def run_seed(seed: Bytes32, size: int, run: int) -> tuple[Bytes32, int]:
    """Seed and height of the part of a segment's seed tree under which run number `run` hangs."""
    tree = SeedTree(seed, chunk_count(size))
    height = min(RUN_HEIGHT, tree.height)
    if tree.height <= RUN_HEIGHT:
        return seed, height
    first = run << RUN_HEIGHT
    return tree.cover(first, first + (1 << RUN_HEIGHT))[0][2], height


def join_runs(roots: Sequence[bytes]) -> Digest:
    """Root of a segment from the roots of its runs: all but the last are perfect subtrees of one height."""
    return Tree(roots).root() if roots else EMPTY_ROOT


def prove(joined: bytes, wanted: Sequence[int]) -> tuple[Digest, ...]:
    """The hashes that, with the leaves at the ascending indices `wanted`, give the root over all leaves.

    Subtrees without a wanted leaf are named by their root, left to right.
    """
    proof: list[Digest] = []

    def walk(low: int, high: int, inside: Sequence[int]) -> None:
        if not inside:
            proof.append(Tree([joined[32 * low : 32 * high]]).root())
        elif high - low > 1:
            middle, cut = _split(low, high, inside)
            walk(low, middle, inside[:cut])
            walk(middle, high, inside[cut:])

    walk(0, len(joined) // 32, wanted)
    return tuple(proof)


def root_from_proof(known: Mapping[int, bytes], size: int, proof: Sequence[bytes]) -> Digest:
    """Root of a tree of `size` leaves, some `known` by index, the rest covered by `proof`, left to right.

    Raises:
        PeerError: BAD_PROOF, where indices leave the tree or the proof has too few or too many hashes.
    """
    wanted = sorted(known)
    if not wanted or wanted[0] < 0 or wanted[-1] >= size:
        raise PeerError(Reason.BAD_PROOF, f"expected indices of leaves in a tree of {size}")
    left = iter(proof)

    def walk(low: int, high: int, inside: Sequence[int]) -> bytes:
        if not inside:
            try:
                return Digest(next(left))
            except StopIteration:
                raise PeerError(Reason.BAD_PROOF, "the proof is too short") from None
        if high - low == 1:
            return known[low]
        middle, cut = _split(low, high, inside)
        below = walk(low, middle, inside[:cut])
        return node_hash(below, walk(middle, high, inside[cut:]))

    root = Digest(walk(0, size, wanted))
    if next(left, None) is not None:
        raise PeerError(Reason.BAD_PROOF, "the proof is too long")
    return root


def _split(low: int, high: int, inside: Sequence[int]) -> tuple[int, int]:
    """Where RFC 9162 splits low..high, and how many of the indices `inside` lie before that."""
    middle = low + (1 << (high - low - 1).bit_length() - 1)
    return middle, bisect_left(inside, middle)
