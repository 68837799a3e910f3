"""Room: the session. What messages 1 to 6 must satisfy: who meets, the terms, the coins; `exercise` calls it."""

from collections.abc import Sequence

from parley_attestation import keys, registration, statement
from parley_attestation.encoding import Digest, Label, digest, mac
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.model.claim import read_claim
from parley_attestation.session import messages as m
from parley_attestation.session import schedule
from parley_attestation.session.audit import Audit
from parley_attestation.session.backing import read_support
from parley_attestation.session.checks import Check
from parley_attestation.session.facts import (
    Channel,
    Context,
    Earlier,
    Expect,
    agreed,
    audit_of,
    exercise_of,
    plain,
)
from parley_attestation.session.sealed import check_bits
from parley_attestation.terms import exercise_id, read_terms

VERSION = 1
SUITE = 1


def coin_commitment(key: bytes, exercise: Digest, role: Role, coin: bytes) -> Digest:
    """Commit to a party's coin for one exercise."""
    return mac(key, Label.COIN, exercise, role.encode(), coin)


def greet(at: Context, sender: Role, key: bytes, body: m.Hello | m.HelloReply) -> Expect:
    """What a Hello or HelloReply under `key` must satisfy. Raises `PeerError`."""
    facts = at.facts
    if isinstance(body, m.HelloReply):
        if (body.version, body.suite, body.mode) not in facts.offers:
            raise PeerError(Reason.UNSUPPORTED_VERSION, "the prover chose what the verifier did not offer")
        if body.nonce == facts.nonces[Role.VERIFIER]:
            raise PeerError(Reason.MALFORMED, "both parties show one nonce")
    else:
        offers = frozenset((v, s, mode) for v in body.versions for s in body.suites for mode in body.modes)
        if (VERSION, SUITE, at.mode) not in offers:
            raise PeerError(
                Reason.UNSUPPORTED_VERSION, f"expected an offer of version 1, suite 1, mode {at.mode}"
            )
    history = keys.read_history(body.key_history)
    history.certified(key, sender, None)
    pinned = at.pins.get(sender)
    if pinned is not None and history.owner != pinned:
        raise PeerError(
            Reason.UNKNOWN_PARTY,
            f"the {sender}'s root is {history.owner.hex()}, pinned is {pinned.hex()}",
            hint="compare the peer card with the one you were given",
        )
    channel = Channel(body.verifier_tls, body.prover_tls)
    for known in (at.channel, facts.channel):
        if known is not None and known != channel:
            raise PeerError(
                Reason.CHANNEL_MISMATCH, f"the {sender} names other TLS certificates than the channel"
            )

    def record() -> None:
        if isinstance(body, m.Hello):
            facts.offers = offers
        facts.histories[sender] = history
        facts.session_keys[sender] = key
        facts.nonces[sender] = body.nonce
        facts.channel = channel
        at.checks[Check.IDENTITY] += 1
        at.checks[Check.CHANNEL] += 1

    return plain(record)


def propose(at: Context, sender: Role, body: m.Propose) -> Expect:
    """What Propose must satisfy. Raises `PeerError`."""
    facts = at.facts
    said = statement.open_sealed(body.terms, facts.session_keys[sender])
    terms = read_terms(said)
    owner = facts.histories[Role.VERIFIER]
    if (terms.verifier, terms.prover) != (owner.owner, facts.histories[Role.PROVER].owner):
        raise PeerError(Reason.BAD_TERMS, "the terms name other parties than this session has")
    if terms.mode != at.mode:
        raise PeerError(Reason.BAD_TERMS, f"expected terms of mode {at.mode}, got {terms.mode}")
    earlier = at.earlier(exercise_id(said))
    _check_attempt(body, earlier)
    test_set = registration.read_registration(body.test_set, owner.root)
    if test_set.owner != owner.owner:
        raise PeerError(Reason.BAD_REGISTRATION, "the test set belongs to another party")
    schedule.check_graders(terms, test_set)
    audit = Audit.begin(terms, schedule.frames(terms, test_set), (0,) * len(terms.sampled_claims))
    check_bits(terms, audit)

    def record() -> None:
        facts.terms, facts.terms_statement, facts.test_set = terms, said, test_set
        facts.attempt, facts.earlier_heads = body.attempt, body.earlier_heads
        facts.earlier = earlier.facts if earlier is not None else None
        facts.exercise = exercise_id(said)
        facts.coin_commitments[Role.VERIFIER] = body.coin_commitment
        at.checks[Check.TERMS] += 1
        at.checks[Check.TEST_SET] += 1

    return plain(record)


