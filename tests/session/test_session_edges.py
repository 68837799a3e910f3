"""Edges of a session's rules that no whole exercise meets: each test here kills a weakened check."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import kit
import pytest
from parley_attestation.canonical import Fields
from parley_attestation.claims import GradedClaim
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Digest
from parley_attestation.envelope import Envelope, Signature, pae
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.grading import Outcome, OutcomeMap, read_grader
from parley_attestation.pairs import PairEvents
from parley_attestation.session import agreement, backing, exercise, messages, schedule, sealed
from parley_attestation.session import messages as m
from parley_attestation.session.audit import Audit, claimed
from parley_attestation.session.machine import Machine
from parley_attestation.terms import Caps, Plan

ZERO, ONE = Digest(bytes(32)), Digest(bytes(31) + b"\x01")
POINTS = read_grader(Fields({"kind": "checklist", "points": 10, "ignore_case": False, "whole_words": False}))
BOTH = PairEvents(tuple((name, OutcomeMap(frozenset({Outcome.PASS}))) for name in ("benign", "harm")))


def refused(reason, words, call, *args, **kwargs):
    with pytest.raises(PeerError, match=words) as caught:
        call(*args, **kwargs)
    assert caught.value.reason is reason


def graded(threshold=Fraction(1, 2)):
    return GradedClaim("points", "", POINTS, False, threshold, Fraction(1, 20), Fraction(1, 100), "declared")


# -- agreement and evidence


def accepting(made, **facts):
    """A session of `made` that waits for Accept."""
    history = SimpleNamespace(owner=made.prover.owner, root=made.prover.root.public)
    return SimpleNamespace(
        facts=SimpleNamespace(
            terms=made.terms,
            test_set=made.tests.public,
            terms_statement=made.terms.statement(),
            histories={Role.PROVER: history},
            session_keys={Role.PROVER: made.prover.session.public},
            nonces={Role.PROVER: bytes(32), Role.VERIFIER: bytes(32)},
            **facts,
        )
    )


def test_what_continues_an_attempt_that_nobody_accepted_declares_counts_and_coin_of_its_own(tmp_path):
    made = kit.Exercise(tmp_path)
    body = m.Accept(made.terms.statement().digest(), (50,), ONE, made.claim, ())
    at = accepting(made, earlier=SimpleNamespace(audit=None, coin_commitments={}))
    agreement.accept(at, Role.PROVER, body, (ZERO,) * 3)


def evidence(policy=None, own=None):
    """What is said of empty evidence of a party, and of a chamber."""
    key = SigningKey(kit.seed("key"))
    terms = SimpleNamespace(evidence_policy=policy, inventory=None)
    facts = SimpleNamespace(terms=terms, nonces={Role.PROVER: bytes(32), Role.VERIFIER: bytes(32)})
    made, keys = backing.seal_evidence({}, 1, key), SimpleNamespace(receipt=key.public, hpke=bytes(32))

    def party(count):
        backing.read_support(facts, (ZERO,) * 3, (made,) * count, key.public)

    return party, lambda: backing.read_chamber(facts, (ZERO,) * 3, made, keys, own)


def test_a_party_shows_one_collection_of_evidence_and_only_where_the_terms_have_a_policy():
    for policy, count in ((None, 1), (None, 2), ("a policy", 2)):
        refused(Reason.BAD_EVIDENCE, "one collection", evidence(policy)[0], count)
    refused(Reason.BAD_EVIDENCE, "items", evidence("a policy")[0], 1)


def test_a_chambers_evidence_needs_a_policy_of_the_terms_or_the_partys_own():
    refused(Reason.BAD_EVIDENCE, "do not ask for", evidence()[1])
    refused(Reason.BAD_EVIDENCE, "items", evidence("a policy")[1])
    refused(Reason.BAD_EVIDENCE, "items", evidence(own="a policy")[1])


# -- counts and results


def begun(made, claim, declared):
    terms = replace(made.terms, claims=(claim,))
    return Audit.begin(terms, schedule.frames(terms, made.tests.public), (declared,))


def test_no_count_is_declared_for_a_graded_claim(tmp_path):
    made = kit.Exercise(tmp_path, graders=(POINTS,))
    assert begun(made, graded(), 0).plan(0).top == POINTS.top
    for count in (1, 300, 600, 601):  # the threshold is 300 of 600 points
        refused(Reason.BAD_COUNT, "or none", begun, made, graded(), count)


def test_no_answer_and_no_known_code_are_no_claimed_success():
    assert [claimed(kit.metric(), byte) for byte in range(6)] == [False, True, False, False, False, False]


def test_a_claimed_result_has_from_1_code_to_one_for_every_claim_and_4_is_the_last_code():
    def read(size):
        return messages._read_result(SimpleNamespace(codes=bytes(size), key=bytes(32), proof=[]))

    for size in (1, messages.MAX_CLAIMS):
        assert len(read(size).codes) == size
    for size in (0, messages.MAX_CLAIMS + 1):
        refused(Reason.MALFORMED, "results of a unit", read, size)
    audit = SimpleNamespace(
        receipt=SimpleNamespace(exercise=ZERO, result_root=ZERO),
        claims_of=lambda _: (None,),
        claimed_place=lambda _: (0, 1),
    )
    for code, reason in ((4, Reason.BAD_PROOF), (5, Reason.WRONG_RESULT_BITS)):
        result = m.ClaimedResult(bytes([code]), bytes(32), ())
        refused(reason, None, exercise._check_claimed, audit, (SimpleNamespace(frame=0),), (result,))


def test_the_content_of_one_turn_may_be_as_large_as_the_terms_say():
    exercise._check_caps([4, 4], 4, 72, "prompt")
    exercise._check_caps([72], 72, 72, "prompt")
    refused(Reason.OVER_CAP, "in one turn", exercise._check_caps, [4, 5], 5, 72, "prompt")
    refused(Reason.OVER_CAP, "at most 4", exercise._check_caps, [4, 5], 4, 100, "prompt")


# -- the machine


def machine():
    """A session after four messages, with both parties' keys known."""
    found = Machine(SimpleNamespace(get=lambda _: None))
    for role in (Role.VERIFIER, Role.PROVER):
        found.facts.session_keys[role] = SigningKey(kit.seed(role)).public
        found.facts.nonces[role] = kit.seed(role, "nonce")
    found.facts.session_id = ONE
    found.heads, found.authors = [ZERO, ONE, ZERO, ONE], [Role.VERIFIER, Role.PROVER] * 2
    return found


