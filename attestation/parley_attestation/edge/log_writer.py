"""Room: the edge. The one writer of a log: entries, then tiles, then the checkpoint, each durable.

A signed checkpoint is written to the file `pending` before a witness can see it, and to `checkpoint` when
it is published. A writer that was killed anywhere resumes from `pending`: it never
signs two roots for one size that anyone could have seen. Memory is the right edge of the tree.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.log_store import LogStore
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.log import note
from parley_attestation.log.checkpoint import Checkpoint, open_checkpoint
from parley_attestation.log.note import Ed25519Key, Note, NoteSignature
from parley_attestation.log.tiles import (
    CHECKPOINT,
    WIDTH,
    TileTree,
    bundle_path,
    dump_bundle,
    parse_bundle,
    tile_path,
    tile_root,
    width_of,
)
from parley_attestation.merkle import EMPTY_ROOT, CompactRange, leaf_hash

PENDING = "pending"
BATCH = 256  # entries of one checkpoint
Cosign = Callable[[Checkpoint, Note], Sequence[NoteSignature]]
"""Gets cosignatures for a new checkpoint before it is published; see `witness_http`."""


class LogWriter:
    """Appends to one log. Use `open_log`, which locks the store."""

    def __init__(self, store: LogStore, key: SigningKey, name: str, cosign: Cosign | None = None) -> None:
        """Resume from what the store holds.

        Raises:
            LocalError: CONFIG where there is no log of this key, CORRUPT where its files do not fit its
                checkpoint.
        """
        self._store, self._key, self._name, self._cosign = store, key, name, cosign
        published = _read(store, CHECKPOINT, self.public)
        pending = _read(store, PENDING, self.public)
        found = max((c for c in (published, pending) if c), key=lambda c: c[0].size, default=None)
        if found is None:
            raise LocalError(Reason.CONFIG, "there is no log here", hint="make one with `parley log init`")
        self.checkpoint, self._note = found
        self._load()
        if published is None or published[0] != self.checkpoint:
            self._publish()

    @property
    def public(self) -> Ed25519Key:
        """The log's public key."""
        return Ed25519Key(self._name, self._key.public)

    def _load(self) -> None:
        size = self.checkpoint.size
        tree = TileTree(self._store.read, size)
        try:
            self._range = CompactRange(size, tree.edge())
            self._edges: list[list[bytes]] = []  # hashes of the partial tile at each level
            level = 0
            while size >> (8 * level):
                index = (size >> (8 * level)) // WIDTH
                width = width_of(size, level, index)
                raw = tree.tile(level, index) if width else b""
                self._edges.append([raw[n : n + 32] for n in range(0, len(raw), 32)])
                level += 1
            index = size // WIDTH
            width = width_of(size, 0, index)
            self._bundle = list(parse_bundle(_bundle(self._store, index, width), width)) if width else []
        except PeerError as error:
            raise LocalError(Reason.CORRUPT, f"the log's files do not fit its checkpoint: {error}") from error
        if self._range.root() != self.checkpoint.root or [leaf_hash(e) for e in self._bundle] != (
            self._edges[0] if self._edges else []
        ):
            raise LocalError(Reason.CORRUPT, "the log's files lead to another root than its checkpoint")

    def append(self, entries: Sequence[Digest]) -> int:
        """Append up to 256 statement digests under one new checkpoint; return the index of the first.

        Raises:
            LocalError: UNREACHABLE, where the store fails; the log then has to be opened again.
        """
        if not 1 <= len(entries) <= BATCH:
            raise LocalError(Reason.CONFIG, f"expected 1..{BATCH} entries in a batch")
        first = self._range.size
        files, full = self._grow(entries)
        self._store.write_all(files)  # entries first, then tiles
        self.checkpoint = Checkpoint(self._name, self._range.size, self._range.root())
        text = self.checkpoint.text()
        self._note = Note(text, (note.sign(text, self._key, self._name),))
        if self._cosign is not None:  # else nobody sees it before it stands in its place
            self._store.write(PENDING, self._note.dump())
        self._publish()
        for path in full:  # partial tiles of tiles that are full now
            self._store.drop(path + ".p")
        return first

    def _grow(self, entries: Sequence[Digest]) -> tuple[list[tuple[str, bytes]], list[str]]:
        bundles: list[tuple[str, bytes]] = []
        tiles: list[tuple[str, bytes]] = []
        full: list[str] = []
        changed: set[int] = set()
        for entry in entries:
            leaf = leaf_hash(Digest(entry))
            self._bundle.append(bytes(entry))
            self._range.append(leaf)
            self._push(0, leaf, changed, tiles)
            if len(self._bundle) == WIDTH:
                path = bundle_path(self._range.size // WIDTH - 1)
                bundles.append((path, dump_bundle(self._bundle)))
                self._bundle = []
        full = [path for path, _ in bundles] + [path for path, _ in tiles]
        size = self._range.size
        if self._bundle:
            bundles.append((bundle_path(size // WIDTH, len(self._bundle)), dump_bundle(self._bundle)))
        for level in sorted(changed):
            if edge := self._edges[level]:
                index = (size >> (8 * level)) // WIDTH
                tiles.append((tile_path(level, index, len(edge)), b"".join(edge)))
        return bundles + tiles, full

    def _push(self, level: int, node: bytes, changed: set[int], tiles: list[tuple[str, bytes]]) -> None:
        """Add a hash at a level; a full tile is closed and its root goes one level up."""
        while True:
            if level == len(self._edges):
                self._edges.append([])
            edge = self._edges[level]
            edge.append(node)
            changed.add(level)
            if len(edge) < WIDTH:
                return
            index = (self._range.size >> (8 * level)) // WIDTH - 1
            tiles.append((tile_path(level, index), b"".join(edge)))
            node = tile_root(edge)
            edge.clear()
            level += 1

    def _publish(self) -> None:
        if self._cosign is not None:
            self._note = self._note.add(*self._cosign(self.checkpoint, self._note))
        self._store.write(CHECKPOINT, self._note.dump())


def _read(store: LogStore, path: str, key: Ed25519Key) -> tuple[Checkpoint, Note] | None:
    raw = store.read(path)
    if raw is None:
        return None
    try:
        return open_checkpoint(raw, key)
    except PeerError as error:
        raise LocalError(Reason.CORRUPT, f"the log's {path} is not signed by this key: {error}") from error


def _bundle(store: LogStore, index: int, width: int) -> bytes:
    raw = store.read(bundle_path(index, width))
    if raw is None:
        raise LocalError(Reason.CORRUPT, f"no bundle {bundle_path(index, width)}")
    return raw


def init_log(store: LogStore, key: SigningKey, name: str) -> Note:
    """Make an empty log and publish its first checkpoint.

    Raises:
        LocalError: CONFIG, where there is a log already.
    """
    with store.lock():
        if store.read(CHECKPOINT) is not None or store.read(PENDING) is not None:
            raise LocalError(Reason.CONFIG, "there is a log here already")
        text = Checkpoint(note.check_name(name), 0, EMPTY_ROOT).text()
        signed = Note(text, (note.sign(text, key, name),))
        store.write(CHECKPOINT, signed.dump())
        return signed


@contextmanager
def open_log(
    store: LogStore, key: SigningKey, name: str, cosign: Cosign | None = None
) -> Iterator[LogWriter]:
    """Lock the store and open its log for writing. Raises `LocalError`, as `LogWriter`."""
    with store.lock():
        yield LogWriter(store, key, name, cosign)
