"""Room: the session. What each message of open mode must satisfy; called by the machine alone.

`receive` checks a message and returns what its content must satisfy. Nothing is changed before all
of a turn has held: every handler ends with a function that first checks the blobs and then records.
"""

from collections.abc import Callable, Sequence
from typing import Any

from parley_attestation import keys, merkle, registration, statement, verdict
from parley_attestation.binding import YES, Binding, check_binding, read_binding, units_digest
from parley_attestation.commitment import Field, SetName, item_leaf, verify_item, verify_output
from parley_attestation.encoding import Bytes32, Digest, Label, digest, mac
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.model.claim import read_claim
from parley_attestation.script import least_output, read_answers, read_script
from parley_attestation.session import messages as m
from parley_attestation.session import schedule, sealed
from parley_attestation.session.audit import Audit, Challenged
from parley_attestation.session.backing import read_support
from parley_attestation.session.checks import Check
from parley_attestation.session.facts import Channel, Context, Earlier, Ending, Expect, Facts
from parley_attestation.session.results import result_root, split
from parley_attestation.session.turns import Blob, Withheld, blob_digest
from parley_attestation.terms import Terms, exercise_id, read_terms

VERSION = 1
SUITE = 1

# Reasons for which bytes that a party signed prove no fault of its own: another may have carried them here.
NOBODYS_FAULT = frozenset({Reason.UNKNOWN_PARTY, Reason.CHANNEL_MISMATCH})


def receive(at: Context, sender: Role, key: bytes, body: m.Body, heads: Sequence[Digest]) -> Expect:
    """Check `body`, whose signature by `key`, header and place after the messages `heads` hold.

    Raises:
        PeerError: The message breaks the protocol.
    """
    if isinstance(body, m.Hello | m.HelloReply):
        return _greet(at, sender, key, body)
    if isinstance(body, m.Accept):
        return _accept(at, sender, body, heads)
    if at.mode == "sealed" and (expect := sealed.receive(at, sender, body, heads)) is not None:
        return expect
    return _HANDLERS[type(body)](at, sender, body)


def coin_commitment(key: bytes, exercise: Digest, role: Role, coin: bytes) -> Digest:
    """Commit to a party's coin for one exercise."""
    return mac(key, Label.COIN, exercise, role.encode(), coin)


def _plain(record: Callable[[], None]) -> Expect:
    return Expect((), lambda _blobs: record())


def _keyed(sizes: Sequence[int], finish: Callable[[Sequence[Blob]], None]) -> Expect:
    """Content in blobs of 32 bytes of key and then `sizes` bytes each."""
    return Expect(tuple(32 + size for size in sizes), finish)


def _greet(at: Context, sender: Role, key: bytes, body: m.Hello | m.HelloReply) -> Expect:
    facts = at.facts
    if isinstance(body, m.HelloReply):
        if (body.version, body.suite, body.mode) not in facts.offers:
            raise PeerError(Reason.UNSUPPORTED_VERSION, "the prover chose what the verifier did not offer")
        if key == facts.session_keys[Role.VERIFIER]:
            raise PeerError(Reason.BAD_KEY, "both parties sign with one key")
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

    return _plain(record)


def _propose(at: Context, sender: Role, body: m.Propose) -> Expect:
    facts = at.facts
    said = statement.open_sealed(body.terms, facts.session_keys[sender])
    terms = read_terms(said)
    owner = facts.histories[Role.VERIFIER]
    if (terms.verifier, terms.prover) != (owner.owner, facts.histories[Role.PROVER].owner):
        raise PeerError(Reason.BAD_TERMS, "the terms name other parties than this session has")
    if terms.mode != at.mode:
        raise PeerError(Reason.BAD_TERMS, f"expected terms of mode {at.mode}, got {terms.mode}")
    if at.mode == "sealed" and terms.runtime is None:
        raise PeerError(Reason.BAD_TERMS, "sealed mode needs a chamber: its operators and the runtime")
    earlier = at.earlier(exercise_id(said))
    _check_attempt(body, earlier)
    test_set = registration.read_registration(body.test_set, owner.root)
    if test_set.owner != owner.owner:
        raise PeerError(Reason.BAD_REGISTRATION, "the test set belongs to another party")
    _check_graders(terms, test_set)
    Audit.begin(terms, schedule.frames(terms, test_set), (0,) * len(terms.metric_claims))

    def record() -> None:
        facts.terms, facts.terms_statement, facts.test_set = terms, said, test_set
        facts.attempt, facts.earlier_heads = body.attempt, body.earlier_heads
        facts.earlier = earlier.facts if earlier is not None else None
        facts.exercise = exercise_id(said)
        facts.coin_commitments[Role.VERIFIER] = body.coin_commitment
        at.checks[Check.TERMS] += 1
        at.checks[Check.TEST_SET] += 1

    return _plain(record)


