"""Room: the chamber. One sealed run: keys, two sealed contents, two releases, three boxes, one receipt.

Nothing runs before both parties have released their keys. What a run leaves is the receipt, or the code
of what stopped it; plaintext lies in memory and on a tmpfs that is wiped.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from parley_attestation import canonical
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Bytes32, Digest, Label, mac
from parley_attestation.envelope import from_json
from parley_attestation.errors import LocalError, ParleyError, PeerError, Reason, Role
from parley_attestation.evidence import EvidenceItem
from parley_attestation.grading import Outcome
from parley_attestation.model.claim import ModelClaim
from parley_attestation.receipt import ChamberKeys, Count, Receipt, SimulatedReceipt
from parley_attestation.registration import TestSet
from parley_attestation.runtime import OnnxRuntime
from parley_attestation.sealing import Grant, Read, RecipientKey, Sealed, unseal, unwrap
from parley_attestation.session.backing import seal_evidence
from parley_attestation.session.results import result_root
from parley_attestation.session.schedule import Frame, frames
from parley_attestation.statement import parse
from parley_attestation.terms import Terms

from parley_chamber import evaluation, packages
from parley_chamber.boxes.frames import ANSWER, NO_ANSWER, pack
from parley_chamber.boxes.grade import CODES, UNANSWERED
from parley_chamber.evaluation import Weights
from parley_chamber.ledger import DONE, RunLedger
from parley_chamber.reexecute import Chamber
from parley_chamber.sandbox import Box, python

_PREFIX = "parley-chamber-"


@dataclass(frozen=True, slots=True)
class Job:
    """What both parties agreed on in their session, as the chamber itself has read it.

    Attributes:
        session: The session.
        exercise: Its exercise.
        terms: The terms; all units of their frames run.
        model_claim: The prover's claim.
        test_set: The verifier's registration.
        runtime: The runtime that the terms name.
        simulated: Whether the run stands under simulated evidence.
    """

    session: Digest
    exercise: Digest
    terms: Terms
    model_claim: ModelClaim
    test_set: TestSet
    runtime: OnnxRuntime
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Upload:
    """One party's sealed content: its plain size in bytes, and the sealed bytes to read, once."""

    size: int
    read: Read = field(repr=False)


