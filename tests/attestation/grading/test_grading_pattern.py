import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parley_attestation.canonical import Fields
from parley_attestation.errors import PeerError, Reason
from parley_attestation.grading.pattern import (
    MAX_EXPANDED,
    MAX_PATTERN,
    BadPattern,
    Pattern,
    _expanded,
    read_pattern,
)


@pytest.mark.parametrize(
    "pattern",
    [
        "a",
        r"\d{4}-\d\d",
        "(?:a|b)+",
        "(?s:.)",
        "(?m:^a)",
        "[]a]",
        r"[^\]\\]",
        "a{,3}",
        "x{",
        "é",
        "[[:alpha:]]",
        r"\(",
    ],
)
def test_the_common_syntax_is_accepted(pattern):
    Pattern(pattern, ignore_case=False).check()


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "(",
        ")",
        "[",
        "[a",
        "a**",
        "a\\",
        r"\pL",
        r"[\pL]",
        r"\x41",
        r"\101",
        r"\Qa\E",
        r"\C",
        r"\1",
        "(?i)a",
        "(?i:a)",
        "(?s)a",
        "(?=a)",
        "(?P<n>a)",
        "(?U:a)",
        "a{1001}",
        "(?:a{50}){50}",
        "a" * (MAX_PATTERN + 1),
        "é" * (MAX_PATTERN // 2 + 1),
    ],
)
def test_what_implementations_read_differently_is_refused(pattern):
    with pytest.raises(BadPattern):
        Pattern(pattern, ignore_case=False).check()


def test_capitals_are_refused_where_case_is_ignored():
    with pytest.raises(BadPattern):
        Pattern("Cat", ignore_case=True).check()
    Pattern(r"\D\W cat", ignore_case=True).check()
    Pattern("Cat", ignore_case=False).check()


@pytest.mark.parametrize(
    ("pattern", "size"),
    [
        ("abc", 3),
        (r"\d", 2),
        ("a{3}", 3),
        ("ab{3}", 4),
        ("a{2,5}", 5),
        ("a{2,}", 2),
        ("a{0}", 1),
        ("(ab){3}", 12),
        ("(?:ab){3}", 12),
        ("((a{2}){3}){4}", 4 * (2 + 3 * 4)),
        ("[a-z]{4}", 20),
        ("x(a)(b{2})", 1 + 3 + 4),
        (r"\{3}", 4),
        ("[{3}]{2}", 10),
    ],
)
def test_the_expanded_size_writes_counted_repetitions_out(pattern, size):
    assert _expanded(pattern) == size


def test_the_largest_expanded_size_still_compiles_and_the_next_is_refused():
    widest = "(?:" + "." * (MAX_EXPANDED // 8 - 2) + "){8}"
    assert _expanded(widest) == MAX_EXPANDED
    Pattern(widest, ignore_case=False).check()
    with pytest.raises(BadPattern):
        Pattern(widest + "a", ignore_case=False).check()


@given(st.text(alphabet="ab(){}[]\\|*+?.^$,:sm0123dpxé", max_size=30), st.text(max_size=20))
@settings(max_examples=300)
def test_any_text_is_a_pattern_that_can_be_searched_or_is_refused(pattern, text):
    one = Pattern(pattern, ignore_case=False)
    try:
        one.check()
    except BadPattern:
        return
    assert one.found_in(text.encode()) in {True, False}


def test_a_pattern_object_is_read_strictly():
    with pytest.raises(PeerError) as caught:
        read_pattern(Fields({"pattern": "(?i)a", "ignore_case": False}, reason=Reason.BAD_TERMS))
    assert caught.value.reason is Reason.BAD_TERMS
