"""What is known of the weakenings: which test or case kills each, and which change nothing.

`results.json` is what the last whole run found. `explained.toml` declares, each with a reason, those that no
test can tell from the original; a run that kills one falsifies the declaration. Nothing else may survive.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakenings.sites import all_sites

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
EXPLAINED = HERE / "explained.toml"
HUNG = "it hung or died"
ADVICE = """\
A weakening that survives is a check that no test would miss. Either
  kill it: write a test that fails under it, in a file that TESTS of tests/weakenings/__main__.py names, or
  explain it: name it in tests/weakenings/explained.toml, with the reason why no test can tell it apart.
An explained one that is killed has the wrong reason: take its name out. Then have it tried and recorded, by all
tests or, with --paths and the files that reach it, by these in a minute:
  PYTHONPATH=tests python -m weakenings all --only ID && PYTHONPATH=tests python -m weakenings readme
"""


def wrong(killers: Mapping[str, str], explained: Iterable[str]) -> list[str]:
    """Survivors that nobody explains, and explained ones that are killed, of weakenings that were tried.

    Args:
        killers: For each, the test or case that killed it; "" where none did.
        explained: The ones that are declared to change nothing.
    """
    declared = set(explained)
    survivors = {name for name, killer in killers.items() if not killer}
    found = [f"{n}: survives, and nobody says why" for n in survivors - declared]
    found += [f"{n}: explained, and killed by {killers[n]}" for n in declared & set(killers) - survivors]
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Both files, and the weakenings that the source has today."""

    results: Mapping[str, Mapping[str, Any]]
    explained: Mapping[str, str]
    here: frozenset[str]

    def killer(self, name: str) -> str:
        """The test or case that kills a weakening; "" where none does."""
        return killer_of(self.results[name])

    @property
    def survivors(self) -> set[str]:
        """Weakenings that nothing kills."""
        return {name for name in self.results if not self.killer(name)}

    @property
    def problems(self) -> list[str]:
        """Survivors that nobody explains, and declarations that are wrong or of a check that is gone."""
        found = wrong({name: self.killer(name) for name in self.results}, self.explained)
        gone = set(self.explained) - self.here
        return sorted([*found, *(f"{name}: explained, and there is no such check" for name in gone)])


def killer_of(row: Mapping[str, Any]) -> str:
    """The test or case that killed a weakening, by its row; "" where none did."""
    return row.get("tests") or row.get("cases") or ""


def read() -> Ledger:
    """The ledger as it is checked in."""
    rows = tomllib.loads(EXPLAINED.read_text())["explained"]
    explained = {name: row["why"] for row in rows for name in row["ids"]}
    return Ledger(json.loads(RESULTS.read_text()), explained, frozenset(s.id for s in all_sites()))


def found_in(work: Path) -> dict[str, Any]:
    """What the shards in a folder found, joined."""
    found: dict[str, Any] = {}
    for path in sorted(work.glob("found-*.json")):
        found |= json.loads(path.read_text())
    return found


def merge(found: Mapping[str, Any], *, whole: bool) -> list[str]:
    """Write what a run found into results.json; what is wrong with the ledger then.

    Args:
        found: By weakening, the killer among the tests and among the cases.
        whole: Whether the run was over every weakening, and nothing is written where it was not; else the
            others stay as they are recorded.
    """
    here = {site.id: site for site in all_sites()}
    rows = {} if whole else {name: row for name, row in read().results.items() if name in here}
    rows |= {
        name: {"what": here[name].what[:200], "tests": one.get("tests"), "cases": one.get("cases")}
        for name, one in found.items()
        if name in here
    }
    missing = [f"{name}: not tried" for name in sorted(set(here) - set(rows))]
    if whole and missing:
        return missing
    RESULTS.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")
    return [*read().problems, *missing]


def figures(ledger: Ledger) -> str:
    """The figures for people, one line; made from the ledger alone."""
    total, survivors = len(ledger.results), ledger.survivors
    reached = [one for one in ledger.results.values() if one["cases"] is not None]
    by_cases = sum(1 for one in reached if one["cases"])
    explained = survivors & set(ledger.explained)
    return (
        f"{total} single-site weakenings of the checks: {total - len(survivors)} killed, "
        f"{len(explained)} explained by name, {len(survivors - explained)} unexplained. "
        f"The suite's own cases reach {len(reached)} of them over the wire and kill {by_cases}."
    )


BEGIN, END = "<!-- begin weakenings -->", "<!-- end weakenings -->"


def block(found: Ledger) -> str:
    """The figures between the marks that a page has around them."""
    return f"{BEGIN}\n{figures(found)}\n{END}"


def fill(page: Path) -> None:
    """Write the figures into a page that has the marks."""
    before, mark, rest = page.read_text().partition(BEGIN)
    assert mark, f"{page} has no {BEGIN}"
    page.write_text(before + block(read()) + rest.partition(END)[2])
