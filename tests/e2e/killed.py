"""Runs `parley` and kills its own process with SIGKILL around its n-th write to the journal.

python killed.py before|after N ARGUMENTS...
"""

import os
import signal
import sys

from parley_attestation.edge.journal import Journal
from parley_cli.main import main


def arm(when: str, nth: int) -> None:
    count = 0

    def wrapped(original):
        def write(self, *arguments, **named):
            nonlocal count
            count += 1
            if count == nth and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = original(self, *arguments, **named)
            if count == nth and when == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return write

    for name in ("start", "append"):
        setattr(Journal, name, wrapped(getattr(Journal, name)))


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    sys.argv = ["parley", *sys.argv[3:]]
    main()
