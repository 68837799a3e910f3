"""Room: the suite. Faults in what the verifier says: terms, coins, challenges, stops, references, verdicts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from parley_attestation import statement
from parley_attestation.commitment import Field
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.endpoint import Draft
from parley_attestation.encoding import Digest, Nonce
from parley_attestation.errors import Reason
from parley_attestation.session import messages as m
from parley_attestation.session.audit import Audit
from parley_attestation.session.machine import Machine
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn, stream_digest, to_frames

from parley_conformance.cases.base import RESUME, After, Case, Say, Where, fault, go_on
from parley_conformance.harness import Player, Target, expect_refusal
from parley_conformance.hidden import MemorySet
from parley_conformance.world import BATCH, EARLIEST

ZERO = Digest(bytes(32))
S = State


def flip(value: bytes, at: int = 0) -> bytes:
    """The bytes with one bit changed."""
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def body(**changes: Any) -> Say:
    """The honest message with fields changed."""
    return lambda p: p.turn(_changed(p.draft.body, **changes))


def _changed(said: Any, **changes: Any) -> Any:
    return replace(said, **{k: v(said) if callable(v) else v for k, v in changes.items()})


def in_unit(**changes: Any) -> Say:
    """The honest challenge with fields of its first unit changed."""

    def say(p: Player) -> Turn:
        said: Any = p.draft.body
        first = _changed(said.units[0], **changes)
        return p.turn(replace(said, units=(first, *said.units[1:])))

    return say


def again(p: Player, said: Any, blobs: Sequence[bytes]) -> Turn:
    """A message over changed content, under the stream digest that fits the content."""
    return p.turn(replace(said, stream_digest=stream_digest(blobs)), tuple(blobs))


def changed_content(p: Player) -> Turn:
    """The honest message over other content, which it signs: the commitments do not open."""
    blobs = list(p.draft.blobs)
    blobs[0] = flip(blobs[0], len(blobs[0]) - 1)
    return again(p, p.draft.body, blobs)


def other_stream(p: Player) -> Turn:
    """The honest message with other content than it signs."""
    blobs = list(p.draft.blobs)
    blobs[0] = flip(blobs[0], len(blobs[0]) - 1)
    return p.turn(p.draft.body, tuple(blobs))


def signs_another_stream(p: Player) -> Turn:
    """The honest content under a message that signs the digest of other content."""
    said: Any = p.draft.body
    return p.turn(replace(said, stream_digest=ZERO))


def challenged(tests: MemorySet, names: Sequence[tuple[int, int]]) -> Draft:
    """A challenge of any units, otherwise in order."""
    units = tuple(
        m.Unit(
            item,
            sample,
            tests.commitment(item, Field.PROMPT),
            tests.commitment(item, Field.REFERENCE),
            tests.inclusion(item),
            len(tests.prompt(item)),
        )
        for item, sample in names
    )
    blobs = tuple(tests.key(item, Field.PROMPT) + tests.prompt(item) for item, _ in names)
    return Draft(m.Challenge(units, stream_digest(blobs)), blobs)


def challenge(p: Player, names: Sequence[tuple[int, int]]) -> Turn:
    """A challenge of any units, as the next message."""
    draft = challenged(p.exercise.tests, names)
    return p.turn(draft.body, draft.blobs)


def audit(p: Player) -> Audit:
    """The audit as it stands."""
    assert p.machine.facts.audit is not None
    return p.machine.facts.audit


def next_units(p: Player, count: int) -> list[tuple[int, int]]:
    """The next units in ticket order."""
    return list(audit(p).next_units(0, count))


def swapped(p: Player) -> Turn:
    """The next two units in the wrong order."""
    first, second = next_units(p, 2)
    return challenge(p, [second, first])


def unasked(p: Player) -> Turn:
    """One unit more than the budget."""
    asked = {unit.name[0] for unit in audit(p).units}
    item = next(n for n in range(p.exercise.tests.public.size) if n not in asked)
    return challenge(p, [(item, 0)])


def terms(**changes: Any) -> Say:
    """The honest proposal under other terms, sealed by the verifier."""

    def say(p: Player) -> Turn:
        made = p.target.world.sealed(p.exercise.tests, replace(p.exercise.terms, **changes))
        said: Any = p.draft.body
        return p.turn(replace(said, terms=made.sealed))

    return say


def strangers_terms(p: Player) -> Turn:
    """The honest terms, sealed by somebody else."""
    stranger = SigningKey(p.target.fresh())
    said: Any = p.draft.body
    return p.turn(replace(said, terms=statement.seal(p.exercise.terms.statement(), stranger)))


def other_set(p: Player) -> Turn:
    """The registration of another set of the same verifier."""
    said: Any = p.draft.body
    return p.turn(replace(said, test_set=p.target.world.tests("other").registration))


def stop_after(units: int) -> Callable[[Machine, Draft], Draft]:
    """A verifier that stops after `units`, undecided."""

    def change(machine: Machine, draft: Draft) -> Draft:
        found = machine.facts.audit
        if isinstance(draft.body, m.Challenge) and found is not None and len(found.units) >= units:
            return Draft(m.Stop((units,)))
        return draft

    return change


def stop_short(_: Machine, draft: Draft) -> Draft:
    """A verifier that says one unit fewer counts than do."""
    return Draft(m.Stop((draft.body.counts[0] - 1,))) if isinstance(draft.body, m.Stop) else draft


def always(said: m.Body) -> Say:
    """One message, whatever the honest one would be."""
    return lambda p: p.turn(said, ())


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
        "P-TERMS-1",
        S.READY,
        terms(prover=ZERO),
        {Reason.BAD_TERMS},
        After.ENDED,
    ),
    fault(
        "terms-over-too-many",
        "a budget of more units than the set has",
        "P-TERMS-1",
        S.READY,
        lambda p: terms(plan=replace(p.exercise.terms.plan, budgets=(("", 1000),)))(p),
        {Reason.BAD_TERMS},
        After.ENDED,
    ),
    fault(
        "terms-sealed-by-a-stranger",
        "terms that another key sealed",
        "P-TERMS-1",
        S.READY,
        strangers_terms,
        {Reason.BAD_SIGNATURE},
        After.ENDED,
    ),
    fault(
        "other-registration",
        "a registered set that the terms do not name",
        "P-TERMS-1",
        S.READY,
        other_set,
        {Reason.BAD_TERMS},
        After.ENDED,
    ),
    fault(
        "attempt-out-of-nothing",
        "attempt 2 of an exercise without a first",
        "P-ATTEMPT-1",
        S.READY,
        body(attempt=2),
        {Reason.BAD_ATTEMPT},
        After.ENDED,
    ),
    fault(
        "other-coin",
        "a coin that was not committed to",
        "P-COIN-1",
        S.ACCEPTED,
        body(coin=Nonce(ZERO)),
        {Reason.BAD_COIN},
        After.ENDED,
    ),
    fault(
        "tickets-out-of-order",
        "two units in the wrong order",
        "P-TICKET-1",
        S.SEEDED,
        swapped,
        {Reason.WRONG_INDEX},
        After.ENDED,
    ),
    replace(
        fault(
            "session-ended-by-a-fault",
            "a resumption after a challenge out of ticket order",
            "P-FAULT-1",
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
        "P-TICKET-1",
        _SECOND,
        lambda p: challenge(p, next_units(p, 2)[1:]),
        {Reason.WRONG_INDEX},
        After.ENDED,
    ),
    fault(
        "unit-twice",
        "one unit challenged twice",
        "P-TICKET-1",
        S.SEEDED,
        lambda p: challenge(p, next_units(p, 1) * 2),
        {Reason.WRONG_INDEX},
        After.ENDED,
    ),
    fault(
        "index-beyond-the-set",
        "item 2^64 - 1",
        "P-TICKET-1",
        S.SEEDED,
        in_unit(item=2**64 - 1),
        {Reason.WRONG_INDEX},
        After.ENDED,
    ),
    fault(
        "over-budget",
        "one unit more than the budget",
        "P-TICKET-2",
        Where(S.SEEDED, EARLIEST // BATCH + 1, "short"),
        unasked,
        {Reason.OVER_BUDGET},
        After.ENDED,
    ),
    fault(
        "batch-over-cap",
        "more units in a challenge than the plan allows",
        "P-CAP-1",
        S.SEEDED,
        lambda p: challenge(p, next_units(p, BATCH + 1)),
        {Reason.OVER_CAP},
        After.ENDED,
    ),
    fault(
        "prompt-over-cap",
        "a prompt of one byte more than the cap",
        "P-CAP-1",
        S.SEEDED,
        lambda p: in_unit(size=p.exercise.terms.caps.prompt + 1)(p),
        {Reason.OVER_CAP},
        After.ENDED,
    ),
    fault(
        "forged-proof",
        "an inclusion proof with one bit changed",
        "P-PROOF-1",
        S.SEEDED,
        in_unit(proof=lambda u: (Digest(flip(u.proof[0])), *u.proof[1:])),
        {Reason.BAD_PROOF},
        After.ENDED,
    ),
    fault(
        "no-proof",
        "an inclusion proof without a hash",
        "P-PROOF-1",
        S.SEEDED,
        in_unit(proof=()),
        {Reason.BAD_PROOF},
        After.ENDED,
    ),
    fault(
        "swapped-reference",
        "another commitment to the reference than the registered one",
        "P-PROOF-1",
        S.SEEDED,
        in_unit(reference_commitment=ZERO),
        {Reason.BAD_PROOF},
        After.ENDED,
    ),
    fault(
        "wrong-opening",
        "a prompt that does not open its commitment",
        "P-OPEN-1",
        S.SEEDED,
        changed_content,
        {Reason.BAD_OPENING},
        After.ENDED,
    ),
    fault(
        "changed-reference",
        "a reference that does not open its commitment",
        "P-OPEN-2",
        S.STOPPED,
        changed_content,
        {Reason.BAD_OPENING},
        After.ENDED,
    ),
    fault(
        "stream-mismatch",
        "content with one bit changed on the way",
        "P-STREAM-1",
        S.SEEDED,
        other_stream,
        {Reason.STREAM_MISMATCH, Reason.BLOB_MISMATCH},
        After.RESUMES,
    ),
    fault(
        "stream-digest-of-other-content",
        "a message that signs the digest of other content",
        "P-STREAM-1",
        S.SEEDED,
        signs_another_stream,
        {Reason.STREAM_MISMATCH},
        After.RESUMES,
    ),
    fault(
        "stop-undecided",
        "a stop while the claim is undecided",
        "P-STOP-1",
        Where(S.STOPPED, mutate=stop_after(BATCH)),
        lambda p: p.turn(),
        {Reason.STOP_TOO_EARLY},
        After.ENDED,
    ),
    fault(
        "stop-one-short",
        "a stop that counts one unit fewer than the deciding one",
        "P-STOP-1",
        Where(S.STOPPED, mutate=stop_short),
        lambda p: p.turn(),
        {Reason.STOP_TOO_EARLY},
        After.ENDED,
    ),
    fault(
        "stop-at-nothing",
        "a stop at no unit",
        "P-STOP-1",
        S.SEEDED,
        always(m.Stop((0,))),
        {Reason.STOP_TOO_EARLY},
        After.ENDED,
    ),
    fault(
        "wrong-verdict",
        "an acknowledgement of another verdict",
        "P-VERDICT-1",
        S.OPENED,
        body(verdict_digest=ZERO),
        {Reason.WRONG_VERDICT},
        After.ENDED,
    ),
    Case(
        "stop-too-late",
        "one challenge more after every claim was decided",
        ("P-STOP-2",),
        _too_late,
        frozenset({Reason.STOP_TOO_LATE}),
    ),
)
