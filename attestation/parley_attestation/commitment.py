"""Room: the floor. Salted commitments to items and outputs, with keys from a tree of seeds.

Leaf i of a test set is SHA-256(0x00 || C_prompt || C_reference). Each C is an HMAC under its own
per-item, per-field key over frame(label, owner, set id, index, field, content digest), so opening a
prompt shows C_reference and nothing about the reference. The keys of one field are the leaves of a
binary tree of seeds: the keys of a contiguous range follow from at most 2 log2(N) seeds, and those of
an aligned range from one.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from parley_attestation.encoding import Bytes32, Digest, Label, Salt, digest, frame, mac, u64
from parley_attestation.errors import PeerError, Reason

_sha256 = hashlib.sha256
_INNER = bytes(b ^ 0x36 for b in range(256))  # RFC 2104 pads as translation tables
_OUTER = bytes(b ^ 0x5C for b in range(256))


class Field(StrEnum):
    """The separately committed parts of an item."""

    PROMPT = "prompt"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class SetName:
    """What names a test set: its owner's root fingerprint and 32 random bytes."""

    owner: Digest
    set_id: Bytes32


def content_digest(content: bytes) -> Digest:
    """Framed SHA-256 of one content."""
    return digest(Label.CONTENT, content)


def commit_item(key: Salt, name: SetName, index: int, field: Field, content: Digest) -> Digest:
    """Commit to the content digest of one field of item `index` under that field's own key."""
    return mac(key, Label.ITEM, name.owner, name.set_id, u64(index), field.encode(), content)


def item_leaf(prompt: Digest, reference: Digest) -> Digest:
    """The leaf hash of an item in its set's tree."""
    return Digest(_sha256(b"\x00" + prompt + reference).digest())


def verify_item(
    key: bytes, name: SetName, index: int, field: Field, content: bytes, commitment: bytes
) -> None:
    """Check that `key` and `content` open `commitment`. Raises `PeerError` (BAD_OPENING)."""
    if commit_item(Salt(key), name, index, field, content_digest(content)) != commitment:
        raise PeerError(Reason.BAD_OPENING, f"the {field} of item {index} does not open its commitment")


def commit_output(key: Salt, exercise: Digest, item: int, sample: int, content: bytes) -> Digest:
    """Commit to the output for one unit. It names the exercise, not the session: attempts share it."""
    return mac(key, Label.OUTPUT, exercise, u64(item), u64(sample), content_digest(content))


def verify_output(
    key: bytes, exercise: Digest, unit: tuple[int, int], content: bytes, commitment: bytes
) -> None:
    """Check an opened output of `unit` (item, sample). Raises `PeerError` (BAD_OPENING)."""
    if commit_output(Salt(key), exercise, *unit, content) != commitment:
        raise PeerError(Reason.BAD_OPENING, f"the output of unit {unit} does not open its commitment")


class SeedTree:
    """The keys of `size` items for one field, derived from one secret; spec section "Seed tree".

    Node 1 is the root; the children of a node follow from its seed by SHA-256 under two labels; the
    leaves, left to right, are the keys.
    """

    _LEFT = frame(Label.SEED_LEFT) + u64(32)
    _RIGHT = frame(Label.SEED_RIGHT) + u64(32)

    def __init__(self, root: Bytes32, size: int) -> None:
        """Take the root seed of a tree whose lowest level has room for `size` leaves."""
        self._root = root
        self.size = size
        self.height = max(size - 1, 0).bit_length()

    @classmethod
    def of_field(cls, master: Bytes32, name: SetName, field: Field, size: int) -> "SeedTree":
        """The tree of one field of one test set, from the set's master secret."""
        return cls(mac(master, Label.FIELD_SEED, name.owner, name.set_id, field.encode()), size)

    def key(self, index: int) -> Salt:
        """The key of leaf `index`."""
        return Salt(self._descend(self.height, index))

    def _descend(self, depth: int, position: int) -> bytes:
        seed: bytes = self._root
        for bit in range(depth - 1, -1, -1):
            seed = _sha256((self._RIGHT if position >> bit & 1 else self._LEFT) + seed).digest()
        return seed

    def keys(self) -> bytearray:
        """All keys, joined, 32 bytes each; one pass over the tree, two hashes a leaf."""
        level = bytearray(self._root)
        left, right = self._LEFT, self._RIGHT
        for depth in range(self.height):
            needed = -(-self.size >> (self.height - depth - 1)) if self.size else 0
            below = bytearray()
            for start in range(0, len(level), 32):
                seed = level[start : start + 32]
                below += _sha256(left + seed).digest()
                if len(below) < 32 * needed:
                    below += _sha256(right + seed).digest()
            level = below
        return level[: 32 * self.size]

    def cover(self, start: int, stop: int) -> tuple[tuple[int, int, Bytes32], ...]:
        """The fewest seeds that give the keys of start..stop and no others: (first leaf, height, seed)."""
        found = []
        while start < stop:
            height = min(
                (start & -start).bit_length() - 1 if start else self.height, (stop - start).bit_length() - 1
            )
            found.append((start, height, Bytes32(self._descend(self.height - height, start >> height))))
            start += 1 << height
        return tuple(found)


