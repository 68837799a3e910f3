"""Room: evidence. Pure checks over a chain of compute records; each names what is wrong, none guesses.

Exact integers throughout: utilisation is compared by cross-multiplication, never by division.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from parley_attestation.encoding import Bytes32
from parley_attestation.evidence.compute.records import (
    FORMULAS,
    Close,
    Declaration,
    Record,
    Records,
    Snapshot,
    Window,
)


class Problem(StrEnum):
    """What a check of compute records can find."""

    TIME_NOT_MONOTONIC = "TIME_NOT_MONOTONIC"
    RUN_NOT_DECLARED = "RUN_NOT_DECLARED"
    RUN_DECLARED_TWICE = "RUN_DECLARED_TWICE"
    DECLARED_LATE = "DECLARED_LATE"
    RECORD_AFTER_CLOSE = "RECORD_AFTER_CLOSE"
    NOT_CUMULATIVE = "NOT_CUMULATIVE"
    SNAPSHOT_GAP = "SNAPSHOT_GAP"
    FLOP_FORMULA = "FLOP_FORMULA"
    UTILISATION = "UTILISATION"
    DEVICE_SECONDS = "DEVICE_SECONDS"
    UNKNOWN_DEVICE = "UNKNOWN_DEVICE"
    DEVICE_OVERLAP = "DEVICE_OVERLAP"
    BAD_WINDOW = "BAD_WINDOW"
    CLOSE_MISMATCH = "CLOSE_MISMATCH"
    MISSING_RECORDS = "MISSING_RECORDS"
    OVER_BUDGET = "OVER_BUDGET"
    RUN_NOT_CLOSED = "RUN_NOT_CLOSED"


@dataclass(frozen=True, slots=True)
class Fault:
    """One problem at one record."""

    problem: Problem
    sequence: int
    detail: str


def check_records(records: Records) -> tuple[Fault, ...]:
    """Every fault of a chain, in the order of the checks; none means that the records are consistent."""
    return tuple(
        fault for check in (_times, _runs, _snapshots, _windows, _closes) for fault in check(records)
    )


def declarations(records: Records) -> dict[Bytes32, tuple[Record, Declaration]]:
    """The first declaration of each run."""
    found: dict[Bytes32, tuple[Record, Declaration]] = {}
    for record, body in records.bodies(Declaration):
        found.setdefault(body.run, (record, body))
    return found


def _times(records: Records) -> Iterator[Fault]:
    for earlier, later in pairwise(records.records):
        if later.at < earlier.at:
            yield Fault(Problem.TIME_NOT_MONOTONIC, later.sequence, f"{later.at} after {earlier.at}")


def _runs(records: Records) -> Iterator[Fault]:
    declared: set[Bytes32] = set()
    closed: set[Bytes32] = set()
    for record in records.records:
        body = record.body
        if isinstance(body, Declaration):
            if body.run in declared:
                yield Fault(Problem.RUN_DECLARED_TWICE, record.sequence, body.run.hex()[:16])
            declared.add(body.run)
        elif body.run is not None:
            if body.run not in declared:
                yield Fault(Problem.RUN_NOT_DECLARED, record.sequence, body.run.hex()[:16])
            if body.run in closed and not isinstance(body, Window):
                yield Fault(Problem.RECORD_AFTER_CLOSE, record.sequence, body.run.hex()[:16])
            if isinstance(body, Close):
                closed.add(body.run)
    for run in sorted(declared - closed):
        yield Fault(Problem.RUN_NOT_CLOSED, records.records[-1].sequence, run.hex()[:16])


def _snapshots(records: Records) -> Iterator[Fault]:
    known = declarations(records)
    by_run: dict[Bytes32, list[tuple[Record, Snapshot]]] = defaultdict(list)
    for record, body in records.bodies(Snapshot):
        by_run[body.run].append((record, body))
    for run, found in by_run.items():
        if run not in known:
            continue
        start, declaration = known[run]
        origin = Snapshot(run, 0, 0, 0, declaration.seed, 0, {})
        for (before, earlier), (after, later) in pairwise([(start, origin), *found]):
            yield from _pair(before, earlier, after, later, declaration)


def _pair(
    before: Record, earlier: Snapshot, after: Record, later: Snapshot, run: Declaration
) -> Iterator[Fault]:
    wall = after.at - before.at
    peaks = {device.name: device.peak for device in run.devices}
    spent = {name: later.seconds.get(name, 0) - earlier.seconds.get(name, 0) for name in peaks}
    grown = (
        later.step > earlier.step
        and later.tokens > earlier.tokens
        and later.data_end > earlier.data_end
        and all(value >= 0 for value in spent.values())
    )
    if not grown:
        yield Fault(Problem.NOT_CUMULATIVE, after.sequence, f"step {earlier.step} to {later.step}")
    if wall > run.max_gap:
        yield Fault(Problem.SNAPSHOT_GAP, after.sequence, f"{wall} s, at most {run.max_gap}")
    expected = FORMULAS[run.formula] * run.parameters * later.tokens
    if later.flop != expected:
        yield Fault(Problem.FLOP_FORMULA, after.sequence, f"{later.flop}, {run.formula} gives {expected}")
    possible = sum(peaks[name] * max(value, 0) for name, value in spent.items())
    done = later.flop - earlier.flop
    if not 0 < done <= possible:
        yield Fault(Problem.UTILISATION, after.sequence, f"{done} FLOP, the devices can do {possible}")
    if any(value > wall for value in spent.values()):
        yield Fault(Problem.DEVICE_SECONDS, after.sequence, f"more than the {wall} s that passed")
    for name in sorted(set(later.seconds) - set(peaks)):
        yield Fault(Problem.UNKNOWN_DEVICE, after.sequence, name)
    if later.flop > run.budget:
        yield Fault(Problem.OVER_BUDGET, after.sequence, f"{later.flop}, declared {run.budget}")


def _windows(records: Records) -> Iterator[Fault]:
    known = declarations(records)
    by_device: dict[str, list[tuple[Record, Window]]] = defaultdict(list)
    for record, body in records.bodies(Window):
        by_device[body.device].append((record, body))
        if not body.start < body.end <= record.at:
            yield Fault(Problem.BAD_WINDOW, record.sequence, f"{body.start}..{body.end}")
        if body.run in known:
            start, declaration = known[body.run]
            if body.device not in {device.name for device in declaration.devices}:
                yield Fault(Problem.UNKNOWN_DEVICE, record.sequence, body.device)
            if body.start < start.at:
                yield Fault(Problem.DECLARED_LATE, record.sequence, f"began {start.at - body.start} s before")
    for device, found in by_device.items():
        ordered = sorted(found, key=lambda pair: (pair[1].start, pair[1].end))
        for (_, earlier), (record, later) in pairwise(ordered):
            if later.start < earlier.end:
                yield Fault(Problem.DEVICE_OVERLAP, record.sequence, f"{device} from {later.start}")


def _closes(records: Records) -> Iterator[Fault]:
    last: dict[Bytes32, Snapshot] = {body.run: body for _, body in records.bodies(Snapshot)}
    for record, body in records.bodies(Close):
        final = last.get(body.run)
        if final is None or (final.tokens, final.flop, final.weights) != (
            body.tokens,
            body.flop,
            body.weights,
        ):
            yield Fault(
                Problem.CLOSE_MISMATCH, record.sequence, "totals or weights differ from the last snapshot"
            )
        if body.missing:
            yield Fault(Problem.MISSING_RECORDS, record.sequence, f"{len(body.missing)} records are missing")
