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
from parley_attestation.session.sealed import grants, result_root_of, sealed_content
from parley_attestation.session.turns import stream_digest


class ChamberLink(Protocol):
    """The way to a chamber, for one party."""

    def open(self, machine: Machine) -> tuple[bytes, bytes]:
        """The chamber's sealed keys for this session, and its sealed evidence or nothing."""

    def upload(self, machine: Machine, role: Role, parts: Iterable[bytes]) -> None:
        """Send sealed content; goes on where an earlier call stopped."""

    def receipt(self, machine: Machine) -> bytes:
        """Have the chamber run; its sealed receipt or refusal."""


@dataclass(frozen=True, slots=True)
class Custody:
    """One party's part in a sealed session.

    Attributes:
        role: The party.
        links: The ways to the chambers of the terms' quorum, in any order.
        content: Gives the plain content, again and again the same; the result seed goes into tests.
        size: Bytes of it.
        other_party: Whether chambers that the other party runs may have it.
    """

    role: Role
    links: tuple[ChamberLink, ...]
    content: Callable[[Secret], Iterator[bytes]] = field(repr=False)
    size: int
    other_party: bool = False

    def show(self, machine: Machine) -> Draft:
        """Put every chamber's keys and evidence on the record."""
        return Draft(m.Evidence(tuple(m.ChamberEvidence(*link.open(machine)) for link in self.links)))

    def decide(self, machine: Machine, secret: Secret) -> Draft:
        """Release the key to the chambers on the record, or refuse with the reason."""
        try:
            self._judge(machine)
            links = self._ordered(machine)
        except PeerError as error:
            return Draft(m.Refusal(error.reason.value, error.message))
        data_key = Bytes32(secret.derive(b"data-key"))
        what = sealed_content(machine.facts, self.role, self.size)
        for link in links:
            link.upload(machine, self.role, seal(what, data_key, _reader(self.content(secret))))
        given = zip(machine.facts.chambers, grants(machine.facts, self.role, self.size), strict=True)
        keys = tuple(
            m.WrappedKey(stated.statement.digest(), wrap(data_key, stated.keys.hpke, grant))
            for stated, grant in given
        )
        return Draft(m.Release(keys, self.size))

    def outcomes(self, machine: Machine) -> Draft:
        """Have every chamber run, and put what each left on the record."""
        return Draft(m.Receipt(tuple(link.receipt(machine) for link in self._ordered(machine))))

    def _ordered(self, machine: Machine) -> list[ChamberLink]:
        """The ways in the order of the record.

        Raises:
            PeerError: BAD_EVIDENCE, where a chamber shows this party other keys than stand on the record.
        """
        shown = {link.open(machine)[0]: link for link in self.links}
        found = [shown.get(stated.sealed) for stated in machine.facts.chambers]
        links = [link for link in found if link is not None]
        if len(links) != len(found):
            raise PeerError(
                Reason.BAD_EVIDENCE, "a chamber shows this party other keys than stand on the record"
            )
        return links

    def _judge(self, machine: Machine) -> None:
        """Raise unless these chambers may have the secret."""
        facts = machine.facts
        assert facts.terms is not None
        for stated, result in zip(facts.chambers, facts.appraisals, strict=True):
            run_by = stated.operator.run_by
            if run_by not in {"neutral", self.role.value} and not self.other_party:
                raise PeerError(Reason.BAD_CUSTODY, f"the chamber is run by the {run_by}")
            if facts.terms.evidence_policy is not None and (
                result is None or result.assurance.value == "none"
            ):
                raise PeerError(
                    Reason.BAD_EVIDENCE, "the chamber's evidence is not affirming under the terms"
                )


def agree(machine: Machine) -> Draft:
    """Acknowledge the verdict that follows from what the chambers left."""
    facts = machine.facts
    assert facts.verdict is not None
    return Draft(m.Acknowledge(facts.verdict.digest(), result_root_of(facts), stream_digest([])))


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
