"""Room: the chamber. How long results wait on its disk for their verifier, and how many of them.

What a session leaves on a disk is sealed, and all but its results goes with the session. The ledger of runs
is no session's: it stays, so that quotas hold. The service calls it, and `parley chamber serve` by the hour.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from parley_chamber.sessions import RESULTS

DAY = 24 * 3600  # seconds


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept of sessions that have ended.

    Attributes:
        seconds: Results go this long after their run.
        most: Results of this many sessions are kept, the newest.
    """

    seconds: int = 30 * DAY
    most: int = 1000

    def apply(self, folder: Path, now: float) -> int:
        """Remove the results that need not be kept any longer; how many went.

        Args:
            folder: Where the chamber's sessions have their folders.
            now: Unix seconds.
        """
        newest = sorted(folder.glob(f"*/{RESULTS}"), key=_written, reverse=True)
        gone = [
            path
            for place, path in enumerate(newest)
            if place >= self.most or now - _written(path) > self.seconds
        ]
        for path in gone:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # something else is in it
                path.parent.rmdir()
        return len(gone)


def _written(path: Path) -> float:
    """When a file was last written, in Unix seconds; 0 where it has just gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
