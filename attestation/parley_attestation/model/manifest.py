"""Room: the model. The manifest: every segment of every file with its chunk root, and the tree over it.

The manifest is private. Its tree has one leaf per segment, SHA-256(0x00 || C_what || C_where): what the
segment is (path, name, dtype, shape, size, chunk root) and where it stands (offset, first chunk), each an
HMAC under its own key. Opening a tensor shows C_where and nothing about how much stands before it. All
keys follow from the secret of the claim's series.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.commitment import SeedTree
from parley_attestation.encoding import SAFE_INTEGER, Bytes32, Digest, Label, Salt, mac, u64
from parley_attestation.errors import PeerError, Reason
from parley_attestation.merkle import EMPTY_ROOT, Tree
from parley_attestation.model.chunks import chunk_count
from parley_attestation.model.layout import (
    MAX_DIMENSIONS,
    MAX_FILES,
    MAX_NAME,
    MAX_PATH,
    MAX_SEGMENTS,
    Kind,
    Segment,
    check_path,
)

MAX_MANIFEST = 512 << 20  # bytes of a manifest in JSON
_KINDS = {k.value: k for k in Kind}


@dataclass(frozen=True, slots=True)
class Entry:
    """One segment, the root of its chunk tree, and the number of its first chunk in the whole model."""

    segment: Segment
    root: Digest
    first_chunk: int

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return chunk_count(self.segment.size)

    def what(self) -> bytes:
        """Canonical JSON of everything but the place."""
        return canonical.dump({"path": self.segment.path, **_segment_json(self.segment, self.root)})

    def where(self) -> bytes:
        """Canonical JSON of the place."""
        return canonical.dump({"offset": self.segment.offset, "first_chunk": self.first_chunk})


class Keys:
    """Every key of a series, from its secret, for a manifest of `size` entries."""

    def __init__(self, series: Bytes32, size: int) -> None:
        """Derive the seed of each entry."""
        self._seeds = SeedTree(mac(series, Label.MODEL_SALT, b"entries"), size).keys()
        self.content = Salt(mac(series, Label.MODEL_SERIES, b"content"))
        self.total = Salt(mac(series, Label.MODEL_SERIES, b"total"))

    def _entry(self, index: int, label: Label, part: bytes) -> Salt:
        return Salt(mac(bytes(self._seeds[32 * index : 32 * index + 32]), label, part))

    def what(self, index: int) -> Salt:
        """Key of C_what of entry `index`."""
        return self._entry(index, Label.MODEL_MANIFEST, b"what")

    def where(self, index: int) -> Salt:
        """Key of C_where of entry `index`."""
        return self._entry(index, Label.MODEL_MANIFEST, b"where")

    def chunks(self, index: int) -> Salt:
        """Root of the seed tree whose leaves salt the chunks of entry `index`."""
        return self._entry(index, Label.MODEL_SALT, b"chunks")


def commit_what(key: Salt, what: bytes) -> Digest:
    """Commit to what an entry is."""
    return mac(key, Label.MODEL_MANIFEST, b"what", what)


def commit_where(key: Salt, where: bytes) -> Digest:
    """Commit to where an entry stands."""
    return mac(key, Label.MODEL_MANIFEST, b"where", where)


def entry_leaf(what: Digest, where: Digest) -> bytes:
    """Leaf hash of an entry in the manifest's tree."""
    return hashlib.sha256(b"\x00" + what + where).digest()


def commit_total(key: Salt, size: int, chunks: int) -> Digest:
    """Commit to the model's total of bytes and chunks."""
    return mac(key, Label.MODEL_SERIES, b"total", u64(size), u64(chunks))


def commit_content(key: Salt, root: Digest, entries: int, total: Digest) -> Digest:
    """Commit to a manifest's tree and total: the value that two claims over the same bytes share."""
    return mac(key, Label.MODEL_SERIES, b"content", root, u64(entries), total)


@dataclass(frozen=True)
class Manifest:
    """The whole model, file by file in the order of their paths, segment by segment."""

    entries: tuple[Entry, ...]

    @cached_property
    def size(self) -> int:
        """Bytes of the whole model."""
        return sum(e.segment.size for e in self.entries)

    @cached_property
    def chunks(self) -> int:
        """Chunks of the whole model."""
        return sum(e.chunks for e in self.entries)

    def files(self) -> Iterator[tuple[str, tuple[Entry, ...]]]:
        """Paths with their entries."""
        for path, row in groupby(self.entries, key=lambda e: e.segment.path):
            yield path, tuple(row)

    def to_json(self) -> list[Any]:
        """The files as canonical JSON holds them; offsets and chunk numbers follow from the sizes."""
        return [
            {"path": path, "segments": [_segment_json(e.segment, e.root) for e in row]}
            for path, row in self.files()
        ]


