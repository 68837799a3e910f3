"""Room: the verifier. Keeps the ledger of a test set around an exercise: charged before, noted after."""

from contextlib import closing
from pathlib import Path
from typing import Protocol

from parley_attestation.edge.attempts import replay
from parley_attestation.edge.journal import Journal
from parley_attestation.envelope import from_json
from parley_attestation.errors import Role
from parley_attestation.frametest import Decision
from parley_attestation.registration import TestSet
from parley_attestation.session.machine import Machine
from parley_attestation.session.tables import State
from parley_attestation.spending import spent
from parley_attestation.statement import parse
from parley_attestation.terms import exercise_id, read_terms

from parley_verifier.config import VerifierConfig
from parley_verifier.ledger import Exposure, SetLedger
from parley_verifier.terms_file import parse_rate


class Registered(Protocol):
    """Anything that knows its public registration."""

    @property
    def public(self) -> TestSet:
        """The registration."""


class Account:
    """One exercise in the ledger of its test set."""

    def __init__(self, config: VerifierConfig, sealed_terms: bytes, tests: Registered) -> None:
        """Take the verifier's configuration, the terms, and the set that they are about."""
        said = parse(from_json(sealed_terms).payload)
        self._config = config
        self._set = tests.public
        self._exercise = exercise_id(said)
        terms = read_terms(said)
        sampled = (
            () if terms.mode == "sealed" else terms.sampled_claims
        )  # a sealed run counts and samples nothing
        self._spent = spent(self._exercise, sampled)

    def _open(self) -> SetLedger:
        return SetLedger(self._config.ledger)

    def enter(self) -> None:
        """Charge the exercise, once for all its attempts.

        Raises:
            LocalError: BUDGET_EXHAUSTED, where the set is used up or retired.
        """
        alpha, drift = parse_rate(self._config.ledger_alpha), parse_rate(self._config.ledger_drift)
        with self._open() as ledger:
            ledger.register(self._set.root, self._set.size, alpha, drift)
            ledger.enter(self._set.root, self._exercise, self._spent.compliant, self._spent.violation)

    def broken(self, journal: Path) -> None:
        """Note what a session that broke off has shown: the last one in the verifier's journal, if of this exercise."""
        with closing(Journal(journal)) as sessions:
            row = sessions.last(Role.VERIFIER)
            if row is not None and sessions.exercise(row) == self._exercise:
                self.close(replay(sessions, Role.VERIFIER, row))

    def close(self, machine: Machine) -> None:
        """Note which items the prover saw, and the verdict where there is one."""
        audit, verdict = machine.facts.audit, machine.facts.verdict
        with self._open() as ledger:
            if audit is not None:
                items = [unit.name[0] for unit in audit.units]
                ledger.expose(self._set.root, items, Exposure.PROMPT_SEEN)
                ledger.expose(self._set.root, items[: audit.opened], Exposure.PUBLIC)
            if verdict is not None and machine.state is State.FINISHED:  # until then a chamber may change it
                ledger.issue(self._exercise, Decision(verdict.predicate["overall"]))
