import signal
import subprocess
import sys
import threading
import time

import pytest
from click.testing import CliRunner
from parley_attestation import statement
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.edge import party
from parley_attestation.edge.witness_client import Address, WitnessPanel
from parley_attestation.edge.witness_http import CheckpointWitness, serve_checkpoints
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.log import note
from parley_attestation.log.note import ed25519_key
from parley_attestation.log.panel import registered
from parley_attestation.statement import Statement, Subject
from parley_cli.log import log
from parley_cli.witness import witness

NOW = int(time.time())  # TLS reads the real clock

W = note.vkey("w", 4, SigningKey(bytes(32)).public)


def run(group, *args):
    found = CliRunner().invoke(group, [str(a) for a in args], standalone_mode=False)
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


@pytest.fixture
def place(tmp_path):
    for name, role in (("operator", Role.PROVER), ("witness.example", Role.WITNESS)):
        party.create(tmp_path / name, name=name, role=role, entropy=name.encode().ljust(64, b"."), now=NOW)
    for n in range(3):
        said = Statement("tag:example,2026:any/v1", (Subject("x", Digest(bytes([n]) * 32)),), {"n": n})
        (tmp_path / f"{n}.json").write_bytes(statement.seal(said, SigningKey(bytes(32))))
    return tmp_path


@pytest.fixture
def started(place):
    """A log with two of three statements, and its verifier key."""
    made = run(log, "init", place / "log", "--party", place / "operator", "--name", "log.example/a")
    grown = run(
        log,
        "append",
        place / "log",
        place / "0.json",
        place / "1.json",
        "--party",
        place / "operator",
        "--name",
        "log.example/a",
    )
    assert [line.split()[0] for line in grown.output.splitlines()] == ["0", "1"]
    return made.output.strip()


def test_a_statement_is_logged_proved_and_verified_offline(place, started):
    receipt = place / "one.tlog-proof"
    run(log, "prove", place / "log", place / "1.json", "--key", started, "--out", receipt)
    found = run(log, "verify", receipt, place / "1.json", "--key", started)
    assert found.output == "logged at 1 of 2, unwitnessed\n"
    with pytest.raises(PeerError, check=lambda e: e.reason is Reason.BAD_PROOF):
        run(log, "verify", receipt, place / "0.json", "--key", started)
    with pytest.raises(PeerError, check=lambda e: e.reason is Reason.BAD_COSIGNATURE):
        run(log, "verify", receipt, place / "1.json", "--key", started, "--witness", W, "--threshold", 1)


def test_a_statement_that_is_not_in_the_log_has_no_receipt(place, started):
    with pytest.raises(LocalError, check=lambda e: e.reason is Reason.CONFIG):
        run(log, "prove", place / "log", place / "2.json", "--key", started, "--out", place / "x")


def test_a_monitor_tells_what_is_missing_by_its_exit_code(place, started):
    args = ("monitor", place / "log", "--key", started, "--state", place / "state")
    assert run(log, *args).output == "2 entries, 2 new, consistent\n"
    about = ("--about", "00" * 32)
    assert run(log, *args, *about, place / "0.json").return_value == 0
    found = run(log, *args, *about, place / "0.json", place / "2.json")
    assert found.return_value == 1
    assert "not-logged: a statement of type tag:example,2026:any/v1" in found.output


def test_a_log_is_cosigned_by_a_witness_before_it_is_published(place, started):
    key = party.load(place / "witness.example").root
    vkey = run(witness, "show", place / "witness.example").output.split()[-1]
    one = CheckpointWitness(
        place / "c.sqlite", key, "witness.example", [("log.example/a", ed25519_key(started))]
    )
    with serve_checkpoints(one, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        run(
            log,
            "append",
            place / "log",
            place / "2.json",
            "--party",
            place / "operator",
            "--name",
            "log.example/a",
            "--witness",
            f"http://127.0.0.1:{server.server_port}",
            vkey,
        )
        server.shutdown()
        thread.join()
    one.close()
    receipt = place / "two.tlog-proof"
    run(log, "prove", place / "log", place / "2.json", "--key", started, "--out", receipt)
    found = run(
        log, "verify", receipt, place / "2.json", "--key", started, "--witness", vkey, "--threshold", 1
    )
    assert found.output == "logged at 2 of 3, witnessed by 1 of 1\n"


def test_a_witness_shows_the_keys_that_others_pin(place):
    out = run(witness, "show", place / "witness.example").output.split()
    card = party.read_card(place / "witness.example" / party.CARD)
    assert out[1] == card.root_key
    assert note.parse_vkey(out[3]) == ("witness.example", 4, bytes.fromhex(card.root_key))


def test_a_name_with_a_space_has_no_verifier_key(tmp_path):
    party.create(tmp_path / "w", name="a b", role=Role.WITNESS, entropy=bytes(64), now=NOW)
    with pytest.raises(LocalError, check=lambda e: e.reason is Reason.CONFIG):
        run(witness, "show", tmp_path / "w")


def test_a_served_witness_gives_receipts_over_mutual_tls_and_stops_on_a_signal(place):
    own = party.load(place / "operator")
    code = "from parley_cli.witness import witness; witness(standalone_mode=False)"
    arguments = ["serve", str(place / "witness.example"), "--address", "127.0.0.1:0"]
    arguments += ["--peer", str(place / "operator" / party.CARD)]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            port = process.stdout.readline().split()[-1]
            card = party.read_card(place / "witness.example" / party.CARD)
            card = card.model_copy(update={"endpoint": f"127.0.0.1:{port}"})
            key = PublicKey(bytes.fromhex(card.root_key))
            with WitnessPanel([Address.of_card(card, own)]) as panel:
                found = panel.register(Digest(bytes(32)))
            assert str(registered(found.sealed, [key], 1, digest=Digest(bytes(32)))) == "witnessed by 1 of 1"
            stranger = party.create(
                place / "stranger", name="s", role=Role.PROVER, entropy=b"s" * 64, now=NOW
            )
            with WitnessPanel([Address.of_card(card, stranger)], timeout=5) as panel:
                found = panel.register(Digest(bytes(32)))
            assert [e.reason for e in found.refusals.values()] == [Reason.UNREACHABLE]
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert process.returncode == 0
        assert process.stderr.read().endswith("stopped\n")  # after what TLS says of the stranger
