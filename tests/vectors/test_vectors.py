"""The checked-in vectors: closed in form, reproduced byte for byte, and what the code says of each."""

import base64
import io
import json
import runpy
from fractions import Fraction
from pathlib import Path

import pytest
from parley_attestation import ed25519, merkle
from parley_attestation.commitment import (
    Field,
    SeedTree,
    SetName,
    commit_item,
    commit_output,
    content_digest,
    item_leaf,
)
from parley_attestation.encoding import Bytes32, Digest, Label, Salt, digest, frame, mac
from parley_attestation.errors import PeerError
from parley_attestation.frametest import CERTAIN, FramePlan, FrameTest
from parley_attestation.judge import judge
from parley_attestation.session.schedule import Frame, order, sampling_seed

SPEC = Path(__file__).parent.parent.parent / "spec"
TOOL = runpy.run_path(str(SPEC / "tools/vectors.py"))
KNOWN = {one["id"] for one in json.loads((SPEC / "requirements.json").read_text())}
COMMON = {"id", "comment", "requirement", "result"}
FIELDS = {
    "framing": {"label", "parts", "key", "frame", "digest", "mac"},
    "ed25519": {"key", "message", "signature"},
    "commitments": {
        *("owner", "set_id", "master", "size", "index", "prompt", "reference", "prompt_key", "leaf"),
        *(
            "prompt_commitment",
            "reference_commitment",
            "exercise",
            "output",
            "sample",
            "output_key",
            "output_commitment",
        ),
    },
    "tree": {"leaf", "index", "size", "proof", "root"},
    "tickets": {"root", "seed", "runs", "samples", "budget", "order", "sampling_seeds"},
    "frame_test": {
        *("frame", "threshold_count", "declared_count", "alpha_compliant", "alpha_violation", "budget"),
        *("path", "decision", "e_compliant", "e_violation", "p_compliant", "p_violation"),
        *("count_low", "count_high"),
    },
    "transcripts": {"record", "pins"},
}
JUDGED = {"state", "turn", "blamed", "sequence", "unseen", "verdict", "overall"}


def load(kind: str) -> list[dict]:
    return json.loads((SPEC / f"vectors/{kind}.json").read_text())["tests"]


def check_form(kind: str, test: dict) -> None:
    """Refuse a vector with a field too many or too few."""
    wanted = COMMON | FIELDS[kind] | ({"reason"} if test["result"] == "invalid" else set())
    if kind == "transcripts" and "state" in test:
        wanted |= JUDGED
    assert set(test) == wanted
    assert test["result"] in {"valid", "invalid"}
    assert test["requirement"] in KNOWN


def each(kind: str):
    return pytest.mark.parametrize("test", load(kind), ids=lambda t: t["comment"])


def outcome(test: dict, check) -> None:
    """The vector's own result is what the check says."""
    if test["result"] == "valid":
        check()
    else:
        with pytest.raises(PeerError) as caught:
            check()
        assert caught.value.reason == test["reason"]


@pytest.mark.parametrize("kind", FIELDS)
def test_every_file_is_closed_and_comes_out_again(kind):
    tests = load(kind)
    assert [test["id"] for test in tests] == list(range(1, len(tests) + 1))
    for test in tests:
        check_form(kind, test)
    assert TOOL["render"](kind) == (SPEC / f"vectors/{kind}.json").read_text(), "run spec/tools/vectors.py"


def test_there_is_a_file_for_every_kind_and_no_other():
    assert {p.stem for p in (SPEC / "vectors").glob("*.json")} == set(FIELDS) == set(TOOL["KINDS"])


def test_an_unknown_field_is_refused():
    with pytest.raises(AssertionError):
        check_form("tree", {**load("tree")[0], "flags": []})


@each("framing")
def test_framing(test):
    parts, label = [bytes.fromhex(part) for part in test["parts"]], Label(test["label"])
    assert frame(label, *parts).hex() == test["frame"]
    assert digest(label, *parts).hex() == test["digest"]
    assert mac(bytes.fromhex(test["key"]), label, *parts).hex() == test["mac"]


