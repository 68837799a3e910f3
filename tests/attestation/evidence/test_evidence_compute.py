"""Compute records: each check has its failing chain, and every verdict keeps its honest label."""

import re
from dataclasses import replace

import evidence_cases as cases
import pytest
from evidence_forge import NOW
from hypothesis import given, settings
from hypothesis import strategies as st
from parley_attestation.because import Because
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Bytes32, Digest, Nonce
from parley_attestation.errors import PeerError
from parley_attestation.evidence import Assurance, Exercise, appraise_all, binders
from parley_attestation.evidence.compute import (
    Backing,
    Claim,
    ClaimKind,
    Close,
    Declaration,
    Device,
    Inventory,
    Problem,
    Records,
    Snapshot,
    Window,
    check_records,
    judge_claim,
    read_records,
    seal_record,
)
from parley_attestation.frametest import Decision

KEY = SigningKey(b"\x09" * 32)
RUN, OTHER = Bytes32(b"\1" * 32), Bytes32(b"\2" * 32)
PEAK = 10**12
DEVICES = (Device("gpu-a", PEAK), Device("gpu-b", PEAK))
ZERO = Digest(bytes(32))
DECLARED = Declaration(RUN, 10**6, "6ND", 10**16, "bf16", DEVICES, ZERO, ZERO, ZERO, 1000)
FLOP = 6 * 10**6


def snapshot(n: int, **changes) -> Snapshot:
    """The n-th snapshot: 500 s of both devices and 10^8 tokens a step, 60 % utilisation."""
    tokens = n * 10**8
    base = Snapshot(
        RUN, n, tokens, FLOP * tokens, Digest(bytes([n]) * 32), n * 100, {"gpu-a": n * 500, "gpu-b": n * 500}
    )
    return replace(base, **changes)


def honest() -> list[tuple[int, object]]:
    """A run of 2 x 500 s on two devices that were otherwise idle, from 0 to 2000."""
    last = snapshot(2)
    return [
        (500, DECLARED),
        (1000, snapshot(1)),
        (1500, last),
        (1500, Close(RUN, last.tokens, last.flop, last.weights, ())),
        *(
            (2000, Window(device, "boot", start, end, run))
            for device in ("gpu-a", "gpu-b")
            for start, end, run in ((0, 500, None), (500, 1500, RUN), (1500, 2000, None))
        ),
    ]


def chain(steps) -> list[bytes]:
    sealed: list[bytes] = []
    for at, body in steps:
        sealed.append(seal_record(sealed[-1] if sealed else None, at, body, KEY))
    return sealed


def records(steps) -> Records:
    return read_records(chain(steps), KEY.public)


def test_an_honest_chain_has_no_faults_and_reads_back():
    found = records(honest())
    assert check_records(found) == ()
    assert [r.body for r in found.records] == [body for _, body in honest()]


def test_a_chain_with_a_record_removed_moved_repeated_or_forged_is_refused():
    sealed = chain(honest())
    other = SigningKey(b"\x08" * 32)
    for broken in (
        sealed[1:],
        [*sealed[:1], *sealed[2:]],
        [sealed[0], sealed[2], sealed[1], *sealed[3:]],
        [sealed[0], *sealed],
        [seal_record(None, 0, DECLARED, other), *sealed[1:]],
        [],
    ):
        with pytest.raises(PeerError):
            read_records(broken, KEY.public)
    assert read_records(sealed[:-1], KEY.public)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_changed_byte_of_a_chain_is_refused(data):
    sealed = chain(honest())
    n = data.draw(st.integers(0, len(sealed) - 1))
    raw = bytearray(sealed[n])
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(PeerError):
        read_records([*sealed[:n], bytes(raw), *sealed[n + 1 :]], KEY.public)


def swap(index: int, at: int | None = None, body: object | None = None):
    """The honest steps with one of them changed."""
    steps = honest()
    steps[index] = (steps[index][0] if at is None else at, steps[index][1] if body is None else body)
    return steps


def close(**changes):
    last = snapshot(2)
    return replace(Close(RUN, last.tokens, last.flop, last.weights, ()), **changes)


