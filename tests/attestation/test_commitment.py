import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parley_attestation.commitment import (
    Field,
    ItemCommitter,
    SeedTree,
    SetName,
    commit_item,
    commit_output,
    content_digest,
    expand_cover,
    item_leaf,
    verify_item,
    verify_output,
)
from parley_attestation.encoding import Bytes32, Digest, Label, Salt, frame, u64
from parley_attestation.errors import PeerError, Reason

NAME = SetName(Digest(b"o" * 32), Bytes32(b"s" * 32))
MASTER = Bytes32(b"m" * 32)
KEY = Salt(b"k" * 32)


def refused(reason=Reason.BAD_OPENING):
    return pytest.raises(PeerError, check=lambda e: e.reason is reason)


def test_a_commitment_is_hmac_over_the_frame_of_everything_it_binds():
    content = hashlib.sha256(frame(Label.CONTENT, b"what is 2+2?")).digest()
    message = frame(Label.ITEM, NAME.owner, NAME.set_id, u64(7), b"prompt", content)
    expected = hmac.new(KEY, message, "sha256").digest()
    assert commit_item(KEY, NAME, 7, Field.PROMPT, content_digest(b"what is 2+2?")) == expected
    verify_item(KEY, NAME, 7, Field.PROMPT, b"what is 2+2?", expected)


OTHER_NAME = SetName(NAME.owner, Bytes32(b"t" * 32))
OTHER_OWNER = SetName(Digest(b"p" * 32), NAME.set_id)


@pytest.mark.parametrize(
    ("key", "name", "index", "field", "content"),
    [
        (b"l" * 32, NAME, 7, Field.PROMPT, b"x"),
        (KEY, OTHER_NAME, 7, Field.PROMPT, b"x"),
        (KEY, OTHER_OWNER, 7, Field.PROMPT, b"x"),
        (KEY, NAME, 8, Field.PROMPT, b"x"),
        (KEY, NAME, 7, Field.REFERENCE, b"x"),
        (KEY, NAME, 7, Field.PROMPT, b"y"),
    ],
)
def test_an_opening_of_anything_else_is_refused(key, name, index, field, content):
    commitment = commit_item(KEY, NAME, 7, Field.PROMPT, content_digest(b"x"))
    with refused():
        verify_item(key, name, index, field, content, commitment)


def test_a_key_of_another_length_is_refused():
    commitment = commit_item(KEY, NAME, 7, Field.PROMPT, content_digest(b"x"))
    with refused(Reason.MALFORMED):
        verify_item(KEY + b"\0", NAME, 7, Field.PROMPT, b"x", commitment)


def test_an_output_is_bound_to_exercise_and_unit():
    exercise = Digest(b"e" * 32)
    commitment = commit_output(KEY, exercise, 7, 2, b"4")
    verify_output(KEY, exercise, (7, 2), b"4", commitment)
    for wrong in (
        (b"l" * 32, exercise, (7, 2), b"4"),
        (KEY, Digest(b"f" * 32), (7, 2), b"4"),
        (KEY, exercise, (2, 7), b"4"),
        (KEY, exercise, (7, 3), b"4"),
        (KEY, exercise, (7, 2), b"5"),
    ):
        with refused():
            verify_output(*wrong, commitment)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 70))
def test_all_keys_at_once_are_the_keys_one_by_one(size):
    tree = SeedTree.of_field(MASTER, NAME, Field.PROMPT, size)
    keys = tree.keys()
    assert [bytes(keys[32 * n : 32 * n + 32]) for n in range(size)] == [tree.key(n) for n in range(size)]
    assert len(set(map(tree.key, range(size)))) == size


def test_the_fields_of_an_item_have_different_keys():
    trees = [SeedTree.of_field(MASTER, NAME, f, 8) for f in Field]
    assert trees[0].key(3) != trees[1].key(3)
    assert trees[0].key(3) != SeedTree.of_field(MASTER, OTHER_NAME, Field.PROMPT, 8).key(3)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 100), st.data())
def test_a_cover_gives_the_keys_of_its_range_and_no_others(size, data):
    tree = SeedTree.of_field(MASTER, NAME, Field.PROMPT, size)
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    cover = tree.cover(start, stop)
    assert list(expand_cover(cover)) == [(n, tree.key(n)) for n in range(start, stop)]
    assert len(cover) <= max(2 * tree.height, 1)


def test_an_aligned_range_costs_one_seed():
    assert len(SeedTree.of_field(MASTER, NAME, Field.PROMPT, 64).cover(16, 32)) == 1
    assert len(SeedTree.of_field(MASTER, NAME, Field.PROMPT, 64).cover(0, 64)) == 1


@pytest.mark.parametrize("height", [-1, 33, 10**9])
def test_a_seed_too_high_to_expand_is_refused(height):
    with refused(Reason.MALFORMED):
        next(expand_cover(((0, height, MASTER),)))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.binary(max_size=40), st.binary(max_size=40), st.data())
def test_the_fast_committer_writes_the_same_commitments(size, prompt, reference, data):
    index = data.draw(st.integers(0, size - 1))
    made = ItemCommitter(MASTER, NAME, size).commitments(index, prompt, reference)
    keys = [SeedTree.of_field(MASTER, NAME, f, size).key(index) for f in Field]
    for key, field, content, one in zip(keys, Field, (prompt, reference), made, strict=True):
        verify_item(key, NAME, index, field, content, one)
    leaf = ItemCommitter(MASTER, NAME, size).leaf(index, prompt, reference)
    assert leaf == item_leaf(*map(Digest, made)) == hashlib.sha256(b"\0" + made[0] + made[1]).digest()
