"""Room: the prover. Engine `onnx`: a model file run by onnxruntime on this machine.

A prompt is a JSON array of numbers, flattened; the answer is the label of the largest logit. One
thread and a fixed graph keep it bit-identical on one build (execution class E1).
"""

import json
from collections.abc import Sequence
from typing import Any

from parley_attestation.errors import LocalError, Reason

from parley_prover.engines.base import EngineInfo, Prompt
from parley_prover.engines.config import OnnxConfig


class OnnxEngine:
    """One ONNX model, batched."""

    def __init__(self, config: OnnxConfig) -> None:
        """Load the model. Raises `LocalError` (MISSING_EXTRA, ENGINE)."""
        try:
            import numpy as np  # noqa: PLC0415 - optional
            import onnxruntime as ort  # noqa: PLC0415 - optional
        except ImportError as error:
            raise LocalError(
                Reason.MISSING_EXTRA, "the onnx engine needs onnxruntime", hint="pip install 'parley[onnx]'"
            ) from error
        self._np: Any = np
        self._config = config
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = config.threads
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(
                str(config.model), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise LocalError(Reason.ENGINE, f"{config.model}: onnxruntime cannot load it") from error
        self._version = ort.__version__
        self._input = self._session.get_inputs()[0].name

    def describe(self) -> EngineInfo:
        """A pinned build with one thread repeats itself bit by bit."""
        return EngineInfo("onnx", self._version, deterministic=True, execution_class="E1")

    def generate(self, prompts: Sequence[Prompt]) -> list[bytes]:
        """Run the prompts as one batch. Raises `LocalError` (ENGINE)."""
        np, config = self._np, self._config
        rows = [self._row(prompt.content) for prompt in prompts]
        batch = (np.array(rows, dtype=np.float64) / config.scale).astype(config.dtype)
        try:
            logits = self._session.run(None, {self._input: batch.reshape(len(rows), *config.shape)})[0]
        except Exception as error:
            raise LocalError(Reason.ENGINE, f"onnxruntime failed ({type(error).__name__})") from error
        winners = np.asarray(logits).reshape(len(rows), -1).argmax(axis=1)
        return [self._label(int(n)).encode() for n in winners]

    def close(self) -> None:
        """Nothing to let go of but memory."""

    def _label(self, number: int) -> str:
        labels = self._config.labels
        return labels[number] if number < len(labels) else str(number)

    def _row(self, content: bytes) -> list[float]:
        size = 1
        for length in self._config.shape:
            size *= length
        try:
            numbers = json.loads(content)
        except ValueError:
            numbers = None
        flat = numbers if isinstance(numbers, list) else []
        if len(flat) != size or not all(type(n) in {int, float} and abs(n) < 1e30 for n in flat):
            raise LocalError(Reason.ENGINE, f"expected prompts that are JSON arrays of {size} numbers")
        return flat
