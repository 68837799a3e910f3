"""Suite 1: the rule of signatures as the text states it, against the vectors and the code."""

import contextlib
import hashlib
import re

import pytest
import worked
from curve import BASE, L, P, decode
from evaluate import value_of
from parley_attestation import ed25519
from parley_attestation.errors import PeerError
from reading import also, figure, formula, section


def small() -> set[bytes]:
    """Every encoding of small order that the text lists, with the sign bit either way."""
    listed = [value_of(one, {"p": P}) for one in also("suite", "y = 0").right.split(", ")]
    found = [y.to_bytes(32, "little") for y in listed] + [bytes.fromhex(one) for one in also_figure()]
    return {raw[:31] + bytes([raw[31] | sign]) for raw in found for sign in (0, 128)}


def also_figure() -> list[str]:
    """The two encodings of order 8, as a helper reads them."""
    return re.findall("^[0-9a-f]{64}$", section("suite"), re.MULTILINE)


def test_the_encodings_of_small_order_are_all_that_there_are():
    listed, order_8 = formula("suite", "y = 0"), figure("suite").split()
    assert "with the sign bit either way" in section("suite")
    generator = decode(bytes.fromhex(order_8[0]))
    assert generator is not None
    ys = {int.from_bytes((n * generator).encode(), "little") % 2**255 for n in range(8)}
    ys |= {y + P for y in ys if y + P < 2**255}
    assert (8 * generator).encode() == (1).to_bytes(32, "little") != (4 * generator).encode()
    said = {value_of(one, {"p": P}) for one in listed.right.split(", ")}
    assert said | {int.from_bytes(bytes.fromhex(one), "little") for one in order_8} == ys
    assert len(order_8) == 2
    assert {raw.hex() for raw in small()} >= set(order_8)


def test_signatures_are_accepted_exactly_where_the_text_says():
    below, equal = formula("suite", "S < L").text, formula("suite", "[S]B - [k]A").text
    assert f"the encoding of `{equal}` equals R byte for byte" in section("suite")
    refused, results = small(), set()
    assert value_of(below, {"S": L - 1, "L": L})
    assert not value_of(below, {"S": L, "L": L})
    for test in worked.tests("ed25519"):
        key, message, signature = (bytes.fromhex(test[name]) for name in ("key", "message", "signature"))
        accepted = False
        point = decode(key) if len(key) == 32 and len(signature) == 64 else None
        if point is not None and point.encode() == key and not {key, signature[:32]} & refused:
            k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
            names = {"S": int.from_bytes(signature[32:], "little"), "L": L, "k": k, "A": point, "B": BASE}
            accepted = value_of(below, names) and value_of(equal, names).encode() == signature[:32]
        assert accepted == (test["result"] == "valid"), test["comment"]
        results.add(accepted)
        with contextlib.nullcontext() if accepted else pytest.raises(PeerError):
            ed25519.verify(key, message, signature)
    assert results == {True, False}
