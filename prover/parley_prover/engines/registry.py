"""Room: the prover. From a configuration to an engine; a new backend is one file and one line here."""

import importlib

from parley_prover.engines.base import Engine
from parley_prover.engines.config import EngineConfig

# kind -> module and class; a backend's own imports happen when it is asked for.
REGISTRY = {
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
    module, name = REGISTRY[config.kind]
    engine: Engine = getattr(importlib.import_module(module), name)(config)
    return engine
