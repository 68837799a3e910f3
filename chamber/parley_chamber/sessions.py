"""Room: the chamber. One sealed session at the chamber: keys and evidence, two uploads, one receipt.

The chamber replays the session itself and takes nobody's word for what was agreed. Uploads are sealed
bytes and may lie on a disk; a broken one goes on where it stopped. So are the results, which stay there
for the verifier.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.evidence.collect import Collector, collect
from parley_attestation.evidence.model import Kind
from parley_attestation.runtime import Runtime
from parley_attestation.sealing import HEADER, read_header
from parley_attestation.session.backing import binding
from parley_attestation.session.machine import Machine
from parley_attestation.session.sealed import policy_digest
from parley_attestation.session.tables import State

from parley_chamber.ledger import RunLedger
from parley_chamber.reexecute import Chamber
from parley_chamber.run import Job, SealedRun, Upload

MAX_UPLOAD = 160 << 30  # bytes; unless the operator says otherwise
RESULTS = "results.sealed"


def results_of(folder: Path, machine: Machine) -> bytes:
    """The sealed results of an ended session, from the folder in which its run left them.

    They leave only when both parties have ended the session: then the prover has the receipt as well.

    Args:
        folder: Of this session alone.
        machine: The session, replayed by the chamber to its end.

    Raises:
        PeerError: OUT_OF_ORDER before its end; WRONG_SESSION, where no run left results here.
    """
    if machine.state is not State.FINISHED:
        raise PeerError(Reason.OUT_OF_ORDER, "expected a session that both parties have ended")
    try:
        return (folder / RESULTS).read_bytes()
    except FileNotFoundError:
        raise PeerError(Reason.WRONG_SESSION, "this chamber hands over no results of the session") from None


def job_of(machine: Machine, runtime: Runtime, *, simulated: bool) -> Job:
    """What a session agreed on, once its seed is fixed. Raises `PeerError` (OUT_OF_ORDER)."""
    facts = machine.facts
    if machine.mode != "sealed" or facts.seed is None:
        raise PeerError(Reason.OUT_OF_ORDER, "expected a session of sealed mode whose seed is fixed")
    assert facts.terms is not None
    assert facts.exercise is not None
    assert facts.model_claim is not None
    assert facts.test_set is not None
    session = Digest(facts.session_id)
    return Job(session, facts.exercise, facts.terms, facts.model_claim, facts.test_set, runtime, simulated)


def attempts_of(machine: Machine) -> list[bytes]:
    """The sessions that attempted an exercise, this one last."""
    found, facts = [machine.facts.session_id], machine.facts.earlier
    while facts is not None:
        found.append(facts.session_id)
        facts = facts.earlier
    return found[::-1]


def forget_uploads(folder: Path) -> None:
    """Remove the uploads of an earlier process, whose keys are gone; results are no uploads, and stay."""
    for place in folder.glob("*/"):
        _forget(place)


def _forget(folder: Path) -> None:
    """Remove a session's uploads, and its folder where nothing is left in it."""
    for role in (Role.PROVER, Role.VERIFIER):
        (folder / f"{role}.sealed").unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not there, or results wait in it
        folder.rmdir()


