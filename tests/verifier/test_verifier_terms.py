"""Terms as a person writes them: nothing that no prover would sign is made."""

from dataclasses import replace

import pytest
from kit import EXACT, MemorySet, model_claim, side, sums
from parley_attestation.canonical import Fields
from parley_attestation.encoding import Digest, Nonce
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.grading import read_grader
from parley_attestation.model.claim import read_claim
from parley_attestation.session.audit import Audit
from parley_attestation.session.schedule import frames
from parley_verifier.terms_file import TermsFile, make_terms
from pydantic import ValidationError

POINTS = {"kind": "checklist", "points": 10, "ignore_case": False, "whole_words": False}
CHECKLIST = read_grader(Fields(POINTS))
TESTS = MemorySet(side(Role.VERIFIER), sums(60), graders=(EXACT, CHECKLIST))
CLAIM = {
    "id": "accuracy",
    "grader": {"kind": "exact", "trim": True, "ignore_case": False},
    "threshold": "4/5",
}


def made(*claims, **more):
    written = TermsFile(
        title="t",
        system={"scaffold": "s", "runtime": "r", "decoding": "d"},
        claims=list(claims or (CLAIM,)),
        measures="m",
        sampling_frame="f",
        not_concluded=["n"],
        **more,
    )
    model = read_claim(model_claim(side(Role.PROVER)))
    return make_terms(
        written,
        test_set=TESTS.public,
        prover=model.owner,
        model_claim=Digest(bytes(32)),
        nonce=Nonce(bytes(32)),
    )


def test_plain_terms_are_made_and_can_decide():
    assert made().plan.budgets == (("", 60),)


@pytest.mark.parametrize(
    ("claims", "more", "why"),
    [
        ([CLAIM], {"plan": {"budget": 2}}, "a budget of 2 of 60 units cannot lead to any verdict"),
        ([CLAIM | {"alpha_compliant": "0"}], {}, "alpha_compliant"),
        ([CLAIM | {"alpha_violation": "0 %"}], {}, "alpha_violation"),
        ([CLAIM | {"threshold": "61/60"}], {}, "threshold"),
        ([CLAIM | {"threshold": "0"}], {}, "decides nothing"),
        ([CLAIM, CLAIM | {"id": "b", "direction": "at-most", "threshold": "1/2"}], {}, "contradict"),
        ([CLAIM | {"grader": {"kind": "judge"}}], {}, "grader"),
        ([CLAIM | {"stratum": "rare"}], {}, "no stratum 'rare'"),
        ([CLAIM | {"events": []}], {}, "events"),
        ([CLAIM | {"events": {"harm": ["refuse"]}}], {}, "events by member exactly in a set of pairs"),
        ([CLAIM | {"events": {}}], {}, "one or both members"),
        ([CLAIM | {"type": "graded"}], {}, "a grader that gives points"),
        (
            [CLAIM | {"type": "graded", "grader": POINTS | {"points": 9}}],
            {},
            "its grader is not one the test set",
        ),
        ([CLAIM | {"type": "graded", "grader": POINTS, "threshold": "0"}], {}, "decides nothing"),
        (
            [CLAIM | {"type": "graded", "grader": POINTS}],
            {"plan": {"budget": 2}},
            "cannot lead to any verdict",
        ),
        (
            [
                CLAIM | {"type": "graded", "grader": POINTS},
                CLAIM
                | {"id": "b", "type": "graded", "grader": POINTS, "direction": "at-most", "threshold": "1/2"},
            ],
            {},
            "contradict",
        ),
    ],
)
def test_terms_that_nobody_could_hold_to_are_refused_before_signing(claims, more, why):
    with pytest.raises(LocalError) as caught:
        made(*claims, **more)
    assert caught.value.reason is Reason.CONFIG
    assert why in caught.value.message


def test_an_item_kind_that_is_not_implemented_stands_in_no_terms_file():
    with pytest.raises(ValidationError):
        made(CLAIM | {"item_kind": "dialogue"})


def test_a_prover_refuses_a_plan_that_cannot_decide():
    terms = made()
    short = replace(terms, plan=replace(terms.plan, budgets=(("", 2),)))
    with pytest.raises(PeerError) as caught:
        Audit.begin(short, frames(short, TESTS.public), (0,))
    assert caught.value.reason is Reason.BAD_TERMS
    Audit.begin(terms, frames(terms, TESTS.public), (0,))
