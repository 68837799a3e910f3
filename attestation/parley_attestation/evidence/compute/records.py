"""Room: evidence. Signed, hash-chained compute records; research section 11.

Each record is an in-toto statement under one records key; its predicate names the digest of the record
before it. FLOP counts exceed 2^53 and travel as decimal strings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parley_attestation import statement
from parley_attestation.canonical import Fields
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.encoding import Bytes32, Digest, Label, digest, u64
from parley_attestation.errors import PeerError, Reason
from parley_attestation.keys import MAX_TIME
from parley_attestation.statement import Statement, Subject

RECORD = "tag:parley,2026:compute-record/v1"
GENESIS = Digest(bytes(32))
MAX_RECORDS = 100_000
MAX_DEVICES = 1024
MAX_FLOP = 10**32
# Declared FLOP formulas: parameters and tokens in, FLOP out (Kaplan et al. 2020, section 2.1).
FORMULAS = {"6ND": 6, "2ND": 2}


@dataclass(frozen=True, slots=True)
class Device:
    """One accelerator: its attested instance identifier and peak FLOP per second at the stated precision."""

    name: str
    peak: int


@dataclass(frozen=True, slots=True)
class Declaration:
    """Opens a run before it starts.

    Attributes:
        run: 32 random bytes that name the run.
        parameters: Trainable parameters.
        formula: A name in `FORMULAS`.
        budget: FLOP the run will not exceed.
        precision: What `peak` refers to, for people.
        devices: The run's devices.
        data: Root of the ordered data.
        seed: Commitment to the seed.
        code: Digest of code and image.
        max_gap: Seconds between snapshots at most.
    """

    run: Bytes32
    parameters: int
    formula: str
    budget: int
    precision: str
    devices: tuple[Device, ...]
    data: Digest
    seed: Digest
    code: Digest
    max_gap: int


@dataclass(frozen=True, slots=True)
class Window:
    """A device was busy with one run, or idle, from start to end (Unix seconds)."""

    device: str
    boot: str
    start: int
    end: int
    run: Bytes32 | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a run: cumulative steps, tokens, FLOP and device seconds, and a salted weights root."""

    run: Bytes32
    step: int
    tokens: int
    flop: int
    weights: Digest
    data_end: int
    seconds: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Close:
    """Ends a run: final weights root, totals, and the sequence numbers of records known to be missing."""

    run: Bytes32
    tokens: int
    flop: int
    weights: Digest
    missing: tuple[int, ...]


Body = Declaration | Window | Snapshot | Close


@dataclass(frozen=True, slots=True)
class Record:
    """One record in its chain: position, predecessor's digest, time (Unix seconds), content."""

    sequence: int
    prev: Digest
    at: int
    body: Body

    def statement(self) -> Statement:
        """The record as an in-toto statement."""
        name = {Declaration: "declaration", Window: "window", Snapshot: "snapshot", Close: "close"}
        predicate = {
            "sequence": self.sequence,
            "prev": self.prev.hex(),
            "at": self.at,
            "kind": name[type(self.body)],
            "body": _WRITERS[type(self.body)](self.body),
        }
        subject = Subject("compute-record", digest(Label.COMPUTE, self.prev, u64(self.sequence)))
        return Statement(RECORD, (subject,), predicate)


@dataclass(frozen=True, slots=True)
class Records:
    """A chain of records whose signatures and links hold; every record under one key."""

    key: PublicKey
    records: tuple[Record, ...]

    def bodies(self, kind: type[Body]) -> list[tuple[Record, Any]]:
        """Every record of one kind, with its content."""
        return [(r, r.body) for r in self.records if isinstance(r.body, kind)]


def seal_record(previous: bytes | None, at: int, body: Body, key: SigningKey) -> bytes:
    """Sign the record that follows the sealed record `previous`, or the first one."""
    sequence, prev = 0, GENESIS
    if previous is not None:
        said = statement.open_sealed(previous, key.public)
        sequence, prev = _read(said).sequence + 1, said.digest()
    return statement.seal(Record(sequence, prev, at, body).statement(), key)


def read_records(sealed: Sequence[bytes], key: PublicKey) -> Records:
    """Verify signatures, sequence numbers and links of a whole chain.

    Raises:
        PeerError: BAD_SIGNATURE, BAD_STATEMENT, BAD_EVIDENCE where a link does not hold.
    """
    if not 1 <= len(sealed) <= MAX_RECORDS:
        raise PeerError(Reason.BAD_EVIDENCE, f"expected 1..{MAX_RECORDS} compute records")
    found: list[Record] = []
    prev = GENESIS
    for n, one in enumerate(sealed):
        said = statement.open_sealed(one, key)
        record = _read(said)
        if record.sequence != n or record.prev != prev:
            raise PeerError(Reason.BAD_EVIDENCE, f"compute record {n} does not follow the one before it")
        found.append(record)
        prev = said.digest()
    return Records(key, tuple(found))


