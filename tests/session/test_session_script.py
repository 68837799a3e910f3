"""Script items end to end: fixed dialogues, answered turn by turn, graded on the answers."""

import io
import json

import pytest
from kit import Exercise, FunctionEngine, MemorySet, make_terms, metric, model_claim, side, sums
from parley_attestation import canonical, statement
from parley_attestation.canonical import Fields
from parley_attestation.edge.records import write_record
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.grading import read_grader
from parley_attestation.judge import judge
from parley_attestation.session.schedule import frames
from parley_attestation.terms import Caps
from parley_prover import answering
from parley_prover.engines.base import Prompt
from parley_prover.scripts import dialogues
from record_kit import entries, first, hidden, written

LAST = read_grader(Fields({"kind": "exact", "trim": True, "ignore_case": False, "answers": "last"}))
ALL = read_grader(
    Fields({"kind": "contains", "ignore_case": False, "whole_words": True, "answers": "joined"})
)


def running_sum(count=60):
    """Dialogues in which the second answer needs the first."""
    items = []
    for n in range(count):
        turns = [
            {"role": "user", "content": f"remember {n}"},
            {"role": "assistant"},
            {"role": "user", "content": "add 1"},
            {"role": "assistant"},
        ]
        items.append((canonical.dump(turns), str(n + 1).encode()))
    return items


def model(content: bytes, _seed: int = 0) -> bytes:
    """Says what it was told to remember, then adds one to its own earlier answer."""
    messages = json.loads(content)
    if messages[-1]["content"] == "add 1":
        return str(int(messages[-2]["content"]) + 1).encode()
    return messages[-1]["content"].removeprefix("remember ").encode()


def exercise(folder, answer=model, **more):
    return Exercise(
        folder,
        items=running_sum(),
        answer=answer,
        graders=(LAST, ALL),
        item_kind="script",
        terms_changes={"claims": (metric("last", grader=LAST), metric("joined", grader=ALL))},
        **more,
    )


def test_dialogues_are_answered_turn_by_turn_and_two_claims_grade_them_differently(tmp_path):
    one = exercise(tmp_path)
    v, p = one.run()
    verdict = v.machine.facts.verdict
    assert verdict.digest() == p.machine.facts.verdict.digest()
    assert [c["verdict"] for c in verdict.predicate["claims"]] == ["COMPLIANT", "COMPLIANT"]
    write_record(v.journal, v.row, tmp_path / "r.parley")
    found = judge(io.BytesIO((tmp_path / "r.parley").read_bytes()), list(one.pins.values()))
    assert found.fault is None
    assert found.verdict.payload() == verdict.payload()


def test_a_script_whose_prompt_is_hidden_can_still_be_followed(tmp_path):
    v, _ = exercise(tmp_path).run()
    write_record(v.journal, v.row, tmp_path / "r.parley")
    found = entries((tmp_path / "r.parley").read_bytes())
    result = judge(io.BytesIO(written(hidden(found, first(found, "challenge")[1]))))
    assert result.fault is None
    assert len(result.unseen) == 1


@pytest.mark.parametrize(("cap", "holds"), [(7, True), (6, False)])
def test_a_cap_on_outputs_that_holds_no_answer_for_every_slot_is_refused(tmp_path, cap, holds):
    """Two empty answers take seven bytes."""
    caps = Caps(1 << 16, 1 << 12, cap, 1 << 20)
    one = Exercise(
        tmp_path,
        items=running_sum(),
        answer=lambda *_: b"",
        graders=(LAST, ALL),
        item_kind="script",
        terms_changes={"claims": (metric("last", grader=LAST),), "caps": caps},
    )
    if holds:
        v, _ = one.run()
        assert v.machine.facts.verdict.predicate["overall"] == "VIOLATION"
    else:
        with pytest.raises(LocalError, match="OVER_CAP"):
            one.run()


def test_a_model_that_forgets_the_dialogue_is_found_out(tmp_path):
    v, _ = exercise(
        tmp_path, lambda content, _: model(content) if len(json.loads(content)) < 2 else b"0"
    ).run()
    assert v.machine.facts.verdict.predicate["overall"] == "VIOLATION"


def test_scripts_of_different_length_go_forward_in_step():
    engine = FunctionEngine(lambda content, _: b"\xff" + str(len(json.loads(content))).encode())
    long, short = running_sum(1)[0][0], canonical.dump(json.loads(running_sum(1)[0][0])[:2])
    assert dialogues(engine, [Prompt(long, 1, 100), Prompt(short, 2, 100)]) == [
        '["\ufffd1","\ufffd3"]'.encode(),
        '["\ufffd1"]'.encode(),
    ]
    assert engine.calls == 2


@pytest.mark.parametrize("output", [b"4", b'["4"]', b'["4","5","6"]', b'["4", "5"]'])
def test_an_output_without_an_answer_for_every_slot_is_refused(tmp_path, monkeypatch, output):
    monkeypatch.setattr(answering, "dialogues", lambda _, prompts: [output] * len(prompts))
    with pytest.raises(LocalError, match="WRONG_UNITS"):  # the machine of either party; its own comes first
        exercise(tmp_path).run()


def test_a_prompt_that_is_no_script_is_refused(tmp_path):
    one = exercise(tmp_path)
    one.tests = MemorySet(one.verifier, sums(), graders=(LAST, ALL), item_kind="script")
    one.terms = make_terms(one.verifier, one.prover, one.tests, one.claim, claims=one.terms.claims)
    one.sealed_terms = statement.seal(one.terms.statement(), one.verifier.session)
    with pytest.raises(LocalError, match="BAD_REGISTRATION"):
        one.run()


@pytest.mark.parametrize(("kind", "grader"), [("script", None), ("single", LAST)])
def test_a_grader_for_another_kind_of_item_is_refused_in_the_terms(kind, grader):
    verifier, prover = side(Role.VERIFIER), side(Role.PROVER)
    tests = MemorySet(verifier, running_sum(), item_kind=kind)
    claims = (metric(grader=grader),) if grader is not None else (metric(),)
    terms = make_terms(verifier, prover, tests, model_claim(prover), claims=claims)
    with pytest.raises(PeerError) as caught:
        frames(terms, tests.public)
    assert caught.value.reason is Reason.BAD_TERMS
