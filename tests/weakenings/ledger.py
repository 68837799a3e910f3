"""What is known of the weakenings: which test or case kills each, which change nothing, which are open.

`results.json` is what the last whole run found. `explained.toml` declares, each with a reason, those that no
test can tell from the original; a run that kills one falsifies the declaration. Whatever else survived is
listed by name in `open.txt`, which only ever gets shorter.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakenings.sites import Site, all_sites

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
EXPLAINED = HERE / "explained.toml"
OPEN = HERE / "open.txt"
HUNG = "it hung or died"


@dataclass(frozen=True, slots=True)
class Ledger:
    """The three files."""

    results: Mapping[str, Mapping[str, Any]]
    explained: Mapping[str, str]
    open: frozenset[str]

    def killer(self, name: str) -> str:
        """The test or case that kills a weakening; "" where none does."""
        one = self.results[name]
        return one["tests"] or one["cases"] or ""

    @property
    def survivors(self) -> set[str]:
        """Weakenings that nothing kills."""
        return {name for name in self.results if not self.killer(name)}

    @property
    def problems(self) -> list[str]:
        """Declarations that are wrong, survivors that nobody names, and names that survive no more."""
        found = [f"{n}: declared, and killed by {self.killer(n)}" for n in self.explained if self._killed(n)]
        found += [f"{n}: survives, and nobody says why" for n in self.survivors - self.named]
        found += [f"{n}: listed as open, and killed or gone" for n in self.open - self.survivors]
        found += [f"{n}: explained and open" for n in self.open & set(self.explained)]
        return sorted(found)

    @property
    def named(self) -> set[str]:
        """Survivors that are named somewhere."""
        return set(self.explained) | self.open

    def _killed(self, name: str) -> bool:
        return name in self.results and bool(self.killer(name))


def read() -> Ledger:
    """The ledger as it is checked in."""
    rows = tomllib.loads(EXPLAINED.read_text())["explained"]
    explained = {name: row["why"] for row in rows for name in row["ids"]}
    return Ledger(json.loads(RESULTS.read_text()), explained, frozenset(OPEN.read_text().split()))


def merge(work: Path) -> int:
    """Join the results of all shards into results.json; say what is wrong with the ledger then."""
    found: dict[str, Any] = {}
    for path in sorted(work.glob("found-*.json")):
        found |= json.loads(path.read_text())
    here = {site.id: site for site in all_sites()}
    rows = {
        name: {"what": here[name].what[:200], "tests": one.get("tests"), "cases": one.get("cases")}
        for name, one in found.items()
        if name in here
    }
    missing = sorted(set(here) - set(rows))
    RESULTS.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")
    problems = [*read().problems, *(f"{name}: not tried" for name in missing)]
    print("\n".join([*problems, figures(read())]))  # noqa: T201 - what the run is for
    return 1 if problems else 0


def figures(ledger: Ledger) -> str:
    """The figures for people, one line; made from the ledger alone."""
    total, survivors = len(ledger.results), ledger.survivors
    reached = [one for one in ledger.results.values() if one["cases"] is not None]
    by_cases = sum(1 for one in reached if one["cases"])
    explained = survivors & set(ledger.explained)
    return (
        f"{total} single-site weakenings of the checks: {total - len(survivors)} killed, "
        f"{len(explained)} explained by name, {len(survivors - explained)} open by name. "
        f"The suite's own cases reach {len(reached)} of them over the wire and kill {by_cases}."
    )


def known(site: Site, ledger: Ledger) -> str:
    """The recorded killer of a weakening, where there is one that can be asked again."""
    killer = ledger.killer(site.id) if site.id in ledger.results else ""
    return "" if killer == HUNG else killer


BEGIN, END = "<!-- begin weakenings -->", "<!-- end weakenings -->"


def block(found: Ledger) -> str:
    """The figures between the marks that a page has around them."""
    return f"{BEGIN}\n{figures(found)}\n{END}"


def fill(page: Path) -> None:
    """Write the figures into a page that has the marks."""
    before, mark, rest = page.read_text().partition(BEGIN)
    assert mark, f"{page} has no {BEGIN}"
    page.write_text(before + block(read()) + rest.partition(END)[2])
