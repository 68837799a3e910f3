"""From a real sealed session to an audit of its receipt in open mode, through the files that a person writes."""

import contextlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
from chamber_kit import boxed
from kit import CHANNEL, EXACT, FunctionEngine, pipe, seed
from parley_attestation import statement
from parley_attestation.edge.records import write_record
from parley_attestation.edge.vault import VaultKey, seal_file
from parley_attestation.encoding import Bytes32, Digest, Nonce
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.session.audited import check_audited
from parley_attestation.session.facts import Facts
from parley_prover import answering
from parley_verifier.challenge import VerifierPolicy
from parley_verifier.compare import compare
from parley_verifier.results import SealedResults, handed_over, read_results, results_for
from parley_verifier.terms_file import TermsFile, make_terms
from test_chamber_session import SealedExercise

pytestmark = boxed
PASSED = (b"\1",) * 60
SEED, KEY = Bytes32(seed("results")), VaultKey(seed("vault"), passphrase=False)


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
    one = SealedExercise(folder, registered=1.0, answers=1.0, sealed=SealedTerms(hand_over=True))
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


def audited(sealed, tmp_path, monkeypatch, terms):
    """An audit of the sealed exercise in memory, in `tmp_path`; its verifier's end."""
    one, facts = sealed
    monkeypatch.setattr(answering, "earlier_attempts", lambda *_: lambda _: SimpleNamespace(facts=facts))
    given = (one.folder / "results.sealed").read_bytes()
    handed_over(facts, SEED, given).write(tmp_path / "results", KEY)
    audit = replace_terms(one, terms)
    policy = VerifierPolicy(
        audit.verifier.history,
        CHANNEL,
        audit.sealed_terms,
        audit.tests,
        results=results_for(audit.sealed_terms, tmp_path / "results", KEY),
    )
    audit.folder = tmp_path
    v = audit.verifier_end(policy=policy)
    pipe(v, audit.prover_end())
    return v


def test_a_receipt_is_audited_by_opening_results_that_its_root_commits_to(sealed, tmp_path, monkeypatch):
    one, _ = sealed
    terms = terms_of(one, written())
    assert terms.audited.counts == (60,)
    v = audited(sealed, tmp_path, monkeypatch, terms)
    said = v.machine.facts.verdict.predicate
    assert (said["overall"], said["integrity"]) == ("COMPLIANT", "INTACT")
    assert said["audited"]["receipt"] == terms.audited.receipt.hex()


def test_a_sealed_record_and_its_audit_compare_as_claimed_and_confirmed_results(
    sealed, tmp_path, monkeypatch
):
    """Another model answers the audit: it is wrong on some units that the receipt counts."""
    one, _ = sealed
    terms = terms_of(one, written(threshold="1/2"))
    monkeypatch.setattr(
        one, "engine", FunctionEngine(lambda _, sampling_seed: b"012"[sampling_seed % 3 :][:1])
    )
    v = audited(sealed, tmp_path, monkeypatch, terms)
    write_record(v.journal, v.row, tmp_path / "audit.parley")
    with (one.folder / "sealed.parley").open("rb") as first, (tmp_path / "audit.parley").open("rb") as second:
        (row,) = compare(first, second)
    confirmed = v.machine.facts.audit.successes(0)
    assert 0 < confirmed.count(False) == row.only_first < row.shared == len(confirmed)
    assert row.only_second == 0
    assert row.verdicts[0] == "COMPLIANT"


def test_a_record_is_not_compared_with_an_audit_of_another_receipt(sealed, tmp_path, monkeypatch):
    one, _ = sealed
    v = audited(sealed, tmp_path, monkeypatch, terms_of(one, written()))
    write_record(v.journal, v.row, tmp_path / "audit.parley")
    other = SealedExercise(tmp_path / "other", registered=0.7, answers=1.0)
    w, _ = other.run()
    write_record(w.journal, w.row, tmp_path / "sealed.parley")
    for names in (("audit", "sealed"), ("sealed", "audit")):
        with contextlib.ExitStack() as held:
            files = [held.enter_context((tmp_path / f"{name}.parley").open("rb")) for name in names]
            with pytest.raises(LocalError, match="audits another receipt"):
                compare(*files)
    with (
        (tmp_path / "sealed.parley").open("rb") as first,
        (one.folder / "sealed.parley").open("rb") as second,
        pytest.raises(LocalError, match="no result bits"),
    ):
        compare(first, second)


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
    SealedResults(SEED, facts.exercise, (b"\0", *PASSED[1:])).write(path, KEY)
    with pytest.raises(LocalError, match="not the results of the receipt"):
        results_for(audit.sealed_terms, path, KEY)
    with pytest.raises(LocalError, match="exactly where the terms audit"):
        results_for(audit.sealed_terms, None, KEY)
    with pytest.raises(LocalError, match="exactly where the terms audit"):
        results_for(one.sealed_terms, None, KEY)
    assert results_for(one.sealed_terms, path, KEY) is None, "it is to be written"
    seal_file(path, b"{}", KEY, replace=True)
    with pytest.raises(LocalError, match="no file of sealed results"):
        read_results(path, KEY, terms.audited.result_root)
    found = SealedResults(SEED, facts.exercise, PASSED)
    assert found.root == terms.audited.result_root
    assert str(seed("results").hex()) not in repr(found)
    assert Role.VERIFIER in facts.acknowledged
