"""From a real sealed session to an audit of its receipt in open mode, through the files that a person writes."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from chamber_kit import boxed
from kit import CHANNEL, EXACT, pipe, seed
from parley_attestation import statement
from parley_attestation.edge.records import write_record
from parley_attestation.encoding import Bytes32, Digest, Nonce
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.session.audited import check_audited
from parley_attestation.session.facts import Facts
from parley_prover import answering
from parley_verifier.challenge import VerifierPolicy
from parley_verifier.results import SealedResults, read_results, results_for, write_results
from parley_verifier.terms_file import TermsFile, make_terms
from test_chamber_session import SealedExercise

pytestmark = boxed
PASSED = (b"\1",) * 60


def written(**changes):
    claim = {"id": "accuracy", "grader": EXACT.document(), "threshold": "4/5"}
    return TermsFile(
        title="an audit",
        system={"scaffold": "s", "runtime": "r", "decoding": "d"},
        claims=[claim | changes],
        measures="m",
        sampling_frame="f",
        not_concluded=["n"],
        audited={"record": "sealed.parley", "tolerance": "1 %"},
    )


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sealed")
    one = SealedExercise(folder, registered=1.0, answers=1.0)
    v, _ = one.run()
    write_record(v.journal, v.row, folder / "sealed.parley")
    return one, v.machine.facts


def terms_of(one, text):
    return make_terms(
        text,
        test_set=one.tests.public,
        prover=one.prover.owner,
        model_claim=one.terms.model_claim,
        nonce=Nonce(seed("audit")),
        base=one.folder,
    )


def test_a_receipt_is_audited_by_opening_results_that_its_root_commits_to(sealed, tmp_path, monkeypatch):
    one, facts = sealed
    terms = terms_of(one, written())
    assert terms.audited.counts == (60,)
    monkeypatch.setattr(answering, "earlier_attempts", lambda *_: lambda _: SimpleNamespace(facts=facts))
    (tmp_path / "results").write_bytes(write_results(Bytes32(seed("results")), facts.exercise, PASSED))
    audit = replace_terms(one, terms)
    policy = VerifierPolicy(
        audit.verifier.history,
        CHANNEL,
        audit.sealed_terms,
        audit.tests,
        results=results_for(audit.sealed_terms, tmp_path / "results"),
    )
    audit.folder = tmp_path
    v = audit.verifier_end(policy=policy)
    pipe(v, audit.prover_end())
    said = v.machine.facts.verdict.predicate
    assert (said["overall"], said["integrity"]) == ("COMPLIANT", "INTACT")
    assert said["audited"]["receipt"] == terms.audited.receipt.hex()


def replace_terms(one, terms):
    """The same parties and set with other terms, and the registered model answering by itself."""
    audit = object.__new__(type(one).__mro__[2])
    audit.__dict__ = dict(one.__dict__)
    audit.terms = terms
    audit.sealed_terms = statement.seal(terms.statement(), one.verifier.session)
    return audit


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"receipt": Digest(seed("x"))}, "another receipt"),
        ({"result_root": Digest(seed("x"))}, "another result root"),
        ({"counts": (59,)}, "other counts"),
        ({"exercise": Digest(seed("x"))}, "no sealed session"),
    ],
)
def test_terms_about_another_receipt_are_declined(sealed, change, why):
    one, facts = sealed
    terms = terms_of(one, written())
    check_audited(terms, facts)
    with pytest.raises(PeerError, match=why) as caught:
        check_audited(replace(terms, audited=replace(terms.audited, **change)), facts)
    assert caught.value.reason is Reason.BAD_TERMS


def test_other_claims_units_or_models_than_the_sealed_ones_are_declined(sealed):
    one, facts = sealed
    terms = terms_of(one, written())
    for change in (
        {"claims": (replace(terms.metric_claims[0], claim_id="other"),)},
        {"model_claim": Digest(seed("x"))},
        {"plan": replace(terms.plan, samples=2)},
        {"test_set": replace(terms.test_set, excluded=((0, 1),))},
    ):
        with pytest.raises(PeerError, match="not those of the sealed session"):
            check_audited(replace(terms, **change), facts)
    with pytest.raises(PeerError, match="no sealed session"):
        check_audited(terms, None)
    with pytest.raises(PeerError, match="without a receipt"):
        check_audited(terms, Facts(terms=facts.terms, exercise=facts.exercise))
    check_audited(replace(terms, claims=(replace(terms.metric_claims[0], min_assurance="attested"),)), facts)


def test_a_terms_file_with_other_claims_or_no_record_makes_no_terms(sealed, tmp_path):
    one, _ = sealed
    with pytest.raises(LocalError, match="not those of the sealed session"):
        terms_of(one, written(id="other"))
    missing = written().model_copy(
        update={"audited": written().audited.model_copy(update={"record": tmp_path / "no"})}
    )
    with pytest.raises(LocalError, match="no record"):
        terms_of(one, missing)


def test_a_file_of_results_belongs_to_one_receipt(sealed, tmp_path):
    one, facts = sealed
    terms = terms_of(one, written())
    audit = replace_terms(one, terms)
    path = tmp_path / "results"
    path.write_bytes(write_results(Bytes32(seed("results")), facts.exercise, (b"\0", *PASSED[1:])))
    with pytest.raises(LocalError, match="not the results of the receipt"):
        results_for(audit.sealed_terms, path)
    with pytest.raises(LocalError, match="exactly where the terms audit"):
        results_for(audit.sealed_terms, None)
    path.write_bytes(b"{}")
    with pytest.raises(LocalError, match="no file of sealed results"):
        read_results(path, terms.audited.result_root)
    found = SealedResults(Bytes32(seed("results")), facts.exercise, PASSED)
    assert found.root == terms.audited.result_root
    assert str(seed("results").hex()) not in repr(found)
    assert Role.VERIFIER in facts.acknowledged
