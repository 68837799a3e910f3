import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.errors import PeerError, Reason
from parley_attestation.grading import MAX_OUTPUT, MAX_REFERENCE, REGISTRY, Outcome, read_grader

EXACT = {"kind": "exact", "trim": True, "ignore_case": True}
CHECKLIST = {"kind": "checklist", "points": 10, "ignore_case": False, "whole_words": True}
CONTAINS = {"kind": "contains", "ignore_case": False, "whole_words": True}
REGEX = {"kind": "regex", "whole": False, "ignore_case": True}
NUMERIC = {"kind": "numeric", "absolute": "0.01", "relative": "0", "pick": "last", "thousands": True}
CHOICE = {"kind": "multiple_choice", "choices": ["A", "B", "C", "D"], "ignore_case": False}
JSON = {"kind": "json_field", "path": ["answers", 1], "ignore_case": False}
REFUSAL = {"pattern": "i (?:cannot|can't)", "ignore_case": True}
DOCUMENTS = [EXACT, CONTAINS, REGEX, NUMERIC, CHOICE, JSON, {**NUMERIC, "marker": "Answer:"}]


def grader(document, **change):
    return read_grader(Fields({**document, **change}, "grader", reason=Reason.BAD_TERMS))


def outcome(document, output, reference, **change):
    output = output.encode() if isinstance(output, str) else output
    reference = reference.encode() if isinstance(reference, str) else reference
    return grader(document, **change).grade(output, reference).value


@pytest.mark.parametrize("document", [*DOCUMENTS, {**EXACT, "refusal": REFUSAL}])
def test_a_document_reads_back_as_written_and_its_digest_is_of_its_canonical_bytes(document):
    one = grader(document)
    assert one.document() == document
    assert grader(one.document()) == one
    assert one.digest() == hashlib.sha256(canonical.dump(document)).digest()


def test_the_registry_holds_each_kind_under_its_own_name():
    assert set(REGISTRY) == {
        "checklist",
        "contains",
        "exact",
        "json_field",
        "multiple_choice",
        "numeric",
        "regex",
    }
    assert all(name == kind.KIND for name, kind in REGISTRY.items())


@pytest.mark.parametrize(
    ("document", "change"),
    [
        (EXACT, {"kind": "prose"}),
        (EXACT, {"kind": 7}),
        (EXACT, {"extra": 1}),
        (EXACT, {"trim": 1}),
        (EXACT, {"refusal": {"pattern": "(", "ignore_case": False}}),
        (EXACT, {"refusal": {"pattern": "a", "ignore_case": False, "more": 1}}),
        (CHOICE, {"choices": ["A"]}),
        (CHOICE, {"choices": ["A", "A"]}),
        (CHOICE, {"choices": ["A", "a"], "ignore_case": True}),
        (CHOICE, {"choices": ["A", "B C"]}),
        (CHOICE, {"choices": ["A", "é"]}),
        (CHOICE, {"choices": ["A", "B" * 17]}),
        (CHOICE, {"marker": ""}),
        (NUMERIC, {"absolute": "-1"}),
        (NUMERIC, {"absolute": "0.10"}),
        (NUMERIC, {"absolute": "1e3"}),
        (NUMERIC, {"pick": "middle"}),
        (NUMERIC, {"marker": "x" * 65}),
        (JSON, {"path": [True]}),
        (JSON, {"path": [-1]}),
        (JSON, {"path": ["a"] * 17}),
        (JSON, {"path": [["a"]]}),
    ],
)
def test_a_document_that_is_not_understood_is_refused(document, change):
    with pytest.raises(PeerError) as caught:
        grader(document, **change)
    assert caught.value.reason is Reason.BAD_TERMS


def test_a_missing_field_is_refused():
    with pytest.raises(PeerError) as caught:
        read_grader(Fields({"kind": "exact", "trim": True}, reason=Reason.BAD_TERMS))
    assert caught.value.reason is Reason.BAD_TERMS


