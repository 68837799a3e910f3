"""What a report says: known failures and when they run out, levels, the specification, the signed result."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import kit
import pytest
import suite_kit
from click.testing import CliRunner
from parley_attestation.ed25519 import SigningKey
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_cli.conformance import conformance
from parley_conformance import report, result
from parley_conformance.cases.base import Case, Profile
from parley_conformance.harness import Failure
from parley_conformance.known import Known, read_known
from parley_conformance.report import Report, Result, Status
from parley_conformance.requirements import (
    REGISTRY,
    UNTESTABLE,
    Level,
    Requirement,
    spec_bytes,
    spec_digests,
)
from parley_conformance.run import Suite, excused, execute

MUST = Requirement("A-1", Level.MUST, "A prover MUST.")
SHOULD = Requirement("A-2", Level.SHOULD, "A prover SHOULD.")
TODAY = date(2026, 11, 25)


class Nobody:
    name = "nobody"
    capabilities = ()

    def release(self):
        pass

    def close(self):
        pass


def fails(_):
    raise Failure("it does not")


def case(name, run=lambda _: None, needs="A-1", profile=Profile.CORE):
    return Case(name, name, (needs,), run, profile=profile)


def ran(*cases, profile=Profile.CORE, known=None, requirements=(MUST,)):
    suite = Suite("prover", {r.id: r for r in requirements}, cases, lambda _seed, _folder: Nobody())
    return execute(suite, profile=profile, seed="s", known=known)


def listed(name, until):
    return {name: Known(name, "https://example.org/issues/1", until)}


def test_a_known_failure_is_partial_and_has_an_exit_code_of_its_own():
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    found = ran(case("a"), case("b", fails), known=listed("b", tomorrow))
    assert [r.status for r in found.results] == [Status.PASSED, Status.KNOWN]
    assert (found.verdict, found.code) == ("partial", 3)
    document = found.document()
    assert document["known_failures"][0]["issue"] == "https://example.org/issues/1"
    assert document["counts"]["known"] == 1


def test_a_known_failure_beside_another_failure_is_a_failure():
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    found = ran(case("a", fails), case("b", fails), known=listed("b", tomorrow))
    assert (found.verdict, found.code) == ("partial", 1)


def test_a_known_failure_runs_out_the_day_after_its_last():
    one = Result(case("b"), Status.FAILED, "it does not", 0.0)
    known = Known("b", "issue", TODAY)
    assert excused(one, known, TODAY).status is Status.KNOWN
    late = excused(one, known, TODAY + timedelta(days=1))
    assert late.status is Status.FAILED
    assert "known until 2026-11-25" in late.detail


def test_a_known_failure_that_passes_is_a_failure():
    found = ran(case("a"), known=listed("a", date.max))
    assert found.results[0].status is Status.FAILED
    assert found.code == 1


def test_what_did_not_run_is_not_excused():
    for status in (Status.SKIPPED, Status.UNCLAIMED):
        one = Result(case("b"), status, "", 0.0)
        assert excused(one, Known("b", "issue", date.max), TODAY) == one


@pytest.mark.parametrize(
    "text",
    [
        "known = 1",
        "[[known]]\ncase = 'a'\nissue = 'x'",
        "[[known]]\ncase = 'a'\nissue = 'x'\nuntil = 2026-01-01\nmore = 1",
        "[[known]]\ncase = 'a'\nissue = ' '\nuntil = 2026-01-01",
        "[[known]]\ncase = 'a'\nissue = 'x'\nuntil = '2026-01-01'",
        "[[known]]\ncase = 'a'\nissue = 'x'\nuntil = 2026-01-01T00:00:00",
        "[[known]]\ncase = 'unheard-of'\nissue = 'x'\nuntil = 2026-01-01",
        2 * "[[known]]\ncase = 'a'\nissue = 'x'\nuntil = 2026-01-01\n",
        "more = 1\n[[known]]\ncase = 'a'\nissue = 'x'\nuntil = 2026-01-01",
        "[[known",
    ],
)
def test_a_list_of_known_failures_says_nothing_else(tmp_path, text):
    (tmp_path / "known.toml").write_text(text)
    with pytest.raises(LocalError) as caught:
        read_known(tmp_path / "known.toml", ["a"])
    assert caught.value.reason is Reason.CONFIG


def test_a_list_of_known_failures_is_read(tmp_path):
    (tmp_path / "known.toml").write_text("[[known]]\ncase = 'a'\nissue = 'x'\nuntil = 2026-01-01\n")
    assert read_known(tmp_path / "known.toml", ["a"]) == {"a": Known("a", "x", date(2026, 1, 1))}


def test_a_should_counts_in_a_strict_run_alone():
    cases = (case("a"), case("b", fails, "A-2"))
    assert ran(*cases, requirements=(MUST, SHOULD)).verdict == "conformant"
    assert ran(*cases, requirements=(MUST, SHOULD), profile=Profile.EXTENDED).verdict == "conformant"
    assert ran(*cases, requirements=(MUST, SHOULD), profile=Profile.STRICT).verdict == "partial"


def test_extended_cases_run_from_the_extended_profile_on():
    cases = (case("a"), case("b", profile=Profile.EXTENDED))
    counts = [len(ran(*cases, profile=profile).results) for profile in Profile]
    assert counts == [1, 2, 2]


def test_a_report_names_the_specification_the_seed_and_what_no_run_tests(tmp_path):
    found = ran(case("a"))
    report.write(found, tmp_path)
    said = json.loads((tmp_path / "report.json").read_text())
    assert said["spec"] == dict(spec_digests())
    assert "--seed s" in said["reproduce"]
    assert said["not_testable"] == dict(UNTESTABLE["prover"])
    page = (tmp_path / "report.html").read_text()
    assert all(one in page for one in (*spec_digests().values(), "RES-1"))
    assert all(one in (tmp_path / "junit.xml").read_text() for one in spec_digests().values())


def test_the_requirements_are_those_of_the_draft():
    rows = json.loads(spec_bytes("requirements.json"))
    assert {row["id"]: row["text"] for row in rows} == {one.id: one.text for one in REGISTRY.values()}


def signed(found: Report, tmp_path, name="suite"):
    report.write(found, tmp_path)
    key = SigningKey(kit.seed(name))
    written = (tmp_path / "report.json").read_bytes()
    return result.seal(written, key), key.public, written


@pytest.mark.parametrize(
    ("cases", "known", "wanted"),
    [
        ((case("a"),), None, ("PASSED", ("a",), (), ())),
        ((case("a"), case("b", fails)), listed("b", date.max), ("WARNED", ("a",), ("b",), ())),
        ((case("a"), case("b", fails)), None, ("FAILED", ("a",), (), ("b",))),
    ],
)
def test_a_signed_result_says_what_the_report_says(tmp_path, cases, known, wanted):
    sealed, key, written = signed(ran(*cases, known=known), tmp_path)
    found = result.check(sealed, key, written)
    assert (found.result, found.passed, found.warned, found.failed) == wanted


def test_a_result_of_another_report_or_key_is_refused(tmp_path):
    sealed, key, written = signed(ran(case("a")), tmp_path)
    for bad in (written.replace(b"conformant", b"compliant "), b"{}", b"[]", b"\xff", written + b" "):
        with pytest.raises(PeerError) as caught:
            result.check(sealed, key, bad)
        assert caught.value.reason is Reason.BAD_STATEMENT
    with pytest.raises(PeerError) as caught:
        result.check(sealed, SigningKey(kit.seed("other")).public, written)
    assert caught.value.reason is Reason.BAD_SIGNATURE


def test_a_result_that_says_more_than_its_report_is_refused(tmp_path):
    failed = ran(case("a", fails))
    _, key, written = signed(failed, tmp_path)
    better, _, _ = signed(replace(failed, results=ran(case("a")).results), tmp_path / "better")
    with pytest.raises(PeerError) as caught:
        result.check(better, key, written)
    assert caught.value.reason is Reason.BAD_STATEMENT


def test_the_command_signs_and_verifies_and_excuses(tmp_path):
    known, out = tmp_path / "known.toml", tmp_path / "out"
    known.write_text("[[known]]\ncase = 'describe'\nissue = 'x'\nuntil = 2999-01-01\n")
    with suite_kit.prover(tmp_path) as job:
        words = ["run", "--prover", job.peer.endpoint, "--party", str(job.party.folder)]
        words += ["--peer", str(tmp_path / "p" / "card.json"), "--out", str(out), "--sign"]
        made = CliRunner().invoke(
            conformance, [*words, "--known-failures", str(known)], standalone_mode=False
        )
    assert made.return_value == 1  # it is listed and passes
    assert "listed as a known failure, and passes" in made.output
    pin = ["--pin", str(job.party.folder / "card.json")]
    made = CliRunner().invoke(conformance, ["verify", str(out), *pin], standalone_mode=False)
    assert (made.return_value, made.output.startswith("valid: FAILED")) == (0, True)
    other = ["--pin", str(tmp_path / "p" / "card.json")]
    made = CliRunner().invoke(conformance, ["verify", str(out), *other], standalone_mode=False)
    assert (made.return_value, made.output.startswith("not valid: BAD_SIGNATURE")) == (1, True)
    (out / "result.json").unlink()
    made = CliRunner().invoke(conformance, ["verify", str(out), *pin], standalone_mode=False)
    assert "No such file" in str(made.exception)