class ChamberSession:
    """What a chamber holds for one session.

    Args:
        chamber: Who runs it, and where.
        machine: The session, replayed by the chamber to its seed.
        runtime: The runtime that the terms name.
        ledger: Where runs are counted.
        folder: Where sealed uploads lie; of this session alone.
        entropy: 32 fresh random bytes.
        collectors: Where evidence comes from, if the terms have a policy for it.
        most: Bytes of one sealed upload at most.

    Raises:
        PeerError: OUT_OF_ORDER; BAD_ATTEMPT, as `RunLedger.attempt`; BAD_RUNTIME.
    """

    def __init__(  # noqa: PLR0913 - each an input of one session
        self,
        chamber: Chamber,
        machine: Machine,
        runtime: Runtime,
        *,
        ledger: RunLedger,
        folder: Path,
        entropy: Bytes32,
        collectors: Sequence[Collector] = (),
        now: int = 0,
        most: int = MAX_UPLOAD,
    ) -> None:
        simulated = any(one.kind is Kind.SIMULATED for one in collectors)
        self._job = job_of(machine, runtime, simulated=simulated)
        ledger.attempt(self._job.exercise, attempts_of(machine))
        self._run = SealedRun(chamber, self._job, ledger, entropy)
        self._folder, self._most = folder, most
        self.keys = self._run.keys
        self.evidence = b""
        if collectors and self._job.terms.evidence_policy is not None:
            bound = binding(machine.facts, machine.heads, self._run.receipt_key)
            items = collect(collectors, replace(bound, hpke_key=self._run.hpke_key))
            self.evidence = self._run.seal_evidence(items, now)

    def received(self, role: Role) -> int:
        """Bytes of a party's upload that are here; where it goes on."""
        path = self._path(role)
        return path.stat().st_size if path.exists() else 0

    def append(self, role: Role, offset: int, data: bytes) -> None:
        """Take the next bytes of a party's upload.

        Raises:
            PeerError: BAD_SEAL, where they do not go on at `offset`, a header is of other content, or more
                comes than it announces; TOO_LARGE, where it announces more than the operator takes.
        """
        if offset != self.received(role):
            raise PeerError(Reason.BAD_SEAL, f"expected the upload to go on at {self.received(role)}")
        said = read_header(data[:HEADER] if offset == 0 else self._head(role))
        if said != self._run.sealed(role, said.size):
            raise PeerError(Reason.BAD_SEAL, "the upload is for another session, party or commitment")
        if said.sealed_size > self._most:
            raise PeerError(Reason.TOO_LARGE, f"this chamber takes uploads of at most {self._most} bytes")
        # One part too many is kept: the run then refuses the content and names the party.
        if offset > said.sealed_size:
            raise PeerError(Reason.BAD_SEAL, f"the header announces {said.sealed_size} bytes, and no more")
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with self._path(role).open("ab") as file:
            file.write(data)

    def _head(self, role: Role) -> bytes:
        with self._path(role).open("rb") as file:
            return file.read(HEADER)

    def receipt(self, machine: Machine, begun: int) -> bytes:
        """Run, once both parties have released their keys on the record; the sealed receipt or refusal.

        Args:
            machine: The same session, replayed by the chamber to both releases.
            begun: Now, in Unix seconds.

        Raises:
            PeerError: OUT_OF_ORDER; WRONG_SESSION; BAD_SEAL, for keys released to another run's; what
                `SealedRun.run` raises.
        """
        facts = machine.facts
        if facts.session_id != self._job.session or machine.state is not State.RUNNING:
            raise PeerError(Reason.OUT_OF_ORDER, "expected this session with both releases on its record")
        mine = [stated.statement.digest() for stated in facts.chambers]
        if self._run.keys_digest not in mine:
            raise PeerError(Reason.WRONG_SESSION, "the keys on the record went with an earlier run")
        weights, tests = self._path(Role.PROVER), self._path(Role.VERIFIER)
        if not (weights.exists() and tests.exists()):
            raise PeerError(Reason.OUT_OF_ORDER, "a sealed content has not been uploaded")
        at, sizes = mine.index(self._run.keys_digest), {}
        for role in (Role.PROVER, Role.VERIFIER):
            sizes[role] = facts.released[role][at].sealed.size
            self._run.release(role, facts.wrapped[role][at], sizes[role], policy_digest(facts))
        with weights.open("rb") as one, tests.open("rb") as other:
            outcome = self._run.run(
                Upload(sizes[Role.PROVER], one.read), Upload(sizes[Role.VERIFIER], other.read), begun, at
            )
        if self._run.results:
            (self._folder / RESULTS).write_bytes(self._run.results)
        return outcome

    def discard(self) -> None:
        """Remove what was uploaded; it is of no use without the keys that this object holds."""
        _forget(self._folder)

    def _path(self, role: Role) -> Path:
        return self._folder / f"{role}.sealed"
