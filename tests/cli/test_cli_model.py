import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from parley_attestation.errors import LocalError, PeerError
from parley_cli.main import parley


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(line, *, code=0):
        done = CliRunner().invoke(parley, line.split(), catch_exceptions=True)
        if isinstance(done.exception, PeerError | LocalError):
            assert code == "error"
            return str(done.exception)
        assert (done.exit_code, done.stderr) == (code, done.stderr), (done.output, done.exception)
        return done.stdout

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "w.bin").write_bytes(bytes(range(256)) * 100_000)
    (tmp_path / "model" / "config.json").write_bytes(b"{}")
    run("keygen lab --name Lab --role prover")
    run("keygen institute --name Institute --role verifier")
    return run


def test_a_model_is_registered_verified_opened_and_shown_to_be_the_same(run, tmp_path):
    assert "digest" in run("model register model --party lab --name ours --out a.claim --workers 1")
    assert (tmp_path / "a.claim.secret").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "a.claim.journal").exists()
    told = run("model verify model --claim a.claim --secret a.claim.secret --card lab/card.json")
    assert told == "verified  2 files, 25600002 bytes\n"
    part = "--range w.bin 65536 65800"
    opening = "model open model --claim a.claim --secret a.claim.secret --to institute/card.json --ledger l"
    run(f"{opening} --out o {part}")
    assert "65536 bytes" in run(f"model check o --claim a.claim --card lab/card.json --out bytes {part}")
    assert (tmp_path / "bytes").read_bytes() == (bytes(range(256)) * 2)[:264]
    run(f"{opening} --out r --random {'ab' * 32} 1")
    run(f"model check r --claim a.claim --random {'ab' * 32} 1")
    assert "BUDGET_EXHAUSTED" in run(f"{opening} --out p --range w.bin 0 250000", code="error")
    assert "BAD_OPENING" in run("model check o --claim a.claim --range w.bin 0 8", code="error")
    run("model register model --party lab --name again --out b.claim --same-as a.claim.secret")
    run("model same a.claim b.claim --secrets a.claim.secret b.claim.secret --out s")
    assert run("model same a.claim b.claim --proof s").startswith("same")
    assert "BAD_OPENING" in run("model same b.claim a.claim --proof s", code="error")
    (tmp_path / "model" / "w.bin").write_bytes(b"")
    assert "'w.bin'" in run("model verify model --claim a.claim --secret a.claim.secret", code="error")


def test_a_claim_is_never_written_over_another_one(run):
    run("model register model --party lab --name ours --out a.claim")
    assert "CONFIG" in run("model register model --party lab --name ours --out a.claim", code="error")
    assert "a claim" not in run("model same a.claim a.claim", code=2)
    run("model check a.claim --claim a.claim", code=2)
    run("model check a.claim --claim a.claim --range w.bin a b", code=2)


def test_an_oms_bundle_is_written_and_verified(run, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "key.pem").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public.pem").write_bytes(public)
    run("model export-oms model --name ours --key key.pem --out oms.sig")
    assert run("model verify-oms model oms.sig --public-key public.pem") == "verified  2 files\n"
    (tmp_path / "model" / "w.bin").write_bytes(b"")
    assert "'w.bin' differs" in run("model verify-oms model oms.sig --public-key public.pem", code="error")
