"""Room: the floor. The RFC 9162 tree over SHA-256: roots, inclusion and consistency proofs.

A proof can verify under a wrong tree size, so a size is only ever taken from a signed statement that
carries the root too. `merkletools` serves the tests as an independent oracle; nothing here calls it.
"""

import hashlib
from collections.abc import Iterable, Sequence

from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason

_sha256 = hashlib.sha256
EMPTY_ROOT = Digest(_sha256(b"").digest())
MAX_PROOF = 64  # hashes in one proof: no tree here has more than 2^64 leaves


def leaf_hash(data: bytes) -> Digest:
    """Hash of a leaf, RFC 9162 section 2.1.1."""
    return Digest(_sha256(b"\x00" + data).digest())


def node_hash(left: bytes, right: bytes) -> Digest:
    """Hash of an inner node, RFC 9162 section 2.1.1."""
    return Digest(_sha256(b"\x01" + left + right).digest())


class CompactRange:
    """The right edge of a growing tree: appends in O(1) amortised and holds at most 64 hashes."""

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """Resume from `size` leaves and the roots of their perfect subtrees, largest first."""
        if len(hashes) != size.bit_count():
            raise PeerError(Reason.MALFORMED, f"expected {size.bit_count()} hashes for {size} leaves")
        self.size = size
        self.hashes = [Digest(h) for h in hashes]

    def append(self, leaf: bytes) -> None:
        """Add the hash of one leaf."""
        new, size = leaf, self.size
        while size & 1:
            new = _sha256(b"\x01" + self.hashes.pop() + new).digest()
            size >>= 1
        self.hashes.append(Digest(new))
        self.size += 1

    def root(self) -> Digest:
        """Root of the tree so far."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


class Tree:
    """A finished tree over leaf hashes, 64 bytes of memory a leaf; proves inclusion and consistency."""

    def __init__(self, leaves: Iterable[bytes] | bytes | bytearray) -> None:
        """Build from leaf hashes of 32 bytes each, given one by one or as one joined buffer."""
        level = bytearray(leaves if isinstance(leaves, bytes | bytearray) else b"".join(leaves))
        if len(level) % 32:
            raise PeerError(Reason.MALFORMED, "expected leaf hashes of 32 bytes")
        self._levels = [level]
        while len(level) > 32:
            above = bytearray((len(level) // 64) * 32)
            for n in range(len(level) // 64):
                above[32 * n : 32 * n + 32] = _sha256(b"\x01" + level[64 * n : 64 * n + 64]).digest()
            if len(level) % 64:
                above += level[-32:]  # an odd node moves up unhashed
            level = above
            self._levels.append(level)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self._levels[0]) // 32

    def root(self) -> Digest:
        """Root over all leaves."""
        return Digest(bytes(self._levels[-1])) if self.size else EMPTY_ROOT

    def leaf(self, index: int) -> Digest:
        """Hash of leaf `index`."""
        return Digest(bytes(self._levels[0][32 * index : 32 * index + 32]))

    def inclusion(self, index: int) -> tuple[Digest, ...]:
        """Inclusion proof of leaf `index` in the whole tree, RFC 9162 section 2.1.3."""
        if not 0 <= index < self.size:
            raise PeerError(Reason.BAD_PROOF, f"expected an index below {self.size}, got {index}")
        proof = []
        for level in self._levels[:-1]:
            sibling = index ^ 1
            if 32 * sibling < len(level):
                proof.append(Digest(bytes(level[32 * sibling : 32 * sibling + 32])))
            index >>= 1
        return tuple(proof)

    def consistency(self, size: int) -> tuple[Digest, ...]:
        """Proof that the tree of the first `size` leaves is a prefix of this one, RFC 9162 section 2.1.4."""
        if not 1 <= size <= self.size:
            raise PeerError(Reason.BAD_PROOF, f"expected a size in 1..{self.size}, got {size}")
        proof: list[Digest] = []
        low, high, known = 0, self.size, True
        stack: list[Digest] = []
        while size != high:
            split = _split(high - low)
            if size - low <= split:
                stack.append(self._range(low + split, high))
                high = low + split
            else:
                stack.append(self._range(low, low + split))
                low, known = low + split, False
        if not known:
            proof.append(self._range(low, high))
        return tuple(proof + stack[::-1])

    def _range(self, low: int, high: int) -> Digest:
        """Root of the leaves low..high, where the range is a node of the tree."""
        level = (high - low - 1).bit_length()
        position = low >> level
        return Digest(bytes(self._levels[level][32 * position : 32 * position + 32]))


def _split(size: int) -> int:
    """Largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> Digest:
    """Root that `proof` gives for the leaf hash at `index` in a tree of `size`, RFC 9162 section 2.1.3.2.

    Raises:
        PeerError: BAD_PROOF, where index, size and length of the proof do not fit together.
    """
    if not 0 <= index < size:
        raise PeerError(Reason.BAD_PROOF, f"expected an index below the size {size}, got {index}")
    node, last = Digest(leaf), size - 1
    for sibling in proof[: MAX_PROOF + 1]:
        if last == 0:
            raise PeerError(Reason.BAD_PROOF, "the proof is longer than the tree is high")
        if index & 1 or index == last:
            node = node_hash(Digest(sibling), node)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = node_hash(node, Digest(sibling))
        index, last = index >> 1, last >> 1
    if last != 0:
        raise PeerError(Reason.BAD_PROOF, "the proof is shorter than the tree is high")
    return node


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf hash stands at `index` of the tree (`size`, `root`).

    Raises:
        PeerError: BAD_PROOF.
    """
    if root_from_inclusion(leaf, index, size, proof) != Digest(root):
        raise PeerError(Reason.BAD_PROOF, f"the proof of leaf {index} leads to another root")


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the old tree is a prefix of the new one, RFC 9162 section 2.1.4.2.

    An old tree of size 0 is refused: everything is consistent with nothing.

    Raises:
        PeerError: BAD_PROOF.
    """
    if not 1 <= old_size <= new_size:
        raise PeerError(Reason.BAD_PROOF, f"expected sizes 1 <= {old_size} <= {new_size}")
    if old_size == new_size:
        if proof or Digest(old_root) != Digest(new_root):
            raise PeerError(Reason.BAD_PROOF, "two trees of one size differ or carry a proof")
        return
    hashes = [Digest(h) for h in proof[: MAX_PROOF + 2]]
    if old_size & (old_size - 1) == 0:
        hashes.insert(0, Digest(old_root))
    if not hashes:
        raise PeerError(Reason.BAD_PROOF, "the consistency proof is empty")
    index, last = old_size - 1, new_size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise PeerError(Reason.BAD_PROOF, "the consistency proof is too long")
        if index & 1 or index == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        index, last = index >> 1, last >> 1
    if last != 0 or old != Digest(old_root) or new != Digest(new_root):
        raise PeerError(Reason.BAD_PROOF, "the consistency proof leads to another root")
