import csv
import io
import json
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parley_attestation.canonical import dump
from parley_attestation.errors import LocalError, Reason
from parley_verifier import items as module
from parley_verifier.items import read_items
from testset_kit import json_lines, refused

shared = settings(
    max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
names = st.text(string.ascii_letters, min_size=1, max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
values = st.recursive(
    st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
).filter(lambda value: value != "")


def lines(folder, *raw, name="items.jsonl"):
    path = folder / name
    path.write_bytes(b"\n".join(raw) + b"\n")
    return path


def wrong(path, line, *parts):
    refused(Reason.CONFIG, lambda: list(read_items(path)), f"{path}, line {line}:", *parts)


GOOD = b'{"prompt":"p","reference":"r"}'


def expected(value):
    return value.encode() if isinstance(value, str) else dump(value)


@shared
@given(st.lists(st.tuples(values, values, names), max_size=5))
def test_json_values_become_bytes_by_one_rule(tmp_path, rows):
    written = [{"prompt": p, "reference": r, "id": i, "stratum": i} for p, r, i in rows]
    found = list(read_items(json_lines(tmp_path, written)))
    assert found == [
        (n, expected(p), expected(r), i, i, False, "", "") for n, (p, r, i) in enumerate(rows, 1)
    ]


@shared
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
def test_csv_cells_become_their_utf8_bytes_and_rows_name_the_line_they_start_on(tmp_path, rows):
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("prompt", "reference"), *rows])
    path = tmp_path / "items.csv"
    path.write_bytes(out.getvalue().encode())
    found = list(read_items(path))
    assert [(i.prompt, i.reference) for i in found] == [(p.encode(), r.encode()) for p, r in rows]
    assert [i.line for i in found] == sorted({i.line for i in found})
    assert found[0].line == 2


@shared
@given(st.binary(max_size=80), st.sampled_from(["items.jsonl", "items.csv"]))
def test_any_bytes_are_items_or_a_refusal_that_names_the_line(tmp_path, raw, name):
    path = tmp_path / name
    path.write_bytes((b"prompt,reference\n" if name.endswith("csv") else b"") + raw)
    try:
        list(read_items(path))
    except LocalError:
        refused(Reason.CONFIG, lambda: list(read_items(path)), ", line ")


@pytest.mark.parametrize(
    ("bad", "part"),
    [
        (b"", "one JSON object"),
        (b"[]", "one JSON object"),
        (b"{", "one JSON object"),
        (b"\xff", "UTF-8"),
        (b"[" * 100_000, "one JSON object"),
        (b'{"prompt":"p"}', "either reference or reference_file"),
        (b'{"reference":"r"}', "either prompt or prompt_file"),
        (b'{"prompt":null,"reference":"r"}', "either prompt"),
        (b'{"prompt":"p","prompt_file":"p","reference":"r"}', "either prompt"),
        (b'{"prompt":"","reference":"r"}', "1.."),
        (b'{"prompt":"p","reference":""}', "reference: expected 1.."),
        (b'{"prompt":0.5,"reference":"r"}', "the number 0.5"),
        (b'{"prompt":[NaN],"reference":"r"}', "the number NaN"),
        (b'{"prompt":9007199254740992,"reference":"r"}', "prompt: not expressible"),
        (b'{"prompt":"\\ud800","reference":"r"}', "surrogates"),
        (b'{"prompt":["\\ud800"],"reference":"r"}', "prompt: "),
        (b'{"prompt":"p","reference":"r","answer":"a"}', "unknown field 'answer'"),
        (b'{"prompt":"p","prompt":"q","reference":"r"}', "'prompt' stands there twice"),
        (b'{"prompt":{"a":1,"a":2},"reference":"r"}', "'a' stands there twice"),
        (b'{"prompt":"p","reference":"r","stratum":7}', "stratum: "),
        (b'{"prompt":"p","reference":"r","stratum":""}', "stratum: "),
        (b'{"prompt":"p","reference":"r","stratum":"a\\nb"}', "stratum: "),
        (b'{"prompt":"p","reference":"r","id":null}', "id: "),
    ],
)
def test_a_bad_line_is_refused_with_its_number(tmp_path, bad, part):
    wrong(lines(tmp_path, GOOD, bad, GOOD), 2, part)


