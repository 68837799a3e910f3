"""Room: the suite. The way to a judge under test: a command that reads a record and prints what it shows.

The command is given as one line and split as a shell does. In each word `{record}` becomes the path of
the record; a word with `{pin}` is repeated for every root fingerprint that the reader trusts, in hex, and
left out where there is none. For the reference judge: `parley check --json {record} --pin={pin}`.

The command exits with 0 where the record is valid and both parties are pinned, else with 1, and prints
one JSON object (RFC 8259) on stdout and nothing else. Its members, all of them always there; others are
not looked at:

    valid     whether every check held, whoever the parties are
    pinned    whether both parties have a pinned root
    reason    the reason of the fault; "" where there is none
    blamed    "prover" or "verifier" where signed bytes prove the fault; else ""
    sequence  the number of the message that was due at the fault; 0 where there is none
    state     where the session stands at the end of the record, by the name in the state table
    turn      whose message is missing: "prover" or "verifier"; "" where the session has ended
    unseen    indices of the items with content that the record does not show, ascending
    verdict   SHA-256 of the derived verdict statement in hex; "" where there is none
    overall   its outcome: COMPLIANT, VIOLATION or INCONCLUSIVE; "" where there is none
    differing "prover", "verifier": whose Dissent names another verdict than the derived one, in this order
    unqualified  whether the outcome is a VIOLATION that no qualification stands behind
    opening   the time at which enough witnesses had seen the acceptance or decline; 0 where they had not
    ended     the time at which enough witnesses had seen the last message; 0 where they had not
    default   PROVER-DEFAULT or VERIFIER-DEFAULT where a timeout claim stands; else ""

Of a file that is no whole record nothing but `valid`, `reason` and `blamed` is looked at.
"""

import json
import shlex
import subprocess
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parley_attestation.encoding import Digest
from parley_attestation.errors import Reason, Role

from parley_conformance.arena import Arena, Session
from parley_conformance.harness import Failure

MEMBERS: dict[str, type] = {
    "valid": bool,
    "pinned": bool,
    "reason": str,
    "blamed": str,
    "sequence": int,
    "state": str,
    "turn": str,
    "unseen": list,
    "verdict": str,
    "overall": str,
    "differing": list,
    "unqualified": bool,
    "opening": int,
    "ended": int,
    "default": str,
}
_MAX_OUTPUT = 1 << 20


@dataclass(frozen=True, slots=True)
class Said:
    """What a judge said of a record: its exit code and the JSON object."""

    code: int
    answer: dict[str, Any]


Ask = Callable[[Path, Sequence[str]], Said]


def command(line: str, seconds: float) -> Ask:
    """A judge that is a command, as this module describes it; each call takes `seconds` at most."""
    words = shlex.split(line)

    def ask(record: Path, pins: Sequence[str]) -> Said:
        made: list[str] = []
        for word in words:
            filled = word.replace("{record}", str(record))
            made += [filled.replace("{pin}", pin) for pin in pins] if "{pin}" in word else [filled]
        try:
            done = subprocess.run(made, capture_output=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            raise Failure(f"the judge did not end within {seconds} s") from None
        except OSError as error:
            raise Failure(f"the judge cannot be run: {error.strerror}") from None
        if len(done.stdout) > _MAX_OUTPUT:
            raise Failure("the judge prints more than 1 MiB")
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise Failure(f"the judge prints no JSON object (exit code {done.returncode})") from None
        if not isinstance(answer, dict):
            raise Failure("the judge prints no JSON object")
        return Said(done.returncode, answer)

    return ask


class Judge:
    """The judge under test, and the suite's own sessions to show it.

    Args:
        ask: Has it judge one record.
        name: What stands for it in the report.
        seed: Text that every value of the run follows from.
        folder: Where records go.
    """

    def __init__(self, ask: Ask, name: str, seed: str, folder: Path) -> None:
        self.name = name
        self.capabilities: tuple[str, ...] = ()
        self.arena = Arena(folder, seed)
        self.controls: set[object] = set()  # places whose honest record was judged
        self._sessions: dict[tuple[str, int], tuple[Session, bytes]] = {}
        self._ask = ask

    @property
    def pins(self) -> list[str]:
        """The fingerprints of both of the suite's parties."""
        return [pin.hex() for pin in self.arena.pins.values()]

    def session(self, shape: str = "plain", wrong: int = 0) -> Session:
        """A finished session; the same one for the same shape and model."""
        return self._finished(shape, wrong)[0]

    def record(self, shape: str = "plain", wrong: int = 0) -> bytes:
        """The verifier's record of that session."""
        return self._finished(shape, wrong)[1]

    def _finished(self, shape: str, wrong: int) -> tuple[Session, bytes]:
        if (shape, wrong) not in self._sessions:
            self.arena.engine.wrong = wrong
            made = self.arena.session(self.arena.exercise(shape))
            self._sessions[shape, wrong] = (made, made.record(Role.VERIFIER))
        return self._sessions[shape, wrong]

    def release(self) -> None:
        """Put the suite's model back, and close what the last case left open."""
        self.arena.engine.wrong = 0
        self.arena.release()

    def close(self) -> None:
        """Let go."""
        self.arena.release()

    def ask(self, record: bytes, pins: Collection[Digest | str] | None = None) -> Said:
        """Have a record judged, by default with both parties pinned. Raises `Failure`."""
        path = self.arena.folder / f"{self.arena.fresh().hex()}.parley"
        path.write_bytes(record)
        shown = self.pins if pins is None else [p if isinstance(p, str) else p.hex() for p in pins]
        said = self._ask(path, shown)
        path.unlink()
        if said.code not in {0, 1}:
            raise Failure(f"the judge ended with exit code {said.code}")
        return said

    def expect(self, record: bytes, pins: Collection[Digest | str] | None = None, **wanted: Any) -> None:
        """Check what a judge says of a whole record, member by member; one of a set is enough.

        Raises:
            Failure: A member is missing, of another type, or says something else.
        """
        said = self.ask(record, pins)
        for name, kind in MEMBERS.items():
            value = said.answer.get(name)
            if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                raise Failure(f"expected the member {name} of type {kind.__name__}")
        for name, value in wanted.items():
            if said.answer[name] not in (value if isinstance(value, frozenset) else (value,)):
                raise Failure(f"{name}: expected {value!r}, got {said.answer[name]!r}")
        held = said.answer["valid"] and said.answer["pinned"]
        if said.code != (0 if held else 1):
            raise Failure(f"expected the exit code {0 if held else 1}, got {said.code}")

    def broken(self, record: bytes) -> None:
        """Check that a file that is no whole record is refused as MALFORMED. Raises `Failure`."""
        said = self.ask(record)
        got = (said.code, said.answer.get("valid"), said.answer.get("reason"), said.answer.get("blamed"))
        if got != (1, False, Reason.MALFORMED.value, ""):
            raise Failure(f"expected MALFORMED, nobody blamed and exit code 1, got {got}")
