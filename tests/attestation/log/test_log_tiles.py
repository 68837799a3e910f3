import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_kit import NAME, PUBLIC, MemoryStore, entry, grow, log_of, vectors
from parley_attestation.edge import log_writer
from parley_attestation.errors import PeerError, Reason
from parley_attestation.log import tiles
from parley_attestation.log.checkpoint import open_checkpoint
from parley_attestation.log.proof import LogProof, parse_proof, verify_logged
from parley_attestation.log.tiles import TileTree, bundle_path, dump_bundle, parse_bundle, tile_path
from parley_attestation.merkle import EMPTY_ROOT, Tree, leaf_hash, verify_consistency, verify_inclusion


def refused(reason):
    return pytest.raises(PeerError, check=lambda e: e.reason is reason)


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 273, 112, "tile/0/273.p/112"),
        (1, 1234067, 256, "tile/1/x001/x234/067"),
        (5, 1000, 1, "tile/5/x001/000.p/1"),
    ],
)
def test_tile_paths_are_those_of_the_specification(level, index, width, path):
    assert tile_path(level, index, width) == path
    assert bundle_path(index, width) == path.replace(f"tile/{level}/", "tile/entries/")


@pytest.mark.parametrize("size", [int(s) for s in vectors("notes/tlog_tiles.json")["sizes"]])
def test_tiles_and_bundles_are_byte_for_byte_those_of_the_vectors(size, monkeypatch):
    expected = vectors("notes/tlog_tiles.json")["sizes"][str(size)]
    monkeypatch.setattr(log_writer, "Digest", bytes)  # the vectors' entries are short texts
    store = MemoryStore()
    grow(store, (b"entry-%d" % n for n in range(size)))
    files = {p: hashlib.sha256(d).hexdigest() for p, d in store.files.items()}
    assert files.items() >= expected["tiles_sha256"].items()
    assert TileTree(store.read, size).root().hex() == expected["root"]


def test_the_checkpoint_verified_by_go_has_the_root_that_our_writer_computes(monkeypatch):
    own = vectors("notes/own_checkpoint_ed25519.json")
    monkeypatch.setattr(log_writer, "Digest", bytes)
    store = MemoryStore()
    for size, raw in ((12345, own["old_note"]), (70000, own["note"])):
        at = 0 if store.read("checkpoint") is None else 12345
        grow(store, (b"entry-%d" % n for n in range(at, size)))
        found, _ = open_checkpoint(store.read("checkpoint"), PUBLIC)
        assert found.size == size
        assert raw.split("\n")[1:3] == found.text().decode().split("\n")[1:3]
    tree = TileTree(store.read, 70000)
    old = TileTree(store.read, 12345).root()
    verify_consistency(12345, old, 70000, tree.root(), tree.consistency(12345))


SIZES = [1, 2, 3, 255, 256, 257, 511, 512, 513, 700, 65_536 + 300]


@pytest.mark.parametrize("size", SIZES)
def test_proofs_from_tiles_are_those_of_the_whole_tree(size):
    store, _ = log_of(size)
    whole, tree = Tree(leaf_hash(entry(n)) for n in range(size)), TileTree(store.read, size)
    assert tree.root() == whole.root()
    for index in {0, 1, size // 3, size // 2, 255, 256, 257, size - 2, size - 1}:
        if 0 <= index < size:
            assert tree.inclusion(index) == whole.inclusion(index)
            verify_inclusion(leaf_hash(entry(index)), index, size, tree.inclusion(index), tree.root())
    for old in {1, 2, size // 3, size // 2, 255, 256, 257, size - 1, size}:
        if 1 <= old <= size:
            assert tree.consistency(old) == whole.consistency(old)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 256), min_size=1, max_size=8), st.data())
def test_however_a_log_is_batched_its_tiles_prove_every_entry(batches, data):
    store, size = MemoryStore(), 0
    for width in batches:
        raw = grow(store, (entry(n) for n in range(size, size + width)))
        size += width
    found, _ = open_checkpoint(raw, PUBLIC)
    assert (found.size, found.root) == (size, Tree(leaf_hash(entry(n)) for n in range(size)).root())
    index = data.draw(st.integers(0, size - 1))
    proof = LogProof(index, TileTree(store.read, size).inclusion(index), raw)
    assert verify_logged(proof.dump(), entry(index), PUBLIC).index == index
    assert list(TileTree(store.read, size).entries()) == [entry(n) for n in range(size)]
    assert list(TileTree(store.read, size).entries(index)) == [entry(n) for n in range(index, size)]


def test_an_earlier_checkpoint_can_still_be_proved_when_its_partial_tiles_are_gone():
    store, _ = log_of(700)
    old = TileTree(store.read, 300)
    assert store.read(tile_path(0, 1, 44)) is None
    assert old.root() == Tree(leaf_hash(entry(n)) for n in range(300)).root()
    assert list(old.entries(290)) == [entry(n) for n in range(290, 300)]


