"""The table of the terms: their reader takes what it allows and refuses the rest, field by field."""

import re
from fractions import Fraction

import documents
import worked
from documents import Document, fields, hexadecimal, limits
from parley_attestation.encoding import Digest
from parley_attestation.statement import Statement, Subject
from parley_attestation.terms import TERMS, read_terms
from reading import table


def _terms() -> dict:
    """Terms with everything that terms in mode open can have."""
    document = worked.record(
        "transcripts_chamber", "every output comes out again"
    ).machine.facts.terms.document()
    simulated = worked.record("transcripts_backed", "simulated evidence").machine.facts.terms.document()
    document["evidence_policy"] = simulated["evidence_policy"]
    document["inventory"] = {"devices": ["gpu-0"], "start": 0, "end": 5}
    document["prior"] = [_earlier(7)]
    document["audited"] = {
        "receipt": hexadecimal(1), "exercise": hexadecimal(2), "result_root": hexadecimal(3),
        "counts": [9], "tolerance": "0/1",
    }  # fmt: skip
    document["witnesses"] = {"keys": [hexadecimal(1)], "threshold": 1, "unreachable": "pause"}
    document["qualifiers"] = [hexadecimal(4)]
    document["claims"] = [one for one in document["claims"] if one["type"] == "metric"]
    return document


def _earlier(n: int) -> dict:
    return {"exercise": hexadecimal(n), "alpha_compliant": "1/20", "alpha_violation": "1/100"}


def _mend_terms(document: dict, path: documents.Path) -> None:
    """Make the rest of the terms fit what was changed at a path."""
    first = document["claims"][0] if document["claims"] else None
    if path == ("witnesses", "keys"):
        document["witnesses"]["threshold"] = min(1, len(document["witnesses"]["keys"]))
    elif path == ("plan", "budgets"):
        names = [one["stratum"] for one in document["plan"]["budgets"]]
        document["claims"] = [{**first, "id": name, "stratum": name} for name in names] or [first]
    elif path == ("audited", "counts"):
        document["claims"] = [
            {**first, "id": f"c{n}"} for n in range(min(len(document["audited"]["counts"]), 64) or 1)
        ]
    elif path in (("binding", "operators"), ("binding", "kind")) and (
        not document["binding"]["operators"] or document["binding"]["kind"] == "none"
    ):
        document["binding"] = {"kind": "none", "operators": []}
    if path[0] not in ("audited", "binding"):
        document["audited"]["counts"] = [1] * min(len(document["claims"]), 64)


def terms() -> Document:
    """Terms and their reader."""
    valid = _terms()
    subject = Subject("test-set", Digest.of_hex(valid["test_set"]["root"]))
    more = {
        "claims": lambda n: {**valid["claims"][0], "id": f"c{n}"},
        "qualifiers": hexadecimal,
        "prior": _earlier,
        "witnesses.keys": hexadecimal,
        "binding.operators": lambda n: {**valid["binding"]["operators"][0], "key": hexadecimal(n)},
        "plan.budgets": lambda n: {"stratum": f"s{n}", "units": 1},
        "inventory.devices": "gpu-{:04}".format,
        "scope.not_concluded": "sentence {}".format,
        "audited.counts": lambda n: n + 1,
    }
    return Document(valid, lambda doc: read_terms(Statement(TERMS, (subject,), doc)), _mend_terms, more)


def test_the_table_of_the_terms_is_what_their_reader_takes():
    known, rows = terms(), fields(table("terms").rows)
    known.has(rows)
    not_understood = {
        one.name for one in rows if one.name != "caps" and not known.follow(one.rule, (one.name,))
    }
    assert not_understood == {"mode", "evidence_policy"}, not_understood
    rules = {one.name: one.rule for one in rows}
    _caps(known, rules["caps"])
    _numbers(known, rules)
    _words(known, rules)


