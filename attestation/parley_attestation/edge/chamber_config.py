"""Room: the edge. The chambers as a party's configuration names them; both roles' files hold such a section."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from parley_attestation.canonical import Fields
from parley_attestation.edge.chamber_client import ChamberClient
from parley_attestation.edge.journal import Journal
from parley_attestation.edge.party import Party, PeerCard, read_card
from parley_attestation.edge.sealed import Rules
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import LocalError, ParleyError, Reason
from parley_attestation.evidence import strictjson
from parley_attestation.evidence.policy import Policy, read_policy

_MAX_POLICY = 1 << 20  # bytes


class ChamberConfig(BaseModel):
    """One chamber that this party accepts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    card: Path = Field(description="Card of the chamber's operator, with the endpoint of the chamber.")
    operator: str = Field(
        pattern="^[0-9a-f]{64}$",
        description="The operator's key that is accepted, as `parley chamber show` prints it.",
    )


class SealedConfig(BaseModel):
    """Sealed mode: the chambers, and what this party demands before it releases its key to them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    chambers: list[ChamberConfig] = Field(
        min_length=1, max_length=4, description="One for each chamber of the terms' quorum."
    )
    policy: Path | None = Field(
        default=None,
        description="Own policy for the chambers' evidence, JSON; demanded besides the one in the terms.",
    )
    accept_no_sandbox: bool = Field(
        default=False, description="Release the key to a chamber that runs without boxes."
    )
    accept_swap: bool = Field(
        default=False,
        description="Release the key to a chamber whose machine could write memory to a disk in the clear.",
    )
    seconds: float = Field(
        default=6 * 3600.0, gt=0, description="Longest call to a chamber: an upload, or the whole run."
    )

    def resolved(self, base: Path) -> Self:
        """The configuration with its paths under `base`."""
        paths = {name: base / value for name, value in self if isinstance(value, Path)}
        chambers = [one.model_copy(update={"card": base / one.card}) for one in self.chambers]
        return self.model_copy(update=paths | {"chambers": chambers})


@dataclass(frozen=True, slots=True)
class ChamberAccess:
    """A party's ways to its chambers, and its rules about them.

    Attributes:
        party: The caller.
        cards: The pinned cards of the chambers.
        rules: What the party demands before it releases its key.
        seconds: Deadline of one call.
    """

    party: Party
    cards: tuple[PeerCard, ...]
    rules: Rules
    seconds: float = 6 * 3600.0

    @contextmanager
    def links(self, journal: Journal) -> Iterator[tuple[ChamberClient, ...]]:
        """The connections for the sessions in `journal`."""
        with ExitStack() as held:
            clients = [ChamberClient(self.party, card, journal, self.seconds) for card in self.cards]
            yield tuple(held.enter_context(closing(one)) for one in clients)


def open_access(config: SealedConfig, party: Party, *, other_party: bool) -> ChamberAccess:
    """What a configuration says, with its files read. Raises `LocalError` (CONFIG)."""
    rules = Rules(
        operators=frozenset(Bytes32.of_hex(one.operator) for one in config.chambers),
        other_party=other_party,
        unsandboxed=config.accept_no_sandbox,
        swap=config.accept_swap,
        policy=None if config.policy is None else _policy(config.policy),
    )
    return ChamberAccess(party, tuple(read_card(one.card) for one in config.chambers), rules, config.seconds)


def _policy(path: Path) -> Policy:
    try:
        document = strictjson.load(path.read_bytes(), _MAX_POLICY, "policy")
        return read_policy(Fields(document, "policy", reason=Reason.CONFIG))
    except (OSError, ParleyError) as error:
        raise LocalError(Reason.CONFIG, f"{path}: no appraisal policy ({error})") from error
