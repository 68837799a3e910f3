"""Writes the tables of the draft that the code holds as data; a test compares them.

`python spec/tools/tables.py` rewrites them in place. What stands between the markers is never typed.
"""

import base64
import io
import json
import re
import sys
import textwrap
from pathlib import Path

from parley_attestation import (
    binding,
    encoding,
    frametest,
    keys,
    merkle,
    qualification,
    receipt,
    registration,
    terms,
    verdict,
)
from parley_attestation.because import Because
from parley_attestation.encoding import Label
from parley_attestation.errors import Reason
from parley_attestation.evidence.findings import MEANINGS
from parley_attestation.evidence.policy import MANDATORY
from parley_attestation.evidence.roots import PINS, Vendor
from parley_attestation.judge import judge
from parley_attestation.log import witness
from parley_attestation.model import claim, gguf, onnx, safetensors
from parley_attestation.session import backing, messages
from parley_attestation.session.audit import Challenged
from parley_attestation.session.checks import Check
from parley_attestation.session.facts import Facts
from parley_attestation.session.machine import Machine
from parley_attestation.session.schedule import MAX_POPULATION, sampling_seed
from parley_attestation.session.tables import FINAL, MODES
from parley_attestation.statement import MAX_SUBJECTS
from parley_attestation.transcript import Entry, Kind, RecordReader, decode_envelope

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
        "units of all populations together": MAX_POPULATION,
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
        receipt.CHAMBER_KEYS,
        receipt.RECEIPT,
        receipt.SIMULATED_RECEIPT,
        receipt.REFUSAL,
        verdict.VERDICT,
        qualification.QUALIFICATION,
        witness.REQUEST,
        witness.COSIGNATURE,
        witness.RECEIPT,
    ]
    return _table(("predicate type",), [(f"`{name}`",) for name in found])


def not_concluded() -> str:
    """The fixed sentences of every verdict."""
    return "\n".join(f"{n}. `{sentence}`" for n, sentence in enumerate(verdict.NOT_CONCLUDED, 1))


def sentences() -> str:
    """The sentences of a verdict."""
    return _table(("name", "sentence"), [(one.name, f"`{one.value}`") for one in Because])


def findings() -> str:
    """The codes of an appraisal, and what each means where it fails."""
    return _table(
        ("finding", "class", "claim", "value"),
        [
            (one.value, means.reason_class.value, means.claim.value, str(means.value))
            for one, means in MEANINGS.items()
        ],
    )


def measurements() -> str:
    """What a set of reference values names at least."""
    return _table(
        ("kind", "measurements"), [(f"`{kind.value}`", ", ".join(names)) for kind, names in MANDATORY.items()]
    )


def safetensors_types() -> str:
    """Bits of an element, by dtype."""
    return _table(("dtype", "bits"), [(name, str(bits)) for name, bits in safetensors.BITS.items()])


def ggml_types() -> str:
    """Blocks of GGUF's tensor types."""
    rows = [(str(n), name, str(block), str(width)) for n, (name, block, width) in gguf.TYPES.items()]
    return _table(("type", "dtype", "elements", "bytes"), rows)


def onnx_types() -> str:
    """Bits of an element, by ONNX data type."""
    return _table(
        ("data type", "dtype", "bits"), [(str(n), name, str(bits)) for n, (name, bits) in onnx.TYPES.items()]
    )


def vendors() -> str:
    """The names of roots, and the SHA-256 of each certificate that is pinned under them."""
    names = ", ".join(f"`{vendor.value}`" for vendor in Vendor)
    return f"{names}.\n\n" + _named({name: bytes.fromhex(value) for name, value in PINS.items()})


def _named(values: dict[str, bytes]) -> str:
    """Names with their bytes in hexadecimal, lines of at most 68 characters, in one figure."""
    lines = []
    for name, value in values.items():
        lines += [f"{name}:", *(f"  {line}" for line in textwrap.wrap(value.hex(), 64) or [""])]
    return "\n".join(["~~~", *lines, "~~~"])


