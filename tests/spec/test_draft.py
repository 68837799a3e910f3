"""The draft and the code say the same: generated tables, and the examples that the text works out."""

import re
import runpy
from fractions import Fraction
from pathlib import Path

from parley_attestation.because import Because
from parley_attestation.encoding import Label, frame
from parley_attestation.errors import Role
from parley_attestation.evidence.compute.checks import Problem
from parley_attestation.evidence.model import Kind
from parley_attestation.evidence.policy import (
    Composite,
    DcapRules,
    LaboratoryPolicy,
    ProductionPolicy,
    Rules,
    SnpRules,
)
from parley_attestation.frametest import Decision, FramePlan, FrameTest
from parley_attestation.session.tables import FINAL, OPEN_MODE, State

SPEC = Path(__file__).parent.parent.parent / "spec"
DRAFT = (SPEC / "draft-parley-mutual-verification.md").read_text()
TABLES = runpy.run_path(str(SPEC / "tools/tables.py"))


def rows(text: str) -> list[list[str]]:
    return [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_every_generated_table_is_up_to_date():
    assert TABLES["fill"](DRAFT) == DRAFT, "run python spec/tools/tables.py"


def test_the_state_tables_of_the_text_are_the_machine():
    part = DRAFT.partition("<!-- begin state-tables -->")[2].partition("<!-- end state-tables -->")[0]
    read: dict[State, tuple[Role, dict[str, State]]] = {}
    for role in (Role.VERIFIER, Role.PROVER):
        table = part.partition(f"turns of the {role}:")[2].partition("Mode ")[0]
        for state, kind, after in rows(table)[2:]:
            read.setdefault(State(state), (role, {}))[1][kind] = State(after)
    assert read == OPEN_MODE
    final = re.search(r"Final states: (.+)\.", part)
    assert final
    assert {State(name) for name in final[1].split(", ")} == FINAL


def test_the_framing_example_of_the_text_holds():
    shown = re.search(r'Example: `frame\("([^"]+)", "([^"]+)"\)` is `([0-9a-f]+)`', DRAFT)
    assert shown
    assert frame(Label(shown[1]), shown[2].encode()).hex() == shown[3]


def test_the_frame_test_example_of_the_text_holds():
    part = DRAFT.partition("Example: `F = 60`, `K = 48`")[2].partition("With a binding")[0]
    expected = {int(n): Fraction(e) for n, e in rows(part)[2:]}
    test = FrameTest(FramePlan(60, 48, None, Fraction(1, 20), Fraction(1, 100), 60))
    seen = {}
    while test.decision is None:
        test.observe(success=True)
        seen[test.n] = test.result().e_compliant
    assert expected == {n: seen[n] for n in expected}
    assert test.decision is Decision.COMPLIANT
    result = test.result()
    shown = re.search(
        r"at `n = (\d+)`: COMPLIANT, with p-value (\S+), count_low (\d+) and count_high (\d+)", part
    )
    assert shown
    assert (test.n, result.p_compliant) == (int(shown[1]), Fraction(shown[2]))
    assert (result.count_low, result.count_high) == (int(shown[3]), int(shown[4]))


def test_every_cross_reference_has_its_anchor():
    anchors = set(re.findall(r"\{#([\w-]+)\}", DRAFT))
    used = {name for name in re.findall(r"\{\{([\w-]+)\}\}", DRAFT) if name.islower()}
    assert used <= anchors


def test_the_text_names_every_problem_of_compute_records():
    part = DRAFT.partition("<!-- begin problems -->")[2].partition("<!-- end problems -->")[0]
    assert [name for name, _ in rows(part)[2:]] == [problem.value for problem in Problem]


def test_every_sentence_of_a_verdict_is_used_in_the_text():
    part = DRAFT.partition("# The verdict {#verdict}")[2].partition("# Records {#records}")[0]
    part = re.sub("<!-- begin sentences -->.*<!-- end sentences -->", "", part, flags=re.DOTALL)
    assert [one.name for one in Because if not re.search(rf"\b{one.name}\b", part)] == []


def test_the_policy_of_the_text_has_the_fields_of_the_code():
    part = DRAFT.partition("A policy is this object;")[2].partition("### Appraisal")[0]
    named = {name for name, _ in rows(part)[2:]}
    empty = Rules(
        "n",
        0,
        (),
        (),
        None,
        (),
        0,
        SnpRules({}, 0, 0, (), False),
        DcapRules((), (), 0, 0),
        (),
        (),
        Composite(0, 0, 1),
    )
    assert named == set(LaboratoryPolicy(empty, None, binder_required=True).document())
    assert named - {"simulated_root", "binder_required"} == set(ProductionPolicy(empty).document())


def test_the_text_has_a_rule_of_appraisal_for_every_kind_of_evidence():
    part = DRAFT.partition("### Appraisal")[2].partition("### Findings")[0]
    named = {kind for row in rows(part)[2:] for kind in re.findall(r"`([a-z0-9-]+)`", row[0])}
    assert named == {kind.value for kind in Kind}
