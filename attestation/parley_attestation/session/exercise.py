"""Room: the session. What each message of open mode must satisfy; called by the machine alone.

`receive` checks a message and returns what its content must satisfy. Nothing is changed before all
of a turn has held: every handler ends with a function that first checks the blobs and then records.
"""

from collections.abc import Callable, Sequence
from typing import Any

from parley_attestation import merkle, verdict
from parley_attestation.binding import YES, Binding, check_binding, read_binding, units_digest
from parley_attestation.commitment import Field, SetName, item_leaf, verify_item, verify_output
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.script import least_output, read_answers, read_script
from parley_attestation.session import agreement, sealed
from parley_attestation.session import messages as m
from parley_attestation.session.audit import UNANSWERED, Audit, Challenged
from parley_attestation.session.checks import Check
from parley_attestation.session.facts import (
    Context,
    Ending,
    Expect,
    Facts,
    Objection,
    agreed,
    audit_of,
    exercise_of,
    keyed,
    plain,
)
from parley_attestation.session.results import result_leaf, result_root, split
from parley_attestation.session.schedule import most_units
from parley_attestation.session.turns import Blob, Withheld, blob_digest

# Reasons for which bytes that a party signed prove no fault of its own: another may have carried them here.
NOBODYS_FAULT = frozenset({Reason.UNKNOWN_PARTY, Reason.CHANNEL_MISMATCH})


def receive(at: Context, sender: Role, key: bytes, body: m.Body, heads: Sequence[Digest]) -> Expect:
    """Check `body`, whose signature by `key`, header and place after the messages `heads` hold.

    Raises:
        PeerError: The message breaks the protocol.
    """
    if isinstance(body, m.Hello | m.HelloReply):
        return agreement.greet(at, sender, key, body)
    if isinstance(body, m.Accept):
        return agreement.accept(at, sender, body, heads)
    if at.mode == "sealed" and (expect := sealed.receive(at, sender, body, heads)) is not None:
        return expect
    return _HANDLERS[type(body)](at, sender, body)


def _ending(at: Context, sender: Role, body: m.Decline | m.Abort) -> Expect:
    def record() -> None:
        at.facts.ending = Ending(sender, body.kind, body.reason, body.detail)

    return plain(record)


def _challenge(at: Context, _sender: Role, body: m.Challenge) -> Expect:
    terms, test_set = agreed(at)
    audit = audit_of(at)
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

    return keyed([u.size for u in body.units], finish)


def _check_caps(sizes: Sequence[int], each: int, total: int, what: str) -> None:
    if max(sizes) > each:
        raise PeerError(Reason.OVER_CAP, f"expected a {what} of at most {each} bytes, got {max(sizes)}")
    if len(sizes) > 1 and sum(sizes) + 32 * len(sizes) > total:
        raise PeerError(Reason.OVER_CAP, f"expected at most {total} bytes of content in one turn")


def _answers(at: Context, _sender: Role, body: m.Answers) -> Expect:
    facts, (terms, test_set) = at.facts, agreed(at)
    audit, exercise = audit_of(at), exercise_of(at)
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

    return keyed([a.size for a in body.answers], finish)


def _check_answers(at: Context, unit: Challenged, output: bytes) -> None:
    """An output to a script holds one answer per slot."""
    prompt, said = at.contents.get(unit.prompt), read_answers(output)
    if said is None or (prompt is not None and len(said) != read_script(prompt[32:]).slots):
        raise PeerError(Reason.WRONG_UNITS, "expected a canonical JSON list of one answer for every slot")


def _stop(at: Context, _sender: Role, body: m.Stop) -> Expect:
    audit = audit_of(at)
    if len(body.counts) != len(audit.frames):
        raise PeerError(Reason.WRONG_UNITS, f"expected {len(audit.frames)} counts, got {len(body.counts)}")
    for number, count in enumerate(body.counts):
        if count > (challenged := audit.challenged(number)):
            raise PeerError(
                Reason.STOP_TOO_EARLY, f"{count} units are said to count, {challenged} were challenged"
            )
        if count == 0:
            raise PeerError(Reason.STOP_TOO_EARLY, "no verdict follows from no unit")

    def record() -> None:
        at.facts.stop_counts = body.counts

    return plain(record)


