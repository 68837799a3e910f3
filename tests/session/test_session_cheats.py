"""Cheating peers: each is refused with its reason, the machine stays as it was, and the right party is blamed."""

from dataclasses import replace
from fractions import Fraction

import pytest
from cheats import (
    ACCEPTED,
    CHALLENGED,
    CONFIRMED,
    GREETED,
    OPENED,
    PROPOSED,
    READY,
    SEEDED,
    SHOWN,
    SIX_UNITS,
    START,
    STOPPED,
    STRANGER,
    WIDE,
    ZERO,
    P,
    Standoff,
    V,
    again,
    always,
    body,
    certified_as,
    challenge_of,
    changed_blob,
    flip,
    foreign_commitment,
    foreign_set,
    in_unit,
    long_output,
    other_set,
    past_the_budget,
    skipped,
    standoff,
    swapped,
    terms,
    too_many,
    twice,
    two_wide,
    uncertified,
    unit,
    unpinned,
    wrong_bits,
)
from kit import (
    Plan,
    metric,
    model_claim,
    side,
)
from parley_attestation import statement
from parley_attestation.canonical import Fields
from parley_attestation.encoding import Nonce, Salt
from parley_attestation.errors import PeerError, Reason
from parley_attestation.grading import read_grader
from parley_attestation.session import messages as m
from parley_attestation.session.turns import Turn

