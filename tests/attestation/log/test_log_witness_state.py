import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, ParleyError, PeerError, Reason, Role
from parley_attestation.log import witness_state
from parley_attestation.log.panel import check_consistent
from parley_attestation.log.witness import Event, read_cosignature
from parley_attestation.log.witness_state import Facts, register
from witness_kit import PROVER, STRANGER, T0, VERIFIER, head, position, witness

OTHER = Digest(b"O" * 32)


def refused(reason, kind=PeerError):
    return pytest.raises(kind, check=lambda e: e.reason is reason)


@pytest.fixture
def w():
    one = witness()
    one.ask(PROVER, Event.ACCEPTED, position(4), T0)
    return one


def events(w):
    return [i.cosignature.event for i in w.facts.issued]


def test_the_same_request_gets_the_same_bytes_even_when_the_clock_has_moved(w):
    again = w.ask(PROVER, Event.ACCEPTED, position(4), T0 + 100)
    assert again == w.ask(VERIFIER, Event.ACCEPTED, position(4), T0 - 100)
    assert read_cosignature(again, w.key.public).time == T0
    assert len(w.facts.issued) == 1


def test_another_head_for_one_slot_is_refused_and_blames_the_party_that_signed_both(w):
    with refused(Reason.EQUIVOCATION) as caught:
        w.ask(PROVER, Event.ACCEPTED, position(4, of=head(99)), T0)
    assert caught.value.blamed is Role.PROVER
    assert len(set(caught.value.evidence)) == 2


def test_two_parties_that_name_different_heads_are_refused_and_nobody_is_blamed(w):
    with refused(Reason.EQUIVOCATION) as caught:
        w.ask(VERIFIER, Event.ACCEPTED, position(4, of=head(99)), T0)
    assert caught.value.blamed is None
    assert len(caught.value.evidence) == 2


def test_a_retry_under_a_new_session_id_in_the_same_attempt_is_refused_and_blamed(w):
    with refused(Reason.BAD_ATTEMPT) as caught:
        w.ask(PROVER, Event.ACCEPTED, position(5, session=OTHER), T0)
    assert caught.value.blamed is Role.PROVER
    assert len(caught.value.evidence) == 2


def test_a_second_attempt_is_witnessed_under_its_number_and_none_is_skipped(w):
    with refused(Reason.BAD_ATTEMPT):
        w.ask(PROVER, Event.ACCEPTED, position(4, attempt=3, session=OTHER), T0)
    w.ask(PROVER, Event.ACCEPTED, position(4, attempt=2, session=OTHER), T0)
    assert [i.cosignature.position.attempt for i in w.facts.issued] == [1, 2]


@pytest.mark.parametrize("event", [Event.END, Event.DECLINE])
def test_no_attempt_follows_the_end_or_a_decline(event):
    w = witness()
    if event is Event.END:
        w.ask(PROVER, Event.ACCEPTED, position(4), T0)
    w.ask(PROVER, event, position(9), T0)
    with refused(Reason.BAD_ATTEMPT):
        w.ask(PROVER, Event.ACCEPTED, position(4, attempt=2, session=OTHER), T0)


@pytest.mark.parametrize("event", [Event.END, Event.POSTED, Event.DEFAULT])
def test_nothing_is_cosigned_before_an_attempt_is_accepted(event):
    with refused(Reason.OUT_OF_ORDER):
        witness().ask(PROVER, event, position(9), T0)


def test_nothing_but_a_decline_is_cosigned_for_a_declined_attempt():
    w = witness()
    w.ask(PROVER, Event.DECLINE, position(4), T0)
    with refused(Reason.OUT_OF_ORDER):
        w.ask(PROVER, Event.POSTED, position(5), T0)
    with refused(Reason.OUT_OF_ORDER):
        w.ask(PROVER, Event.ACCEPTED, position(4), T0)


def test_a_record_before_the_acceptance_is_refused(w):
    with refused(Reason.OUT_OF_ORDER):
        w.ask(VERIFIER, Event.POSTED, position(3), T0)


def test_an_exercise_belongs_to_the_parties_that_its_first_request_named(w):
    with refused(Reason.UNKNOWN_PARTY) as caught:
        w.ask(STRANGER, Event.END, position(9), T0)
    assert len(caught.value.evidence) == 2


def test_a_clock_that_runs_backwards_stops_the_witness(w):
    with refused(Reason.CLOCK, LocalError):
        w.ask(PROVER, Event.END, position(9), T0 - 1)
    assert events(w) == [Event.ACCEPTED]


def test_a_claim_before_the_deadline_is_refused_and_can_be_made_later(w):
    w.ask(VERIFIER, Event.POSTED, position(7), T0 + 10)
    with refused(Reason.CLAIM_EARLY):
        w.ask(VERIFIER, Event.DEFAULT, position(7), T0 + 69, deadline=60)
    w.ask(VERIFIER, Event.DEFAULT, position(7), T0 + 70, deadline=60)
    assert events(w)[-1] is Event.DEFAULT


def test_a_claim_on_a_head_that_nobody_witnessed_is_refused(w):
    with refused(Reason.OUT_OF_ORDER):
        w.ask(VERIFIER, Event.DEFAULT, position(7), T0 + 99, deadline=60)


def test_a_claim_is_void_once_the_awaited_record_was_posted(w):
    w.ask(VERIFIER, Event.POSTED, position(7), T0)
    w.ask(PROVER, Event.POSTED, position(8), T0 + 59)
    with refused(Reason.CLAIM_VOID) as caught:
        w.ask(VERIFIER, Event.DEFAULT, position(7), T0 + 60, deadline=60)
    assert len(caught.value.evidence) == 2