def said(role, sequence, previous, body=None):
    body = body or m.Stop((1,))
    session = b"" if body.kind == "hello_reply" else ONE
    key, kind = SigningKey(kit.seed(role)), m.payload_type(body.kind)
    made = m.write(m.Header(session, sequence, previous), body)
    return Envelope(kind, made, (Signature(key.public, key.sign(pae(kind, made))),))


def greeting(role):
    return m.HelloReply(1, 1, "open", (), kit.seed(role, "nonce"), ZERO, ZERO)


@pytest.mark.parametrize(
    ("envelope", "reason", "blamed"),
    [
        (said(Role.VERIFIER, 3, ONE), Reason.EQUIVOCATION, Role.VERIFIER),
        (said(Role.PROVER, 3, ONE), Reason.OUT_OF_ORDER, Role.PROVER),
        (said(Role.PROVER, 3, ZERO), Reason.OUT_OF_ORDER, None),
        (said(Role.VERIFIER, 2, ZERO, greeting(Role.VERIFIER)), Reason.OUT_OF_ORDER, None),
        (said(Role.PROVER, 2, ZERO, greeting(Role.PROVER)), Reason.EQUIVOCATION, Role.PROVER),
        (said(Role.PROVER, 2, ZERO, greeting(Role.VERIFIER)), Reason.WRONG_SESSION, None),
    ],
)
def test_a_second_message_for_a_slot_is_blamed_where_its_own_bytes_tie_it_to_the_session(
    envelope, reason, blamed
):
    with pytest.raises(PeerError) as caught:
        machine().begin(envelope)
    assert (caught.value.reason, caught.value.blamed) == (reason, blamed)


@pytest.mark.parametrize(
    ("audit", "released", "over"),
    [(None, {}, False), (0, {}, False), (1, {}, True), (None, {Role.PROVER: ()}, True)],
)
def test_an_attempt_is_over_once_references_are_shown_or_a_key_is_released(audit, released, over):
    found = machine()
    found.facts.audit = None if audit is None else SimpleNamespace(opened=audit)
    found.facts.released = released
    assert bool(found.as_earlier().over) is over


def test_lists_in_messages_have_bounds_that_count_as_inside():
    for size in (1, 2):
        assert messages._many(range(size), 1, 2, "things") == tuple(range(size))
    for size in (0, 3):
        refused(Reason.TOO_LARGE, "expected 1..2 things", messages._many, range(size), 1, 2, "things")


def test_bytes_that_are_no_message_are_refused_as_such():
    refused(Reason.MALFORMED, "a message of kind stop", messages.parse, "stop", b"\xff")


def test_the_name_of_a_mode_is_ascii():
    refused(Reason.MALFORMED, "ASCII", messages._mode, "modé")


# -- populations


def frames(made, **changes):
    return schedule.frames(replace(made.terms, **changes), made.tests.public)


def test_a_budget_is_at_least_one_unit(tmp_path):
    made = kit.Exercise(tmp_path)
    assert frames(made, plan=Plan(1, 8, (("", 1),)))[0].budget == 1
    refused(Reason.BAD_TERMS, "a budget of", frames, made, plan=Plan(1, 8, (("", 0),)))