# name -> (who cheats, where, the nth time, what it says, the reason, who is blamed, changes of the exercise)
CHEATS = {
    # greetings: before they hold, no signature is known to be a party's
    "a Hello of another version": (V, START, 1, body(versions=(2,)), Reason.UNSUPPORTED_VERSION, None, {}),
    "a Hello of another suite": (V, START, 1, body(suites=(9,)), Reason.UNSUPPORTED_VERSION, None, {}),
    "a Hello of another mode": (V, START, 1, body(modes=("secret",)), Reason.UNSUPPORTED_VERSION, None, {}),
    "a Hello over another channel": (V, START, 1, body(prover_tls=ZERO), Reason.CHANNEL_MISMATCH, None, {}),
    "a Hello under an uncertified key": (V, START, 1, uncertified, Reason.KEY_NOT_CERTIFIED, None, {}),
    "a Hello under a prover's key": (V, START, 1, certified_as(P), Reason.KEY_NOT_CERTIFIED, None, {}),
    "a Hello of an unpinned party": (V, START, 1, unpinned, Reason.UNKNOWN_PARTY, None, {}),
    "a Hello with garbage for a history": (
        V,
        START,
        1,
        body(key_history=(b"{}",)),
        Reason.MALFORMED,
        None,
        {},
    ),
    "a reply of a version not offered": (
        P,
        GREETED,
        1,
        body(version=2),
        Reason.UNSUPPORTED_VERSION,
        None,
        {},
    ),
    "a reply over another channel": (
        P,
        GREETED,
        1,
        body(verifier_tls=ZERO),
        Reason.CHANNEL_MISMATCH,
        None,
        {},
    ),
    "a reply under an uncertified key": (P, GREETED, 1, uncertified, Reason.KEY_NOT_CERTIFIED, None, {}),
    "a reply of an unpinned party": (P, GREETED, 1, unpinned, Reason.UNKNOWN_PARTY, None, {}),
    "a reply with the verifier's nonce": (
        P,
        GREETED,
        1,
        body(nonce=lambda s: Nonce(s.cheat.machine.facts.nonces[V])),
        Reason.MALFORMED,
        None,
        {},
    ),
    # terms
    "a second attempt that nothing preceded": (V, READY, 1, body(attempt=2), Reason.BAD_ATTEMPT, V, {}),
    "terms of another prover": (V, READY, 1, lambda s: terms(s, prover=ZERO), Reason.BAD_TERMS, V, {}),
    "terms that decide nothing": (
        V,
        READY,
        1,
        lambda s: terms(s, claims=(metric(threshold=Fraction(0)),)),
        Reason.BAD_TERMS,
        V,
        {},
    ),
    "terms over more units than there are": (
        V,
        READY,
        1,
        lambda s: terms(s, plan=Plan(1, 8, (("", 61),))),
        Reason.BAD_TERMS,
        V,
        {},
    ),
    "terms with a grader the set was not registered for": (
        V,
        READY,
        1,
        lambda s: terms(
            s,
            claims=(
                metric(grader=read_grader(Fields({"kind": "exact", "trim": False, "ignore_case": False}))),
            ),
        ),
        Reason.BAD_TERMS,
        V,
        {},
    ),
    "terms sealed by somebody else": (
        V,
        READY,
        1,
        lambda s: replace(s.draft.body, terms=statement.seal(s.exercise.terms.statement(), STRANGER)),
        Reason.BAD_SIGNATURE,
        V,
        {},
    ),
    "somebody else's test set": (V, READY, 1, foreign_set, Reason.BAD_SIGNATURE, V, {}),
    "a test set that the terms do not name": (V, READY, 1, other_set, Reason.BAD_TERMS, V, {}),
    "other terms accepted": (P, PROPOSED, 1, body(terms_digest=ZERO), Reason.WRONG_TERMS, P, {}),
    "a model claim the terms do not name": (
        P,
        PROPOSED,
        1,
        body(model_claim=lambda s: model_claim(s.exercise.prover, b"other weights")),
        Reason.BAD_MODEL_CLAIM,
        P,
        {},
    ),
    "somebody else's model claim": (
        P,
        PROPOSED,
        1,
        body(model_claim=lambda _: model_claim(side(P, "other"))),
        Reason.BAD_SIGNATURE,
        P,
        {},
    ),
    "no declared count": (P, PROPOSED, 1, body(declared_counts=()), Reason.BAD_COUNT, P, {}),
    "a declared count below the threshold": (
        P,
        PROPOSED,
        1,
        body(declared_counts=(47,)),
        Reason.BAD_COUNT,
        P,
        {},
    ),
    "a declared count above the population": (
        P,
        PROPOSED,
        1,
        body(declared_counts=(61,)),
        Reason.BAD_COUNT,
        P,
        {},
    ),
    # coins
    "a verifier's coin it did not commit to": (
        V,
        ACCEPTED,
        1,
        body(coin=Nonce(ZERO)),
        Reason.BAD_COIN,
        V,
        {},
    ),
    "a coin under another key": (V, ACCEPTED, 1, body(key=Salt(ZERO)), Reason.BAD_COIN, V, {}),
    "a prover's coin it did not commit to": (P, SHOWN, 1, body(coin=Nonce(ZERO)), Reason.BAD_COIN, P, {}),
    # challenges
    "a challenge out of ticket order": (V, SEEDED, 1, swapped, Reason.WRONG_INDEX, V, {}),
    "a ticket skipped": (V, SEEDED, 2, skipped, Reason.WRONG_INDEX, V, {}),
    "a unit challenged twice": (V, SEEDED, 1, twice, Reason.WRONG_INDEX, V, {}),
    "a sample that is not in the plan": (
        V,
        SEEDED,
        1,
        in_unit(sample=lambda _: 1),
        Reason.WRONG_INDEX,
        V,
        {},
    ),
    "an index outside the population": (V, SEEDED, 1, in_unit(item=lambda _: 60), Reason.WRONG_INDEX, V, {}),
    "an index of 2^64 - 1": (V, SEEDED, 1, in_unit(item=lambda _: 2**64 - 1), Reason.WRONG_INDEX, V, {}),
    "a challenge over the budget": (V, SEEDED, 2, past_the_budget, Reason.OVER_BUDGET, V, SIX_UNITS),
    "a challenge over the plan's batch": (V, SEEDED, 1, too_many, Reason.OVER_CAP, V, {}),
    "a forged proof": (
        V,
        SEEDED,
        1,
        in_unit(proof=lambda u: (flip(u.proof[0]), *u.proof[1:])),
        Reason.BAD_PROOF,
        V,
        {},
    ),
    "a proof of another item": (
        V,
        SEEDED,
        1,
        lambda s: unit(s.draft.body, 0, proof=s.draft.body.units[1].proof),
        Reason.BAD_PROOF,
        V,
        {},
    ),
    "a proof too short": (V, SEEDED, 1, in_unit(proof=lambda u: u.proof[:-1]), Reason.BAD_PROOF, V, {}),
    "a proof too long": (V, SEEDED, 1, in_unit(proof=lambda u: (*u.proof, ZERO)), Reason.BAD_PROOF, V, {}),
    "no proof": (V, SEEDED, 1, in_unit(proof=lambda _: ()), Reason.BAD_PROOF, V, {}),
    "a proof of a hundred hashes": (
        V,
        SEEDED,
        1,
        in_unit(proof=lambda _: (ZERO,) * 100),
        Reason.TOO_LARGE,
        V,
        {},
    ),
    "an uncommitted reference swapped in at the challenge": (
        V,
        SEEDED,
        1,
        in_unit(reference_commitment=lambda _: ZERO),
        Reason.BAD_PROOF,
        V,
        {},
    ),
    "a changed prompt": (V, SEEDED, 1, changed_blob, Reason.BAD_OPENING, V, {}),
    "a changed prompt key": (V, SEEDED, 1, lambda s: changed_blob(s, 2, 0), Reason.BAD_OPENING, V, {}),
    "a prompt over the cap": (
        V,
        SEEDED,
        1,
        in_unit(size=lambda _: (1 << 16) + 1),
        Reason.OVER_CAP,
        V,
        {},
    ),
    "a turn over the cap": (V, SEEDED, 1, two_wide, Reason.OVER_CAP, V, WIDE),
    # answers
    "too few answers": (
        P,
        CHALLENGED,
        1,
        lambda s: again(replace(s.draft.body, answers=s.draft.body.answers[1:]), s.draft.blobs[1:]),
        Reason.WRONG_UNITS,
        P,
        {},
    ),
    "an output over the cap": (P, CHALLENGED, 1, long_output, Reason.OVER_CAP, P, {}),
    "an output it did not commit to": (P, CHALLENGED, 2, changed_blob, Reason.BAD_OPENING, P, {}),
    "an answer committed for another unit": (P, CHALLENGED, 1, foreign_commitment, Reason.BAD_OPENING, P, {}),
    # stop and open
    "a Stop before anything was asked": (V, SEEDED, 1, always(m.Stop((0,))), Reason.STOP_TOO_EARLY, V, {}),
    "a Stop over more than was asked": (V, SEEDED, 2, always(m.Stop((9,))), Reason.STOP_TOO_EARLY, V, {}),
    "a Stop for frames that are not there": (V, SEEDED, 2, always(m.Stop((8, 8))), Reason.WRONG_UNITS, V, {}),
    "a changed reference": (V, STOPPED, 1, changed_blob, Reason.BAD_OPENING, V, {}),
    "a reference over the cap": (
        V,
        STOPPED,
        1,
        lambda s: replace(s.draft.body, sizes=((1 << 12) + 1, *s.draft.body.sizes[1:])),
        Reason.OVER_CAP,
        V,
        {},
    ),
    "more references than were asked": (
        V,
        STOPPED,
        1,
        lambda s: again(replace(s.draft.body, sizes=(*s.draft.body.sizes, 1)), (*s.draft.blobs, bytes(33))),
        Reason.WRONG_UNITS,
        V,
        {},
    ),
    "a challenge after Stop": (
        V,
        STOPPED,
        1,
        lambda s: challenge_of(s, [(0, 0)]),
        Reason.OUT_OF_ORDER,
        V,
        {},
    ),
    # the end
    "an acknowledgement before Open": (
        V,
        STOPPED,
        1,
        always(m.Acknowledge(ZERO, ZERO, ZERO)),
        Reason.OUT_OF_ORDER,
        V,
        {},
    ),
    "a binding that the terms do not ask for": (
        V,
        OPENED,
        1,
        always(m.Binding(b"{}")),
        Reason.BAD_BINDING,
        V,
        {},
    ),
    "references after the last": (V, OPENED, 1, always(m.Open((1,), ZERO)), Reason.WRONG_UNITS, V, {}),
    "a verifier's other verdict": (V, OPENED, 1, body(verdict_digest=ZERO), Reason.WRONG_VERDICT, V, {}),
    "a prover's other verdict": (P, CONFIRMED, 1, body(verdict_digest=ZERO), Reason.WRONG_VERDICT, P, {}),
    "a verifier's other result bits": (V, OPENED, 1, wrong_bits, Reason.WRONG_RESULT_BITS, V, {}),
    "a prover's other result bits": (P, CONFIRMED, 1, wrong_bits, Reason.WRONG_RESULT_BITS, P, {}),
    "result bits under another root": (
        P,
        CONFIRMED,
        1,
        body(result_root=ZERO),
        Reason.WRONG_RESULT_BITS,
        P,
        {},
    ),
}


