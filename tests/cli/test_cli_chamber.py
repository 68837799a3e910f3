"""`parley chamber`: from the record of a session that waits to the statement that it waits for."""

import os
from unittest.mock import Mock

import pytest
from chamber_kit import OPERATOR, RUNTIME, ChamberExercise, boxed
from click.testing import CliRunner
from kit import pipe, seed
from parley_attestation import canonical
from parley_attestation.binding import read_binding
from parley_attestation.edge import party
from parley_attestation.edge.records import write_record
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_chamber import plaintext, service, swap
from parley_cli import chamber as commands
from parley_cli.chamber import chamber
from parley_cli.verifier import _chamber
from parley_verifier.terms_file import ChamberFile, OperatorFile, _binding

pytestmark = boxed
NOW = 1_700_000_000


def waiting(folder, monkeypatch, **changes):
    """The files an operator has: a record, weights, their secret, the runtime; and the operator's key."""
    exercise = ChamberExercise(folder, **changes)
    v = exercise.verifier_end(chamber=None)
    with pytest.raises(LocalError):
        pipe(v, exercise.prover_end())
    write_record(v.journal, v.row, folder / "opened.parley")
    (folder / "secret").write_bytes(exercise.secret.encode())
    (folder / "runtime.json").write_bytes(canonical.dump(RUNTIME.document()))
    operator = type("Operator", (), {"session": OPERATOR})()
    monkeypatch.setattr(party, "load", lambda _: operator)
    return exercise


def reexecute(folder, record="opened.parley"):
    names = {
        "--party": "operator",
        "--model": "registered",
        "--secret": "secret",
        "--runtime": "runtime.json",
    }
    options = [word for name, value in names.items() for word in (name, str(folder / value))]
    arguments = ["reexecute", str(folder / record), *options, "--out", str(folder / "binding.json")]
    return CliRunner().invoke(chamber, arguments, standalone_mode=False)


@pytest.mark.parametrize(("answers", "code"), [(0.7, 0), (1.0, 1)], ids=["registered", "better"])
def test_the_statement_says_item_by_item_what_came_out_again(tmp_path, monkeypatch, answers, code):
    exercise = waiting(tmp_path, monkeypatch, answers=answers)
    done = reexecute(tmp_path)
    assert done.return_value == code, done.output
    said = read_binding((tmp_path / "binding.json").read_bytes(), exercise.terms).binding
    assert ("0" in said.reproduced) is (code == 1)
    assert "bubblewrap, execution class E1" in done.output


def test_a_damaged_record_is_not_re_executed(tmp_path, monkeypatch):
    waiting(tmp_path, monkeypatch)
    raw = bytearray((tmp_path / "opened.parley").read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / "damaged.parley").write_bytes(raw)
    assert isinstance(reexecute(tmp_path, "damaged.parley").exception, PeerError)
    assert not (tmp_path / "binding.json").exists()


def test_the_verifier_writes_the_record_to_hand_on_and_later_reads_the_statement(tmp_path, monkeypatch):
    waiting(tmp_path, monkeypatch)
    ask = _chamber(tmp_path / "binding.json", tmp_path / "verifier.journal", tmp_path / "r.parley")
    for _ in range(2):
        with pytest.raises(LocalError) as caught:
            ask(None)
        assert "r.opened.parley" in caught.value.message
    assert (tmp_path / "r.opened.parley").read_bytes() == (tmp_path / "opened.parley").read_bytes()
    (tmp_path / "binding.json").write_bytes(b"statement")
    assert ask(None) == b"statement"


def test_the_runtime_of_this_machine_is_written_and_terms_name_its_digest(tmp_path):
    out = tmp_path / "runtime.json"
    CliRunner().invoke(
        chamber, ["runtime", "model.onnx", "--shape", "3", "--out", str(out)], standalone_mode=False
    )
    assert canonical.load(out.read_bytes()) == RUNTIME.document()
    written = ChamberFile(operators=[OperatorFile(key="00" * 32, run_by="neutral")], runtime=out)
    assert _binding(written, tmp_path)["runtime"] == RUNTIME.digest().hex()
    out.write_bytes(b"{}")
    with pytest.raises(LocalError) as caught:
        _binding(written, tmp_path)
    assert caught.value.reason is Reason.CONFIG


def served(folder, monkeypatch, *options, serve=None):
    """`parley chamber serve` where memory could be swapped out in the clear, up to where it would listen."""
    (folder / "runtime.json").write_bytes(canonical.dump(RUNTIME.document()))
    operator = party.create(
        folder / "operator", name="operator", role=Role.CHAMBER, entropy=seed("a") + seed("b"), now=NOW
    )
    monkeypatch.setattr(swap, "in_the_clear", lambda _root: ("/dev/sda2",))
    monkeypatch.setattr(plaintext, "prepare", lambda: None)
    refuses = LocalError(Reason.UNREACHABLE, "here it would listen")
    monkeypatch.setattr(service, "serve", Mock(side_effect=serve or refuses))
    words = ["serve", str(operator.folder), "--peer", str(operator.folder / "card.json")]
    words += ["--runtime", str(folder / "runtime.json"), "--work", str(folder / "work"), *options]
    return CliRunner().invoke(chamber, words, standalone_mode=False).exception


def test_a_chamber_does_not_start_where_plaintext_could_be_swapped_out_in_the_clear(tmp_path, monkeypatch):
    refused = served(tmp_path, monkeypatch)
    assert (refused.reason, "/dev/sda2" in refused.message) == (Reason.CONFIG, True)
    assert not service.serve.called


def test_a_chamber_whose_operator_accepts_that_risk_starts(tmp_path, monkeypatch):
    assert served(tmp_path, monkeypatch, "--accept-swap").message == "here it would listen"


def test_a_chamber_looks_for_results_whose_time_is_over_while_it_serves(tmp_path, monkeypatch):
    results = tmp_path / "work" / "session" / "results.sealed"
    started = Mock(return_value=(Mock(), 1))
    stop = Mock(**{"wait.side_effect": [False, True]})
    monkeypatch.setattr(commands, "_interrupted", lambda: stop)
    monkeypatch.setattr(commands.os, "_exit", Mock(side_effect=SystemExit))

    def expired(_setup, _address):
        results.parent.mkdir(parents=True)
        results.write_bytes(b"sealed")
        os.utime(results, (NOW, NOW))
        return started()

    served(tmp_path, monkeypatch, "--accept-swap", "--keep-days", "7", serve=expired)
    assert stop.wait.call_count == 2
    assert not results.parent.exists()
