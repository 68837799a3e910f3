"""Whole exercises in memory: what an honest course gives."""

import io
import json

from kit import Exercise, wrong_every
from parley_attestation.edge.records import write_record
from parley_attestation.errors import Role
from parley_attestation.judge import judge
from parley_attestation.session.tables import State


def test_an_honest_exercise_ends_compliant_and_both_parties_hold_one_verdict(tmp_path):
    exercise = Exercise(tmp_path)
    v, p = exercise.run()
    assert v.machine.state is State.FINISHED
    assert p.machine.state is State.FINISHED
    verdict = v.machine.facts.verdict
    assert verdict.digest() == p.machine.facts.verdict.digest()
    assert verdict.predicate["claims"][0]["verdict"] == "COMPLIANT"
    assert verdict.predicate["identity"] == "INCONCLUSIVE"


def test_a_worse_model_ends_in_violation(tmp_path):
    exercise = Exercise(tmp_path, answer=wrong_every(2))
    v, _ = exercise.run()
    assert v.machine.facts.verdict.predicate["overall"] == "VIOLATION"


def test_the_judge_derives_the_same_verdict_from_the_record_alone(tmp_path):
    exercise = Exercise(tmp_path)
    v, p = exercise.run()
    for end, name in ((v, "v.parley"), (p, "p.parley")):
        write_record(end.journal, end.row, tmp_path / name)
    raw = (tmp_path / "v.parley").read_bytes()
    assert raw == (tmp_path / "p.parley").read_bytes()
    found = judge(io.BytesIO(raw), pins=list(exercise.pins.values()))
    assert found.fault is None
    assert found.pinned
    assert found.verdict.payload() == v.machine.facts.verdict.payload()
    assert json.loads(found.verdict.payload())["predicate"]["attempt"] == 1
    assert set(found.acknowledged) == {Role.VERIFIER, Role.PROVER}
