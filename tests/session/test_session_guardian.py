"""The guardian: an honest party is not blamed for silence by a peer that hides what was said."""

from dataclasses import replace

import pytest
from kit import pipe
from parley_attestation.edge.endpoint import signed
from parley_attestation.edge.guardian import Guardian
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.judge import judge
from parley_attestation.log.panel import DefaultVerdict
from parley_attestation.log.witness import Event
from parley_attestation.session import messages as m
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn, to_frames
from parley_attestation.witnessing import deadline, position
from witnessed_kit import record, run_with, witnessed_exercise


class Stopped(Exception):  # noqa: N818 - a peer that goes away is no error of ours
    """A party that does nothing further."""


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


class Scene:
    """A witnessed exercise that a test drives into the state it wants."""

    def __init__(self, folder, count=1, threshold=1):
        self.folder = folder
        self.bench, self.exercise = witnessed_exercise(folder, count, threshold)

    def side(self, role):
        return self.exercise.prover if role is Role.PROVER else self.exercise.verifier

    def guardian(self, role):
        side = self.side(role)
        path = self.exercise.journal(role).path
        return Guardian(role, side.session, path, self.bench.notary(side), lambda: self.bench.now)

    def notary(self, role):
        return self.bench.notary(self.side(role))

    def run_until(self, role, kind):
        """Run until `role` has sent a message of a kind and the other party has not taken it."""

        def stop(end):
            def envelope(given):
                if given.payload_type == m.payload_type(kind):
                    raise Stopped
                return taken(given)

            taken = end._envelope
            end._envelope = envelope

        self.exercise.notary = self.notary(Role.VERIFIER)
        v = self.exercise.verifier_end()
        self.exercise.notary = self.notary(Role.PROVER)
        p = self.exercise.prover_end()
        stop(p if role is Role.VERIFIER else v)
        with pytest.raises(Stopped):
            pipe(v, p)
        return v, p

    def claim(self, role, machine, at=None):
        """Post the last message of a party, wait, and claim that nothing followed."""
        at = at or position(machine, machine.sequence)
        journal, row = self.exercise.journal(role), self.row(role)
        for sealed in self.notary(role).start_clock(machine, at, journal.envelope(row, at.sequence)):
            journal.side(row, sealed)
        return lambda: self.notary(role).claim(machine, at)

    def fork(self, v, role):
        """A party leaves a second message for the slot of its last one with the witness."""
        header = m.Header(v.machine.facts.session_id, v.machine.sequence, v.machine.heads[-2])
        other = signed(header, m.Abort("ABORTED", "another message"), self.side(role).session)
        at = replace(position(v.machine, v.machine.sequence), head=other.head())
        self.notary(role).post(v.machine, at, other)

    def row(self, role):
        return self.exercise.journal(role).proposed(role)[-1]


def refused(reason):
    return pytest.raises(PeerError, check=lambda error: error.reason is reason)


def test_without_a_guardian_a_prover_that_answered_on_the_stream_is_blamed(scene):
    """The attack itself: it has to work for the rest to mean anything."""
    v, _ = scene.run_until(Role.PROVER, "answers")
    claim = scene.claim(Role.VERIFIER, v.machine)
    scene.bench.now += deadline(v.machine)
    for sealed in claim():
        v.journal.side(v.row, sealed)
    assert judge(record(v, scene.folder / "v")).standing.default.verdict is DefaultVerdict.PROVER


def test_an_answer_that_the_verifier_hides_is_shown_and_the_claim_is_void(scene):
    v, p = scene.run_until(Role.PROVER, "answers")
    claim = scene.claim(Role.VERIFIER, v.machine)
    scene.guardian(Role.PROVER).look()
    scene.bench.now += deadline(v.machine)
    with refused(Reason.CLAIM_VOID):
        claim()
    sides, _ = p.journal.extras(p.row)
    assert len(sides) == 2, "the acceptance and the answer"


def test_a_coin_that_the_prover_hides_is_shown_and_the_claim_is_void(scene):
    _, p = scene.run_until(Role.VERIFIER, "coin")
    scene.guardian(Role.VERIFIER).look()
    scene.bench.now += deadline(p.machine)
    with refused(Reason.CLAIM_VOID):
        scene.notary(Role.PROVER).claim(p.machine, position(p.machine, 4))


