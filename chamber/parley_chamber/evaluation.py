"""Room: the chamber. Both secrets in one place: verified weights, and their answers to prompts, in boxes."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from parley_attestation import canonical
from parley_attestation.encoding import u64
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.model.claim import ClaimSecret, ModelClaim
from parley_attestation.runtime import ProgramRuntime, Runtime

from parley_chamber.boxes import frames
from parley_chamber.boxes.frames import ANSWER, MODEL, PROGRAM
from parley_chamber.sandbox import BUBBLEWRAP, Box, Limits, Sandbox, python

_LOAD_OUTPUT = 1 << 10  # bytes; a reason code and its length fit many times over
_HEAD = 9  # bytes of an answer's frame besides the output


@dataclass(frozen=True, slots=True)
class Weights:
    """The prover's weights as they lie in the chamber, what opens their claim, and how they run.

    Attributes:
        location: A folder or a single file.
        secret: The secret of the model claim.
        runtime: The runtime that the terms name.
        program: The folder of the prover's program, where the runtime is one.
    """

    location: Path
    secret: ClaimSecret = field(repr=False)
    runtime: Runtime
    program: Path | None = None

    def files(self) -> dict[str, Path]:
        """The files as boxes see them."""
        inside = MODEL if self.location.is_dir() else f"{MODEL}/{self.location.name}"
        return {inside: self.location}


def load(sandbox: Sandbox, weights: Weights, claim: ModelClaim, limits: Limits) -> None:
    """Verify in a box that the weights are the claimed ones.

    Raises:
        PeerError: With the box's reason code, where they are not.
        LocalError: BOX_TIME, BOX_OUTPUT or BOX_FAILED.
    """
    allowed = Limits(limits.memory, limits.seconds, _LOAD_OUTPUT, limits.scratch)
    box = Box(python("parley_chamber.boxes.load"), weights.files(), allowed)
    said = frames_of(sandbox.run(box, map(frames.pack, (claim.sealed, weights.secret.encode()))))
    if len(said) != 1 or said[0] not in {b"", *(reason.encode() for reason in Reason)}:
        raise LocalError(Reason.BOX_FAILED, "the load box did not answer in its fixed shape")
    if said[0]:
        raise PeerError(
            Reason(said[0].decode()), "the weights are not the ones that the model claim commits to"
        )


def answer(
    sandbox: Sandbox, weights: Weights, prompts: Iterable[bytes], output_limit: int, limits: Limits
) -> list[bytes | None]:
    """Run the weights over prompts in a box; None where the model has no answer.

    Args:
        sandbox: Where boxes are made.
        weights: Verified weights.
        prompts: The prompts, in order; they are fed one by one.
        output_limit: Bytes of one output at most.
        limits: What the box may use; its output is bounded by the number of prompts as well.

    Raises:
        LocalError: BOX_TIME, BOX_OUTPUT or BOX_FAILED.
    """
    runtime, count = weights.runtime, 0
    supplied = isinstance(runtime, ProgramRuntime)

    def feed() -> Iterator[bytes]:
        nonlocal count
        if not supplied:
            yield frames.pack(canonical.dump(runtime.document()))
        yield frames.pack(u64(output_limit))
        for prompt in prompts:
            count += 1
            yield frames.pack(prompt)

    found = frames_of(sandbox.run(_run_box(weights, limits), feed()))
    if len(found) != count or any(len(one) > output_limit + 1 or not one for one in found):
        raise LocalError(Reason.BOX_FAILED, "the run box did not answer every prompt in its fixed shape")
    return [one[1:] if one[:1] == ANSWER else None for one in found]


def _run_box(weights: Weights, limits: Limits) -> Box:
    runtime = weights.runtime
    if not isinstance(runtime, ProgramRuntime):
        return Box(python("parley_chamber.boxes.run"), weights.files(), limits)
    assert weights.program is not None
    files = weights.files() | {PROGRAM: weights.program}
    return Box(runtime.command, files, replace(limits, processes=runtime.processes), sockets=True)


def output_bytes(count: int, output_limit: int) -> int:
    """What a run box may write for `count` prompts."""
    return count * (_HEAD + output_limit)


def frames_of(raw: bytes) -> list[bytes]:
    """The frames that a box wrote. Raises `LocalError` (BOX_FAILED)."""
    try:
        return list(frames.read(io.BytesIO(raw)))
    except PeerError:
        raise LocalError(Reason.BOX_FAILED, "a box did not answer in whole frames") from None


def kept_apart(sandbox: Sandbox) -> str:
    """How boxes are kept apart, as statements say it."""
    return "bubblewrap" if sandbox.kind == BUBBLEWRAP else "none"
