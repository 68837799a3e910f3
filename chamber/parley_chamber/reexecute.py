"""Room: the chamber. Message 11 of an open exercise: the registered weights answer every opened item again.

The chamber replays the session itself, so that it takes nobody's word for prompts, outputs or seeds. It
compares byte for byte (execution class E1) and signs what came out again, item by item.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from parley_attestation.binding import NO, UNANSWERED, YES
from parley_attestation.ed25519 import SigningKey
from parley_attestation.errors import PeerError, Reason
from parley_attestation.runtime import ProgramRuntime
from parley_attestation.session.audit import Audit
from parley_attestation.session.exercise import expected_binding
from parley_attestation.session.machine import Machine
from parley_attestation.session.tables import State

from parley_chamber import evaluation
from parley_chamber.evaluation import Weights
from parley_chamber.plaintext import harden
from parley_chamber.sandbox import Limits, Sandbox


@dataclass(frozen=True, slots=True)
class Chamber:
    """A chamber: the key of its operator, how it makes boxes, and what they may use."""

    operator: SigningKey = field(repr=False)
    sandbox: Sandbox
    limits: Limits = field(default_factory=Limits)


def reexecute(chamber: Chamber, machine: Machine, weights: Weights) -> bytes:
    """Re-execute every opened item of a session; returns the sealed binding statement.

    Args:
        chamber: Who re-executes, and where.
        machine: The session, replayed to its last Open by the chamber itself.
        weights: The prover's weights with what opens their claim.

    Raises:
        PeerError: BAD_BINDING, where the session is not there yet, content is withheld, or its terms name
            another operator or runtime; BAD_MODEL_CLAIM or BAD_OPENING, where the weights are others.
        LocalError: Where a box fails; nothing that it said is repeated.
    """
    facts = machine.facts
    expected = expected_binding(facts)
    audit, terms, claim = facts.audit, facts.terms, facts.model_claim
    assert audit is not None
    assert terms is not None
    assert claim is not None
    if machine.state is not State.OPENED or not audit.complete or audit.redacted:
        raise PeerError(Reason.BAD_BINDING, "expected a session whose references have all just been shown")
    if chamber.operator.public not in {one.key for one in terms.operators}:
        raise PeerError(Reason.BAD_BINDING, "the terms name other operators than this chamber's")
    if weights.runtime.digest() != terms.runtime or isinstance(weights.runtime, ProgramRuntime):
        raise PeerError(Reason.BAD_BINDING, "the terms name another runtime, or a program of the prover's")
    harden()
    evaluation.load(chamber.sandbox, weights, claim, chamber.limits)
    answered = sum(unit.output is not None for unit in audit.units)
    room = evaluation.output_bytes(answered, terms.caps.output)
    limits = replace(chamber.limits, output=min(room, chamber.limits.output))
    found = iter(
        evaluation.answer(chamber.sandbox, weights, _prompts(machine, audit), terms.caps.output, limits)
    )
    said = "".join(
        UNANSWERED if unit.output is None else _same(next(found), _content(machine, unit.output))
        for unit in audit.units
    )
    return replace(
        expected,
        execution_class=weights.runtime.execution_class,
        sandbox=evaluation.kept_apart(chamber.sandbox),
        reproduced=said,
    ).sealed(chamber.operator)


def _prompts(machine: Machine, audit: Audit) -> Iterator[bytes]:
    return (_content(machine, unit.prompt) for unit in audit.units if unit.output is not None)


def _content(machine: Machine, digest: bytes) -> bytes:
    blob = machine.contents.get(digest)
    if blob is None:
        raise PeerError(Reason.BAD_BINDING, "content of the session is missing")
    return blob[32:]


def _same(again: bytes | None, committed: bytes) -> str:
    return YES if again == committed else NO
