"""Re-execution: a swap that nobody notices at `declared` is caught, and no binding is taken on trust."""

import io
from dataclasses import replace

import pytest
from chamber_kit import LIMITS, NEUTRAL, OPERATOR, RUNTIME, ChamberExercise, boxed, write_model
from kit import pipe, seed
from parley_attestation.binding import read_binding
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.endpoint import Draft
from parley_attestation.edge.records import write_record
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.judge import judge
from parley_attestation.session import messages as m
from parley_attestation.session.tables import State
from parley_attestation.terms import Operator, read_terms
from parley_chamber.reexecute import Chamber
from parley_chamber.sandbox import Limits, Sandbox

pytestmark = boxed


def verdict_of(exercise):
    v, p = exercise.run()
    assert v.machine.state is p.machine.state is State.FINISHED
    assert v.machine.facts.verdict.digest() == p.machine.facts.verdict.digest()
    return v, v.machine.facts.verdict.predicate


def test_outputs_of_the_registered_weights_reproduce_and_identity_is_compliant(tmp_path):
    exercise = ChamberExercise(tmp_path)
    v, said = verdict_of(exercise)
    assert said["assurance"] == "re-executed"
    assert said["identity"] == "COMPLIANT"
    assert said["overall"] == "COMPLIANT"
    assert said["binding"]["execution_class"] == "E1"
    assert said["binding"]["sandbox"] == "bubblewrap"
    assert said["binding"]["not_reproduced"] == 0
    assert said["binding"]["operator"] == NEUTRAL.document()
    write_record(v.journal, v.row, tmp_path / "v.parley")
    found = judge(io.BytesIO((tmp_path / "v.parley").read_bytes()), list(exercise.pins.values()))
    assert found.fault is None
    assert found.verdict.payload() == v.machine.facts.verdict.payload()


def test_a_better_model_goes_unnoticed_at_declared_and_is_caught_when_re_executed(tmp_path):
    (tmp_path / "declared").mkdir()
    (tmp_path / "bound").mkdir()
    open_terms = {"binding": "none", "operators": (), "runtime": None}
    _, declared = verdict_of(ChamberExercise(tmp_path / "declared", answers=1.0, **open_terms))
    assert declared["claims"][0]["test"] == "COMPLIANT"
    assert declared["identity"] == "INCONCLUSIVE"
    v, said = verdict_of(ChamberExercise(tmp_path / "bound", answers=1.0))
    assert said["assurance"] == "re-executed"
    assert said["identity"] == "VIOLATION"
    assert said["overall"] == "VIOLATION"
    assert said["binding"]["not_reproduced"] > 0
    missed = said["binding"]["not_reproduced"]
    assert said["claims"][0]["failures"] == missed, "the better model is always right, so only these fail"
    assert [unit.reproduced for unit in v.machine.facts.audit.units].count(False) == missed


def test_a_test_that_no_longer_crosses_is_inconclusive_and_stops_where_the_first_one_did(tmp_path):
    v, said = verdict_of(ChamberExercise(tmp_path, answers=1.0))
    audit = v.machine.facts.audit
    first, second = audit.tests()[0][0], audit.tests(reproduced=True)[0][0]
    assert second.n <= first.n
    assert said["claims"][0]["verdict"] == "INCONCLUSIVE"
    assert said["claims"][0]["because"]


def test_a_chamber_that_the_prover_runs_adds_nothing_to_its_word(tmp_path):
    own = Operator(NEUTRAL.key, "prover", ("tests", "weights"))
    _, said = verdict_of(ChamberExercise(tmp_path, operators=(own,)))
    assert said["assurance"] == "declared"
    assert said["identity"] == "INCONCLUSIVE"
    assert said["overall"] == "INCONCLUSIVE"


def test_the_prover_declines_a_chamber_of_the_verifier_that_reads_weights(tmp_path):
    theirs = Operator(NEUTRAL.key, "verifier", ("weights",))
    v, _ = ChamberExercise(tmp_path, operators=(theirs,)).run()
    assert v.machine.state is State.DECLINED
    assert v.machine.facts.ending.reason == "BAD_CUSTODY"


def opened(tmp_path, **changes):
    """A session that waits for its binding, at the verifier's end."""
    exercise = ChamberExercise(tmp_path, **changes)
    v, p = exercise.verifier_end(chamber=None), exercise.prover_end()
    with pytest.raises(LocalError) as caught:
        pipe(v, p)
    assert caught.value.reason is Reason.CONFIG
    assert v.machine.state is State.OPENED
    return exercise, v, p


def test_a_verifier_without_a_chamber_stops_there_and_resumes_with_one(tmp_path):
    exercise, v, p = opened(tmp_path)
    v.journal.connection.close()
    v = exercise.verifier_end()
    pipe(v, p)
    assert v.machine.facts.verdict.predicate["identity"] == "COMPLIANT"


