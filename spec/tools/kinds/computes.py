"""Vectors of compute records: chains that hold or do not, and every problem that a chain can show."""

from collections.abc import Iterator, Sequence

import test_evidence_compute as lab
from parley_attestation.ed25519 import SigningKey
from parley_attestation.errors import PeerError
from parley_attestation.evidence.compute import Window, check_records, read_records, seal_record

from kinds.basics import Test, secret

KEY = SigningKey(secret("records"))


def _chain(steps: Sequence[tuple[int, object]]) -> list[bytes]:
    sealed: list[bytes] = []
    for at, body in steps:
        sealed.append(seal_record(sealed[-1] if sealed else None, at, body, KEY))  # type: ignore[arg-type]
    return sealed


def _test(comment: str, sealed: Sequence[bytes]) -> Test:
    test: Test = {
        "comment": comment,
        "requirement": "COMP-1",
        "key": KEY.public.hex(),
        "records": [one.decode() for one in sealed],
    }
    try:
        found = check_records(read_records(sealed, KEY.public))
    except PeerError as error:
        return test | {"faults": [], "result": "invalid", "reason": error.reason.value}
    faults = sorted({(fault.sequence, fault.problem.value) for fault in found})
    return test | {"faults": [{"sequence": n, "problem": name} for n, name in faults], "result": "valid"}


def compute_records() -> Iterator[Test]:
    """Whole chains; `faults` are all problems with the sequence numbers at which they stand."""
    honest = _chain(lab.honest())
    yield _test("a run of two devices that were idle before and after", honest)
    for comment, (steps, problem) in lab.FAULTS.items():
        yield _test(f"{problem}: {comment}", _chain(steps))
    early = [lab.honest()[5], *lab.honest()]
    early[0] = (1500, Window("gpu-a", "boot", 400, 500, lab.RUN))
    yield _test("a window that stands and starts before its run's declaration", _chain(early))
    for comment, broken in (
        ("the first record is missing", honest[1:]),
        ("a record within is missing", [honest[0], *honest[2:]]),
        ("two records in each other's place", [honest[0], honest[2], honest[1], *honest[3:]]),
        ("a record twice", [honest[0], *honest]),
        ("no record", []),
        (
            "a record under another key",
            [seal_record(None, 500, lab.DECLARED, SigningKey(secret("another"))), *honest[1:]],
        ),
    ):
        yield _test(comment, broken)
