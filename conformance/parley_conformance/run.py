"""Room: the suite. Runs the cases against one prover; whatever happens, there is a report of what was seen."""

import contextlib
import secrets
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from parley_attestation.edge.party import Party, PeerCard
from parley_attestation.errors import ParleyError, printable

from parley_conformance.cases import PROVER, Case, Profile
from parley_conformance.harness import Failure, Skip, Target, workspace
from parley_conformance.report import Report, Result, Status

STREAM_SECONDS = 30.0
_STOP_SECONDS = 10.0


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
    """

    party: Party
    peer: PeerCard
    profile: Profile = Profile.CORE
    seconds: float = STREAM_SECONDS
    start: str = ""
    seed: str = ""
    cases: Sequence[Case] = PROVER


def run(job: Job, seen: Callable[[Result], None] = lambda _: None) -> Report:
    """Run the cases and report. An interruption ends the run early; what did not run counts as skipped.

    Raises:
        ParleyError: The prover never answered, or describes no model claim.
    """
    seed = job.seed or secrets.token_hex(16)
    cases = [c for c in job.cases if c.profile is Profile.CORE or job.profile is Profile.EXTENDED]
    results: list[Result] = []
    began = time.monotonic()
    with workspace() as folder, _Server(job.start) as server:
        target = Target(job.party, job.peer, seed, job.seconds, Path(folder))
        try:
            for case in cases:
                server.revive()
                results.append(_judged(case, target))
                seen(results[-1])
        except KeyboardInterrupt:
            pass
        finally:
            target.close()
    left = [Result(c, Status.SKIPPED, "the run was interrupted", 0.0) for c in cases[len(results) :]]
    described = target.described
    return Report(
        prover=job.peer.fingerprint.hex(),
        profile=job.profile,
        seed=seed,
        seconds=time.monotonic() - began,
        capabilities=tuple(printable(c, 60) for c in described.capabilities),
        results=(*results, *left),
    )


def _judged(case: Case, target: Target) -> Result:
    began = time.monotonic()
    status, detail = Status.PASSED, ""
    try:
        if case.capability and case.capability not in target.described.capabilities:
            raise Skip(f"the prover does not claim {case.capability}")
        case.run(target)
    except Skip as skip:
        status, detail = Status.UNCLAIMED, str(skip)
    except (Failure, ParleyError) as error:
        status, detail = Status.FAILED, str(error)
    finally:
        target.release()
    return Result(case, status, detail, time.monotonic() - began)


class _Server(contextlib.AbstractContextManager[Any]):
    """The prover's process, where the suite starts it; a dead one is started again."""

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
