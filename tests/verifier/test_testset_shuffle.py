from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from parley_attestation.encoding import Bytes32, u64
from parley_verifier.shuffle import shuffle


def order(size, seed, context=b""):
    values = list(range(size))
    shuffle(values, Bytes32(seed), context)
    return values


@given(st.integers(0, 200), st.binary(min_size=32, max_size=32))
def test_a_shuffle_is_a_permutation_that_seed_and_context_fix(size, seed):
    found = order(size, seed)
    assert sorted(found) == list(range(size))
    assert found == order(size, seed)
    if size > 20:
        assert found != order(size, seed, b"other")
        assert found != order(
            size, bytes(31) + bytes([seed[31] ^ 1]) if seed[:31] == bytes(31) else bytes(32)
        )


def test_every_order_of_four_is_equally_likely():
    """Chi-squared over the 24 orders of fixed seeds; 49.7 is its 99.9 % point at 23 degrees of freedom."""
    trials = 4800
    counts = Counter(tuple(order(4, bytes(24) + u64(n))) for n in range(trials))
    assert len(counts) == 24
    mean = trials / 24
    assert sum((count - mean) ** 2 / mean for count in counts.values()) < 49.7
