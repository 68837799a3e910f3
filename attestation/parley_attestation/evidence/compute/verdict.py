"""Room: evidence. Verdicts on compute claims under honest labels (design section 6).

Records show presence, never absence. An upper bound or an exclusivity claim is VIOLATION or INCONCLUSIVE
unless the terms name a complete inventory of chip time and attested records account for all of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

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
    """A decision and why, in words for the verdict's page."""

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
    faults = check_records(records)
    if faults:
        reasons = tuple(f"record {one.sequence}: {one.problem} ({one.detail})" for one in faults[:20])
        return ComputeVerdict(Decision.INCONCLUSIVE, ("the records contradict themselves", *reasons), flop)
    word = _gaps(records, backing)
    if inventory is None:
        gaps = [*word, "no complete chip-time inventory in the terms"]
    else:
        absent = sorted(claim.devices - inventory.devices)
        gaps = [
            *word,
            *_uncovered(records, inventory),
            *(f"device {name} is claimed but not in the inventory" for name in absent),
        ]
    judge = {
        ClaimKind.AT_MOST: _at_most,
        ClaimKind.AT_LEAST: _at_least,
        ClaimKind.EXCLUSIVE: _exclusive,
        ClaimKind.DEVICES: _devices,
    }[claim.kind]
    decision, reasons = judge(records, claim, flop, gaps, word)
    return ComputeVerdict(decision, reasons, flop)


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
        return ["no appraised evidence stands behind the records key: the records are the owner's word"]
    if backing.exercise.answering_key != records.key:
        return ["the appraised evidence binds another key than the records key"]
    if backing.result.assurance is not Assurance.ATTESTED:
        return [f"the evidence behind the records key is {backing.result.assurance}, not attested"]
    return []


def _uncovered(records: Records, inventory: Inventory) -> list[str]:
    """Chip time of the inventory that no window, busy or idle, accounts for."""
    by_device: dict[str, list[Window]] = {name: [] for name in inventory.devices}
    outside = set()
    for _, body in records.bodies(Window):
        if body.device in by_device:
            by_device[body.device].append(body)
        else:
            outside.add(body.device)
    found = [f"device {name} is on record but not in the inventory" for name in sorted(outside)]
    found += [
        f"device {name} is on record but not in the inventory"
        for name in sorted(used_devices(records) - inventory.devices - outside)
    ]
    for name, windows in sorted(by_device.items()):
        at = inventory.start
        for window in sorted(windows, key=lambda one: one.start):
            if window.start > at:
                break
            at = max(at, window.end)
        if at < inventory.end:
            found.append(f"device {name} is unaccounted for from {at}")
    found += [f"device {name}: more seconds counted than its windows hold" for name in _overcounted(records)]
    return found


def _overcounted(records: Records) -> list[str]:
    last: dict[Bytes32, Mapping[str, int]] = {b.run: b.seconds for _, b in records.bodies(Snapshot)}
    held: dict[str, int] = {}
    for _, body in records.bodies(Window):
        if body.run is not None:
            held[body.device] = held.get(body.device, 0) + body.end - body.start
    counted: dict[str, int] = {}
    for seconds in last.values():
        for name, value in seconds.items():
            counted[name] = counted.get(name, 0) + value
    return sorted(name for name, value in counted.items() if value > held.get(name, 0))


_Answer = tuple[Decision, tuple[str, ...]]


def _at_most(_records: Records, claim: Claim, flop: int, gaps: list[str], _word: list[str]) -> _Answer:
    if flop > claim.flop:
        return Decision.VIOLATION, (f"{flop} FLOP on record, at most {claim.flop} claimed",)
    if gaps:
        return Decision.INCONCLUSIVE, ("records never show absence", *gaps)
    return Decision.COMPLIANT, (f"{flop} FLOP on record over all chip time of the inventory",)


def _at_least(_records: Records, claim: Claim, flop: int, gaps: list[str], word: list[str]) -> _Answer:
    if flop >= claim.flop:
        if word:
            return Decision.INCONCLUSIVE, tuple(word)
        return Decision.COMPLIANT, (f"attested code counted {flop} FLOP, at least {claim.flop} claimed",)
    if gaps:
        return Decision.INCONCLUSIVE, (f"{flop} FLOP on record; work without a record may exist", *gaps)
    return Decision.VIOLATION, (f"{flop} FLOP over all chip time of the inventory, {claim.flop} claimed",)


def _exclusive(records: Records, claim: Claim, _flop: int, gaps: list[str], _word: list[str]) -> _Answer:
    others = [
        body
        for _, body in records.bodies(Window)
        if body.device in claim.devices and body.run is not None and body.run != claim.run
    ]
    if others:
        return Decision.VIOLATION, tuple(f"device {one.device} served another run" for one in others[:20])
    if gaps or not claim.devices:
        return Decision.INCONCLUSIVE, ("records never show absence", *gaps)
    return Decision.COMPLIANT, ("every second of the devices is accounted for",)


def _devices(records: Records, claim: Claim, _flop: int, _gaps: list[str], word: list[str]) -> _Answer:
    others = sorted(used_devices(records) - claim.devices)
    if others:
        return Decision.VIOLATION, tuple(f"device {name} is not among those claimed" for name in others[:20])
    if word or not used_devices(records):
        return Decision.INCONCLUSIVE, tuple(word) or ("no device is on record",)
    runs = len(records.bodies(Close))
    return Decision.COMPLIANT, (f"{runs} runs on record, all on the devices claimed",)
