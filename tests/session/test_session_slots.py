"""Two messages for one slot, replays, stops at the wrong unit, withheld references: who is blamed, and who is not."""

from dataclasses import replace

import pytest
from cheats import (
    CHALLENGED,
    GREETED,
    NUMERIC,
    READY,
    SEEDED,
    START,
    STOPPED,
    STRANGER,
    ZERO,
    P,
    V,
    again,
    challenge_of,
    frames_of,
    signed,
    standoff,
)
from kit import (
    Plan,
    metric,
    seed,
    sums,
    wrong_every,
)
from parley_attestation.canonical import Fields
from parley_attestation.commitment import commit_output
from parley_attestation.edge.endpoint import Draft
from parley_attestation.encoding import Digest, Nonce, Salt
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.grading import read_grader
from parley_attestation.session import messages as m
from parley_attestation.session.turns import Turn

# -- two messages for one slot, messages out of turn, messages of other sessions


def test_two_answers_for_one_slot_are_kept_as_evidence_and_blame_the_prover(tmp_path):
    s = standoff(tmp_path, P, CHALLENGED, 2)
    header = s.header
    for frame in frames_of(s.honest()):
        list(s.victim.feed(frame))
    facts = s.cheat.machine.facts
    names = [u.name for u in facts.audit.waiting(facts.pending)]
    keys_ = [Salt(b[:32]) for b in s.draft.blobs]
    answers = [
        m.Answer(commit_output(k, facts.exercise, *n, b"7"), 1) for k, n in zip(keys_, names, strict=True)
    ]
    body, blobs = again(m.Answers(tuple(answers), ZERO), [k + b"7" for k in keys_])
    error = s.refused(s.turn(body, blobs, header=header))
    assert (error.reason, error.blamed) == (Reason.EQUIVOCATION, P)
    found = s.judged()
    assert (found.fault.reason, found.fault.blamed) == (Reason.EQUIVOCATION, P)


def test_two_challenges_for_one_slot_blame_the_verifier(tmp_path):
    s = standoff(tmp_path, V, SEEDED, 2)
    header = s.header
    for frame in frames_of(s.honest()):
        list(s.victim.feed(frame))
    error = s.refused(s.turn(m.Stop((8,)), header=header))
    assert (error.reason, error.blamed) == (Reason.EQUIVOCATION, V)
    found = s.judged()
    assert (found.fault.reason, found.fault.blamed) == (Reason.EQUIVOCATION, V)


def test_the_same_bytes_again_change_nothing(tmp_path):
    s = standoff(tmp_path, V, SEEDED, 2)
    turn = s.honest()
    for frame in frames_of(turn):
        list(s.victim.feed(frame))
    before = s.victim.machine.head
    for frame in frames_of(turn):
        assert list(s.victim.feed(frame)) == []
    assert s.victim.machine.head == before


def test_a_message_in_the_others_turn_blames_its_sender(tmp_path):
    s = standoff(tmp_path, V, SEEDED, 2)
    s.cheat, s.victim = s.victim, s.cheat  # now the prover speaks where the verifier should
    error = s.refused(s.turn(m.Abort("TIMEOUT", "because"), header=s.header))
    assert (error.reason, error.blamed) == (Reason.OUT_OF_ORDER, P)
    assert s.judged().fault.blamed is P


def test_a_message_for_a_slot_that_the_other_has_filled_blames_its_sender(tmp_path):
    s = standoff(tmp_path, V, SEEDED, 2)
    header = s.header
    turn = s.honest()
    s.cheat.machine.step(turn)
    s.cheat._keep(turn, ())
    s.cheat, s.victim = s.victim, s.cheat
    error = s.refused(s.turn(m.Abort("TIMEOUT", "because"), header=header))
    assert (error.reason, error.blamed) == (Reason.OUT_OF_ORDER, P)
    assert s.judged().fault.blamed is P


@pytest.mark.parametrize("state", [READY, SEEDED, STOPPED])
def test_a_replay_from_another_session_blames_nobody(tmp_path, state):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    other = standoff(tmp_path / "one", V, state, answer=wrong_every(3))
    s = standoff(tmp_path / "two", V, state)
    header = replace(s.header, session=Digest(seed("the other session")))
    error = s.refused(s.turn(other.draft.body, other.draft.blobs, header=header))
    assert (error.reason, error.blamed) == (Reason.WRONG_SESSION, None)
    s.go_on()


@pytest.mark.parametrize("role", [V, P])
def test_the_greeting_of_another_session_is_no_equivocation(tmp_path, role):
    """A party greets in many sessions under one key; its nonce says which this is."""
    state = START if role is V else GREETED
    other = standoff(tmp_path, role, state)
    body = replace(other.draft.body, nonce=Nonce(seed("another session")))
    stray = signed(other.key, other.header, body)
    (tmp_path / "here").mkdir()
    s = standoff(tmp_path / "here", role, SEEDED if role is V else CHALLENGED)
    error = s.refused(Turn(stray))
    assert (error.reason, error.blamed) == (Reason.WRONG_SESSION, None)
    s.go_on()


