"""Room: the suite. A report as a signed in-toto test result, which its owner can publish and anyone can check.

Predicate `https://in-toto.io/attestation/test-result/v0.1`. The subjects are the report's bytes and, where
it is known by one, the root key of the implementation; the signature is the suite's party's root key.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parley_attestation import statement
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.statement import Statement, Subject

from parley_conformance.report import Status
from parley_conformance.requirements import DRAFT

PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
REPORT = "report.json"
_FINGERPRINT = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TestResult:
    """A checked result: how the run came out, and the cases that passed, were excused or left out, and failed."""

    __test__ = False  # no test of pytest's

    result: str
    passed: tuple[str, ...]
    warned: tuple[str, ...]
    failed: tuple[str, ...]


def seal(report: bytes, key: SigningKey) -> bytes:
    """The signed result over the bytes of a report.json, as a DSSE envelope in JSON."""
    subjects, predicate = _derived(report)
    return statement.seal(Statement(PREDICATE, subjects, predicate), key)


def check(sealed: bytes, key: PublicKey, report: bytes) -> TestResult:
    """Verify a signed result against the report that it is about.

    Args:
        sealed: The signed result.
        key: Root key of the party that ran the suite, from its card.
        report: The bytes of the report.json.

    Raises:
        PeerError: BAD_SIGNATURE; BAD_STATEMENT, where it is about another report or says other things than
            the report does; MALFORMED and the like.
    """
    said = statement.open_sealed(sealed, key).expect(PREDICATE)
    try:
        subjects, predicate = _derived(report)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PeerError(Reason.BAD_STATEMENT, "expected a report that this suite wrote") from error
    if (said.subjects, said.predicate) != (subjects, predicate):
        raise PeerError(Reason.BAD_STATEMENT, "the result is about another report, or says other things")
    names = (tuple(predicate[name]) for name in ("passedTests", "warnedTests", "failedTests"))
    return TestResult(predicate["result"], *names)


def _derived(report: bytes) -> tuple[tuple[Subject, ...], dict[str, Any]]:
    """What the result of a report is about, and says."""
    said = json.loads(report)
    by = {status: [c["id"] for c in said["cases"] if c["status"] == status] for status in Status}
    failed = by[Status.FAILED]
    subjects = [Subject(REPORT, Digest(hashlib.sha256(report).digest()))]
    if _FINGERPRINT.fullmatch(said["subject"]):
        subjects.append(Subject(said["role"], Digest.of_hex(said["subject"])))
    predicate = {
        "result": "PASSED" if said["verdict"] == "conformant" else "FAILED" if failed else "WARNED",
        "configuration": _configuration(said),
        "passedTests": by[Status.PASSED],
        "warnedTests": [*by[Status.KNOWN], *by[Status.SKIPPED], *by[Status.UNCLAIMED]],
        "failedTests": failed,
    }
    return tuple(subjects), predicate


def _configuration(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    spec = said["spec"]
    return [
        {"name": DRAFT, "digest": {"sha256": spec["draft_sha256"]}},
        {"name": "requirements.json", "digest": {"sha256": spec["requirements_sha256"]}},
        {
            "name": "parley conformance",
            "annotations": {
                key: said[key] for key in ("suite_version", "role", "profile", "seed", "verdict")
            },
        },
    ]
