import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parley_attestation import canonical, statement
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import MAX_BLOB, MAX_ITEMS, Bytes32, Digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.keys import fingerprint
from parley_attestation.registration import TEST_SET, Stratum, read_registration, seal_registration

KEY = SigningKey(b"k" * 32)
ROOT = Digest(b"r" * 32)
SUBJECT = statement.Subject("test-set", ROOT)
GIVEN = {
    "set_id": Bytes32(b"s" * 32),
    "size": 10,
    "root": ROOT,
    "strata": (Stratum("a", 0, 4), Stratum("b", 4, 6)),
    "media_type": "text/plain",
    "prompt_bytes": 100,
    "reference_bytes": 10,
    "graders": (Digest(b"g" * 32),),
}
GOOD = json.loads(
    canonical.dump(statement.open_sealed(seal_registration(KEY, **GIVEN), KEY.public).predicate)
)


def sealed(predicate, *, subjects=(SUBJECT,), kind=TEST_SET, key=KEY):
    return statement.seal(statement.Statement(kind, tuple(subjects), predicate), key)


def refused(raw, *parts, reason=Reason.BAD_REGISTRATION, root=KEY.public):
    with pytest.raises(PeerError) as caught:
        read_registration(raw, root)
    assert caught.value.reason is reason
    assert caught.value.blamed is None
    for part in parts:
        assert part in caught.value.message


def test_a_registration_is_read_as_it_was_sealed():
    found = read_registration(seal_registration(KEY, **GIVEN, baselines={"passed": True}), KEY.public)
    assert found.owner == fingerprint(KEY.public)
    assert {name: getattr(found, name) for name in GIVEN} == GIVEN
    assert found.item_kinds == ("single",)
    assert found.baselines == {"passed": True}
    assert found.statement.subjects == (statement.Subject("test-set", ROOT),)


def test_a_registration_signed_by_another_key_than_asked_for_is_refused():
    raw = seal_registration(KEY, **GIVEN)
    refused(raw, reason=Reason.BAD_SIGNATURE, root=SigningKey(b"x" * 32).public)


def test_a_registration_in_anothers_name_is_refused_with_and_without_a_pinned_key():
    thief = SigningKey(b"x" * 32)
    raw = sealed(GOOD, key=thief)
    refused(raw, "another key than its owner's", root=thief.public)
    refused(raw, "another key than its owner's", root=None)


def test_without_a_key_the_owner_is_the_signer():
    assert read_registration(seal_registration(KEY, **GIVEN), None).owner == fingerprint(KEY.public)


@given(st.data())
def test_any_changed_byte_is_refused(data):
    raw = bytearray(seal_registration(KEY, **GIVEN))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(PeerError):
        read_registration(bytes(raw), KEY.public)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_as_a_peers(raw):
    with pytest.raises(PeerError):
        read_registration(raw, None)


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_missing_field_is_refused_by_its_name(name):
    refused(sealed({n: v for n, v in GOOD.items() if n != name}), f"predicate.{name}")


def test_an_unknown_field_is_refused():
    refused(sealed(GOOD | {"comment": "x"}), "unknown field 'comment'")
    refused(sealed(GOOD | {"caps": GOOD["caps"] | {"items": 1}}), "unknown field 'items'")


@pytest.mark.parametrize(
    "change",
    [
        {"owner": "ab"},
        {"set_id": "AB" * 32},
        {"size": 0},
        {"size": MAX_ITEMS + 1},
        {"size": "10"},
        {"size": True},
        {"root": "zz" * 32},
        {"media_type": ""},
        {"media_type": "x" * 129},
        {"caps": {"prompt_bytes": 0, "reference_bytes": 1}},
        {"caps": {"prompt_bytes": 1, "reference_bytes": MAX_BLOB}},
        {"graders": []},
        {"graders": ["ab" * 32] * 65},
        {"item_kinds": []},
        {"item_kinds": ["single", "script"]},
        {"item_kinds": ["single", "episode"]},
        {"strata": [{"name": "a", "start": 0, "count": 10}] * 65},
        {"strata": [{"name": "", "start": 0, "count": 10}]},
        {"strata": [{"name": "a", "start": 0, "count": 10, "colour": 1}]},
    ],
)
def test_a_value_out_of_bounds_is_refused(change):
    refused(sealed(GOOD | change))


@pytest.mark.parametrize("bad", ["zz" * 32, "ab", "AB" * 32])
def test_a_grader_that_is_no_digest_is_refused_as_a_bad_registration(bad):
    refused(sealed(GOOD | {"graders": [bad]}))


@pytest.mark.parametrize(
    "strata",
    [
        [("a", 0, 4), ("b", 5, 5)],
        [("a", 0, 5), ("b", 4, 6)],
        [("a", 1, 9)],
        [("a", 0, 9)],
        [("a", 0, 11)],
        [("a", 0, 4), ("a", 4, 6)],
        [("b", 4, 6), ("a", 0, 4)],
        [("a", 0, 0), ("b", 0, 10)],
    ],
)
def test_strata_that_do_not_tile_the_set_are_refused(strata):
    listed = [{"name": n, "start": s, "count": c} for n, s, c in strata]
    refused(sealed(GOOD | {"strata": listed}))


def test_a_subject_that_is_not_the_root_is_refused():
    other = statement.Subject("test-set", Digest(b"o" * 32))
    refused(sealed(GOOD, subjects=[other]), "subject")
    refused(sealed(GOOD, subjects=[statement.Subject("set", ROOT)]), "subject")
    refused(sealed(GOOD, subjects=[SUBJECT, other]), "subject")


def test_a_statement_of_another_type_is_refused():
    refused(sealed(GOOD, kind="tag:parley,2026:model-claim/v1"), reason=Reason.BAD_STATEMENT)


def test_what_no_reader_would_accept_is_not_sealed():
    with pytest.raises(PeerError) as caught:
        seal_registration(KEY, **GIVEN | {"size": 11})
    assert caught.value.reason is Reason.BAD_REGISTRATION
