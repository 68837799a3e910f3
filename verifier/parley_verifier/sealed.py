"""Room: the verifier. The verifier's policy in sealed mode: the chamber instead of challenges."""

from parley_attestation.edge.endpoint import Draft, Secret
from parley_attestation.edge.journal import Journal
from parley_attestation.edge.sealed import Custody, agree
from parley_attestation.errors import PeerError
from parley_attestation.session import messages as m
from parley_attestation.session.facts import Channel
from parley_attestation.session.machine import Machine
from parley_attestation.session.tables import State

from parley_verifier.challenge import HiddenSet, VerifierPolicy


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
                return self._outcomes(machine)
            case State.RECEIVED:
                return agree(machine)
        return super().propose(machine, secret)

    def _outcomes(self, machine: Machine) -> Draft:
        """What the chambers left; a run that is lost with its chamber is on the record and not repeated."""
        try:
            return self._custody.outcomes(machine)
        except PeerError as error:
            return Draft(m.Abort(error.reason.value, "a chamber's run ended without an outcome"))
