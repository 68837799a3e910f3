import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_kit import VECTORS
from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.errors import PeerError, Reason


def refused(reason):
    return pytest.raises(PeerError, check=lambda e: e.reason is reason)


@pytest.mark.parametrize("name", ["arrays", "french", "structures"])
def test_canonical_vectors_read_back_byte_for_byte(name):
    raw = (VECTORS / f"jcs/output_{name}.json").read_bytes()
    assert canonical.dump(canonical.load(raw)) == raw


@pytest.mark.parametrize("name", ["arrays", "french"])
def test_the_inputs_of_the_vectors_serialise_to_their_outputs_and_are_not_read_as_they_are(name):
    raw = (VECTORS / f"jcs/input_{name}.json").read_bytes()
    assert canonical.dump(json.loads(raw)) == (VECTORS / f"jcs/output_{name}.json").read_bytes()
    with refused(Reason.NOT_CANONICAL):
        canonical.load(raw)


def test_a_number_with_a_fraction_is_refused_even_where_it_is_whole():
    with refused(Reason.MALFORMED):
        canonical.load((VECTORS / "jcs/input_structures.json").read_bytes())


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b"1.5",
        b"1e3",
        b"NaN",
        b"Infinity",
        b"9007199254740992",
        b"-9007199254740992",
        b"1" * 5000,
        b"",
        b"{",
        b"[1]x",
        b"\xff",
        b'"\\ud800"',
        b"\xef\xbb\xbf1",
        b"[" * 100 + b"]" * 100,
        b"[" * 100_000,
    ],
)
def test_what_has_no_canonical_form_is_refused(raw):
    with refused(Reason.MALFORMED):
        canonical.load(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b" 1",
        b"1\n",
        b'{"b":1,"a":2}',
        b'"\\u0061"',
        b'{"a": 1}',
        b"-0",
        b'"\\/"',
        '{"\ufb33":1,"\U0001f600":2}'.encode(),
    ],
)
def test_another_spelling_of_a_value_is_refused(raw):
    with refused(Reason.NOT_CANONICAL):
        canonical.load(raw)


def test_keys_are_sorted_by_utf_16_code_units():
    assert canonical.dump({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


def test_the_largest_integer_is_2_to_the_53_minus_1():
    assert canonical.load(b"9007199254740991") == 2**53 - 1
    with refused(Reason.MALFORMED):
        canonical.dump(2**53)
    with refused(Reason.MALFORMED):
        canonical.dump(1.5)


def test_depth_is_bounded_on_both_ways():
    deep = []
    for _ in range(canonical.MAX_DEPTH):
        deep = [deep]
    assert canonical.load(canonical.dump(deep)) == deep
    with refused(Reason.MALFORMED):
        canonical.dump([deep])


def test_size_is_bounded_before_anything_is_parsed():
    assert canonical.load(b'"abc"', limit=5) == "abc"
    with refused(Reason.TOO_LARGE):
        canonical.load(b'"abcd"', limit=5)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_every_value_has_one_spelling(value):
    raw = canonical.dump(value)
    assert canonical.load(raw) == value
    assert json.loads(raw) == value


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\u0123 aeE.-\n', max_size=40).map(str.encode))
def test_anything_at_all_is_read_or_refused(raw):
    try:
        value = canonical.load(raw)
    except PeerError:
        return
    assert canonical.dump(value) == raw


DOCUMENT = {
    "integer": 5,
    "boolean": True,
    "text": "x",
    "decimal": "-1.5",
    "choice": "a",
    "digest": "00" * 32,
    "object": {"inner": 1},
    "items": [{"n": 1}, {"n": 2}],
    "texts": ["a", "b"],
    "raw": None,
}


class TestFields:
    """A strict reader: the field's path in every refusal, and nothing left over."""

    def fields(self, **changed):
        return Fields(DOCUMENT | changed, "doc")

    def test_every_kind_of_field_is_read(self):
        fields = self.fields()
        assert fields.has("integer")
        assert fields.integer("integer", 5, 5) == 5
        assert not fields.has("integer")
        assert fields.boolean("boolean") is True
        assert fields.text("text") == "x"
        assert fields.decimal("decimal") == "-1.5"
        assert fields.choice("choice", {"a": 1}) == 1
        assert fields.digest("digest") == bytes(32)
        inner = fields.object("object")
        assert inner.path == "doc.object"
        assert fields.items("items", lambda f: f.integer("n")) == (1, 2)
        assert fields.texts("texts") == ("a", "b")
        assert fields.raw("raw") is None
        fields.end()

    @pytest.mark.parametrize(
        ("method", "name", "value"),
        [
            ("integer", "integer", True),
            ("integer", "integer", "5"),
            ("integer", "integer", -1),
            ("boolean", "boolean", 1),
            ("text", "text", ""),
            ("text", "text", "x" * 4097),
            ("text", "text", 5),
            ("decimal", "decimal", "1.50"),
            ("decimal", "decimal", "01"),
            ("decimal", "decimal", "1e5"),
            ("decimal", "decimal", ".5"),
            ("digest", "digest", "0" * 63),
            ("digest", "digest", "AA" * 32),
            ("object", "object", []),
            ("texts", "texts", [1]),
            ("texts", "texts", [""]),
            ("names", "texts", ["b", "a"]),
            ("names", "texts", ["a", "a"]),
            ("list", "items", {}),
            ("list", "items", [0] * 5000),
        ],
    )
    def test_another_kind_of_value_is_refused_with_the_fields_path(self, method, name, value):
        with refused(Reason.MALFORMED) as caught:
            getattr(self.fields(**{name: value}), method)(name)
        assert f"doc.{name}" in caught.value.message

    def test_a_missing_field_and_an_unknown_choice_are_refused(self):
        with refused(Reason.MALFORMED):
            self.fields().integer("absent")
        with refused(Reason.MALFORMED):
            self.fields(choice=["a"]).choice("choice", {"a": 1})
        with refused(Reason.MALFORMED):
            Fields([])

    def test_a_field_that_nobody_asked_for_is_refused(self):
        with refused(Reason.UNKNOWN_FIELD):
            Fields({"a": 1}).end()
        with refused(Reason.BAD_TERMS):
            Fields({"a": 1}, reason=Reason.BAD_TERMS).end()
