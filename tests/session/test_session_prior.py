"""Several exercises on one set and one model: both sides know them, the terms name them, the verdict adds them up."""

import io
from dataclasses import replace
from fractions import Fraction

import pytest
from kit import Exercise, metric, pipe, seed
from parley_attestation import statement
from parley_attestation.edge.records import write_record
from parley_attestation.edge.spending import require_prior, spent_before
from parley_attestation.encoding import Digest, Nonce
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.judge import judge
from parley_attestation.spending import Spent, spent
from parley_attestation.terms import read_terms
from parley_verifier.report.build import build

CLAIMS = (metric(), metric("half", Fraction(1, 2), alpha_compliant=Fraction(1, 100)))


def again(one, number, **changes):
    """The next exercise between the same parties, over the same journals."""
    one.terms = replace(one.terms, nonce=Nonce(seed("nonce", number)), **changes)
    one.sealed_terms = statement.seal(one.terms.statement(), one.verifier.session)
    return one


def run(one, number):
    """Run it with fresh secrets; the journals stay."""
    v, p = one.verifier_end(secret=("v", number)), one.prover_end(secret=("p", number))
    pipe(v, p)
    v.journal.note(v.row, ended=True)
    return v, p


def known(one, role):
    journal = one.journal(role)
    try:
        return spent_before(journal, role, one.terms)
    finally:
        journal.close()


def test_terms_name_earlier_exercises_and_the_verdict_adds_up_both_risks(tmp_path):
    one = Exercise(tmp_path, terms_changes={"claims": CLAIMS})
    first, _ = one.run()
    assert "spent" not in first.machine.facts.verdict.predicate
    exercise = first.machine.facts.exercise
    assert known(one, Role.VERIFIER) == known(one, Role.PROVER) == (spent(exercise, CLAIMS),)
    again(one, 2, prior=known(one, Role.VERIFIER))
    v, p = run(one, 2)
    assert v.machine.facts.verdict.digest() == p.machine.facts.verdict.digest()
    assert v.machine.facts.verdict.predicate["spent"] == {
        "exercises": [exercise.hex()],
        "alpha_compliant": "3/25",
        "alpha_violation": "1/25",
    }
    write_record(v.journal, v.row, tmp_path / "r.parley")
    found = judge(io.BytesIO((tmp_path / "r.parley").read_bytes()))
    assert found.fault is None
    facts = {fact.name: fact.value for fact in build(found, "r").burn}
    assert facts["Earlier exercise"] == exercise.hex()
    assert facts["Risk of a false COMPLIANT in 2 exercises on this set and model"] == "3/25"


def test_a_prover_that_asks_for_it_declines_terms_that_hide_an_exercise(tmp_path):
    one = Exercise(tmp_path, offer_changes={"require_prior": True})
    one.run()
    hidden = again(one, 2)
    v, _ = run(hidden, 2)
    ending = v.machine.facts.ending
    assert (ending.kind, ending.reason) == ("decline", "BAD_TERMS")
    assert "do not name exercise" in ending.detail
    assert len(known(one, Role.PROVER)) == 1, "a declined exercise risked nothing"
    named = again(one, 3, prior=known(one, Role.PROVER))
    v, _ = run(named, 3)
    assert v.machine.facts.verdict.predicate["overall"] == "COMPLIANT"


def test_an_exercise_counts_from_its_accept_on_and_another_set_or_model_does_not(tmp_path):
    one = Exercise(tmp_path)
    pipe(one.verifier_end(), one.prover_end(), cut_after=8)
    assert len(known(one, Role.PROVER)) == 1
    for change in (
        {"model_claim": Digest(seed("x"))},
        {"test_set": replace(one.terms.test_set, root=Digest(seed("y")))},
    ):
        other = replace(one, terms_changes={})
        other.terms = replace(one.terms, **change)
        assert known(other, Role.PROVER) == ()


def test_an_understated_risk_is_no_naming(tmp_path):
    one = Exercise(tmp_path)
    entry = Spent(Digest(seed("e")), Fraction(1, 20), Fraction(1, 100))
    cheap = replace(entry, compliant=Fraction(1, 100))
    require_prior(replace(one.terms, prior=(entry,)), (entry,))
    with pytest.raises(PeerError, match="with its risks"):
        require_prior(replace(one.terms, prior=(cheap,)), (entry,))


@pytest.mark.parametrize("prior", [2, 65])
def test_an_exercise_named_twice_or_too_many_are_refused(tmp_path, prior):
    one = Exercise(tmp_path)
    entries = tuple(
        Spent(Digest(seed("e", n if prior > 2 else 0)), Fraction(1, 20), Fraction(1, 100))
        for n in range(prior)
    )
    with pytest.raises(PeerError) as caught:
        read_terms(replace(one.terms, prior=entries).statement())
    assert caught.value.reason is Reason.BAD_TERMS
