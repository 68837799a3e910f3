"""The weakenings themselves: what is edited, that the ledger is in order, and a sample of killers asked again."""

import ast
import os
import subprocess
import sys

import pytest
from weakenings import ledger
from weakenings.ledger import Ledger
from weakenings.pool import Work, results
from weakenings.sites import ROOT, all_sites, sites, weakened

SOURCE = """
class A:
    def f(self, x, y):
        if x > 1 or y:
            raise PeerError(Reason.BAD_KEY, "no")
        check(x)
        return lambda: x <= y
"""


def edited(operator, part=0):
    found = [s for s in sites("m.py", SOURCE) if s.operator == operator]
    tree = ast.unparse(weakened(found[part], SOURCE))
    return found[part], tree


def test_a_guard_and_a_call_that_checks_are_left_out():
    site, text = edited("guard")
    assert (site.scope, site.line, site.reached) == ("A.f", 4, 5)
    assert "if False if True else x > 1 or y:" in text
    assert "if False:\n            check(x)" in edited("guard", 1)[1]


def test_one_operand_is_dropped_and_stays_as_dead_code():
    site, text = edited("operand")
    assert "if y if True else x > 1:" in text
    assert site.reached == 5  # fewer refusals: nothing changes where none came


def test_an_edge_moves_by_one():
    assert "if x >= 1 or y:" in edited("edge")[1]
    assert "x < y" in edited("edge", 1)[1]


def test_a_refusal_gets_another_reason():
    assert "PeerError(Reason.CLOCK, 'no')" in edited("reason")[1]


def test_a_site_is_found_again_when_lines_move():
    moved = sites("m.py", "\n\n" + SOURCE)
    assert [s.id for s in moved] == [s.id for s in sites("m.py", SOURCE)]
    assert all(
        ast.unparse(weakened(s, SOURCE)) != ast.unparse(ast.parse(SOURCE)) for s in sites("m.py", SOURCE)
    )


def test_every_site_of_the_project_has_a_name_of_its_own_and_compiles():
    found = all_sites()
    assert len({s.id for s in found}) == len(found) > 450
    for site in found[::7]:
        compile(weakened(site, (ROOT / site.module).read_text()), site.module, "exec")


def test_children_that_die_or_hang_are_told_from_those_that_answer():
    work = [
        Work("answers", lambda _: 42, 30.0),
        Work("dies", lambda _: os._exit(3), 30.0),
        Work("hangs", lambda _: os.read(os.pipe()[0], 1), 0.3),
    ]
    assert dict(results(work, 2)) == {"answers": 42, "dies": None, "hangs": None}


def row(tests="", cases=None):
    return {"what": "", "tests": tests, "cases": cases}


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (Ledger({"a": row("t")}, {"a": "why"}, frozenset()), "a: declared, and killed by t"),
        (Ledger({"a": row()}, {}, frozenset()), "a: survives, and nobody says why"),
        (Ledger({"a": row(cases="c")}, {}, frozenset({"a"})), "a: listed as open, and killed or gone"),
        (Ledger({}, {}, frozenset({"a"})), "a: listed as open, and killed or gone"),
        (Ledger({"a": row()}, {"a": "why"}, frozenset({"a"})), "a: explained and open"),
    ],
)
def test_a_ledger_that_is_not_in_order_says_so(found, complaint):
    assert found.problems == [complaint]


def test_the_ledger_is_in_order_and_every_reason_is_a_sentence():
    found = ledger.read()
    assert found.problems == []
    assert all(len(why) > 25 and why.endswith(".") for why in found.explained.values())


def test_the_ledger_knows_nearly_every_site():
    """Edits make new sites; `make mutants` tries them. More than one in ten unknown: the ledger is stale."""
    here = {s.id for s in all_sites()}
    assert len(here - set(ledger.read().results)) <= len(here) // 10


def test_the_figures_for_people_are_those_of_the_ledger():
    """Where a page has the block, it says what the ledger says."""
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text()
        if ledger.BEGIN in text:
            assert ledger.block(ledger.read()) in text, "run python -m weakenings readme"


@pytest.mark.slow
def test_a_sample_of_weakenings_is_killed_again():
    done = subprocess.run(
        [sys.executable, "-m", "weakenings", "sample", "--count", "16"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
