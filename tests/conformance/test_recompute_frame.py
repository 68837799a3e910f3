import json
import random
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from parley_attestation.frametest import FramePlan, FrameTest

PROGRAM = Path(__file__).parents[2] / "conformance" / "recompute" / "frame.mjs"
ALPHAS = [Fraction(1, 20), Fraction(1, 100), Fraction(1, 2), Fraction(1, 1000), Fraction(3, 70)]


def audit(rng):
    frame = rng.randint(1, 120)
    threshold = rng.randint(1, frame)
    declared = rng.choice([None, rng.randint(threshold, frame)])
    plan = FramePlan(
        frame, threshold, declared, rng.choice(ALPHAS), rng.choice(ALPHAS), rng.randint(1, frame)
    )
    rate, missing = rng.random(), rng.choice([0, 0, 0, 0.1])
    units = [None if rng.random() < missing else rng.random() < rate for _ in range(frame)]
    return plan, units[: rng.choice([frame, rng.randint(1, frame)])]


def line(plan, units):
    return json.dumps(
        {
            "frame": plan.frame,
            "threshold": plan.threshold,
            "declared": plan.declared,
            "alpha_c": plan.alpha_compliant.as_integer_ratio(),
            "alpha_v": plan.alpha_violation.as_integer_ratio(),
            "budget": plan.budget,
            "bits": "".join("?" if u is None else str(int(u)) for u in units),
        }
    )


def decided(plan, units):
    test = FrameTest(plan)
    for unit in units:
        if test.observe(unit):
            return f"{test.decision} {test.n}"
    return f"OPEN {test.n}"


def test_an_independent_program_reaches_the_same_decisions_on_1000_random_audits():
    node = shutil.which("node")
    if node is None:
        pytest.fail("expected Node.js on PATH: install the Debian package nodejs")
    rng = random.Random(20260101)
    audits = [audit(rng) for _ in range(1000)]
    # The ties of the frame test are part of the comparison.
    for frame, null, declared, n in ((38, 1, None, 1), (51, 14, None, 3), (26, 1, 26, 1), (105, 4, 105, 1)):
        audits.append((FramePlan(frame, null + 1, declared, ALPHAS[0], ALPHAS[0], frame), [True] * n))
    feed = "".join(line(*one) + "\n" for one in audits)
    done = subprocess.run(
        [node, PROGRAM], input=feed, capture_output=True, text=True, check=True, timeout=300
    )
    found = done.stdout.splitlines()
    expected = [decided(*one) for one in audits]
    assert found == expected
    assert {word.split()[0] for word in expected} == {"COMPLIANT", "VIOLATION", "INCONCLUSIVE", "OPEN"}