def test_a_challenge_that_never_came_is_answered_with_an_abort_in_half_of_the_deadline(scene):
    v, p = scene.run_until(Role.VERIFIER, "challenge")
    claim = scene.claim(Role.VERIFIER, v.machine)
    guardian = scene.guardian(Role.PROVER)
    scene.bench.now += deadline(v.machine) // 2 - 1
    guardian.look()
    assert p.journal.pledged(p.row, v.machine.sequence + 1) is None, "it may still come"
    scene.bench.now += 1
    guardian.look()
    scene.bench.now += deadline(v.machine)
    with refused(Reason.CLAIM_VOID):
        claim()
    v, p = scene.exercise.verifier_end(), scene.exercise.prover_end()
    pipe(v, p)
    for end in (v, p):
        assert end.machine.state is State.ABORTED
        assert end.machine.facts.ending.reason == Reason.UNDELIVERED
        assert judge(record(end, scene.folder / end.policy.role)).fault is None


def test_an_acknowledgement_that_is_shown_without_what_leads_to_it_is_answered_too(scene):
    """The verifier keeps its Stop and Open to itself and shows the witness only what comes after them."""
    v, p = scene.run_until(Role.VERIFIER, "stop")
    assert v.machine.sequence > p.machine.sequence + 1
    claim = scene.claim(Role.VERIFIER, v.machine)
    scene.bench.now += deadline(v.machine) // 2
    scene.guardian(Role.PROVER).look()
    scene.bench.now += deadline(v.machine)
    with refused(Reason.CLAIM_VOID):
        claim()
    v, p = scene.exercise.verifier_end(), scene.exercise.prover_end()
    pipe(v, p)
    assert {end.machine.state for end in (v, p)} == {State.ABORTED}


def test_a_message_for_a_far_slot_that_somebody_else_signed_is_not_answered(scene):
    v, p = scene.run_until(Role.VERIFIER, "challenge")
    stranger = signed(
        m.Header(p.machine.facts.session_id, 90, bytes(32)),
        m.Abort("ABORTED", ""),
        scene.exercise.prover.root,
    )
    at = replace(position(v.machine, v.machine.sequence), sequence=90, head=stranger.head())
    scene.notary(Role.VERIFIER).cosign(v.machine, at, Event.RELAYED, stranger)
    scene.bench.now += deadline(v.machine)
    scene.guardian(Role.PROVER).look()
    assert p.journal.last_pledge(p.row) is None


def test_junk_for_far_slots_and_later_messages_hide_no_undelivered_challenge(scene):
    """A verifier that keeps leaving messages further on starts no clock of the first one again."""
    v, p = scene.run_until(Role.VERIFIER, "challenge")
    claim = scene.claim(Role.VERIFIER, v.machine)
    session = p.machine.facts.session_id
    for sequence, key, event in (
        (90, scene.exercise.prover.root, Event.RELAYED),
        (70, scene.side(Role.VERIFIER).session, Event.POSTED),
    ):
        far = signed(m.Header(session, sequence, bytes(32)), m.Abort("ABORTED", ""), key)
        at = replace(position(v.machine, v.machine.sequence), sequence=sequence, head=far.head())
        if event is Event.POSTED:
            scene.bench.now += deadline(v.machine) // 2
            scene.notary(Role.VERIFIER).post(v.machine, at, far)
        else:
            scene.notary(Role.VERIFIER).cosign(v.machine, at, event, far)
    scene.guardian(Role.PROVER).look()
    scene.bench.now += deadline(v.machine)
    with refused(Reason.CLAIM_VOID):
        claim()


def test_answers_that_never_came_are_answered_with_an_abort_too(scene):
    _, p = scene.run_until(Role.PROVER, "answers")
    claim = scene.claim(Role.PROVER, p.machine)
    scene.bench.now += deadline(p.machine) // 2
    scene.guardian(Role.VERIFIER).look()
    scene.bench.now += deadline(p.machine)
    with refused(Reason.CLAIM_VOID):
        claim()


def test_content_that_came_first_leaves_nothing_to_give_up(scene):
    v, p = scene.run_until(Role.PROVER, "answers")
    scene.claim(Role.VERIFIER, v.machine)
    scene.bench.now += deadline(v.machine)
    scene.guardian(Role.PROVER).look()
    assert p.journal.pledged(p.row, p.machine.sequence + 1) is None


