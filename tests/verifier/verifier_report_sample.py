"""A report view as a real exercise would fill it, and the same with hostile text in every place."""

import dataclasses
import random
from fractions import Fraction

from parley_attestation.frametest import FramePlan, FrameTest
from parley_verifier.planning import boundaries
from parley_verifier.report import (
    AttemptRow,
    ClaimView,
    EventRow,
    ExposureRow,
    Fact,
    ReportView,
    SignerRow,
)

HOSTILE = (
    "</style></title><script>alert(1)</script><img src=x onerror=alert(2)>\"' onload=alert(3) "
    "javascript:alert(4) {{ 7 * 7 }} {% raw %} \u202egnp.exe \x00\x1b[31m \ud800 <!-- ]]> &#60;svg&#62;"
)


def metric(claim_id, threshold, true_count, seed):
    plan = FramePlan(2000, threshold, 1700, Fraction(1, 20), Fraction(1, 100), 900)
    units = [n < true_count for n in range(plan.frame)]
    random.Random(seed).shuffle(units)
    test = FrameTest(plan)
    for unit in units:
        if test.observe(unit):
            break
    result = test.result()
    bounds = boundaries(plan)
    return ClaimView(
        claim_id=claim_id,
        statement=f"At least 80 % of the committed items are answered correctly ({threshold:,} of 2,000).",
        verdict=result.decision.value,
        because=(),
        facts=(
            Fact("risk of a false COMPLIANT", "1/20"),
            Fact("risk of a false VIOLATION", "1/100"),
            Fact("declared count", "1,700"),
            Fact("opened", f"{result.opened} of at most 900"),
            Fact("successes, failures", f"{result.successes}, {result.failures}"),
            Fact("anytime p-value against the claim being false", "at most 0.0499"),
        ),
        frame=plan.frame,
        threshold=plan.threshold,
        count_low=result.count_low,
        count_high=result.count_high,
        units="".join("1" if unit else "0" for unit in units[: result.opened]),
        compliant_boundary=bounds.compliant,
        violation_boundary=bounds.violation,
    )


def sample():
    identity = ClaimView(
        "identity",
        "The evaluated model is the registered one.",
        "INCONCLUSIVE",
        ("the prover's word does not show which weights answered",),
        (),
    )
    return ReportView(
        title="Reading comprehension, first exercise",
        verdict="INCONCLUSIVE",
        assurance="declared",
        validity="VALID",
        labels=("unwitnessed", "unqualified test set"),
        integrity="",
        identifiers=(Fact("exercise", "5d" * 32), Fact("terms", "a7" * 32), Fact("seed", "09" * 32)),
        shown=(
            "At least 1,600 of the 2,000 committed items were answered correctly by the prover's side.",
            "The order of the items was fixed by both parties after everything else.",
        ),
        not_shown=("Which model answered.", "Where and with how much compute."),
        signers=(
            SignerRow("prover", "3f" * 32, "messages 2, 4, 6, 8 and the acknowledgement", known=True),
            SignerRow(
                "verifier", "c1" * 32, "messages 1, 3, 5, 7, 9, 10 and the acknowledgement", known=False
            ),
        ),
        claims=(metric("accuracy", 1600, 1700, 4), metric("over-refusal", 1700, 1500, 9), identity),
        burn=(Fact("units opened", "214 of at most 900"), Fact("alpha spent on this set", "1/10 of 1/4")),
        exposure=(
            ExposureRow("0 sealed", 1786, "nobody outside has seen the item"),
            ExposureRow("1 run sealed", 0, "run where the prover could not look"),
            ExposureRow("2 prompt seen", 0, "the prover has the prompt"),
            ExposureRow("3 public", 214, "the prover has prompt and reference"),
        ),
        attempts=(
            AttemptRow(1, "prover's connection lost after message 7", "no"),
            AttemptRow(2, "completed", "no"),
        ),
        timeline=tuple(
            EventRow(n, sender, message, "")
            for n, (sender, message) in enumerate(
                [
                    ("verifier", "Hello"),
                    ("prover", "HelloReply"),
                    ("verifier", "Propose"),
                    ("prover", "Accept"),
                ],
                1,
            )
        ),
        recheck=("parley check exercise.parley --pin " + "3f" * 32 + " --pin " + "c1" * 32,),
        not_concluded=(
            "The verdict concerns the committed items and says nothing about deployment.",
            "It does not show the absence of sandbagging.",
        ),
    )


def full():
    """The sample with nothing left out."""
    view = sample()
    timeline = tuple(dataclasses.replace(row, time="2026-03-01 12:00:00 UTC") for row in view.timeline)
    return dataclasses.replace(view, integrity="WITHIN-TOLERANCE", timeline=timeline)


def hostile():
    """The full sample with every string replaced by hostile text."""
    return _poison(full())


def _poison(value):
    if isinstance(value, str):
        return value if set(value) <= set("01?") and len(value) > 9 else HOSTILE
    if isinstance(value, tuple):
        return tuple(_poison(one) for one in value)
    if dataclasses.is_dataclass(value):
        return dataclasses.replace(
            value, **{f.name: _poison(getattr(value, f.name)) for f in dataclasses.fields(value)}
        )
    return value
