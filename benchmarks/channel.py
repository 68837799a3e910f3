"""What a hostile program in a box can tell by time: with the release padded and without.

`python -m benchmarks.channel [RUNS]`. The program waits as long as its prompts say; what is measured is
how well the time at which the outcome is there, or leaves, tells waits apart. Goal: nothing when padded.
"""

import statistics
import sys
import tempfile
import time
from math import log2
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests/chamber"))

from parley_attestation.receipt import read_receipt
from parley_attestation.sealed_terms import SealedTerms
from parley_chamber.sandbox import Limits, blocked
from test_chamber_run import Sealing

PADDED = 8  # seconds
WAITS = (0.0, 0.5, 1.0)
CODE = "\nimport time\nfor prompt in prompts: time.sleep(float(prompt)); say(b'x')\n"


def main() -> None:
    if blocked():
        print(f"skipped: {blocked()}")
        return
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    done: dict[float, list[float]] = {wait: [] for wait in WAITS}
    left: dict[float, list[float]] = {wait: [] for wait in WAITS}
    for _ in range(runs):
        for wait in WAITS:
            ended, released = once(wait)
            done[wait].append(ended)
            left[wait].append(released)
    for name, found in (("at once", done), (f"padded to {PADDED} s", left)):
        middle = {wait: statistics.median(times) for wait, times in found.items()}
        noise = statistics.median(abs(t - middle[w]) for w, times in found.items() for t in times)
        slope = (middle[WAITS[-1]] - middle[0.0]) / WAITS[-1]
        print(f"{name}: {1e3 * noise:.2f} ms of noise, {slope:.3f} s later for each second of waiting")
        if slope > 0.5:
            steps = Limits().seconds / (2 * noise)
            print(f"  a box of {Limits().seconds} s can tell about {log2(steps):.0f} bits by when it ends")


def once(wait: float) -> tuple[float, float]:
    """Seconds until the outcome of a run is there, and until a padded release hands it on."""
    with tempfile.TemporaryDirectory() as folder:
        changes = {"items": [(str(wait).encode(), b"x")], "sealed": SealedTerms(release_seconds=PADDED)}
        sealing = Sealing(Path(folder), changes, code=CODE)
        began = time.monotonic()
        read_receipt(sealing.go(), sealing.stated)
        ended = time.monotonic() - began
        time.sleep(max(0.0, PADDED - ended))
        return ended, time.monotonic() - began


if __name__ == "__main__":
    main()
