"""The ledger around an exercise, and the null-model gate before it."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from kit import Exercise, pipe
from parley_attestation.errors import LocalError, Reason, Role
from parley_verifier.account import Account
from parley_verifier.config import VerifierConfig
from parley_verifier.gate import run_gate
from parley_verifier.ledger import SetLedger
from parley_verifier.terms_file import ClaimFile

EXACT = {"kind": "exact", "trim": True, "ignore_case": False}


def config(tmp_path, **more):
    unused = Path("unused")
    return VerifierConfig(
        party=unused, peer=unused, test_set=unused, terms=unused, ledger=tmp_path / "ledger.sqlite", **more
    )


def test_an_exercise_is_charged_once_and_its_items_and_verdict_are_noted(tmp_path):
    exercise = Exercise(tmp_path)
    account = Account(config(tmp_path), exercise.sealed_terms, exercise.tests)
    account.enter()
    account.enter()
    v, _ = exercise.run()
    account.close(v.machine)
    with SetLedger(tmp_path / "ledger.sqlite") as ledger:
        status = ledger.status(exercise.tests.public.root)
    assert (status.verdicts, status.alpha_spent) == (1, Fraction(1, 20))
    assert status.exposed[3] == len({unit.name[0] for unit in v.machine.facts.audit.units})


def test_a_session_that_broke_off_leaves_its_prompts_seen_and_no_verdict(tmp_path):
    exercise = Exercise(tmp_path)
    account = Account(config(tmp_path), exercise.sealed_terms, exercise.tests)
    account.enter()
    account.broken(tmp_path / "none.journal")
    v, p = exercise.verifier_end(), exercise.prover_end()
    pipe(v, p, cut_after=10)
    account.broken(tmp_path / f"{Role.VERIFIER}.journal")
    with SetLedger(tmp_path / "ledger.sqlite") as ledger:
        status = ledger.status(exercise.tests.public.root)
    assert status.verdicts == 0
    assert status.exposed[2] == len(v.machine.facts.audit.units) > 0
    assert status.exposed[3] == 0


def test_a_set_whose_risk_is_spent_refuses_to_enter_terms(tmp_path):
    exercise = Exercise(tmp_path)
    with pytest.raises(LocalError) as caught:
        Account(config(tmp_path, ledger_alpha="1/100"), exercise.sealed_terms, exercise.tests).enter()
    assert caught.value.reason is Reason.BUDGET_EXHAUSTED


def questions(tmp_path, references):
    source = tmp_path / "items.jsonl"
    source.write_text(
        "".join(json.dumps({"prompt": f"q{n}", "reference": r}) + "\n" for n, r in enumerate(references))
    )
    return source


def test_a_set_on_which_one_constant_meets_the_claim_is_not_registered(tmp_path):
    claims = [ClaimFile(id="accuracy", grader=EXACT, threshold="1/2")]
    with pytest.raises(LocalError) as caught:
        run_gate(questions(tmp_path, ["A"] * 60 + ["B"] * 40), claims, Fraction(1, 20))
    assert "majority" in str(caught.value) or "constant" in str(caught.value)


def test_a_set_that_no_null_model_meets_passes_and_says_what_was_tried(tmp_path):
    claims = [ClaimFile(id="accuracy", grader=EXACT, threshold="9/10")]
    result = run_gate(questions(tmp_path, [str(n) for n in range(100)]), claims, Fraction(1, 20))
    assert result["passed"]
    assert len(result["baselines"]) > 5