FAULTS = {
    "time": (swap(1, at=499), Problem.TIME_NOT_MONOTONIC),
    "not declared": (swap(0, body=replace(DECLARED, run=OTHER)), Problem.RUN_NOT_DECLARED),
    "declared twice": ([*honest(), (2000, DECLARED)], Problem.RUN_DECLARED_TWICE),
    "declared late": (swap(5, body=Window("gpu-a", "b", 400, 1500, RUN)), Problem.DECLARED_LATE),
    "after close": ([*honest(), (2000, snapshot(3))], Problem.RECORD_AFTER_CLOSE),
    "steps": (swap(2, body=snapshot(2, step=1)), Problem.NOT_CUMULATIVE),
    "data order": (swap(2, body=snapshot(2, data_end=100)), Problem.NOT_CUMULATIVE),
    "seconds shrink": (
        swap(2, body=snapshot(2, seconds={"gpu-a": 1, "gpu-b": 1000})),
        Problem.NOT_CUMULATIVE,
    ),
    "gap": (swap(0, body=replace(DECLARED, max_gap=499)), Problem.SNAPSHOT_GAP),
    "formula": (swap(2, body=snapshot(2, flop=FLOP * 2 * 10**8 + 1)), Problem.FLOP_FORMULA),
    "too fast": (
        swap(0, body=replace(DECLARED, devices=tuple(replace(d, peak=5 * 10**11) for d in DEVICES))),
        Problem.UTILISATION,
    ),
    "no device seconds": (swap(1, body=snapshot(1, seconds={})), Problem.UTILISATION),
    "more than wall time": (
        swap(1, body=snapshot(1, seconds={"gpu-a": 501, "gpu-b": 499})),
        Problem.DEVICE_SECONDS,
    ),
    "undeclared device": (
        swap(1, body=snapshot(1, seconds={"gpu-a": 500, "gpu-b": 500, "gpu-c": 5})),
        Problem.UNKNOWN_DEVICE,
    ),
    "window of an undeclared device": (
        swap(5, body=Window("gpu-c", "b", 500, 1500, RUN)),
        Problem.UNKNOWN_DEVICE,
    ),
    "two runs at once": (
        [*honest(), (2000, Window("gpu-a", "boot", 1400, 1600, None))],
        Problem.DEVICE_OVERLAP,
    ),
    "window backwards": (swap(5, body=Window("gpu-a", "b", 1500, 500, RUN)), Problem.BAD_WINDOW),
    "window in the future": (swap(6, body=Window("gpu-a", "b", 1500, 2001, None)), Problem.BAD_WINDOW),
    "close totals": (swap(3, body=close(flop=1)), Problem.CLOSE_MISMATCH),
    "close weights": (swap(3, body=close(weights=ZERO)), Problem.CLOSE_MISMATCH),
    "missing records": (swap(3, body=close(missing=(7,))), Problem.MISSING_RECORDS),
    "budget": (swap(0, body=replace(DECLARED, budget=FLOP * 10**8)), Problem.OVER_BUDGET),
    "never closed": ([s for s in honest() if not isinstance(s[1], Close)], Problem.RUN_NOT_CLOSED),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_check_of_records_finds_its_own_fault(fault):
    steps, problem = FAULTS[fault]
    assert problem in {one.problem for one in check_records(records(steps))}


def test_every_problem_has_a_failing_chain():
    assert {problem for _, problem in FAULTS.values()} == set(Problem)


def test_records_that_contradict_themselves_decide_nothing(backing):
    steps, _ = FAULTS["formula"]
    for kind in ClaimKind:
        claim = Claim(kind, 1, frozenset(), RUN)
        assert judge_claim(records(steps), claim, INVENTORY, backing).decision is Decision.INCONCLUSIVE


# Verdicts -------------------------------------------------------------------------------------------

TOTAL = FLOP * 2 * 10**8
BOTH = frozenset({"gpu-a", "gpu-b"})
INVENTORY = Inventory(BOTH, 0, 2000)
EXERCISE = Exercise(ZERO, Nonce(bytes(32)), Nonce(b"\1" * 32), KEY.public)


@pytest.fixture
def backing(amd):
    item = amd.item("genoa", bound=binders(EXERCISE).bind64)
    policy = cases.make_policy(cases.rules(references=[cases.own_reference(item, NOW)]))
    return Backing(appraise_all({"cpu0": item}, policy, EXERCISE, NOW), EXERCISE)


AT_MOST, AT_LEAST = ClaimKind.AT_MOST, ClaimKind.AT_LEAST
C, V, I = Decision.COMPLIANT, Decision.VIOLATION, Decision.INCONCLUSIVE  # noqa: E741 - three letters for a table
# claim, with evidence and inventory, with evidence alone, with inventory alone, with neither
VERDICTS = [
    (Claim(AT_MOST, TOTAL), (C, I, I, I)),
    (Claim(AT_MOST, TOTAL - 1), (V, V, V, V)),
    (Claim(AT_LEAST, TOTAL), (C, C, I, I)),
    (Claim(AT_LEAST, TOTAL + 1), (V, I, I, I)),
    (Claim(ClaimKind.EXCLUSIVE, 0, BOTH, RUN), (C, I, I, I)),
    (Claim(ClaimKind.EXCLUSIVE, 0, BOTH, OTHER), (V, V, V, V)),
    (Claim(ClaimKind.DEVICES, 0, BOTH), (C, C, I, I)),
    (Claim(ClaimKind.DEVICES, 0, frozenset({"gpu-a"})), (V, V, V, V)),
]


@pytest.mark.parametrize(("claim", "expected"), VERDICTS)
def test_the_verdict_on_a_compute_claim_keeps_its_honest_label(backing, claim, expected):
    assert backing.result.assurance == "attested"
    found = records(honest())
    given_ = [(INVENTORY, backing), (None, backing), (INVENTORY, None), (None, None)]
    outcomes = tuple(judge_claim(found, claim, inventory, by).decision for inventory, by in given_)
    assert outcomes == expected
    for i, by in given_:
        reasons = judge_claim(found, claim, i, by).reasons
        assert reasons
        assert all(any(one.fullmatch(said) for one in SENTENCES) for said in reasons)


SENTENCES = [re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(one.value))) for one in Because]


