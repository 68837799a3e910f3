"""Room: the edge. A party's own way to the witnesses of its exercises; endpoints and the CLI call it."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.party import Party, PeerCard
from parley_attestation.edge.witness_client import Address, Collected, WitnessPanel
from parley_attestation.encoding import Digest
from parley_attestation.envelope import Envelope
from parley_attestation.errors import ParleyError, Role
from parley_attestation.log.witness import Cosignature, Event, Position, Request, read_cosignature
from parley_attestation.session.machine import Machine
from parley_attestation.witnessing import deadline


class Notary(Protocol):
    """Has positions of a session cosigned."""

    def cosign(self, machine: Machine, at: Position, event: Event, record: Envelope) -> tuple[bytes, ...]:
        """Sealed cosignatures of the witnesses that answered; those that did not are left out."""


def addresses(party: Party, cards: Sequence[PeerCard]) -> list[Address]:
    """Where witnesses are, under their pinned cards; a witness signs with its root key."""
    return [Address.of_card(card, party) for card in cards]


@dataclass(frozen=True, slots=True)
class Shown:
    """What one witness has signed for an exercise, verified."""

    key: bytes
    cosignatures: tuple[Cosignature, ...]


class PanelNotary:
    """Reaches witnesses over gRPC, each under its pinned card."""

    def __init__(self, party: Party, cards: Sequence[PeerCard]) -> None:
        """Take the own party, whose session key signs requests, and the witnesses' cards."""
        self._party = party
        self._addresses = addresses(party, cards)
        self.refusals: dict[bytes, Exception] = {}

    def cosign(self, machine: Machine, at: Position, event: Event, record: Envelope) -> tuple[bytes, ...]:
        """Ask all witnesses at once, showing them the record at `at`."""
        request = self._request(machine, at, event)
        with WitnessPanel(self._addresses) as panel:
            return self._kept(panel.cosign(request, self._key, self._party.history, record))

    def post(self, machine: Machine, at: Position, record: Envelope) -> tuple[bytes, ...]:
        """Leave the own last message with the witnesses: the other party's clock starts."""
        request = self._request(machine, at, Event.POSTED)
        with WitnessPanel(self._addresses) as panel:
            return self._kept(panel.post(request, self._key, self._party.history, record))

    def start_clock(self, machine: Machine, at: Position, record: Envelope) -> tuple[bytes, ...]:
        """Show the last message, whoever wrote it: the other party's clock starts."""
        if record.signatures[0].key == self._key.public:
            return self.post(machine, at, record)
        return self.cosign(machine, at, Event.RELAYED, record)

    def claim(self, machine: Machine, at: Position) -> tuple[bytes, ...]:
        """Claim that nothing followed the message at `at` in time."""
        request = self._request(machine, at, Event.DEFAULT, deadline(machine))
        with WitnessPanel(self._addresses) as panel:
            return self._kept(panel.claim(request, self._key, self._party.history))

    def shown(self, exercise: Digest) -> list[Shown]:
        """What the witnesses that answer have signed for an exercise."""
        found = []
        with WitnessPanel(self._addresses) as panel:
            for address in self._addresses:
                with contextlib.suppress(ParleyError):
                    sealed = panel.lookup(address.key, exercise).sealed
                    read = tuple(read_cosignature(one, address.key) for one in sealed)
                    found.append(Shown(bytes(address.key), read))
        return found

    def record(self, at: Position, witness: bytes) -> Envelope | None:
        """The record that one witness holds for a position, where it shows the one it cosigned."""
        with WitnessPanel([a for a in self._addresses if a.key == witness]) as panel:
            found = panel.lookup(witness, at.exercise, head=at.head).record
        return found if found is not None and found.head() == at.head else None

    @property
    def _key(self) -> SigningKey:
        return self._party.session

    def _kept(self, collected: Collected) -> tuple[bytes, ...]:
        self.refusals = dict(collected.refusals)
        return collected.sealed

    def _request(self, machine: Machine, at: Position, event: Event, seconds: int = 0) -> Request:
        terms = machine.facts.terms
        assert terms is not None
        return Request(at, event, Role(self._party.card.role), terms.prover, terms.verifier, seconds)
