"""Room: the prover. Its configuration file, read strictly; every path is relative to the file."""

from pathlib import Path

from parley_attestation.edge.chamber_config import SealedConfig
from parley_attestation.edge.toml import read_model
from parley_attestation.errors import LocalError, Reason
from pydantic import BaseModel, ConfigDict, Field

from parley_prover.engines.config import EngineConfig


class DisclosureConfig(BaseModel):
    """What one counterparty may draw over all its exercises."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answers: int = Field(default=100_000, ge=1, description="Answered units.")
    output_bytes: int = Field(default=1 << 32, ge=1, description="Bytes of outputs.")


class SealedModelConfig(SealedConfig):
    """Sealed mode: the model that chambers may have, and what is demanded of them."""

    model: Path = Field(description="The weights: the folder, or the one file, that was registered.")
    secret: Path = Field(description="The secret of the model claim.")
    program: Path | None = Field(
        default=None, description="Folder of the program that runs the model, where the terms name one."
    )


class ProverConfig(BaseModel):
    """A prover that serves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    party: Path = Field(description="Party folder made by parley keygen.")
    listen: str = Field(default="127.0.0.1:50551", description="host:port to listen on.")
    peers: list[Path] = Field(min_length=1, description="Cards of the verifiers to admit.")
    models: list[Path] = Field(min_length=1, description="Registered model claims.")
    witnesses: list[Path] = Field(default_factory=list, description="Cards of the witnesses to ask.")
    journal: Path = Field(default=Path("prover.journal"), description="The journal of sessions and budgets.")
    records: list[Path] = Field(default_factory=list, description="Compute records to show, in order.")
    sessions: int = Field(default=4, ge=1, le=64, description="Sessions of one verifier at once.")
    max_turn_bytes: int = Field(
        default=256 << 20, ge=1024, description="Largest content of one turn to accept."
    )
    declared: dict[str, float] = Field(
        default_factory=dict,
        description="By claim id, the success rate the prover declares; it sizes the test.",
    )
    require_prior: bool = Field(
        default=False,
        description="Decline terms that leave out an earlier exercise on the same set and model.",
    )
    verifier_chamber: bool = Field(
        default=False, description="Give the weights to a chamber that the verifier runs and could read."
    )
    hand_over: bool = Field(
        default=False,
        description="Accept sealed terms that give the verifier the result of every unit, not of the counts alone.",
    )
    disclosure: DisclosureConfig = Field(default_factory=DisclosureConfig)
    engine: EngineConfig | None = Field(
        default=None, description="What answers in open mode; without it there is sealed mode alone."
    )
    sealed: SealedModelConfig | None = Field(
        default=None, description="Sealed mode; without it there is open mode alone."
    )


def read_config(path: Path) -> ProverConfig:
    """Read a prover's configuration. Raises `LocalError` (CONFIG), naming file and field."""
    config = read_model(path, ProverConfig, "prover")
    if config.engine is None and config.sealed is None:
        raise LocalError(
            Reason.CONFIG,
            f"{path}: expected [prover.engine] for open mode, [prover.sealed] for sealed mode, or both",
        )
    base = path.parent
    return config.model_copy(
        update={
            "party": base / config.party,
            "journal": base / config.journal,
            "peers": [base / p for p in config.peers],
            "models": [base / p for p in config.models],
            "records": [base / p for p in config.records],
            "witnesses": [base / p for p in config.witnesses],
            "engine": config.engine.resolved(base) if config.engine is not None else None,
            "sealed": config.sealed.resolved(base) if config.sealed is not None else None,
        }
    )