def _read(said: Statement) -> Record:
    fields = said.expect(RECORD).fields(Reason.BAD_EVIDENCE)
    sequence = fields.integer("sequence", 0, MAX_RECORDS)
    prev, at = fields.digest("prev"), fields.integer("at", 0, MAX_TIME)
    read = fields.choice("kind", _READERS)
    inner = fields.object("body")
    body = read(inner)
    inner.end()
    fields.end()
    record = Record(sequence, prev, at, body)
    if record.statement().payload() != said.payload():
        raise PeerError(Reason.BAD_EVIDENCE, "the subject of a compute record is not its place in the chain")
    return record


def _big(fields: Fields, name: str) -> int:
    text = fields.decimal(name)
    if not text.isdigit() or int(text) > MAX_FLOP:
        fields.refuse(name, f"a whole number of at most {MAX_FLOP} as a string")
    return int(text)


def _write_declaration(one: Declaration) -> dict[str, Any]:
    return {
        "run": one.run.hex(),
        "parameters": str(one.parameters),
        "formula": one.formula,
        "budget": str(one.budget),
        "precision": one.precision,
        "devices": [{"name": d.name, "peak": str(d.peak)} for d in one.devices],
        "data": one.data.hex(),
        "seed": one.seed.hex(),
        "code": one.code.hex(),
        "max_gap": one.max_gap,
    }


def _device(fields: Fields) -> Device:
    found = Device(fields.text("name", 200), _big(fields, "peak"))
    fields.end()
    return found


def _read_declaration(fields: Fields) -> Declaration:
    return Declaration(
        run=fields.bytes32("run"),
        parameters=_big(fields, "parameters"),
        formula=fields.choice("formula", {name: name for name in FORMULAS}),
        budget=_big(fields, "budget"),
        precision=fields.text("precision", 64),
        devices=fields.items("devices", _device, MAX_DEVICES, 1),
        data=fields.digest("data"),
        seed=fields.digest("seed"),
        code=fields.digest("code"),
        max_gap=fields.integer("max_gap", 1, MAX_TIME),
    )


def _write_window(one: Window) -> dict[str, Any]:
    return {
        "device": one.device,
        "boot": one.boot,
        "start": one.start,
        "end": one.end,
        "run": one.run.hex() if one.run else "idle",
    }


def _read_window(fields: Fields) -> Window:
    device, boot = fields.text("device", 200), fields.text("boot", 200)
    start, end = fields.integer("start", 0, MAX_TIME), fields.integer("end", 0, MAX_TIME)
    try:
        run = None if (text := fields.text("run", 64)) == "idle" else Bytes32.of_hex(text)
    except PeerError:
        fields.refuse("run", "64 lower-case hexadecimal digits, or idle")
    return Window(device, boot, start, end, run)


def _write_snapshot(one: Snapshot) -> dict[str, Any]:
    return {
        "run": one.run.hex(),
        "step": one.step,
        "tokens": str(one.tokens),
        "flop": str(one.flop),
        "weights": one.weights.hex(),
        "data_end": one.data_end,
        "seconds": [{"device": name, "seconds": value} for name, value in sorted(one.seconds.items())],
    }


def _second(fields: Fields) -> tuple[str, int]:
    found = (fields.text("device", 200), fields.integer("seconds", 0, MAX_TIME))
    fields.end()
    return found


def _read_snapshot(fields: Fields) -> Snapshot:
    return Snapshot(
        run=fields.bytes32("run"),
        step=fields.integer("step"),
        tokens=_big(fields, "tokens"),
        flop=_big(fields, "flop"),
        weights=fields.digest("weights"),
        data_end=fields.integer("data_end"),
        seconds=dict(fields.items("seconds", _second, MAX_DEVICES)),
    )


def _write_close(one: Close) -> dict[str, Any]:
    return {
        "run": one.run.hex(),
        "tokens": str(one.tokens),
        "flop": str(one.flop),
        "weights": one.weights.hex(),
        "missing": list(one.missing),
    }


def _read_close(fields: Fields) -> Close:
    run, tokens, flop = fields.bytes32("run"), _big(fields, "tokens"), _big(fields, "flop")
    weights, missing = fields.digest("weights"), fields.list("missing", MAX_RECORDS)
    for one in missing:
        if type(one) is not int or not 0 <= one <= MAX_RECORDS:
            fields.refuse("missing", f"sequence numbers up to {MAX_RECORDS}")
    return Close(run, tokens, flop, weights, tuple(missing))


_WRITERS: Mapping[type[Body], Any] = {
    Declaration: _write_declaration,
    Window: _write_window,
    Snapshot: _write_snapshot,
    Close: _write_close,
}
_READERS: Mapping[str, Any] = {
    "declaration": _read_declaration,
    "window": _read_window,
    "snapshot": _read_snapshot,
    "close": _read_close,
}