@given(
    st.sampled_from([*DOCUMENTS, {**CHOICE, "refusal": REFUSAL}, {**JSON, "path": []}]),
    st.binary(max_size=200) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass")),
    st.binary(max_size=60) | st.sampled_from([b"A", b"1.5", b'"x"', b"a|b", b"null"]),
)
@settings(max_examples=300)
def test_any_bytes_have_an_outcome_and_references_are_accepted_or_refused(document, output, reference):
    one = grader(document)
    found = one.grade(output, reference)
    assert isinstance(found, Outcome)
    refused = None
    try:
        one.check_reference(reference)
    except PeerError as error:
        refused = error.reason
    assert refused in {None, Reason.BAD_REGISTRATION}
    assert refused is None or found in {Outcome.INVALID, Outcome.REFUSE}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_an_output_or_reference_above_the_bound_is_invalid(document):
    one = grader(document)
    assert one.grade(b"A" * (MAX_OUTPUT + 1), b"A") is Outcome.INVALID
    assert one.grade(b"A", b"A" * (MAX_REFERENCE + 1)) is Outcome.INVALID
    with pytest.raises(PeerError) as caught:
        one.check_reference(b"1" * (MAX_REFERENCE + 1))
    assert caught.value.reason is Reason.BAD_REGISTRATION


