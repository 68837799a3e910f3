"""Whole sealed sessions in memory: two parties, a chamber, one chain, and the judge over it."""

import io
from dataclasses import replace

import evidence_cases as cases
import pytest
from chamber_kit import LIMITS, NEUTRAL, OPERATOR, RUNTIME, ChamberExercise, boxed, write_model
from kit import seed
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge import packages
from parley_attestation.edge.endpoint import Draft
from parley_attestation.edge.records import write_record
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.evidence.collect import SimulatedCollector
from parley_attestation.evidence.simulated import SimulatedEnclave
from parley_attestation.judge import judge
from parley_attestation.receipt import read_receipt
from parley_attestation.session import messages as m
from parley_attestation.session.tables import State
from parley_attestation.terms import Operator
from parley_chamber.ledger import RunLedger
from parley_chamber.reexecute import Chamber
from parley_chamber.sandbox import Sandbox
from parley_chamber.sessions import ChamberSession, results_of
from parley_chamber.swap import stated as swap
from parley_verifier.sealed import SealedVerifierPolicy
from sealed_kit import CLAIMS, NOW, SealedEnds

pytestmark = boxed


class Link:
    """A chamber in this process, which replays the session it is shown."""

    def __init__(self, folder, key=OPERATOR, collectors=(), runtime=RUNTIME):
        self.folder, self.key, self.session, self.collectors = folder, key, None, collectors
        self.runtime = runtime
        folder.mkdir(exist_ok=True, parents=True)

    def open(self, machine):
        if self.session is not None:
            return self.session.keys, self.session.evidence
        self.session = ChamberSession(
            Chamber(self.key, Sandbox.find(), LIMITS),
            machine,
            self.runtime,
            ledger=RunLedger(self.folder / "runs"),
            folder=self.folder,
            entropy=Bytes32(seed("chamber entropy", bytes(self.key.public))),
            collectors=self.collectors,
            now=NOW,
        )
        return self.session.keys, self.session.evidence

    def upload(self, _machine, role, parts):
        for part in parts:
            self.session.append(role, self.session.received(role), part)

    def receipt(self, machine):
        return self.session.receipt(machine, NOW)

    def results(self, machine):
        return results_of(self.folder, machine)


class SealedExercise(SealedEnds, ChamberExercise):
    def __init__(self, folder, *, weights=None, tests=None, links=(), accept=False, program=(), **changes):
        super().__init__(folder, **({"mode": "sealed", "claims": CLAIMS} | changes))
        self.links = links or (Link(folder),)
        self.link = self.links[0]
        self.accept = accept
        files = [(path.name, path) for path in sorted((weights or self.weights_folder).iterdir())]
        self.plain = {
            Role.PROVER: b"".join(packages.write_weights(self.secret, files, program)),
            Role.VERIFIER: b"".join(
                packages.write_tests(
                    Bytes32(seed(b"set", "master")), Bytes32(seed("results")), tests or self.items
                )
            ),
        }

    def custody(self, role):
        """A machine that tests run on may have swap space."""
        found = super().custody(role)
        return replace(found, rules=replace(found.rules, swap=True))


def test_an_honest_sealed_session_ends_with_one_verdict_over_the_whole_set(tmp_path):
    exercise = SealedExercise(tmp_path)
    v, p = exercise.run()
    assert v.machine.state is p.machine.state is State.FINISHED
    said = v.machine.facts.verdict.predicate
    assert v.machine.facts.verdict.digest() == p.machine.facts.verdict.digest()
    assert said["assurance"] == "neutral-operator"
    assert (said["identity"], said["overall"]) == ("COMPLIANT", "COMPLIANT")
    assert said["claims"][0]["counted"] == 60
    (chamber,) = said["chambers"]
    assert chamber["operator"] == NEUTRAL.document()
    assert (chamber["bits"], chamber["swap"], chamber["begun"]) == (6, swap(), NOW)
    assert any("operator" in one for one in said["not_concluded"])
    assert exercise.engine.calls == 0, "the prover answered nothing"


def test_the_judge_follows_a_sealed_record_and_no_prompt_or_weight_stands_in_it(tmp_path):
    exercise = SealedExercise(tmp_path)
    v, p = exercise.run()
    for end, name in ((v, "v"), (p, "p")):
        write_record(end.journal, end.row, tmp_path / f"{name}.parley")
    raw = (tmp_path / "v.parley").read_bytes()
    assert raw == (tmp_path / "p.parley").read_bytes()
    found = judge(io.BytesIO(raw), list(exercise.pins.values()))
    assert found.fault is None
    assert found.verdict.payload() == v.machine.facts.verdict.payload()
    weights = (exercise.weights_folder / "model.onnx").read_bytes()
    assert not any(weights[n : n + 16] in raw for n in range(len(weights) - 16))
    assert not any(prompt in raw for prompt, _ in exercise.items)


