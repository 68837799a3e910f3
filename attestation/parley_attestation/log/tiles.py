"""Room: log. C2SP tiles: a log as static files, and proofs computed from them.

Source: c2sp.org/tlog-tiles v0.1.0. Tiles come from anywhere and are not trusted: a proof is checked
against a signed checkpoint by whoever uses it, and the functions here check what they return.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.merkle import EMPTY_ROOT, leaf_hash, node_hash

HEIGHT = 8  # tree levels that one tile spans
WIDTH = 1 << HEIGHT  # hashes of a full tile
CHECKPOINT = "checkpoint"
MAX_ENTRY = 65_535  # bytes of one entry
MAX_BUNDLE = WIDTH * (MAX_ENTRY + 2)
Read = Callable[[str], bytes | None]


def _index_path(index: int) -> str:
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03d}")
    return "/".join(reversed(groups))


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """Path of a tile of hashes; partial below a width of 256."""
    return f"tile/{level}/{_index_path(index)}" + (f".p/{width}" if width < WIDTH else "")


def bundle_path(index: int, width: int = WIDTH) -> str:
    """Path of a bundle of entries; partial below a width of 256."""
    return f"tile/entries/{_index_path(index)}" + (f".p/{width}" if width < WIDTH else "")


def width_of(size: int, level: int, index: int) -> int:
    """Hashes in tile `index` at `level` of a log of `size` entries; 0 where there is no such tile."""
    return max(0, min(WIDTH, (size >> (HEIGHT * level)) - index * WIDTH))


def tile_root(hashes: Sequence[bytes]) -> Digest:
    """Root of a power of two of sibling hashes."""
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(level[n], level[n + 1]) for n in range(0, len(level), 2)]
    return Digest(level[0])


def dump_bundle(entries: Sequence[bytes]) -> bytes:
    """Serialise up to 256 entries, each with its length in two bytes."""
    return b"".join(struct.pack(">H", len(e)) + e for e in entries)


def parse_bundle(raw: bytes, width: int) -> tuple[bytes, ...]:
    """Read exactly `width` entries. Raises `PeerError` (MALFORMED)."""
    entries: list[bytes] = []
    at = 0
    while at < len(raw) and len(entries) < width:
        end = at + 2 + int.from_bytes(raw[at : at + 2], "big")
        if at + 2 > len(raw) or end > len(raw):
            raise PeerError(Reason.MALFORMED, "a bundle of entries is cut short")
        entries.append(raw[at + 2 : end])
        at = end
    if len(entries) != width or at != len(raw):
        raise PeerError(Reason.MALFORMED, f"expected a bundle of {width} entries")
    return tuple(entries)


@dataclass(slots=True)
class TileTree:
    """The tree of a log of `size` entries, read through `read(path) -> bytes or None`.

    It keeps the tiles it has read; make a new one for another size.
    """

    read: Read
    size: int
    _tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def tile(self, level: int, index: int) -> bytes:
        """The hashes of one tile, joined; a full tile serves for its partial ones.

        Raises:
            PeerError: BAD_PROOF, where it is missing or has another width.
        """
        known = self._tiles.get((level, index))
        if known is not None:
            return known
        width = width_of(self.size, level, index)
        raw = self.read(tile_path(level, index, width))
        if raw is None and width < WIDTH:
            raw = self.read(tile_path(level, index))
            raw = raw[: 32 * width] if raw is not None and len(raw) == 32 * WIDTH else None
        if raw is None or len(raw) != 32 * width or not width:
            raise PeerError(Reason.BAD_PROOF, f"no tile {tile_path(level, index, width)}")
        self._tiles[level, index] = raw
        return raw

    def node(self, height: int, position: int) -> Digest:
        """Hash of the full subtree of 2^height leaves at `position`."""
        level, up = divmod(height, HEIGHT)
        first = position << up
        raw = self.tile(level, first // WIDTH)
        at = 32 * (first % WIDTH)
        found = raw[at : at + (32 << up)]
        if len(found) != 32 << up:
            raise PeerError(Reason.BAD_PROOF, "expected a full subtree in the tile")
        return tile_root([found[n : n + 32] for n in range(0, len(found), 32)])

    def range_root(self, low: int, high: int) -> Digest:
        """Root of the leaves low..high, where `low` is a multiple of the largest power in between."""
        parts: list[Digest] = []
        while low < high:
            height = (high - low).bit_length() - 1
            parts.append(self.node(height, low >> height))
            low += 1 << height
        root = parts.pop() if parts else EMPTY_ROOT
        while parts:
            root = node_hash(parts.pop(), root)
        return root

    def root(self) -> Digest:
        """Root of the whole log."""
        return self.range_root(0, self.size)

    def edge(self) -> tuple[Digest, ...]:
        """Roots of the perfect subtrees from left to right, as `CompactRange` takes them."""
        found, low = [], 0
        for height in range(self.size.bit_length() - 1, -1, -1):
            if self.size >> height & 1:
                found.append(self.node(height, low >> height))
                low += 1 << height
        return tuple(found)

    def inclusion(self, index: int) -> tuple[Digest, ...]:
        """Inclusion proof of entry `index`, RFC 6962 section 2.1.1. Raises `PeerError` (BAD_PROOF)."""
        if not 0 <= index < self.size:
            raise PeerError(Reason.BAD_PROOF, f"expected an index below {self.size}, got {index}")
        proof: list[Digest] = []
        low, high = 0, self.size
        while high - low > 1:
            middle = low + (1 << (high - low - 1).bit_length() - 1)
            if index < middle:
                proof.append(self.range_root(middle, high))
                high = middle
            else:
                proof.append(self.range_root(low, middle))
                low = middle
        return tuple(reversed(proof))

    def consistency(self, old: int) -> tuple[Digest, ...]:
        """Proof that the first `old` entries are a prefix, RFC 6962 section 2.1.2; empty from 0.

        Raises:
            PeerError: BAD_PROOF.
        """
        if not 0 <= old <= self.size:
            raise PeerError(Reason.BAD_PROOF, f"expected a size in 0..{self.size}, got {old}")
        if old in (0, self.size):
            return ()
        proof: list[Digest] = []
        low, high = 0, self.size
        while old != high:
            middle = low + (1 << (high - low - 1).bit_length() - 1)
            if old <= middle:
                proof.append(self.range_root(middle, high))
                high = middle
            else:
                proof.append(self.range_root(low, middle))
                low = middle
        if low:
            proof.append(self.range_root(low, high))
        return tuple(reversed(proof))

    def entries(self, start: int = 0) -> Iterator[bytes]:
        """Entries from `start` on, each checked against the tile of leaf hashes.

        Raises:
            PeerError: BAD_PROOF, MALFORMED.
        """
        for index in range(start // WIDTH, -(-self.size // WIDTH)):
            width = width_of(self.size, 0, index)
            raw = self.read(bundle_path(index, width))
            if raw is None and width < WIDTH and (full := self.read(bundle_path(index))) is not None:
                raw = dump_bundle(parse_bundle(full, WIDTH)[:width])
            if raw is None or len(raw) > MAX_BUNDLE:
                raise PeerError(Reason.BAD_PROOF, f"no bundle {bundle_path(index, width)}")
            entries, leaves = parse_bundle(raw, width), self.tile(0, index)
            for n, one in enumerate(entries):
                if leaf_hash(one) != leaves[32 * n : 32 * n + 32]:
                    raise PeerError(Reason.BAD_PROOF, "an entry is not the one in the tree")
                if index * WIDTH + n >= start:
                    yield one
            self._tiles.pop((0, index), None)  # one pass over a long log stays small
