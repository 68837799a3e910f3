"""Tables of verdicts, compute claims, records and the machine against what the code derives."""

import io
import re
from fractions import Fraction
from functools import cache

import worked
from documents import names
from evaluate import value_of
from parley_attestation.claims import ASSURANCE_ORDER
from parley_attestation.encoding import Digest
from parley_attestation.errors import Role
from parley_attestation.frametest import Decision, FramePlan, FrameTest
from parley_attestation.session.tables import FINAL, MODES, OPEN_MODE, State
from parley_attestation.spending import Spent, summed
from parley_attestation.transcript import _LIMITS, MAGIC, Kind, RecordReader
from reading import figure, formula, obj, section, table, tables, tables_of

FILES = sorted(path.stem for path in worked.VECTORS.glob("transcripts*.json"))


@cache
def predicates(mode: str) -> tuple[dict, ...]:
    """Predicates of every verdict that the vectors' valid records give in one mode."""
    found = []
    for name in FILES:
        for test in worked.tests(name):
            if test["result"] == "valid" and test.get("verdict"):
                verdict = worked.record(name, test["comment"]).judgement.verdict
                found += [verdict.predicate] if verdict.predicate["mode"] == mode else []
    assert len(found) > 5
    return tuple(found)


def claims(kind: str) -> list[dict]:
    """Every claim of a type in the verdicts of mode `open`."""
    return [
        claim for predicate in predicates("open") for claim in predicate["claims"] if claim["type"] == kind
    ]


def test_the_table_of_a_verdict_lists_its_fields():
    rows = [(one, row[1]) for row in table("verdict").rows for one in row[0].split(", ")]
    beside = re.search(r"the predicate `(\w+)`, the object of the terms, and `(\w+)`", section("verdict"))
    assert beside
    required = {name for name, rule in rows if not rule.startswith("only ")}
    optional = {name for name, _ in rows} - required | set(beside.groups())
    rules, seen = dict(rows), set()
    for predicate in predicates("open"):
        assert required <= set(predicate) <= required | optional
        assert ("audited" in predicate) == ("integrity" in predicate)
        seen |= set(predicate)
        for name in ("binding", "spent"):
            assert name not in predicate or set(predicate[name]) == set(names(rules[name]))
        _assurance(predicate, rules["assurance"])
        _spent(predicate, rules["spent"])
    assert seen == required | optional
    for predicate in predicates("sealed"):
        assert required <= set(predicate) <= required | {"spent", "chambers"}
        assert predicate["opened"] == 0
    text = section("sealed-verdict")
    assert "has the fields above without `binding`, with `opened` 0, the following `chambers`" in text


def _assurance(predicate: dict, rule: str) -> None:
    """The rule of the assurance, with its words as the text has them."""
    attested, executed, prover, declared = re.findall("`([\\w-]+)`", rule)
    assert rule == (
        f"`{attested}` where the appraisal of the evidence says so; else `{executed}` with a binding by an operator "
        f"whose run_by is not `{prover}`; else `{declared}`"
    )
    if "binding" in predicate and predicate["binding"]["operator"]["run_by"] != prover:
        assert predicate["assurance"] == executed
    elif predicate["assurance"] != attested:
        assert predicate["assurance"] in (declared, "simulated")
    assert {attested, executed, declared} <= set(ASSURANCE_ORDER)
    assert prover == Role.PROVER.value


def _spent(predicate: dict, rule: str) -> None:
    """The rule of the risks that were spent: it names a field of the terms and the greatest sum."""
    where, most = re.findall(r"only where the terms have `(\w+)`.*, at most (\S+)$", rule)[0]
    assert where in dict(tables_of("terms")[0].rows)
    for name in ("alpha_compliant", "alpha_violation") if "spent" in predicate else ():
        assert Fraction(predicate["spent"][name]) <= Fraction(most)
    half = Spent(Digest(bytes(32)), Fraction(2, 3), Fraction(1, 3))
    assert summed((half,), half) == {
        "exercises": [bytes(32).hex()], "alpha_compliant": most, "alpha_violation": "2/3",
    }  # fmt: skip


def test_the_objects_of_claims_list_their_fields():
    said = {
        "metric": obj("verdict", '{id, type: "metric"'),
        "graded": obj("verdict", '{id, type: "graded"'),
        "identity": obj("verdict", '{id, type: "identity"'),
        "compute": obj("verdict", '{id, type: "compute"'),
    }
    compared = names(obj("verdict", "{claimed: C"))
    for kind, text in said.items():
        found = claims(kind)
        assert found, kind
        for claim in found:
            assert set(claim) - {"comparison"} == set(names(text))
            assert set(claim.get("comparison", compared)) == set(compared)
    assert any("comparison" in claim for claim in claims("metric"))
    (none,) = re.findall(r"declared_count \((\d) for none\)", said["metric"])
    assert min(claim["declared_count"] for claim in claims("metric")) == int(none)


