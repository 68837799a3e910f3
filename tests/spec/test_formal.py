"""The formal models: the index is whole, and the implementation follows the traces of the model.

The tools run in `make formal`; what needs none of them stands here.
"""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
from parley_attestation.session.tables import MODES, OPEN_MODE

FORMAL = Path(__file__).parent.parent.parent / "spec/formal"


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"formal_{name}", FORMAL / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


replay = load("replay")
LEMMAS = load("run").lemmas()
KNOWN = {one["id"] for one in json.loads((FORMAL.parent / "requirements.json").read_text())}
TRACES = replay.read((FORMAL / "traces.jsonl").read_text())


@pytest.mark.parametrize("lemma", LEMMAS, ids=lambda one: one.id)
def test_a_lemma_names_requirements_of_the_draft_and_mutants_that_its_source_marks(lemma):
    assert lemma.requirements
    assert set(lemma.requirements) <= KNOWN
    assert lemma.mutants
    source = (FORMAL / lemma.file).read_text()
    for switch in " ".join((*lemma.mutants, *lemma.probes)).split():
        assert re.search(rf"\b{re.escape(switch)}\b", source), switch


def test_every_switch_of_a_source_is_a_mutant_or_a_probe_of_some_lemma():
    for name, marked in (
        ("open.p", r"(?m)% (?:only|unless) (\w+)$"),
        ("sealed.p", r"(?m)% (?:only|unless) (\w+)$"),
        ("accountability.pml", r"#(?:ifdef|ifndef) (\w+)"),
        ("resumption.pml", r"#(?:ifdef|ifndef) (\w+)"),
        ("session.qnt", r'BROKEN == "(\w+)"'),
    ):
        switches = set(re.findall(marked, (FORMAL / name).read_text())) - {"HONEST", "BREAKS"}
        users = [one for one in LEMMAS if one.file == name]
        used = " ".join(s for one in users for s in (one.property, *one.mutants, *one.probes)).split()
        assert switches <= set(used), name


def test_lemmas_have_names_of_their_own():
    assert len({one.id for one in LEMMAS}) == len(LEMMAS)


def test_the_horn_clauses_know_every_kind_of_message_of_the_tables():
    pytest.importorskip("z3")
    ordering = load("ordering")
    named = {kind for moves in MODES.values() for _, m in moves.values() for kind in m}
    assert set(ordering.messages(frozenset())) == named


@pytest.mark.parametrize("states", TRACES, ids=range(len(TRACES)))
def test_the_implementation_takes_what_the_model_enables_and_blames_the_sender_for_the_rest(states):
    taken, refused = replay.replay(states)
    assert taken > 3
    assert refused > 100


def test_the_traces_reach_every_state_of_open_mode_after_the_greetings():
    reached = {state["state"] for states in TRACES for state in states}
    assert reached >= {s.value for s in OPEN_MODE} - {"start", "greeted", "bound"}
    assert reached >= {"finished", "aborted"}


def test_a_model_that_enables_more_or_less_is_found_out():
    states = [state | {"possible": list(state["possible"])} for state in TRACES[0][:4]]
    extra = {"sender": "prover", "kind": "challenge", "count": 1}
    for possible in ([*states[2]["possible"], extra], states[2]["possible"][1:]):
        changed = [*states[:2], states[2] | {"possible": possible}, states[3]]
        with pytest.raises(replay.Mismatch):
            replay.replay(changed)