class SealedRun:
    """One run in one session.

    Args:
        chamber: Who runs it, and where.
        job: What was agreed on.
        ledger: Where runs are counted.
        entropy: 32 fresh random bytes; the run's keys follow from them.
        quota: Runs of one set and one claim at most.
    """

    def __init__(
        self, chamber: Chamber, job: Job, ledger: RunLedger, entropy: Bytes32, quota: int = 1
    ) -> None:
        if job.runtime.digest() != job.terms.runtime:
            raise PeerError(Reason.BAD_RUNTIME, "the terms name another runtime")
        self._chamber = chamber
        self._job = job
        self._ledger = ledger
        self._quota = quota
        self._hpke = RecipientKey.of_entropy(Bytes32(mac(entropy, Label.SEAL, b"hpke")))
        self._receipt = SigningKey(mac(entropy, Label.SEAL, b"receipt"))
        self._released: dict[Role, Bytes32] = {}
        keys = ChamberKeys(
            job.session,
            job.terms.statement().digest(),
            self._hpke.public,
            Bytes32(self._receipt.public),
            evaluation.kept_apart(chamber.sandbox),
            job.simulated,
        )
        self.keys = keys.sealed(chamber.operator, self._receipt)
        self._keys_digest = _digest(self.keys)

    @property
    def receipt_key(self) -> bytes:
        """The public key that signs the receipt."""
        return bytes(self._receipt.public)

    @property
    def hpke_key(self) -> bytes:
        """The public key to which data keys are released."""
        return bytes(self._hpke.public)

    def seal_evidence(self, items: Mapping[str, EvidenceItem], now: int) -> bytes:
        """Sign evidence with the key that its binder carries; `now` in Unix seconds."""
        return seal_evidence(items, now, self._receipt)

    def __repr__(self) -> str:
        return "SealedRun(…)"

    def sealed(self, role: Role, size: int) -> Sealed:
        """What a party's content must be: from the session, whatever its header says."""
        commitment = self._job.model_claim.commitment if role is Role.PROVER else self._job.test_set.root
        return Sealed(role, self._job.session, commitment, size)

    def release(self, role: Role, wrapped: bytes, size: int, policy: Digest) -> None:
        """Take a party's released key. Raises `PeerError` (BAD_SEAL), also for a second one."""
        if role in self._released:
            raise PeerError(Reason.BAD_SEAL, f"the {role} has released its key already")
        grant = Grant(self.sealed(role, size), self._keys_digest, policy)
        self._released[role] = unwrap(wrapped, self._hpke, grant)

    def run(self, weights: Upload, tests: Upload) -> bytes:
        """Open both contents, check them, run every unit and sign the receipt.

        Raises:
            PeerError: OUT_OF_ORDER before both released; QUOTA_EXHAUSTED; BAD_SEAL, BAD_MODEL_CLAIM or
                BAD_OPENING, blaming the party whose content is not what it committed to.
            LocalError: Where a box fails.
        """
        if set(self._released) != {Role.PROVER, Role.VERIFIER}:
            raise PeerError(Reason.OUT_OF_ORDER, "a run begins when both parties have released their keys")
        job = self._job
        number = self._ledger.begin(job.test_set.root, job.model_claim.digest, job.session, self._quota)
        try:
            with plaintext() as folder:
                receipt = self._run(folder, weights, tests, number)
        except ParleyError as error:
            self._ledger.end(job.session, error.reason.value)
            raise
        finally:
            self._released.clear()
        self._ledger.end(job.session, DONE)
        return (SimulatedReceipt(receipt) if job.simulated else receipt).sealed(self._receipt)

    def _run(self, folder: Path, weights: Upload, tests: Upload, number: int) -> Receipt:
        job, chamber = self._job, self._chamber
        with _blaming(Role.PROVER):
            (folder / "model").mkdir(mode=0o700)
            secret = packages.read_weights(self._open(Role.PROVER, weights), folder / "model")
            model = Weights(folder / "model", secret, job.runtime)
            evaluation.load(chamber.sandbox, model, job.model_claim, chamber.limits)
        with _blaming(Role.VERIFIER):
            opened = packages.read_tests(self._open(Role.VERIFIER, tests), folder / "tests", job.test_set)
        populations = frames(job.terms, job.test_set)
        units = [(n, item) for n, one in enumerate(populations) for item, _ in one.units()]
        answers = self._answers(model, opened, [item for _, item in units])
        codes = self._grades(opened, units, answers)
        return Receipt(
            keys=self._keys_digest,
            session=job.session,
            exercise=job.exercise,
            model_claim=job.model_claim.digest,
            test_set=job.test_set.root,
            runtime=job.runtime.digest(),
            execution_class=job.runtime.execution_class,
            run=number,
            counts=self._counts(populations, units, codes),
            result_root=result_root(opened.result_seed, job.exercise, codes),
        )

    def _open(self, role: Role, upload: Upload) -> Iterator[bytes]:
        return unseal(self.sealed(role, upload.size), self._released[role], upload.read)

    def _answers(
        self, model: Weights, opened: packages.OpenedTests, items: Sequence[int]
    ) -> list[bytes | None]:
        cap, chamber = self._job.terms.caps.output, self._chamber
        limits = replace(chamber.limits, output=evaluation.output_bytes(len(items), cap))
        prompts = (prompt for prompt, _ in opened.items(items))
        return evaluation.answer(chamber.sandbox, model, prompts, cap, limits)

    def _grades(
        self, opened: packages.OpenedTests, units: Sequence[tuple[int, int]], answers: Sequence[bytes | None]
    ) -> list[bytes]:
        claims, over = self._job.terms.metric_claims, self._claims_over()
        references = (reference for _, reference in opened.items(item for _, item in units))

        def feed() -> Iterator[bytes]:
            yield pack(canonical.dump([claim.grader.document() for claim in claims]))
            for (frame, _), answer, reference in zip(units, answers, references, strict=True):
                yield pack(bytes(over[frame]))
                yield pack(NO_ANSWER if answer is None else ANSWER + answer) + pack(reference)

        limits = replace(self._chamber.limits, output=len(units) * (8 + len(claims)))
        box = Box(python("parley_chamber.boxes.grade"), limits=limits)
        codes = evaluation.frames_of(self._chamber.sandbox.run(box, feed()))
        if [len(one) for one in codes] != [len(over[frame]) for frame, _ in units] or any(
            max(one) > UNANSWERED for one in codes
        ):
            raise LocalError(Reason.BOX_FAILED, "the grade box did not answer in its fixed shape")
        return codes

    def _claims_over(self) -> list[list[int]]:
        """For every frame, the positions of the metric claims over it."""
        claims = self._job.terms.metric_claims
        return [[n for n, c in enumerate(claims) if c.stratum == name] for name in self._job.terms.strata]

    def _counts(
        self, populations: Sequence[Frame], units: Sequence[tuple[int, int]], codes: Sequence[bytes]
    ) -> tuple[Count, ...]:
        found = []
        for number, claim in enumerate(self._job.terms.metric_claims):
            frame = next(n for n, over in enumerate(self._claims_over()) if number in over)
            place = self._claims_over()[frame].index(number)
            good = {CODES[outcome] for outcome in Outcome if claim.result({"": outcome})}
            successes = sum(
                one[place] in good for (at, _), one in zip(units, codes, strict=True) if at == frame
            )
            found.append(Count(claim.claim_id, populations[frame].size, successes))
        return tuple(found)


def _digest(sealed: bytes) -> Digest:
    return parse(from_json(sealed).payload).digest()


@contextmanager
def _blaming(role: Role) -> Iterator[None]:
    """Whatever is wrong with a party's own sealed content is that party's."""
    try:
        yield
    except PeerError as error:
        raise error.blame(role) from None


@contextmanager
def plaintext() -> Iterator[Path]:
    """A folder of this process alone on a tmpfs, wiped at the end.

    Raises:
        LocalError: CONFIG, where /dev/shm is no tmpfs.
    """
    place = Path("/dev/shm")  # noqa: S108 - checked to be a tmpfs
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    if not any(line.split()[1:3] == [str(place), "tmpfs"] for line in mounts):
        raise LocalError(Reason.CONFIG, f"{place} is no tmpfs: plaintext has no place here")
    sweep(place)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def sweep(place: Path) -> None:
    """Remove what a killed chamber of this user left on the tmpfs; it was never on a disk."""
    for folder in place.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if folder.stat().st_uid == os.geteuid() and not Path("/proc", owner).exists():
            shutil.rmtree(folder, ignore_errors=True)