def said(s: Standoff, what) -> Turn:
    """The turn that a cheat describes: a turn, a body over the honest content, or a body with its content."""
    if isinstance(what, Turn):
        return what
    if isinstance(what, tuple):
        return s.turn(*what)
    return s.turn(what, s.draft.blobs)


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_refused_and_judged_as_what_it_is(tmp_path, name):
    role, state, nth, what, reason, blamed, changes = CHEATS[name]
    s = standoff(tmp_path, role, state, nth, **changes)
    honest = s.honest()
    error = s.refused(said(s, what(s)))
    assert (error.reason, error.blamed) == (reason, blamed), error.message
    if s.victim.row is not None:
        found = s.judged()
        assert (found.fault.blamed if found.fault else None) is blamed
        assert (found.fault.reason if found.fault else None) == (reason if blamed else None)
        assert found.verdict is None
    if blamed is None:
        s.go_on()
    else:
        s.victim.machine.step(honest)
        if s.victim.row is not None:
            with pytest.raises(PeerError, match="provable fault has ended"):
                reopened(s).load(s.victim.row)


def reopened(s: Standoff):
    """The victim's endpoint after a restart, with nothing loaded."""
    role = s.victim.policy.role
    return s.exercise.prover_end(load=False) if role is P else s.exercise.verifier_end()