@dataclass(frozen=True, slots=True)
class Blinded:
    """A manifest with the keys of a series, and the tree that both give; tens of microseconds an entry."""

    manifest: Manifest = field(repr=False)
    keys: Keys = field(repr=False)
    tree: Tree = field(repr=False)

    def content(self) -> Digest:
        """The content commitment: what two claims over the same bytes share."""
        size = len(self.manifest.entries)
        return commit_content(self.keys.content, self.tree.root(), size, self.total())

    def total(self) -> Digest:
        """The commitment to the model's total of bytes and chunks."""
        return commit_total(self.keys.total, self.manifest.size, self.manifest.chunks)


def blind(manifest: Manifest, series: Bytes32) -> Blinded:
    """Commit to every entry of `manifest` under the secret of a series."""
    keys = Keys(series, len(manifest.entries))
    tree = Tree(
        entry_leaf(commit_what(keys.what(n), entry.what()), commit_where(keys.where(n), entry.where()))
        for n, entry in enumerate(manifest.entries)
    )
    return Blinded(manifest, keys, tree)


def build(segments: Sequence[Segment], roots: Iterable[Digest]) -> Manifest:
    """Number the chunks of `segments` and attach their roots."""
    entries = []
    first = 0
    for segment, root in zip(segments, roots, strict=True):
        entries.append(Entry(segment, root, first))
        first += chunk_count(segment.size)
    return Manifest(tuple(entries))


def read_manifest(files: Sequence[Any]) -> Manifest:
    """Read the files of a manifest strictly.

    Raises:
        PeerError: BAD_MODEL_CLAIM.
    """
    segments: list[Segment] = []
    roots: list[Digest] = []
    before = ""
    for n, one in enumerate(files):
        fields = Fields(one, f"files[{n}]", reason=Reason.BAD_MODEL_CLAIM)
        path = check_path(fields.text("path", MAX_PATH))
        if path <= before:
            fields.refuse("path", "paths in strictly ascending order")
        offset = 0
        for segment, root in fields.items("segments", lambda f: read_segment(f, path), MAX_SEGMENTS, 1):  # noqa: B023 - used within the loop's turn
            segments.append(_moved(segment, offset))
            roots.append(root)
            offset += segment.size
        fields.end()
        before = path
    if not 1 <= len(segments) <= MAX_SEGMENTS or len(files) > MAX_FILES:
        raise PeerError(
            Reason.BAD_MODEL_CLAIM, f"expected 1..{MAX_SEGMENTS} segments in at most {MAX_FILES} files"
        )
    return build(segments, roots)


def read_segment(fields: Fields, path: str) -> tuple[Segment, Digest]:
    """Read one segment, with offset 0, and its root. Raises `PeerError` (BAD_MODEL_CLAIM)."""
    kind = fields.choice("kind", _KINDS)
    tensor = kind is Kind.TENSOR
    name = fields.text("name", MAX_NAME) if tensor else ""
    dtype = fields.text("dtype", 64) if tensor else ""
    shape = tuple(fields.list("shape", MAX_DIMENSIONS)) if tensor else ()
    for n in shape:
        if not isinstance(n, int) or isinstance(n, bool) or not 0 <= n < SAFE_INTEGER:
            fields.refuse("shape", "integers below 2^53")
    size = fields.integer("size")
    root = fields.digest("root")
    fields.end()
    if (size == 0) != (root == EMPTY_ROOT):
        fields.refuse("root", "the root of the empty tree for empty segments and only for them")
    return Segment(path, kind, name, dtype, shape, 0, size), root


def _segment_json(segment: Segment, root: Digest) -> dict[str, Any]:
    described: dict[str, Any] = {"kind": segment.kind.value, "size": segment.size, "root": root.hex()}
    if segment.kind is Kind.TENSOR:
        described |= {"name": segment.name, "dtype": segment.dtype, "shape": list(segment.shape)}
    return described


def _moved(segment: Segment, offset: int) -> Segment:
    return Segment(
        segment.path, segment.kind, segment.name, segment.dtype, segment.shape, offset, segment.size
    )
