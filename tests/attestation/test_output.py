from hypothesis import given
from hypothesis import strategies as st
from parley_attestation.output import cut


@given(st.text(), st.integers(0, 60))
def test_text_is_cut_to_the_longest_whole_characters_that_fit(text, limit):
    raw = text.encode()
    kept = cut(raw, limit)
    assert raw.startswith(kept)
    assert len(kept) <= limit
    kept.decode()
    if kept != raw:
        following = raw[len(kept) :].decode()[0].encode()
        assert len(kept) + len(following) > limit


@given(st.binary(), st.integers(0, 60))
def test_any_bytes_are_cut_to_at_most_the_limit_and_lose_at_most_one_character(raw, limit):
    kept = cut(raw, limit)
    assert raw.startswith(kept)
    assert min(limit, len(raw)) - 3 <= len(kept) <= limit
