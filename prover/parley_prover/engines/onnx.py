"""Room: the prover. ONNX models on the CPU through ONNX Runtime; the chamber re-executes with the same code."""

from collections.abc import Sequence

from parley_attestation.edge.onnx import OnnxModel, OnnxSettings

from parley_prover.engines.base import EngineInfo, Prompt
from parley_prover.engines.config import OnnxConfig


class OnnxEngine:
    """One session of ONNX Runtime."""

    def __init__(self, config: OnnxConfig) -> None:
        """Load the model. Raises `LocalError` (CONFIG, ENGINE)."""
        self._model = OnnxModel(OnnxSettings(**config.model_dump(exclude={"kind", "input"})))

    def describe(self) -> EngineInfo:
        """Say what this engine is; class E1 is one thread of a pinned runtime, prompt by prompt."""
        model = self._model
        return EngineInfo("onnx", model.version, model.deterministic, "E1" if model.pinned else None)

    def generate(self, prompts: Sequence[Prompt]) -> list[bytes]:
        """Answer every prompt, in one run where that may be. Raises `LocalError` (ENGINE)."""
        return self._model.answer([(one.content, one.limit) for one in prompts])

    def close(self) -> None:
        """Nothing to let go of: the session goes with the object."""
