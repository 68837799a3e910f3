"""Room: the session. What the messages of sealed mode must satisfy, from the seed on; the machine calls it."""

from collections.abc import Sequence

from parley_attestation import sealed_verdict
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.evidence import Assurance, AttestationResult
from parley_attestation.receipt import Outcome, Receipt, StatedKeys, exercise_bits, read_keys, read_outcome
from parley_attestation.runtime import NO_CLASS
from parley_attestation.sealing import Grant, Sealed
from parley_attestation.session import messages as m
from parley_attestation.session.audit import Audit
from parley_attestation.session.backing import read_chamber
from parley_attestation.session.checks import Check
from parley_attestation.session.facts import Context, Ending, Expect, Facts, plain
from parley_attestation.terms import Terms


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


def grants(facts: Facts, role: Role, size: int) -> tuple[Grant, ...]:
    """What a party's data key is released to: one grant per chamber."""
    content, policy = sealed_content(facts, role, size), policy_digest(facts)
    return tuple(Grant(content, stated.statement.digest(), policy) for stated in facts.chambers)


def check_bits(terms: Terms, audit: Audit) -> None:
    """Refuse terms of sealed mode from whose chambers more could leave than they allow.

    Raises:
        PeerError: BAD_TERMS.
    """
    if terms.sealed is None:
        return
    bits = exercise_bits([audit.frames[audit.frame_of(claim)].size for claim in audit.claims], terms.sealed)
    if bits > terms.sealed.bits:
        raise PeerError(
            Reason.BAD_TERMS, f"{bits} bits could leave the chambers, the terms allow {terms.sealed.bits}"
        )


def evidence(at: Context, body: m.Evidence, heads: Sequence[Digest]) -> Expect:
    """The keys of every chamber, and its evidence where the terms have a policy for it."""
    facts, shown = at.facts, read_evidence(at.facts, body, heads)

    def record() -> None:
        facts.chambers = tuple(stated for stated, _ in shown)
        facts.chambers_said = tuple((one.keys, one.evidence) for one in body.chambers)
        facts.appraisals = tuple(result for _, result in shown)
        at.checks[Check.CHAMBER] += 1

    return plain(record)


def read_evidence(
    facts: Facts, body: m.Evidence, heads: Sequence[Digest]
) -> list[tuple[StatedKeys, AttestationResult | None]]:
    """What chambers say of themselves in this session: their keys, and their evidence as the terms appraise it.

    The verifier calls it before it embeds what they gave, the machine when it is on the record.

    Raises:
        PeerError: BAD_EVIDENCE, BAD_SIGNATURE, BAD_STATEMENT. Evidence that fails the policy raises
            nothing: each party refuses its key by itself.
    """
    assert facts.terms is not None
    assert facts.terms.sealed is not None
    _one_each(body.chambers, facts.terms.sealed.quorum, Reason.BAD_EVIDENCE)
    shown = [_chamber(facts, one, heads) for one in body.chambers]
    if len({stated.operator.key for stated, _ in shown}) != len(shown):
        raise PeerError(Reason.BAD_EVIDENCE, "expected every chamber under an operator of its own")
    return shown


def _chamber(
    facts: Facts, shown: m.ChamberEvidence, heads: Sequence[Digest]
) -> tuple[StatedKeys, AttestationResult | None]:
    assert facts.terms is not None
    assert facts.terms_statement is not None
    stated = read_keys(shown.keys, facts.terms, Digest(facts.session_id), facts.terms_statement.digest())
    wanted = facts.terms.evidence_policy is not None
    if wanted is not bool(shown.evidence):
        raise PeerError(Reason.BAD_EVIDENCE, "expected evidence exactly where the terms have a policy for it")
    result = read_chamber(facts, heads, shown.evidence, stated.keys) if wanted else None
    simulated = result is not None and result.assurance is Assurance.SIMULATED
    if stated.keys.simulated is not simulated:
        raise PeerError(Reason.BAD_EVIDENCE, "the chamber's keys and its evidence differ about a simulation")
    return stated, result


def _one_each(found: Sequence[object], chambers: int, reason: Reason) -> None:
    if len(found) != chambers:
        raise PeerError(reason, f"expected one entry for each of {chambers} chambers, got {len(found)}")


def release(at: Context, sender: Role, body: m.Release) -> Expect:
    """A party's data key for the chambers whose keys are on the record."""
    facts = at.facts
    if [one.keys_digest for one in body.keys] != [one.statement.digest() for one in facts.chambers]:
        raise PeerError(Reason.BAD_SEAL, "the key is released to other chamber keys than the record shows")
    given = grants(facts, sender, body.size)

    def record() -> None:
        facts.released[sender] = given
        facts.wrapped[sender] = tuple(one.wrapped for one in body.keys)
        at.checks[Check.RELEASES] += 1

    return plain(record)