@each("ed25519")
def test_ed25519(test):
    key, message, signature = (bytes.fromhex(test[name]) for name in ("key", "message", "signature"))
    outcome(test, lambda: ed25519.verify(key, message, signature))


@each("commitments")
def test_commitments(test):
    name = SetName(Digest.of_hex(test["owner"]), Bytes32.of_hex(test["set_id"]))
    made = {}
    for field in Field:
        keys = SeedTree.of_field(Bytes32.of_hex(test["master"]), name, field, test["size"])
        content = content_digest(bytes.fromhex(test[field.value]))
        made[field] = commit_item(keys.key(test["index"]), name, test["index"], field, content)
        assert made[field].hex() == test[f"{field.value}_commitment"]
    assert item_leaf(made[Field.PROMPT], made[Field.REFERENCE]).hex() == test["leaf"]
    output = commit_output(
        Salt.of_hex(test["output_key"]),
        Digest.of_hex(test["exercise"]),
        test["index"],
        test["sample"],
        bytes.fromhex(test["output"]),
    )
    assert output.hex() == test["output_commitment"]


@each("tree")
def test_tree(test):
    proof = [bytes.fromhex(one) for one in test["proof"]]
    leaf, root = bytes.fromhex(test["leaf"]), bytes.fromhex(test["root"])
    outcome(test, lambda: merkle.verify_inclusion(leaf, test["index"], test["size"], proof, root))


@each("tickets")
def test_tickets(test):
    root, seed = Digest.of_hex(test["root"]), Digest.of_hex(test["seed"])
    runs = tuple((start, stop) for start, stop in test["runs"])
    units = order(Frame("", runs, test["samples"], test["budget"]), root, seed)
    assert [list(unit) for unit in units] == test["order"]
    assert [str(sampling_seed(seed, unit)) for unit in units] == test["sampling_seeds"]


@each("frame_test")
def test_frame_test(test):
    plan = FramePlan(
        test["frame"],
        test["threshold_count"],
        test["declared_count"] or None,
        Fraction(test["alpha_compliant"]),
        Fraction(test["alpha_violation"]),
        test["budget"],
    )
    run = FrameTest(plan)
    for unit in test["path"]:
        assert run.decision is None
        run.observe({"1": True, "0": False, "-": None}[unit])
    found = run.result()
    assert (found.decision or "") == test["decision"]
    for name in ("e_compliant", "e_violation"):
        value = getattr(found, name)
        assert ("infinite" if value is CERTAIN else str(value)) == test[name]
    assert (str(found.p_compliant), str(found.p_violation)) == (test["p_compliant"], test["p_violation"])
    assert (found.count_low, found.count_high) == (test["count_low"], test["count_high"])


@each("transcripts")
def test_transcripts(test):
    record = io.BytesIO(base64.b64decode(test["record"]))
    pins = [Digest.of_hex(pin) for pin in test["pins"]]
    if "state" not in test:
        outcome(test, lambda: judge(record, pins))
        return
    found = judge(record, pins)
    fault = found.fault
    assert ("invalid" if fault else "valid") == test["result"]
    assert (found.state, found.turn or "", list(found.unseen)) == (
        test["state"],
        test["turn"],
        test["unseen"],
    )
    assert (fault.blamed or "" if fault else "", fault.sequence if fault else 0) == (
        test["blamed"],
        test["sequence"],
    )
    assert (fault.reason if fault else None) == test.get("reason")
    assert (found.verdict.digest().hex() if found.verdict else "") == test["verdict"]
    assert (found.verdict.predicate["overall"] if found.verdict else "") == test["overall"]


def test_every_cheat_of_the_table_gives_a_record_that_names_its_party():
    cheats = [t for t in load("transcripts") if t.get("blamed")]
    assert len(cheats) == len(TOOL["CHEATS"]) + 1  # and the equivocation
    assert {t["reason"] for t in cheats} >= {"EQUIVOCATION", "BAD_COIN", "WRONG_INDEX", "WRONG_VERDICT"}
    assert {t["comment"] for t in load("transcripts")} >= set(TOOL["CHEATS"])