@pytest.mark.parametrize(
    ("document", "output", "reference", "expected"),
    [
        (NUMERIC, b"a" + b"1" * (MAX_OUTPUT - 1), b"1", "invalid"),
        (NUMERIC, b"1,111" * (MAX_OUTPUT // 5), b"111", "pass"),
        (NUMERIC, b"." * MAX_OUTPUT, b"1", "invalid"),
        (NUMERIC, b"1e" * (MAX_OUTPUT // 2), b"1", "fail"),
        (CONTAINS, b"a" * MAX_OUTPUT, b"a" * 1024, "fail"),
        (CHOICE, b"A1" * (MAX_OUTPUT // 2), b"A", "invalid"),
        (REGEX, b"ab" * (MAX_OUTPUT // 2), b"(?:a|b)*a(?:a|b){100}c", "fail"),
        (JSON, b"[" + b'"a",' * (MAX_OUTPUT // 4 - 1) + b"1]", b"1", "invalid"),
    ],
)
def test_the_longest_outputs_are_graded_in_linear_time(document, output, reference, expected):
    assert outcome(document, output, reference) == expected  # quadratic work would not end here


def test_an_output_at_the_bound_is_read():
    assert outcome(CONTAINS, b" " * (MAX_OUTPUT - 1) + b"x", "x") == "pass"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("I cannot say, but B", "refuse"),
        ("I CAN'T", "refuse"),
        ("B", "pass"),
        (b"I cannot \xff B", "pass"),  # not UTF-8: never a refusal
    ],
)
def test_a_refusal_comes_before_any_answer(output, expected):
    assert outcome(CHOICE, output, "B", choices=["A", "B"], refusal=REFUSAL) == expected


@pytest.mark.parametrize(
    ("output", "reference", "change", "expected"),
    [
        (" Paris\n", "paris", {}, "pass"),
        ("Paris.", "paris", {}, "fail"),
        (" Paris", "Paris", {"trim": False}, "fail"),
        ("paris", "Paris", {"ignore_case": False}, "fail"),
        ("É", "é", {}, "fail"),  # ASCII folding only
        ("e\u0301", "é", {}, "fail"),  # no normalisation
        ("\u00a0x", "x", {}, "fail"),  # ASCII white space only
        ("\x0b\x0cx\r", "x", {}, "pass"),
        (b"\xff", b"\xff", {}, "pass"),
        ("", "", {}, "pass"),
    ],
)
def test_exact(output, reference, change, expected):
    assert outcome(EXACT, output, reference, **change) == expected


@pytest.mark.parametrize(
    ("output", "reference", "change", "expected"),
    [
        ("It is Paris.", "Paris", {}, "pass"),
        ("It is paris.", "Paris", {}, "fail"),
        ("It is paris.", "Paris", {"ignore_case": True}, "pass"),
        ("Parisian", "Paris", {}, "fail"),
        ("Parisian, Paris", "Paris", {}, "pass"),
        ("Parisian", "Paris", {"whole_words": False}, "pass"),
        ("caféParis", "Paris", {}, "fail"),  # é is a word byte
        ("x_y", "y", {}, "fail"),
        ("a C++ b", "C++", {}, "pass"),
        ("a C++b", "C++", {}, "pass"),  # "+" is no word byte, so no word is cut
        ("aC++", "C++", {}, "fail"),
        ("yes", " yes ", {}, "pass"),
        ("anything", "  ", {}, "invalid"),
    ],
)
def test_contains(output, reference, change, expected):
    assert outcome(CONTAINS, output, reference, **change) == expected


@pytest.mark.parametrize(
    ("output", "reference", "change", "expected"),
    [
        ("B", "B", {}, "pass"),
        ("The answer is (B).", "B", {}, "pass"),
        ("A good answer is B", "B", {}, "fail"),  # the first label decides
        ("A good one. Answer: C. ANSWER: B", "B", {"marker": "Answer:"}, "pass"),
        ("B", "B", {"marker": "Answer:"}, "invalid"),
        ("Bad", "B", {}, "invalid"),
        ("B_1", "B", {}, "invalid"),
        ("éB", "B", {}, "invalid"),
        ("b", "B", {}, "invalid"),
        ("b", "B", {"ignore_case": True}, "pass"),
        ("E", "B", {}, "invalid"),
        ("", "B", {}, "invalid"),
        ("B", "E", {}, "invalid"),
        ("10", "10", {"choices": ["1", "10"]}, "pass"),
        ("10", "1", {"choices": ["1", "10"]}, "fail"),
        (b"\x00B\x00", b"B", {}, "pass"),
    ],
)
def test_multiple_choice(output, reference, change, expected):
    assert outcome(CHOICE, output, reference, **change) == expected


@pytest.mark.parametrize(
    ("output", "reference", "change", "expected"),
    [
        ("3.14", "3.15", {}, "pass"),  # exactly the tolerance
        ("3.1399", "3.15", {}, "fail"),
        ("0.1", "0.3", {"absolute": "0.2"}, "pass"),  # floats say 0.19999999999999998
        ("1 then 2", "2", {}, "pass"),
        ("1 then 2", "1", {"pick": "first"}, "pass"),
        ("1 then 2", "1", {"pick": "only"}, "invalid"),
        (" -2\n", "-2", {"pick": "only"}, "pass"),
        ("1,234.5", "1234.5", {}, "pass"),
        ("1,234", "234", {"thousands": False}, "pass"),
        ("12,34", "34", {}, "pass"),  # not grouped in threes
        ("1,2345", "2345", {}, "pass"),
        ("6.02e23", "602000000000000000000000", {}, "pass"),
        ("x=-5", "-5", {}, "pass"),
        ("3-5", "5", {}, "pass"),  # a sign straight after a digit is none
        ("H2O", "2", {}, "invalid"),
        ("5kg", "5", {}, "pass"),
        (".5", "0.5", {}, "pass"),
        ("5.", "5", {}, "pass"),
        ("1.2.3", "1.2", {}, "pass"),
        ("Dots . and 5 .", "5", {}, "pass"),
        ("+. -.5 .", "-0.5", {"pick": "first"}, "pass"),
        ("...", "1", {}, "invalid"),
        ("+", "1", {"pick": "only"}, "invalid"),
        (".", "1", {"pick": "only"}, "invalid"),
        ("1,234,5678", "5678", {}, "pass"),
        ("1,234,567", "1234567", {}, "pass"),
        ("1,234,5678", "1234", {"pick": "first"}, "pass"),
        ("nothing", "1", {}, "invalid"),
        ("1e401", "1", {}, "invalid"),
        ("1" * 101, "1", {}, "invalid"),
        ("NaN", "1", {}, "invalid"),
        ("\u0663", "3", {}, "invalid"),  # other digits are no digits
        ("1 x", "one", {}, "invalid"),
        ("110", "100", {"absolute": "0", "relative": "0.1"}, "pass"),
        ("110.001", "100", {"absolute": "0", "relative": "0.1"}, "fail"),
        ("-90", "-100", {"absolute": "0", "relative": "0.1"}, "pass"),
        ("7 Answer: 8", "8", {"pick": "first", "marker": "answer:"}, "pass"),
        ("8", "8", {"marker": "answer:"}, "invalid"),
    ],
)
def test_numeric(output, reference, change, expected):
    assert outcome(NUMERIC, output, reference, **change) == expected


@pytest.mark.parametrize(
    ("output", "reference", "change", "expected"),
    [
        ("the CAT sat", "c.t", {}, "pass"),
        ("the CAT sat", "c.t", {"whole": True}, "fail"),
        (" CAT\n", "c.t", {"whole": True}, "pass"),
        ("CAT", "c.t", {"ignore_case": False}, "fail"),
        ("cét", "c.t", {}, "pass"),  # a character is a code point
        ("c\nt", "c.t", {}, "fail"),
        ("c\nt", "(?s:c.t)", {}, "pass"),
        ("x\ncat", "(?m:^cat$)", {}, "pass"),
        ("\u212a", "k", {}, "fail"),  # the Kelvin sign is no k: ASCII folding
        ("пример", "при.+", {}, "pass"),
        (b"c\xfft", b"c.t", {}, "invalid"),
        ("cat", "(", {}, "invalid"),
        ("a1b", r"[[:alpha:]]\d[^]\d]", {}, "pass"),
    ],
)
def test_regex(output, reference, change, expected):
    assert outcome(REGEX, output, reference, **change) == expected


@pytest.mark.parametrize(
    ("output", "reference", "change", "expected"),
    [
        ('{"answers": [1, "x"]}', '"x"', {}, "pass"),
        (' {"answers":["y","x"]}\n', '"x"', {}, "pass"),
        ('{"answers": [1, "X"]}', '"x"', {}, "fail"),
        ('{"answers": [1, "X"]}', '"x"', {"ignore_case": True}, "pass"),
        ('{"answers": [1, 1.0]}', "1", {}, "pass"),
        ('{"answers": [1, 1e0]}', "1", {}, "pass"),
        ('{"answers": [1, 0.1]}', "0.10", {}, "pass"),
        ('{"answers": [1, true]}', "1", {}, "fail"),
        ('{"answers": [1, true]}', "true", {}, "pass"),
        ('{"answers": [1, null]}', "null", {}, "pass"),
        ('{"answers": [1, "1"]}', "1", {}, "fail"),
        ('{"answers": [1]}', "1", {}, "invalid"),
        ('{"answers": {"1": 2}}', "2", {}, "invalid"),
        ('{"answers": [1, [2]]}', "2", {}, "invalid"),
        ('{"answers": [1, 2], "answers": [1, 3]}', "3", {}, "invalid"),
        ('{"answers": [1, NaN]}', "1", {}, "invalid"),
        ('{"answers": [1, 1e999]}', "1", {}, "invalid"),
        ('{"answers": [1, "\\ud800"]}', '"x"', {}, "invalid"),
        ('{"\\ud800": 1, "answers": [1, "x"]}', '"x"', {}, "invalid"),
        ('{"answers": [1, "\\ud83d\\ude00"]}', '"😀"', {}, "pass"),
        ('\ufeff{"answers": [1, 2]}', "2", {}, "invalid"),
        ('Here: {"answers": [1, 2]}', "2", {}, "invalid"),
        ('{"answers": [1, 2]', "2", {}, "invalid"),
        ('{"answers": [1, 2]} x', "2", {}, "invalid"),
        (b'{"answers": [1, "\xff"]}', b'"x"', {}, "invalid"),
        ('{"answers": [1, 2]}', "[2]", {}, "invalid"),
        ("3", "3", {"path": []}, "pass"),
        ('["\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 1]', "1", {"path": [1]}, "pass"),
        ("[" * 32 + "]" * 32, "1", {"path": []}, "invalid"),
        ("[1," + "[" * 31 + "]" * 31 + "]", "1", {"path": [0]}, "pass"),
        ("[1," + "[" * 32 + "]" * 32 + "]", "1", {"path": [0]}, "invalid"),
        ("[" * 100_000, "1", {"path": []}, "invalid"),
    ],
)
def test_json_field(output, reference, change, expected):
    assert outcome(JSON, output, reference, **change) == expected


@pytest.mark.parametrize(
    ("document", "good", "bad"),
    [
        (CONTAINS, b"x", b" \n"),
        (CONTAINS, b" " + b"x" * 1024, b"x" * 1025),
        (REGEX, b"a+", b"a)"),
        (REGEX, "é".encode(), b"\xff"),
        (NUMERIC, b" -1.5\n", b"1,000"),
        (CHOICE, b" C", b"c"),
        (JSON, b'"x"', b"{}"),
        (JSON, b"1", b"01"),
    ],
)
def test_a_reference_the_grader_cannot_use_is_refused_at_registration(document, good, bad):
    grader(document).check_reference(good)
    with pytest.raises(PeerError) as caught:
        grader(document).check_reference(bad)
    assert caught.value.reason is Reason.BAD_REGISTRATION


@pytest.mark.parametrize(
    ("output", "reference", "outcome", "points"),
    [
        (b"one two three", b'["one","two","three"]', Outcome.PASS, 10),
        (b"one two", b'["one","two","three"]', Outcome.FAIL, 6),
        (b"someone", b'["one","two","three"]', Outcome.FAIL, 0),
        (b"one", b'["one"]', Outcome.PASS, 10),
        (b"one", b'["one","one"]', Outcome.INVALID, 0),
        (b"one", b'["one","one "]', Outcome.INVALID, 0),
        (b"one", b'["one",1]', Outcome.INVALID, 0),
        (b"one", b"[]", Outcome.INVALID, 0),
        (b"one", b'["one", "two"]', Outcome.INVALID, 0),
        (b"no way: one", b'["one"]', Outcome.REFUSE, 0),
        (bytes(MAX_OUTPUT) + b" one", b'["one"]', Outcome.INVALID, 0),
    ],
)
def test_checklist(output, reference, outcome, points):
    grader = read_grader(Fields(CHECKLIST | {"refusal": {"pattern": "no way", "ignore_case": False}}))
    assert (grader.grade(output, reference), grader.score(output, reference)) == (outcome, points)
    assert grader.top == 10
    if b'"' not in reference or (outcome is Outcome.INVALID and len(output) < MAX_OUTPUT):
        with pytest.raises(PeerError):
            grader.check_reference(reference)
    else:
        grader.check_reference(reference)


def test_a_kind_that_only_passes_or_fails_scores_one_or_nothing():
    grader = read_grader(Fields(EXACT))
    assert (grader.top, grader.score(b"a", b"a"), grader.score(b"a", b"b")) == (1, 1, 0)


@pytest.mark.parametrize("change", [{"points": 1}, {"points": 255}, {"points": "10"}, {"whole_words": 1}])
def test_checklist_options_out_of_range_are_refused(change):
    with pytest.raises(PeerError):
        read_grader(Fields(CHECKLIST | change))
