"""Records of the vectors, taken apart, and how inputs of a test of the text are drawn."""

import base64
import io
import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from parley_attestation.envelope import Envelope
from parley_attestation.judge import Judgement, judge
from parley_attestation.session import messages
from parley_attestation.session.bodies import Header
from parley_attestation.session.machine import Machine
from parley_attestation.transcript import Kind, RecordReader, decode_envelope

VECTORS = Path(__file__).parent.parent.parent / "spec/vectors"
FIRST = "a complete exercise that ends COMPLIANT"

digests = st.binary(min_size=32, max_size=32)
contents = st.binary(max_size=40)
places = st.integers(0, 2**32)


def inputs(**drawn):
    """Run a test over drawn inputs: the same ones each time, and none made smaller where one fails."""

    def over(test):
        kept = settings(
            max_examples=40,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            deadline=None,
        )
        return kept(given(**drawn)(test))

    return over


class Turn(NamedTuple):
    """One message of a record with its content."""

    envelope: Envelope
    kind: str
    header: Header
    body: Any
    blobs: list[bytes]


class Worked(NamedTuple):
    """One record: its bytes, its turns, and what the judge makes of it."""

    raw: bytes
    turns: list[Turn]
    judgement: Judgement

    @property
    def machine(self) -> Machine:
        """The machine after all turns."""
        return self.judgement.machine

    def of(self, kind: str) -> list[Turn]:
        """The turns of one kind."""
        return [turn for turn in self.turns if turn.kind == kind]


def tests(kind: str) -> list[dict[str, Any]]:
    """The tests of one file of vectors."""
    return json.loads((VECTORS / f"{kind}.json").read_text())["tests"]


@cache
def record(kind: str = "transcripts", comment: str = FIRST) -> Worked:
    """The valid record of a file of vectors that has this comment."""
    (test,) = (one for one in tests(kind) if (one["comment"], one["result"]) == (comment, "valid"))
    raw = base64.b64decode(test["record"])
    turns: list[Turn] = []
    for entry in RecordReader(io.BytesIO(raw)).entries():
        if entry.kind is Kind.ENVELOPE:
            envelope = decode_envelope(entry.body)
            name = messages.KINDS[envelope.payload_type]
            turns.append(Turn(envelope, name, *messages.read(name, envelope.payload), []))
        elif entry.kind is Kind.BLOB:
            turns[-1].blobs.append(entry.body)
    return Worked(raw, turns, judge(io.BytesIO(raw)))
