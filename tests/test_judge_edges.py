"""The judge at the edges: content that is there twice, hidden in part or out of place, and faults that stand."""

import io
from collections import Counter
from types import SimpleNamespace

import kit
import pytest
from parley_attestation import judge as judging
from parley_attestation.edge.records import write_record
from parley_attestation.envelope import Signature
from parley_attestation.errors import Reason
from parley_attestation.judge import Fault, judge
from parley_attestation.session import messages
from parley_attestation.session.checks import Check
from parley_attestation.terms import Plan
from parley_attestation.transcript import Entry, Kind, decode_envelope, encode_envelope
from record_kit import entries, first, hidden, written


def found_of(one, folder):
    v, _ = one.run()
    write_record(v.journal, v.row, folder / "record.parley")
    return entries((folder / "record.parley").read_bytes())


@pytest.fixture(scope="module", name="held")
def _held(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edges")
    one = kit.Exercise(folder, items=kit.sums(10), terms_changes={"plan": Plan(1, 4, (("", 10),))})
    return list(one.pins.values()), found_of(one, folder)


def judged(found, pins=()):
    return judge(io.BytesIO(written(found)), pins)


def items(found):
    envelope = decode_envelope(found[first(found, "challenge")[0]].body)
    return [unit.item for unit in messages.read("challenge", envelope.payload)[1].units]


@pytest.mark.parametrize("kind", ["challenge", "answers", "open"])
def test_one_hidden_prompt_output_or_reference_makes_its_item_unseen(held, kind):
    pins, found = held
    result = judged(hidden(found, first(found, kind)[1]), pins)
    assert result.fault is None
    assert result.unseen == (items(found)[0],)
    assert result.verdict is None
    checked = result.machine.checks[Check.REFERENCES]
    assert checked == judged(found, pins).machine.checks[Check.REFERENCES] - (kind != "challenge")


def test_a_hidden_output_is_unseen_before_its_reference_is_shown(held):
    _, found = held
    _, place = first(found, "answers")
    cut = hidden(found, place)[: place + 4]
    assert judged(cut).unseen == (items(found)[0],)


def test_content_that_no_message_announces_is_a_fault_of_the_record(held):
    _, found = held
    _, place = first(found, "challenge")
    result = judged([*found[: place + 4], found[place], *found[place + 4 :]])
    assert (result.fault.reason, result.fault.blamed) == (Reason.MALFORMED, None)
    assert "no message announces" in result.fault.message


def test_a_message_that_stands_twice_is_a_fault_of_the_record(held):
    _, found = held
    result = judged([found[0], found[0], *found[1:]])
    assert (result.fault.reason, result.fault.blamed) == (Reason.MALFORMED, None)
    assert "twice" in result.fault.message


def test_a_later_attempt_needs_an_earlier_one_that_proposed_something(held):
    _, found = held
    result = judged([Entry(0, Kind.ATTEMPT, b"", 0), *found])
    assert (result.fault.reason, result.fault.blamed) == (Reason.MALFORMED, None)
    assert "proposed nothing" in result.fault.message


def test_the_first_fault_stands(held):
    pins, found = held
    envelope = decode_envelope(found[0].body)
    (signature,) = envelope.signatures
    object.__setattr__(envelope, "signatures", (Signature(signature.key, bytes(64)),))
    broken = [Entry(0, Kind.ENVELOPE, encode_envelope(envelope), 0), *found[1:]]
    assert judged(broken).fault.reason is Reason.BAD_SIGNATURE
    result = judged([found[0], found[0], *found[1:]], [pins[1]])
    assert result.fault.reason is Reason.MALFORMED
    assert not result.pinned


def test_parties_that_nobody_pinned_are_a_fault_and_one_greeting_pins_nobody(held):
    pins, found = held
    assert judged(found, pins).pinned
    other = judged(found, pins[:1])
    assert (other.fault.reason, other.pinned) == (Reason.UNKNOWN_PARTY, False)
    assert not judged(found[:1], pins).pinned


def test_keys_are_not_judged_in_a_record_that_has_a_fault():
    checks = Counter()
    facts = SimpleNamespace(histories={})
    fault = Fault(Reason.MALFORMED, "", None, 1)
    judgement = SimpleNamespace(
        standing=SimpleNamespace(opening=SimpleNamespace(keys=(b"key",), time=1)),
        machine=SimpleNamespace(facts=facts, checks=checks),
        fault=fault,
    )
    judging._judge_keys(judgement)
    assert (judgement.fault, checks) == (fault, Counter())
    judgement.fault = None
    judging._judge_keys(judgement)
    assert checks.total() == 1
