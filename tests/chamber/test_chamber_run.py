"""Sealed runs: the prover sees no test, the verifier no weight, and what is not as committed is refused."""

import base64
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from chamber_kit import LIMITS, OPERATOR, RUNTIME, ChamberExercise, boxed, program_runtime, write_model
from kit import Plan, seed
from parley_attestation.commitment import SeedTree
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge import packages as written
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.grading import Outcome
from parley_attestation.model.claim import read_claim
from parley_attestation.receipt import (
    SimulatedReceipt,
    StatedKeys,
    read_keys,
    read_receipt,
    read_refusal,
    read_simulated,
)
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.sealing import Grant, Sealed, seal, wrap
from parley_attestation.session.results import result_root
from parley_attestation.terms import Caps, exercise_id
from parley_chamber import evaluation, plaintext
from parley_chamber.ledger import RunLedger
from parley_chamber.reexecute import Chamber
from parley_chamber.run import Job, SealedRun, Upload
from parley_chamber.sandbox import Limits, Sandbox

pytestmark = boxed
NOW = 1_700_000_000
POLICY = Digest(seed("policy"))
RESULTS = Bytes32(seed("result seed"))


@dataclass
class Sealing:
    """Both parties and a chamber in one process, through the same bytes that a wire would carry."""

    folder: Path
    changes: dict = field(default_factory=dict)
    session: Digest = field(default_factory=lambda: Digest(seed("session")))
    limits: Limits = LIMITS
    simulated: bool = False
    entropy: bytes = b"entropy"
    code: str = ""  # of a program that the prover supplies

    def __post_init__(self):
        runtime, changes = RUNTIME, dict(self.changes)
        if self.code:
            runtime = program_runtime(self.folder / "program", self.code)
            rules = changes.get("sealed", SealedTerms())
            changes |= {"runtime": runtime.digest(), "sealed": replace(rules, program=True)}
        self.exercise = ChamberExercise(self.folder, mode="sealed", **changes)
        self.job = Job(
            self.session,
            exercise_id(self.exercise.terms.statement()),
            self.exercise.terms,
            read_claim(self.exercise.claim),
            self.exercise.tests.public,
            runtime,
            self.simulated,
        )
        self.ledger = RunLedger(self.folder / "runs")
        self.again()

    def again(self):
        """The next run, with keys of its own."""
        chamber = Chamber(OPERATOR, Sandbox.find(), self.limits)
        self.run = SealedRun(chamber, self.job, self.ledger, Bytes32(seed(self.entropy)))
        terms = self.exercise.terms
        self.stated = read_keys(self.run.keys, terms, self.session, terms.statement().digest())

    def next_session(self, number):
        """The same job in another session."""
        self.session = Digest(seed("session", number))
        self.job = replace(self.job, session=self.session)
        self.again()

    def weights(self, folder=None) -> bytes:
        files = [("model.onnx", (folder or self.exercise.weights_folder) / "model.onnx")]
        program = [("serve.py", self.folder / "program" / "serve.py")] if self.code else []
        return b"".join(written.write_weights(self.exercise.secret, files, program))

    def tests(self, items=None) -> bytes:
        master = Bytes32(seed(b"set", "master"))
        return b"".join(written.write_tests(master, RESULTS, items or self.exercise.items))

    def send(self, role, content, *, session=None, release=True) -> Upload:
        """Seal a party's content, release its key, and give what the chamber reads."""
        what = replace(self.run.sealed(role, len(content)), session=session or self.session)
        key = Bytes32(seed("data key", role))
        raw = b"".join(seal(what, key, io.BytesIO(content).read))
        if release:
            grant = Grant(
                Sealed(role, self.session, what.commitment, len(content)),
                self.stated.statement.digest(),
                POLICY,
            )
            self.run.release(role, wrap(key, self.stated.keys.hpke, grant), len(content), POLICY)
        return Upload(len(content), io.BytesIO(raw).read)

    def go(self, *, weights=None, tests=None) -> bytes:
        sent = self.send(Role.PROVER, weights or self.weights())
        return self.run.run(sent, self.send(Role.VERIFIER, tests or self.tests()), NOW)