def _check_attempt(body: m.Propose, earlier: Earlier | None) -> None:
    """Attempt k continues attempt k - 1: same coins, same order; there is none after Open."""
    if earlier is None:
        if body.attempt != 1 or body.earlier_heads:
            raise PeerError(Reason.BAD_ATTEMPT, "no earlier attempt at this exercise is known here")
        return
    if earlier.over:
        raise PeerError(Reason.BAD_ATTEMPT, "the exercise has ended: nothing can continue it")
    expected = (*earlier.facts.earlier_heads, earlier.head)
    if body.attempt != earlier.facts.attempt + 1 or body.earlier_heads != expected:
        raise PeerError(
            Reason.BAD_ATTEMPT, f"expected attempt {earlier.facts.attempt + 1}, naming where the others ended"
        )
    if body.coin_commitment != earlier.facts.coin_commitments[Role.VERIFIER]:
        raise PeerError(Reason.BAD_COIN, "a later attempt has the coin of the first")


def _check_graders(terms: Terms, test_set: registration.TestSet) -> None:
    known = set(test_set.graders)
    for claim in terms.metric_claims:
        if claim.grader.digest() not in known:
            raise PeerError(
                Reason.BAD_TERMS,
                f"claim {claim.claim_id}: its grader is not one the test set was registered for",
            )


def _accept(at: Context, sender: Role, body: m.Accept, heads: Sequence[Digest]) -> Expect:
    facts = at.facts
    terms, test_set = _agreed(at)
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

    return _plain(record)


def _agreed(at: Context) -> tuple[Terms, registration.TestSet]:
    assert at.facts.terms is not None
    assert at.facts.test_set is not None
    return at.facts.terms, at.facts.test_set


def _audit(at: Context) -> Audit:
    assert at.facts.audit is not None
    return at.facts.audit


def _exercise(at: Context) -> Digest:
    assert at.facts.exercise is not None
    return at.facts.exercise


def _ending(at: Context, sender: Role, body: m.Decline | m.Abort) -> Expect:
    def record() -> None:
        at.facts.ending = Ending(sender, body.kind, body.reason, body.detail)

    return _plain(record)


def _coin(at: Context, sender: Role, body: m.Coin) -> Expect:
    facts = at.facts
    exercise = _exercise(at)
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
            _audit(at).seed(_agreed(at)[1].root, facts.seed)

    return _plain(record)


def _challenge(at: Context, _sender: Role, body: m.Challenge) -> Expect:
    terms, test_set = _agreed(at)
    audit = _audit(at)
    if len(body.units) > most_units(terms):
        raise PeerError(Reason.OVER_CAP, f"expected at most {most_units(terms)} units in a challenge")
    numbers = audit.check_challenge(body.units)
    _check_caps([u.size for u in body.units], terms.caps.prompt, terms.caps.turn, "prompt")
    for unit in body.units:
        leaf = item_leaf(unit.prompt_commitment, unit.reference_commitment)
        merkle.verify_inclusion(leaf, unit.item, test_set.size, unit.proof, test_set.root)
    name = SetName(test_set.owner, test_set.set_id)

    def finish(blobs: Sequence[Blob]) -> None:
        for unit, blob in zip(body.units, blobs, strict=True):
            if isinstance(blob, bytes):
                verify_item(blob[:32], name, unit.item, Field.PROMPT, blob[32:], unit.prompt_commitment)
                if test_set.scripted and least_output(read_script(blob[32:]).slots) > terms.caps.output:
                    raise PeerError(Reason.OVER_CAP, "the cap on outputs cannot hold an answer to every slot")
        audit.challenge(body.units, numbers, blobs)
        at.facts.pending = len(body.units)
        at.checks[Check.TICKETS] += len(body.units)
        at.checks[Check.INCLUSION] += len(body.units)
        at.checks[Check.PROMPTS] += sum(isinstance(blob, bytes) for blob in blobs)

    return _keyed([u.size for u in body.units], finish)


