"""Room: the prover. Its configuration file, read strictly; every path is relative to the file."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parley_attestation.errors import LocalError, Reason
from parley_prover.engines.config import EngineConfig


class DisclosureConfig(BaseModel):
    """What one counterparty may draw over all its exercises."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answers: int = Field(default=100_000, ge=1, description="Answered units.")
    output_bytes: int = Field(default=1 << 32, ge=1, description="Bytes of outputs.")


class ProverConfig(BaseModel):
    """A prover that serves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    party: Path = Field(description="Party folder made by parley keygen.")
    listen: str = Field(default="127.0.0.1:50551", description="host:port to listen on.")
    peers: list[Path] = Field(min_length=1, description="Cards of the verifiers to admit.")
    models: list[Path] = Field(min_length=1, description="Registered model claims.")
    journal: Path = Field(default=Path("prover.journal"), description="The journal of sessions and budgets.")
    sessions: int = Field(default=4, ge=1, le=64, description="Sessions at once.")
    max_turn_bytes: int = Field(
        default=256 << 20, ge=1024, description="Largest content of one turn to accept."
    )
    declared: dict[str, float] = Field(
        default_factory=dict,
        description="By claim id, the success rate the prover declares; it sizes the test.",
    )
    disclosure: DisclosureConfig = Field(default_factory=DisclosureConfig)
    engine: EngineConfig = Field(discriminator="kind", description="What answers.")


def read_toml(path: Path, section: str) -> dict[str, Any]:
    """One section of a TOML file. Raises `LocalError` (CONFIG), naming the line where there is one."""
    try:
        document = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise LocalError(Reason.CONFIG, f"{path}: {error}") from error
    found = document.get(section)
    if not isinstance(found, dict):
        raise LocalError(Reason.CONFIG, f"{path}: expected a section [{section}]")
    return found


def read_config(path: Path) -> ProverConfig:
    """Read a prover's configuration. Raises `LocalError` (CONFIG), naming file and field."""
    try:
        config = ProverConfig.model_validate(read_toml(path, "prover"))
    except ValidationError as error:
        one = error.errors()[0]
        where = ".".join(str(p) for p in one["loc"])
        raise LocalError(Reason.CONFIG, f"{path}: prover.{where}: {one['msg']}") from error
    base = path.parent
    return config.model_copy(
        update={
            "party": base / config.party,
            "journal": base / config.journal,
            "peers": [base / p for p in config.peers],
            "models": [base / p for p in config.models],
            "engine": config.engine.resolved(base),
        }
    )
