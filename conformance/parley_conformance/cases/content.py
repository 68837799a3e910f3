"""Room: the suite. Faults in what the verifier says: terms, coins, challenges, stops, references, verdicts."""

from dataclasses import replace

from parley_attestation.edge.endpoint import Draft
from parley_attestation.encoding import Digest, Nonce
from parley_attestation.errors import Reason
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.session import messages as m
from parley_attestation.session.machine import Machine
from parley_attestation.session.tables import State
from parley_attestation.session.turns import to_frames

from parley_conformance.cases.base import RESUME, After, Case, Where, fault, go_on
from parley_conformance.cases.says import (
    ZERO,
    always,
    body,
    challenge,
    challenged,
    changed_content,
    flip,
    in_unit,
    next_units,
    other_set,
    other_stream,
    signs_another_stream,
    stop_after,
    stop_short,
    strangers_terms,
    swapped,
    terms,
    unasked,
)
from parley_conformance.harness import Target, expect_refusal
from parley_conformance.world import BATCH, EARLIEST

S = State
_SECOND = Where(S.SEEDED, 2)


def _too_late(target: Target) -> None:
    """One challenge more after the decision, an honest Stop, and then the references."""
    exercise = target.exercise("steady")

    def one_more(machine: Machine, draft: Draft) -> Draft:
        found = machine.facts.audit
        if not isinstance(draft.body, m.Stop) or found is None or found.starts[0][-1] >= draft.body.counts[0]:
            return draft
        return challenged(exercise.tests, found.next_units(0, 1))

    player = target.begin(S.STOPPED, mutate=one_more, exercise=exercise)
    player.stream.send(to_frames(player.turn()))
    expect_refusal(player.stream, frozenset({Reason.STOP_TOO_LATE}))
    go_on(player, After.ENDED)
    target.begin(shape="steady")