def test_a_claim_that_the_exact_count_misses_is_a_violation(tmp_path):
    v, _ = SealedExercise(tmp_path, registered=0.1).run()
    assert v.machine.facts.verdict.predicate["overall"] == "VIOLATION"


def test_a_chamber_of_the_other_party_is_refused_and_the_refusal_is_on_the_record(tmp_path):
    theirs = Operator(NEUTRAL.key, "prover", ("tests", "weights"))
    v, p = SealedExercise(tmp_path, operators=(theirs,)).run()
    assert v.machine.state is p.machine.state is State.REFUSED
    assert v.machine.facts.ending.reason == "BAD_CUSTODY"
    assert v.machine.as_earlier().over


def test_a_chamber_that_the_prover_runs_gives_no_assurance_even_where_it_is_accepted(tmp_path):
    theirs = Operator(NEUTRAL.key, "prover", ("tests", "weights"))
    v, _ = SealedExercise(tmp_path, operators=(theirs,), accept=True).run()
    said = v.machine.facts.verdict.predicate
    assert (said["assurance"], said["identity"], said["overall"]) == (
        "declared",
        "INCONCLUSIVE",
        "INCONCLUSIVE",
    )


@pytest.mark.parametrize("who", ["weights", "tests"])
def test_swapped_content_ends_in_a_signed_refusal_on_the_record_that_names_the_party(tmp_path, who):
    swapped = {
        "weights": lambda: write_model(tmp_path / "better", 1.0),
        "tests": lambda: [(b"[1,2,3]", b"2")] * 60,
    }
    exercise = SealedExercise(tmp_path, **{who: swapped[who]()})
    v, p = exercise.run()
    assert v.machine.state is p.machine.state is State.FINISHED
    said = v.machine.facts.verdict.predicate
    reason = {"weights": "BAD_MODEL_CLAIM", "tests": "BAD_OPENING"}[who]
    (chamber,) = said["chambers"]
    assert (chamber["refused"], chamber["run"]) == (reason, 1)
    assert chamber["blamed"] == {"weights": "prover", "tests": "verifier"}[who]
    assert (said["overall"], said["identity"]) == ("INCONCLUSIVE", "INCONCLUSIVE")
    assert said["claims"][0]["because"] == [f"a chamber refused: {reason}"]
    assert (said["claims"][0]["count_low"], said["claims"][0]["count_high"]) == (0, 60)
    assert RunLedger(tmp_path / "runs").outcomes() == [reason]
    assert v.machine.as_earlier().over, "nobody retries until it passes"


def test_an_operator_that_the_terms_do_not_name_is_refused(tmp_path):
    link = Link(tmp_path, SigningKey(seed("stranger")))
    v, _ = SealedExercise(tmp_path, links=(link,)).run()
    assert v.machine.state is State.ABORTED
    assert v.machine.facts.ending.reason == Reason.BAD_EVIDENCE


@pytest.mark.parametrize("name", ["exercise", "model_claim", "test_set", "runtime", "session", "keys"])
def test_a_receipt_about_something_else_is_refused(tmp_path, name):
    exercise = SealedExercise(tmp_path)
    honest = exercise.link.receipt

    def forged(machine):
        facts = machine.facts
        good = read_receipt(honest(machine), facts.chambers[0])
        return replace(good, **{name: Digest(seed("other"))}).sealed(exercise.link.session._run._receipt)

    exercise.link.receipt = forged
    v, _ = exercise.run()
    assert v.machine.state is State.ABORTED
    assert v.machine.facts.ending.reason == Reason.BAD_RECEIPT


def test_a_receipt_over_a_part_of_the_set_is_refused(tmp_path):
    exercise = SealedExercise(tmp_path)
    honest = exercise.link.receipt

    def forged(machine):
        good = read_receipt(honest(machine), machine.facts.chambers[0])
        counts = (replace(good.counts[0], population=59, successes=50),)
        return replace(good, counts=counts).sealed(exercise.link.session._run._receipt)

    exercise.link.receipt = forged
    v, _ = exercise.run()
    assert v.machine.state is State.ABORTED
    assert v.machine.facts.ending.reason == Reason.BAD_RECEIPT


def test_a_release_to_other_keys_than_the_record_shows_is_refused(tmp_path):
    class Elsewhere(SealedVerifierPolicy):
        def propose(self, machine, secret):
            draft = super().propose(machine, secret)
            if isinstance(draft.body, m.Release):
                other = replace(draft.body.keys[0], keys_digest=Digest(seed("elsewhere")))
                return Draft(replace(draft.body, keys=(other,)))
            return draft

    with pytest.raises(LocalError) as caught:
        SealedExercise(tmp_path).run(verifier=Elsewhere)
    assert caught.value.__cause__.reason is Reason.BAD_SEAL


