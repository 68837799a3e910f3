import subprocess
import sys
from pathlib import Path

import pytest
from log_kit import LOG_KEY, NAME, PUBLIC, MemoryStore, entry, grow, log_of
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.log_store import FolderStore
from parley_attestation.edge.log_writer import init_log, open_log
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.log.checkpoint import open_checkpoint
from parley_attestation.log.tiles import TileTree, bundle_path, dump_bundle, tile_path
from parley_attestation.merkle import leaf_hash

CHILD = Path(__file__).with_name("log_child.py")


def refused(reason):
    return pytest.raises(LocalError, check=lambda e: e.reason is reason)


class Recording(MemoryStore):
    def __init__(self, files=()):
        super().__init__(files)
        self.order = []

    def write(self, path, data):
        self.order.append(path)
        super().write(path, data)


def test_entries_come_first_then_tiles_then_the_checkpoint():
    store = Recording()
    init_log(store, LOG_KEY, NAME)
    with open_log(store, LOG_KEY, NAME, lambda *_: ()) as log:
        log.append([entry(n) for n in range(256)])
        log.append([entry(n) for n in range(256, 300)])
    order = store.order[1:]
    assert order[:5] == ["tile/entries/000", "tile/0/000", "tile/1/000.p/1", "pending", "checkpoint"]
    assert order[5:] == ["tile/entries/001.p/44", "tile/0/001.p/44", "pending", "checkpoint"]


def test_without_witnesses_the_checkpoint_is_written_once():
    store = Recording()
    grow(store, [entry(1)])
    assert store.order[1:] == ["tile/entries/000.p/1", "tile/0/000.p/1", "checkpoint"]


def test_a_witness_sees_a_checkpoint_only_after_it_is_written_down():
    store, seen = MemoryStore(), []
    init_log(store, LOG_KEY, NAME)

    def cosign(checkpoint, signed):
        assert open_checkpoint(store.read("pending"), PUBLIC)[0] == checkpoint
        assert open_checkpoint(store.read("checkpoint"), PUBLIC)[0] != checkpoint
        seen.append(signed)
        return ()

    with open_log(store, LOG_KEY, NAME, cosign) as log:
        log.append([entry(1)])
    assert len(seen) == 1


def test_a_log_whose_witness_fails_publishes_the_same_checkpoint_when_it_is_opened_again():
    store = MemoryStore()
    init_log(store, LOG_KEY, NAME)

    def fail(*_):
        raise LocalError(Reason.UNREACHABLE, "no witness")

    with refused(Reason.UNREACHABLE), open_log(store, LOG_KEY, NAME, fail) as log:
        log.append([entry(1)])
    assert open_checkpoint(store.read("checkpoint"), PUBLIC)[0].size == 0
    grow(store, [])
    assert open_checkpoint(store.read("checkpoint"), PUBLIC) == open_checkpoint(store.read("pending"), PUBLIC)
    assert open_checkpoint(store.read("checkpoint"), PUBLIC)[0].size == 1


def test_a_log_is_made_once():
    store, _ = log_of(1)
    with refused(Reason.CONFIG):
        init_log(store, LOG_KEY, NAME)
    with refused(Reason.CONFIG), open_log(MemoryStore(), LOG_KEY, NAME):
        pass


@pytest.mark.parametrize("count", [0, 257])
def test_a_batch_holds_1_to_256_entries(count):
    store, _ = log_of(1)
    with refused(Reason.CONFIG), open_log(store, LOG_KEY, NAME) as log:
        log.append([entry(n) for n in range(count)])


def test_an_entry_is_a_digest_and_nothing_else():
    store, _ = log_of(1)
    with pytest.raises(PeerError), open_log(store, LOG_KEY, NAME) as log:
        log.append([b"content"])


def test_a_log_of_another_key_is_not_opened():
    store, _ = log_of(1)
    with refused(Reason.CORRUPT), open_log(store, SigningKey(bytes(32)), NAME):
        pass


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (tile_path(0, 1, 44), leaf_hash(entry(5)) * 44),
        (tile_path(0, 0), leaf_hash(entry(5)) * 256),
        (tile_path(1, 0, 1), bytes(32)),
        (bundle_path(1, 44), dump_bundle([entry(5)] * 44)),
        (bundle_path(1, 44), b"short"),
    ],
)
def test_a_log_whose_right_edge_was_changed_is_not_continued(path, data):
    store, _ = log_of(300)
    store.files[path] = data
    if path == tile_path(0, 0):  # not part of the right edge: a reader finds it
        with pytest.raises(PeerError):
            list(TileTree(store.read, 300).entries())
        return
    with refused(Reason.CORRUPT), open_log(store, LOG_KEY, NAME):
        pass


def test_a_log_without_its_partial_files_is_not_continued():
    store, _ = log_of(300)
    del store.files[bundle_path(1, 44)]
    with refused(Reason.CORRUPT), open_log(store, LOG_KEY, NAME):
        pass


def run(folder, salt, writes):
    return subprocess.run(
        [sys.executable, str(CHILD), str(folder), salt, str(writes)],
        env={"PYTHONPATH": str(CHILD.parent.parent)},
        check=False,
        timeout=60,
    ).returncode


@pytest.mark.parametrize("writes", range(7))
def test_a_log_killed_before_any_write_never_shows_two_roots_for_one_size(tmp_path, writes):
    folder = tmp_path / "log"
    grow(FolderStore(folder), (entry(n) for n in range(100)))
    assert run(folder, "first", writes) == (-9 if writes < 7 else 0)
    assert run(folder, "second", 1000) == 0
    seen = {}
    for text in (tmp_path / "log.seen").read_bytes().split(b"\n" + NAME.encode()):
        size, root = text.removeprefix(NAME.encode()).split()
        assert seen.setdefault(size, root) == root
    found, _ = open_checkpoint(FolderStore(folder).read("checkpoint"), PUBLIC)
    tree = TileTree(FolderStore(folder).read, found.size)
    assert tree.root() == found.root
    # five files before `pending`: entries and a tile that are full, two partial ones, a level above
    assert found.size == (500 if writes == 6 else 300)
    assert len(list(tree.entries())) == found.size
