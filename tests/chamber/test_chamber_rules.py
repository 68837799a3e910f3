"""What terms of sealed mode rule: rounding, bits, runs, time of release, quorum, whose program ran."""

import io
from dataclasses import replace
from fractions import Fraction

import pytest
from chamber_kit import NEUTRAL, OPERATOR, boxed
from hypothesis import given
from hypothesis import strategies as st
from kit import metric, seed
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.records import write_record
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.judge import judge
from parley_attestation.receipt import (
    BOX_REFUSALS,
    ChamberRefusal,
    Count,
    exercise_bits,
    outcome_bits,
    read_receipt,
    read_refusal,
)
from parley_attestation.sealed_terms import SECOND_PLACE, SealedTerms
from parley_attestation.session.tables import State
from parley_attestation.terms import Operator, read_terms
from parley_chamber.sandbox import Limits
from test_chamber_run import Sealing
from test_chamber_session import CLAIMS, Link, SealedExercise

pytestmark = boxed
SECOND_KEY = SigningKey(seed("second operator"))
SECOND = Operator(Bytes32(SECOND_KEY.public), "neutral", ("tests", "weights"))


def exact(tmp_path):
    (tmp_path / "exact").mkdir()
    sealing = Sealing(tmp_path / "exact")
    return read_receipt(sealing.go(), sealing.stated).counts[0].successes


def rated(threshold):
    return (metric(threshold=threshold, min_assurance="neutral-operator"), CLAIMS[1])


def verdict_of(exercise):
    v, p = exercise.run()
    assert v.machine.state is p.machine.state is State.FINISHED
    assert v.machine.facts.verdict.digest() == p.machine.facts.verdict.digest()
    return v, v.machine.facts.verdict.predicate


def test_a_rounded_count_decides_only_where_both_of_its_ends_agree(tmp_path):
    count = exact(tmp_path)
    low = count - count % 8
    high = min(low + 7, 60)
    for name, needed, said in (
        ("met", low, "COMPLIANT"),
        ("between", low + 1, "INCONCLUSIVE"),
        ("missed", high + 1, "VIOLATION"),
    ):
        rules = SealedTerms(round_to=8)
        exercise = SealedExercise(tmp_path / name, sealed=rules, claims=rated(Fraction(needed, 60)))
        _, found = verdict_of(exercise)
        (claim, _) = found["claims"]
        assert (claim["verdict"], claim["count_low"], claim["count_high"]) == (said, low, high)
        assert claim["successes"] + claim["failures"] == 60 - (high - low)
        (chamber,) = found["chambers"]
        assert chamber["counts"] == [Count("accuracy", 60, low).document()]
        assert (chamber["round_to"], chamber["bits"]) == (8, 4), "8 levels and 3 refusals"


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=4), st.integers(1, 10**6))
def test_the_bits_of_a_run_name_every_outcome_that_it_can_have_and_no_more_than_twice_as_many(sizes, step):
    outcomes = len(BOX_REFUSALS)
    levels = 1
    for size in sizes:
        levels *= len(range(0, size + 1, step))
    outcomes += levels
    assert 2 ** (outcome_bits(sizes, step) - 1) < outcomes <= 2 ** outcome_bits(sizes, step)


def forged(exercise, change):
    """A session whose chamber signs a receipt that was changed; the refusal."""
    honest = exercise.link.receipt

    def lie(machine):
        good = read_receipt(honest(machine), machine.facts.chambers[0])
        return change(good).sealed(exercise.link.session._run._receipt)

    exercise.link.receipt = lie
    v, _ = exercise.run()
    return v.machine.facts.ending


@pytest.mark.parametrize(
    "change",
    [
        lambda r: replace(r, round_to=1),
        lambda r: replace(r, round_to=16),
        lambda r: replace(r, counts=(replace(r.counts[0], successes=41),)),
        lambda r: replace(r, run=2),
        lambda r: replace(r, execution_class="none"),
        lambda r: replace(r, handed_over=60),
    ],
    ids=["finer", "coarser", "not rounded", "too many runs", "of a program", "results"],
)
def test_a_receipt_beyond_its_terms_is_refused(tmp_path, change):
    exercise = SealedExercise(tmp_path, sealed=SealedTerms(round_to=8))
    assert forged(exercise, change).reason == Reason.BAD_RECEIPT


def test_terms_whose_receipts_could_tell_more_than_they_allow_are_refused_at_propose(tmp_path):
    with pytest.raises(LocalError) as caught:
        SealedExercise(tmp_path, sealed=SealedTerms(bits=5)).run()
    assert caught.value.__cause__.reason is Reason.BAD_TERMS
    verdict_of(SealedExercise(tmp_path / "enough", sealed=SealedTerms(bits=6)))


