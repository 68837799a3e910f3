"""Room: the prover. What a person writes about an engine in TOML, and the registry that opens it."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, model_validator

from parley_prover.engines.base import Engine


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def resolved(self, base: Path) -> Self:
        """The configuration with its paths under `base`."""
        paths = {n: base / v for n, v in self if isinstance(v, Path)}
        return self.model_copy(update=paths)


class OnnxConfig(_Config):
    """A model file for ONNX Runtime on the CPU."""

    kind: Literal["onnx"] = Field(description="This backend.")
    model: Path = Field(description="The .onnx file; weights beside it stay inside its folder.")
    input: Literal["json-array"] = Field(
        default="json-array", description="How prompts are read: a JSON array of numbers, flat or nested."
    )
    scale: float = Field(default=1.0, gt=0, allow_inf_nan=False, description="Numbers are divided by this.")
    dtype: Literal["float32", "float64", "int32", "int64", "string"] = Field(
        default="float32",
        description="Element type of the input tensor; string: the prompt is the text itself, of shape [1].",
    )
    shape: tuple[Annotated[int, Field(ge=1, le=1 << 24)], ...] = Field(
        max_length=8, description="Shape of one item, without the batch axis."
    )
    output: Literal["argmax", "json"] = Field(
        default="argmax", description="argmax: the label of the largest value. json: the values themselves."
    )
    output_name: str | None = Field(
        default=None, description="Which output of the model; the first one where absent."
    )
    labels: tuple[str, ...] | None = Field(
        default=None, description="argmax only: the text of each class; its number where absent."
    )
    decimals: int = Field(
        default=6, ge=0, le=17, description="json only: digits after the point of floating-point values."
    )
    threads: int = Field(
        default=1,
        ge=0,
        le=1024,
        description="Threads; 1 gives equal results in equal runs, 0 uses all cores.",
    )
    runtime_version: str | None = Field(
        default=None,
        description="Start under exactly this version of onnxruntime; one thread then makes class E1, no batches.",
    )


class PythonConfig(_Config):
    """A Python function of yours, run in a process of its own."""

    kind: Literal["python"] = Field(description="This backend.")
    callable: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="module:function, taking (list[bytes], list[int]) - prompts and seeds - to list[bytes].",
    )
    path: Path | None = Field(default=None, description="Folder to import from, before the installed ones.")
    environment: tuple[str, ...] = Field(
        default=(),
        description="Names of environment variables to hand down; all others but PATH are withheld.",
    )
    start_seconds: float = Field(default=120.0, gt=0, le=86400, description="Longest import of the module.")
    seconds: float = Field(
        default=600.0, gt=0, le=86400, description="Longest answer to one batch; then the process is killed."
    )
    log: Path | None = Field(
        default=None,
        description="File for what the function prints and for tracebacks; it may then hold prompts. None where absent.",
    )
    deterministic: bool = Field(
        default=False, description="The function says equal seeds give equal outputs."
    )


class OpenAIConfig(_Config):
    """An HTTP endpoint that speaks the OpenAI chat-completions protocol."""

    kind: Literal["openai"] = Field(description="This backend.")
    base_url: str = Field(pattern="^https?://", description="Address up to and including /v1.")
    model: str = Field(min_length=1, max_length=300, description="Name of the model at the endpoint.")
    key_file: Path | None = Field(default=None, description="File that holds the API key.")
    key_variable: str | None = Field(
        default=None, description="Name of the environment variable that holds the API key."
    )
    system: str | None = Field(default=None, description="System message before every prompt.")
    temperature: float = Field(default=0.0, ge=0, le=2, description="Sampling temperature.")
    top_p: float | None = Field(
        default=None, gt=0, le=1, description="Nucleus sampling; not sent where absent."
    )
    max_tokens: int = Field(default=256, ge=1, le=1 << 20, description="Most tokens of an answer.")
    stop: tuple[str, ...] = Field(default=(), max_length=4, description="Texts that end an answer.")
    dialect: Literal["chat", "reasoning"] = Field(
        default="chat",
        description="reasoning: send max_completion_tokens, and no temperature, top_p or stop.",
    )
    send_seed: bool = Field(default=True, description="Send the sampling seed of each unit.")
    concurrency: int = Field(default=8, ge=1, le=256, description="Requests at one time.")
    retries: int = Field(
        default=4,
        ge=0,
        le=20,
        description="More tries after 408, 409, 429, 5xx or a broken connection, with exponential back-off.",
    )
    seconds: float = Field(
        default=120.0, gt=0, le=86400, description="Longest wait for one answer, each try for itself."
    )

    @model_validator(mode="after")
    def _one_key(self) -> "OpenAIConfig":
        if self.key_file is not None and self.key_variable is not None:
            raise ValueError("key_file and key_variable exclude each other")
        return self


EngineConfig = Annotated[OnnxConfig | PythonConfig | OpenAIConfig, Discriminator("kind")]

# kind -> module and class; a backend's own imports happen when it is asked for.
_BACKENDS = {
    "onnx": ("parley_prover.engines.onnx", "OnnxEngine"),
    "openai": ("parley_prover.engines.openai", "OpenAIEngine"),
    "python": ("parley_prover.engines.python", "PythonEngine"),
}


def open_engine(config: EngineConfig) -> Engine:
    """Start the engine that `config` describes; the caller closes it.

    Raises:
        LocalError: MISSING_EXTRA, naming what to install; CONFIG, for a model or key that is not there
            or does not fit; ENGINE, for an engine that does not start.
    """
    module, name = _BACKENDS[config.kind]
    engine: Engine = getattr(import_module(module), name)(config)
    return engine
