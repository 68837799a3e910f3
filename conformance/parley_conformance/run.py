"""Room: the suite. Runs cases against one implementation; whatever happens, there is a report of what was seen.

Every role runs through `execute`: it brings its cases, its requirements and the way to its subject.
"""

import contextlib
import secrets
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol, Self

from parley_attestation.edge.party import Party, PeerCard
from parley_attestation.errors import ParleyError, printable

from parley_conformance.cases import PROVER, Case, Profile
from parley_conformance.harness import Failure, Skip, Target
from parley_conformance.known import Known
from parley_conformance.report import Report, Result, Status
from parley_conformance.requirements import REQUIREMENTS, Requirement

STREAM_SECONDS = 30.0
_STOP_SECONDS = 10.0


class Subject(Protocol):
    """The implementation under test, as cases reach it."""

    @property
    def name(self) -> str:
        """What identifies it in the report: a fingerprint, a key or a command."""

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What it claims to be able to do."""

    def release(self) -> None:
        """Let go of what the last case left open."""

    def close(self) -> None:
        """Hang up."""


@dataclass(frozen=True, slots=True)
class Suite:
    """What one role is held to, and the way to the implementation.

    Attributes:
        role: The role of the implementation.
        requirements: By id, what the cases of the role name.
        cases: The cases, in the order in which they run.
        open: Reaches the implementation; it gets the run's seed and a folder that goes away with the run.
    """

    role: str
    requirements: Mapping[str, Requirement]
    cases: Sequence[Case]
    open: Callable[[str, Path], Subject]


@dataclass(frozen=True, slots=True)
class Job:
    """One run of the suite.

    Attributes:
        party: The suite's own party, a verifier that the prover admits.
        peer: The pinned card of the prover, with its endpoint.
        profile: Which cases run.
        seconds: Deadline of one stream.
        start: The command that starts the prover; empty where somebody else keeps it running.
        seed: Text that every value follows from; a prover that has seen one needs another.
        cases: The cases to choose from.
        known: Failures that are known, by case.
    """

    party: Party
    peer: PeerCard
    profile: Profile = Profile.CORE
    seconds: float = STREAM_SECONDS
    start: str = ""
    seed: str = ""
    cases: Sequence[Case] = PROVER
    known: Mapping[str, Known] = field(default_factory=dict)


def run(job: Job, seen: Callable[[Result], None] = lambda _: None) -> Report:
    """Run the cases for a prover. As `execute`; the prover must describe a model claim."""
    suite = Suite(
        "prover",
        REQUIREMENTS,
        job.cases,
        lambda seed, folder: Target(job.party, job.peer, seed, job.seconds, folder),
    )
    return execute(suite, profile=job.profile, seed=job.seed, start=job.start, seen=seen, known=job.known)


def execute(
    suite: Suite,
    *,
    profile: Profile = Profile.CORE,
    seed: str = "",
    start: str = "",
    seen: Callable[[Result], None] = lambda _: None,
    known: Mapping[str, Known] | None = None,
) -> Report:
    """Run the cases and report. An interruption ends the run early; what did not run counts as skipped.

    Args:
        suite: What runs.
        profile: Which cases run.
        seed: Text that every value follows from; empty draws one.
        start: The command that starts the implementation; empty where somebody else keeps it running.
        seen: Called with every result.
        known: Failures that are known, by case; those that have run out today are no longer excused.

    Raises:
        ParleyError: The implementation never answered.
    """
    seed = seed or secrets.token_hex(16)
    cases = [c for c in suite.cases if profile.takes(c)]
    known, today = known or {}, datetime.now(UTC).date()
    results: list[Result] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="parley-conformance-") as folder, _Server(start) as server:
        subject = suite.open(seed, Path(folder))
        try:
            for case in cases:
                server.revive()
                results.append(excused(_judged(case, subject), known.get(case.id), today))
                seen(results[-1])
        except KeyboardInterrupt:
            pass
        finally:
            subject.close()
    left = [Result(c, Status.SKIPPED, "the run was interrupted", 0.0) for c in cases[len(results) :]]
    return Report(
        role=suite.role,
        subject=subject.name,
        requirements=suite.requirements,
        profile=profile,
        seed=seed,
        seconds=time.monotonic() - began,
        capabilities=tuple(printable(c, 60) for c in subject.capabilities),
        results=(*results, *left),
        known=tuple(known.values()),
    )


def excused(result: Result, known: Known | None, today: date) -> Result:
    """The result of a case that may be a known failure: excused, run out, or out of date because it passes."""
    if known is None or result.status in {Status.SKIPPED, Status.UNCLAIMED}:
        return result
    if result.status is Status.PASSED:
        return replace(result, status=Status.FAILED, detail="listed as a known failure, and passes")
    if not known.live(today):
        detail = f"known until {known.until}, which is past: {result.detail}"
        return replace(result, detail=detail)
    return replace(result, status=Status.KNOWN)


def _judged(case: Case, subject: Subject) -> Result:
    began = time.monotonic()
    status, detail = Status.PASSED, ""
    try:
        if case.capability and case.capability not in subject.capabilities:
            raise Skip(f"the {case.capability} capability is not claimed")
        case.run(subject)
    except Skip as skip:
        status, detail = Status.UNCLAIMED, str(skip)
    except (Failure, ParleyError) as error:
        status, detail = Status.FAILED, str(error)
    finally:
        subject.release()
    return Result(case, status, detail, time.monotonic() - began)


class _Server(contextlib.AbstractContextManager[Any]):
    """The process of the implementation, where the suite starts it; a dead one is started again."""

    def __init__(self, command: str) -> None:
        self._words = shlex.split(command)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.revive()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def revive(self) -> None:
        """Start the process unless it runs. The next call on the channel waits until it answers."""
        if self._words and (self._process is None or self._process.poll() is not None):
            self._process = subprocess.Popen(self._words, stdout=subprocess.DEVNULL)