def test_another_challenge_at_the_witness_than_on_the_stream_is_the_verifiers_fault(scene):
    v, p = scene.run_until(Role.PROVER, "answers")
    scene.fork(v, Role.VERIFIER)
    scene.guardian(Role.PROVER).look()
    found = judge(record(p, scene.folder / "p"))
    assert found.fault.reason is Reason.EQUIVOCATION
    assert found.fault.blamed is Role.VERIFIER


def test_two_versions_of_an_undelivered_challenge_are_the_verifiers_fault(scene):
    v, p = scene.run_until(Role.VERIFIER, "challenge")
    scene.fork(v, Role.VERIFIER)
    scene.bench.now += deadline(v.machine)
    scene.guardian(Role.PROVER).look()
    with refused(Reason.EQUIVOCATION) as caught:
        pipe(scene.exercise.verifier_end(), scene.exercise.prover_end())
    assert caught.value.blamed is Role.VERIFIER
    found = judge(record(p, scene.folder / "p"))
    assert (found.fault.reason, found.fault.blamed) == (Reason.EQUIVOCATION, Role.VERIFIER)


def test_junk_that_a_prover_leaves_instead_of_an_answer_is_its_fault(scene):
    v, _ = scene.run_until(Role.PROVER, "answers")
    prover = scene.side(Role.PROVER)
    header = m.Header(v.machine.facts.session_id, v.machine.sequence + 1, v.machine.head)
    junk = signed(header, m.Stop((1,)), prover.session)
    at = position(v.machine, v.machine.sequence)
    at = replace(at, sequence=at.sequence + 1, head=junk.head())
    scene.notary(Role.PROVER).post(v.machine, at, junk)
    scene.guardian(Role.VERIFIER).look()
    found = judge(record(v, scene.folder / "v"))
    assert (found.fault.reason, found.fault.blamed) == (Reason.OUT_OF_ORDER, Role.PROVER)


def test_a_claim_about_an_exercise_that_has_ended_is_void(scene):
    v, _ = run_with(scene.bench, scene.exercise)
    scene.guardian(Role.PROVER).look()
    answered = next(n for n, kind in enumerate(v.machine.kinds, 1) if kind == "challenge")
    claim = scene.claim(Role.VERIFIER, v.machine, position(v.machine, answered))
    scene.bench.now += 10**6
    with refused(Reason.CLAIM_VOID):
        claim()


def test_a_verifier_that_stops_and_then_falls_silent_is_in_default(scene):
    """The last message is the verifier's own, which the prover relays."""
    _, p = scene.run_until(Role.VERIFIER, "open")
    assert p.machine.state is State.STOPPED
    claim = scene.claim(Role.PROVER, p.machine)
    scene.bench.now += deadline(p.machine)
    for sealed in claim():
        p.journal.side(p.row, sealed)
    assert judge(record(p, scene.folder / "p")).standing.default.verdict is DefaultVerdict.VERIFIER


def test_a_verifier_whose_opening_the_prover_hides_shows_it(scene):
    _, p = scene.run_until(Role.VERIFIER, "open")
    claim = scene.claim(Role.PROVER, p.machine)
    scene.guardian(Role.VERIFIER).look()
    scene.bench.now += deadline(p.machine)
    with refused(Reason.CLAIM_VOID):
        claim()


def test_an_abort_that_is_followed_by_another_message_in_its_slot_is_no_trap(scene):
    """The verifier aborts, then leaves a challenge for the same slot with the witness and claims."""
    v, p = scene.run_until(Role.VERIFIER, "challenge")
    given_up = signed(
        m.Header(p.machine.facts.session_id, p.machine.sequence + 1, p.machine.head),
        m.Abort("ABORTED", "no reason"),
        scene.side(Role.VERIFIER).session,
    )
    for frame in to_frames(Turn(given_up)):
        list(p.feed(frame))
    assert p.machine.state is State.ABORTED
    guardian = scene.guardian(Role.PROVER)
    guardian.look()
    guardian.look()  # nothing is left to show, and it goes on looking all the same
    claim = scene.claim(Role.VERIFIER, v.machine)
    guardian.look()
    scene.bench.now += deadline(v.machine)
    with refused(Reason.CLAIM_VOID):
        claim()
    found = judge(record(p, scene.folder / "p"))
    assert (found.fault.reason, found.fault.blamed) == (Reason.EQUIVOCATION, Role.VERIFIER)