def turned_down(v):
    """Why the machine refuses the verifier's own next message."""
    with pytest.raises(LocalError) as caught:
        list(v.pump())
    assert v.machine.state is State.OPENED, "the machine is as it was"
    return caught.value.__cause__


def alter(tmp_path, change, key=OPERATOR):
    """Give the session a binding that was changed after the chamber made it; the refusal."""
    exercise, v, _ = opened(tmp_path)
    good = read_binding(exercise.ask(v.machine), exercise.terms).binding
    v.policy._chamber = lambda _: change(good).sealed(key)
    return turned_down(v)


OTHER = Digest(seed("other"))


@pytest.mark.parametrize("name", ["session", "exercise", "terms", "model_claim", "runtime", "units"])
def test_a_binding_about_something_else_is_refused(tmp_path, name):
    assert alter(tmp_path, lambda b: replace(b, **{name: OTHER})).reason is Reason.BAD_BINDING


@pytest.mark.parametrize(
    "edit",
    [lambda text: text[1:], lambda text: text + "1", lambda text: "-" + text[1:]],
    ids=["fewer", "more", "hidden"],
)
def test_a_binding_with_another_number_of_results_is_refused(tmp_path, edit):
    error = alter(tmp_path, lambda b: replace(b, reproduced=edit(b.reproduced)))
    assert error.reason is Reason.BAD_BINDING


def test_a_binding_signed_by_somebody_else_is_refused(tmp_path):
    assert alter(tmp_path, lambda b: b, SigningKey(seed("nobody"))).reason is Reason.BAD_BINDING


def test_nobody_acknowledges_before_the_binding_that_the_terms_demand(tmp_path):
    _, v, _ = opened(tmp_path)
    body = m.Acknowledge(v.machine.facts.verdict.digest(), OTHER, OTHER)
    v.policy.propose = lambda *_: Draft(body)
    assert turned_down(v).reason is Reason.BAD_BINDING


def test_a_binding_that_the_terms_do_not_ask_for_is_refused(tmp_path):
    exercise = ChamberExercise(tmp_path, binding="none", operators=(), runtime=None)
    v, p = exercise.verifier_end(), exercise.prover_end()
    propose = v.policy.propose
    v.policy.propose = lambda machine, secret: (
        Draft(m.Binding(b"{}")) if machine.facts.verdict else propose(machine, secret)
    )
    with pytest.raises(LocalError) as caught:
        pipe(v, p)
    assert caught.value.__cause__.reason is Reason.BAD_BINDING


def chamber(key=OPERATOR, limits=LIMITS):
    return Chamber(key, Sandbox.find(), limits)


def test_a_chamber_refuses_weights_that_are_not_the_claimed_ones(tmp_path):
    exercise, v, _ = opened(tmp_path)
    swapped = write_model(tmp_path / "swapped", 1.0)
    with pytest.raises(PeerError) as caught:
        exercise.ask(v.machine, location=swapped)
    assert caught.value.reason is Reason.BAD_MODEL_CLAIM
    other = replace(exercise.secret, key=type(exercise.secret.key)(seed("another key")))
    with pytest.raises(PeerError) as caught:
        exercise.ask(v.machine, secret=other)
    assert caught.value.reason is Reason.BAD_OPENING


def test_a_chamber_refuses_another_runtime_operator_or_state(tmp_path):
    exercise, v, _ = opened(tmp_path)
    with pytest.raises(PeerError):
        exercise.ask(v.machine, runtime=replace(RUNTIME, decimals=3))
    with pytest.raises(PeerError):
        exercise.ask(v.machine, chamber(SigningKey(seed("another operator"))))
    v.policy._chamber = exercise.ask
    assert list(v.pump())
    assert v.machine.state is State.CONFIRMED
    with pytest.raises(PeerError):
        exercise.ask(v.machine)


def test_a_chamber_passes_on_no_word_of_a_box_that_fails(tmp_path):
    exercise, v, _ = opened(tmp_path)
    with pytest.raises(LocalError) as caught:
        exercise.ask(v.machine, chamber(limits=Limits(memory=1 << 26, seconds=20)))
    assert caught.value.reason is Reason.BOX_FAILED


@pytest.mark.parametrize(
    "change",
    [
        {"operators": ()},
        {"runtime": None},
        {"binding": "none"},
        {"operators": (NEUTRAL, replace(NEUTRAL, reads=()))},
    ],
    ids=["no operator", "no runtime", "no chamber", "one key twice"],
)
def test_terms_of_a_chamber_name_its_operators_once_each_and_the_runtime(tmp_path, change):
    with pytest.raises(PeerError) as caught:
        read_terms(ChamberExercise(tmp_path, **change).terms.statement())
    assert caught.value.reason is Reason.BAD_TERMS