def test_a_record_posted_after_a_claim_is_called_late_every_time(w):
    w.ask(VERIFIER, Event.POSTED, position(7), T0)
    w.ask(VERIFIER, Event.DEFAULT, position(7), T0 + 60, deadline=60)
    first = w.ask(PROVER, Event.POSTED, position(8), T0 + 60)
    assert read_cosignature(first, w.key.public).event is Event.LATE
    assert w.ask(PROVER, Event.POSTED, position(8), T0 + 70) == first


def test_a_claim_by_the_party_whose_turn_it_is_does_not_block_the_other_ones_claim(w):
    w.ask(VERIFIER, Event.POSTED, position(7), T0)
    w.ask(PROVER, Event.DEFAULT, position(7), T0)
    w.ask(VERIFIER, Event.DEFAULT, position(7), T0 + 60, deadline=60)
    assert events(w)[-2:] == [Event.DEFAULT, Event.DEFAULT]


def test_a_party_cannot_make_its_own_record_late_nor_the_other_ones_by_its_own_claim(w):
    w.ask(VERIFIER, Event.POSTED, position(7), T0)
    w.ask(PROVER, Event.DEFAULT, position(7), T0)
    w.ask(PROVER, Event.POSTED, position(8), T0)
    assert events(w)[-1] is Event.POSTED


def test_an_exercise_holds_a_bounded_number_of_events(w, monkeypatch):
    monkeypatch.setattr(witness_state, "MAX_EVENTS", 1)
    with refused(Reason.SESSION_LIMIT):
        w.ask(VERIFIER, Event.POSTED, position(7), T0)


def test_a_registration_keeps_its_first_time():
    first = register("w", Facts(4, T0), None, OTHER, T0 + 5)
    assert (first.number, first.time) == (5, T0 + 5)
    assert register("w", Facts(5, T0 + 5), first, OTHER, T0 + 50) == first
    with refused(Reason.CLOCK, LocalError):
        register("w", Facts(4, T0), None, OTHER, T0 - 1)


STEPS = st.lists(
    st.tuples(
        st.sampled_from([PROVER, VERIFIER, STRANGER]),
        st.sampled_from([Event.ACCEPTED, Event.POSTED, Event.DEFAULT, Event.END, Event.DECLINE]),
        st.integers(3, 6),
        st.integers(1, 2),
        st.integers(0, 1),
        st.integers(0, 1),
        st.integers(0, 3),
    ),
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_whatever_it_is_asked_an_honest_witness_never_contradicts_itself(steps):
    w, now, answers = witness(), T0, []
    for party, event, sequence, attempt, session, other, wait in steps:
        now += wait
        at = position(
            sequence,
            attempt=attempt,
            session=Digest(bytes([attempt + 2 * session]) * 32),
            of=head(100 * other + sequence),
        )
        try:
            answers.append(w.ask(party, event, at, now))
        except ParleyError:
            continue
    for one in answers:
        for two in answers:
            check_consistent(w.key.public, one, two)


def test_a_claim_about_the_past_is_void_once_the_silent_party_showed_anything_later(w):
    w.ask(PROVER, Event.POSTED, position(12), T0 + 1)
    w.ask(VERIFIER, Event.POSTED, position(7), T0 + 2)
    with refused(Reason.CLAIM_VOID):
        w.ask(VERIFIER, Event.DEFAULT, position(7), T0 + 100, 10)


def test_what_the_claimant_itself_showed_later_does_not_stop_its_claim(w):
    w.ask(VERIFIER, Event.POSTED, position(7), T0 + 1)
    w.ask(VERIFIER, Event.POSTED, position(9), T0 + 1)
    w.ask(VERIFIER, Event.DEFAULT, position(7), T0 + 100, 10)
    assert events(w)[-1] is Event.DEFAULT


def test_nobody_takes_a_slot_from_the_other_party(w):
    w.ask(PROVER, Event.POSTED, position(7, of=head(99)), T0)
    w.ask(VERIFIER, Event.POSTED, position(7), T0)
    assert events(w)[-2:] == [Event.POSTED, Event.POSTED]
    with refused(Reason.EQUIVOCATION):
        w.ask(VERIFIER, Event.POSTED, position(7, of=head(98)), T0)


def test_two_ends_of_one_exercise_exclude_each_other_whoever_asks(w):
    w.ask(PROVER, Event.END, position(9), T0)
    w.ask(VERIFIER, Event.END, position(9), T0)
    assert [i.cosignature.requester for i in w.facts.issued[1:]] == [Role.PROVER, Role.VERIFIER]
    with refused(Reason.EQUIVOCATION):
        w.ask(VERIFIER, Event.END, position(9, of=head(99)), T0)


def test_a_record_far_behind_a_claim_is_late_too(w):
    w.ask(VERIFIER, Event.POSTED, position(7), T0)
    w.ask(VERIFIER, Event.DEFAULT, position(7), T0 + 10, 10)
    w.ask(PROVER, Event.POSTED, position(10), T0 + 11)
    assert events(w)[-1] is Event.LATE


def test_a_party_may_relay_two_heads_that_the_other_one_signed_for_one_slot(w):
    w.ask(PROVER, Event.RELAYED, position(7), T0)
    w.ask(PROVER, Event.RELAYED, position(7, of=head(99)), T0)
    assert events(w)[-2:] == [Event.RELAYED, Event.RELAYED]
