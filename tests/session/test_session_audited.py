"""A sealed receipt audited in open mode: claimed results against confirmed ones, and the integrity axis."""

import io
import json
from dataclasses import replace
from fractions import Fraction

import pytest
from click.testing import CliRunner
from kit import CHANNEL, Exercise, pipe, right, seed
from parley_attestation import statement
from parley_attestation.comparison import ClaimedResults
from parley_attestation.edge.records import write_record
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.judge import judge
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.session.audit import Audit
from parley_attestation.session.schedule import frames
from parley_attestation.terms import Operator, Plan, read_terms
from parley_cli.record import show
from parley_prover import answering
from parley_verifier.challenge import VerifierPolicy
from parley_verifier.report.build import build
from parley_verifier.report.render import render
from parley_verifier.results import SealedResults
from parley_verifier.termslint import lint
from recompute import node

SEALED = Digest(seed("sealed exercise"))
SEED = Bytes32(seed("result seed"))
SIZE = 60


def wrong_at(items):
    """Wrong on the sums of these items."""

    def answer(prompt, _seed=0):
        return b"?" if int(prompt.split(b"+")[0]) in items else right(prompt)

    return answer


class Audited(Exercise):
    """An audit of a sealed run whose committed results are `codes`, one byte a unit (1 pass, 0 fail)."""

    def __init__(self, folder, codes, answer, tolerance=Fraction(0), counts=None, **changes):
        self.results = SealedResults(SEED, SEALED, tuple(bytes([one]) for one in codes))
        claimed = (sum(codes),) if counts is None else counts
        receipt = ClaimedResults(Digest(seed("receipt")), SEALED, self.results.root, claimed, tolerance)
        super().__init__(folder, answer=answer, terms_changes={"audited": receipt, **changes})

    def verifier_end(self, secret=b"v", policy=None):
        return super().verifier_end(
            secret,
            policy
            or VerifierPolicy(
                self.verifier.history,
                CHANNEL,
                self.sealed_terms,
                self.tests,
                journal=self.journal(Role.VERIFIER),
                results=self.results,
            ),
        )


@pytest.fixture(autouse=True)
def known_receipt(monkeypatch):
    """These tests have no sealed session behind them; what the prover compares has tests of its own below."""
    monkeypatch.setattr(answering, "check_audited", lambda *_: None)


def said(one):
    v, p = one.run()
    verdict = v.machine.facts.verdict
    assert verdict.digest() == p.machine.facts.verdict.digest()
    path = one.folder / "r.parley"
    write_record(v.journal, v.row, path)
    found = judge(io.BytesIO(path.read_bytes()), list(one.pins.values()))
    assert found.fault is None
    assert found.verdict.payload() == verdict.payload()
    return verdict.predicate


def shown(folder):
    """What a program in another language makes of the record."""
    printed = CliRunner().invoke(show, [str(folder / "r.parley"), "--units"], standalone_mode=False).stdout
    return json.loads(printed)


@pytest.mark.parametrize("wrong", [range(0), range(0, 60, 10), range(0, 60, 30), range(3, 60, 4), range(60)])
@pytest.mark.parametrize("tolerance", [Fraction(0), Fraction(1, 10)])
def test_a_second_program_decides_audits_alike(tmp_path, wrong, tolerance):
    codes = [int(n % 9 != 4) for n in range(SIZE)]
    said(Audited(tmp_path, codes, wrong_at(wrong), tolerance, plan=Plan(1, 6, (("", SIZE),))))
    document = shown(tmp_path)
    done = node(document)
    assert done.returncode == 0, done.stdout + done.stderr
    comparison = document["verdict"]["claims"][0]["comparison"]
    for name, value in comparison.items():
        comparison[name] = value + 1 if isinstance(value, int) else "0.5"
        assert f"disagrees: the record says accuracy: {name}" in node(document).stdout
        comparison[name] = value
    document["verdict"]["integrity"] = "FINE"
    assert "disagrees: the record says integrity FINE" in node(document).stdout


def test_the_page_says_how_the_claims_stand(tmp_path):
    said(Audited(tmp_path, [1] * SIZE, wrong_at(range(0, 60, 10)), plan=Plan(1, 60, (("", SIZE),))))
    found = judge(io.BytesIO((tmp_path / "r.parley").read_bytes()))
    page = render(build(found, "r.parley"))
    assert b"BREACHED" in page
    assert build(found, "r").integrity == "BREACHED"


def test_true_results_are_confirmed_with_fewer_openings_than_a_poll_needs(tmp_path):
    (tmp_path / "poll").mkdir()
    poll, _ = Exercise(tmp_path / "poll", terms_changes={"plan": Plan(1, 1, (("", SIZE),))}).run()
    audit = said(Audited(tmp_path, [1] * SIZE, right, plan=Plan(1, 1, (("", SIZE),))))
    (claim,) = audit["claims"]
    assert (audit["overall"], audit["integrity"]) == ("COMPLIANT", "INTACT")
    assert claim["comparison"] == {
        "claimed": 60,
        "overstated": 0,
        "mismatches": 0,
        "tolerated": 0,
        "integrity": "INTACT",
        "p_integrity_at_most": "1",
    }
    assert claim["counted"] < poll.machine.facts.verdict.predicate["claims"][0]["counted"]
    assert audit["audited"]["counts"] == [60]


def test_a_false_claim_of_success_breaches_integrity_and_blocks_compliance(tmp_path):
    """Six results are claimed and wrong; one of them is found, and no tolerance was agreed."""
    audit = said(Audited(tmp_path, [1] * SIZE, wrong_at(range(0, 60, 10)), plan=Plan(1, 60, (("", SIZE),))))
    (claim,) = audit["claims"]
    assert audit["integrity"] == "BREACHED"
    assert claim["comparison"]["mismatches"] >= 1
    assert claim["verdict"] != "COMPLIANT"
    assert claim["test"] != "COMPLIANT" or "false than tolerated" in claim["because"][-1]


