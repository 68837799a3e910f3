"""The reference prover passes; what the report says follows from the results."""

import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import kit
import pytest
import suite_kit
from click.testing import CliRunner
from parley_attestation.errors import PeerError, Reason
from parley_cli.conformance import conformance
from parley_conformance import report
from parley_conformance.cases import PROVER, Profile
from parley_conformance.report import Report, Result, Status
from parley_conformance.requirements import REQUIREMENTS
from parley_conformance.run import run
from parley_prover import answering
from parley_prover.service import ProverService


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One core run against the reference prover."""
    with suite_kit.prover(tmp_path_factory.mktemp("prover")) as job:
        return run(job)


def test_the_reference_prover_passes_core(whole):
    assert [(r.case.id, r.detail) for r in whole.results if r.status is not Status.PASSED] == []
    assert whole.verdict == "conformant"
    assert len(whole.results) >= 80


@pytest.mark.parametrize("answers", [lambda _prompt, _seed: b"?", kit.wrong_every(2)])
def test_a_prover_passes_whatever_its_model_answers(tmp_path, answers):
    with suite_kit.prover(tmp_path, answers=lambda p, s: answers(p, s) if b"+" in p[:9] else b"") as job:
        found = run(job)
    assert [(r.case.id, r.detail) for r in found.results if r.status is not Status.PASSED] == []


def test_the_reference_prover_refuses_every_changed_bit(tmp_path):
    extended = [c for c in PROVER if c.profile is Profile.EXTENDED]
    with suite_kit.prover(tmp_path) as job:
        found = run(replace(job, profile=Profile.EXTENDED, cases=extended))
    assert [r.detail for r in found.results if r.status is not Status.PASSED] == []
    assert len(found.results) == len(extended) >= 1


def test_every_requirement_has_a_core_case_and_every_case_a_known_requirement():
    named = {name for c in PROVER if c.profile is Profile.CORE for name in c.requirements}
    assert named == set(REQUIREMENTS)
    assert len({c.id for c in PROVER}) == len(PROVER)


def _with(whole: Report, status: Status, detail: str = "") -> Report:
    first, *rest = whole.results
    return replace(whole, results=(Result(first.case, status, detail, 0.0), *rest))


@pytest.mark.parametrize("status", [Status.FAILED, Status.SKIPPED])
def test_a_must_that_fails_or_is_skipped_makes_a_run_partial(whole, status):
    assert _with(whole, status).verdict == "partial"


def test_a_must_without_a_result_makes_a_run_partial(whole):
    assert replace(whole, results=whole.results[1:]).verdict == "partial"


def test_the_three_reports_are_written_and_escape_what_came_from_the_peer(whole, tmp_path):
    hostile = "<script>\x1b[31m\x00\ud800</script>"
    made = _with(whole, Status.FAILED, hostile)
    report.write(replace(made, capabilities=("<b>",)), tmp_path)
    document = json.loads((tmp_path / "report.json").read_text())
    assert (document["verdict"], document["counts"]["failed"]) == ("partial", 1)
    assert document["seed"] == whole.seed
    assert {r["status"] for r in document["requirements"]} == {"passed", "failed"}
    suite = ET.fromstring((tmp_path / "junit.xml").read_bytes())
    assert (suite.get("failures"), suite.get("tests")) == ("1", str(len(whole.results)))
    assert suite.find("testcase/failure") is not None
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert "<b>" not in page
    assert "default-src 'none'" in page
    assert whole.seed in page


def test_an_interrupted_run_reports_what_is_left_as_skipped(tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    with suite_kit.prover(tmp_path) as job:
        found = run(job, interrupt)
    assert found.results[0].status is Status.PASSED
    assert {r.status for r in found.results[1:]} == {Status.SKIPPED}
    assert found.verdict == "partial"


def test_the_command_starts_a_prover_and_writes_the_reports(tmp_path):
    with suite_kit.prover(tmp_path) as job:
        card = tmp_path / "p" / "card.json"
        words = ["run", "--prover", job.peer.endpoint, "--party", str(job.party.folder), "--peer", str(card)]
        started = tmp_path / "started"
        start = f"sh -c 'echo started >> {started}'"
        words += ["--out", str(tmp_path / "out"), "--start-cmd", start]
        made = CliRunner().invoke(conformance, words, standalone_mode=False)
    assert made.exception is None
    assert made.return_value == 0, made.output
    assert made.output.startswith("conformant: ")
    assert len(started.read_text().splitlines()) > 1  # it ended, and was started again
    assert (tmp_path / "out" / "report.html").exists()


class NoResume(ProverService):
    """A prover that claims no capability; whether it resumes all the same is up to `answers`."""

    answers = False

    def Describe(self, request, context):  # noqa: N802 - the name of the call
        said = super().Describe(request, context)
        del said.capabilities[:]
        return said

    def _begin(self, endpoint, row, frame):
        if row is not None and frame.WhichOneof("kind") == "resume" and not self.answers:
            raise PeerError(Reason.UNSUPPORTED, "sessions are not resumed here")
        return super()._begin(endpoint, row, frame)


class SecretResume(NoResume):
    """A prover that resumes and does not say so."""

    answers = True


def test_a_prover_that_claims_no_capability_passes_without_it_and_the_report_says_so(tmp_path, monkeypatch):
    def unsupported(*_):
        raise PeerError(Reason.UNSUPPORTED, "no receipt is audited here")

    monkeypatch.setattr(answering, "check_audited", unsupported)
    with suite_kit.prover(tmp_path, NoResume) as job:
        found = run(job)
    assert [(r.case.id, r.detail) for r in found.results if r.status is Status.FAILED] == []
    assert found.verdict == "conformant"
    assert {r.case.capability for r in found.results if r.status is Status.UNCLAIMED} == {"resume", "audit"}


def test_a_capability_that_is_not_claimed_must_not_be_there(tmp_path):
    with suite_kit.prover(tmp_path, SecretResume) as job:
        found = run(replace(job, cases=[c for c in PROVER if c.id == "capabilities"], seconds=3.0))
    assert [r.status for r in found.results] == [Status.FAILED]


def test_the_command_refuses_a_party_of_the_wrong_role(tmp_path):
    with suite_kit.prover(tmp_path) as job:
        words = ["run", "--prover", job.peer.endpoint, "--party", str(tmp_path / "p"), "--peer"]
        words += [str(tmp_path / "p" / "card.json"), "--out", str(tmp_path / "out")]
        made = CliRunner().invoke(conformance, words, standalone_mode=False)
    assert "expected a verifier" in str(made.exception)
