import builtins
import dataclasses
import hashlib
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parley_attestation.errors import LocalError, Reason
from parley_verifier.report import ReportView, render
from parley_verifier.report.plot import MAX_POINTS, _ticks, path_plot
from verifier_report_sample import HOSTILE, full, hostile, metric, sample


class Page(HTMLParser):
    """What a browser would build, as far as this parser goes."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.text, self.comments = [], [], [], []
        self.feed(page.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_data(self, data):
        self.text.append(data)

    def handle_comment(self, data):
        self.comments.append(data)


def skeleton(view):
    page = Page(render(view))
    return page.tags, [a for a in page.attributes if a[1] != "points"], page.comments


def test_the_same_view_gives_the_same_bytes_in_another_process():
    program = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]);"
        "from verifier_report_sample import sample; from parley_verifier.report import render;"
        "print(hashlib.sha256(render(sample())).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, __file__.rpartition("/")[0]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == hashlib.sha256(render(sample())).hexdigest()


def test_the_page_states_a_policy_under_which_it_can_load_and_run_nothing():
    page = Page(render(sample()))
    content = dict(a[1:] for a in page.attributes if a[0] == "meta" and a[1] == "content")
    policies = [a[2] for a in page.attributes if a[1] == "content" and "default-src" in a[2]]
    assert content
    assert policies == [
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    ]
    assert "script" not in page.tags
    assert not {"img", "iframe", "object", "embed", "form", "a", "base", "foreignobject"} & set(page.tags)
    assert [a for a in page.attributes if a[1] in {"href", "src", "style"} or a[1].startswith("on")] == [
        ("link", "href", "data:,")
    ]


def test_verdict_and_assurance_come_first_and_every_part_is_there():
    text = " ".join("".join(Page(render(sample())).text).split())
    parts = [
        "Evaluation record: Reading comprehension, first exercise",
        "INCONCLUSIVE at assurance declared, record VALID",
        "unqualified test set",
        "What was shown",
        "Not shown",
        "Who signed what",
        "Claims",
        "accuracy: COMPLIANT",
        "over-refusal: VIOLATION",
        "Held back: the prover's word does not show which weights answered.",
        "Burn and exposure",
        "1,786",
        "Attempts",
        "Timeline",
        "How to recheck",
        "parley check exercise.parley",
        "What may not be concluded",
        "absence of sandbagging",
    ]
    places = [text.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)


def test_hostile_text_changes_no_tag_no_attribute_and_no_style():
    plain, poisoned = skeleton(full()), skeleton(hostile())
    assert plain[0] == poisoned[0]
    assert [a for a in plain[1] if a[1] != "class"] == [a for a in poisoned[1] if a[1] != "class"]
    assert {a[2] for a in poisoned[1] if a[1] == "class"} <= {a[2] for a in plain[1] if a[1] == "class"}
    assert poisoned[2] == []
    page = Page(render(hostile()))
    shown = "".join(page.text)
    assert "<script>alert(1)</script>" in shown  # as text
    assert "{{ 7 * 7 }}" in shown  # no template runs twice
    for sign in ("\u202e", "\x00", "\x1b", "\ud800"):
        assert sign in HOSTILE
        assert sign not in shown
    assert "\\x202e" in shown


@given(st.text(min_size=1, max_size=80))
@settings(max_examples=100, deadline=None)
def test_no_title_can_add_an_element(title):
    view = bare(title)
    assert skeleton(view)[0] == skeleton(bare("x"))[0]


def bare(title):
    return ReportView(title, title, title, title, (title,), title, *([()] * 10), (title,))


def test_an_empty_view_is_still_a_page():
    text = "".join(
        Page(render(ReportView("t", "INCONCLUSIVE", "declared", "VALID", (), "", *([()] * 11)))).text
    )
    assert "Nothing." in text
    assert "The record states no scope." in text


def test_a_missing_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "jinja2":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(LocalError) as caught:
        render(sample())
    assert caught.value.reason is Reason.MISSING_EXTRA
    assert "parley[report]" in caught.value.hint


def test_the_path_ends_outside_the_boundary_that_it_crossed():
    claim = metric("accuracy", 1600, 1700, 4)
    found = path_plot(claim)
    last = tuple(map(int, found.path.split()[-1].split(",")))
    above = tuple(map(int, found.compliant.split()[-1].split(",")))
    assert last == found.end
    assert last[0] == above[0]
    assert last[1] <= above[1]  # y grows downwards
    assert last[1] < found.zero


def test_no_line_of_a_drawing_is_cut_short():
    claim = metric("accuracy", 1600, 1700, 4)
    view = dataclasses.replace(sample(), claims=(claim,))
    lines = [a[2] for a in Page(render(view)).attributes if a[1] == "points"]
    found = path_plot(claim)
    assert lines == [found.compliant, found.violation, found.path]
    assert max(map(len, lines)) > 1000


def test_a_long_path_is_thinned_and_keeps_its_ends():
    claim = dataclasses.replace(metric("a", 1600, 1700, 4), units="10" * 5000, compliant_boundary=())
    points = path_plot(claim).path.split()
    assert len(points) <= MAX_POINTS + MAX_POINTS // 10
    assert path_plot(dataclasses.replace(claim, units="")) is None


@given(st.integers(-(10**6), 10**6), st.integers(0, 10**6))
def test_axis_ticks_are_few_round_and_inside(low, span):
    found = _ticks(low, low + span)
    assert len(found) <= 7
    assert all(low <= tick <= low + span for tick in found)
