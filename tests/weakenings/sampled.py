"""A sample of the weakenings, asked again in a minute: recorded killers, every new check, some explanations.

A weakening that the ledger does not know is a check that was written or changed since the last whole run. No
trace says which tests reach it; it is tried against the tests that killed what stood in the same function, and
those of its neighbours in the module. What they do not kill survives here, until a run of its own finds a
killer or somebody explains it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakenings.ledger import HUNG, Ledger, wrong
from weakenings.sites import Site

NEIGHBOURS = 12  # tests that a weakening without a killer of its own is tried against
_TOLD = 2  # of these that a person is shown
SECONDS = 60.0  # that these are given at most
Plan = tuple[Site, list[str], float]


@dataclass(frozen=True, slots=True)
class Sample:
    """Weakenings, each with the tests to ask.

    Attributes:
        recorded: Those with a killer on record, which is asked alone.
        others: Those that nothing on record kills: every new one, and some that are explained.
    """

    recorded: Mapping[str, Plan]
    others: Mapping[str, Plan]

    @property
    def files(self) -> list[str]:
        """The test files to collect."""
        plans = [*self.recorded.values(), *self.others.values()]
        return sorted({name.partition("::")[0] for _, names, _ in plans for name in names})

    def problems(
        self,
        tests: Iterable[str],
        against: Callable[[Mapping[str, Plan]], Iterable[tuple[str, Any]]],
        explained: Iterable[str],
    ) -> list[str]:
        """Ask; what is wrong then.

        Args:
            tests: Those that there are.
            against: Tries plans and gives what `Runner.against` gives.
            explained: The weakenings that are declared to change nothing.
        """
        known = set(tests)
        gone = {key: names[0] for key, (_, names, _) in self.recorded.items() if names[0] not in known}
        plans = {key: one for key, one in self.recorded.items() if key not in gone}
        plans |= {
            key: (site, [name for name in names if name in known], seconds)
            for key, (site, names, seconds) in self.others.items()
        }
        killers = dict.fromkeys(gone, "")
        killers |= {key: HUNG if result is None else result["killer"] for key, result in against(plans)}
        found = wrong(killers, explained)
        return [
            f"{one} ({self._asked(one.partition(': ')[0])})" if "survives" in one else one for one in found
        ]

    def _asked(self, name: str) -> str:
        site, names, _ = self.recorded.get(name) or self.others[name]
        told = ", ".join(names[:_TOLD]) or "nothing"
        more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
        return f"{site.module}:{site.line}, {site.what[:120]!r}; asked: {told}{more}"


def sample(sites: Sequence[Site], ledger: Ledger, source: bytes, count: int, explained: int) -> Sample:
    """Choose; which ones follows from the weakened source.

    Args:
        sites: Every weakening.
        ledger: What is known.
        source: The text of the weakened modules.
        count: Recorded killers to ask again.
        explained: Explained ones to try.
    """
    ranked = sorted(sites, key=lambda site: hashlib.sha256(source + site.id.encode()).digest())
    recorded = [(s, [killer], SECONDS) for s in ranked if (killer := _recorded(s.id, ledger))]
    new = [s for s in ranked if s.id not in ledger.results]
    declared = [s for s in ranked if s.id in ledger.explained and s.id in ledger.results]
    others = {s.id: (s, neighbours(s, sites, ledger), SECONDS) for s in (*new, *declared[:explained])}
    return Sample({plan[0].id: plan for plan in recorded[:count]}, others)


def _recorded(name: str, ledger: Ledger) -> str:
    """The recorded killer of a weakening, where there is one that can be asked again."""
    killer = ledger.killer(name) if name in ledger.results else ""
    return "" if killer == HUNG else killer


def neighbours(site: Site, sites: Sequence[Site], ledger: Ledger) -> list[str]:
    """The killers of what was weakened in the same function, gone checks first, then elsewhere in the module."""
    within = f"{Path(site.module).stem}.{site.scope}:"
    same = [name for name in ledger.results if name.startswith(within)]
    same.sort(key=lambda name: (name in ledger.here, f":{site.operator}:" not in name, name))
    near = sorted((s for s in sites if s.module == site.module), key=lambda s: abs(s.line - site.line))
    found = (_recorded(name, ledger) for name in (*same, *(s.id for s in near)))
    return list(dict.fromkeys(killer for killer in found if killer))[:NEIGHBOURS]