@pytest.mark.parametrize("role", [V, P])
def test_two_greetings_with_one_nonce_are_an_equivocation(tmp_path, role):
    s = standoff(tmp_path, role, SEEDED if role is V else CHALLENGED)
    turns = dict(s.victim.journal.turns(s.victim.row))
    envelope = turns[1 if role is V else 2].envelope
    header, body = m.read(m.KINDS[envelope.payload_type], envelope.payload)
    error = s.refused(s.turn(replace(body, prover_tls=ZERO), header=header))
    assert (error.reason, error.blamed) == (Reason.EQUIVOCATION, role)
    assert s.judged().fault.blamed is role


# -- when to stop


def stop_at(count):
    """A verifier that says it counted `count` units, whatever the test says."""
    return lambda _, draft: (
        replace(draft, body=m.Stop((count(draft.body.counts[0]),)))
        if isinstance(draft.body, m.Stop)
        else draft
    )


def stop_after(units):
    """A verifier that stops after `units`, undecided."""

    def change(machine, draft):
        audit = machine.facts.audit
        if isinstance(draft.body, m.Challenge) and len(audit.units) >= units:
            return replace(draft, body=m.Stop((units,)), blobs=())
        return draft

    return change


def one_more(machine, draft):
    """A verifier that goes on for one more challenge after its test has decided."""
    audit = machine.facts.audit
    if not isinstance(draft.body, m.Stop) or one_more.done:
        return draft
    one_more.done = True
    return one_more.say(audit._order(0)[len(audit.units) :][:1])


STOPS = {
    "undecided": (stop_after(8), Reason.STOP_TOO_EARLY),
    "one unit before the decision": (stop_at(lambda n: n - 1), Reason.STOP_TOO_EARLY),
    "one unit after the decision": (stop_at(lambda n: n + 1), Reason.STOP_TOO_LATE),
}


@pytest.mark.parametrize("name", STOPS)
def test_a_stop_at_the_wrong_unit_is_caught_at_the_last_open(tmp_path, name):
    mutate, reason = STOPS[name]
    s = standoff(tmp_path, V, STOPPED, mutate=mutate)
    error = s.refused(s.honest())
    assert (error.reason, error.blamed) == (reason, V)
    found = s.judged()
    assert (found.fault.reason, found.fault.blamed) == (reason, V)
    s.cheat.policy.state = None
    with pytest.raises(LocalError, match="own next message is refused"):  # its own machine would not say it
        list(s.cheat.pump())


def test_going_on_after_the_decision_is_caught_at_the_last_open(tmp_path):
    (tmp_path / "first").mkdir()
    honest = standoff(tmp_path / "first", V, STOPPED)
    decided = honest.cheat.machine.facts.stop_counts[0]
    one_more.done = False
    one_more.say = lambda names: _draft(challenge_of(honest, names))
    s = standoff(tmp_path, V, STOPPED, mutate=one_more)
    assert one_more.done
    assert s.cheat.machine.facts.stop_counts == (decided,)
    error = s.refused(s.honest())
    assert (error.reason, error.blamed) == (Reason.STOP_TOO_LATE, V)
    assert s.judged().fault.blamed is V


def _draft(content):
    return replace(_EMPTY, body=content[0], blobs=content[1])


_EMPTY = Draft(m.Stop((1,)))


def test_a_withheld_open_ends_without_a_verdict_and_without_blame(tmp_path):
    s = standoff(tmp_path, V, STOPPED)
    found = s.judged()
    assert found.valid
    assert found.verdict is None
    assert (found.state, found.turn) == (STOPPED, V)
    s.go_on()


def test_a_reference_that_its_grader_cannot_use_blames_the_verifier(tmp_path):
    """Else a verifier could commit to references that fail every output."""
    number = read_grader(Fields(NUMERIC))
    claim = metric(grader=number)
    s = standoff(
        tmp_path,
        V,
        STOPPED,
        items=[(p, b"not a number") for p, _ in sums(10)],
        graders=(number,),
        terms_changes={"claims": (claim,), "plan": Plan(1, 8, (("", 10),))},
    )
    error = s.refused(s.honest())
    assert (error.reason, error.blamed) == (Reason.BAD_REGISTRATION, V)
    assert s.judged().fault.blamed is V


def test_a_stranger_cannot_make_a_record_that_blames_the_prover(tmp_path):
    """A verifier that invents the prover's reply, badly, has invented nothing that blames anybody."""
    s = standoff(tmp_path, P, GREETED)
    nobody = Turn(signed(STRANGER, s.header, replace(s.draft.body, version=7)))
    with pytest.raises(PeerError) as caught:
        s.victim.machine.step(nobody)
    assert caught.value.blamed is None
