"""Tables of fields: a reader takes what the text allows and refuses the rest, field by field."""

import re

import documents
import worked
from documents import Document, Member, limits
from evaluate import value_of
from parley_attestation import statement
from parley_attestation.canonical import Fields
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Digest, Label, digest, u64
from parley_attestation.evidence.compute import records
from parley_attestation.evidence.model import Kind
from parley_attestation.evidence.policy import MANDATORY, read_policy
from parley_attestation.keys import fingerprint
from parley_attestation.registration import TEST_SET, read_registration
from parley_attestation.runtime import OnnxRuntime, read_runtime
from parley_attestation.statement import Statement, Subject
from parley_attestation.terms import TERMS, read_terms
from reading import also_table, section, table

KEY = SigningKey(bytes(32))


def hexadecimal(n: int) -> str:
    """32 bytes that differ by number."""
    return n.to_bytes(32, "big").hex()


def fields(rows: tuple[tuple[str, ...], ...]) -> tuple[Member, ...]:
    """The rows of a table of fields."""
    named = ((name, row[1]) for row in rows for name in row[0].split(", "))
    return tuple(Member(name, rule, rule.startswith("only ")) for name, rule in named)


def followed(document: Document, rows: tuple[Member, ...], rest: set[str]) -> None:
    """Follow every row that the document has; the words of the rest are not for a machine."""
    document.has(rows)
    not_understood = {
        one.name for one in rows if one.name in document.valid and not document.follow(one.rule, (one.name,))
    }
    assert not_understood == rest


def test_the_table_of_a_test_set_is_what_its_reader_takes():
    rows = fields(table("test-set").rows)
    root = Digest(bytes(32))
    valid = {
        "owner": fingerprint(KEY.public).hex(), "set_id": hexadecimal(1), "size": 8, "root": root.hex(),
        "strata": [{"name": "a", "start": 0, "count": 8}], "item_kinds": ["single"], "media_type": "text/plain",
        "caps": {"prompt_bytes": 9, "reference_bytes": 9}, "graders": [hexadecimal(2)], "baselines": {},
    }  # fmt: skip

    def read(document):
        subject = Subject("test-set", Digest.of_hex(document.get("root", root.hex())))
        read_registration(statement.seal(Statement(TEST_SET, (subject,), document), KEY), KEY.public)

    def mend(document, path):
        if path == ("strata",):
            for n, one in enumerate(document["strata"]):
                one.update(start=n, count=1 if n + 1 < len(document["strata"]) else max(8 - n, 1))
            document["size"] = max(8, len(document["strata"]))
        elif path == ("size",):
            document["strata"][0]["count"] = document["size"]
        elif path == ("strata", 0, "count"):
            document["size"] = document["strata"][0]["count"]

    stratum = lambda n: {"name": f"s{n}", "start": n, "count": 1}  # noqa: E731 - one entry of a list
    known = Document(valid, read, mend, {"strata": stratum, "graders": hexadecimal})
    rules = {one.name: one.rule for one in rows}
    assert known.follow(rules["size"].removeprefix("items N, "), ("size",))
    followed(known, rows, {"root", "size", "item_kinds", "baselines"})
    for kind in ("single", "script", "episode"):
        assert known.with_value(("item_kinds",), [kind]) == (f"`{kind}`" in rules["item_kinds"])
    assert not known.with_value(("item_kinds",), ["single", "script"])
    for anything in (None, [], {"x": [1]}, "text"):
        assert known.with_value(("baselines",), anything)
    ((low, high),) = limits(rules["members"])
    for sizes, taken in (((low, high), True), ((low - 1, high), False), ((low, high + 1), False)):
        assert known.takes({**valid, "members": ["x" * size for size in sizes]}) == taken
    assert not known.takes({**valid, "members": ["x", "x"]})


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
    _caps(known, {one.name: one.rule for one in rows}["caps"])


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


