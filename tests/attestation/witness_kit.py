"""Parties, requests and an in-memory witness for the tests of the log room."""

from dataclasses import dataclass, field, replace

from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.endpoint import signed
from parley_attestation.encoding import Digest
from parley_attestation.errors import Role
from parley_attestation.keys import Certificate, fingerprint
from parley_attestation.log.witness import Cosignature, Event, Position, Request, read_request
from parley_attestation.log.witness_state import Facts, Issued, WitnessState
from parley_attestation.session import messages as m

T0 = 1_790_000_000
EXERCISE, SESSION = Digest(b"E" * 32), Digest(b"S" * 32)


def head(number: int) -> Digest:
    return Digest(bytes([number]) * 32)


class Party:
    """One party with a root key and one session key."""

    def __init__(self, role: Role, seed: int, not_after: int = T0 + 10**6):
        self.role = role
        self.root, self.key = SigningKey(bytes([seed]) * 32), SigningKey(bytes([seed + 1]) * 32)
        self.name = fingerprint(self.root.public)
        certificate = Certificate(self.root.public, self.key.public, role, T0 - 10**6, not_after)
        self.history = (certificate.sealed(self.root),)


PROVER, VERIFIER, STRANGER = Party(Role.PROVER, 10), Party(Role.VERIFIER, 20), Party(Role.VERIFIER, 30)


def position(sequence: int, *, attempt: int = 1, session: Digest = SESSION, of: Digest | None = None):
    return Position(EXERCISE, attempt, session, sequence, of or head(sequence))


def record(party: Party, sequence: int, detail: str = "a signed record"):
    """A message in a slot, signed by a party, and its position."""
    one = signed(m.Header(SESSION, sequence, bytes(32)), m.Abort("ABORTED", detail), party.key)
    return one, position(sequence, of=one.head())


def request(party: Party, event: Event, at: Position, deadline: int = 0) -> Request:
    names = {Role.PROVER: PROVER.name, Role.VERIFIER: VERIFIER.name} | {party.role: party.name}
    return Request(at, event, party.role, names[Role.PROVER], names[Role.VERIFIER], deadline)


@dataclass
class MemoryWitness:
    """Keeps its facts in memory, as the store keeps them on disk; can be copied, to put back a backup."""

    key: SigningKey
    name: str = "witness.example/w1"
    facts: Facts = field(default_factory=Facts)

    def ask(self, party: Party, event: Event, at: Position, now: int, deadline: int = 0) -> bytes:
        sealed = request(party, event, at, deadline).sealed(party.key)
        asked = read_request(sealed, party.history, now)
        return self.decide(asked, sealed, now).sealed(self.key)

    def decide(self, asked: Request, sealed: bytes, now: int) -> Cosignature:
        said = WitnessState(self.name, self.facts).decide(asked, sealed, now)
        if said.number > self.facts.number:
            self.facts = Facts(
                said.number, said.time, asked.parties, (*self.facts.issued, Issued(said, sealed))
            )
        return said

    def backup(self) -> "MemoryWitness":
        return replace(self)


def witness(seed: int = 50) -> MemoryWitness:
    return MemoryWitness(SigningKey(bytes([seed]) * 32), f"witness.example/w{seed}")
