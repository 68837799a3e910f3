"""Commitments to items and models, and their trees: the formulas of the text against the code."""

import json
import math
import re

from evaluate import hashing, value_of
from hypothesis import strategies as st
from parley_attestation import merkle
from parley_attestation.commitment import (
    Field,
    ItemCommitter,
    SeedTree,
    SetName,
    commit_item,
    content_digest,
    item_leaf,
)
from parley_attestation.encoding import Bytes32, Digest, Salt
from parley_attestation.model import chunks, claim, manifest
from parley_attestation.model.layout import Kind, Segment
from reading import also, formula, section
from worked import contents, digests, inputs, places


def leaves(root: bytes, size: int) -> list[bytes]:
    """The first leaves of the seed tree of the text, from its root and the height it gives."""
    left, right = (f'digest("parley/v1/seed-{side}", s)' for side in ("left", "right"))
    row = [root]
    for _ in range((size - 1).bit_length()):
        row = [value_of(child, hashing(s=seed)) for seed in row for child in (left, right)]
    return row[:size]


@inputs(owner=digests, set_id=digests, k=digests, i=places, c=contents, field=st.sampled_from(list(Field)))
def test_a_field_of_an_item_is_committed_to_as_the_text_says(owner, set_id, k, i, c, field):
    content = value_of(formula("commitments", "content =").right, hashing(c=c))
    assert content == content_digest(c)
    names = hashing(k=k, owner=owner, set_id=set_id, i=i, f=field.encode(), content=content)
    made = value_of(formula("commitments", "C_f =").right, names)
    assert made == commit_item(Salt(k), SetName(Digest(owner), Bytes32(set_id)), i, field, Digest(content))


@inputs(first=digests, second=digests)
def test_the_leaf_of_an_item_is_the_one_of_the_text(first, second):
    said = value_of(formula("commitments", "leaf_i =").right, hashing(C_prompt=first, C_reference=second))
    assert said == item_leaf(Digest(first), Digest(second))


@inputs(master=digests, set_id=digests, field=st.sampled_from(list(Field)))
def test_the_keys_of_a_set_come_out_of_the_seed_tree_of_the_text(master, set_id, field):
    root = formula("commitments", "root_f =").right
    names = hashing(master=master, owner=set_id[::-1], set_id=set_id, f=field.encode())
    name = SetName(Digest(set_id[::-1]), Bytes32(set_id))
    for size in (1, 2, 3, 5, 8, 9):
        tree = SeedTree.of_field(Bytes32(master), name, field, size)
        found = leaves(value_of(root, names), size)
        assert found == [tree.key(n) for n in range(size)]
        assert b"".join(found) == tree.keys()


def test_the_seeds_of_the_tree_are_those_of_the_text():
    left, right = (
        formula("commitments", 'digest("parley/v1/seed-left"').text,
        formula("commitments", 'digest("parley/v1/seed-right"').text,
    )
    assert f"the children of a node with seed s are `{left}` and `{right}`" in section("commitments")
    root = bytes(range(32))
    keys = SeedTree(Bytes32(root), 2)
    assert [value_of(child, hashing(s=root)) for child in (left, right)] == [keys.key(0), keys.key(1)]


def test_the_height_of_the_seed_tree_and_the_seeds_of_a_range_are_bounded_as_the_text_says():
    width, most = formula("commitments", "N - ").text, formula("commitments", "2 log2").text
    assert f"the height is the bit length of `{width}`" in section("commitments")
    reached = 0
    for size in range(1, 70):
        tree = SeedTree(Bytes32(bytes(32)), size)
        assert tree.height == value_of(width, {"N": size}).bit_length()
        for low in range(size if size < 40 else 0):
            for high in range(low + 1, size + 1):
                seeds, bound = len(tree.cover(low, high)), value_of(most, {"log2 N": math.log2(size)})
                assert seeds <= max(bound, 1)
                reached = max(reached, seeds - bound + 2)
    assert reached >= 1, "the bound is not near what happens"


@inputs(master=digests, prompt=contents, reference=contents)
def test_the_fast_committer_follows_the_same_formulas(master, prompt, reference):
    name = SetName(Digest(bytes(32)), Bytes32(bytes(32)))
    made = ItemCommitter(Bytes32(master), name, 3).commitments(2, prompt, reference)
    for field, content, found in zip(Field, (prompt, reference), made, strict=True):
        names = hashing(master=master, owner=bytes(32), set_id=bytes(32), f=field.encode(), i=2, c=content)
        names["k"] = leaves(value_of(also("commitments", "root_f =").right, names), 3)[2]
        names["content"] = value_of(also("commitments", "content =").right, names)
        assert found == value_of(also("commitments", "C_f =").right, names)


