import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_kit import vectors
from parley_attestation.ed25519 import SigningKey, verify
from parley_attestation.errors import PeerError, Reason

# The rule of suite 1, written again in integers from RFC 8032 section 5.1, in extended coordinates.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)


def add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar, point):
    found = IDENTITY
    while scalar:
        if scalar & 1:
            found = add(found, point)
        point = add(point, point)
        scalar >>= 1
    return found


def encode(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(raw):
    """The point of a canonical encoding, or None."""
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_ONE % P
    if x * x % P != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def small_order(point):
    return encode(times(8, point)) == encode(IDENTITY)


BASE = decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def accepts(public, message, signature):
    """Canonical encodings, S < L, neither key nor R of small order, [S]B - [k]A encodes to R."""
    if len(public) != 32 or len(signature) != 64:
        return False
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    a, point_r = decode(public), decode(r)
    if a is None or point_r is None or s >= L or small_order(a) or small_order(point_r):
        return False
    k = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L
    minus_a = (P - a[0], a[1], 1, (P - a[0]) * a[1] % P)
    return encode(add(times(s, BASE), times(k, minus_a))) == r


def accepted(public, message, signature):
    try:
        verify(public, message, signature)
    except PeerError as error:
        if (error.reason, error.blamed) != (Reason.BAD_SIGNATURE, None):
            raise
        return False
    return True


CCTV = [
    (bytes.fromhex(v["key"]), v["msg"].encode(), bytes.fromhex(v["sig"]), v["flags"] or [])
    for v in vectors("crypto/cctv_ed25519.json")
]


def test_the_rule_and_the_library_agree_on_every_edge_case():
    ours = [accepts(*v[:3]) for v in CCTV]
    assert [accepted(*v[:3]) for v in CCTV] == ours
    assert len(CCTV) == 914 // 2
    assert 0 < sum(ours) < 50


@pytest.mark.parametrize("flag", ["low_order_R", "low_order_A", "non_canonical_R", "non_canonical_A"])
def test_small_orders_and_other_encodings_are_refused(flag):
    cases = [v for v in CCTV if flag in v[3]]
    assert cases
    assert not any(accepted(*v[:3]) for v in cases)


def test_keys_with_a_small_order_component_are_accepted_where_the_equation_holds():
    cases = [v for v in CCTV if "low_order_component_A" in v[3]]
    assert any(accepted(*v[:3]) for v in cases)


WYCHEPROOF = [
    pytest.param(group["publicKey"]["pk"], test, id=f"tc{test['tcId']}")
    for group in vectors("crypto/wycheproof_ed25519_test.json")["testGroups"]
    for test in group["tests"]
]


@pytest.mark.parametrize(("key", "test"), WYCHEPROOF)
def test_wycheproof(key, test):
    public, message, signature = (bytes.fromhex(x) for x in (key, test["msg"], test["sig"]))
    expected = test["result"] == "valid"
    assert accepted(public, message, signature) is expected
    assert accepts(public, message, signature) is expected


def test_the_first_vector_of_rfc_8032():
    key = SigningKey(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    assert key.public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert key.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=64), st.integers(0, 95), st.integers(1, 255))
def test_a_changed_byte_of_key_or_signature_is_refused(message, at, flip):
    key = SigningKey(b"k" * 32)
    raw = bytearray(key.public + key.sign(message))
    verify(bytes(raw[:32]), message, bytes(raw[32:]))
    raw[at] ^= flip
    assert not accepted(bytes(raw[:32]), message, bytes(raw[32:]))


@pytest.mark.parametrize(
    ("public", "signature"), [(b"", bytes(64)), (bytes(32), b""), (bytes(33), bytes(64))]
)
def test_other_lengths_are_refused(public, signature):
    assert not accepted(public, b"", signature)


def test_a_signing_key_never_shows_its_seed():
    key = SigningKey(b"k" * 32)
    assert (b"k" * 32).hex()[:16] not in repr(key) + str(key)
    assert key.seed() == b"k" * 32
    with pytest.raises(PeerError):
        SigningKey(b"short")