def test_tolerated_mismatches_leave_the_word_to_the_test(tmp_path):
    wrong = range(0, 60, 30)
    audit = said(
        Audited(tmp_path, [1] * SIZE, wrong_at(wrong), Fraction(1, 10), plan=Plan(1, 60, (("", SIZE),)))
    )
    assert audit["integrity"] == "WITHIN-TOLERANCE"
    assert audit["overall"] == "COMPLIANT"


def test_an_understated_result_is_a_mismatch_and_overstates_nothing(tmp_path):
    codes = [int(n % 10 != 3) for n in range(SIZE)]
    audit = said(Audited(tmp_path, codes, right, Fraction(1, 5), plan=Plan(1, 60, (("", SIZE),))))
    (claim,) = audit["claims"]
    assert claim["comparison"]["overstated"] == 0
    assert claim["comparison"]["mismatches"] > 0
    assert (audit["overall"], audit["integrity"]) == ("COMPLIANT", "WITHIN-TOLERANCE")
    assert claim["count_low"] >= 48


def test_a_model_that_fails_violates_whatever_was_claimed(tmp_path):
    audit = said(Audited(tmp_path, [1] * SIZE, lambda *_: b"?", Fraction(1, 20)))
    assert (audit["overall"], audit["integrity"]) == ("VIOLATION", "BREACHED")


def cheating(one, change):
    """The verifier changes the results that it opens."""
    v = one.verifier_end()
    original = v.policy.propose

    def propose(machine, secret):
        draft = original(machine, secret)
        if draft.body.kind == "open":
            return replace(draft, body=replace(draft.body, results=change(draft.body.results)))
        return draft

    v.policy.propose = propose
    return v


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda found: (replace(found[0], codes=b"\0"), *found[1:]), "BAD_PROOF"),
        (lambda found: (replace(found[0], key=found[1].key), *found[1:]), "BAD_PROOF"),
        (lambda found: (found[1], found[0], *found[2:]), "BAD_PROOF"),
        (lambda found: (replace(found[0], codes=b"\1\1"), *found[1:]), "WRONG_RESULT_BITS"),
        (lambda found: (replace(found[0], codes=b"\5"), *found[1:]), "WRONG_RESULT_BITS"),
        (lambda found: found[:-1], "WRONG_UNITS"),
        (lambda _: (), "WRONG_UNITS"),
    ],
)
def test_a_result_that_the_receipt_did_not_commit_to_is_refused(tmp_path, change, reason):
    one = Audited(tmp_path, [1] * SIZE, right)
    with pytest.raises(LocalError, match=reason):
        pipe(cheating(one, change), one.prover_end())


def test_results_are_opened_of_challenged_units_only(tmp_path):
    v, _ = Audited(tmp_path, [1] * SIZE, right, plan=Plan(1, 4, (("", SIZE),))).run()
    audit = v.machine.facts.audit
    assert 0 < len(audit.units) < SIZE
    assert all(unit.claimed == b"\1" for unit in audit.units)


@pytest.mark.parametrize("counts", [(47,), (61,), (60, 60)])
def test_counts_that_cannot_show_compliance_are_refused_with_the_terms(tmp_path, counts):
    one = Audited(tmp_path, [1] * SIZE, right, counts=counts)
    with pytest.raises(LocalError, match=r"BAD_TERMS|BAD_COUNT"):
        one.run()


def test_no_count_is_declared_beside_the_receipts(tmp_path):
    one = Audited(tmp_path, [1] * SIZE, right)
    with pytest.raises(PeerError) as caught:
        Audit.begin(one.terms, frames(one.terms, one.tests.public), (55,))
    assert caught.value.reason is Reason.BAD_COUNT


def test_results_of_another_run_or_none_are_a_local_fault(tmp_path):
    one = Audited(tmp_path, [1] * SIZE, right)
    one.results = SealedResults(SEED, SEALED, (b"\1",) * 5)
    with pytest.raises(LocalError, match="a run over other units"):
        one.run()
    one.results = None
    (tmp_path / "again").mkdir()
    with pytest.raises(LocalError, match="not configured"):
        replace_folder(one, tmp_path / "again").run()


def replace_folder(one, folder):
    one.folder = folder
    return one


def test_a_receipt_is_audited_in_open_mode_only(tmp_path):
    one = Audited(tmp_path, [1] * SIZE, right)
    chamber = {
        "mode": "sealed",
        "sealed": SealedTerms(),
        "binding": "chamber",
        "operators": (Operator(Bytes32(seed("operator")), "neutral", ("tests", "weights")),),
        "runtime": Digest(seed("runtime")),
    }
    sealed = statement.seal(replace(one.terms, **chamber).statement(), one.verifier.session)
    with pytest.raises(PeerError, match="audited in open mode"):
        read_terms(statement.open_sealed(sealed, one.verifier.session.public))


def test_an_audit_is_planned_as_if_every_claimed_result_were_true(tmp_path):
    one = Audited(tmp_path, [1] * SIZE, right)
    found = lint(one.terms, {"": SIZE}, Fraction(1, 20))
    (cost,) = found.costs
    assert (cost.assumed, cost.plan.threshold, cost.cost.inconclusive) == (SIZE, 48, 0)
    assert any("BREACHED" in note for note in found.notes)
    assert cost.cost.mean == said(one)["claims"][0]["counted"]
