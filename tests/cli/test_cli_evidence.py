"""`parley evidence` as a person uses it: results on stdout, errors and hints on stderr, exit codes."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from parley_attestation.ed25519 import SigningKey
from parley_attestation.evidence import archive as archives
from parley_attestation.evidence.simulated import SimulatedEnclave
from parley_cli.evidence import evidence

sys.path.insert(0, str(Path(__file__).parents[1] / "attestation" / "evidence"))
import evidence_cases as cases

AT = "2025-06-20T00:00:00Z"
FILES = [str(cases.DATA / name) for name in cases.case("tdx-v4-qvl").files]
BINDER = cases.own_binder(cases.case("tdx-v4-qvl").item(), cases.case("tdx-v4-qvl").at).hex()


@pytest.fixture
def policy(tmp_path):
    """A policy file that the up-to-date TDX quote meets."""
    case = cases.case("tdx-v4-qvl")
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(cases.rules(references=[cases.own_reference(case.item(), case.at)]), indent=1))
    return str(path)


def run(*arguments):
    return CliRunner().invoke(evidence, list(arguments))


def common(policy, *, binder=BINDER, at=AT):
    return ("--kind", "tdx", "--policy", policy, "--binder", binder, "--at", at)


def test_affirming_evidence_prints_its_result_and_exits_with_0(policy):
    done = run("appraise", *FILES, *common(policy))
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["status"], result["assurance"], result["roots"]) == ("affirming", "attested", ["intel"])
    assert done.stderr == ""


def test_evidence_that_is_refused_says_why_on_stderr_and_exits_with_1(policy):
    done = run("appraise", *FILES, *common(policy, at="2025-09-01T00:00:00Z"))
    assert done.exit_code == 1
    assert json.loads(done.stdout)["status"] == "contraindicated"
    assert done.stderr.startswith("error: the evidence is contraindicated: time\n")
    assert "hint: fetch fresh collateral" in done.stderr


def test_explain_tells_each_check_and_what_it_would_take_to_pass(policy):
    good = run("explain", *FILES, *common(policy))
    assert good.exit_code == 0
    assert "genuine: yes" in good.stdout
    assert "ok    TCB status accepted by the policy: platform UpToDate" in good.stdout
    assert "status: affirming" in good.stdout
    bad = run("explain", *FILES, *common(policy, binder="00" * 64))
    assert bad.exit_code == 1
    assert "FAIL  bound to this exercise" in bad.stdout
    assert "BINDER_MISMATCH (binding; instance-identity 99)" in bad.stdout
    assert "to pass: collect evidence over the binder of this session" in bad.stdout


def test_an_archive_is_written_and_appraised_again_by_itself(policy, tmp_path):
    out, proof = tmp_path / "bundle.json", tmp_path / "proof"
    proof.write_bytes(b"witness")
    done = run("archive", *FILES, *common(policy), "--out", str(out), "--time-proof", str(proof))
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{out}: affirming, at {cases.moment(AT)}\n"
    assert archives.load(out.read_bytes()).time_proof == b"witness"
    again = run("appraise", str(out))
    assert again.exit_code == 0
    assert json.loads(again.stdout)["status"] == "affirming"
    assert run("explain", str(out)).exit_code == 0


def test_an_archive_with_a_changed_byte_is_an_error(policy, tmp_path):
    out = tmp_path / "bundle.json"
    run("archive", *FILES, *common(policy), "--out", str(out))
    raw = out.read_bytes()
    out.write_bytes(raw.replace(b'"at":1750377600', b'"at":1760377600'))
    assert hashlib.sha256(raw).digest() != hashlib.sha256(out.read_bytes()).digest()
    done = run("appraise", str(out))
    assert done.exit_code == 1
    assert done.stderr.endswith("[BAD_EVIDENCE]\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--kind", "tdx"],
        ["--binder", "00" * 64],
        ["--kind", "tdx", "--policy", "POLICY", "--binder", "zz"],
        ["--kind", "tdx", "--policy", "POLICY", "--at", "yesterday"],
    ],
)
def test_wrong_usage_exits_with_2(policy, arguments):
    given = [policy if one == "POLICY" else one for one in arguments]
    assert run("appraise", FILES[0], *given).exit_code == 2


def test_a_policy_that_cannot_be_read_is_an_error(tmp_path):
    path = tmp_path / "policy.json"
    path.write_text('{"type": "production"}')
    done = run("appraise", *FILES, "--kind", "tdx", "--policy", str(path), "--at", "0")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: policy.name: expected a string")


def test_simulated_evidence_passes_in_the_laboratory_with_a_banner_and_nowhere_else(tmp_path):
    root = SigningKey(bytes(32))
    raw = tmp_path / "evidence.json"
    raw.write_bytes(SimulatedEnclave(root, "sim", b"\xab" * 32).collect(bytes(64)))
    reference = {"kind": "simulated", "name": "s", "holds_key": True, "values": {"measurement": ["ab" * 32]}}
    document = cases.rules(products=["simulated"], references=[reference])
    production, laboratory = tmp_path / "production.json", tmp_path / "laboratory.json"
    production.write_text(json.dumps(document))
    allowed = cases.laboratory(document | {"kinds": ["simulated"]}, root.public.hex())
    laboratory.write_text(json.dumps(allowed))
    how = ("--kind", "simulated", "--binder", "00" * 64, "--at", "1")
    inside = run("appraise", str(raw), "--policy", str(laboratory), *how)
    assert inside.exit_code == 0
    assert "SIMULATED EVIDENCE, NOT HARDWARE" in inside.stderr
    assert json.loads(inside.stdout)["assurance"] == "simulated"
    outside = run("appraise", str(raw), "--policy", str(production), *how)
    assert outside.exit_code == 1
    assert json.loads(outside.stdout)["assurance"] == "none"


def test_the_time_of_appraisal_is_now_where_none_is_given(policy, monkeypatch):
    monkeypatch.setattr("time.time", lambda: float(cases.moment(AT)))
    done = run("appraise", *FILES, "--kind", "tdx", "--policy", policy, "--binder", BINDER)
    assert done.exit_code == 0
