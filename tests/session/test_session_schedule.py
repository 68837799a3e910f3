"""How large the populations of one exercise may be."""

import pytest
from kit import Exercise
from parley_attestation.errors import PeerError, Reason
from parley_attestation.session import schedule


def test_populations_that_everyone_would_hash_for_hours_are_refused(tmp_path, monkeypatch):
    exercise = Exercise(tmp_path)
    tests = exercise.tests.public
    units = schedule.frames(exercise.terms, tests)[0].size
    monkeypatch.setattr(schedule, "MAX_POPULATION", units)
    assert schedule.frames(exercise.terms, tests)
    monkeypatch.setattr(schedule, "MAX_POPULATION", units - 1)
    with pytest.raises(PeerError) as caught:
        schedule.frames(exercise.terms, tests)
    assert caught.value.reason is Reason.BAD_TERMS
