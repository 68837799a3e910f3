import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.witness_client import Address, WitnessPanel
from parley_attestation.errors import Reason
from parley_attestation.log.witness import Event, read_cosignature
from witness_kit import PROVER, record, request

KEY = SigningKey(b"k" * 32)
CHILD = Path(__file__).with_name("witness_child.py")


@contextmanager
def child(folder, point):
    with subprocess.Popen(
        [sys.executable, str(CHILD), str(folder / "w.sqlite"), str(folder / "signed"), point],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(CHILD.parent.parent)},
        text=True,
    ) as process:
        try:
            port = int(process.stdout.readline())
            with WitnessPanel([Address(f"127.0.0.1:{port}", KEY.public)], timeout=20) as panel:
                yield process, panel
        finally:
            process.stdin.close()
            process.wait(20)


def ask(panel, which):
    one, at = record(PROVER, 4, str(which))
    return panel.cosign(request(PROVER, Event.ACCEPTED, at), PROVER.key, PROVER.history, one)


@pytest.mark.parametrize(
    ("point", "written"),
    [
        ("before-write", False),
        ("before-commit", False),
        ("before-sign", True),
        ("after-sign", True),
        ("before-reply", True),
    ],
)
def test_a_witness_killed_at_any_point_never_signs_two_heads_for_one_slot(tmp_path, point, written):
    with child(tmp_path, point) as (process, panel):
        lost = ask(panel, 1)
        assert process.wait(20) == -9
    assert lost.sealed == ()
    with child(tmp_path, "never") as (_, panel):
        other = ask(panel, 2)
        if written:  # the head of the lost answer stands, and its bytes can be had again
            assert {e.reason for e in other.refusals.values()} == {Reason.EQUIVOCATION}
            assert len(ask(panel, 1).sealed) == 1
        else:
            assert len(other.sealed) == 1
            assert ask(panel, 1).sealed == ()
    signed = (tmp_path / "signed").read_bytes().splitlines()
    said = {read_cosignature(one, KEY.public) for one in signed}
    assert len(said) == 1
    assert {s.position.head for s in said} == {record(PROVER, 4, "1" if written else "2")[1].head}