def test_the_table_of_entries_is_that_of_record_files():
    rows = table("records").rows
    assert {(int(number), name) for number, name, _, _ in rows} == {
        (one.value, one.name.lower()) for one in Kind
    }
    assert {int(row[0]): value_of(row[3], {}) for row in rows} == {
        kind.value: most for kind, most in _LIMITS.items()
    }
    first = re.search("A record file is `([^`]+)` and LF", section("records"))
    assert first
    assert first[1].encode() + b"\n" == MAGIC
    bodies = {name: body for _, name, body, _ in rows}
    assert bodies["end"] == "`u64(number of entries before it)`"
    like = re.match(r"like kind (\d): a second message for a filled slot", bodies["evidence"])
    assert like
    assert Kind(int(like[1])) is Kind.ENVELOPE
    raw = worked.record().raw
    entries = list(RecordReader(io.BytesIO(raw)).entries())
    assert raw[-40:-32] == len(entries).to_bytes(8, "big")
    envelope = worked.record().turns[0].envelope
    parts = [envelope.payload_type.encode(), envelope.payload]
    parts += [part for one in envelope.signatures for part in (one.key, one.value)]
    assert bodies["envelope"].startswith("`u64(len) || part` for payload type, payload, then key and value")
    assert entries[0].body == b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    withheld = value_of("u64(size)", {"u64": lambda n: n.to_bytes(8, "big"), "size": 5})
    assert bodies["withheld"] == "the blob's digest, `u64(size)`"
    assert len(withheld) + 32 == int({row[1]: row[3] for row in rows}["withheld"])


def test_the_state_tables_of_the_text_are_the_machine():
    found, roles = iter(tables("state-tables")), (Role.VERIFIER, Role.PROVER)
    for mode in ("open", "sealed"):
        read: dict[State, tuple[Role, dict[str, State]]] = {}
        for role in roles:
            for state, kind, after in next(found).rows:
                read.setdefault(State(state), (role, {}))[1][kind] = State(after)
        assert read == MODES[mode]
    final = re.search(r"Final states: (.+)\.", section("machine"))
    assert final
    assert {State(name) for name in final[1].split(", ")} == FINAL


def test_the_overview_is_a_path_through_the_machine():
    state, number = State.START, 0
    head, *lines = figure("overview").splitlines()
    assert head.split() == ["#", "from", "message", "fixes"]
    assert lines.count("    ...   7 and 8 repeat") == 1
    for line in lines:
        row = re.match(r" *(\d+)  (V|P)     ([\w|]+)", line)
        if row is None:
            assert line.strip() == "...   7 and 8 repeat"
            continue
        number += 1
        kinds = [re.sub(r"(?<=[a-z])(?=[A-Z])", "-", one).lower() for one in row[3].split("|")]
        role, allowed = OPEN_MODE[state]
        assert (int(row[1]), role[0].upper()) == (number, row[2])
        assert set(kinds) <= set(allowed), line
        state = allowed[kinds[0]]
    assert state is State.FINISHED


def test_the_frame_test_example_of_the_text_holds():
    frame, threshold = int(formula("frame-test", "F = 6").right), int(formula("frame-test", "K = 4").right)
    needed, last = formula("frame-test", "1 / alpha_compliant ="), int(formula("frame-test", "n = 1").right)
    text = section("frame-test")
    risks = re.search(r"no declared count, risks (\S+) and (\S+), budget (\d+)", text)
    assert risks
    compliant, violation = Fraction(risks[1]), Fraction(risks[2])
    assert value_of(needed.left, {"alpha_compliant": compliant}) == int(needed.right)
    shown = [(int(n), Fraction(e)) for n, e in table("frame-test").rows]
    assert shown == sorted(set(shown))
    test, seen = FrameTest(FramePlan(frame, threshold, None, compliant, violation, int(risks[3]))), {}
    while test.decision is None:
        test.observe(success=True)
        seen[test.n] = test.result().e_compliant
    assert shown == [(n, seen[n]) for n, _ in shown]
    assert shown[-1][0] == last
    assert (test.decision, test.n) == (Decision.COMPLIANT, last)
    assert seen[last - 1] < int(needed.right) <= seen[last]
    result = test.result()
    ends = re.search(r": COMPLIANT, with p-value (\S+), count_low (\d+) and count_high (\d+)", text)
    assert ends
    assert (result.p_compliant, result.count_low, result.count_high) == (
        Fraction(ends[1]),
        int(ends[2]),
        int(ends[3]),
    )


def test_the_roles_of_the_table_are_those_of_the_code():
    rows = {role: (holds, trusted) for role, holds, trusted in table("roles").rows}
    parties = {role.split()[0]: role.split()[1:] for role in rows}
    assert set(parties) == {role.value for role in Role} | {"judge"}
    assert parties["prover"] == ["P"]
    assert parties["verifier"] == ["V"]
    assert [role for role, (_, trusted) in rows.items() if trusted.startswith("nothing")] == [
        "prover P",
        "verifier V",
        "judge",
    ]
