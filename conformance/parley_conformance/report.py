"""Room: the suite. What a run found, as JSON, JUnit XML and one page of HTML.

Any failing, known-failing, skipped or missing MUST makes the verdict "partial", never "conformant".
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata, resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from parley_attestation.errors import LocalError, Reason, printable

from parley_conformance.cases.base import Case, Profile
from parley_conformance.known import Known
from parley_conformance.requirements import Level, Requirement, spec_digests
from parley_conformance.untestable import UNTESTABLE

FORMAT = "parley-conformance-report/1"
MAX_TEXT = 2000  # characters of any one value


class Status(StrEnum):
    """How a case or a requirement came out."""

    PASSED = "passed"
    FAILED = "failed"
    KNOWN = "known"  # a failure, listed as known with an issue and a last day
    SKIPPED = "skipped"
    UNCLAIMED = "unclaimed"


@dataclass(frozen=True, slots=True)
class Result:
    """How one case came out, why, and how many seconds it took."""

    case: Case
    status: Status
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """One run of the suite against one implementation: its role, its name, what it is held to, what came."""

    role: str
    subject: str
    requirements: Mapping[str, Requirement]
    profile: Profile
    seed: str
    seconds: float
    capabilities: tuple[str, ...]
    results: tuple[Result, ...]
    known: tuple[Known, ...] = ()

    def of(self, requirement: Requirement) -> Status:
        """How a requirement came out over all cases that name it."""
        found = {r.status for r in self.results if requirement.id in r.case.requirements}
        for status in (Status.FAILED, Status.KNOWN, Status.SKIPPED, Status.PASSED, Status.UNCLAIMED):
            if status in found:
                return status
        return Status.SKIPPED

    @property
    def verdict(self) -> str:
        """What the run shows: "partial" where any MUST failed or was not tested, else "conformant".

        A strict run holds an implementation to every SHOULD as well.
        """
        binding = {Level.MUST, Level.SHOULD} if self.profile is Profile.STRICT else {Level.MUST}
        found = (self.of(r) for r in self.requirements.values() if r.level in binding)
        held = all(s in {Status.PASSED, Status.UNCLAIMED} for s in found)
        return "conformant" if held else "partial"

    @property
    def code(self) -> int:
        """Exit code of the run: 0 conformant, 3 partial by known failures and skips alone, 1 otherwise."""
        if self.verdict == "conformant":
            return 0
        return 1 if self.count(Status.FAILED) or not self.count(Status.KNOWN) else 3

    @property
    def untested(self) -> Mapping[str, str]:
        """Requirements that bind the role and that no run can test, with the reason."""
        return UNTESTABLE.get(self.role, {})

    def count(self, status: Status) -> int:
        """Cases that came out so."""
        return sum(r.status is status for r in self.results)

    def document(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "format": FORMAT,
            "suite_version": version(),
            "spec": dict(spec_digests()),
            "role": self.role,
            "subject": self.subject,
            "profile": self.profile.value,
            "seed": self.seed,
            "reproduce": f"the same command with --profile {self.profile} --seed {self.seed}, after a fresh start",
            "seconds": round(self.seconds, 3),
            "capabilities": list(self.capabilities),
            "verdict": self.verdict,
            "counts": {status.value: self.count(status) for status in Status},
            "requirements": [
                {"id": r.id, "level": r.level.value, "status": self.of(r).value, "text": r.text}
                for r in self.requirements.values()
            ],
            "not_testable": dict(self.untested),
            "known_failures": [
                {"case": k.case, "issue": printable(k.issue, 300), "until": k.until.isoformat()}
                for k in self.known
            ],
            "cases": [_case(result) for result in self.results],
        }


def _case(result: Result) -> dict[str, Any]:
    case = result.case
    return {
        "id": case.id,
        "what": case.what,
        "profile": case.profile.value,
        "requirements": list(case.requirements),
        "reasons": sorted(case.reasons),
        "status": result.status.value,
        "detail": printable(result.detail, MAX_TEXT),
        "seconds": round(result.seconds, 3),
    }


def version() -> str:
    """The version of the suite."""
    return metadata.version("parley")


def write(report: Report, folder: Path) -> None:
    """Write report.json, junit.xml and report.html.

    Raises:
        LocalError: CONFIG, where the folder cannot be written; MISSING_EXTRA, without the `report` extra.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(json.dumps(report.document(), indent=2) + "\n", "utf-8")
        (folder / "junit.xml").write_bytes(junit(report))
        (folder / "report.html").write_bytes(html(report))
    except OSError as error:
        raise LocalError(Reason.CONFIG, f"{folder}: {error.strerror}") from error


def junit(report: Report) -> bytes:
    """The report as JUnit XML."""
    suite = ET.Element(
        "testsuite",
        name=f"parley-conformance {version()}",
        tests=str(len(report.results)),
        failures=str(report.count(Status.FAILED)),
        errors="0",
        skipped=str(len(report.results) - report.count(Status.PASSED) - report.count(Status.FAILED)),
        time=f"{report.seconds:.3f}",
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("role", report.role),
        ("seed", report.seed),
        ("verdict", report.verdict),
        ("profile", report.profile),
        *spec_digests().items(),
    ):
        ET.SubElement(properties, "property", name=name, value=value)
    for result in report.results:
        one = ET.SubElement(
            suite,
            "testcase",
            classname=".".join(result.case.requirements),
            name=result.case.id,
            time=f"{result.seconds:.3f}",
        )
        detail = _for_xml(result.detail)
        if result.status is Status.FAILED:
            ET.SubElement(one, "failure", message=detail).text = _for_xml(result.case.what)
        elif result.status is not Status.PASSED:
            ET.SubElement(one, "skipped", message=detail)
    written: bytes = ET.tostring(suite, encoding="utf-8", xml_declaration=True)
    return written


def _for_xml(text: str) -> str:
    """Printable text without the characters that XML 1.0 has no place for."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", printable(text, MAX_TEXT))


def html(report: Report) -> bytes:
    """The report as one page that loads nothing and runs nothing; every value is escaped. As `page`."""
    rendered: str = page().render(said=report.document())
    return rendered.encode("utf-8")


def page() -> Any:
    """The template of the page; whoever is going to write one asks before a run and not after it.

    Raises:
        LocalError: MISSING_EXTRA, without the `report` extra.
    """
    try:
        import jinja2  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise LocalError(
            Reason.MISSING_EXTRA, "reports need jinja2", hint="pip install 'parley[report]'"
        ) from error
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    source = (resources.files(__package__) / "report.html.j2").read_text("utf-8")
    return environment.from_string(source)


def _shown(value: Any) -> Any:
    return printable(value, MAX_TEXT) if isinstance(value, str) else value


def failing(results: Iterable[Result]) -> set[str]:
    """Ids of the requirements that a failed case names."""
    return {name for r in results if r.status is Status.FAILED for name in r.case.requirements}
