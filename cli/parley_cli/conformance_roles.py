"""Room: the command line. Which suite `parley conformance run` runs: one role, and the way to it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from parley_attestation.edge import party
from parley_attestation.edge.party import Party, PeerCard
from parley_attestation.errors import LocalError, Reason, Role

if TYPE_CHECKING:
    from parley_conformance.run import Suite


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options say.

    Attributes:
        where: By role, its address or command; empty where it is not asked for.
        folder: The suite's own party, a verifier.
        prover_folder: The suite's own prover, for a chamber.
        peer: The card of the implementation.
        runtime: The runtime's document, for a chamber.
        listen: Where the suite's prover serves, for a verifier.
        seconds: Deadline of a session or a call.
    """

    where: dict[str, str]
    folder: Path | None
    prover_folder: Path | None
    peer: Path | None
    runtime: Path | None
    listen: str
    seconds: float

    def suite(self) -> "Suite":
        """The suite of the one role that is asked for.

        Raises:
            click.UsageError: None or more than one is, or an option that it needs is missing.
            LocalError: CONFIG, where a party or card has another role.
        """
        asked = [role for role, where in self.where.items() if where]
        if len(asked) != 1:
            raise click.UsageError("expected one of --" + ", --".join(_OPTION.get(r, r) for r in self.where))
        return _SUITES[asked[0]](self, self.where[asked[0]])

    def own(self, role: Role = Role.VERIFIER) -> Party:
        """One of the suite's own parties."""
        folder = self.folder if role is Role.VERIFIER else self.prover_folder
        if folder is None:
            option = "--party" if role is Role.VERIFIER else "--prover-party"
            raise click.UsageError(f"this role needs {option}, a {role}'s party folder")
        found = party.load(folder)
        if found.card.role is not role:
            raise LocalError(Reason.CONFIG, f"{folder}: expected a {role}'s party folder")
        return found

    def card(self, role: Role, endpoint: str) -> PeerCard:
        """The card of the implementation, at the address that was given."""
        if self.peer is None:
            raise click.UsageError(f"this role needs --peer, the {role}'s card")
        found = party.read_card(self.peer)
        if found.role is not role:
            raise LocalError(Reason.CONFIG, f"{self.peer}: expected a {role}'s card")
        return found.model_copy(update={"endpoint": endpoint})


def _prover(asked: Asked, endpoint: str) -> "Suite":
    from parley_conformance.cases import PROVER  # noqa: PLC0415
    from parley_conformance.harness import Target  # noqa: PLC0415
    from parley_conformance.requirements import REQUIREMENTS  # noqa: PLC0415
    from parley_conformance.run import Suite  # noqa: PLC0415

    own, card = asked.own(), asked.card(Role.PROVER, endpoint)
    return Suite(
        "prover",
        REQUIREMENTS,
        PROVER,
        lambda seed, folder: Target(own, card, seed, asked.seconds, folder),
    )


def _verifier(asked: Asked, endpoint: str) -> "Suite":
    from parley_conformance.roles.verifier_cases import suite  # noqa: PLC0415

    return suite(endpoint, asked.seconds, asked.listen)


def _judge(asked: Asked, line: str) -> "Suite":
    from parley_conformance.roles.judge_cases import suite  # noqa: PLC0415

    return suite(line, asked.seconds)


def _witness(asked: Asked, endpoint: str) -> "Suite":
    from parley_attestation.edge.witness_client import Address  # noqa: PLC0415
    from parley_conformance.roles.witness_cases import suite  # noqa: PLC0415

    return suite(Address.of_card(asked.card(Role.WITNESS, endpoint), asked.own()), asked.seconds)


def _chamber(asked: Asked, endpoint: str) -> "Suite":
    from parley_attestation import canonical  # noqa: PLC0415
    from parley_attestation.runtime import OnnxRuntime, read_runtime  # noqa: PLC0415
    from parley_conformance.roles.chamber_cases import suite  # noqa: PLC0415

    if asked.runtime is None:
        raise click.UsageError("a chamber needs --runtime, the document that it was started with")
    runtime = read_runtime(canonical.load(asked.runtime.read_bytes()))
    if not isinstance(runtime, OnnxRuntime):
        raise LocalError(Reason.CONFIG, f"{asked.runtime}: expected a runtime of kind onnx")
    parties = {role: asked.own(role) for role in (Role.VERIFIER, Role.PROVER)}
    return suite(asked.card(Role.CHAMBER, endpoint), parties, runtime, asked.seconds)


_OPTION = {"judge": "judge-cmd"}
_SUITES: dict[str, Callable[[Asked, str], "Suite"]] = {
    "prover": _prover,
    "verifier": _verifier,
    "judge": _judge,
    "witness": _witness,
    "chamber": _chamber,
}
