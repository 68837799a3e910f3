"""Room: the chamber. The grade box: outputs beside references, and nothing else; it never sees a weight.

Reads one frame with the graders of the claims as canonical JSON, then for every unit the positions of
the claims over it (one byte each), its answer as the run box gave it, and its reference. Writes one
frame a unit with one outcome byte a claim.
"""

import sys

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.grading import Outcome, read_grader

from parley_chamber.boxes.frames import ANSWER, pack, read

# The codes that result bits have in open mode too.
CODES = {Outcome.FAIL: 0, Outcome.PASS: 1, Outcome.REFUSE: 2, Outcome.INVALID: 3}
UNANSWERED = 4


def main() -> None:
    """Grade every unit."""
    frames, out = read(sys.stdin.buffer), sys.stdout.buffer
    graders = [read_grader(Fields(one)) for one in canonical.load(next(frames))]
    for claims in frames:
        answer, reference = next(frames), next(frames)
        if answer[:1] == ANSWER:
            codes = bytes(CODES[graders[n].grade(answer[1:], reference)] for n in claims)
        else:
            codes = bytes([UNANSWERED] * len(claims))
        out.write(pack(codes))


if __name__ == "__main__":
    main()