def test_the_words_of_the_table_of_the_terms_hold():
    """What the cells say beside ranges and names, each once kept and once broken."""
    known, rules = terms(), dict(also_table("terms").rows)
    run = known.at(("test_set",))
    said = {
        "parties": ("different root fingerprints", {"prover": hexadecimal(1), "verifier": hexadecimal(1)}),
        "claims": ("distinct ids", [known.at(("claims", 0))] * 2),
        "witnesses": ("distinct", {"keys": [hexadecimal(1)] * 2, "threshold": 1, "unreachable": "pause"}),
        "prior": ("exercises distinct", [_earlier(7)] * 2),
        "audited": ("whole numbers >= 1", {**known.at(("audited",)), "counts": [0]}),
        "test_set": ("ascending, disjoint runs", {**run, "excluded": [[4, 1], [2, 1]]}),
    }
    for name, (words, broken) in said.items():
        assert words in rules[name]
        assert not known.with_value((name,), broken), name
    for excluded, taken in (
        ([], True), ([[0, 1], [1, 2]], True), ([[0, 2], [1, 2]], False), ([[0, 0]], False),
        ([[run["size"] - 1, 1]], True), ([[run["size"], 1]], False), ([[0, 1, 1]], False),
    ):  # fmt: skip
        assert known.with_value(("test_set", "excluded"), excluded) == taken, excluded
    ((_, most),) = limits(rules["test_set"])
    for runs in (most, most + 1):
        changed = {**run, "size": 2 * runs, "excluded": [[2 * n, 1] for n in range(runs)]}
        assert known.with_value(("test_set",), changed) == (runs == most)
    for keys, threshold, taken in ((0, 0, True), (0, 1, False), (2, 0, False), (2, 2, True), (2, 3, False)):
        witnesses = {"keys": [hexadecimal(n) for n in range(keys)], "threshold": threshold}
        assert known.with_value(("witnesses",), {**witnesses, "unreachable": "pause"}) == taken
    for tolerance, taken in (("0/1", True), ("1/2", True), ("1/1", False), ("2/4", False)):
        assert known.with_value(("audited", "tolerance"), tolerance) == taken
    for name in ("runtime", "operators"):
        less = {key: value for key, value in known.at(("binding",)).items() if key != name}
        assert not known.with_value(("binding",), less)
    assert not known.with_value(("claims",), [{"id": "i", "min_assurance": "declared", "type": "identity"}])


POLICY_MORE = {
    "snp.vmpl": lambda n: n % 4,
    "products": "p{}".format,
    "machines.ids": "m{}".format,
    "dcap.advisories": "INTEL-SA-{}".format,
    "references.0.values.measurement": "{:02x}".format,
    "advisories.0.products": "p{}".format,
}


def test_the_table_of_a_policy_is_what_its_reader_takes():
    rows = fields(table("evidence").rows)
    said = re.search(
        r"Numbers without a range are (\S+ - 1), seconds (\S+), names (\S+ characters), "
        r"lists without a number (\S+) long",
        section("evidence"),
    )
    assert said
    numbers, seconds, texts, lists = said.groups()
    reference = {"name": "r", "kind": "snp", "holds_key": True, "values": {"measurement": ["00"]}}
    advisory = {"name": "a", "kinds": ["snp"], "products": ["milan"], "source": "s"}
    valid = {
        "type": "laboratory", "name": "n", "not_after": 5, "kinds": ["snp"], "products": ["milan"],
        "machines": {"rule": "registered", "ids": ["m"]}, "revocation_required": ["snp"], "max_evidence_age": 5,
        "snp": {"tcb_floor": {"milan": {"bl": 1}}, "platform_required": 1, "platform_forbidden": 2,
                "vmpl": [0], "fleet_keys": False},
        "dcap": {"statuses": ["UpToDate"], "advisories": ["x"], "min_evaluation": 1, "max_collateral_age": 5},
        "references": [reference], "advisories": [advisory], "composite": {"cpus": 1, "gpus": 0, "roots": 1},
        "simulated_root": "", "binder_required": True,
    }  # fmt: skip

    def mend(document, path):
        if document["type"] == "production":
            del document["simulated_root"], document["binder_required"]
        if path == ("machines", "rule") and document["machines"]["rule"] == "any":
            document["machines"]["ids"] = []
        if path == ("references", 0, "kind"):
            named = MANDATORY.get(document["references"][0]["kind"], ("x",))
            document["references"][0]["values"] = {key: ["00"] for key in named}

    more = {
        **POLICY_MORE,
        "references": lambda n: {**reference, "name": f"r{n}"},
        "advisories": lambda n: {**advisory, "name": f"a{n}"},
    }
    kinds = " or ".join(f'"{kind}"' for kind in Kind)
    default = {
        int: numbers,
        str: texts,
        list: lists,
        "seconds": seconds,
        "kind": kinds,
        "kinds": "distinct kinds",
    }
    known = Document(valid, lambda doc: read_policy(Fields(doc)), mend, more, default)
    known.has(rows)
    not_understood = {one.name for one in rows if not known.follow(one.rule, (one.name,))}
    assert not_understood == {"kinds", "revocation_required", "simulated_root"}, not_understood
    assert read_policy(Fields(valid)).document() == valid


