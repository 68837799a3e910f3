"""Room: the prover. Asks the engine: single prompts at once, scripts turn by turn in step with each other."""

from collections.abc import Sequence

from parley_attestation.errors import LocalError, Reason
from parley_attestation.script import read_script, text_of, write_answers

from parley_prover.engines.base import Engine, Prompt


def generate(engine: Engine, prompts: Sequence[Prompt]) -> list[bytes]:
    """The engine's outputs, one per prompt. Raises `LocalError` (ENGINE)."""
    outputs = engine.generate(prompts)
    if len(outputs) != len(prompts):
        raise LocalError(Reason.ENGINE, f"expected {len(prompts)} outputs, the engine gave {len(outputs)}")
    return outputs


def dialogues(engine: Engine, prompts: Sequence[Prompt]) -> list[bytes]:
    """Run scripts: the engine sees the messages so far, as JSON, and gives the next answer.

    All scripts go forward together, so that an engine that answers in batches has batches. Every turn of a
    unit is sampled with the unit's one seed.

    Raises:
        LocalError: ENGINE.
    """
    scripts = [read_script(prompt.content) for prompt in prompts]
    answers: list[list[str]] = [[] for _ in prompts]
    for slot in range(max((script.slots for script in scripts), default=0)):
        going = [n for n, script in enumerate(scripts) if slot < script.slots]
        asked = [
            Prompt(scripts[n].before(slot, answers[n]), prompts[n].seed, prompts[n].limit) for n in going
        ]
        for n, output in zip(going, generate(engine, asked), strict=True):
            answers[n].append(text_of(output, prompts[n].limit))
    return [write_answers(said, prompt.limit) for said, prompt in zip(answers, prompts, strict=True)]
