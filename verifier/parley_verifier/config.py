"""Room: the verifier. Its configuration, read strictly; paths are relative to the file."""

from pathlib import Path

from parley_attestation.edge.chamber_config import SealedConfig
from parley_attestation.edge.toml import read_model
from pydantic import BaseModel, ConfigDict, Field


class VerifierConfig(BaseModel):
    """A verifier that runs exercises."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    party: Path = Field(description="Party folder made by parley keygen.")
    peer: Path = Field(description="Card of the prover.")
    test_set: Path = Field(description="The sealed test set.")
    key_file: Path | None = Field(
        default=None, description="Key file of the test set; else a passphrase is asked."
    )
    terms: Path = Field(description="The sealed terms made by parley terms new.")
    witnesses: list[Path] = Field(default_factory=list, description="Cards of the witnesses to ask.")
    binding: Path | None = Field(
        default=None,
        description="The chamber's statement, where open terms demand one; read once it is there.",
    )
    sealed: SealedConfig | None = Field(default=None, description="Sealed mode: its chambers.")
    prover_chamber: bool = Field(
        default=False, description="Give the tests to a chamber that the prover runs and could read."
    )
    journal: Path = Field(default=Path("verifier.journal"), description="The journal of sessions.")
    results: Path | None = Field(
        default=None,
        description="Results of a sealed run, under the test set's key: written where its terms hand them over, "
        "read for an audit of its receipt.",
    )
    qualifications: list[Path] = Field(
        default_factory=list, description="Statements of third parties that vouch for the test set."
    )
    ledger: Path = Field(default=Path("ledger.sqlite"), description="The ledger of the verifier's test sets.")
    ledger_alpha: str = Field(default="1/2", description="Risks that one set's exercises may add up to.")
    ledger_drift: str = Field(default="1/2", description="Score drift by reuse at which a set is used up.")
    silence_seconds: float = Field(
        default=120.0, gt=0, description="The prover counts as gone after this silence."
    )


def read_config(path: Path) -> VerifierConfig:
    """Read a verifier's configuration. Raises `LocalError` (CONFIG), naming file and field."""
    config = read_model(path, VerifierConfig, "verifier")
    base = path.parent
    paths = {name: base / value for name, value in config if isinstance(value, Path)}
    lists = {
        "witnesses": [base / path for path in config.witnesses],
        "qualifications": [base / path for path in config.qualifications],
    }
    sealed = {"sealed": config.sealed.resolved(base) if config.sealed is not None else None}
    return config.model_copy(update=paths | lists | sealed)