def test_the_table_of_runtime_documents_is_what_their_reader_takes():
    rows = fields(table("runtimes").rows)
    assert "The kind `onnx` is ONNX Runtime" in section("runtimes")
    valid = OnnxRuntime("1.24", "model.onnx", (2, 3), scale="0.5", labels=("a", "b")).document()

    def mend(document, path):
        if document["dtype"] == "string":
            document.update(shape=[1], scale="1")

    known = Document(
        valid,
        read_runtime,
        mend,
        {"shape": lambda n: n + 1, "labels": "label {}".format},
    )
    known.has((Member("kind", "", optional=False), *rows))
    rules = {one.name: one.rule for one in rows}
    not_understood = {name for name, rule in rules.items() if not known.follow(rule, (name,))}
    assert not_understood == {"file", "scale"}
    ((_, _), (low, high)) = limits(rules["shape"])
    for size, taken in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
        assert known.with_value(("shape",), [size]) == taken
    ((_, _), (low, high)) = limits(rules["labels"])
    for size, taken in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
        assert known.with_value(("labels",), ["x" * size]) == taken
    assert "above 0" in rules["scale"]
    for scale, taken in (("0", False), ("-1", False), ("0.5", True), ("1e3", False)):
        assert known.with_value(("scale",), scale) == taken
    for broken in ({"shape": [2]}, {"scale": "2"}):
        assert not known.takes({**valid, "dtype": "string", "shape": [1], "scale": "1", **broken})
    for path, taken in (("a/b.onnx", True), ("/a.onnx", False), ("a/../b.onnx", False)):
        assert known.with_value(("file",), path) == taken


BODIES = {
    "declaration": {
        "run": hexadecimal(1), "parameters": "5", "formula": "6ND", "budget": "50", "precision": "bf16",
        "devices": [{"name": "gpu-0", "peak": "9"}], "data": hexadecimal(2), "seed": hexadecimal(3),
        "code": hexadecimal(4), "max_gap": 60,
    },
    "window": {"device": "gpu-0", "boot": "b", "start": 1, "end": 2, "run": hexadecimal(1)},
    "snapshot": {
        "run": hexadecimal(1), "step": 1, "tokens": "2", "flop": "60", "weights": hexadecimal(5), "data_end": 3,
        "seconds": [{"device": "gpu-0", "seconds": 4}],
    },
    "close": {"run": hexadecimal(1), "tokens": "2", "flop": "60", "weights": hexadecimal(5), "missing": [1]},
}  # fmt: skip


def body_fields(cell: str) -> list[Member]:
    """The fields that a cell lists; `data`, `seed` (digests) are two of them, and every run has one name."""
    found = [
        Member(name, rule, optional=False)
        for name, rule in re.findall(r"`(\w+)`(?: \(((?:[^()]|\(\))*)\))?", cell)
    ]
    for n in reversed(range(len(found) - 1)):
        if not found[n].rule and found[n + 1].rule in ("digests", "decimals", "names", "times"):
            found[n] = found[n]._replace(rule=found[n + 1].rule)
    known = {"run": "32 random bytes", "step": "numbers, as `step`"}
    return [one._replace(rule=known.get(one.name, one.rule)) for one in found]


def test_the_table_of_compute_records_is_what_their_reader_takes():
    text = section("compute-records")
    said = re.search(r"decimals are at most (\S+); times at most (\S+); names (\S+ characters)", text)
    assert said
    most, latest, texts = value_of(said[1], {}), said[2], said[3]
    default = {
        "digests": "digest",
        "digest": "digest",
        "times": f"0..{latest}",
        "names": texts,
        "name": texts,
    }
    default |= {"device": texts, "numbers, as `step`": "0..2^53 - 1"}
    more = {"devices": lambda n: {"name": f"gpu-{n}", "peak": "9"}, "missing": lambda n: n}
    more["seconds"] = lambda n: {"device": f"gpu-{n:04}", "seconds": 4}
    kinds = set()
    for kind, cell in table("compute-records").rows:
        kinds.add(kind.strip("`"))
        valid, listed = BODIES[kind.strip("`")], body_fields(cell)
        known = Document(
            valid, lambda doc, kind=kind: _record(kind.strip("`"), doc), more=more, default=default
        )
        known.has(tuple(listed))
        for one in listed:
            if one.rule.startswith("decimal"):
                for value, taken in (
                    (0, True),
                    (most, True),
                    (most + 1, False),
                    (-1, False),
                    ("1.5", False),
                    ("01", False),
                ):
                    assert known.with_value((one.name,), str(value)) == taken, (one.name, value)
            else:
                assert known.follow(one.rule, (one.name,)) or one.rule == "sequence numbers", one
    assert kinds == set(BODIES) == set(records._READERS)
    assert "`run` (or `idle`)" in dict(also_table("compute-records").rows)["`window`"]
    _record("window", {**BODIES["window"], "run": "idle"})


def _record(kind: str, body: dict) -> None:
    prev = Digest(bytes(32))
    predicate = {"sequence": 0, "prev": prev.hex(), "at": 9, "kind": kind, "body": body}
    subject = Subject("compute-record", digest(Label.COMPUTE, prev, u64(0)))
    records._read(Statement(records.RECORD, (subject,), predicate))
