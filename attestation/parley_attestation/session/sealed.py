"""Room: the session. What the messages of sealed mode must satisfy, from the seed on; the machine calls it."""

from collections.abc import Sequence

from parley_attestation import sealed_verdict
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.evidence import Assurance
from parley_attestation.receipt import Receipt, StatedKeys, read_keys, read_receipt, read_simulated
from parley_attestation.sealing import Grant, Sealed
from parley_attestation.session import messages as m
from parley_attestation.session.backing import read_chamber
from parley_attestation.session.checks import Check
from parley_attestation.session.facts import Context, Ending, Expect, Facts, plain


def policy_digest(facts: Facts) -> Digest:
    """What a release names as its policy: the terms, which carry the agreed one and the custody."""
    assert facts.terms_statement is not None
    return facts.terms_statement.digest()


def sealed_content(facts: Facts, role: Role, size: int) -> Sealed:
    """What a party's sealed content must be in this session."""
    assert facts.model_claim is not None
    assert facts.test_set is not None
    commitment = facts.model_claim.commitment if role is Role.PROVER else facts.test_set.root
    return Sealed(role, Digest(facts.session_id), commitment, size)


def grant(facts: Facts, role: Role, size: int) -> Grant:
    """What a party's data key is released to."""
    return Grant(sealed_content(facts, role, size), _stated(facts).statement.digest(), policy_digest(facts))


def _stated(facts: Facts) -> StatedKeys:
    assert facts.chamber is not None
    return facts.chamber


def evidence(at: Context, body: m.Evidence, heads: Sequence[Digest]) -> Expect:
    """The chamber's keys, and its evidence where the terms have a policy for it."""
    facts = at.facts
    assert facts.terms is not None
    assert facts.terms_statement is not None
    stated = read_keys(body.keys, facts.terms, Digest(facts.session_id), facts.terms_statement.digest())
    wanted = facts.terms.evidence_policy is not None
    if wanted is not bool(body.evidence):
        raise PeerError(Reason.BAD_EVIDENCE, "expected evidence exactly where the terms have a policy for it")
    result = read_chamber(facts, heads, body.evidence, stated.keys) if wanted else None
    simulated = result is not None and result.assurance is Assurance.SIMULATED
    if stated.keys.simulated is not simulated:
        raise PeerError(Reason.BAD_EVIDENCE, "the chamber's keys and its evidence differ about a simulation")

    def record() -> None:
        facts.chamber, facts.chamber_result = stated, result
        at.checks[Check.CHAMBER] += 1

    return plain(record)


def release(at: Context, sender: Role, body: m.Release) -> Expect:
    """A party's data key for the chamber whose keys are on the record."""
    facts = at.facts
    if body.keys_digest != _stated(facts).statement.digest():
        raise PeerError(Reason.BAD_SEAL, "the key is released to other chamber keys than the record shows")
    given = grant(facts, sender, body.size)

    def record() -> None:
        facts.released[sender], facts.wrapped[sender] = given, body.wrapped
        at.checks[Check.RELEASES] += 1

    return plain(record)


def refusal(at: Context, sender: Role, body: m.Refusal) -> Expect:
    """A signed refusal with its reason."""

    def record() -> None:
        at.facts.ending = Ending(sender, body.kind, body.reason, body.detail)

    return plain(record)


def receipt(at: Context, body: m.Receipt) -> Expect:
    """The outcome of the run: of these keys, over the whole of every population."""
    facts, stated = at.facts, _stated(at.facts)
    found = (
        read_simulated(body.statement, stated).outcome
        if stated.keys.simulated
        else read_receipt(body.statement, stated)
    )
    check_receipt(facts, found)

    def record() -> None:
        facts.receipt = found
        facts.verdict = sealed_verdict.derive(at.mode, facts)
        at.checks[Check.RECEIPT] += 1
        at.checks[Check.VERDICT] += 1

    return plain(record)


def check_receipt(facts: Facts, found: Receipt) -> None:
    """Compare a receipt with what the session agreed on. Raises `PeerError` (BAD_RECEIPT)."""
    assert facts.terms is not None
    assert facts.test_set is not None
    assert facts.audit is not None
    audit = facts.audit
    agreed = {
        "exercise": facts.exercise,
        "model_claim": facts.terms.model_claim,
        "test_set": facts.test_set.root,
        "runtime": facts.terms.runtime,
    }
    for name, value in agreed.items():
        if getattr(found, name) != value:
            raise PeerError(Reason.BAD_RECEIPT, f"the receipt is about another {name.replace('_', ' ')}")
    whole = [(c.claim_id, audit.frames[audit.frame_of(c)].size) for c in audit.claims]
    if [(c.claim_id, c.population) for c in found.counts] != whole:
        raise PeerError(Reason.BAD_RECEIPT, "expected one count for every claim, over its whole population")


def acknowledge(at: Context, sender: Role, body: m.Acknowledge) -> Expect:
    """The verdict that follows, and the chamber's root: result bits stay closed in this mode."""
    facts = at.facts
    assert facts.verdict is not None
    assert facts.receipt is not None
    if body.verdict_digest != facts.verdict.digest():
        raise PeerError(
            Reason.WRONG_VERDICT, f"the {sender} acknowledges another verdict than the record gives"
        )
    if body.result_root != facts.receipt.result_root:
        raise PeerError(Reason.WRONG_RESULT_BITS, f"the {sender} names another root than the receipt")

    def record() -> None:
        facts.acknowledged[sender] = body.verdict_digest
        facts.result_roots[sender] = body.result_root

    return plain(record)


def receive(at: Context, sender: Role, body: m.Body, heads: Sequence[Digest]) -> Expect | None:
    """Check a message of sealed mode; None for one that both modes share."""
    if isinstance(body, m.Evidence):
        return evidence(at, body, heads)
    if isinstance(body, m.Release):
        return release(at, sender, body)
    if isinstance(body, m.Refusal):
        return refusal(at, sender, body)
    if isinstance(body, m.Receipt):
        return receipt(at, body)
    return acknowledge(at, sender, body) if isinstance(body, m.Acknowledge) else None
