"""Every formula, table, figure and object of the draft is read by exactly one test.

The registry is the tests themselves: a call `formula("section", "start")` in a test is its claim to that formula,
and likewise `table`, `tables`, `figure` and `obj`. Names stand in the calls as literals, so that this test and a
person with grep find them. A second reading is written `also` and claims nothing.
"""

import ast
import re
import runpy
from pathlib import Path

import reading

TABLES = runpy.run_path(str(reading.PATH.parent / "tools/tables.py"))["TABLES"]
KINDS = {"formula": "formula", "obj": "object", "table": "table", "tables": "table", "figure": "figure"}
GENERATOR = "test_draft.py::test_every_generated_table_is_up_to_date"
Thing = tuple[str, str, str]  # kind, section or name, text


def things() -> set[Thing]:
    """Everything in the draft that must be claimed."""
    draft = reading.read(reading.current())
    found = {("formula", one.section, one.text) for one in draft.formulas}
    found |= {("object", one.section, one.text) for one in draft.objects}
    found |= {("figure", where, "") for where in draft.figures}
    return found | {("table", name, "") for name in draft.tables}


def calls() -> list[tuple[str, ast.Call]]:
    """Every call that is a claim, with the name of the test that it stands in."""
    found = []
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for test in ast.parse(path.read_text()).body:
            inside = isinstance(test, ast.FunctionDef) and test.name.startswith("test_")
            for node in ast.walk(test):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                    assert inside, f"{path.name}:{node.lineno}: a claim outside of a test"
                    found.append((f"{path.name}::{test.name}", node))
    return found


def claims() -> dict[Thing, list[str]]:
    """Everything that a test claims, with the tests that do."""
    found: dict[Thing, list[str]] = {}
    for test, node in calls():
        words = [one.value for one in node.args if isinstance(one, ast.Constant)]
        assert len(words) == len(node.args), f"{test}: line {node.lineno}: a claim whose name is no literal"
        kind = KINDS[node.func.id]
        if kind in ("formula", "object"):
            one = (reading.also if kind == "formula" else reading.also_object)(*words)
            thing = kind, one.section, one.text
        else:
            thing = kind, words[0], ""
        found.setdefault(thing, []).append(test)
    for name in set(TABLES) & set(reading.read(reading.current()).tables):
        found.setdefault(("table", name, ""), []).append(GENERATOR)
    return found


def test_everything_in_the_draft_is_claimed_by_one_test():
    assert sorted(things() - set(claims())) == [], "no test reads these"


def test_every_claim_is_to_something_in_the_draft():
    assert sorted(set(claims()) - things()) == []


def test_nothing_is_claimed_twice():
    twice = {
        thing: [test for test in tests if test != GENERATOR]
        for thing, tests in claims().items()
        if len({test for test in tests if test != GENERATOR}) > 1 or len(tests) > len(set(tests))
    }
    assert twice == {}


# What prose may hold of signs: lists, anchors, bounds that are powers, the names of algorithms, and words that say
# what a letter is.
HARMLESS = re.compile(
    r"^\* |\{#[\w-]+\}|\*\*|-?\(?\d\^\d+(?: - 1)?\)?|DHKEM\(X25519, HKDF-SHA256\)"
    r"|K\* a declared count|unit j = 1, 2, \.\.\.|rank r = 0\.\.m-1|v = byte 1"
)


def test_no_formula_hides_in_the_prose():
    lines = [
        (name, HARMLESS.sub("", line))
        for name, text in reading.read(reading.current()).sections.items()
        for line in re.sub(
            r"~~~.*?~~~|`[^`]+`|^\|.*?$|<!--.*?-->", "", text, flags=re.DOTALL | re.MULTILINE
        ).split("\n")
    ]
    assert [one for one in lines if re.search(r"[=<>^*]|\|\|| [-+/] |\w\(", one[1])] == []