def _caps(known: Document, rule: str) -> None:
    """The rule of the caps, of which each bounds another."""
    names, ((low, high),) = documents.names(rule), limits(rule)
    assert "each of the first three plus 32 at most turn_bytes" in rule
    for name in names[:3]:
        for turn, value, taken in (
            (100, 68, True),
            (100, 69, False),
            (high, low, True),
            (high, low - 1, False),
        ):
            caps = {**dict.fromkeys(names, low), "turn_bytes": turn, name: value}
            assert known.with_value(("caps",), caps) == taken, (name, caps)
    for turn, taken in ((high, True), (high + 1, False)):
        assert known.with_value(("caps",), {**dict.fromkeys(names, low), "turn_bytes": turn}) == taken


def _numbers(known: Document, rules: dict[str, str]) -> None:
    """The numbers that stand behind the objects of cells."""
    low, high = limits(rules["plan"])[-1]
    assert known.follow(f"{low}..{high} budgets", ("plan", "budgets"))
    for name, path, made in (
        ("test_set", ("test_set", "excluded"), lambda n: [[0, n]]),
        ("audited", ("audited", "counts"), lambda n: [n]),
    ):
        (least,) = re.findall(r">= (\d+)", rules[name])
        known.between(path, int(least), None, made)
    ((_, most),) = limits(rules["test_set"])
    for runs in (most, most + 1):
        excluded = [[2 * n, 1] for n in range(runs)]
        changed = {**known.at(("test_set",)), "size": 2 * runs, "excluded": excluded}
        assert known.with_value(("test_set",), changed) == (runs == most)
    lowest, top = re.findall(r"ratio, (\S+) to below (\S+)\)", rules["audited"])[0]
    nearly = Fraction(top) - Fraction(1, 1000)
    for tolerance, taken in (
        (lowest, True),
        (f"{nearly.numerator}/{nearly.denominator}", True),
        (top, False),
    ):
        assert known.with_value(("audited", "tolerance"), tolerance) == taken, tolerance
    assert not known.with_value(("audited", "tolerance"), "2/4")
    (none,) = re.findall(r"the threshold is 1..number of keys, and (\d+) without keys", rules["witnesses"])
    for keys, threshold, taken in (
        (0, int(none), True), (0, int(none) + 1, False), (2, 0, False), (2, 1, True), (2, 2, True), (2, 3, False),
    ):  # fmt: skip
        witnesses = {"keys": [hexadecimal(n) for n in range(keys)], "threshold": threshold}
        assert known.with_value(("witnesses",), {**witnesses, "unreachable": "pause"}) == taken


def _words(known: Document, rules: dict[str, str]) -> None:
    """What the cells say beside ranges and names, each once kept and once broken."""
    run = known.at(("test_set",))
    said = {
        "parties": ("different root fingerprints", {"prover": hexadecimal(1), "verifier": hexadecimal(1)}),
        "claims": ("distinct ids", [known.at(("claims", 0))] * 2),
        "witnesses": ("distinct", {"keys": [hexadecimal(1)] * 2, "threshold": 1, "unreachable": "pause"}),
        "inventory": ("ascending by code point", {"devices": ["b", "a"], "start": 0, "end": 5}),
        "prior": ("exercises distinct", [_earlier(7)] * 2),
        "test_set": ("ascending, disjoint runs", {**run, "excluded": [[4, 1], [2, 1]]}),
    }
    for name, (words, broken) in said.items():
        assert words in rules[name]
        assert not known.with_value((name,), broken), name
    assert not known.with_value(("inventory", "devices"), ["a", "a"])
    for excluded, taken in (
        ([], True), ([[0, 1], [1, 2]], True), ([[0, 2], [1, 2]], False),
        ([[run["size"] - 1, 1]], True), ([[run["size"], 1]], False), ([[0, 1, 1]], False),
    ):  # fmt: skip
        assert known.with_value(("test_set", "excluded"), excluded) == taken, excluded
    for name in ("runtime", "operators"):
        less = {key: value for key, value in known.at(("binding",)).items() if key != name}
        assert not known.with_value(("binding",), less)
    assert not known.with_value(("claims",), [{"id": "i", "min_assurance": "declared", "type": "identity"}])