def _open(at: Context, _sender: Role, body: m.Open) -> Expect:
    terms, test_set = agreed(at)
    audit = audit_of(at)
    shown = audit.units[audit.opened : audit.opened + len(body.sizes)]
    if len(shown) != len(body.sizes):
        raise PeerError(Reason.WRONG_UNITS, "more references are shown than units were challenged")
    _check_caps(body.sizes, terms.caps.reference, terms.caps.turn, "reference")
    _check_claimed(audit, shown, body.results)
    name = SetName(test_set.owner, test_set.set_id)

    def finish(blobs: Sequence[Blob]) -> None:
        for unit, blob in zip(shown, blobs, strict=True):
            if isinstance(blob, bytes):
                verify_item(
                    blob[:32], name, unit.name[0], Field.REFERENCE, blob[32:], unit.reference_commitment
                )
        told = audit.unmark(shown, [blob[32:] if isinstance(blob, bytes) else None for blob in blobs])
        for unit, blob, (_, reference) in zip(shown, blobs, told, strict=True):
            if isinstance(blob, bytes):
                for claim in audit.claims_of(unit.frame):
                    claim.grader.check_reference(reference)
        _grade(at, audit, shown, blobs, told)
        for unit, one in zip(shown, body.results, strict=False):
            unit.claimed = one.codes
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

    return keyed(body.sizes, finish)


def _check_claimed(audit: Audit, shown: Sequence[Challenged], results: Sequence[m.ClaimedResult]) -> None:
    """Results that the audited receipt's root commits to, of exactly the units shown."""
    receipt = audit.receipt
    if len(results) != (0 if receipt is None else len(shown)):
        raise PeerError(Reason.WRONG_UNITS, "expected a claimed result for every unit of an audited receipt")
    for unit, one in zip(shown, results, strict=False):
        assert receipt is not None
        place, size = audit.claimed_place(unit)
        if len(one.codes) != len(audit.claims_of(unit.frame)) or max(one.codes) > UNANSWERED:
            raise PeerError(Reason.WRONG_RESULT_BITS, "expected one result for every claim over the unit")
        leaf = result_leaf(one.key, receipt.exercise, place, one.codes)
        merkle.verify_inclusion(leaf, place, size, one.proof, receipt.result_root)


def _grade(
    at: Context,
    audit: Audit,
    shown: Sequence[Challenged],
    blobs: Sequence[Blob],
    told: Sequence[tuple[str, bytes]],
) -> None:
    for unit, blob, (member, reference) in zip(shown, blobs, told, strict=True):
        output = at.contents.get(unit.output) if unit.output is not None else None
        unit.member = member
        if isinstance(blob, Withheld) or (unit.output is not None and output is None):
            unit.unseen = True
            continue
        at.checks[Check.REFERENCES] += 1
        if output is not None:
            unit.outcomes = tuple(c.grade(output[32:], reference) for c in audit.claims_of(unit.frame))
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
    facts, audit = at.facts, audit_of(at)
    expected = expected_binding(facts)
    _all_open(audit)
    bound = read_binding(body.statement, agreed(at)[0])
    check_binding(bound, expected, (unit.output_commitment is not None for unit in audit.units))

    def record() -> None:
        facts.binding = bound
        for unit, one in zip(audit.units, bound.binding.reproduced, strict=True):
            unit.reproduced = one == YES
        at.checks[Check.BINDING] += 1
        if facts.verdict is not None:
            facts.verdict = verdict.derive(at.mode, facts, audit.tests(reproduced=True)[0])

    return plain(record)


def _acknowledge(at: Context, sender: Role, body: m.Acknowledge) -> Expect:
    facts, audit = at.facts, audit_of(at)
    _all_open(audit)
    if agreed(at)[0].runtime is not None and facts.binding is None:
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
            if result_root(Bytes32(blob[:32]), exercise_of(at), codes) != body.result_root:
                raise PeerError(Reason.WRONG_RESULT_BITS, f"the {sender}'s result bits do not give its root")
            facts.result_bits[sender] = blob[32:]
            at.checks[Check.RESULT_BITS] += 1
        facts.acknowledged[sender] = body.verdict_digest
        facts.result_roots[sender] = body.result_root

    return keyed([sum(lengths)], finish)


def _all_open(audit: Audit) -> None:
    if not audit.complete:
        raise PeerError(
            Reason.OUT_OF_ORDER,
            f"{len(audit.units) - audit.opened} challenged units have no reference shown yet",
        )


def _dissent(at: Context, sender: Role, body: m.Dissent) -> Expect:
    _all_open(audit_of(at))

    def record() -> None:
        at.facts.dissents[sender] = Objection(body.verdict_digest, body.detail)

    return plain(record)


_HANDLERS: dict[type[Any], Callable[[Context, Role, Any], Expect]] = {
    m.Propose: agreement.propose,
    m.Decline: _ending,
    m.Coin: agreement.coin,
    m.Challenge: _challenge,
    m.Answers: _answers,
    m.Stop: _stop,
    m.Open: _open,
    m.Binding: _binding,
    m.Acknowledge: _acknowledge,
    m.Dissent: _dissent,
    m.Abort: _ending,
}
