"""Runs `parley` and kills its own process with SIGKILL around its n-th write to the journal, or in a call.

python killed.py before|after N ARGUMENTS...
python killed.py NAME N ARGUMENTS...       (of `CALLS`: in its n-th call, before it does anything)
python killed.py upload N ARGUMENTS...     (before the n-th part of its upload to a chamber)
"""

import os
import signal
import sys
from importlib import import_module

from parley_attestation.edge import chamber_client
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


CALLS = {
    "append": ("parley_chamber.sessions", "ChamberSession", "append"),
    "run": ("parley_chamber.run", "SealedRun", "run"),
    "opened": ("parley_chamber.evaluation", None, "answer"),
    "graded": ("parley_chamber.run", "SealedRun", "_grades"),
}


def arm_call(name: str, nth: int) -> None:
    module, owner, attribute = CALLS[name]
    place = import_module(module)
    place = getattr(place, owner) if owner else place
    original, count = getattr(place, attribute), 0

    def call(*arguments, **named):
        nonlocal count
        count += 1
        if count == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **named)

    setattr(place, attribute, call)


def arm_upload(_name: str, nth: int) -> None:
    original = chamber_client._requests

    def requests(*arguments):
        for number, part in enumerate(original(*arguments), 1):
            if number == nth:
                os.kill(os.getpid(), signal.SIGKILL)
            yield part

    chamber_client._requests = requests


if __name__ == "__main__":
    how = {"upload": arm_upload} | dict.fromkeys(CALLS, arm_call)
    how.get(sys.argv[1], arm)(sys.argv[1], int(sys.argv[2]))
    sys.argv = ["parley", *sys.argv[3:]]
    main()
