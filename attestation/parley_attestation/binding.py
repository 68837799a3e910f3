"""Room: the core. What a chamber states after re-executing an exercise's outputs; the machine reads it.

A binding names the session, exercise, terms, model claim and runtime, and says for every opened unit, in
challenge order, whether its committed output came out again. An operator key of the terms signs it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.encoding import Digest, Label, digest, u64
from parley_attestation.errors import PeerError, Reason
from parley_attestation.statement import Statement, Subject, open_sealed, seal, signer
from parley_attestation.terms import Operator, Terms

BINDING = "tag:parley,2026:binding/v1"
EXECUTION_CLASSES = ("E0", "E1")
SANDBOXES = ("bubblewrap", "none")
MAX_UNITS = 1 << 18
YES, NO, UNANSWERED = "1", "0", "-"  # how one unit stands in `reproduced`

UnitOutput = tuple[
    tuple[int, int], Digest | None
]  # item and sample; commitment to the output, where answered


@dataclass(frozen=True, slots=True)
class Binding:
    """A chamber's statement about one session.

    Attributes:
        session: The session.
        exercise: Its exercise.
        terms: Digest of the terms.
        model_claim: Digest of the claim whose weights ran.
        runtime: Digest of the runtime's document.
        execution_class: How closely the outputs were compared; E1 is byte for byte.
        sandbox: How the boxes were kept apart: bubblewrap, or none.
        units: Digest over every opened unit and its output's commitment.
        reproduced: One character a unit: 1 came out again, 0 did not, - was never answered.
    """

    session: Digest
    exercise: Digest
    terms: Digest
    model_claim: Digest
    runtime: Digest
    execution_class: str
    sandbox: str
    units: Digest
    reproduced: str

    def sealed(self, operator: SigningKey) -> bytes:
        """The signed statement, as bytes of a DSSE envelope in JSON."""
        predicate = {
            "session": self.session.hex(),
            "exercise": self.exercise.hex(),
            "terms": self.terms.hex(),
            "model_claim": self.model_claim.hex(),
            "runtime": self.runtime.hex(),
            "execution_class": self.execution_class,
            "sandbox": self.sandbox,
            "units": self.units.hex(),
            "reproduced": self.reproduced,
        }
        return seal(Statement(BINDING, (Subject("exercise", self.exercise),), predicate), operator)


@dataclass(frozen=True, slots=True)
class Bound:
    """A binding that was checked, and the operator of the terms who signed it."""

    binding: Binding
    operator: Operator
    statement: Statement


def units_digest(exercise: Digest, units: Iterable[UnitOutput]) -> Digest:
    """One digest over the opened units of an exercise and the outputs that they committed to."""
    parts = [u64(item) + u64(sample) + (output or b"") for (item, sample), output in units]
    return digest(Label.BINDING, exercise, *parts)


def read_binding(sealed: bytes, terms: Terms) -> Bound:
    """Verify a binding under the operators of the terms, and read it.

    Raises:
        PeerError: BAD_BINDING; BAD_SIGNATURE; BAD_STATEMENT, MALFORMED and the like for no statement.
    """
    key = signer(sealed)
    operator = next((one for one in terms.operators if one.key == key), None)
    if operator is None:
        raise PeerError(Reason.BAD_BINDING, "the binding is signed by no operator that the terms name")
    said = open_sealed(sealed, PublicKey(key)).expect(BINDING)
    fields = said.fields(Reason.BAD_BINDING)
    found = Binding(
        session=fields.digest("session"),
        exercise=fields.digest("exercise"),
        terms=fields.digest("terms"),
        model_claim=fields.digest("model_claim"),
        runtime=fields.digest("runtime"),
        execution_class=fields.choice("execution_class", {name: name for name in EXECUTION_CLASSES}),
        sandbox=fields.choice("sandbox", {name: name for name in SANDBOXES}),
        units=fields.digest("units"),
        reproduced=fields.text("reproduced", MAX_UNITS),
    )
    fields.end()
    if found.reproduced.strip(YES + NO + UNANSWERED):
        fields.refuse("reproduced", "1, 0 or - for every unit")
    if said.subjects != (Subject("exercise", found.exercise),):
        raise PeerError(Reason.BAD_BINDING, "the binding's subject is not its exercise")
    return Bound(found, operator, said)


def check_binding(bound: Bound, expected: Binding, answered: Iterable[bool]) -> None:
    """Compare a binding with what the session gives.

    Args:
        bound: The binding.
        expected: One with every name of the session; its class, sandbox and results are not compared.
        answered: For every opened unit, whether it was answered.

    Raises:
        PeerError: BAD_BINDING, naming the first thing that differs.
    """
    found = bound.binding
    for name in ("session", "exercise", "terms", "model_claim", "runtime", "units"):
        if getattr(found, name) != getattr(expected, name):
            raise PeerError(Reason.BAD_BINDING, f"the binding is about another {name.replace('_', ' ')}")
    if [one != UNANSWERED for one in found.reproduced] != list(answered):
        raise PeerError(Reason.BAD_BINDING, "expected one result for every answered unit and for no other")