def most_units(terms: Terms) -> int:
    """Units of one challenge at most: the plan's batch, and no more than answers that surely fit one turn."""
    return max(1, min(terms.plan.batch, terms.caps.turn // (terms.caps.output + 32)))


def _check_caps(sizes: Sequence[int], each: int, total: int, what: str) -> None:
    if max(sizes) > each:
        raise PeerError(Reason.OVER_CAP, f"expected a {what} of at most {each} bytes, got {max(sizes)}")
    if len(sizes) > 1 and sum(sizes) + 32 * len(sizes) > total:
        raise PeerError(Reason.OVER_CAP, f"expected at most {total} bytes of content in one turn")


def _answers(at: Context, _sender: Role, body: m.Answers) -> Expect:
    facts, (terms, test_set) = at.facts, _agreed(at)
    audit, exercise = _audit(at), _exercise(at)
    if len(body.answers) != facts.pending:
        raise PeerError(Reason.WRONG_UNITS, f"expected {facts.pending} answers, got {len(body.answers)}")
    _check_caps([a.size for a in body.answers], terms.caps.output, terms.caps.turn, "output")
    waiting = audit.waiting(facts.pending)

    def finish(blobs: Sequence[Blob]) -> None:
        for unit, answer, blob in zip(waiting, body.answers, blobs, strict=True):
            if isinstance(blob, bytes):
                verify_output(blob[:32], exercise, unit.name, blob[32:], answer.output_commitment)
                if test_set.scripted:
                    _check_answers(at, unit, blob[32:])
        for unit, answer, blob in zip(waiting, body.answers, blobs, strict=True):
            unit.output = blob_digest(blob)
            unit.output_commitment = answer.output_commitment
            unit.unseen = unit.unseen or isinstance(blob, Withheld)
            at.checks[Check.OUTPUTS] += isinstance(blob, bytes)
        facts.pending = 0

    return _keyed([a.size for a in body.answers], finish)


def _check_answers(at: Context, unit: Challenged, output: bytes) -> None:
    """An output to a script holds one answer per slot."""
    prompt, said = at.contents.get(unit.prompt), read_answers(output)
    if said is None or (prompt is not None and len(said) != read_script(prompt[32:]).slots):
        raise PeerError(Reason.WRONG_UNITS, "expected a canonical JSON list of one answer for every slot")


def _stop(at: Context, _sender: Role, body: m.Stop) -> Expect:
    audit = _audit(at)
    if len(body.counts) != len(audit.frames):
        raise PeerError(Reason.WRONG_UNITS, f"expected {len(audit.frames)} counts, got {len(body.counts)}")
    for count, challenged in zip(body.counts, audit.pointers, strict=True):
        if count > challenged:
            raise PeerError(
                Reason.STOP_TOO_EARLY, f"{count} units are said to count, {challenged} were challenged"
            )
        if count == 0:
            raise PeerError(Reason.STOP_TOO_EARLY, "no verdict follows from no unit")

    def record() -> None:
        at.facts.stop_counts = body.counts

    return _plain(record)


def _open(at: Context, _sender: Role, body: m.Open) -> Expect:
    terms, test_set = _agreed(at)
    audit = _audit(at)
    shown = audit.units[audit.opened : audit.opened + len(body.sizes)]
    if len(shown) != len(body.sizes):
        raise PeerError(Reason.WRONG_UNITS, "more references are shown than units were challenged")
    _check_caps(body.sizes, terms.caps.reference, terms.caps.turn, "reference")
    name = SetName(test_set.owner, test_set.set_id)

    def finish(blobs: Sequence[Blob]) -> None:
        for unit, blob in zip(shown, blobs, strict=True):
            if isinstance(blob, bytes):
                verify_item(
                    blob[:32], name, unit.name[0], Field.REFERENCE, blob[32:], unit.reference_commitment
                )
                for claim in audit.claims_of(unit.frame):
                    claim.grader.check_reference(blob[32:])
        _grade(at, audit, shown, blobs)
        audit.opened += len(shown)
        if audit.complete and not audit.redacted:
            try:
                tests = audit.check_stop(at.facts.stop_counts)
            except PeerError:
                audit.opened -= len(shown)
                for unit in shown:
                    unit.outcomes = None
                raise
            at.facts.verdict = verdict.derive(at.mode, at.facts, tests)
            at.checks[Check.STOP] += 1
            at.checks[Check.VERDICT] += 1

    return _keyed(body.sizes, finish)


def _grade(at: Context, audit: Audit, shown: Sequence[Challenged], blobs: Sequence[Blob]) -> None:
    for unit, blob in zip(shown, blobs, strict=True):
        output = at.contents.get(unit.output) if unit.output is not None else None
        if isinstance(blob, Withheld) or (unit.output is not None and output is None):
            unit.unseen = True
            continue
        at.checks[Check.REFERENCES] += 1
        if output is not None:
            unit.outcomes = tuple(c.grader.grade(output[32:], blob[32:]) for c in audit.claims_of(unit.frame))
            at.checks[Check.GRADES] += 1


def expected_binding(facts: Facts) -> Binding:
    """What a binding must name in a session whose references have all been shown; results are left open."""
    assert facts.terms is not None
    assert facts.terms_statement is not None
    assert facts.audit is not None
    assert facts.exercise is not None
    if facts.terms.runtime is None:
        raise PeerError(Reason.BAD_BINDING, "the terms ask for no binding")
    units = units_digest(facts.exercise, ((u.name, u.output_commitment) for u in facts.audit.units))
    return Binding(
        Digest(facts.session_id),
        facts.exercise,
        facts.terms_statement.digest(),
        facts.terms.model_claim,
        facts.terms.runtime,
        "",
        "",
        units,
        "",
    )


def _binding(at: Context, _sender: Role, body: m.Binding) -> Expect:
    facts, audit = at.facts, _audit(at)
    expected = expected_binding(facts)
    _all_open(audit)
    bound = read_binding(body.statement, _agreed(at)[0])
    check_binding(bound, expected, (unit.output_commitment is not None for unit in audit.units))

    def record() -> None:
        facts.binding = bound
        for unit, one in zip(audit.units, bound.binding.reproduced, strict=True):
            unit.reproduced = one == YES
        at.checks[Check.BINDING] += 1
        if facts.verdict is not None:
            facts.verdict = verdict.derive(at.mode, facts, audit.tests(reproduced=True)[0])

    return _plain(record)


def _acknowledge(at: Context, sender: Role, body: m.Acknowledge) -> Expect:
    facts, audit = at.facts, _audit(at)
    _all_open(audit)
    if _agreed(at)[0].runtime is not None and facts.binding is None:
        raise PeerError(Reason.BAD_BINDING, "the terms demand a chamber's binding before any acknowledgement")
    lengths = [len(audit.claims_of(unit.frame)) for unit in audit.units]
    derived = facts.verdict
    if derived is not None and body.verdict_digest != derived.digest():
        raise PeerError(
            Reason.WRONG_VERDICT, f"the {sender} acknowledges another verdict than the record gives"
        )

    def finish(blobs: Sequence[Blob]) -> None:
        (blob,) = blobs
        if isinstance(blob, bytes):
            codes = split(blob[32:], lengths)
            if derived is not None and codes != audit.outcome_bytes():
                raise PeerError(
                    Reason.WRONG_RESULT_BITS, f"the {sender}'s result bits are not the derived ones"
                )
            if result_root(Bytes32(blob[:32]), _exercise(at), codes) != body.result_root:
                raise PeerError(Reason.WRONG_RESULT_BITS, f"the {sender}'s result bits do not give its root")
            facts.result_bits[sender] = blob[32:]
            at.checks[Check.RESULT_BITS] += 1
        facts.acknowledged[sender] = body.verdict_digest
        facts.result_roots[sender] = body.result_root

    return _keyed([sum(lengths)], finish)


def _all_open(audit: Audit) -> None:
    if not audit.complete:
        raise PeerError(
            Reason.OUT_OF_ORDER,
            f"{len(audit.units) - audit.opened} challenged units have no reference shown yet",
        )


def _dissent(at: Context, sender: Role, body: m.Dissent) -> Expect:
    _all_open(_audit(at))

    def record() -> None:
        at.facts.dissents[sender] = body.detail

    return _plain(record)


_HANDLERS: dict[type[Any], Callable[[Context, Role, Any], Expect]] = {
    m.Propose: _propose,
    m.Decline: _ending,
    m.Coin: _coin,
    m.Challenge: _challenge,
    m.Answers: _answers,
    m.Stop: _stop,
    m.Open: _open,
    m.Binding: _binding,
    m.Acknowledge: _acknowledge,
    m.Dissent: _dissent,
    m.Abort: _ending,
}