@inputs(found=st.lists(digests, max_size=9))
def test_the_tree_is_the_one_of_the_text(found):
    inner, empty = formula("tree", "H(0x01").text, formula("tree", 'H("")').text

    def root(row: list[bytes]) -> bytes:
        """Section 2.1 of RFC 9162: the left subtree has the greatest power of two below the size."""
        if len(row) < 2:
            return row[0] if row else value_of(empty, hashing())
        cut = 1 << (len(row) - 1).bit_length() - 1
        return value_of(inner, hashing(left=root(row[:cut]), right=root(row[cut:])))

    assert merkle.Tree(found).root() == root(found)


@inputs(salt=digests, chunk=contents)
def test_the_leaf_of_a_chunk_is_the_one_of_the_text(salt, chunk):
    said = formula("model-claim", "H(0x00 || frame(").text
    assert value_of(said, hashing(salt_j=salt, chunk_j=chunk)) == chunks.leaf(salt, chunk)
    size = re.search(r"cut into chunks of (\d+) bytes", section("model-claim"))
    assert size
    assert int(size[1]) == chunks.CHUNK


@inputs(series=digests, entries=st.integers(1, 5))
def test_the_keys_of_a_series_are_those_of_the_text(series, entries):
    under, salts = formula("model-claim", "mac(S, ").text, formula("model-claim", "salts of entry n =")
    chunk_seed = re.fullmatch("leaves of the seed tree under (.*)", salts.right)
    assert chunk_seed
    made = manifest.Keys(Bytes32(series), entries)
    for n, seed in enumerate(leaves(value_of(under, hashing(S=series)), entries)):
        assert value_of(chunk_seed[1], hashing(seed_n=seed)) == made.chunks(n)


@inputs(series=digests, root=digests, size=st.integers(1, 2**40), tensor=st.booleans())
def test_an_entry_of_a_model_is_committed_to_as_the_text_says(series, root, size, tensor):
    what, where = formula("model-claim", "C_what =").right, formula("model-claim", "C_where =").right
    leaf = formula("model-claim", "entry leaf =").right
    given = ("w", "F32", (size,)) if tensor else ("", "", ())
    segment = Segment("a.bin", Kind.TENSOR if tensor else Kind.STRUCTURE, *given, 8, size)
    entry, made = manifest.Entry(segment, Digest(root), 7), manifest.Keys(Bytes32(series), 1)
    names = hashing(what_n=entry.what(), where_n=entry.where())
    names["seed_n"] = value_of(also("model-claim", "mac(S, ").text, hashing(S=series))
    names["C_what"], names["C_where"] = value_of(what, names), value_of(where, names)
    assert names["C_what"] == manifest.commit_what(made.what(0), entry.what())
    assert names["C_where"] == manifest.commit_where(made.where(0), entry.where())
    assert value_of(leaf, names) == manifest.entry_leaf(Digest(names["C_what"]), Digest(names["C_where"]))


def test_an_entry_of_a_model_says_what_the_text_lists():
    what = formula("model-claim", "what_n =").right
    said = re.fullmatch(r"JSON \{(.*)\} and, for tensors, (.*)", what)
    where = re.fullmatch(r"JSON \{(.*)\}", formula("model-claim", "where_n =").right)
    assert said
    assert where
    for kind in Kind:
        entry = manifest.Entry(Segment("a", kind, "w", "F32", (1,), 0, 4), Digest(bytes(32)), 0)
        more = said[2].split(", ") if kind is Kind.TENSOR else []
        assert set(json.loads(entry.what())) == {*said[1].split(", "), *more}
        assert set(json.loads(entry.where())) == set(where[1].split(", "))


@inputs(series=digests, key=digests, owner=digests, claim_id=digests, size=st.integers(1, 2**30))
def test_a_model_is_committed_to_as_the_text_says(series, key, owner, claim_id, size):
    total, content = formula("model-claim", "total =").right, formula("model-claim", "content =").right
    entry = manifest.Entry(Segment("a", Kind.FILE, "", "", (), 0, size), Digest(key[::-1]), 0)
    blinded = manifest.blind(manifest.Manifest((entry,)), Bytes32(series))
    names = hashing(S=series, bytes=size, chunks=-(-size // chunks.CHUNK), entries=1, key=key, owner=owner)
    names |= {"tree root": blinded.tree.root(), "claim_id": claim_id}
    names["total"] = value_of(total, names)
    names["content"] = value_of(content, names)
    assert (names["total"], names["content"]) == (blinded.total(), blinded.content())
    made = claim.commit(Salt(key), Digest(owner), Bytes32(claim_id), Digest(names["content"]))
    assert value_of(formula("model-claim", "commitment =").right, names) == made
