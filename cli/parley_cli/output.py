"""Room: the command line. Tables on stdout; progress on a terminal, and nothing of it elsewhere."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

WIDE = 160  # columns where stdout is no terminal, so that pipes and files get whole lines


class Bar:
    """A progress bar on stderr where that is a terminal; silent otherwise."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def phase(self, name: str, done: int, total: int) -> None:
        """Say how far a phase has come; a total of 0 is unknown."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total or None)
        self._progress.update(self._tasks[name], completed=done, total=total or None)


def print_table(table: Table) -> None:
    """Print a table on stdout; its cells are plain text, whoever wrote them."""
    width = None if sys.stdout.isatty() else WIDE
    Console(markup=False, highlight=False, emoji=False, width=width).print(table)