def test_a_missing_or_resized_tile_is_refused():
    store, _ = log_of(300)
    for wrong in (None, b"", bytes(31), bytes(32 * 256)):
        broken = store.copy()
        broken.files[tile_path(0, 1, 44)] = wrong
        if wrong is None:
            del broken.files[tile_path(0, 1, 44)]
        with refused(Reason.BAD_PROOF):
            TileTree(broken.read, 300).inclusion(299)


def test_an_index_or_size_beyond_the_log_is_refused():
    store, _ = log_of(3)
    tree = TileTree(store.read, 3)
    for wrong in (-1, 3):
        with refused(Reason.BAD_PROOF):
            tree.inclusion(wrong)
    for wrong in (-1, 4):
        with refused(Reason.BAD_PROOF):
            tree.consistency(wrong)
    assert tree.consistency(0) == ()


def test_an_exchanged_entry_is_refused():
    store, _ = log_of(300)
    entries = list(parse_bundle(store.read(bundle_path(0)), 256))
    entries[7] = entry(9999)
    store.files[bundle_path(0)] = dump_bundle(entries)
    with refused(Reason.BAD_PROOF):
        list(TileTree(store.read, 300).entries())


@pytest.mark.parametrize("raw", [b"", b"\0", b"\0\x05abc", b"\0\0\0", b"\0\x01a\0\x01b\0"])
def test_a_bundle_that_is_cut_or_too_long_is_refused(raw):
    with refused(Reason.MALFORMED):
        parse_bundle(raw, 2)


def test_an_empty_log_has_the_empty_root():
    assert TileTree(lambda _: None, 0).root() == EMPTY_ROOT
    assert list(TileTree(lambda _: None, 0).entries()) == []


def receipt(size=300, index=7, **changed):
    store, raw = log_of(size)
    parts = {"index": index, "hashes": TileTree(store.read, size).inclusion(index), "checkpoint": raw}
    return LogProof(**(parts | changed))


def test_a_receipt_reads_back_with_and_without_extra_data():
    for extra in (None, b"", b"some data"):
        proof = receipt(extra=extra)
        assert parse_proof(proof.dump()) == proof


def test_the_example_receipt_of_the_specification_has_our_layout():
    lines = receipt(extra=b"x").dump().decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra eA==", "index 7"]
    assert lines[lines.index("") + 1] == NAME


def test_a_receipt_for_another_entry_index_size_or_log_is_refused():
    good = receipt()
    assert verify_logged(good.dump(), entry(7), PUBLIC).checkpoint.size == 300
    with refused(Reason.BAD_PROOF):
        verify_logged(good.dump(), entry(8), PUBLIC)
    with refused(Reason.BAD_PROOF):
        verify_logged(receipt(index=7, hashes=good.hashes[:-1]).dump(), entry(7), PUBLIC)
    with refused(Reason.BAD_PROOF):
        verify_logged(LogProof(8, good.hashes, good.checkpoint).dump(), entry(7), PUBLIC)
    with refused(Reason.BAD_PROOF):
        verify_logged(LogProof(7, good.hashes, log_of(301)[1]).dump(), entry(7), PUBLIC)
    with refused(Reason.BAD_CHECKPOINT):
        verify_logged(good.dump(), entry(7), PUBLIC, origin="another.log")
    with refused(Reason.BAD_COSIGNATURE):
        verify_logged(good.dump(), entry(7), PUBLIC, witnesses=[PUBLIC], threshold=2)


@pytest.mark.parametrize(
    "head",
    [
        b"c2sp.org/tlog-proof@v2\nindex 0",
        b"c2sp.org/tlog-proof@v1",
        b"c2sp.org/tlog-proof@v1\nindex 00",
        b"c2sp.org/tlog-proof@v1\nindex -1",
        b"c2sp.org/tlog-proof@v1\nextra ***\nindex 0",
        b"c2sp.org/tlog-proof@v1\nindex 0\nAAAA",
        b"c2sp.org/tlog-proof@v1\nindex 0\n" + b"\n".join([b"A" * 43 + b"="] * 65),
        "c2sp.org/tlog-proof@v1\nindex é".encode(),
    ],
)
def test_a_receipt_out_of_form_is_refused(head):
    with refused(Reason.MALFORMED):
        parse_proof(head + b"\n\n" + receipt().checkpoint)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_changed_byte_of_a_receipt_never_proves_another_entry(data):
    raw = bytearray(RECEIPT)
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        found = verify_logged(bytes(raw), entry(7), PUBLIC)
    except PeerError:
        return
    assert (found.index, found.checkpoint.size) == (7, 300)


RECEIPT = receipt().dump()


def test_the_widths_of_a_tree_of_70000_are_those_of_the_specification():
    assert [tiles.width_of(70000, level, index) for level, index in ((0, 273), (1, 1), (2, 0), (3, 0))] == [
        112,
        17,
        1,
        0,
    ]
    assert (tiles.width_of(256, 0, 0), tiles.width_of(256, 1, 0)) == (256, 1)
