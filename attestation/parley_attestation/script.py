"""Room: the core. Script items: dialogues whose every turn is fixed but the answers; pure, read strictly.

The prompt of a script is a canonical JSON list of turns `{role, content}`; an assistant turn without
content is a slot, which the model fills. The output of its unit is the canonical JSON list of the
answers, one string per slot. So the scaffolding of an interaction is committed like any prompt, and its
course is one output.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from parley_attestation import canonical
from parley_attestation.encoding import MAX_BLOB
from parley_attestation.errors import PeerError, Reason
from parley_attestation.output import cut

ROLES = ("system", "user", "assistant")
MAX_TURNS = 256

Turn = tuple[str, str | None]  # role, and content; None where the model answers


@dataclass(frozen=True, slots=True)
class Script:
    """One dialogue. The last turn is a slot, and a slot follows no other assistant turn."""

    turns: tuple[Turn, ...]

    @property
    def slots(self) -> int:
        """How many answers the dialogue asks for."""
        return sum(content is None for _, content in self.turns)

    def before(self, slot: int, answers: Sequence[str]) -> bytes:
        """What the model is asked for slot number `slot`, after `answers`: canonical JSON messages."""
        given: Iterator[str] = iter(answers)
        messages: list[dict[str, str]] = []
        for role, content in self.turns:
            if content is None and slot == 0:
                break
            slot -= content is None
            messages.append({"role": role, "content": next(given) if content is None else content})
        return canonical.dump(messages)


def read_script(prompt: bytes) -> Script:
    """Read a script's prompt strictly.

    Raises:
        PeerError: BAD_REGISTRATION, for anything but the one form: its owner committed to it.
    """
    try:
        value = canonical.load(prompt, limit=MAX_BLOB)
    except PeerError as error:
        raise _refusal(f"canonical JSON ({error.message})") from None
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_TURNS:
        raise _refusal(f"a list of 1..{MAX_TURNS} turns")
    turns = tuple(_turn(n, one) for n, one in enumerate(value))
    if turns[-1] != ("assistant", None):
        raise _refusal("an assistant turn without content at the end")
    previous = ""
    for n, (role, _) in enumerate(turns):
        if role == "assistant" and previous not in {"user", "system"}:
            raise _refusal(f"no assistant turn at {n}, where nobody has spoken to it")
        if role == "system" and n:
            raise _refusal("a system turn at the start only")
        previous = role
    return Script(turns)


def _turn(n: int, value: Any) -> Turn:
    role, content = (value.get("role"), value.get("content")) if isinstance(value, dict) else (None, None)
    if role not in ROLES:
        raise _refusal(f"a role among {', '.join(ROLES)} in turn {n}")
    expected = {"role"} if content is None else {"role", "content"}
    if (
        set(value) != expected
        or not isinstance(content, str | None)
        or (content is None and role != ROLES[2])
    ):
        raise _refusal(f"role and content in turn {n}, or an assistant's role alone")
    return role, content


def _refusal(expected: str) -> PeerError:
    return PeerError(Reason.BAD_REGISTRATION, f"script: expected {expected}")


def write_answers(answers: Sequence[str], limit: int) -> bytes:
    """The output of a unit, at most `limit` bytes: every answer is cut to its share where that must be.

    Args:
        answers: One per slot.
        limit: Bytes; `least_output(len(answers))` at least.
    """
    whole = canonical.dump(list(answers))
    if len(whole) <= limit:
        return whole
    share = (limit - 1) // len(answers) - 1  # a comma or bracket each
    return canonical.dump([_cut(one, share) for one in answers])


def least_output(slots: int) -> int:
    """Bytes of an output whose answers are all empty: an output cap below it cannot be kept."""
    return 3 * slots + 1


def _cut(answer: str, size: int) -> str:
    """The longest beginning, by halving, whose JSON string takes at most `size` bytes."""
    if len(canonical.dump(answer)) <= size:
        return answer
    low, high = 0, len(answer)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if len(canonical.dump(answer[:middle])) <= size else (low, middle)
    return answer[:low]


def text_of(output: bytes, limit: int) -> str:
    """An engine's answer as text: cut to `limit` bytes, and what is no UTF-8 replaced by U+FFFD."""
    return cut(output, limit).decode("utf-8", "replace")


def read_answers(output: bytes) -> tuple[str, ...] | None:
    """The answers of an output; None where it is not a canonical JSON list of strings."""
    try:
        value = canonical.load(output, limit=MAX_BLOB)
    except PeerError:
        return None
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        return None
    return tuple(value)
