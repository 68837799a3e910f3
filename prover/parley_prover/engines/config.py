"""Room: the prover. What an engine is configured with, and the registry that opens it."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from parley_prover.engines.base import Engine


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def resolved(self, base: Path) -> Self:
        """The configuration with its paths under `base`."""
        del base
        return self


class OnnxConfig(_Config):
    """A model in an ONNX file, run by onnxruntime on this machine."""

    kind: Literal["onnx"]
    model: Path = Field(description="The .onnx file.")
    dtype: Literal["float32", "int64"] = Field(default="float32", description="Element type of the input.")
    shape: list[int] = Field(min_length=1, description="Shape of one prompt, without the batch axis.")
    scale: float = Field(default=1.0, description="Every number of a prompt is divided by this.")
    labels: list[str] = Field(default_factory=list, description="Names of the classes; empty: their numbers.")
    threads: int = Field(default=1, ge=1, le=64, description="Threads; 1 keeps the order of additions fixed.")

    def resolved(self, base: Path) -> Self:
        """The configuration with the model under `base`."""
        return self.model_copy(update={"model": base / self.model})


class PythonConfig(_Config):
    """Any importable callable (prompts: list[bytes], seeds: list[int]) -> list[bytes], in its own process."""

    kind: Literal["python"]
    callable: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", description="module:function.")
    path: Path | None = Field(default=None, description="Folder to import from.")
    seconds: float = Field(default=600.0, gt=0, description="Deadline of one batch.")
    environment: list[str] = Field(
        default_factory=list, description="Names of variables the process may see."
    )

    def resolved(self, base: Path) -> Self:
        """The configuration with the import folder under `base`."""
        return self if self.path is None else self.model_copy(update={"path": base / self.path})


class OpenAIConfig(_Config):
    """Any OpenAI-compatible HTTP endpoint."""

    kind: Literal["openai"]
    base_url: str = Field(pattern="^https?://", description="For example http://127.0.0.1:8000/v1.")
    model: str = Field(min_length=1, max_length=200, description="Name of the model at the endpoint.")
    system: str = Field(default="", max_length=20_000, description="System prompt; empty sends none.")
    temperature: float = Field(default=0.0, ge=0, le=2, description="Sampling temperature.")
    top_p: float = Field(default=1.0, gt=0, le=1, description="Nucleus sampling.")
    max_tokens: int = Field(default=256, ge=1, le=1 << 20, description="Tokens of one answer at most.")
    stop: list[str] = Field(default_factory=list, max_length=4, description="Stop sequences.")
    send_seed: bool = Field(default=True, description="Send the unit's sampling seed, where supported.")
    concurrency: int = Field(default=8, ge=1, le=256, description="Requests at once.")
    retries: int = Field(
        default=4, ge=0, le=20, description="Retries with back-off on 408, 409, 429 and 5xx."
    )
    seconds: float = Field(default=120.0, gt=0, description="Time-out of one request.")
    key_file: Path | None = Field(default=None, description="File with the API key.")
    key_variable: str = Field(default="", description="Or: name of an environment variable that holds it.")

    def resolved(self, base: Path) -> Self:
        """The configuration with the key file under `base`."""
        return self if self.key_file is None else self.model_copy(update={"key_file": base / self.key_file})


EngineConfig = Annotated[OnnxConfig | PythonConfig | OpenAIConfig, Field(discriminator="kind")]

_BACKENDS = {
    "onnx": ("parley_prover.engines.onnx", "OnnxEngine"),
    "python": ("parley_prover.engines.python", "PythonEngine"),
    "openai": ("parley_prover.engines.openai", "OpenAIEngine"),
}


def open_engine(config: OnnxConfig | PythonConfig | OpenAIConfig) -> Engine:
    """Open the engine that `config` describes.

    Raises:
        LocalError: MISSING_EXTRA, CONFIG or ENGINE.
    """
    module, name = _BACKENDS[config.kind]
    engine: Engine = getattr(import_module(module), name)(config)
    return engine