@pytest.mark.parametrize(
    ("raw", "line", "part"),
    [
        (b"prompt,answer\np,r\n", 1, "column names"),
        (b"prompt,prompt,reference\np,p,r\n", 1, "column names"),
        (b"\nprompt,reference\n", 2, "cells"),
        (b"prompt,reference\np,r\np\n", 3, "expected 2 cells, got 1"),
        (b"prompt,reference\np,r\n\np,r\n", 3, "got 0"),
        (b"prompt,reference\np,r\np,\n", 3, "either reference"),
        (b'prompt,reference\np,r\n"a\nb",r\n"p" x,r\n', 5, "not a CSV row"),
        (b'prompt,reference\np,r\n"p,r\np,r\n', 3, "not a CSV row"),
        (b"prompt,reference\np,r\n\xff,r\n", 3, "UTF-8"),
    ],
)
def test_a_bad_csv_row_is_refused_with_the_line_it_starts_on(tmp_path, raw, line, part):
    (tmp_path / "items.csv").write_bytes(raw)
    wrong(tmp_path / "items.csv", line, part)


def test_a_byte_order_mark_before_a_csv_header_is_skipped(tmp_path):
    (tmp_path / "items.csv").write_bytes("\ufeffprompt,reference,id\np,r,\n".encode())
    assert list(read_items(tmp_path / "items.csv")) == [(2, b"p", b"r", "", "", False, "", "")]


def test_content_files_are_taken_byte_for_byte(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(b"\x89PNG\r\n\x00")
    path = json_lines(tmp_path, [{"prompt_file": "images/1.png", "reference_file": "images/1.png"}])
    (found,) = read_items(path)
    assert found.prompt == found.reference == b"\x89PNG\r\n\x00"


def test_content_files_stay_beneath_the_folder(tmp_path):
    inside = tmp_path / "set"
    inside.mkdir()
    (tmp_path / "secret").write_bytes(b"x")
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "empty").touch()
    for name, part in [
        ("../secret", "beneath"),
        (str(tmp_path / "secret"), "beneath"),
        ("link", "beneath"),
        ("none", "No such file"),
        (".", "Is a directory"),
        ("empty", "1.."),
        ("a\0b", "a path"),
        ("", "a path"),
        (7, "a path"),
    ]:
        wrong(json_lines(inside, [{"prompt_file": name, "reference": "r"}]), 1, part)


def test_content_and_lines_over_the_limit_are_refused_without_being_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_CONTENT", 10)
    (tmp_path / "big").write_bytes(b"x" * 11)
    wrong(json_lines(tmp_path, [{"prompt_file": "big", "reference": "r"}]), 1, "1..10 bytes, got 11")
    wrong(json_lines(tmp_path, [{"prompt": "x" * 11, "reference": "r"}]), 1, "1..10")
    monkeypatch.setattr(module, "MAX_LINE", len(GOOD) + 1)
    assert len(list(read_items(lines(tmp_path, GOOD)))) == 1
    wrong(lines(tmp_path, GOOD, GOOD + b" "), 2, "in a line")


def test_other_kinds_of_files_and_missing_files_are_refused(tmp_path):
    refused(Reason.CONFIG, lambda: list(read_items(tmp_path / "items.xlsx")), ".jsonl or .csv")
    refused(Reason.CONFIG, lambda: list(read_items(tmp_path / "items.jsonl")), "No such file")


def test_an_error_quotes_no_control_characters_of_the_source(tmp_path):
    path = lines(tmp_path, json.dumps({"prompt": "p", "reference": "r", "\x1b[2J": 1}).encode())
    error = refused(Reason.CONFIG, lambda: list(read_items(path)))
    assert "\x1b" not in str(error) + error.args[0]