LAB_ROOT = SigningKey(seed("simulated root"))
LAB_VALUES = {"kind": "simulated", "name": "lab", "holds_key": True, "values": {"measurement": ["07" * 48]}}
LAB_RULES = cases.rules(kinds=["simulated"], products=["simulated"], references=[LAB_VALUES])
LAB_POLICY = cases.make_policy(cases.laboratory(LAB_RULES, LAB_ROOT.public.hex(), binder_required=True))


class Fixed(SimulatedCollector):
    """Simulated hardware that signs a binder of its own choice."""

    def collect(self, _binder):
        return super().collect(b"of another session".ljust(64))


def laboratory(tmp_path, root=LAB_ROOT, collector=SimulatedCollector):
    link = Link(tmp_path, collectors=(collector(SimulatedEnclave(root, "lab-1", b"\x07" * 48)),))
    return SealedExercise(tmp_path, links=(link,), evidence_policy=LAB_POLICY)


def test_a_simulated_enclave_gives_a_simulated_verdict_that_supports_no_claim(tmp_path):
    v, p = laboratory(tmp_path).run()
    assert v.machine.state is p.machine.state is State.FINISHED
    said = v.machine.facts.verdict.predicate
    assert (said["assurance"], said["identity"], said["overall"]) == (
        "simulated",
        "INCONCLUSIVE",
        "INCONCLUSIVE",
    )
    assert said["claims"][0]["test"] == "COMPLIANT"


def test_evidence_over_another_binder_gets_no_key(tmp_path):
    """Swapped or replayed evidence carries other keys than the chamber states."""
    v, _ = laboratory(tmp_path, collector=Fixed).run()
    assert v.machine.state is State.ABORTED
    assert v.machine.facts.ending.reason == Reason.BAD_EVIDENCE


def test_evidence_under_another_root_gets_no_key(tmp_path):
    v, _ = laboratory(tmp_path, root=SigningKey(seed("another root"))).run()
    assert v.machine.state is State.ABORTED
    assert v.machine.facts.ending.reason == Reason.BAD_EVIDENCE


def test_a_chamber_without_the_evidence_that_the_terms_demand_is_refused(tmp_path):
    v, _ = SealedExercise(tmp_path, evidence_policy=LAB_POLICY).run()
    assert v.machine.state is State.ABORTED
    assert v.machine.facts.ending.reason == Reason.BAD_EVIDENCE


def test_an_upload_goes_on_where_it_stopped_and_nowhere_else(tmp_path):
    exercise = SealedExercise(tmp_path)

    def broken(_machine, role, parts):
        raw = b"".join(parts)
        session = exercise.link.session
        session.append(role, 0, raw[:150])
        with pytest.raises(PeerError):
            session.append(role, 0, raw)
        session.append(role, session.received(role), raw[150:])

    exercise.link.upload = broken
    v, _ = exercise.run()
    assert v.machine.state is State.FINISHED


def test_one_part_beyond_what_the_header_announces_is_taken_as_proof_and_none_after_it(tmp_path):
    exercise = SealedExercise(tmp_path)
    honest = exercise.link.upload

    def more(machine, role, parts):
        honest(machine, role, parts)
        if role is Role.PROVER:
            return
        exercise.link.session.append(role, exercise.link.session.received(role), b"x")
        here = exercise.link.session.received(role)
        with pytest.raises(PeerError) as caught:
            exercise.link.session.append(role, here, b"x")
        assert caught.value.reason is Reason.BAD_SEAL
        assert exercise.link.session.received(role) == here

    exercise.link.upload = more
    v, _ = exercise.run()
    (chamber,) = v.machine.facts.verdict.predicate["chambers"]
    assert (chamber["refused"], chamber["blamed"]) == ("BAD_SEAL", "verifier")


def test_an_upload_that_announces_more_than_the_operator_takes_is_refused_before_a_byte_is_kept(tmp_path):
    exercise = SealedExercise(tmp_path)
    upload = exercise.link.upload

    def limited(machine, role, parts):
        exercise.link.session._most = 1000
        upload(machine, role, parts)

    exercise.link.upload = limited
    v, _ = exercise.run()
    assert v.machine.state is State.REFUSED
    assert v.machine.facts.ending.reason == Reason.TOO_LARGE
    assert "1000 bytes" in v.machine.facts.ending.detail
    assert exercise.link.session.received(Role.VERIFIER) == 0


def test_sealed_terms_without_a_chamber_are_refused(tmp_path):
    exercise = SealedExercise(tmp_path, binding="none", operators=(), runtime=None)
    with pytest.raises(LocalError) as caught:
        exercise.run()
    assert caught.value.__cause__.reason is Reason.BAD_TERMS
