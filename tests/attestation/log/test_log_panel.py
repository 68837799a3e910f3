from dataclasses import replace

import pytest
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.log.panel import (
    DefaultVerdict,
    attempts,
    check_before,
    check_consistent,
    check_requests,
    default_stands,
    k_of_n,
    registered,
)
from parley_attestation.log.witness import Event, Receipt
from parley_attestation.log.witness_state import register
from witness_kit import EXERCISE, PROVER, T0, VERIFIER, head, position, request, witness

THREE = [witness(50), witness(60), witness(70)]


def refused(reason):
    return pytest.raises(PeerError, check=lambda e: e.reason is reason)


@pytest.fixture
def panel():
    fresh = [witness(50), witness(60), witness(70)]
    for n, w in enumerate(fresh):
        w.ask(PROVER, Event.ACCEPTED, position(4), T0 + n)
    return fresh


def keys(panel):
    return [w.key.public for w in panel]


def accepted(panel, now=T0 + 5):
    return [w.ask(PROVER, Event.ACCEPTED, position(4), now) for w in panel]


def count(sealed, panel, threshold, **changed):
    asked = {"position": position(4), "event": Event.ACCEPTED} | changed
    return k_of_n(sealed, keys(panel), threshold, **asked)


def test_two_of_three_are_enough_and_the_time_is_the_second_one(panel):
    found = count(accepted(panel)[1:], panel, 2)
    assert str(found) == "witnessed by 2 of 3"
    assert found.time == T0 + 2
    assert count(accepted(panel), panel, 2).time == T0 + 1


def test_one_witness_counts_once_however_often_it_is_shown(panel):
    with refused(Reason.BAD_COSIGNATURE) as caught:
        count(accepted(panel)[:1] * 3, panel, 2)
    assert caught.value.blamed is None


def test_an_unknown_witness_a_broken_signature_and_another_position_count_for_nothing(panel):
    sealed = accepted(panel)
    stranger = witness(90)
    with refused(Reason.BAD_COSIGNATURE):
        count([stranger.ask(PROVER, Event.ACCEPTED, position(4), T0)], panel, 1)
    with refused(Reason.BAD_COSIGNATURE):
        count([sealed[0].replace(b'"sig":"', b'"sig":"A')], panel, 1)
    with refused(Reason.BAD_COSIGNATURE):
        count(sealed, panel, 1, position=position(4, of=head(9)))
    with refused(Reason.BAD_COSIGNATURE):
        count(sealed, panel, 1, event=Event.END)
    with refused(Reason.BAD_COSIGNATURE):
        count([b"", b"{}", b"\xff"], panel, 1)


@pytest.mark.parametrize("threshold", [0, 4, -1])
def test_a_threshold_that_nobody_can_meet_or_miss_is_refused(panel, threshold):
    with refused(Reason.BAD_COSIGNATURE):
        count(accepted(panel), panel, threshold)


def test_too_many_signed_statements_are_refused_before_any_is_read(panel):
    with refused(Reason.TOO_LARGE):
        count([b"%d" % n for n in range(257)], panel, 1)


def rolled_back(panel):
    """A witness whose store was put back to a backup, and then asked about another head."""
    old = panel[0].backup()
    first = panel[0].ask(PROVER, Event.END, position(9), T0 + 10)
    second = old.ask(PROVER, Event.END, position(9, of=head(99)), T0 + 20)
    return first, second


def test_a_rolled_back_witness_that_signs_two_heads_is_proved_at_fault(panel):
    first, second = rolled_back(panel)
    with refused(Reason.EQUIVOCATION) as caught:
        check_consistent(panel[0].key.public, first, second)
    assert caught.value.blamed is Role.WITNESS
    assert caught.value.evidence == (first, second)


def test_a_rolled_back_witness_is_proved_at_fault_by_any_two_statements_with_one_number(panel):
    old = panel[0].backup()
    first = panel[0].ask(PROVER, Event.END, position(9), T0 + 10)
    facts = old.facts
    second = register(old.name, facts, None, head(1), T0 + 10).sealed(old.key)
    with refused(Reason.EQUIVOCATION) as caught:
        check_consistent(panel[0].key.public, first, second)
    assert caught.value.blamed is Role.WITNESS


def test_a_witness_that_contradicts_itself_counts_for_nothing_and_the_others_carry_the_record(panel):
    first, second = rolled_back(panel)
    honest = [w.ask(PROVER, Event.END, position(9), T0 + 10) for w in panel[1:]]
    found = count([first, second, *honest], panel, 2, position=position(9), event=Event.END)
    assert str(found) == "witnessed by 2 of 3"
    assert found.faulty[0].key == panel[0].key.public
    with refused(Reason.BAD_COSIGNATURE) as caught:
        count([first, second, *honest], panel, 3, position=position(9), event=Event.END)
    assert caught.value.blamed is Role.WITNESS


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (Receipt(head(1), T0, 1, "w"), Receipt(head(2), T0 - 1, 2, "w")),
        (Receipt(head(1), T0, 1, "w"), Receipt(head(1), T0, 2, "w")),
        (Receipt(head(1), T0, 1, "w"), Receipt(head(2), T0, 1, "w")),
    ],
)
def test_receipts_that_no_honest_witness_signs_are_proof_against_it(one, two):
    key = THREE[0].key
    with refused(Reason.EQUIVOCATION) as caught:
        check_consistent(key.public, one.sealed(key), two.sealed(key))
    assert caught.value.blamed is Role.WITNESS


