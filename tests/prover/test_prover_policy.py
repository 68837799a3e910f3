"""What an honest prover does where it cannot go on: it says why, and nobody is blamed."""

import pytest
from kit import Exercise, pipe
from parley_attestation.edge.guardian import MIN_DEADLINE
from parley_attestation.errors import LocalError, Reason
from parley_attestation.session.tables import State
from parley_attestation.terms import Witnesses
from witnessed_kit import Bench


def failing(reason):
    def answer(_prompt, _seed):
        raise LocalError(reason, "the engine's own words")

    return answer


def test_a_prompt_that_the_model_does_not_take_ends_the_session_with_that_reason(tmp_path):
    exercise = Exercise(tmp_path, answer=failing(Reason.BAD_PROMPT))
    v, p = exercise.verifier_end(), exercise.prover_end()
    pipe(v, p)
    assert v.machine.state is p.machine.state is State.ABORTED
    ending = v.machine.facts.ending
    assert ending.reason == "BAD_PROMPT"
    assert "own words" not in ending.detail


def test_an_engine_that_failed_this_time_leaves_the_session_to_be_resumed(tmp_path):
    exercise = Exercise(tmp_path, answer=failing(Reason.ENGINE))
    v, p = exercise.verifier_end(), exercise.prover_end()
    with pytest.raises(LocalError):
        pipe(v, p)
    assert p.machine.state is State.CHALLENGED


@pytest.mark.parametrize("short", ["answer_seconds", "turn_seconds"])
def test_deadlines_that_cannot_be_watched_are_declined(tmp_path, short):
    keys = Bench(tmp_path).keys
    changes = {"witnesses": Witnesses(keys, 1, "unwitnessed"), short: MIN_DEADLINE - 1}
    exercise = Exercise(tmp_path, terms_changes=changes)
    v, p = exercise.verifier_end(), exercise.prover_end()
    pipe(v, p)
    assert v.machine.state is State.DECLINED
    assert v.machine.facts.ending.reason == "BAD_TERMS"


def test_without_witnesses_any_deadline_will_do(tmp_path):
    exercise = Exercise(tmp_path, terms_changes={"answer_seconds": 1, "turn_seconds": 1})
    v, _ = exercise.run()
    assert v.machine.state is State.FINISHED