def test_excluding_nothing_tears_no_run_apart():
    assert schedule.without((0, 10), ((5, 0),)) == ((0, 10),)


def test_graded_claims_are_evaluated_in_open_mode_only(tmp_path):
    made = kit.Exercise(tmp_path, graders=(POINTS,))
    assert frames(made, claims=(graded(),))
    refused(Reason.BAD_TERMS, "graded claims", frames, made, claims=(graded(),), mode="sealed")


def test_scripts_are_evaluated_in_open_mode_without_a_chamber_only(tmp_path):
    last = read_grader(Fields({"kind": "exact", "trim": True, "ignore_case": False, "answers": "last"}))
    made = kit.Exercise(tmp_path, graders=(last,), item_kind="script")
    claims = (kit.metric(grader=last),)
    assert frames(made, claims=claims)
    for changes in ({"mode": "sealed"}, {"runtime": ZERO}):
        refused(Reason.BAD_TERMS, "script items", frames, made, claims=claims, **changes)


def twins(folder):
    made = kit.Exercise(folder, members=("benign", "harm"))
    made.terms = replace(made.terms, claims=(kit.metric(events=BOTH),), plan=Plan(1, 8, (("", 30),)))
    return made


def test_claims_over_pairs_and_sets_of_pairs_belong_together_and_the_refusal_names_the_members(tmp_path):
    plain, pairs = kit.Exercise(tmp_path), twins(tmp_path)
    refused(Reason.BAD_TERMS, "members are benign, harm$", frames, pairs, claims=(kit.metric(),))
    refused(Reason.BAD_TERMS, "members are none$", frames, plain, claims=(kit.metric(events=BOTH),))


def test_no_receipt_is_about_pairs_and_no_chamber_runs_them(tmp_path):
    made = twins(tmp_path)
    refused(Reason.BAD_TERMS, "no receipt", frames, made, audited=SimpleNamespace())
    refused(Reason.BAD_TERMS, "in open mode only", frames, made, mode="sealed")


@pytest.mark.parametrize("excluded", [(2, 2), (3, 2), (2, 1), (3, 1)])
def test_pairs_are_excluded_whole(tmp_path, excluded):
    made = twins(tmp_path)
    changes = {
        "test_set": replace(made.terms.test_set, excluded=(excluded,)),
        "plan": Plan(1, 8, (("", 20),)),
    }
    if excluded == (2, 2):
        assert frames(made, **changes)[0].size == 29
    else:
        refused(Reason.BAD_TERMS, "excluded whole", frames, made, **changes)


def test_a_turn_that_just_holds_both_members_of_a_pair_is_enough(tmp_path):
    made = twins(tmp_path)
    for batch, turn in ((2, 2 * (100 + 32)), (8, 2 * (100 + 32))):
        assert frames(made, plan=Plan(1, batch, (("", 30),)), caps=Caps(100, 10, 10, turn))
    for batch, turn in ((1, 1 << 20), (8, 2 * (100 + 32) - 1)):
        caps = Caps(100, 10, 10, turn)
        refused(Reason.BAD_TERMS, "both members", frames, made, plan=Plan(1, batch, (("", 30),)), caps=caps)


# -- sealed mode


def test_every_chamber_has_its_entry():
    sealed._one_each((1, 2), 2, Reason.BAD_RECEIPT)
    for count in (1, 3):
        refused(Reason.BAD_RECEIPT, "each of 2", sealed._one_each, (1,) * count, 2, Reason.BAD_RECEIPT)


def test_the_first_chamber_alone_hands_results_over_and_only_where_the_terms_say(tmp_path):
    terms = kit.Exercise(tmp_path).terms
    assert not sealed.hands_over(terms, 0)
    for hand_over in (True, False):
        rules = replace(terms, sealed=SimpleNamespace(hand_over=hand_over))
        assert [sealed.hands_over(rules, place) for place in (0, 1)] == [hand_over, False]


def test_a_sealed_run_is_acknowledged_by_its_verdict_and_the_receipts_root():
    facts = SimpleNamespace(
        verdict=SimpleNamespace(digest=lambda: ONE), outcomes=(), acknowledged={}, result_roots={}
    )
    at = SimpleNamespace(facts=facts)
    sealed.acknowledge(at, Role.PROVER, m.Acknowledge(ONE, ZERO, ZERO)).finish(())
    assert facts.acknowledged == {Role.PROVER: ONE}
    refused(
        Reason.WRONG_VERDICT,
        "the prover",
        sealed.acknowledge,
        at,
        Role.PROVER,
        m.Acknowledge(ZERO, ZERO, ZERO),
    )
    refused(
        Reason.WRONG_RESULT_BITS,
        "the prover",
        sealed.acknowledge,
        at,
        Role.PROVER,
        m.Acknowledge(ONE, ONE, ZERO),
    )
