"""A program in another language, which shares no line with ours, decides whole records again."""

import json
import random
from fractions import Fraction

import pytest
from click.testing import CliRunner
from kit import Exercise, metric, seed
from parley_attestation.canonical import Fields
from parley_attestation.claims import GradedClaim
from parley_attestation.edge.records import write_record
from parley_attestation.frametest import FramePlan, FrameTest
from parley_attestation.graded import GradedPlan, GradedTest
from parley_attestation.graded import p_violation_over as graded_p
from parley_attestation.grading import Outcome, OutcomeMap, read_grader
from parley_attestation.profile import p_violation_over
from parley_attestation.terms import Plan
from parley_attestation.verdict import overall, sampled
from parley_cli.record import show
from recompute import node

POINTS = read_grader(Fields({"kind": "checklist", "points": 10, "ignore_case": False, "whole_words": False}))
WRONG = OutcomeMap(frozenset({Outcome.FAIL, Outcome.REFUSE, Outcome.INVALID}))
PROFILE = (
    metric("right", Fraction(4, 5)),
    metric("few wrong", Fraction(1, 5), events=WRONG, at_most=True),
    metric("half wrong", Fraction(1, 2), events=OutcomeMap(frozenset({Outcome.FAIL})), at_most=True),
    metric("more wanted", Fraction(1, 2), min_assurance="attested", alpha_violation=Fraction(1, 20)),
)
STRATA = ((("easy", 0, 30), ("hard", 30, 30)), {"easy": Fraction(3, 5), "hard": Fraction(4, 5)})


def shown(folder, wrong, **how):
    """What `parley show --units` prints about an exercise whose prover is wrong in `wrong` of 256 cases."""

    def answer(prompt, _seed=0):
        a, b = prompt.split(b"+")
        return b"?" if seed(wrong, prompt)[0] < wrong else str(int(a) + int(b)).encode()

    folder.mkdir()
    v, _ = Exercise(folder, answer=answer, **how).run()
    write_record(v.journal, v.row, folder / "r.parley")
    done = CliRunner().invoke(show, [str(folder / "r.parley"), "--units"], standalone_mode=False)
    return json.loads(done.stdout)