def test_results_that_are_handed_over_count_against_the_bits_once_and_are_stated(tmp_path):
    with pytest.raises(LocalError) as caught:
        SealedExercise(tmp_path, sealed=SealedTerms(bits=6 + 3 * 60 - 1, hand_over=True)).run()
    assert caught.value.__cause__.reason is Reason.BAD_TERMS
    rules = SealedTerms(bits=6 + 3 * 60, hand_over=True)
    v, said = verdict_of(SealedExercise(tmp_path / "enough", sealed=rules))
    assert said["chambers"][0]["bits"] == 6 + 3 * 60
    assert v.machine.facts.outcomes[0].handed_over == 60
    assert any("the result of every unit" in one for one in said["not_concluded"])
    assert exercise_bits([60, 20], replace(rules, quorum=2)) == 2 * outcome_bits([60, 20], 1) + 3 * 80


def test_a_receipt_that_hands_over_less_than_the_terms_say_is_refused(tmp_path):
    exercise = SealedExercise(tmp_path, sealed=SealedTerms(hand_over=True))
    assert forged(exercise, lambda r: replace(r, handed_over=0)).reason == Reason.BAD_RECEIPT


def test_every_chamber_of_a_quorum_counts_against_the_bits(tmp_path):
    two = {"sealed": SealedTerms(bits=11, quorum=2), "operators": (NEUTRAL, SECOND)}
    with pytest.raises(LocalError) as caught:
        SealedExercise(tmp_path, **two).run()
    assert caught.value.__cause__.reason is Reason.BAD_TERMS


@pytest.mark.parametrize(
    "changes",
    [
        {"sealed": None},
        {"mode": "open", "sealed": SealedTerms()},
        {"sealed": SealedTerms(quorum=2)},
        {"sealed": SealedTerms(release_seconds=1)},
        {"sealed": SealedTerms(runs=0)},
        {"sealed": SealedTerms(round_to=0)},
        {"binding": "none", "operators": (), "runtime": None},
    ],
    ids=["absent", "open mode", "too few operators", "no time", "no run", "no rounding", "no chamber"],
)
def test_terms_carry_the_rules_of_sealed_mode_there_and_nowhere_else(tmp_path, changes):
    with pytest.raises(PeerError) as caught:
        read_terms(SealedExercise(tmp_path, **changes).terms.statement())
    assert caught.value.reason is Reason.BAD_TERMS


def test_terms_with_two_chambers_say_that_the_second_is_a_second_place_to_leak(tmp_path):
    terms = SealedExercise(tmp_path, sealed=SealedTerms(quorum=2), operators=(NEUTRAL, SECOND)).terms
    said = terms.statement()
    assert said.predicate["binding"]["sealed"]["notice"] == SECOND_PLACE
    assert read_terms(said).document() == terms.document()
    said.predicate["binding"]["sealed"]["notice"] = ""
    with pytest.raises(PeerError) as caught:
        read_terms(said)
    assert caught.value.reason is Reason.BAD_TERMS


def quorum(tmp_path, second_key=SECOND_KEY, **changes):
    links = (Link(tmp_path / "one"), Link(tmp_path / "two", second_key))
    rules = {"sealed": SealedTerms(quorum=2), "operators": (NEUTRAL, SECOND)}
    return SealedExercise(tmp_path, links=links, **(rules | changes))


def test_two_chambers_that_agree_give_one_verdict_and_the_judge_follows(tmp_path):
    exercise = quorum(tmp_path)
    v, said = verdict_of(exercise)
    assert said["overall"] == "COMPLIANT"
    assert [c["operator"]["key"] for c in said["chambers"]] == [NEUTRAL.key.hex(), SECOND.key.hex()]
    assert SECOND_PLACE in said["not_concluded"]
    write_record(v.journal, v.row, tmp_path / "v.parley")
    found = judge(io.BytesIO((tmp_path / "v.parley").read_bytes()), list(exercise.pins.values()))
    assert found.fault is None
    assert found.verdict.payload() == v.machine.facts.verdict.payload()


def test_the_prover_finds_its_ways_to_the_chambers_in_any_order(tmp_path):
    exercise = quorum(tmp_path)
    custody = exercise.custody
    exercise.custody = lambda role: (
        replace(custody(role), links=exercise.links[::-1]) if role is Role.PROVER else custody(role)
    )
    assert verdict_of(exercise)[1]["overall"] == "COMPLIANT"


