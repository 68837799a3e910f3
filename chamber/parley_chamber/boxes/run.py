"""Room: the chamber. The run box: the built-in runtime over the files in /in/model, prompt by prompt.

Reads the runtime's document and the limit of an output in bytes, then one frame a prompt; writes one
frame an answer: a zero byte and the output, or a one where the model has no answer to that prompt.
"""

import sys
from pathlib import Path

from parley_attestation import canonical
from parley_attestation.edge.onnx import OnnxModel, pinned
from parley_attestation.errors import LocalError, Reason
from parley_attestation.runtime import OnnxRuntime, read_runtime

from parley_chamber.boxes.frames import ANSWER, MODEL, NO_ANSWER, pack, read


def main() -> None:
    """Answer every prompt."""
    frames, out = read(sys.stdin.buffer), sys.stdout.buffer
    runtime = read_runtime(canonical.load(next(frames)))
    assert isinstance(runtime, OnnxRuntime)
    model = OnnxModel(pinned(runtime, Path(MODEL)))
    limit = int.from_bytes(next(frames), "big")
    for prompt in frames:
        out.write(pack(_answer(model, prompt, limit)))


def _answer(model: OnnxModel, prompt: bytes, limit: int) -> bytes:
    try:
        (output,) = model.answer([(prompt, limit)])
    except LocalError as error:
        if error.reason not in (Reason.ENGINE, Reason.BAD_PROMPT):
            raise
        return NO_ANSWER
    return ANSWER + output


if __name__ == "__main__":
    main()