def expand_cover(cover: tuple[tuple[int, int, Bytes32], ...]) -> Iterator[tuple[int, Salt]]:
    """The keys that a cover gives, with their indices; at most 2^32 leaves a seed."""
    for first, height, seed in cover:
        if not 0 <= height <= 32:
            raise PeerError(Reason.MALFORMED, "expected a seed height in 0..32")
        for n, key in enumerate(_leaves(seed, height)):
            yield first + n, Salt(key)


def _leaves(seed: bytes, height: int) -> Iterator[bytes]:
    if height == 0:
        yield seed
        return
    yield from _leaves(_sha256(SeedTree._LEFT + seed).digest(), height - 1)  # noqa: SLF001 - same module
    yield from _leaves(_sha256(SeedTree._RIGHT + seed).digest(), height - 1)  # noqa: SLF001 - same module


class ItemCommitter:
    """Commits to the items of one set in any order: the same values as `commit_item`, at a tenth the cost.

    It writes HMAC out over SHA-256 and keeps all keys of both fields in two buffers of 32 bytes an item.
    """

    def __init__(self, master: Bytes32, name: SetName, size: int) -> None:
        """Derive every key of the set."""
        self._prompt_keys = SeedTree.of_field(master, name, Field.PROMPT, size).keys()
        self._reference_keys = SeedTree.of_field(master, name, Field.REFERENCE, size).keys()
        self._content = frame(Label.CONTENT)
        head = frame(Label.ITEM, name.owner, name.set_id) + u64(8)
        self._head = head
        self._prompt_tail = u64(6) + b"prompt" + u64(32)
        self._reference_tail = u64(9) + b"reference" + u64(32)

    def commitments(self, index: int, prompt: bytes, reference: bytes) -> tuple[bytes, bytes]:
        """C_prompt and C_reference of item `index`."""
        at = 32 * index
        head = self._head + index.to_bytes(8, "big")
        content = self._content
        return (
            _hmac(
                self._prompt_keys[at : at + 32],
                head
                + self._prompt_tail
                + _sha256(content + len(prompt).to_bytes(8, "big") + prompt).digest(),
            ),
            _hmac(
                self._reference_keys[at : at + 32],
                head
                + self._reference_tail
                + _sha256(content + len(reference).to_bytes(8, "big") + reference).digest(),
            ),
        )

    def leaf(self, index: int, prompt: bytes, reference: bytes) -> bytes:
        """The leaf hash of item `index`."""
        first, second = self.commitments(index, prompt, reference)
        return _sha256(b"\x00" + first + second).digest()


_INNER_REST, _OUTER_REST = b"\x36" * 32, b"\x5c" * 32


def _hmac(key: bytes | bytearray, message: bytes) -> bytes:
    inner = _sha256(key.translate(_INNER) + _INNER_REST + message).digest()
    return _sha256(key.translate(_OUTER) + _OUTER_REST + inner).digest()