def random_audit(dice):
    """One claim's plan, results and verdict, as the project's own code gives them."""
    size = dice.randint(8, 40)
    graded = dice.random() < 0.3
    top = dice.choice((2, 5, 10)) if graded else 1
    risks = Fraction(1, dice.choice((3, 10, 20))), Fraction(1, dice.choice((4, 20, 100)))
    threshold = dice.randint(1, size * top)
    claim = metric(str(dice.random()), alpha_compliant=risks[0], alpha_violation=risks[1])
    declared = dice.choice((None, dice.randint(threshold, size))) if not graded else None
    budget = dice.randint(max(1, size // 2), size)
    if graded:
        claim = GradedClaim(
            claim.claim_id, "", POINTS, dice.random() < 0.5, claim.threshold, *risks, "declared"
        )
        plan = GradedPlan(size, top, threshold, *risks, budget)
    else:
        plan = FramePlan(size, threshold, declared, *risks, budget)
    share = dice.random()
    values = [
        None if dice.random() < 0.05 else sum(dice.random() < share for _ in range(top))
        for _ in range(budget)
    ]
    again = [dice.random() < 0.9 for _ in values] if dice.random() < 0.4 else None
    plain = run(plan, values, budget)
    units = (
        values if again is None else [v if v is None or a else 0 for v, a in zip(values, again, strict=True)]
    )
    test = plain if again is None else run(plan, units, plain.n)
    row = {"id": claim.claim_id, "threshold": threshold, "budget": budget}
    row["reproduced"] = None if again is None else "".join("01"[one] for one in again)
    if graded:
        return (
            claim,
            row | {"size": size, "top": top, "scores": values},
            sampled(claim, test, "declared"),
            (graded_p(plan, units)),
        )
    bits = "".join("?" if one is None else "01"[one] for one in values)
    row |= {"frame": size, "declared": declared, "bits": bits}
    confirmed = [None if one is None else bool(one) for one in units]
    return claim, row, sampled(claim, test, "declared"), p_violation_over(size, threshold, confirmed)


def run(plan, values, last):
    test = GradedTest(plan) if isinstance(plan, GradedPlan) else FrameTest(plan)
    for value in values[:last]:
        if test.observe(value if isinstance(plan, GradedPlan) or value is None else bool(value)) is not None:
            break
    return test


def test_a_thousand_random_audits_agree_in_every_word_bound_and_digit():
    """Verdicts, counts, count and total bounds, both p-values and the profile's word, of 1,000 sampled claims."""
    dice = random.Random(3)
    documents, made = [], 0
    while made < 1000:
        audits = [random_audit(dice) for _ in range(dice.randint(1, 3))]
        made += len(audits)
        claims = [said for _, _, said, _ in audits]
        risk = min(claim.alpha_violation for claim, *_ in audits)
        documents.append(
            {
                "terms": {"claims": [claim.document() for claim, *_ in audits]},
                "verdict": {
                    "assurance": "declared",
                    "claims": claims,
                    "overall": overall(claims, [p for *_, p in audits], risk),
                },
                "units": [row for _, row, _, _ in audits],
            }
        )
    done = node(documents)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    words = [line.split()[0] for line in done.stdout.splitlines()]
    assert len(words) == made + len(documents)
    assert min(words.count(word) for word in ("COMPLIANT", "VIOLATION", "INCONCLUSIVE")) > 100


@pytest.mark.parametrize(
    "name", ["count_low", "count_high", "p_compliant_at_most", "p_violation_at_most", "threshold_count"]
)
def test_a_changed_bound_or_p_value_is_noticed(tmp_path, name):
    document = shown(tmp_path / "one", 40)
    claim = document["verdict"]["claims"][0]
    claim[name] = claim[name] + 1 if isinstance(claim[name], int) else "0.000000000001"
    done = node(document)
    assert done.returncode == 1
    assert f"disagrees: the record says accuracy: {name}" in done.stdout


def test_profiles_of_every_kind_are_decided_alike(tmp_path):
    plans = [{}, {"claims": PROFILE}]
    names, rates = STRATA
    by_stratum = tuple(metric(name, rate, stratum=name) for name, rate in rates.items())
    overall = set()
    for n, wrong in enumerate((0, 20, 60, 90, 140, 256)):
        cases = [{"terms_changes": plan} for plan in plans]
        from_strata = {"claims": by_stratum, "plan": _plan(("easy", 30), ("hard", 25))}
        cases.append({"strata": names, "terms_changes": from_strata})
        for k, case in enumerate(cases):
            document = shown(tmp_path / f"{n}-{k}", wrong, **case)
            done = node(document)
            assert done.returncode == 0, done.stdout + done.stderr
            assert len(done.stdout.splitlines()) == len(document["terms"]["claims"]) + 1
            overall.add(document["verdict"]["overall"])
    assert overall == {"COMPLIANT", "VIOLATION", "INCONCLUSIVE"}


def _plan(*budgets):

    return Plan(1, 8, budgets)


@pytest.mark.parametrize("name", ["verdict", "test", "counted", "successes", "failures"])
def test_a_changed_word_or_number_of_a_claim_is_noticed(tmp_path, name):
    document = shown(tmp_path / "one", 0)
    claim = document["verdict"]["claims"][0]
    claim[name] = "VIOLATION" if isinstance(claim[name], str) else claim[name] + 1
    done = node(document)
    assert done.returncode == 1
    assert f"disagrees: the record says accuracy: {name}" in done.stdout


def test_a_changed_result_or_overall_word_is_noticed(tmp_path):
    document = shown(tmp_path / "one", 0)
    other = json.loads(json.dumps(document))
    document["units"][0]["bits"] = "0" + document["units"][0]["bits"][1:]
    other["verdict"]["overall"] = "VIOLATION"
    assert node(document).returncode == 1
    assert "overall VIOLATION" in node(other).stdout.splitlines()[-1]


def test_a_chamber_takes_results_back_and_never_adds_any(tmp_path):
    """The same audit as if a neutral chamber had reproduced all but the first output, or none."""
    document = shown(tmp_path / "one", 0)
    verdict, (units,) = document["verdict"], document["units"]
    verdict["binding"] = {"operator": {"run_by": "neutral"}}
    units["reproduced"] = "1" * len(units["bits"])
    assert node(document).returncode == 0
    units["reproduced"] = "0" * len(units["bits"])
    assert node(document).stdout.splitlines()[0].startswith("VIOLATION")


def test_an_accusation_that_holm_takes_back_is_taken_back_by_both(tmp_path):
    """One of two claims just crosses its own 1 %: by itself a VIOLATION, in the profile none."""
    claims = (metric("right", Fraction(4, 5)), metric("some right", Fraction(1, 10)))
    case = {"terms_changes": {"claims": claims, "plan": Plan(1, 1, (("", 60),))}}
    document = shown(tmp_path / "one", 90, **case)
    assert [claim["verdict"] for claim in document["verdict"]["claims"]] == ["VIOLATION", "COMPLIANT"]
    assert document["verdict"]["overall"] == "INCONCLUSIVE"
    done = node(document)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "overall INCONCLUSIVE")
