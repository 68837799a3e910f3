import dataclasses
from fractions import Fraction

import pytest
from parley_attestation import terms as treaty
from parley_attestation.canonical import Fields
from parley_attestation.claims import IdentityClaim, MetricClaim
from parley_attestation.encoding import Bytes32, Digest, Nonce
from parley_attestation.errors import PeerError, Reason
from parley_attestation.grading import read_grader, read_outcome_map
from parley_attestation.terms import Caps, Operator, Plan, Terms, Witnesses
from parley_verifier.termslint import Change, diff, lint

GRADER = read_grader(Fields({"kind": "exact", "trim": True, "ignore_case": False}))
FIVE, ONE = Fraction(1, 20), Fraction(1, 100)
MARGIN = Fraction(1, 20)


def metric(**change):
    base = MetricClaim(
        "accuracy", "", GRADER, read_outcome_map(["pass"]), False, Fraction(4, 5), FIVE, ONE, "declared"
    )
    return dataclasses.replace(base, **change)


def terms(*claims, budget=1000, **change):
    base = Terms(
        nonce=Nonce(b"n" * 32),
        title="t",
        mode="open",
        prover=Digest(b"p" * 32),
        verifier=Digest(b"v" * 32),
        test_set=treaty.TestSetRef(Digest(b"s" * 32), Digest(b"r" * 32), 1000, ()),
        model_claim=Digest(b"m" * 32),
        system={"scaffold": "s", "runtime": "r", "decoding": "d"},
        claims=claims or (metric(),),
        plan=Plan(1, 8, (("", budget),)),
        caps=Caps(100, 100, 100, 1000),
        answer_seconds=1,
        turn_seconds=1,
        witnesses=Witnesses((Bytes32(b"w" * 32),), 1, "pause"),
        consequences=("a", "b"),
        binding="none",
        operators=(),
        qualifiers=(Digest(b"q" * 32),),
        evidence_policy=None,
        inventory=None,
        scope=("c", "f", ("n",)),
    )
    return dataclasses.replace(base, **change)


def lines(one):
    return " | ".join(lint(one, {"": 1000}, MARGIN).notes)


def test_the_cost_of_a_claim_stands_beside_the_single_look_methods():
    (cost,) = lint(terms(), {"": 1000}, MARGIN).costs
    assert (cost.plan.threshold, cost.assumed, cost.plan.declared) == (800, 850, 850)
    assert 230 < cost.cost.mean < 260
    assert cost.cost.hypergeometric == 376
    assert cost.deterred == 19


def test_leakage_is_shown_for_several_uses():
    found = lint(terms(), {"": 1000}, MARGIN).leakage
    assert [(uses, round(drift, 3)) for uses, drift in found] == [
        (1, 0.049),
        (3, 0.059),
        (10, 0.086),
        (30, 0.135),
    ]


@pytest.mark.parametrize(
    ("claim", "change", "note"),
    [
        (metric(at_most=True, threshold=ONE), {}, "cannot become COMPLIANT at assurance declared"),
        (metric(min_assurance="re-executed"), {}, "asks for assurance re-executed"),
        (IdentityClaim("who", "declared"), {}, "who: identity stays INCONCLUSIVE"),
        (metric(), {"witnesses": Witnesses((), 0, "pause")}, "prints unwitnessed"),
        (metric(), {"witnesses": Witnesses((Bytes32(b"w" * 32),), 1, "unwitnessed")}, "cannot be reached"),
        (metric(), {"qualifiers": ()}, "unqualified test set"),
        (metric(), {}, "by any means"),
        (metric(), {"budget": 8}, "COMPLIANT is out of reach within 8 units"),
        (metric(threshold=Fraction(1, 100)), {"budget": 300}, "VIOLATION is out of reach within 300 units"),
        (metric(), {"budget": 150}, "INCONCLUSIVE with probability"),
    ],
)
def test_every_rule_that_will_bite_is_named_and_only_then(claim, change, note):
    others = () if isinstance(claim, MetricClaim) else (metric(),)
    assert note in lines(terms(claim, *others, **change))
    if note != "by any means":
        assert note not in lines(terms())


def test_a_chamber_lifts_the_limits_of_declared_assurance():
    with_chamber = terms(
        metric(min_assurance="re-executed"),
        binding="chamber",
        operators=(Operator(Bytes32(b"o" * 32), "neutral", ()),),
    )
    assert lines(with_chamber) == ""


@pytest.mark.parametrize("change", [{"budget": 2}, {"budget": 1001}])
def test_a_plan_that_can_never_decide_or_means_nothing_is_refused(change):
    with pytest.raises(PeerError) as caught:
        lint(terms(metric(alpha_violation=Fraction(1, 1000)), **change), {"": 1000}, MARGIN)
    assert caught.value.reason is Reason.BAD_TERMS


def test_versions_of_terms_are_compared_field_by_field_and_claim_by_claim():
    before, after = terms(metric(), metric(claim_id="b")), terms(metric(threshold=Fraction(3, 4)), budget=900)
    assert diff(before.document(), after.document()) == (
        Change("claims[accuracy].threshold", "4/5", "3/4"),
        Change("claims[b]", metric(claim_id="b").document(), None),
        Change("plan.budgets", [{"stratum": "", "units": 1000}], [{"stratum": "", "units": 900}]),
    )
    assert diff(before.document(), before.document()) == ()