def refusal(at: Context, sender: Role, body: m.Refusal) -> Expect:
    """A signed refusal with its reason."""

    def record() -> None:
        at.facts.ending = Ending(sender, body.kind, body.reason, body.detail)

    return plain(record)


def receipt(at: Context, body: m.Receipt) -> Expect:
    """What every run left: of these keys, and a receipt is over the whole of every population."""
    facts, found = at.facts, read_outcomes(at.facts, body)

    def record() -> None:
        facts.outcomes = found
        facts.verdict = sealed_verdict.derive(at.mode, facts)
        at.checks[Check.RECEIPT] += 1
        at.checks[Check.VERDICT] += 1

    return plain(record)


def read_outcomes(facts: Facts, body: m.Receipt) -> tuple[Outcome, ...]:
    """Verify what the chambers on the record left, and that it is about this session.

    The verifier calls it before it embeds what they gave, the machine when it is on the record.

    Raises:
        PeerError: BAD_RECEIPT, BAD_SIGNATURE, BAD_STATEMENT.
    """
    _one_each(body.statements, len(facts.chambers), Reason.BAD_RECEIPT)
    found = tuple(read_outcome(one, keys) for one, keys in zip(body.statements, facts.chambers, strict=True))
    for place, one in enumerate(found):
        check_outcome(facts, one, place)
    return found


def check_outcome(facts: Facts, found: Outcome, place: int = 0) -> None:
    """Compare what a run left with what the session agreed on.

    Args:
        facts: The session.
        found: What the chamber signed.
        place: The chamber's place in Evidence; the first one alone hands results over.

    Raises:
        PeerError: BAD_RECEIPT.
    """
    assert facts.terms is not None
    assert facts.test_set is not None
    agreed: dict[str, Digest | None] = {"exercise": facts.exercise}
    if isinstance(found, Receipt):
        agreed |= {
            "model_claim": facts.terms.model_claim,
            "test_set": facts.test_set.root,
            "runtime": facts.terms.runtime,
        }
    for name, value in agreed.items():
        if getattr(found, name) != value:
            raise PeerError(Reason.BAD_RECEIPT, f"the receipt is about another {name.replace('_', ' ')}")
    if isinstance(found, Receipt):
        _check_counts(facts, facts.terms, found)
        if found.handed_over != (found.results if hands_over(facts.terms, place) else 0):
            raise PeerError(Reason.BAD_RECEIPT, "the receipt hands over other results than the terms say")


def hands_over(terms: Terms, place: int) -> bool:
    """Whether the chamber at a place of Evidence gives the verifier every result."""
    return terms.sealed is not None and terms.sealed.hand_over and place == 0


def _check_counts(facts: Facts, terms: Terms, found: Receipt) -> None:
    assert facts.audit is not None
    assert terms.sealed is not None
    audit, rules = facts.audit, terms.sealed
    whole = [(c.claim_id, audit.frames[audit.frame_of(c)].size) for c in audit.claims]
    if [(c.claim_id, c.population) for c in found.counts] != whole:
        raise PeerError(Reason.BAD_RECEIPT, "expected one count for every claim, over its whole population")
    if found.round_to != rules.round_to or any(c.successes % rules.round_to for c in found.counts):
        raise PeerError(Reason.BAD_RECEIPT, f"expected counts rounded down to multiples of {rules.round_to}")
    if found.run > rules.runs:
        raise PeerError(
            Reason.BAD_RECEIPT,
            f"this is run {found.run} of the set and the claim, the terms allow {rules.runs}",
        )
    if (found.execution_class == NO_CLASS) is not rules.program:
        raise PeerError(Reason.BAD_RECEIPT, "the receipt and the terms differ about whose program ran")


def result_root_of(facts: Facts) -> Digest:
    """The root that both parties acknowledge: the first receipt's, or zeros where every chamber refused."""
    roots = (one.result_root for one in facts.outcomes if isinstance(one, Receipt))
    return next(roots, Digest(bytes(32)))


def acknowledge(at: Context, sender: Role, body: m.Acknowledge) -> Expect:
    """The verdict that follows, and the chamber's root: result bits stay closed in this mode."""
    facts = at.facts
    assert facts.verdict is not None
    if body.verdict_digest != facts.verdict.digest():
        raise PeerError(
            Reason.WRONG_VERDICT, f"the {sender} acknowledges another verdict than the record gives"
        )
    if body.result_root != result_root_of(facts):
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
