"""A pytest plugin that runs chosen tests in forked children: once traced, then against each weakening."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from weakenings.pool import Work, results
from weakenings.sites import MODULES, ROOT, Site
from weakenings.swap import swap

TRACE_SECONDS = 180.0
SLACK_SECONDS = 20.0  # beyond what the tests took unweakened, three times over
_FILES = {str(ROOT / module): index for index, module in enumerate(MODULES)}


class Runner:
    """Collects once; `run` is called with the collected tests instead of pytest's own loop."""

    def __init__(self, run: Callable[["Runner"], None]) -> None:
        self._run = run
        self.items: dict[str, pytest.Item] = {}
        self._failed: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the loop over."""
        if session.testsfailed:
            raise session.Interrupted("a test file could not be read")
        self.items = {item.nodeid: item for item in session.items}
        self._run(self)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure."""
        if report.failed:
            self._failed.append(report.nodeid)

    def outcome(self, names: Sequence[str], tmp: Path) -> str:
        """Run tests here until one fails and return its name; "" where all hold."""
        items = [self.items[name] for name in names]
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config._tmp_path_factory._basetemp = tmp
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return self._failed[0]
        return ""

    def trace(self, jobs: int) -> Iterator[tuple[str, Any]]:
        """For every test: how it came out, its seconds, and the lines of the weakened modules it runs."""

        def traced(name: str) -> Callable[[Path], Any]:
            def run(tmp: Path) -> Any:
                began = time.monotonic()
                lines = _lines(lambda: self.outcome([name], tmp))
                seconds = round(time.monotonic() - began, 3)
                return {"failed": bool(self._failed), "seconds": seconds, "lines": lines}

            return run

        yield from results((Work(name, traced(name), TRACE_SECONDS) for name in self.items), jobs)

    def against(self, jobs: int, plan: dict[str, tuple[Site, list[str], float]]) -> Iterator[tuple[str, Any]]:
        """For every weakening: the test that killed it, "" where none did, None where it hung or died.

        Args:
            jobs: Children at once.
            plan: The weakening, its tests in order, and the seconds that these take unweakened, by id.
        """

        def weak(site: Site, names: list[str]) -> Callable[[Path], Any]:
            def run(tmp: Path) -> Any:
                return {"swapped": swap(site), "killer": self.outcome(names, tmp)}

            return run

        work = (
            Work(key, weak(site, names), SLACK_SECONDS + 3 * seconds)
            for key, (site, names, seconds) in plan.items()
        )
        yield from results(work, jobs)


def _lines(run: Callable[[], Any]) -> list[tuple[int, int]]:
    """The lines of the weakened modules that `run` executes, in whatever thread."""
    seen: set[tuple[int, int]] = set()

    def local(index: int) -> Callable[..., Any]:
        def step(frame: Any, event: str, _arg: Any) -> Any:
            if event == "line":
                seen.add((index, frame.f_lineno))
            return step

        return step

    steps = {name: local(index) for name, index in _FILES.items()}

    def begins(frame: Any, _event: str, _arg: Any) -> Any:
        return steps.get(frame.f_code.co_filename)

    threading.settrace(begins)
    sys.settrace(begins)
    try:
        run()
    finally:
        sys.settrace(None)
        threading.settrace(None)
    return sorted(seen)
