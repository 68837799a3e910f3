"""Room: the prover. What every engine is: prompts in, outputs out, in batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt: its bytes, the 63-bit sampling seed of its unit, and the cap on its output in bytes."""

    content: bytes
    seed: int
    limit: int


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine says about itself; it goes into logs, never into a claim."""

    name: str
    version: str
    deterministic: bool
    execution_class: str | None = None


class Engine(Protocol):
    """A model that answers."""

    def describe(self) -> EngineInfo:
        """Say what this engine is."""

    def generate(self, prompts: Sequence[Prompt]) -> list[bytes]:
        """Answer every prompt, in order.

        Raises:
            LocalError: BAD_PROMPT, where a prompt is not of the form that the model takes, at any time;
                ENGINE, where it failed this time. Neither holds text of a prompt.
        """

    def close(self) -> None:
        """Let go of processes and memory."""