def ends(sealing, reason, blamed, **more):
    """A run that leaves a signed refusal, and a line in the ledger."""
    refusal = read_refusal(sealing.go(**more), sealing.stated)
    assert (refusal.reason, refusal.blamed) == (reason, blamed)
    assert sealing.ledger.outcomes()[-1] == reason
    return refusal


def refused(call, reason, blamed):
    with pytest.raises(PeerError) as caught:
        call()
    assert caught.value.reason is reason
    assert caught.value.blamed is blamed


def test_a_sealed_run_gives_the_count_of_the_whole_set_and_nothing_else(tmp_path):
    sealing = Sealing(tmp_path)
    receipt = read_receipt(sealing.go(), sealing.stated)
    exercise = sealing.exercise
    right = sum(exercise.model.answer([(p, 100)])[0] == r for p, r in exercise.items)
    assert [(c.claim_id, c.population, c.successes) for c in receipt.counts] == [("accuracy", 60, right)]
    assert 0 < right < 60
    assert receipt.bits == 6
    assert receipt.run == 1
    assert receipt.model_claim == sealing.job.model_claim.digest
    assert sealing.ledger.outcomes() == ["done"]


def test_open_mode_over_the_whole_set_counts_the_same(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "sealed").mkdir()
    v, _ = ChamberExercise(tmp_path / "open", plan=Plan(1, 60, (("", 60),))).run()
    graded = [unit.outcomes for unit in v.machine.facts.audit.units]
    assert len(graded) == 60
    sealing = Sealing(tmp_path / "sealed")
    (count,) = read_receipt(sealing.go(), sealing.stated).counts
    assert count.successes == graded.count((Outcome.PASS,))


def test_the_committed_result_bits_open_under_the_verifier_s_seed_alone(tmp_path):
    sealing = Sealing(tmp_path)
    receipt = read_receipt(sealing.go(), sealing.stated)
    exercise = sealing.exercise
    codes = [bytes([exercise.model.answer([(p, 100)])[0] == r]) for p, r in exercise.items]
    assert result_root(RESULTS, sealing.job.exercise, codes) == receipt.result_root
    assert result_root(Bytes32(seed("guess")), sealing.job.exercise, codes) != receipt.result_root
    assert SeedTree(RESULTS, 60).height == 6


def test_other_weights_than_the_claimed_ones_are_refused_and_blame_the_prover(tmp_path):
    sealing = Sealing(tmp_path)
    better = sealing.weights(write_model(tmp_path / "better", 1.0))
    ends(sealing, Reason.BAD_MODEL_CLAIM, Role.PROVER, weights=better)


def test_other_tests_than_the_registered_ones_are_refused_and_blame_the_verifier(tmp_path):
    sealing = Sealing(tmp_path)
    items = [(p, b"0") for p, _ in sealing.exercise.items]
    ends(sealing, Reason.BAD_OPENING, Role.VERIFIER, tests=sealing.tests(items))


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"\0", lambda c: c[:40]])
def test_content_of_another_shape_is_refused_and_blames_its_sender(tmp_path, change):
    sealing = Sealing(tmp_path)
    ends(sealing, Reason.BAD_SEAL, Role.VERIFIER, tests=change(sealing.tests()))


def test_a_path_that_leaves_the_folder_is_refused(tmp_path):
    sealing = Sealing(tmp_path)
    files = [("../../escaped", sealing.exercise.weights_folder / "model.onnx")]
    hostile = b"".join(written.write_weights(sealing.exercise.secret, files))
    ends(sealing, Reason.BAD_MODEL_CLAIM, Role.PROVER, weights=hostile)
    assert not Path("/dev/shm/escaped").exists()


def test_content_sealed_for_another_session_is_refused(tmp_path):
    sealing = Sealing(tmp_path)
    tests = sealing.send(Role.VERIFIER, sealing.tests())
    weights = sealing.send(Role.PROVER, sealing.weights(), session=Digest(seed("another")))
    refusal = read_refusal(sealing.run.run(weights, tests, NOW), sealing.stated)
    assert (refusal.reason, refusal.blamed) == (Reason.BAD_SEAL, Role.PROVER)