def test_a_slot_that_was_given_up_takes_no_other_message(scene):
    v, p = scene.run_until(Role.PROVER, "answers")
    scene.fork(v, Role.VERIFIER)
    last = p.machine.sequence - 1
    p.journal.connection.execute("DELETE FROM turn WHERE sequence > ?", (last,))  # the answer is not said yet
    scene.guardian(Role.PROVER).look()
    answer = p.journal.pledged(p.row, last + 1)[1]
    assert answer.payload_type == m.payload_type("abort")
    other = signed(m.Header(p.machine.facts.session_id, last + 1, b""), m.Abort("x", ""), p._key)
    with refused(Reason.ABORTED):
        p.journal.append(p.row, last + 1, Turn(other))


def test_nothing_is_given_up_once_the_session_has_moved_on(scene):
    _, p = scene.run_until(Role.PROVER, "answers")
    own = p.journal.envelope(p.row, p.machine.sequence)
    p.journal.pledge(p.row, p.machine.sequence + 1, own, own, length=p.machine.sequence - 1)
    assert p.journal.last_pledge(p.row) is None


def test_what_an_ended_session_lacks_is_shown_when_a_witness_is_back(scene):
    scene.bench.up = []
    v, p = run_with(scene.bench, scene.exercise)
    scene.bench.up = [0]
    scene.notary(Role.VERIFIER).cosign(
        v.machine, position(v.machine, 4), Event.ACCEPTED, v.journal.envelope(v.row, 4)
    )
    guardian = scene.guardian(Role.PROVER)
    guardian.look()
    answered = next(n for n, kind in enumerate(v.machine.kinds, 1) if kind == "challenge")
    claim = scene.claim(Role.VERIFIER, v.machine, position(v.machine, answered))
    scene.bench.now += 10**6
    with refused(Reason.CLAIM_VOID):
        claim()
    for _ in range(5):
        guardian.look()
    sides, _ = p.journal.extras(p.row)
    assert len(sides) == 1, "shown once, and never again"


def test_a_party_that_reaches_enough_witnesses_is_safe_from_the_others(tmp_path):
    scene = Scene(tmp_path, count=3, threshold=2)
    v, _ = scene.run_until(Role.PROVER, "answers")
    claim = scene.claim(Role.VERIFIER, v.machine)
    scene.bench.up = [1, 2]  # two of three: the verifier finds no two that lack the answer
    scene.guardian(Role.PROVER).look()
    scene.bench.now += deadline(v.machine)
    for reached in (1, 2):
        scene.bench.up = [reached]
        with refused(Reason.CLAIM_VOID):
            claim()
    scene.bench.up = [0]
    for sealed in claim():
        v.journal.side(v.row, sealed)
    assert judge(record(v, tmp_path / "v")).standing.default is None


def test_a_guardian_says_nothing_while_nothing_threatens(scene):
    scene.run_until(Role.PROVER, "answers")
    guardian = scene.guardian(Role.PROVER)
    for _ in range(5):
        guardian.look()
    held = scene.bench.stores[0].exercise(
        scene.exercise.journal(Role.PROVER).exercise(scene.row(Role.PROVER)), 0
    )
    assert len(held[0]) == 1, "the acceptance alone"


def test_trouble_with_one_session_leaves_the_others_watched(scene, monkeypatch):
    """The first session's witnesses answer with nonsense; the second one's answer is shown all the same."""
    v, p = scene.run_until(Role.PROVER, "answers")
    claim = scene.claim(Role.VERIFIER, v.machine)
    rows, guardian = p.journal.proposed(Role.PROVER), scene.guardian(Role.PROVER)
    broken = replace(rows[0], id=rows[0].id + 1000)
    monkeypatch.setattr(Guardian, "_session", _refusing(broken.id, Guardian._session))
    monkeypatch.setattr("parley_attestation.edge.journal.Journal.proposed", lambda *_: [broken, *rows])
    guardian.look()
    scene.bench.now += deadline(v.machine)
    with refused(Reason.CLAIM_VOID):
        claim()


def _refusing(row_id, original):
    def session(self, journal, row):
        if row.id == row_id:
            raise PeerError(Reason.BAD_COSIGNATURE, "nonsense")
        original(self, journal, row)

    return session
