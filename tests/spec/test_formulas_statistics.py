"""The statistical procedure: every formula of the text against the code, in exact rationals."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import procedure
from evaluate import NUMBERS, value_of
from hypothesis import example
from hypothesis import strategies as st
from parley_attestation.comparison import Compared, ComparisonTest, claim_integrity, comparison_plan
from parley_attestation.frametest import CERTAIN, FramePlan, FrameTest, OneSided, threshold_count
from parley_attestation.graded import GradedPlan, GradedProcess, GradedTest
from procedure import INFINITY, Graded
from reading import formula
from worked import inputs

risks = st.sampled_from([Fraction(1, 2), Fraction(1, 3), Fraction(1, 20), Fraction(3, 40), Fraction(1, 100)])
sizes = st.integers(1, 9)
units = st.lists(st.sampled_from([True, True, False, None]), min_size=1, max_size=9)
draws = st.integers(0, 10**6)


@inputs(size=st.integers(1, 400))
def test_the_threshold_count_is_the_one_of_the_text(size):
    floor, cap = formula("threshold-count", "K = ceil(p F /"), formula("threshold-count", "K = F - floor(")
    for at_most, said in ((False, floor), (True, cap)):
        for p, q in ((1, 1), (0, 1), (4, 5), (1, 3), (size // 2, size)):
            names = {**NUMBERS, "p": p, "q": q, "F": size}
            expected = threshold_count(p, q, size, at_most=at_most)
            assert value_of(said.right, names) == expected


@inputs(size=st.integers(1, 60), top=st.integers(1, 254))
def test_the_threshold_total_is_the_one_of_the_text(size, top):
    floor, cap = (
        formula("threshold-count", "K = ceil(p F x"),
        formula("threshold-count", "K = F x - floor(p F x"),
    )
    for at_most, said in ((False, floor), (True, cap)):
        for p, q in ((1, 1), (0, 1), (7, 10), (1, 3)):
            names = {**NUMBERS, "p": p, "q": q, "F": size, "x": top}
            assert value_of(said.right, names) == threshold_count(p, q, size * top, at_most=at_most)


def test_e_values_are_those_of_the_text():
    total, product_ = formula("frame-test", "T = sum"), formula("frame-test", "D = ")
    plain, mixed = formula("frame-test", "E = T"), formula("frame-test", "E = (C(")
    certain, never = formula("frame-test", "E = infinity"), formula("frame-test", "E = 0")
    texts = (total, product_, plain, mixed, certain, never)
    for frame in range(1, 7):
        for null, declared in product(range(frame), (None, *range(frame + 1))):
            for s, f in product(range(frame + 1), range(frame + 1)):
                if s + f > frame:
                    continue
                test = OneSided(frame, null, declared)
                for success in [True] * s + [False] * f:
                    test.push(success)
                found = procedure._e_value(texts, frame, null, declared, s, f)
                assert test.e_value() == (CERTAIN if found == INFINITY else found), (frame, null, s, f)


def tied(values: Sequence[object], alpha: Fraction) -> Fraction:
    """A risk at which the greatest finite E of a path is exactly 1/risk, or another risk where none can be."""
    greatest = max((e for e in values if e != INFINITY), default=0)
    return Fraction(1) / greatest if greatest >= 2 else alpha


@inputs(frame=sizes, pick=draws, path=units, alphas=st.tuples(risks, risks), exact=st.booleans())
@example(frame=10, pick=5, path=[True] * 5, alphas=(Fraction(1, 2), Fraction(1, 2)), exact=True)
@example(frame=10, pick=3, path=[False] * 4, alphas=(Fraction(1, 2), Fraction(1, 2)), exact=True)
def test_the_frame_test_decides_as_the_text_says(frame, pick, path, alphas, exact):
    nulls = formula("frame-test", "K0 = K - 1").right, formula("frame-test", "K0 = F - K").right
    crossing = {
        "compliant": formula("frame-test", "E alpha_compliant ").text,
        "violation": formula("frame-test", "E alpha_violation ").text,
    }
    counted = formula("frame-test", "n = s + f").right
    threshold = pick % frame + 1
    declared = None if pick % 3 else threshold + pick % (frame - threshold + 1)
    path, budget = path[:frame], min(len(path), frame)
    met_null, missed_null = (value_of(null, {"K": threshold, "F": frame}) for null in nulls)
    met = procedure.e_values(frame, met_null, declared, [unit is True for unit in path])
    missed = procedure.e_values(frame, missed_null, None, [unit is False for unit in path])
    compliant, violation = (tied(met, alphas[0]), tied(missed, alphas[1])) if exact else alphas
    test = FrameTest(FramePlan(frame, threshold, declared, compliant, violation, budget))
    for n, unit in enumerate(path):
        crossed = [
            e == INFINITY or value_of(crossing[kind], {"E": e, f"alpha_{kind}": alpha})
            for e, kind, alpha in (
                (met[n], "compliant", compliant),
                (missed[n], "violation", violation),
            )
        ]
        assert test.observe(unit) == procedure.decision(*crossed, done=n + 1 == budget)
        s = sum(one is True for one in path[: n + 1])
        assert test.n == value_of(counted, {"s": s, "f": n + 1 - s})
        if test.decision is not None:
            break


@inputs(frame=sizes, pick=draws, path=units, alphas=st.tuples(risks, risks))
def test_p_values_and_bounds_on_the_count_are_those_of_the_text(frame, pick, path, alphas):
    said = formula("frame-test", "1 / max(1, E_1").text
    threshold = pick % frame + 1
    declared = None if pick % 3 else threshold + pick % (frame - threshold + 1)
    test = FrameTest(FramePlan(frame, threshold, declared, *alphas, frame))
    for unit in path[:frame]:
        if test.observe(unit) is not None:
            break
    confirmed, refuted = ([unit is one for unit in path[: test.n]] for one in (True, False))
    result = test.result()
    for found, null, given, results in (
        (result.p_compliant, threshold - 1, declared, confirmed),
        (result.p_violation, frame - threshold, None, refuted),
    ):
        values = procedure.e_values(frame, null, given, results)
        after = [e for e, success in zip(values, results, strict=True) if success]
        names = {f"E_{n}": e for n, e in enumerate(after, 1)}
        assert found == (0 if INFINITY in after else value_of(said, {**names, **NUMBERS}, len(after)))
    low = procedure.count_low(frame, declared, confirmed, alphas[0], "compliant")
    most = procedure.count_low(frame, None, refuted, alphas[1], "violation")
    assert (result.count_low, result.count_high) == (low, frame - most)


def test_the_sums_of_the_graded_test_are_those_of_the_text():
    going, gone = (
        formula("graded-test", "w_c = floor(w_c (("),
        formula("graded-test", "w_c = floor(w_c (32-c) /"),
    )
    assert (going.condition, gone.condition) == ("S < T0", "S >= T0")
    for frame, top, null in ((3, 1, 1), (5, 4, 9), (6, 10, 20), (4, 3, 0), (4, 254, 600)):
        for scores in ([0] * frame, [top] * frame, [n * 7 % (top + 1) for n in range(frame)]):
            process, text = GradedProcess(frame, null), Graded(frame, null)
            for score in scores:
                process.push(score)
                text.push(score)
                assert process.products == list(text.kept.values())


graded = {
    "size": st.integers(1, 7),
    "top": st.integers(1, 5),
    "scores": st.lists(draws, min_size=1, max_size=7),
}


@inputs(pick=draws, alphas=st.tuples(risks, risks), exact=st.booleans(), **graded)
def test_the_graded_test_decides_as_the_text_says(size, top, scores, pick, alphas, exact):
    crossing = formula("graded-test", "alpha W >= ").text
    met_null, missed_null = (
        formula("graded-test", "T0 = K - ").right,
        formula("graded-test", "T0 = F x").right,
    )
    threshold = pick % (size * top) + 1
    scores = [None if one % 7 == 3 else one % (top + 1) for one in scores[:size]]
    names = {"K": threshold, "F": size, "x": top}
    texts = Graded(size, value_of(met_null, names)), Graded(size, value_of(missed_null, names))
    reach: list[list[bool]] = []
    compliant, violation = alphas
    ahead = Graded(size, texts[0].null)
    for one in scores:
        ahead.push(one or 0)
    if exact and max(ahead.sums) >= 2 * ahead.sums[0]:
        compliant = Fraction(ahead.sums[0], max(ahead.sums))
    test = GradedTest(GradedPlan(size, top, threshold, compliant, violation, len(scores)))
    for n, one in enumerate(scores, 1):
        texts[0].push(one or 0)
        texts[1].push(0 if one is None else top - one)
        reach.append(
            [
                text.total > text.null or value_of(crossing, {"alpha": alpha, "W": text.sums[-1]})
                for text, alpha in zip(texts, (compliant, violation), strict=True)
            ]
        )
        assert test.observe(one) == procedure.decision(*reach[-1], done=n == len(scores))
        if test.decision is not None:
            break


@inputs(alphas=st.tuples(risks, risks), **graded)
def test_p_values_and_bounds_on_the_total_are_those_of_the_text(size, top, scores, alphas):
    said = formula("graded-test", "7 2^64 / max(").text
    threshold = scores[0] % (size * top) + 1
    scores = [None if one % 7 == 3 else one % (top + 1) for one in scores[:size]]
    test = GradedTest(GradedPlan(size, top, threshold, *alphas, size))
    for one in scores:
        if test.observe(one) is not None:
            break
    gained = [one or 0 for one in scores[: test.n]]
    lost = [0 if one is None else top - one for one in scores[: test.n]]
    result = test.result()
    for found, null, path in (
        (result.p_compliant, threshold - 1, gained),
        (result.p_violation, size * top - threshold, lost),
    ):
        text = Graded(size, null)
        for one in path:
            text.push(one)
        names = {f"W_{n}": total for n, total in enumerate(text.sums)}
        p = value_of(said, {**names, **NUMBERS}, len(path))
        assert found == (0 if text.total > null else p)
    low = procedure.total_low(size, top, gained, alphas[0])
    assert (result.total_low, result.total_high) == (
        low,
        size * top - procedure.total_low(size, top, lost, alphas[1]),
    )


def test_a_missed_threshold_means_at_least_as_many_overstated_units_as_the_text_says():
    least = formula("comparison", "C - K + 1").text
    for frame in range(1, 9):
        for threshold in range(1, frame + 1):
            for claimed in range(threshold, frame + 1):
                fewest = min(claimed - successes for successes in range(threshold))
                assert fewest == value_of(least, {"C": claimed, "K": threshold})


@inputs(frame=sizes, pick=draws, path=units, alphas=st.tuples(risks, risks))
def test_the_comparison_test_is_the_one_of_the_text(frame, pick, path, alphas):
    null, low = formula("comparison", "K0 = F - C").right, formula("comparison", "C - (F - L)").text
    threshold = pick % frame + 1
    claimed = threshold + pick % (frame - threshold + 1)
    plan = FramePlan(frame, threshold, None, *alphas, frame)
    names = {"F": frame, "C": claimed, "K": threshold}
    assert comparison_plan(plan, claimed).threshold - 1 == value_of(null, names)
    results = [Compared(n < claimed, unit) for n, unit in enumerate(path[:frame])]
    honest = [not (one.claimed and one.confirmed is not True) for one in results]
    met = procedure.e_values(frame, value_of(null, names), frame, honest)
    missed = procedure.e_values(frame, frame - threshold, None, [one.confirmed is False for one in results])
    test = ComparisonTest(plan, claimed, Fraction(0))
    for n, one in enumerate(results):
        crossed = [
            procedure.crosses(e, risk, kind)
            for e, risk, kind in zip((met[n], missed[n]), alphas, ("compliant", "violation"), strict=True)
        ]
        assert test.observe(one) == procedure.decision(*crossed, done=n + 1 == frame)
        if test.decision is not None:
            break
    names["L"] = procedure.count_low(frame, frame, honest[: test.n], alphas[0], "compliant")
    confirmed = sum(one.confirmed is True for one in results[: test.n])
    assert test.result().count_low == max(confirmed, value_of(low, names))


@inputs(frame=st.integers(1, 80), share=st.integers(0, 19))
def test_the_tolerance_of_an_audit_is_the_one_of_the_text(frame, share):
    said = formula("comparison", "m = floor(").right
    tolerance = Fraction(share, 20)
    found = claim_integrity(frame, [], tolerance, Fraction(1, 20)).tolerated
    assert found == value_of(said, {**NUMBERS, "tolerance": tolerance, "F": frame})