@pytest.mark.parametrize("missing", [Role.PROVER, Role.VERIFIER])
def test_nothing_runs_before_both_have_released_their_keys(tmp_path, missing):
    sealing = Sealing(tmp_path)
    weights = sealing.send(Role.PROVER, sealing.weights(), release=missing is not Role.PROVER)
    tests = sealing.send(Role.VERIFIER, sealing.tests(), release=missing is not Role.VERIFIER)
    refused(lambda: sealing.run.run(weights, tests, NOW), Reason.OUT_OF_ORDER, None)
    assert sealing.ledger.outcomes() == []


@pytest.mark.parametrize("role", [Role.PROVER, Role.VERIFIER])
def test_a_key_released_to_other_chamber_keys_or_another_policy_opens_nothing_and_blames_its_sender(
    tmp_path, role
):
    sealing = Sealing(tmp_path, {"sealed": SealedTerms(runs=2)})
    content = {Role.PROVER: sealing.weights(), Role.VERIFIER: sealing.tests()}
    for n, (keys, policy) in enumerate(((Digest(seed("x")), POLICY), (None, Digest(seed("y"))))):
        sealing.next_session(n)
        sent = {one: sealing.send(one, content[one], release=one is not role) for one in content}
        what = sealing.run.sealed(role, len(content[role]))
        grant = Grant(what, keys or sealing.stated.statement.digest(), policy)
        wrapped = wrap(Bytes32(seed("data key", role)), sealing.stated.keys.hpke, grant)
        sealing.run.release(role, wrapped, what.size, POLICY)
        outcome = sealing.run.run(sent[Role.PROVER], sent[Role.VERIFIER], NOW)
        refusal = read_refusal(outcome, sealing.stated)
        assert (refusal.reason, refusal.blamed) == (Reason.BAD_SEAL, role)


def test_a_second_key_of_one_party_is_refused(tmp_path):
    sealing = Sealing(tmp_path)
    sealing.send(Role.PROVER, sealing.weights())
    refused(lambda: sealing.send(Role.PROVER, sealing.weights()), Reason.BAD_SEAL, None)


def test_runs_are_counted_and_failed_and_refused_ones_count_too(tmp_path):
    sealing = Sealing(tmp_path, {"sealed": SealedTerms(runs=2)})
    assert ends(sealing, Reason.BAD_SEAL, Role.VERIFIER, tests=b"no tests at all").run == 1
    sealing.next_session(1)
    assert read_receipt(sealing.go(), sealing.stated).run == 2
    sealing.next_session(2)
    assert ends(sealing, Reason.QUOTA_EXHAUSTED, None).run == 3
    sealing.next_session(3)
    assert ends(sealing, Reason.QUOTA_EXHAUSTED, None).run == 4
    assert sealing.ledger.outcomes() == ["BAD_SEAL", "done", "QUOTA_EXHAUSTED", "QUOTA_EXHAUSTED"]


def test_one_session_has_one_run(tmp_path):
    sealing = Sealing(tmp_path, {"sealed": SealedTerms(runs=9)})
    sealing.go()
    sealing.again()
    refused(sealing.go, Reason.QUOTA_EXHAUSTED, None)


def test_a_simulated_outcome_is_another_type_that_no_check_takes_for_a_receipt(tmp_path):
    sealing = Sealing(tmp_path, simulated=True)
    sealed = sealing.go()
    assert isinstance(read_simulated(sealed, sealing.stated), SimulatedReceipt)
    honest = StatedKeys(replace(sealing.stated.keys, simulated=False), *_rest(sealing.stated))
    for stated in (sealing.stated, honest):
        with pytest.raises(PeerError) as caught:
            read_receipt(sealed, stated)
        assert caught.value.reason is Reason.BAD_RECEIPT


def _rest(stated):
    return stated.operator, stated.statement, stated.sealed