def test_at_most_twenty_sentences_say_why_each_fault_once_in_order(backing):
    steps = honest() + [(9000 - n, Window("gpu-a", "boot", 8000, 8001, None)) for n in range(30)]
    reasons = judge_claim(records(steps), Claim(AT_MOST, TOTAL), INVENTORY, backing).reasons
    assert len(reasons) == 20
    assert reasons[0] == Because.CONTRADICTION
    assert reasons[1] == f"record {len(honest()) + 1}: DEVICE_OVERLAP"
    assert reasons[2] == f"record {len(honest()) + 1}: TIME_NOT_MONOTONIC"


GAPS = {
    "a device without windows": replace(INVENTORY, devices=BOTH | {"gpu-z"}),
    "time before the windows": None,
    "time after the windows": replace(INVENTORY, end=2001),
    "a device outside": replace(INVENTORY, devices=frozenset({"gpu-a"})),
}


@pytest.mark.parametrize("gap", GAPS)
def test_an_inventory_that_is_not_wholly_accounted_for_decides_no_upper_bound(backing, gap):
    steps = honest()
    inventory = GAPS[gap]
    if inventory is None:
        inventory = INVENTORY
        steps[4] = (2000, Window("gpu-a", "boot", 1, 500, None))
    verdict = judge_claim(records(steps), Claim(AT_MOST, TOTAL), inventory, backing)
    assert verdict.decision is I
    assert verdict.reasons[0] == "records never show absence"


def test_seconds_counted_beyond_the_windows_decide_no_upper_bound(backing):
    steps = honest()
    steps[5] = (2000, Window("gpu-a", "boot", 500, 1400, RUN))
    steps.insert(6, (2000, Window("gpu-a", "boot", 1400, 1500, None)))
    assert judge_claim(records(steps), Claim(AT_MOST, TOTAL), INVENTORY, backing).decision is I


def test_devices_outside_the_inventory_or_none_at_all_decide_nothing(backing):
    found = records(honest())
    for devices in (BOTH | {"gpu-z"}, frozenset()):
        claim = Claim(ClaimKind.EXCLUSIVE, 0, devices, RUN)
        assert judge_claim(found, claim, INVENTORY, backing).decision is I
    idle = records([(0, DECLARED), (2000, Window("gpu-a", "boot", 0, 2000, None))])
    assert {one.problem for one in check_records(idle)} == {Problem.RUN_NOT_CLOSED}
    only_idle = records([(2000, Window("gpu-a", "boot", 0, 2000, None))])
    verdict = judge_claim(only_idle, Claim(ClaimKind.DEVICES, 0, BOTH), INVENTORY, backing)
    assert (verdict.decision, verdict.reasons) == (I, ("no device is on record",))


def test_evidence_for_another_key_backs_nothing(backing):
    other = replace(backing, exercise=replace(EXERCISE, answering_key=Bytes32(b"\7" * 32)))
    assert judge_claim(records(honest()), Claim(AT_LEAST, 1), INVENTORY, other).decision is I


def test_evidence_that_is_not_attested_backs_nothing(backing):
    weak = replace(backing, result=replace(backing.result, production=False))
    assert judge_claim(records(honest()), Claim(AT_LEAST, 1), INVENTORY, weak).decision is I


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2 * TOTAL), st.sampled_from([AT_MOST, ClaimKind.EXCLUSIVE]), st.booleans())
def test_no_upper_bound_or_exclusivity_is_ever_compliant_without_an_inventory(bound, kind, attested):
    result = None
    if attested:
        result = Backing(_FakeResult(), EXERCISE)
    claim = Claim(kind, bound, BOTH, RUN)
    assert judge_claim(_HONEST, claim, None, result).decision is not C
    assert judge_claim(_HONEST, claim, INVENTORY, None).decision is not C


class _FakeResult:
    """An attested result, as strong as one can be."""

    assurance = Assurance.ATTESTED


_HONEST = records(honest())
