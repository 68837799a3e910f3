"""`parley testset` as a person uses it: results on stdout, no secret on the command line, nothing overwritten."""

import json
import os

import pytest
from click.testing import CliRunner
from parley_attestation.edge import party
from parley_attestation.edge.vault import VaultKey
from parley_attestation.errors import LocalError, Reason, Role
from parley_attestation.registration import read_registration
from parley_cli.testset import testset as command
from parley_verifier.testset import SealedTestSet

GRADER = '{"kind":"exact","trim":true,"ignore_case":false}'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A party and a source of ten items, in the working directory."""
    monkeypatch.chdir(tmp_path)
    party.create(
        tmp_path / "owner", name="owner", role=Role.VERIFIER, entropy=os.urandom(64), now=1_800_000_000
    )
    rows = [{"prompt": f"secret {n}", "reference": f"{n}"} for n in range(10)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def register(*more, **how):
    arguments = ["register", "items.jsonl", "--party", "owner", "--out", "set", "--grader", GRADER, *more]
    return CliRunner().invoke(command, arguments, **how)


def test_a_set_is_registered_under_a_new_key_file_and_opens_with_it(folder):
    done = register("--key-file", "key")
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == ["sealed", "set", "set", "registration", "set.registration.json"]
    assert "key" in done.stderr
    assert "secret" not in done.output
    with SealedTestSet(folder / "set", VaultKey.of_file(folder / "key")) as tests:
        assert sorted(tests.prompt(n) for n in range(10)) == [b"secret %d" % n for n in range(10)]
        assert (folder / "set.registration.json").read_bytes() == tests.registration
    shown = CliRunner().invoke(command, ["show", "set.registration.json"])
    assert json.loads(shown.stdout)["size"] == 10
    owner = party.load(folder / "owner").root.public
    assert read_registration((folder / "set.registration.json").read_bytes(), owner).size == 10


def test_a_passphrase_comes_from_a_prompt_or_a_descriptor(folder):
    done = register(input="horse\nhorse\n")
    assert done.exit_code == 0, done.output
    assert "horse" not in done.output
    with SealedTestSet(folder / "set", VaultKey(b"horse", passphrase=True)) as tests:
        assert tests.public.size == 10
    for name in ("set", "set.registration.json"):
        (folder / name).unlink()
    ours, theirs = os.pipe()
    os.write(theirs, b"battery\n")
    os.close(theirs)
    done = register("--passphrase-fd", str(ours))
    assert done.exit_code == 0, done.output
    SealedTestSet(folder / "set", VaultKey(b"battery", passphrase=True)).close()


def test_nothing_is_overwritten_and_a_failed_registration_leaves_no_set(folder):
    (folder / "set.registration.json").write_text("mine")
    done = register("--key-file", "key")
    assert isinstance(done.exception, LocalError)
    assert not (folder / "key").exists()
    (folder / "set.registration.json").unlink()
    (folder / "items.jsonl").write_text('{"prompt":"p","reference":"r"}\n{"prompt":"p"}\n')
    done = register("--key-file", "key")
    assert isinstance(done.exception, LocalError)
    assert done.exception.reason is Reason.CONFIG
    assert "line 2" in done.exception.message
    assert not (folder / "set").exists()


@pytest.mark.parametrize("fd", ["999"])
def test_a_descriptor_that_is_not_open_and_an_unknown_grader_are_refused(folder, fd):
    assert isinstance(register("--passphrase-fd", fd).exception, LocalError)
    done = register("--key-file", "key", "--grader", '{"kind":"magic"}')
    assert isinstance(done.exception, LocalError)
    assert "grader" in done.exception.message
