"""Room: the chamber. One sealed run: keys, two sealed contents, two releases, three boxes, one receipt.

Nothing runs before both parties have released their keys. What a run leaves is the receipt, or a refusal
with the code of what stopped it, and where the terms say so the results, sealed for the verifier; plaintext
lies in memory and on a tmpfs that is wiped.
"""

import io
import time
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
from parley_attestation.receipt import (
    REFUSALS,
    ChamberKeys,
    ChamberRefusal,
    Count,
    Receipt,
    SimulatedReceipt,
)
from parley_attestation.registration import TestSet
from parley_attestation.runtime import ProgramRuntime, Runtime
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.sealing import Grant, Read, RecipientKey, Sealed, seal, unseal, unwrap
from parley_attestation.session.backing import seal_evidence
from parley_attestation.session.results import result_root
from parley_attestation.session.schedule import Frame, frames
from parley_attestation.session.sealed import hands_over
from parley_attestation.statement import parse
from parley_attestation.terms import Terms

from parley_chamber import evaluation, packages, plaintext, swap
from parley_chamber.boxes.frames import ANSWER, NO_ANSWER, pack
from parley_chamber.boxes.grade import CODES, UNANSWERED
from parley_chamber.evaluation import Weights
from parley_chamber.ledger import DONE, RunLedger
from parley_chamber.reexecute import Chamber
from parley_chamber.sandbox import Box, Limits, python

