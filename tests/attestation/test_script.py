import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.errors import PeerError, Reason
from parley_attestation.grading import Outcome, read_grader
from parley_attestation.script import least_output, read_answers, read_script, text_of, write_answers

USER, SLOT = {"role": "user", "content": "1+1?"}, {"role": "assistant"}
EXACT = {"kind": "exact", "trim": True, "ignore_case": False}


def prompt(*turns):
    return canonical.dump(list(turns))


def test_a_slot_is_asked_for_with_everything_before_it():
    fixed = {"role": "assistant", "content": "ready"}
    system = {"role": "system", "content": "be short"}
    script = read_script(prompt(system, USER, fixed, USER, SLOT, USER, SLOT))
    assert script.slots == 2
    assert json.loads(script.before(0, [])) == [system, USER, fixed, USER]
    said = {"role": "assistant", "content": "2"}
    assert json.loads(script.before(1, ["2"])) == [system, USER, fixed, USER, said, USER]


@pytest.mark.parametrize(
    "raw",
    [
        b"1+1",
        b"[]",
        b'[ {"role":"assistant"} ]',
        prompt(SLOT),
        prompt(USER),
        prompt(USER, SLOT, USER),
        prompt(USER, SLOT, SLOT),
        prompt(USER, {"role": "system", "content": "late"}, SLOT),
        prompt({"role": "user"}, SLOT),
        prompt({"role": "tool", "content": "x"}, SLOT),
        prompt(USER | {"name": "x"}, SLOT),
        prompt({"role": "user", "content": 1}, SLOT),
        prompt({"role": "user", "content": "x"}, {"role": "assistant", "content": None}),
        prompt(["user", "x"], SLOT),
        prompt({"role": ["user"], "content": "x"}, SLOT),
        prompt(*([USER, SLOT] * 129)),
    ],
)
def test_anything_but_the_one_form_is_refused(raw):
    with pytest.raises(PeerError) as caught:
        read_script(raw)
    assert caught.value.reason is Reason.BAD_REGISTRATION


@given(st.binary(max_size=200) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_a_script_or_refused(raw):
    with contextlib.suppress(PeerError):
        assert read_script(raw).slots >= 1
    read_answers(raw)


texts = st.lists(st.binary(max_size=40).map(lambda raw: text_of(raw, 30)), min_size=1, max_size=6)


@given(texts, st.integers(0, 200))
def test_an_output_keeps_its_cap_and_its_number_of_answers(answers, more):
    limit = least_output(len(answers)) + more
    output = write_answers(answers, limit)
    assert len(output) <= limit
    said = read_answers(output)
    assert len(said) == len(answers)
    assert all(whole.startswith(one) for one, whole in zip(said, answers, strict=True))
    assert said == tuple(answers) or len(canonical.dump(answers)) > limit


@pytest.mark.parametrize(
    ("answers", "output", "outcome"),
    [
        ("last", b'["x","4"]', Outcome.PASS),
        ("last", b'["4","x"]', Outcome.FAIL),
        ("joined", b'["4"]', Outcome.PASS),
        ("joined", b'["4","4"]', Outcome.FAIL),
        ("last", b"4", Outcome.INVALID),
        ("last", b"[]", Outcome.INVALID),
        ("last", b"[4]", Outcome.INVALID),
        ("last", b'[ "4" ]', Outcome.INVALID),
    ],
)
def test_a_grader_of_scripts_grades_the_answers_it_names(answers, output, outcome):
    grader = read_grader(Fields(EXACT | {"answers": answers}))
    assert grader.grade(output, b"4") is outcome
    assert read_grader(Fields(grader.document())) == grader
    assert grader.digest() != read_grader(Fields(EXACT)).digest()


def test_an_unknown_selection_is_refused():
    with pytest.raises(PeerError):
        read_grader(Fields(EXACT | {"answers": "first"}))