def _check_attempt(body: m.Propose, earlier: Earlier | None) -> None:
    """Attempt k continues attempt k - 1: same coins, same order; there is none after Open."""
    if earlier is None:
        if body.attempt != 1 or body.earlier_heads:
            raise PeerError(Reason.BAD_ATTEMPT, "no earlier attempt at this exercise is known here")
        return
    if earlier.over:
        raise PeerError(Reason.BAD_ATTEMPT, "the exercise has ended: nothing can continue it")
    if earlier.facts.attempt >= m.MAX_ATTEMPTS:
        raise PeerError(Reason.BAD_ATTEMPT, f"expected at most {m.MAX_ATTEMPTS} attempts at an exercise")
    expected = (*earlier.facts.earlier_heads, earlier.head)
    if body.attempt != earlier.facts.attempt + 1 or body.earlier_heads != expected:
        raise PeerError(
            Reason.BAD_ATTEMPT, f"expected attempt {earlier.facts.attempt + 1}, naming where the others ended"
        )
    if body.coin_commitment != earlier.facts.coin_commitments[Role.VERIFIER]:
        raise PeerError(Reason.BAD_COIN, "a later attempt has the coin of the first")


def accept(at: Context, sender: Role, body: m.Accept, heads: Sequence[Digest]) -> Expect:
    """What Accept, after the messages `heads`, must satisfy. Raises `PeerError`."""
    facts = at.facts
    terms, test_set = agreed(at)
    assert facts.terms_statement is not None
    if body.terms_digest != facts.terms_statement.digest():
        raise PeerError(Reason.WRONG_TERMS, "the prover accepts other terms than were proposed")
    owner = facts.histories[sender]
    claim = read_claim(body.model_claim, owner.root)
    if claim.owner != owner.owner or claim.statement.digest() != terms.model_claim:
        raise PeerError(Reason.BAD_MODEL_CLAIM, "the model claim is not the one that the terms name")
    earlier = facts.earlier
    if earlier is not None and earlier.audit is not None:
        if body.declared_counts != earlier.audit.declared:
            raise PeerError(Reason.BAD_COUNT, "a later attempt declares the counts of the first")
        if body.coin_commitment != earlier.coin_commitments[Role.PROVER]:
            raise PeerError(Reason.BAD_COIN, "a later attempt has the coin of the first")
        audit = earlier.audit.continued()
    else:
        audit = Audit.begin(terms, schedule.frames(terms, test_set), body.declared_counts)

    support = read_support(facts, heads, body.evidence, facts.session_keys[sender])

    def record() -> None:
        facts.model_claim, facts.audit, facts.support = claim, audit, support
        facts.coin_commitments[sender] = body.coin_commitment
        at.checks[Check.TERMS] += 1
        at.checks[Check.MODEL_CLAIM] += 1

    return plain(record)


def coin(at: Context, sender: Role, body: m.Coin) -> Expect:
    """What a Coin must satisfy; the second one gives the seed. Raises `PeerError`."""
    facts = at.facts
    exercise = exercise_of(at)
    if coin_commitment(body.key, exercise, sender, body.coin) != facts.coin_commitments[sender]:
        raise PeerError(Reason.BAD_COIN, f"the {sender}'s coin does not open its commitment")

    def record() -> None:
        facts.coins[sender] = body.coin
        at.checks[Check.COINS] += 1
        if sender is Role.PROVER:
            facts.seed = digest(
                Label.SEED,
                exercise,
                facts.coin_commitments[Role.VERIFIER],
                facts.coin_commitments[Role.PROVER],
                facts.coins[Role.VERIFIER],
                facts.coins[Role.PROVER],
            )
            audit_of(at).seed(agreed(at)[1].root, facts.seed)

    return plain(record)