_MARGIN = 1  # seconds between the end of the last box and the release


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
    runtime: Runtime
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

    Attributes:
        results: After a run whose terms hand them over: every result, sealed for the verifier.
    """

    def __init__(self, chamber: Chamber, job: Job, ledger: RunLedger, entropy: Bytes32) -> None:
        self._rules = _rules(job)
        self._chamber = chamber
        self._job = job
        self._ledger = ledger
        self._hpke = RecipientKey.of_entropy(Bytes32(mac(entropy, Label.SEAL, b"hpke")))
        self._receipt = SigningKey(mac(entropy, Label.SEAL, b"receipt"))
        self._released: dict[Role, tuple[bytes, Grant]] = {}
        self._deadline = float("inf")
        self.results = b""
        keys = ChamberKeys(
            job.session,
            job.terms.statement().digest(),
            self._hpke.public,
            Bytes32(self._receipt.public),
            evaluation.kept_apart(chamber.sandbox),
            swap.stated(),
            job.simulated,
        )
        self.keys = keys.sealed(chamber.operator, self._receipt)
        self.keys_digest = _digest(self.keys)

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
        """Take a party's wrapped key; the run opens it. Raises `PeerError` (BAD_SEAL) for a second one."""
        if role in self._released:
            raise PeerError(Reason.BAD_SEAL, f"the {role} has released its key already")
        self._released[role] = wrapped, Grant(self.sealed(role, size), self.keys_digest, policy)

    def run(self, weights: Upload, tests: Upload, begun: int, place: int = 0) -> bytes:
        """Open both contents, check them, run every unit; the sealed receipt or refusal.

        Args:
            weights: The prover's content.
            tests: The verifier's.
            begun: Now, in Unix seconds; the caller hands the outcome on when the terms say.
            place: The chamber's place in the session's Evidence.

        Raises:
            PeerError: OUT_OF_ORDER before both released, QUOTA_EXHAUSTED for a second run of the session.
        """
        if set(self._released) != {Role.PROVER, Role.VERIFIER}:
            raise PeerError(Reason.OUT_OF_ORDER, "a run begins when both parties have released their keys")
        job = self._job
        number = self._ledger.begin(job.test_set.root, job.model_claim.digest, job.session)
        if self._rules.release_seconds:
            self._deadline = time.monotonic() + self._rules.release_seconds - _MARGIN
        try:
            if number > self._rules.runs:
                raise PeerError(Reason.QUOTA_EXHAUSTED, "the set and the model have met as often as may be")
            with plaintext.plaintext() as folder:
                receipt = self._run(folder, weights, tests, (number, begun, place))
        except Exception as error:  # noqa: BLE001 - whatever it is, a code is all that may leave
            return self._refuse(error, number)
        finally:
            self._released.clear()
        self._ledger.end(job.session, DONE)
        return (SimulatedReceipt(receipt) if job.simulated else receipt).sealed(self._receipt)

    def _refuse(self, error: Exception, number: int) -> bytes:
        reason = error.reason if isinstance(error, ParleyError) else Reason.BOX_FAILED
        if reason not in REFUSALS:
            reason = Reason.BAD_SEAL if isinstance(error, PeerError) else Reason.BOX_FAILED
        blamed = error.blamed if isinstance(error, PeerError) else None
        job = self._job
        self._ledger.end(job.session, reason.value)
        refusal = ChamberRefusal(self.keys_digest, job.session, job.exercise, number, reason, blamed)
        return refusal.sealed(self._receipt)

    def _run(self, folder: Path, weights: Upload, tests: Upload, at: tuple[int, int, int]) -> Receipt:
        job, chamber, (number, begun, place) = self._job, self._chamber, at
        with _blaming(Role.PROVER):
            model = self._model(folder, weights)
            evaluation.load(chamber.sandbox, model, job.model_claim, self._limits())
        with _blaming(Role.VERIFIER):
            opened = packages.read_tests(self._open(Role.VERIFIER, tests), folder / "tests", job.test_set)
        populations = frames(job.terms, job.test_set)
        units = [(n, item) for n, one in enumerate(populations) for item, _ in one.units()]
        answers = self._answers(model, opened, [item for _, item in units])
        codes = self._grades(opened, units, answers)
        root, handed = result_root(opened.result_seed, job.exercise, codes), hands_over(job.terms, place)
        if handed:
            self.results = self._sealed_results(opened.result_seed, root, b"".join(codes))
        return Receipt(
            keys=self.keys_digest,
            session=job.session,
            exercise=job.exercise,
            model_claim=job.model_claim.digest,
            test_set=job.test_set.root,
            runtime=job.runtime.digest(),
            execution_class=job.runtime.execution_class,
            run=number,
            begun=begun,
            round_to=self._rules.round_to,
            counts=self._counts(populations, units, codes),
            handed_over=sum(map(len, codes)) if handed else 0,
            result_root=root,
        )

    def _sealed_results(self, seed: Bytes32, root: Digest, codes: bytes) -> bytes:
        """Every result under the seed that the verifier had sealed into its content; the host has no key."""
        what = Sealed(Role.CHAMBER, self._job.session, root, len(codes))
        return b"".join(seal(what, seed, io.BytesIO(codes).read))

    def _model(self, folder: Path, upload: Upload) -> Weights:
        place, program = folder / "model", folder / "program"
        for made in (place, program):
            made.mkdir(mode=0o700)
        secret = packages.read_weights(self._open(Role.PROVER, upload), place, program)
        packages.check_program(program, self._job.runtime)
        return Weights(place, secret, self._job.runtime, program)

    def _limits(self) -> Limits:
        """What the next box may use: no longer than the release allows."""
        left, limits = self._deadline - time.monotonic(), self._chamber.limits
        return replace(limits, seconds=max(0, int(min(limits.seconds, left))))

    def _open(self, role: Role, upload: Upload) -> Iterator[bytes]:
        wrapped, grant = self._released[role]
        return unseal(self.sealed(role, upload.size), unwrap(wrapped, self._hpke, grant), upload.read)

    def _answers(
        self, model: Weights, opened: packages.OpenedTests, items: Sequence[int]
    ) -> list[bytes | None]:
        cap, limits = self._job.terms.caps.output, self._limits()
        # Outputs are held in this process's memory: no more than its operator lets a box have, whatever the terms say.
        limits = replace(limits, output=min(evaluation.output_bytes(len(items), cap), limits.memory))
        prompts = (prompt for prompt, _ in opened.items(items))
        return evaluation.answer(self._chamber.sandbox, model, prompts, cap, limits)

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

        limits = replace(self._limits(), output=len(units) * (8 + len(claims)))
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
            stated = successes - successes % self._rules.round_to
            found.append(Count(claim.claim_id, populations[frame].size, stated))
        return tuple(found)


def _rules(job: Job) -> SealedTerms:
    """The rules of a job that can be run here. Raises `PeerError` (BAD_RUNTIME), `LocalError` (CONFIG)."""
    rules, program = job.terms.sealed, isinstance(job.runtime, ProgramRuntime)
    if rules is None or job.runtime.digest() != job.terms.runtime or rules.program is not program:
        raise PeerError(Reason.BAD_RUNTIME, "the terms name another runtime")
    if program and not plaintext.executes():
        raise LocalError(
            Reason.CONFIG, "no program starts from /dev/shm", hint="mount -o remount,exec /dev/shm"
        )
    return rules


def _digest(sealed: bytes) -> Digest:
    return parse(from_json(sealed).payload).digest()


@contextmanager
def _blaming(role: Role) -> Iterator[None]:
    """Whatever is wrong with a party's own sealed content is that party's."""
    try:
        yield
    except PeerError as error:
        raise error.blame(role) from None
