"""Vectors of graders: documents, outputs, references, and the one outcome that each gives."""

import json
from collections.abc import Iterator
from typing import Any

from parley_attestation.canonical import Fields
from parley_attestation.errors import PeerError, Reason
from parley_attestation.grading import read_grader

from kinds.basics import Test

EXACT = {"kind": "exact", "trim": True, "ignore_case": True}
CHOICE = {"kind": "multiple_choice", "choices": ["A", "B", "C"], "ignore_case": False}
NUMERIC = {"kind": "numeric", "absolute": "0.01", "relative": "0", "pick": "last", "thousands": True}
CONTAINS = {"kind": "contains", "ignore_case": False, "whole_words": True}
REGEX = {"kind": "regex", "whole": False, "ignore_case": True}
JSON = {"kind": "json_field", "path": ["answers", 1], "ignore_case": False}
CHECKLIST = {"kind": "checklist", "points": 10, "ignore_case": False, "whole_words": True}
REFUSAL = {"refusal": {"pattern": "i (?:cannot|can't)", "ignore_case": True}}

CASES: tuple[tuple[dict[str, Any], tuple[tuple[bytes, bytes], ...]], ...] = (
    (
        EXACT,
        ((b" Paris\r\n", b"paris"), ("\u00c9".encode(), "\u00e9".encode()), (b"", b" \t"), (b"x\0", b"x")),
    ),
    ({**EXACT, "trim": False}, ((b"paris ", b"paris"), (b"PARIS", b"paris"))),
    ({**EXACT, **REFUSAL}, ((b"I CANNOT say paris", b"paris"), (b"\xffI cannot", b"paris"))),
    (
        {**EXACT, "answers": "last"},
        ((b'["no","paris"]', b"paris"), (b"paris", b"paris"), (b'["paris", "x"]', b"x")),
    ),
    ({**EXACT, "answers": "joined"}, ((b'["a","b"]', b"a\nb"),)),
    (
        CHOICE,
        ((b"the answer is B.", b"B"), (b"AB or C", b"C"), (b"none", b"A"), ("A\u00e9 B".encode(), b"B")),
    ),
    ({**CHOICE, "marker": "Answer:"}, ((b"A. answer: B, ANSWER: C", b"C"), (b"C", b"C"))),
    (NUMERIC, ((b"about 1,234.505 or so", b"1234.5"), (b"3-5", b"-5"), (b"H2O", b"2"), (b"5.", b"5"))),
    (
        NUMERIC,
        ((b"6.02e23", b"602e21"), (b"1e401", b"1"), (b"1,23", b"23"), (b"-.5", b"-0.5"), (b"1" * 101, b"1")),
    ),
    ({**NUMERIC, "pick": "only"}, ((b" 7 ", b"7"), (b"7 apples", b"7"))),
    ({**NUMERIC, "relative": "0.1", "pick": "first"}, ((b"89.98 and 100", b"100"), (b"89.99 and 1", b"100"))),
    (CONTAINS, ((b"a cat sat", b"cat"), (b"concatenate", b"cat"), (b"cat", b" "), (b"(cat)", b"cat"))),
    (REGEX, ((b"Total: 42 EUR", b"total: [0-9]+"), (b"x", b"(?:y|z)"), (b"\xff", b"."))),
    ({**REGEX, "whole": True}, ((b" 42\n", b"[0-9]{2}"), (b"42!", b"[0-9]{2}"))),
    (
        JSON,
        ((b'{"answers":[1,2.50]}', b"2.5"), (b'{"answers":[1,"2.5"]}', b"2.5"), (b'{"answers":[1]}', b"1")),
    ),
    (JSON, ((b'{"answers":[1,true],"answers":[]}', b"true"), (b'{"answers":[0,[]]}', b"1"), (b"{", b"1"))),
    (
        CHECKLIST,
        ((b"a cat and a dog", b'["cat","dog"]'), (b"a cat", b'["cat","dog","cow"]'), (b"", b'["cat"]')),
    ),
)

REFUSED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("an unknown kind", {"kind": "prose"}),
    ("a field too many", {**EXACT, "note": 1}),
    ("labels that folding makes equal", {**CHOICE, "choices": ["a", "A"], "ignore_case": True}),
    ("a negative tolerance", {**NUMERIC, "absolute": "-1"}),
    ("a tolerance in another spelling", {**NUMERIC, "absolute": "0.10"}),
    ("a pattern with a back reference", {**EXACT, "refusal": {"pattern": r"(a)\1", "ignore_case": False}}),
    ("a pattern that looks ahead", {**EXACT, "refusal": {"pattern": "(?=a)", "ignore_case": False}}),
    ("capitals where case is ignored", {**EXACT, "refusal": {"pattern": "A", "ignore_case": True}}),
    (
        "a pattern that grows too large",
        {**EXACT, "refusal": {"pattern": "(?:a{100}){50}", "ignore_case": False}},
    ),
    ("a repetition above 1000", {**EXACT, "refusal": {"pattern": "a{1001}", "ignore_case": False}}),
)


def graders() -> Iterator[Test]:
    """Every case, and documents that no terms may hold."""
    for document, pairs in CASES:
        grader = read_grader(Fields(document, "grader", reason=Reason.BAD_TERMS))
        for output, reference in pairs:
            try:
                grader.check_reference(reference)
                usable = True
            except PeerError:
                usable = False
            yield {
                "comment": f"{document['kind']}: {output[:30]!r} against {reference[:30]!r}",
                "requirement": "GRADE-1",
                "grader": document,
                "digest": grader.digest().hex(),
                "output": output.hex(),
                "reference": reference.hex(),
                "usable": usable,
                "outcome": grader.grade(output, reference).value,
                "result": "valid",
            }
    for comment, document in REFUSED:
        try:
            read_grader(Fields(json.loads(json.dumps(document)), "grader", reason=Reason.BAD_TERMS))
        except PeerError as error:
            reason = error.reason.value
        yield {
            "comment": comment,
            "requirement": "GRADE-1",
            "grader": document,
            "result": "invalid",
            "reason": reason,
        }