def test_chambers_that_differ_are_a_recorded_outcome_that_blames_nobody(tmp_path):
    exercise = quorum(tmp_path)
    second = exercise.links[1]
    honest = second.receipt

    def lie(machine):
        good = read_receipt(honest(machine), machine.facts.chambers[1])
        counts = (replace(good.counts[0], successes=good.counts[0].successes - 1),)
        return replace(good, counts=counts).sealed(second.session._run._receipt)

    second.receipt = lie
    _, said = verdict_of(exercise)
    assert (said["overall"], said["identity"]) == ("INCONCLUSIVE", "INCONCLUSIVE")
    (claim, identity) = said["claims"]
    assert (claim["verdict"], claim["test"], claim["counted"]) == ("INCONCLUSIVE", "INCONCLUSIVE", 0)
    assert "differ" in claim["because"][0]
    assert identity["verdict"] == "INCONCLUSIVE"
    one, two = (c["counts"][0]["successes"] for c in said["chambers"])
    assert one - two == 1, "what each said is on the record"
    assert not any("blamed" in chamber for chamber in said["chambers"])


def test_one_chamber_under_one_operator_is_no_quorum(tmp_path):
    v, _ = quorum(tmp_path, second_key=OPERATOR).run()
    assert v.machine.state is State.ABORTED
    assert v.machine.facts.ending.reason == Reason.BAD_EVIDENCE


def test_a_chamber_of_a_quorum_that_refuses_leaves_nothing_decided(tmp_path):
    exercise = quorum(tmp_path)
    second = exercise.links[1]

    def refuse(machine):
        stated = machine.facts.chambers[1]
        facts = machine.facts
        said = ChamberRefusal(
            stated.statement.digest(), Digest(facts.session_id), facts.exercise, 1, Reason.BOX_TIME, None
        )
        return said.sealed(second.session._run._receipt)

    second.receipt = refuse
    _, said = verdict_of(exercise)
    assert said["overall"] == "INCONCLUSIVE"
    assert [c.get("refused", "") for c in said["chambers"]] == ["", "BOX_TIME"]


def test_the_weakest_chamber_of_a_quorum_speaks_for_both(tmp_path):
    theirs = Operator(SECOND.key, "prover", ("tests", "weights"))
    _, said = verdict_of(quorum(tmp_path, operators=(NEUTRAL, theirs), accept=True))
    assert (said["assurance"], said["overall"]) == ("declared", "INCONCLUSIVE")


def test_a_party_that_a_chamber_shows_other_keys_refuses(tmp_path):
    exercise = SealedExercise(tmp_path)
    custody = exercise.custody
    elsewhere = Link(tmp_path / "elsewhere", SECOND_KEY)
    elsewhere.open = lambda _machine: (b"other keys", b"")
    exercise.custody = lambda role: (
        replace(custody(role), links=(elsewhere,)) if role is Role.PROVER else custody(role)
    )
    v, p = exercise.run()
    assert v.machine.state is p.machine.state is State.REFUSED
    assert v.machine.facts.ending.reason == "BAD_EVIDENCE"


def test_a_refusal_outside_the_fixed_list_or_of_another_run_is_refused(tmp_path):
    sealing = Sealing(tmp_path)
    stated, job = sealing.stated, sealing.job
    key = sealing.run._receipt
    good = ChamberRefusal(stated.statement.digest(), job.session, job.exercise, 1, Reason.BOX_TIME, None)
    assert read_refusal(good.sealed(key), stated) == good
    for wrong in (
        replace(good, reason=Reason.UNKNOWN_PARTY),
        replace(good, session=Digest(seed("other"))),
        replace(good, keys=Digest(seed("other"))),
    ):
        with pytest.raises(PeerError) as caught:
            read_refusal(wrong.sealed(key), stated)
        assert caught.value.reason is Reason.BAD_RECEIPT


def test_a_run_that_is_not_done_when_its_outcome_must_leave_is_a_refusal(tmp_path):
    sealing = Sealing(tmp_path, {"sealed": SealedTerms(release_seconds=2)}, limits=Limits(seconds=60))
    sealing.run._rules = SealedTerms(release_seconds=1)
    assert read_refusal(sealing.go(), sealing.stated).reason is Reason.BOX_TIME
    assert sealing.ledger.outcomes() == ["BOX_TIME"]


def test_an_unpadded_release_is_said_on_the_verdict(tmp_path):
    _, open_ = verdict_of(SealedExercise(tmp_path / "a"))
    _, padded = verdict_of(SealedExercise(tmp_path / "b", sealed=SealedTerms(release_seconds=600)))
    said = [any("time it took" in one for one in found["not_concluded"]) for found in (open_, padded)]
    assert said == [True, False]
