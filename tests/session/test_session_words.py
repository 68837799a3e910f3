"""Reasons, names of modes and dissents: what a message may say in words, and what is made of it."""

import pytest
from cheats import OPENED, PROPOSED, P, V, standoff
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.session import messages as m

HEADER = m.Header(b"", 1, b"")


@pytest.mark.parametrize("body", [m.Abort, m.Decline, m.Refusal])
def test_a_reason_outside_the_table_is_refused(body):
    for reason in ("", "WHY", "timeout", "TIMEOUT "):
        with pytest.raises(PeerError) as caught:
            m.read(body.kind, m.write(HEADER, body(reason, "in words")))
        assert caught.value.reason is Reason.MALFORMED
    assert m.read(body.kind, m.write(HEADER, body("TIMEOUT", "in words")))[1].reason == "TIMEOUT"


def test_an_unknown_reason_blames_its_sender(tmp_path):
    s = standoff(tmp_path, P, PROPOSED)
    error = s.refused(s.turn(m.Decline("NOT TODAY", "")))
    assert (error.reason, error.blamed) == (Reason.MALFORMED, P)


@pytest.mark.parametrize("mode", ["", "o" * 33, "open\n"])
def test_a_name_of_a_mode_that_no_terminal_shows_whole_is_refused(mode):
    reply = m.HelloReply(1, 1, mode, (b"x",), Digest(bytes(32)), Digest(bytes(32)), Digest(bytes(32)))
    with pytest.raises(PeerError) as caught:
        m.read("hello-reply", m.write(HEADER, reply))
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("same", [True, False])
def test_a_dissent_over_another_verdict_is_a_finding_and_no_fault(tmp_path, same):
    s = standoff(tmp_path, V, OPENED)
    derived = s.victim.machine.facts.verdict.digest()
    turn = s.turn(m.Dissent(derived if same else Digest(bytes(32)), "not what I saw"))
    s.victim.machine.step(turn)
    s.victim._keep(turn, ())
    found = s.judged()
    assert found.valid
    assert found.differing == (() if same else (V,))
