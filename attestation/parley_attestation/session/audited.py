"""Room: the session. Whether terms that audit a receipt name one that a party took part in; its edge calls it.

The record of an audit alone shows that both parties signed these counts and this root. Whoever has the sealed
session too compares the two.
"""

from parley_attestation.errors import PeerError, Reason
from parley_attestation.receipt import RECEIPT, SIMULATED_RECEIPT, Receipt
from parley_attestation.session.facts import Facts
from parley_attestation.statement import Statement, Subject
from parley_attestation.terms import Terms


def check_audited(terms: Terms, sealed: Facts | None) -> None:
    """Compare terms that audit a receipt with the sealed session, as the own journal or a record has it.

    Raises:
        PeerError: BAD_TERMS, where the receipt is another, or its claims and units are not those of the terms.
    """
    assert terms.audited is not None
    then = sealed.terms if sealed is not None else None
    if sealed is None or then is None or sealed.exercise != terms.audited.exercise:
        raise PeerError(Reason.BAD_TERMS, "no sealed session with this receipt is known here")
    receipt, said = first_receipt(sealed)
    if terms.audited.receipt != said.digest():
        raise PeerError(Reason.BAD_TERMS, "the terms name another receipt than the sealed session has")
    if terms.audited.result_root != receipt.result_root:
        raise PeerError(Reason.BAD_TERMS, "the terms name another result root than the receipt has")
    if terms.audited.counts != tuple(count.successes for count in receipt.counts):
        raise PeerError(Reason.BAD_TERMS, "the terms name other counts than the receipt has")
    for name, now, before in (
        ("claims", _judged(terms), _judged(then)),
        ("test set", terms.test_set, then.test_set),
        ("model claim", terms.model_claim, then.model_claim),
        ("populations", (terms.plan.samples, terms.strata), (then.plan.samples, then.strata)),
    ):
        if now != before:
            raise PeerError(Reason.BAD_TERMS, f"the {name} of the terms are not those of the sealed session")


def first_receipt(sealed: Facts) -> tuple[Receipt, Statement]:
    """The first receipt of a sealed session and the statement that its chamber signed; all state the same counts.

    Raises:
        PeerError: BAD_TERMS, where no chamber gave one.
    """
    for stated, outcome in zip(sealed.chambers, sealed.outcomes, strict=False):
        if isinstance(outcome, Receipt):
            kind = SIMULATED_RECEIPT if stated.keys.simulated else RECEIPT
            return outcome, Statement(kind, (Subject("exercise", outcome.exercise),), outcome.document())
    raise PeerError(Reason.BAD_TERMS, "the sealed session ended without a receipt")


def _judged(terms: Terms) -> list[tuple[object, ...]]:
    """What decides the results that a receipt commits to, claim by claim; risks and assurance may differ."""
    return [
        (claim.claim_id, claim.stratum, claim.grader, claim.events, claim.at_most)
        for claim in terms.metric_claims
    ]
