"""Room: the verifier. The verifier's policy in sealed mode: the chamber instead of challenges."""

from collections.abc import Iterator
from contextlib import contextmanager

from parley_attestation.edge.chamber_config import ChamberAccess
from parley_attestation.edge.endpoint import Draft, Secret
from parley_attestation.edge.journal import Journal
from parley_attestation.edge.sealed import Custody, agree
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import Role
from parley_attestation.session.facts import Channel
from parley_attestation.session.machine import Machine
from parley_attestation.session.tables import State

from parley_verifier.challenge import HiddenSet, VerifierPolicy
from parley_verifier.sealedset import SealedTestSet


class SealedVerifierPolicy(VerifierPolicy):
    """The verifier's side of one sealed session.

    Args:
        history: The verifier's key history.
        channel: The TLS certificates of the connection.
        terms: The sealed terms to propose.
        tests: The hidden test set.
        journal: Where earlier attempts at this exercise stand.
        custody: The verifier's part: its content, its rule, and the way to the chamber.
    """

    def __init__(
        self,
        history: tuple[bytes, ...],
        channel: Channel,
        terms: bytes,
        tests: HiddenSet,
        journal: Journal,
        custody: Custody,
    ) -> None:
        super().__init__(history, channel, terms, tests, journal=journal)
        self._custody = custody

    def propose(self, machine: Machine, secret: Secret) -> Draft:
        """The verifier's next message."""
        match machine.state:
            case State.SEEDED:
                return self._custody.show(machine)
            case State.EVIDENCED:
                return self._custody.decide(machine, secret)
            case State.RUNNING:
                return self._custody.outcomes(machine)
            case State.RECEIVED:
                return agree(machine)
        return super().propose(machine, secret)


@contextmanager
def custody_of(tests: SealedTestSet, access: ChamberAccess, journal: Journal) -> Iterator[Custody]:
    """The verifier's part: the whole set, its ways to the chambers, and its rules about them."""
    with access.links(journal) as links:
        yield Custody(
            Role.VERIFIER,
            links,
            lambda secret: tests.package(Bytes32(secret.derive(b"result-seed"))),
            tests.package_size,
            access.rules,
        )
