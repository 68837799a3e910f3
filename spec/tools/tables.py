"""Writes the tables of the draft that the code holds as data; a test compares them.

`python spec/tools/tables.py` rewrites them in place. What stands between the markers is never typed.
"""

import re
import sys
from pathlib import Path

from parley_attestation import binding, encoding, frametest, keys, merkle, registration, terms, verdict
from parley_attestation.encoding import Label
from parley_attestation.errors import Reason
from parley_attestation.log import witness
from parley_attestation.model import claim
from parley_attestation.session import backing
from parley_attestation.session.checks import Check
from parley_attestation.session.tables import FINAL, MODES
from parley_attestation.statement import MAX_SUBJECTS

DRAFT = Path(__file__).parent.parent / "draft-parley-mutual-verification.md"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def state_tables() -> str:
    """One table for each role and mode: state, message, next state."""
    found = []
    for mode, table in MODES.items():
        for role in ("verifier", "prover"):
            rows = [
                (state.value, kind, after.value)
                for state, (turn, allowed) in table.items()
                if turn == role
                for kind, after in allowed.items()
            ]
            found.append(
                f"Mode `{mode}`, turns of the {role}:\n\n" + _table(("state", "message", "next state"), rows)
            )
    final = ", ".join(sorted(state.value for state in FINAL))
    return "\n\n".join([*found, f"A session starts in `start`. Final states: {final}."])


def labels() -> str:
    """The registry of labels."""
    return _table(("label",), [(f"`{label.value}`",) for label in Label])


def reasons() -> str:
    """The registry of reason codes."""
    return _table(("reason",), [(reason.value,) for reason in Reason])


def checks() -> str:
    """The numbered checks."""
    return _table(("number", "what it establishes"), [(str(c.number), c.title) for c in Check])


def limits() -> str:
    """The limits of the code's constants."""
    named = {
        "bytes of a signed payload": encoding.MAX_ENVELOPE,
        "bytes of a chunk": encoding.MAX_CHUNK,
        "bytes of a statement": encoding.MAX_STATEMENT,
        "items in a set": encoding.MAX_ITEMS,
        "units in a turn": encoding.MAX_UNITS_PER_TURN,
        "bytes of one content": encoding.MAX_BLOB,
        "subjects of a statement": MAX_SUBJECTS,
        "entries of a key history": keys.MAX_HISTORY,
        "latest time": keys.MAX_TIME,
        "hashes in a proof": merkle.MAX_PROOF,
        "claims in the terms": terms.MAX_CLAIMS,
        "samples of an item": terms.MAX_SAMPLES,
        "excluded runs": terms.MAX_EXCLUDED,
        "strata of a set": registration.MAX_STRATA,
        "graders of a set": registration.MAX_GRADERS,
        "budget of a population": frametest.MAX_BUDGET,
        "pieces in a collection of evidence": backing.MAX_ITEMS,
        "attempts at an exercise": witness.MAX_ATTEMPTS,
    }
    return _table(("what", "at most"), [(name, str(value)) for name, value in named.items()])


def predicates() -> str:
    """Every predicate type of a durable statement."""
    found = [
        keys.CERTIFICATE,
        keys.REVOCATION,
        registration.TEST_SET,
        claim.PREDICATE_TYPE,
        terms.TERMS,
        backing.EVIDENCE,
        backing.RECORD,
        binding.BINDING,
        verdict.VERDICT,
        witness.REQUEST,
        witness.COSIGNATURE,
        witness.RECEIPT,
    ]
    return _table(("predicate type",), [(f"`{name}`",) for name in found])


def not_concluded() -> str:
    """The fixed sentences of every verdict."""
    return "\n".join(f"{n}. `{sentence}`" for n, sentence in enumerate(verdict.NOT_CONCLUDED, 1))


TABLES = {
    "state-tables": state_tables,
    "labels": labels,
    "reasons": reasons,
    "checks": checks,
    "limits": limits,
    "predicates": predicates,
    "not-concluded": not_concluded,
}


def fill(text: str) -> str:
    """The draft with every generated table as the code gives it."""
    for name, make in TABLES.items():
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        made = f"\n{make()}\n\n"
        text, found = pattern.subn(lambda m, made=made: m[1] + made + m[2], text)
        if found != 1:
            message = f"expected the markers of {name} once, found {found}"
            raise ValueError(message)
    return text


if __name__ == "__main__":
    filled = fill(DRAFT.read_text())
    DRAFT.write_text(filled)
    sys.stdout.write(f"{DRAFT.name}: {len(TABLES)} tables written\n")
