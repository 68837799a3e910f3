"""The draft and the code say the same: generated tables, names and cross references."""

import re
import runpy

from parley_attestation.because import Because
from reading import PATH, current, read, section, slug, table

TABLES = runpy.run_path(str(PATH.parent / "tools/tables.py"))


def test_every_generated_table_is_up_to_date():
    assert TABLES["fill"](current()) == current(), "run python spec/tools/tables.py"


def test_every_cross_reference_has_its_anchor():
    anchors = set(re.findall(r"\{#([\w-]+)\}", current()))
    used = {name for name in re.findall(r"\{\{([\w-]+)\}\}", current()) if name.islower()}
    assert used <= anchors


def test_every_sentence_of_a_verdict_is_used_in_the_text():
    part = current().partition("# The verdict {#verdict}")[2].partition("# Records {#records}")[0]
    part = re.sub("<!-- begin sentences -->.*<!-- end sentences -->", "", part, flags=re.DOTALL)
    assert [one.name for one in Because if not re.search(rf"\b{one.name}\b", part)] == []


def covered(name: str) -> str:
    """A section with its subsections, down to the next heading of its level."""
    headings = re.findall(r"^#+ .*$", current(), re.MULTILINE)
    (place,) = [n for n, line in enumerate(headings) if slug(line) == name]
    level = len(headings[place].split()[0])
    inside = [headings[place]]
    for line in headings[place + 1 :]:
        if len(line.split()[0]) <= level:
            break
        inside.append(line)
    return "".join(section(slug(line)) for line in inside)


def test_every_threat_is_answered_by_sections_of_which_one_requires_something():
    sections = set(read(current()).sections)
    rows = table("threats").rows
    assert len({threat for threat, _ in rows}) == len(rows)
    for threat, answer in rows:
        named = re.findall(r"\{\{([\w-]+)\}\}", answer)
        assert ", ".join(f"{{{{{name}}}}}" for name in named) == answer, threat
        assert set(named) <= sections, threat
        required = [name for name in named if re.search(r"\([A-Z]+-\d+\)", covered(name))]
        assert required, f"{threat}: no requirement stands in {answer}"


def test_related_work_names_documents_and_sections_that_exist():
    listed = set(re.findall(r"^  ([A-Z][A-Z0-9-]+):", current().partition("--- abstract")[0], re.MULTILINE))
    for work, gives, use in table("related-work").rows:
        assert work
        assert gives
        assert use
        for name in re.findall(r"\{\{([\w-]+)\}\}", f"{work} {gives} {use}"):
            assert name in listed | set(read(current()).sections), name
