"""Room: the edge. ONNX Runtime on the CPU: the prover answers with it, the chamber runs it again.

One thread by default, so that equal runs answer alike.

Prompts are JSON arrays of numbers: integers, decimals, or decimals as strings, as canonical JSON
writes them. With dtype "string" the prompt is the text itself, and the model holds its own tokenizer.
External weights are loaded by the runtime, which refuses any outside the model's folder.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from parley_attestation.errors import LocalError, Reason
from parley_attestation.output import cut
from parley_attestation.runtime import OnnxRuntime

try:
    import numpy as np
    import onnxruntime
except ImportError as _error:
    raise LocalError(
        Reason.MISSING_EXTRA, "the onnx engine needs onnxruntime", hint="pip install 'parley[onnx]'"
    ) from _error

_OLDEST = (1, 24)  # older ones load external weights from anywhere
_TENSORS = {"float32": "tensor(float)", "float64": "tensor(double)"} | {
    name: f"tensor({name})" for name in ("int32", "int64", "string")
}


@dataclass(frozen=True, slots=True)
class OnnxSettings:
    """A model file and how its prompts are read and its outputs written; see `runtime.OnnxRuntime`.

    `runtime_version` refuses any other version of onnxruntime; with one thread it makes class E1.
    """

    model: Path
    shape: tuple[int, ...]
    dtype: str = "float32"
    scale: float = 1.0
    output: str = "argmax"
    output_name: str | None = None
    labels: tuple[str, ...] | None = None
    decimals: int = 6
    threads: int = 1
    runtime_version: str | None = None


def pinned(runtime: OnnxRuntime, folder: Path) -> OnnxSettings:
    """The settings under which a runtime that terms name runs over the model's files in `folder`."""
    return OnnxSettings(
        model=folder / runtime.file,
        shape=runtime.shape,
        dtype=runtime.dtype,
        scale=float(runtime.scale),
        output=runtime.output,
        output_name=runtime.output_name or None,
        labels=runtime.labels or None,
        decimals=runtime.decimals,
        runtime_version=runtime.version,
    )