def test_honest_receipts_are_consistent():
    key = THREE[0].key
    one, two = Receipt(head(1), T0, 1, "w"), Receipt(head(2), T0, 2, "w")
    check_consistent(key.public, one.sealed(key), two.sealed(key))
    check_consistent(key.public, one.sealed(key), one.sealed(key))


def test_a_back_dated_registration_is_judged_by_the_witnessed_time_and_not_by_its_own_date():
    receipts = [Receipt(head(1), T0 + n, 1, "w").sealed(w.key) for n, w in enumerate(THREE)]
    found = registered(receipts, keys(THREE), 2, digest=head(1))
    assert found.time == T0 + 1
    check_before(found, T0 + 1, "the test set")
    with refused(Reason.BAD_REGISTRATION):
        check_before(found, T0, "the test set")
    with refused(Reason.BAD_COSIGNATURE):
        registered(receipts, keys(THREE), 2, digest=head(2))


def test_one_lying_witness_cannot_back_date_a_registration():
    times = [T0 - 10**6, T0, T0 + 1]
    receipts = [Receipt(head(1), at, 1, "w").sealed(w.key) for at, w in zip(times, THREE, strict=True)]
    with refused(Reason.BAD_REGISTRATION):
        check_before(registered(receipts, keys(THREE), 2, digest=head(1)), T0 - 1, "the test set")


def silence(panel, posted=VERIFIER, sequence=7):
    return [w.ask(posted, Event.POSTED, position(sequence), T0 + 10) for w in panel]


def claim(panel, claimant=VERIFIER, now=T0 + 70, sequence=7, deadline=60):
    return [w.ask(claimant, Event.DEFAULT, position(sequence), now, deadline) for w in panel]


def judge(sealed, panel, claimant=Role.VERIFIER, threshold=2, sequence=7):
    return default_stands(
        sealed, keys(panel), threshold, position=position(sequence), claimant=claimant, deadline=60
    )


@pytest.mark.parametrize(
    ("claimant", "verdict"),
    [(VERIFIER, DefaultVerdict.PROVER), (PROVER, DefaultVerdict.VERIFIER)],
)
def test_silence_after_a_witnessed_head_and_deadline_is_the_other_partys_default(panel, claimant, verdict):
    sealed = silence(panel, claimant) + claim(panel, claimant)
    found = judge(sealed, panel, claimant.role)
    assert found.verdict is verdict
    assert found.witnessed.time == T0 + 70


def test_without_witnesses_nobody_is_blamed_for_silence(panel):
    with refused(Reason.BAD_COSIGNATURE) as caught:
        judge([], panel)
    assert caught.value.blamed is None


def test_a_claim_whose_head_was_not_witnessed_by_the_same_witness_does_not_stand(panel):
    silence(panel)
    with refused(Reason.CLAIM_EARLY):
        judge(claim(panel), panel)


def test_a_claim_made_early_with_a_shorter_deadline_than_the_terms_does_not_stand(panel):
    sealed = silence(panel) + claim(panel, now=T0 + 20, deadline=0)
    with refused(Reason.CLAIM_EARLY) as caught:
        judge(sealed, panel)
    assert caught.value.blamed is None


def test_a_late_answer_leaves_the_claim_standing(panel):
    sealed = silence(panel) + claim(panel)
    late = [w.ask(PROVER, Event.POSTED, position(8), T0 + 70) for w in panel]  # in the same second
    assert judge(sealed + late, panel).verdict is DefaultVerdict.PROVER


def test_one_witness_that_was_shown_the_answer_first_voids_the_claim_and_nobody_is_blamed(panel):
    sealed = silence(panel)
    answer = panel[2].ask(PROVER, Event.POSTED, position(8), T0 + 69)
    with refused(Reason.CLAIM_VOID) as caught:
        judge([*sealed, *claim(panel[:2]), answer], panel)
    assert caught.value.blamed is None


@pytest.mark.parametrize("party", [PROVER, VERIFIER])
@pytest.mark.parametrize("event", [Event.POSTED, Event.END])
def test_whoever_shows_a_witness_the_awaited_record_only_after_the_claim_voids_nothing(panel, party, event):
    sealed = silence(panel) + claim(panel[:2])
    shown = panel[2].ask(party, event, position(8), T0 + 71)
    assert judge([*sealed, shown], panel).verdict is DefaultVerdict.PROVER


@pytest.mark.parametrize("sequence", [8, 12])
def test_a_silent_party_that_shows_its_record_by_then_voids_the_claim(panel, sequence):
    sealed = silence(panel) + claim(panel[:2])
    shown = panel[2].ask(PROVER, Event.POSTED, position(sequence), T0 + 70)
    with refused(Reason.CLAIM_VOID) as caught:
        judge([*sealed, shown], panel)
    assert caught.value.blamed is None