def test_a_receipt_of_another_run_or_key_is_refused(tmp_path):
    sealing = Sealing(tmp_path)
    sealed, stated = sealing.go(), sealing.stated
    receipt = read_receipt(sealed, stated)
    sealing.entropy = b"another run"
    sealing.again()
    with pytest.raises(PeerError):
        read_receipt(sealed, sealing.stated)
    forged = receipt.sealed(SigningKey(seed("somebody")))
    with pytest.raises(PeerError) as caught:
        read_receipt(forged, stated)
    assert caught.value.reason is Reason.BAD_SIGNATURE


def test_keys_of_another_session_or_operator_are_refused(tmp_path):
    sealing = Sealing(tmp_path)
    terms = sealing.exercise.terms
    digest = terms.statement().digest()
    with pytest.raises(PeerError):
        read_keys(sealing.run.keys, terms, Digest(seed("another")), digest)
    other = SigningKey(seed("other operator"))
    forged = sealing.stated.keys.sealed(other, SigningKey(seed("r")))
    with pytest.raises(PeerError) as caught:
        read_keys(forged, terms, sealing.session, digest)
    assert caught.value.reason is Reason.BAD_EVIDENCE
    unproven = sealing.stated.keys.sealed(OPERATOR, SigningKey(seed("not the stated receipt key")))
    with pytest.raises(PeerError) as caught:
        read_keys(unproven, terms, sealing.session, digest)
    assert caught.value.reason is Reason.BAD_SIGNATURE


def test_a_failing_box_leaves_a_code_and_nothing_else(tmp_path):
    sealing = Sealing(tmp_path, limits=Limits(memory=1 << 26, seconds=20))
    ends(sealing, Reason.BOX_FAILED, None)
    assert list(Path("/dev/shm").glob(f"parley-chamber-{os.getpid()}-*")) == []


@pytest.mark.parametrize(("cap", "expected"), [(1 << 12, 60 * (9 + (1 << 12))), (1 << 29, LIMITS.memory)])
def test_terms_do_not_make_a_chamber_hold_more_output_than_its_operator_gives_a_box(
    tmp_path, monkeypatch, cap, expected
):
    seen = []

    def answers(_sandbox, _model, _prompts, _cap, limits):
        seen.append(limits.output)
        raise LocalError(Reason.BOX_OUTPUT, "enough")

    monkeypatch.setattr(evaluation, "answer", answers)
    caps = Caps(1 << 16, 1 << 12, cap, 1 << 29 | 1 << 20)
    ends(Sealing(tmp_path, {"caps": caps}), Reason.BOX_OUTPUT, None)
    assert seen == [expected]


def windows(content: bytes, size: int = 16) -> set[bytes]:
    return {content[n : n + size] for n in range(len(content) - size + 1)}


def test_no_window_of_any_prompt_reference_or_weight_is_in_what_left_the_chamber(tmp_path, capfd, caplog):
    items = [
        (f"[{n}.{n:014d}1, {n * 7 % 61}.25, 30.125]".encode(), b"a reference, number %d" % n)
        for n in range(60)
    ]
    sealing = Sealing(tmp_path, {"items": items})
    receipt = sealing.go()
    left = receipt + sealing.run.keys + (tmp_path / "runs").read_bytes()
    said = capfd.readouterr()
    left += (said.out + said.err + caplog.text).encode()
    left += b"".join(base64.b64decode(json.loads(one)["payload"]) for one in (receipt, sealing.run.keys))
    secrets = windows(sealing.weights()).union(*(windows(p) | windows(r) for p, r in items))
    assert not secrets & windows(left)
    assert list(Path("/dev/shm").glob(f"parley-chamber-{os.getpid()}-*")) == []


KILLED = """
import sys, time
from parley_chamber.plaintext import plaintext
with plaintext() as folder:
    (folder / "tests").write_bytes(b"hidden")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_what_a_killed_chamber_left_was_on_a_tmpfs_and_the_next_one_sweeps_it():
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True) as child:
        folder = Path(child.stdout.readline().strip())
        assert (folder / "tests").exists()
        with plaintext.plaintext():
            assert folder.exists(), "a chamber that still runs is left alone"
        child.send_signal(signal.SIGKILL)
    assert folder.stat().st_dev == Path("/dev/shm").stat().st_dev
    with plaintext.plaintext():
        assert not folder.exists()
