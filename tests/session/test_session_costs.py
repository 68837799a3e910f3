"""What a hostile record or message costs its reader: no more than the bytes of it are worth."""

import io

import pytest
from kit import pipe
from parley_attestation.edge.records import write_record
from parley_attestation.judge import judge
from parley_attestation.session import audit as auditing
from sealed_kit import SealedParties
from test_session_attempts import exercise_of, first_attempt


@pytest.fixture(name="orders")
def _orders(monkeypatch):
    """The populations whose tickets were hashed."""
    found, honest = [], auditing.order

    def counted(population, root, seed):
        found.append(population)
        return honest(population, root, seed)

    monkeypatch.setattr(auditing, "order", counted)
    return found


def test_a_sealed_session_hashes_no_tickets_whatever_its_population(tmp_path, orders):
    """Chambers replay a session, and all attempts before it, on every call of a party."""
    exercise = SealedParties(tmp_path)
    v, _ = exercise.run()
    write_record(v.journal, v.row, tmp_path / "record")
    assert judge(io.BytesIO((tmp_path / "record").read_bytes()), list(exercise.pins.values())).verdict
    assert orders == []


def test_tickets_are_hashed_once_for_all_attempts(tmp_path, orders):
    exercise = exercise_of(tmp_path)
    first_attempt(exercise)
    v, p = exercise.verifier_end(b"second"), exercise.prover_end(b"p second")
    pipe(v, p)
    write_record(v.journal, v.row, tmp_path / "record")
    orders.clear()
    found = judge(io.BytesIO((tmp_path / "record").read_bytes()), list(exercise.pins.values()))
    assert found.machine.facts.attempt == 2
    assert found.verdict
    assert len(orders) == 1


class Counting(list):
    """A list that counts what is read of it in slices."""

    walked = 0

    def __getitem__(self, place):
        found = super().__getitem__(place)
        self.walked += len(found) if isinstance(place, slice) else 1
        return found

    def __iter__(self):
        self.walked += len(self)
        return super().__iter__()


def test_a_reference_costs_the_same_however_many_were_shown_before_it(tmp_path):
    """Else a verifier that shows them one by one has its reader walk over all of them each time."""
    exercise = exercise_of(tmp_path)
    v, _ = exercise.run()
    audit = v.machine.facts.audit
    assert audit.opened == len(audit.units) > 10
    audit.units = Counting(audit.units)
    last = list.__getitem__(audit.units, -1)
    assert audit.unmark([last], [b"12"]) == [("", b"12")]
    assert audit.units.walked == 0