@pytest.mark.parametrize(
    ("party", "event"),
    [(VERIFIER, Event.POSTED), (PROVER, Event.END), (VERIFIER, Event.END), (PROVER, Event.RELAYED)],
)
def test_nothing_but_the_silent_partys_own_record_voids_a_claim(panel, party, event):
    sealed = silence(panel) + claim(panel[:2])
    shown = panel[2].ask(party, event, position(8), T0 + 70)
    assert judge([*sealed, shown], panel).verdict is DefaultVerdict.PROVER


def test_a_late_record_starts_no_clock(panel):
    sealed = silence(panel) + claim(panel)
    late = [one.ask(PROVER, Event.POSTED, position(8), T0 + 71) for one in panel]
    for one in panel:
        with refused(Reason.OUT_OF_ORDER):
            one.ask(PROVER, Event.DEFAULT, position(8), T0 + 10**6, 60)
    with refused(Reason.BAD_COSIGNATURE):
        judge([*sealed, *late], panel, Role.PROVER, sequence=8)


def test_an_answer_in_time_at_a_witness_that_took_an_early_claim_counts_as_in_time(panel):
    sealed = silence(panel) + claim(panel[2:], now=T0 + 20, deadline=0) + claim(panel[:2])
    late = panel[2].ask(PROVER, Event.POSTED, position(8), T0 + 30)
    with refused(Reason.CLAIM_VOID):
        judge([*sealed, late], panel)


def test_a_witness_that_takes_a_claim_after_the_awaited_record_is_at_fault(panel):
    silence(panel)
    old = panel[0].backup()
    posted = panel[0].ask(PROVER, Event.POSTED, position(8), T0 + 20)
    old.facts = replace(old.facts, number=9)  # put back to a backup, and its number mended by hand
    claimed = claim([old])[0]
    with refused(Reason.EQUIVOCATION) as caught:
        check_consistent(old.key.public, claimed, posted)
    assert caught.value.blamed is Role.WITNESS
    assert "after it was shown" in caught.value.message


def test_a_witness_that_takes_a_claim_and_then_the_answer_as_timely_is_at_fault(panel):
    sealed = silence(panel) + claim(panel)
    old = witness(50)
    old.ask(PROVER, Event.ACCEPTED, position(4), T0)
    for n in range(3):
        old.ask(VERIFIER, Event.POSTED, position(20 + n), T0 + 70)
    posted = old.ask(PROVER, Event.POSTED, position(8), T0 + 70)
    with refused(Reason.EQUIVOCATION) as caught:
        check_consistent(old.key.public, sealed[3], posted)
    assert caught.value.blamed is Role.WITNESS
    assert "did not call a record late" in caught.value.message
    assert str(judge([*sealed, posted], panel).witnessed) == "witnessed by 2 of 3"


def asked(party, at):
    return request(party, Event.ACCEPTED, at).sealed(party.key)


BOTH = (PROVER.history, VERIFIER.history)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"of": head(99)}, Reason.EQUIVOCATION),
        ({"session": head(98)}, Reason.BAD_ATTEMPT),
    ],
)
def test_two_requests_that_exclude_each_other_blame_the_party_that_signed_both(changed, reason):
    one, two = asked(PROVER, position(4)), asked(PROVER, position(4, **changed))
    with refused(reason) as caught:
        check_requests(one, two, *BOTH)
    assert (caught.value.blamed, caught.value.evidence) == (Role.PROVER, (one, two))
    with refused(reason) as caught:
        check_requests(one, asked(VERIFIER, position(4, **changed)), *BOTH)
    assert (caught.value.blamed, len(caught.value.evidence)) == (None, 2)


def test_requests_for_other_slots_and_attempts_are_consistent():
    one = asked(PROVER, position(4))
    for other in (position(4), position(5), position(4, attempt=2, session=head(98))):
        check_requests(one, asked(PROVER, other), *BOTH)


def test_a_request_by_nobody_known_proves_nothing():
    with refused(Reason.UNKNOWN_PARTY):
        check_requests(asked(PROVER, position(4)), asked(PROVER, position(4, of=head(9))))
    with refused(Reason.UNKNOWN_PARTY):
        check_requests(asked(PROVER, position(4)), asked(PROVER, position(4, of=head(9))), VERIFIER.history)


def test_all_attempts_that_a_named_witness_cosigned_are_listed_and_a_gap_is_seen(panel):
    first = accepted(panel)
    third = []
    for n, w in enumerate(panel):
        for attempt in (2, 3):
            at = position(4, attempt=attempt, session=head(90 + attempt))
            third = [w.ask(PROVER, Event.ACCEPTED, at, T0 + 10 + n)]
    assert attempts(first, keys(panel), EXERCISE) == (1,)
    assert attempts(first + third, keys(panel), EXERCISE) == (1, 3)
    assert attempts(first + third, keys(panel), head(1)) == ()
    assert attempts([witness(99).ask(PROVER, Event.ACCEPTED, position(4), T0)], keys(panel), EXERCISE) == ()
