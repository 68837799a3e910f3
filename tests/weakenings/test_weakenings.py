"""The weakenings themselves: what is edited, that the ledger is in order, and a sample of killers asked again."""

import ast
import os
import subprocess
import sys

import pytest
from weakenings import __main__ as weakenings
from weakenings import ledger, sampled
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
    ("results", "explained", "complaint"),
    [
        ({"a": row("t")}, {"a": "why"}, "a: explained, and killed by t"),
        ({"a": row()}, {}, "a: survives, and nobody says why"),
        ({"a": row(cases="c")}, {"a": "why"}, "a: explained, and killed by c"),
        ({}, {"b": "why"}, "b: explained, and there is no such check"),
    ],
)
def test_a_ledger_that_is_not_in_order_says_so(results, explained, complaint):
    assert Ledger(results, explained, frozenset({"a"})).problems == [complaint]


def test_what_is_no_whole_run_is_not_recorded_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "RESULTS", tmp_path / "results.json")
    site, *others = all_sites()
    said = ledger.merge({site.id: {"tests": "t"}}, whole=True)
    assert set(said) == {f"{one.id}: not tried" for one in others}
    assert not ledger.RESULTS.exists()


CHECKS = sites("m.py", SOURCE)
RECORDED, NEW, EXPLAINED = CHECKS[0], CHECKS[1], CHECKS[2]


def asked(killers, tests=("t::1", "t::2")):
    """What a sample says, where `killers` gives the test that kills a weakening."""
    rows = {site.id: row("t::1") for site in CHECKS if site is not NEW}
    rows[EXPLAINED.id] = row()
    known = Ledger(rows, {EXPLAINED.id: "why"}, frozenset(site.id for site in CHECKS))
    chosen = sampled.sample(CHECKS, known, b"", len(CHECKS), 1)
    assert set(chosen.others) == {NEW.id, EXPLAINED.id}
    assert chosen.others[NEW.id][1] == ["t::1"], "the killer of its neighbours"

    def against(plans):
        return [(key, {"killer": killers.get(key, "")}) for key in plans]

    return chosen.problems(tests, against, known.explained)


def test_a_changed_check_is_asked_of_the_test_that_killed_it_before():
    before = f"m.{NEW.scope}:{NEW.operator}:00000000"
    rows = {site.id: row("t::1") for site in CHECKS if site is not NEW} | {before: row("t::before")}
    known = Ledger(rows, {}, frozenset(site.id for site in CHECKS))
    assert sampled.neighbours(NEW, CHECKS, known) == ["t::before", "t::1"]


def killed(*spared):
    return {site.id: "t::1" for site in CHECKS if site not in spared}


def test_a_sample_in_which_every_weakening_is_killed_or_explained_passes():
    assert asked(killed(EXPLAINED)) == []


@pytest.mark.parametrize("survivor", [RECORDED, NEW])
def test_one_survivor_that_nobody_explains_fails_a_sample_and_is_shown(survivor):
    (said,) = asked(killed(EXPLAINED, survivor))
    assert said.startswith(f"{survivor.id}: survives, and nobody says why (m.py:{survivor.line}, ")
    assert survivor.what in said
    assert "t::1" in said


def test_an_explained_weakening_that_is_killed_fails_a_sample():
    assert asked(killed()) == [f"{EXPLAINED.id}: explained, and killed by t::1"]


def test_a_recorded_killer_that_is_gone_fails_a_sample():
    said = asked(killed(EXPLAINED), tests=())
    assert [one.partition(": ")[0] for one in said] == sorted({s.id for s in CHECKS} - {NEW.id, EXPLAINED.id})
    assert all("survives" in one for one in said)


def test_a_shard_fails_on_one_survivor_and_says_how_to_mend_it(capsys):
    killers = {"a": "t", "b": "", "c": "", "d": "t"}
    assert weakenings.gate(ledger.wrong(killers, ["c", "d"])) == 1
    said = capsys.readouterr().out
    assert said.startswith("b: survives, and nobody says why\nd: explained, and killed by t\n")
    assert ledger.ADVICE in said
    assert weakenings.gate([]) == 0
    assert capsys.readouterr().out == f"{ledger.figures(ledger.read())}\n"


def test_the_ledger_is_in_order_and_every_reason_is_a_sentence():
    found = ledger.read()
    assert found.problems == []
    assert all(len(why) > 25 and why.endswith(".") for why in found.explained.values())


def test_the_ledger_knows_nearly_every_site():
    """Edits make new sites, which a sample tries. More than one in ten unknown: `make mutants` is due."""
    here = {s.id for s in all_sites()}
    assert len(here - set(ledger.read().results)) <= len(here) // 10


def test_the_figures_for_people_are_those_of_the_ledger():
    """Where a page has the block, it says what the ledger says."""
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text()
        if ledger.BEGIN in text:
            assert ledger.block(ledger.read()) in text, "run python -m weakenings readme"


@pytest.mark.slow
def test_a_sample_of_weakenings_is_killed_or_explained():
    done = subprocess.run(
        [sys.executable, "-m", "weakenings", "sample"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