class OnnxModel:
    """One session of ONNX Runtime."""

    version: str = onnxruntime.__version__

    def __init__(self, settings: OnnxSettings) -> None:
        """Load the model. Raises `LocalError` (CONFIG, ENGINE)."""
        self._config = settings
        self._size = math.prod(settings.shape)
        if settings.runtime_version not in (None, onnxruntime.__version__):
            raise LocalError(
                Reason.CONFIG,
                f"expected onnxruntime {settings.runtime_version}, found {onnxruntime.__version__}",
            )
        if tuple(int(part) for part in onnxruntime.__version__.split(".")[:2]) < _OLDEST:
            raise LocalError(
                Reason.CONFIG, "expected onnxruntime 1.24 or newer", hint="pip install 'parley[onnx]'"
            )
        self._session = _load(settings)
        self._input, self._batched = _input(self._session, settings)
        self._output = _output(self._session, settings)

    @property
    def deterministic(self) -> bool:
        """Whether equal runs on one machine answer alike."""
        return self._config.threads == 1

    @property
    def pinned(self) -> bool:
        """Whether this is execution class E1: a batch's size can change the last bits, so there are none."""
        return self.deterministic and self._config.runtime_version is not None

    def answer(self, prompts: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """Answer every prompt, given with its output's limit in bytes; in one run where that may be.

        Raises:
            LocalError: ENGINE, without prompt text in it.
        """
        items = [self._read(number, content) for number, (content, _) in enumerate(prompts)]
        if not items:
            return []
        together = self._batched and not self.pinned
        batches = [np.stack(items)] if together else [item[None] for item in items]
        rows: list[Any] = []
        for batch in batches:
            rows.extend(self._run(batch))
        if len(rows) != len(prompts):
            raise LocalError(Reason.ENGINE, f"expected {len(prompts)} rows from the model, got {len(rows)}")
        return [cut(self._write(row), limit) for row, (_, limit) in zip(rows, prompts, strict=True)]

    def _run(self, batch: Any) -> Any:
        try:
            found = self._session.run([self._output], {self._input: batch})[0]
        except Exception as error:  # noqa: BLE001 - the runtime's errors share no class; their text may quote data
            raise LocalError(Reason.ENGINE, f"the model failed: {type(error).__name__}") from None
        if not isinstance(found, np.ndarray) or found.ndim == 0 or found.dtype.kind not in "fiub":
            raise LocalError(Reason.ENGINE, "expected the model's output to be a tensor of numbers")
        return found

    def _read(self, number: int, content: bytes) -> Any:
        if self._config.dtype == "string":
            return self._text(number, content)
        wanted = f"prompt {number} of the batch: expected a JSON array of {self._size} numbers"
        try:
            values = [_number(v) for v in _flat(json.loads(content))]
            if self._config.scale != 1:
                values = [v / self._config.scale for v in values]
            if len(values) != self._size:
                raise LocalError(Reason.BAD_PROMPT, f"{wanted}, got {len(values)}")
            exact: list[float] | list[int] = values
            if self._config.dtype.startswith("int"):
                exact = [int(v) for v in values]
                if exact != values:
                    raise LocalError(Reason.BAD_PROMPT, f"{wanted}, all of them integers")
            with np.errstate(over="raise"):
                return np.array(exact, dtype=self._config.dtype).reshape(self._config.shape)
        except (ValueError, TypeError, ArithmeticError, RecursionError):
            raise LocalError(Reason.BAD_PROMPT, wanted) from None

    def _text(self, number: int, content: bytes) -> Any:
        try:
            return np.full(self._config.shape, content.decode(), dtype=object)
        except UnicodeDecodeError:
            raise LocalError(Reason.BAD_PROMPT, f"prompt {number} of the batch: expected UTF-8") from None

    def _write(self, row: Any) -> bytes:
        if self._config.output == "json":
            return _spell(row.tolist(), self._config.decimals).encode()
        best = int(np.argmax(row))
        labels = self._config.labels
        if labels is None:
            return str(best).encode()
        if best >= len(labels):
            raise LocalError(
                Reason.ENGINE, f"the model has class {best}, the configuration {len(labels)} labels"
            )
        return labels[best].encode()


def _load(config: OnnxSettings) -> Any:
    if not config.model.is_file():
        raise LocalError(Reason.CONFIG, f"{config.model}: no such model file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = config.threads
    options.inter_op_num_threads = config.threads
    options.log_severity_level = 4
    if config.threads == 1:
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.use_deterministic_compute = True
    try:
        return onnxruntime.InferenceSession(config.model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise LocalError(Reason.ENGINE, f"{config.model}: onnxruntime refuses the model: {error}") from error


def _input(session: Any, config: OnnxSettings) -> tuple[str, bool]:
    """The name of the one input, and whether it takes batches."""
    found = session.get_inputs()
    if len(found) != 1:
        raise LocalError(Reason.CONFIG, f"{config.model}: expected a model with one input, got {len(found)}")
    axes = list(found[0].shape)
    fits = len(axes) == len(config.shape) + 1 and all(
        not isinstance(axis, int) or axis == want for axis, want in zip(axes[1:], config.shape, strict=True)
    )
    if not fits or (axes[0] not in (1, None) and isinstance(axes[0], int)):
        raise LocalError(
            Reason.CONFIG, f"{config.model}: the model takes {axes}, expected a batch axis and {config.shape}"
        )
    if found[0].type != _TENSORS[config.dtype]:
        raise LocalError(
            Reason.CONFIG, f"{config.model}: the model takes {found[0].type}, not {config.dtype}"
        )
    return found[0].name, axes[0] != 1


def _output(session: Any, config: OnnxSettings) -> str:
    names: list[str] = [one.name for one in session.get_outputs()]
    if config.output_name is None:
        return names[0]
    if config.output_name not in names:
        raise LocalError(Reason.CONFIG, f"{config.model}: the model has the outputs {', '.join(names)}")
    return config.output_name


def _flat(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return [one for part in value for one in (_flat(part) if isinstance(part, list) else [part])]


def _number(value: Any) -> float:
    """One element as a binary64 number, whatever type the input has."""
    if isinstance(value, str):
        try:
            value = float(Decimal(value))
        except InvalidOperation as error:
            raise ValueError from error
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _spell(value: Any, decimals: int) -> str:
    if isinstance(value, list):
        return "[" + ",".join(_spell(one, decimals) for one in value) + "]"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise LocalError(Reason.ENGINE, "the model gave a value that is not a finite number")
        return f"{value:.{decimals}f}"
    return str(int(value))