CASES: tuple[Case, ...] = (
    fault(
        "terms-of-others",
        "terms that name another prover",
        "TERMS-3",
        S.READY,
        terms(prover=ZERO),
        {Reason.BAD_TERMS},
        After.ENDED,
    ),
    fault(
        "terms-over-too-many",
        "a budget of more units than the set has",
        "TERMS-4",
        S.READY,
        lambda p: terms(plan=replace(p.exercise.terms.plan, budgets=(("", 1000),)))(p),
        {Reason.BAD_TERMS},
        After.ENDED,
    ),
    fault(
        "sealed-terms-in-open-mode",
        "what belongs to sealed mode in terms of open mode",
        "SEAL-1",
        S.READY,
        terms(sealed=SealedTerms()),
        {Reason.BAD_TERMS},
        After.ENDED,
    ),
    fault(
        "terms-sealed-by-a-stranger",
        "terms that another key sealed",
        "STMT-2 PROP-1",
        S.READY,
        strangers_terms,
        {Reason.BAD_SIGNATURE},
        After.ENDED,
    ),
    fault(
        "other-registration",
        "a registered set that the terms do not name",
        "TERMS-3",
        S.READY,
        other_set,
        {Reason.BAD_TERMS},
        After.ENDED,
    ),
    fault(
        "attempt-out-of-nothing",
        "attempt 2 of an exercise without a first",
        "ATT-2",
        S.READY,
        body(attempt=2),
        {Reason.BAD_ATTEMPT},
        After.ENDED,
    ),
    fault(
        "other-coin",
        "a coin that was not committed to",
        "COIN-1",
        S.ACCEPTED,
        body(coin=Nonce(ZERO)),
        {Reason.BAD_COIN},
        After.ENDED,
    ),
    fault(
        "tickets-out-of-order",
        "two units in the wrong order",
        "CHAL-1 CHAIN-2",
        S.SEEDED,
        swapped,
        {Reason.WRONG_INDEX},
        After.ENDED,
    ),
    replace(
        fault(
            "session-ended-by-a-fault",
            "a resumption after a challenge out of ticket order",
            "RES-8 CHAIN-2",
            S.SEEDED,
            swapped,
            {Reason.WRONG_INDEX},
            After.ENDED,
        ),
        capability=RESUME,
    ),
    fault(
        "ticket-skipped",
        "a challenge that leaves the next unit out",
        "CHAL-1",
        _SECOND,
        lambda p: challenge(p, next_units(p, 2)[1:]),
        {Reason.WRONG_INDEX},
        After.ENDED,
    ),
    fault(
        "unit-twice",
        "one unit challenged twice",
        "CHAL-1",
        S.SEEDED,
        lambda p: challenge(p, next_units(p, 1) * 2),
        {Reason.WRONG_INDEX},
        After.ENDED,
    ),
    fault(
        "index-beyond-the-set",
        "item 2^64 - 1",
        "CHAL-1",
        S.SEEDED,
        in_unit(item=2**64 - 1),
        {Reason.WRONG_INDEX},
        After.ENDED,
    ),
    fault(
        "over-budget",
        "one unit more than the budget",
        "CHAL-1",
        Where(S.SEEDED, EARLIEST // BATCH + 1, "short"),
        unasked,
        {Reason.OVER_BUDGET},
        After.ENDED,
    ),
    fault(
        "batch-over-cap",
        "more units in a challenge than the plan allows",
        "CHAL-1",
        S.SEEDED,
        lambda p: challenge(p, next_units(p, BATCH + 1)),
        {Reason.OVER_CAP},
        After.ENDED,
    ),
    fault(
        "prompt-over-cap",
        "a prompt of one byte more than the cap",
        "CHAL-1",
        S.SEEDED,
        lambda p: in_unit(size=p.exercise.terms.caps.prompt + 1)(p),
        {Reason.OVER_CAP},
        After.ENDED,
    ),
    fault(
        "forged-proof",
        "an inclusion proof with one bit changed",
        "TREE-2 CHAL-1",
        S.SEEDED,
        in_unit(proof=lambda u: (Digest(flip(u.proof[0])), *u.proof[1:])),
        {Reason.BAD_PROOF},
        After.ENDED,
    ),
    fault(
        "no-proof",
        "an inclusion proof without a hash",
        "TREE-2",
        S.SEEDED,
        in_unit(proof=()),
        {Reason.BAD_PROOF},
        After.ENDED,
    ),
    fault(
        "swapped-reference",
        "another commitment to the reference than the registered one",
        "TREE-2",
        S.SEEDED,
        in_unit(reference_commitment=ZERO),
        {Reason.BAD_PROOF},
        After.ENDED,
    ),
    fault(
        "wrong-opening",
        "a prompt that does not open its commitment",
        "COMMIT-2 CHAL-1",
        S.SEEDED,
        changed_content,
        {Reason.BAD_OPENING},
        After.ENDED,
    ),
    fault(
        "changed-reference",
        "a reference that does not open its commitment",
        "COMMIT-2 OPEN-1",
        S.STOPPED,
        changed_content,
        {Reason.BAD_OPENING},
        After.ENDED,
    ),
    fault(
        "stream-mismatch",
        "content with one bit changed on the way",
        "WIRE-4",
        S.SEEDED,
        other_stream,
        {Reason.STREAM_MISMATCH, Reason.BLOB_MISMATCH},
        After.RESUMES,
    ),
    fault(
        "stream-digest-of-other-content",
        "a message that signs the digest of other content",
        "WIRE-4",
        S.SEEDED,
        signs_another_stream,
        {Reason.STREAM_MISMATCH},
        After.RESUMES,
    ),
    fault(
        "stop-undecided",
        "a stop while the claim is undecided",
        "OPEN-2",
        Where(S.STOPPED, mutate=stop_after(BATCH)),
        lambda p: p.turn(),
        {Reason.STOP_TOO_EARLY},
        After.ENDED,
    ),
    fault(
        "stop-one-short",
        "a stop that counts one unit fewer than the deciding one",
        "OPEN-2",
        Where(S.STOPPED, mutate=stop_short),
        lambda p: p.turn(),
        {Reason.STOP_TOO_EARLY},
        After.ENDED,
    ),
    fault(
        "stop-at-nothing",
        "a stop at no unit",
        "STOP-1",
        S.SEEDED,
        always(m.Stop((0,))),
        {Reason.STOP_TOO_EARLY},
        After.ENDED,
    ),
    fault(
        "wrong-verdict",
        "an acknowledgement of another verdict",
        "ACK-2",
        S.OPENED,
        body(verdict_digest=ZERO),
        {Reason.WRONG_VERDICT},
        After.ENDED,
    ),
    Case(
        "stop-too-late",
        "one challenge more after every claim was decided",
        ("OPEN-2",),
        _too_late,
        frozenset({Reason.STOP_TOO_LATE}),
    ),
)
