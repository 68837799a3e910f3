"""Room: the verifier. The verifier's policy in sealed mode: the chamber instead of challenges."""

from collections.abc import Iterator
from contextlib import contextmanager

from parley_attestation.edge.chamber_config import ChamberAccess
from parley_attestation.edge.endpoint import Draft, Secret
from parley_attestation.edge.journal import Journal
from parley_attestation.edge.sealed import Custody, agree
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.receipt import Receipt
from parley_attestation.session.facts import Channel
from parley_attestation.session.machine import Machine
from parley_attestation.session.tables import State

from parley_verifier.challenge import HiddenSet, VerifierPolicy
from parley_verifier.results import SealedResults, handed_over
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
            lambda secret: tests.package(result_seed(secret)),
            tests.package_size,
            access.rules,
        )


def result_seed(secret: Secret) -> Bytes32:
    """The seed that goes into a session's sealed content; the results' salts and their sealing follow from it."""
    return Bytes32(secret.derive(b"result-seed"))


def awaits_results(machine: Machine) -> bool:
    """Whether both parties have ended a session whose receipt hands results over."""
    first = next(iter(machine.facts.outcomes), None)
    return machine.state is State.FINISHED and isinstance(first, Receipt) and first.handed_over > 0


def fetch_results(custody: Custody, machine: Machine, secret: Secret) -> SealedResults:
    """Get the results that the terms hand over from the chamber that has them, and check them.

    Args:
        custody: The verifier's part, with its ways to the chambers.
        machine: The session, which both parties have ended.
        secret: The session's own.

    Raises:
        PeerError: BAD_SEAL, BAD_RECEIPT, or what the chambers refuse with.
        LocalError: CONFIG, where no receipt hands results over; UNREACHABLE.
    """
    if not awaits_results(machine):
        raise LocalError(Reason.CONFIG, "the session has not ended with a receipt that hands results over")
    refused: PeerError | None = None
    for link in custody.links:
        try:
            return handed_over(machine.facts, result_seed(secret), link.results(machine))
        except PeerError as error:
            refused = error if refused is None or error.reason is not Reason.WRONG_SESSION else refused
    assert refused is not None
    raise refused
