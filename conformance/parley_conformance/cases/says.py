"""Room: the suite. What a verifier says instead of the honest message: each with one fault, or rightly otherwise."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from parley.v1 import session_pb2 as pb
from parley_attestation import keys, statement
from parley_attestation.commitment import Field
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.endpoint import Draft
from parley_attestation.encoding import Digest
from parley_attestation.envelope import Envelope
from parley_attestation.errors import Role
from parley_attestation.session import messages as m
from parley_attestation.session.audit import Audit
from parley_attestation.session.machine import Machine
from parley_attestation.session.turns import Turn, envelope_from_wire, stream_digest, to_frames

from parley_conformance.cases.base import Say
from parley_conformance.harness import Player, sealed, signed
from parley_conformance.hidden import MemorySet

ZERO = Digest(bytes(32))
UNKNOWN = b"\xf8\x3f\x01"  # field 1023, varint 1


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


def stranger(p: Player) -> Turn:
    """The honest message under a key that nobody certified."""
    return Turn(signed(SigningKey(p.target.fresh()), p.header, p.draft.body), p.draft.blobs)


def certified_as_prover(p: Player) -> Turn:
    """A Hello whose key the root certifies for the other role."""
    party = p.target.party
    certificate = keys.Certificate(party.root.public, party.session.public, Role.PROVER, 0, 1 << 40)
    said: Any = p.draft.body
    return p.turn(replace(said, key_history=(certificate.sealed(party.root),)))


def frames(p: Player) -> list[pb.Frame]:
    """The frames of the honest message."""
    return list(to_frames(p.turn()))


def altered(p: Player) -> list[pb.Frame]:
    """The honest message, one bit of its signature changed on the way."""
    found = frames(p)
    (one,) = found[0].envelope.signatures
    one.value = flip(one.value)
    return found


def signatures(count: int) -> Say:
    """The honest message with its signature so many times."""

    def say(p: Player) -> list[pb.Frame]:
        found = frames(p)
        (one,) = found[0].envelope.signatures
        del found[0].envelope.signatures[:]
        found[0].envelope.signatures.extend([one] * count)
        return found

    return say


def payload(change: Callable[[Any], None]) -> Say:
    """The honest message, its protobuf changed before it was signed."""

    def say(p: Player) -> Turn:
        honest = p.turn()
        _, message = m.parse(p.draft.body.kind, honest.envelope.payload)
        change(message)
        kind = honest.envelope.payload_type
        return Turn(sealed(p.target.party.session, kind, message.SerializeToString()), honest.blobs)

    return say


def raw(change: Callable[[bytes], bytes], kind: str = "challenge") -> Say:
    """The honest payload as changed bytes, under a kind's payload type."""

    def say(p: Player) -> list[pb.Frame]:
        bytes_ = change(p.turn().envelope.payload)
        kind_ = m.payload_type(kind) if "/" not in kind else kind
        return list(to_frames(Turn(sealed(p.target.party.session, kind_, bytes_))))

    return say


def header(**changes: Callable[[m.Header], Any]) -> Say:
    """The honest message for another place."""

    def say(p: Player) -> Turn:
        at: Any = p.header
        moved = replace(at, **{name: change(at) for name, change in changes.items()})
        return Turn(signed(p.target.party.session, moved, p.draft.body), p.draft.blobs)

    return say


def second(p: Player) -> Turn:
    """Another message for the slot that the first challenge filled."""
    at = p.machine.sequence - 1
    place = m.Header(p.machine.facts.session_id, at, p.machine.heads[at - 2])
    return Turn(signed(p.target.party.session, place, m.Stop((1,))))


def said(p: Player) -> list[pb.Frame]:
    """Every frame that the verifier has sent in the session."""
    assert p.endpoint.row is not None
    turns = [turn for n, turn in p.journal.turns(p.endpoint.row) if p.machine.authors[n - 1] is Role.VERIFIER]
    return [frame for turn in turns for frame in to_frames(turn)]


def envelope_of(frame: pb.Frame) -> Envelope:
    """The envelope in a frame."""
    return envelope_from_wire(frame.envelope)
