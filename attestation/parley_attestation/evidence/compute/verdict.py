"""Room: evidence. Verdicts on compute claims under honest labels (design section 6).

Records show presence, never absence. An upper bound or an exclusivity claim is VIOLATION or INCONCLUSIVE
unless the terms name a complete inventory of chip time and attested records account for all of it.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from parley_attestation.because import MOST, Because
from parley_attestation.encoding import Bytes32
from parley_attestation.evidence.binder import Exercise
from parley_attestation.evidence.compute.checks import check_records
from parley_attestation.evidence.compute.records import Close, Records, Snapshot, Window
from parley_attestation.evidence.result import Assurance, AttestationResult
from parley_attestation.frametest import Decision


class ClaimKind(StrEnum):
    """What a compute claim says."""

    AT_MOST = "at-most"
    AT_LEAST = "at-least"
    EXCLUSIVE = "exclusive"
    DEVICES = "devices"


@dataclass(frozen=True, slots=True)
class Claim:
    """A compute claim of the terms.

    Attributes:
        kind: What it says.
        flop: The bound, for at-most and at-least; the sum over every run on record.
        devices: The devices, for exclusive and devices.
        run: The one run that the devices serve, for exclusive.
    """

    kind: ClaimKind
    flop: int = 0
    devices: frozenset[str] = frozenset()
    run: Bytes32 | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """A complete chip-time inventory named in the terms: every device, and the period it covers."""

    devices: frozenset[str]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Backing:
    """The appraisal behind a records key: a result that was made over the binder of `exercise`."""

    result: AttestationResult
    exercise: Exercise


@dataclass(frozen=True, slots=True)
class ComputeVerdict:
    """A decision and why, in sentences of the registry."""

    decision: Decision
    reasons: tuple[str, ...]
    flop: int


def judge_claim(
    records: Records, claim: Claim, inventory: Inventory | None, backing: Backing | None
) -> ComputeVerdict:
    """Judge one compute claim by the records alone.

    Args:
        records: Verified records.
        claim: The claim of the terms.
        inventory: The inventory that the terms name as complete, if they do.
        backing: The appraisal whose binder carries the records key, if there is one.
    """
    flop = total_flop(records)
    decision, reasons = _judge(records, claim, flop, inventory, backing)
    return ComputeVerdict(decision, tuple(reasons[:MOST]), flop)


_Answer = tuple[Decision, list[str]]


def _judge(
    records: Records, claim: Claim, flop: int, inventory: Inventory | None, backing: Backing | None
) -> _Answer:
    if faults := sorted({(one.sequence, one.problem.value) for one in check_records(records)}):
        found = [Because.FAULT.says(sequence=at, problem=problem) for at, problem in faults]
        return Decision.INCONCLUSIVE, [Because.CONTRADICTION.says(), *found]
    word = _gaps(records, backing)
    gaps = [*word, *_uncovered(records, claim, inventory)]
    judge = {
        ClaimKind.AT_MOST: _at_most,
        ClaimKind.AT_LEAST: _at_least,
        ClaimKind.EXCLUSIVE: _exclusive,
        ClaimKind.DEVICES: _devices,
    }[claim.kind]
    return judge(records, claim, flop, gaps, word)


def total_flop(records: Records) -> int:
    """FLOP on record over every run: the last snapshot of each."""
    last: dict[Bytes32, int] = {body.run: body.flop for _, body in records.bodies(Snapshot)}
    return sum(last.values())


def used_devices(records: Records) -> frozenset[str]:
    """Every device that the records say worked for a run."""
    counted = {
        name for _, body in records.bodies(Snapshot) for name, spent in body.seconds.items() if spent > 0
    }
    return frozenset(counted | {body.device for _, body in records.bodies(Window) if body.run is not None})


def _gaps(records: Records, backing: Backing | None) -> list[str]:
    if backing is None:
        return [Because.OWNERS_WORD.says()]
    if backing.exercise.answering_key != records.key:
        return [Because.OTHER_KEY.says()]
    if backing.result.assurance is not Assurance.ATTESTED:
        return [Because.NOT_ATTESTED.says(assurance=backing.result.assurance)]
    return []


def _uncovered(records: Records, claim: Claim, inventory: Inventory | None) -> list[str]:
    """What keeps the records from accounting for all chip time of the inventory, devices by name."""
    if inventory is None:
        return [Because.NO_INVENTORY.says()]
    seen = used_devices(records) | {body.device for _, body in records.bodies(Window)}
    open_from = _first_gaps(records, inventory)
    return [
        *_each(Because.NOT_IN_INVENTORY, seen - inventory.devices),
        *(Because.UNACCOUNTED.says(device=name, time=at) for name, at in sorted(open_from.items())),
        *_each(Because.OVERCOUNTED, _overcounted(records)),
        *_each(Because.CLAIMED_NOT_IN_INVENTORY, claim.devices - inventory.devices),
    ]


def _each(sentence: Because, devices: AbstractSet[str]) -> list[str]:
    return [sentence.says(device=name) for name in sorted(devices)]


def _first_gaps(records: Records, inventory: Inventory) -> dict[str, int]:
    """For every device with chip time that no window, busy or idle, accounts for: where that begins."""
    by_device: dict[str, list[Window]] = {name: [] for name in inventory.devices}
    for _, body in records.bodies(Window):
        by_device.setdefault(body.device, []).append(body)
    found = {}
    for name in inventory.devices:
        at = inventory.start
        for window in sorted(by_device[name], key=lambda one: one.start):
            if window.start > at:
                break
            at = max(at, window.end)
        if at < inventory.end:
            found[name] = at
    return found


def _overcounted(records: Records) -> AbstractSet[str]:
    last: dict[Bytes32, Mapping[str, int]] = {b.run: b.seconds for _, b in records.bodies(Snapshot)}
    held: dict[str, int] = {}
    for _, body in records.bodies(Window):
        if body.run is not None:
            held[body.device] = held.get(body.device, 0) + body.end - body.start
    counted: dict[str, int] = {}
    for seconds in last.values():
        for name, value in seconds.items():
            counted[name] = counted.get(name, 0) + value
    return {name for name, value in counted.items() if value > held.get(name, 0)}


def _at_most(_records: Records, claim: Claim, flop: int, gaps: list[str], _word: list[str]) -> _Answer:
    if flop > claim.flop:
        return Decision.VIOLATION, [Because.ABOVE.says(flop=flop, bound=claim.flop)]
    if gaps:
        return Decision.INCONCLUSIVE, [Because.ABSENCE.says(), *gaps]
    return Decision.COMPLIANT, [Because.WITHIN.says(flop=flop)]


def _at_least(_records: Records, claim: Claim, flop: int, gaps: list[str], word: list[str]) -> _Answer:
    if flop >= claim.flop:
        if word:
            return Decision.INCONCLUSIVE, word
        return Decision.COMPLIANT, [Because.ATTESTED_COUNT.says(flop=flop, bound=claim.flop)]
    if gaps:
        return Decision.INCONCLUSIVE, [Because.UNRECORDED_WORK.says(flop=flop), *gaps]
    return Decision.VIOLATION, [Because.BELOW.says(flop=flop, bound=claim.flop)]


def _exclusive(records: Records, claim: Claim, _flop: int, gaps: list[str], _word: list[str]) -> _Answer:
    others = {
        body.device
        for _, body in records.bodies(Window)
        if body.device in claim.devices and body.run is not None and body.run != claim.run
    }
    if others:
        return Decision.VIOLATION, _each(Because.OTHER_RUN, others)
    if gaps or not claim.devices:
        return Decision.INCONCLUSIVE, [Because.ABSENCE.says(), *gaps]
    return Decision.COMPLIANT, [Because.EXCLUSIVE.says()]


def _devices(records: Records, claim: Claim, _flop: int, _gaps: list[str], word: list[str]) -> _Answer:
    used = used_devices(records)
    if used - claim.devices:
        return Decision.VIOLATION, _each(Because.NOT_CLAIMED, used - claim.devices)
    if word or not used:
        return Decision.INCONCLUSIVE, word or [Because.NO_DEVICE.says()]
    return Decision.COMPLIANT, [Because.ALL_CLAIMED.says(runs=len(records.bodies(Close)))]
