"""Room: the edge. What both roles do alike in sealed mode: judge the chamber, release or refuse, agree.

Roles bring their content and their rule of custody; the way to the chamber is an interface.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from parley_attestation.edge.endpoint import Draft, Secret
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.sealing import seal, wrap
from parley_attestation.session import messages as m
from parley_attestation.session.machine import Machine
from parley_attestation.session.sealed import grant, sealed_content
from parley_attestation.session.turns import stream_digest


class ChamberLink(Protocol):
    """The way to a chamber, for one party."""

    def open(self, machine: Machine) -> tuple[bytes, bytes]:
        """The chamber's sealed keys for this session, and its sealed evidence or nothing."""

    def upload(self, machine: Machine, role: Role, parts: Iterable[bytes]) -> None:
        """Send sealed content; goes on where an earlier call stopped."""

    def receipt(self, machine: Machine) -> bytes:
        """Have the chamber run; its sealed receipt."""


@dataclass(frozen=True, slots=True)
class Custody:
    """One party's part in a sealed session.

    Attributes:
        role: The party.
        link: The way to the chamber.
        content: Gives the plain content, again and again the same; the result seed goes into tests.
        size: Bytes of it.
        other_party: Whether a chamber that the other party runs may have it.
    """

    role: Role
    link: ChamberLink
    content: Callable[[Secret], Iterator[bytes]] = field(repr=False)
    size: int
    other_party: bool = False

    def decide(self, machine: Machine, secret: Secret) -> Draft:
        """Release the key to the chamber on the record, or refuse with the reason."""
        try:
            self._judge(machine)
        except PeerError as error:
            return Draft(m.Refusal(error.reason.value, error.message))
        facts = machine.facts
        assert facts.chamber is not None
        data_key = Bytes32(secret.derive(b"data-key"))
        what = sealed_content(facts, self.role, self.size)
        self.link.upload(machine, self.role, seal(what, data_key, _reader(self.content(secret))))
        wrapped = wrap(data_key, facts.chamber.keys.hpke, grant(facts, self.role, self.size))
        return Draft(m.Release(facts.chamber.statement.digest(), wrapped, self.size))

    def _judge(self, machine: Machine) -> None:
        """Raise unless this chamber may have the secret."""
        facts = machine.facts
        assert facts.chamber is not None
        assert facts.terms is not None
        run_by = facts.chamber.operator.run_by
        if run_by not in {"neutral", self.role.value} and not self.other_party:
            raise PeerError(Reason.BAD_CUSTODY, f"the chamber is run by the {run_by}")
        result = facts.chamber_result
        if facts.terms.evidence_policy is not None and (result is None or result.assurance.value == "none"):
            raise PeerError(Reason.BAD_EVIDENCE, "the chamber's evidence is not affirming under the terms")


def agree(machine: Machine) -> Draft:
    """Acknowledge the verdict that follows from the receipt."""
    facts = machine.facts
    assert facts.verdict is not None
    assert facts.receipt is not None
    return Draft(m.Acknowledge(facts.verdict.digest(), facts.receipt.result_root, stream_digest([])))


def _reader(parts: Iterator[bytes]) -> Callable[[int], bytes]:
    """A `read` over an iterator of byte strings."""
    rest = memoryview(b"")

    def read(size: int) -> bytes:
        nonlocal rest
        while not rest:
            part = next(parts, None)
            if part is None:
                return b""
            rest = memoryview(part)
        found, rest = bytes(rest[:size]), rest[size:]
        return found

    return read
