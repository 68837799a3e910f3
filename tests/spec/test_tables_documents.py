"""Tables of fields: a reader takes what the text allows and refuses the rest, field by field."""

import re

from documents import Document, Member, fields, followed, hexadecimal, limits
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
from reading import also_table, section, table

KEY = SigningKey(bytes(32))


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


REFERENCE = {"name": "r", "kind": "snp", "holds_key": True, "values": {"measurement": ["00"]}}
ADVISORY = {"name": "a", "kinds": ["snp"], "products": ["milan"], "source": "s"}
POLICY = {
    "type": "laboratory", "name": "n", "not_after": 5, "kinds": ["snp"], "products": ["milan"],
    "machines": {"rule": "registered", "ids": ["m"]}, "revocation_required": ["snp"], "max_evidence_age": 5,
    "snp": {"tcb_floor": {"milan": {"bl": 1}}, "platform_required": 1, "platform_forbidden": 2,
            "vmpl": [0], "fleet_keys": False},
    "dcap": {"statuses": ["UpToDate"], "advisories": ["x"], "min_evaluation": 1, "max_collateral_age": 5},
    "references": [REFERENCE], "advisories": [ADVISORY], "composite": {"cpus": 1, "gpus": 0, "roots": 1},
    "simulated_root": "", "binder_required": True,
}  # fmt: skip
POLICY_MORE = {
    "snp.vmpl": lambda n: n % 4,
    "products": "p{}".format,
    "machines.ids": "m{}".format,
    "dcap.advisories": "INTEL-SA-{}".format,
    "references": lambda n: {**REFERENCE, "name": f"r{n}"},
    "references.0.values.measurement": "{:02x}".format,
    "advisories": lambda n: {**ADVISORY, "name": f"a{n}"},
    "advisories.0.products": "p{}".format,
}


def _mend_policy(document: dict, path: tuple) -> None:
    """Make the rest of a policy fit what was changed at a path."""
    if document["type"] == "production":
        del document["simulated_root"], document["binder_required"]
    if path == ("machines", "rule") and document["machines"]["rule"] == "any":
        document["machines"]["ids"] = []
    if path == ("references", 0, "kind"):
        named = MANDATORY.get(document["references"][0]["kind"], ("x",))
        document["references"][0]["values"] = {key: ["00"] for key in named}


def test_the_table_of_a_policy_is_what_its_reader_takes():
    rows = fields(table("evidence").rows)
    said = re.search(
        r"Numbers without a range are (\S+ - 1), seconds (\S+), names and values (\S+ characters), "
        r"lists without a number (\S+) long",
        section("evidence"),
    )
    assert said
    default = dict(zip((int, "seconds", str, list), said.groups(), strict=True))
    default |= {"kind": " or ".join(f'"{kind}"' for kind in Kind), "kinds": "distinct kinds"}
    known = Document(POLICY, lambda doc: read_policy(Fields(doc)), _mend_policy, POLICY_MORE, default)
    known.has(rows)
    not_understood = {one.name for one in rows if not known.follow(one.rule, (one.name,))}
    assert not_understood == {"kinds", "revocation_required", "simulated_root"}, not_understood
    assert read_policy(Fields(POLICY)).document() == POLICY
    _rest_of_policy(known, {one.name: one.rule for one in rows})


def _rest_of_policy(known: Document, rules: dict[str, str]) -> None:
    """The words behind the objects of cells."""
    (without,) = re.findall(r"without `(\w+)` in production", rules["kinds"])
    production = {
        key: known.valid[key] for key in known.valid if key not in ("simulated_root", "binder_required")
    }
    production["type"] = "production"
    assert known.takes(production)
    assert not known.takes({**production, "kinds": [without]})
    assert known.takes({**known.valid, "kinds": [without]})
    maps = re.search(r"tcb_floor maps (.*) to any of (.*), (\S+) each", rules["snp"])
    assert maps
    products, parts = (re.findall(r"`(\w+)`", text) for text in maps.groups()[:2])
    floor = {product: dict.fromkeys(parts, 1) for product in products}
    assert known.with_value(("snp", "tcb_floor"), floor)
    assert known.with_value(("snp", "tcb_floor"), {})
    assert not known.with_value(("snp", "tcb_floor"), {**floor, "rome": {}})
    assert not known.with_value(("snp", "tcb_floor"), {products[0]: {"psp": 1}})
    assert known.follow(maps[3], ("snp", "tcb_floor", "milan", "bl"))
    measurements, values = limits(rules["references"])[-2:]
    named = ("references", 0, "values")
    known.between(
        named,
        *measurements,
        lambda size: {("measurement", *map(str, range(size)))[n]: ["00"] for n in range(size)},
    )
    known.between((*named, "measurement"), *values, lambda size: [f"{n:04x}" for n in range(size)])


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
    known.between(("shape",), *limits(rules["shape"])[1], lambda size: [size])
    assert "above 0" in rules["scale"]
    for scale, taken in (("0", False), ("-1", False), ("0.5", True), ("1e3", False)):
        assert known.with_value(("scale",), scale) == taken
    (scale, kind) = re.findall(r"`(\d+)` for `(\w+)`, whose shape is all ones", rules["scale"])[0]
    for shape, given, taken in (([1, 1], scale, True), ([2], scale, False), ([1], "2.5", False)):
        assert known.takes({**valid, "dtype": kind, "shape": shape, "scale": given}) == taken
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
    known = {"run": "digest", "step": "numbers, as `step`"}
    return [
        one if "random bytes" in one.rule else one._replace(rule=known.get(one.name, one.rule))
        for one in found
    ]


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