def _first_of(entries: list[Entry], kind: str) -> int:
    """Where the first envelope of a kind stands among the entries of a record."""
    wanted = messages.payload_type(kind)
    return next(
        n
        for n, entry in enumerate(entries)
        if entry.kind is Kind.ENVELOPE and decode_envelope(entry.body).payload_type == wanted
    )


def _head(entries: list[Entry], machine: Machine) -> str:
    """The messages of a record, one row each."""
    envelopes = [decode_envelope(e.body) for e in entries if e.kind is Kind.ENVELOPE]
    rows = [
        (
            str(n),
            role[0].upper(),
            messages.KINDS[one.payload_type],
            str(len(one.payload)),
            one.head().hex()[:16],
        )
        for n, (one, role) in enumerate(zip(envelopes, machine.authors, strict=True), 1)
    ]
    return _table(("#", "from", "message", "payload bytes", "head begins"), rows)


def _values(entries: list[Entry], facts: Facts, unit: Challenged) -> dict[str, bytes]:
    """The values that follow from a record, up to its first unit and its verdict."""
    assert facts.seed is not None
    assert facts.verdict is not None
    assert unit.output_commitment is not None
    coin = decode_envelope([e for e in entries if e.kind is Kind.ENVELOPE][4].body)
    challenge, answers = _first_of(entries, "challenge"), _first_of(entries, "answers")
    prompt, output = entries[challenge + 1].body, entries[answers + 1].body
    return {
        "session id": facts.session_id,
        "exercise id": bytes(facts.exercise or b""),
        **{f"coin commitment of the {r}": bytes(c) for r, c in facts.coin_commitments.items()},
        **{f"coin of the {r}": bytes(c) for r, c in facts.coins.items()},
        "seed": bytes(facts.seed),
        "payload of message 5": coin.payload,
        "PAE of message 5": coin.pae(),
        "head of message 5": bytes(coin.head()),
        "signature of message 5": coin.signatures[0].value,
        f"key of the prompt of unit {unit.name}": prompt[:32],
        "prompt": prompt[32:],
        "commitment to the prompt": bytes(unit.prompt_commitment),
        "commitment to the reference": bytes(unit.reference_commitment),
        "key of the output": output[:32],
        "output": output[32:],
        "commitment to the output": bytes(unit.output_commitment),
        "sampling seed": sampling_seed(facts.seed, unit.name).to_bytes(8, "big"),
        "digest of the verdict statement": bytes(facts.verdict.digest()),
    }


def example() -> str:
    """The first transcript of the vectors, message by message."""
    tests = json.loads((DRAFT.parent / "vectors/transcripts.json").read_text())["tests"]
    raw = base64.b64decode(tests[0]["record"])
    entries = list(RecordReader(io.BytesIO(raw)).entries())
    machine = judge(io.BytesIO(raw)).machine
    facts = machine.facts
    assert facts.audit is not None
    assert facts.verdict is not None
    shown = json.dumps(facts.verdict.predicate, indent=1, sort_keys=True)
    printed = "\n".join(
        line.rstrip()
        for one in shown.splitlines()
        for line in textwrap.wrap(one, 68, drop_whitespace=False, subsequent_indent="    ")
    )
    names = ", ".join(str(one.name) for one in facts.audit.units)
    return "\n\n".join(
        [
            _head(entries, machine),
            f"Units in the order of their tickets: {names}.",
            _named(_values(entries, facts, facts.audit.units[0])),
            "Predicate of the verdict, spaced for reading; long lines are folded.",
            f"~~~\n{printed}\n~~~",
        ]
    )


TABLES = {
    "example": example,
    "state-tables": state_tables,
    "labels": labels,
    "reasons": reasons,
    "checks": checks,
    "limits": limits,
    "predicates": predicates,
    "not-concluded": not_concluded,
    "sentences": sentences,
    "vendors": vendors,
    "findings": findings,
    "measurements": measurements,
    "safetensors": safetensors_types,
    "ggml": ggml_types,
    "onnx": onnx_types,
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
