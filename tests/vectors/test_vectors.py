"""The checked-in vectors: closed in form, reproduced byte for byte, and what the code says of each."""

import base64
import io
import json
import runpy
from fractions import Fraction

import fastjsonschema
import pytest
from parley_attestation import canonical, ed25519, keys, merkle, statement
from parley_attestation.canonical import Fields
from parley_attestation.commitment import (
    Field,
    SeedTree,
    SetName,
    commit_item,
    commit_output,
    content_digest,
    item_leaf,
)
from parley_attestation.encoding import Bytes32, Digest, Label, Nonce, Salt, digest, frame, mac
from parley_attestation.errors import Reason, Role
from parley_attestation.evidence.binder import Exercise, binders
from parley_attestation.frametest import CERTAIN, FramePlan, FrameTest
from parley_attestation.graded import GradedPlan, GradedProcess, GradedTest
from parley_attestation.grading import read_grader
from parley_attestation.judge import judge
from parley_attestation.sealing import Grant, RecipientKey, Sealed, unseal, unwrap
from parley_attestation.session.schedule import Frame, order, sampling_seed
from vector_kit import SCHEMA, SPEC, document, each, load, outcome, reader

TOOL = runpy.run_path(str(SPEC / "tools/vectors.py"))
KNOWN = {one["id"] for one in json.loads((SPEC / "requirements.json").read_text())}
FORMS = runpy.run_path(str(SPEC / "tools/schema.py"))
KINDS = list(FORMS["FORMS"])
RECORDS = [kind for kind in KINDS if kind.startswith("transcripts")]
JUDGED = (
    "state",
    "turn",
    "blamed",
    "sequence",
    "unseen",
    "differing",
    "opening",
    "ended",
    "default",
    "verdict",
    "overall",
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_is_closed_and_comes_out_again(kind):
    tests = load(kind)
    assert [test["id"] for test in tests] == list(range(1, len(tests) + 1))
    assert {test["requirement"] for test in tests} <= KNOWN
    assert TOOL["render"](kind) == (SPEC / f"vectors/{kind}.json").read_text(), "run spec/tools/vectors.py"


def test_there_is_a_file_for_every_kind_and_no_other():
    assert {p.stem for p in (SPEC / "vectors").glob("*.json")} == set(KINDS) == set(TOOL["KINDS"])


def test_the_schema_is_the_tools_and_a_schema_of_draft_7():
    assert SCHEMA.read_text() == FORMS["render"](), "run spec/tools/schema.py"
    fastjsonschema.compile(json.loads(SCHEMA.read_text()))(document("tree"))


def objects(form):
    """Every object that a schema describes."""
    if isinstance(form, dict):
        if form.get("type") == "object":
            yield form
        form = list(form.values())
    for part in form if isinstance(form, list) else ():
        yield from objects(part)


def test_every_object_of_the_schema_is_closed_but_the_grader_under_test():
    found = list(objects(json.loads(SCHEMA.read_text())))
    open_ = [one for one in found if one.get("additionalProperties") is not False]
    assert len(found) > 40
    # A grader document may be malformed, that is what is tested; the files of a model have names of their own.
    assert [one for one in open_ if one not in ({"type": "object"}, FORMS["_FILES"])] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_too_many_or_too_few_is_refused(kind):
    honest = document(kind)
    for name in ("flags", *honest["tests"][0]):
        changed = {key: value for key, value in honest["tests"][0].items() if key != name}
        if name == "flags":
            changed["flags"] = []
        with pytest.raises(fastjsonschema.JsonSchemaException):
            reader(kind)({**honest, "tests": [changed]})
    for more in ({"notes": ""}, {"version": 2}, {"kind": "other"}, {"tests": []}):
        with pytest.raises(fastjsonschema.JsonSchemaException):
            reader(kind)({**honest, **more})


def test_a_result_that_is_neither_or_a_reason_in_its_wrong_place_is_refused():
    honest = document("tree")
    valid, invalid = (next(t for t in honest["tests"] if t["result"] == r) for r in ("valid", "invalid"))
    for bad in (
        {**valid, "result": "acceptable"},
        {**valid, "reason": "BAD_PROOF"},
        {**valid, "result": "invalid"},
        {**invalid, "reason": "bad proof"},
        {**invalid, "root": invalid["root"].upper()},
    ):
        with pytest.raises(fastjsonschema.JsonSchemaException):
            reader("tree")({**honest, "tests": [bad]})


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


@each("graded_test")
def test_graded_test(test):
    risks = Fraction(test["alpha_compliant"]), Fraction(test["alpha_violation"])
    plan = GradedPlan(test["size"], test["top"], test["threshold_total"], *risks, test["budget"])
    run = GradedTest(plan)
    met = GradedProcess(plan.size, plan.threshold - 1)
    missed = GradedProcess(plan.size, plan.size * plan.top - plan.threshold)
    for score in test["path"]:
        assert run.decision is None
        run.observe(None if score < 0 else score)
        met.push(max(score, 0))
        missed.push(0 if score < 0 else plan.top - score)
    found = run.result()
    assert (found.decision or "", found.total) == (test["decision"], test["total"])
    assert [str(one) for one in met.products] == test["w_compliant"]
    assert [str(one) for one in missed.products] == test["w_violation"]
    assert (str(found.p_compliant), str(found.p_violation)) == (test["p_compliant"], test["p_violation"])
    assert (found.total_low, found.total_high) == (test["total_low"], test["total_high"])


@each("json")
def test_json(test):
    outcome(test, lambda: canonical.load(bytes.fromhex(test["text"])))


@each("statements")
def test_statements(test):
    signers = [bytes.fromhex(key) for key in test["keys"]]
    sealed = test["sealed"].encode()
    outcome(test, lambda: statement.open_sealed(sealed, *signers))
    if test["result"] == "valid":
        assert statement.open_sealed(sealed, *signers).digest().hex() == test["digest"]


@each("key_histories")
def test_key_histories(test):
    def check():
        history = keys.read_history([one.encode() for one in test["entries"]])
        assert history.owner.hex() == test["root"]
        at = None if test["at"] < 0 else test["at"]
        history.certified(bytes.fromhex(test["key"]), Role(test["role"]), at)

    outcome(test, check)


@each("graders")
def test_graders(test):
    def read():
        return read_grader(Fields(test["grader"], "grader", reason=Reason.BAD_TERMS))

    outcome(test, read)
    if test["result"] == "invalid":
        return
    grader, output, reference = read(), bytes.fromhex(test["output"]), bytes.fromhex(test["reference"])
    assert grader.digest().hex() == test["digest"]
    assert grader.grade(output, reference) == test["outcome"]
    usable = {"result": "valid"} if test["usable"] else {"result": "invalid", "reason": "BAD_REGISTRATION"}
    outcome(usable, lambda: grader.check_reference(reference))


@each("binder")
def test_binder(test):
    names = ("transcript", "prover_nonce", "verifier_nonce", "answering_key", "hpke_key")
    transcript, prover, verifier, key, hpke = (bytes.fromhex(test[name]) for name in names)
    exercise = Exercise(Digest(transcript), Nonce(prover), Nonce(verifier), Bytes32(key), hpke)
    both = binders(exercise, [bytes.fromhex(one) for one in test["gpu_reports"]])
    assert (both.gpu32.hex(), both.bind64.hex()) == (test["gpu32"], test["bind64"])


@each("sealing")
def test_sealing(test):
    names = ("session", "commitment", "keys", "terms")
    session, commitment, stated, terms = (Digest.of_hex(test[name]) for name in names)
    what = Sealed(Role(test["role"]), session, commitment, test["size"])
    grant = Grant(what, stated, terms)
    assert grant.info().hex() == test["info"]

    def check():
        recipient = RecipientKey.of_entropy(Bytes32.of_hex(test["recipient"]))
        data_key = unwrap(bytes.fromhex(test["wrapped"]), recipient, grant)
        assert data_key.hex() == test["data_key"]
        source = io.BytesIO(bytes.fromhex(test["sealed"]))
        opened = b"".join(unseal(what, data_key, source.read))
        assert opened == bytes(n % 256 for n in range(test["size"]))

    outcome(test, check)


@pytest.mark.parametrize(
    "test", [one for kind in RECORDS for one in load(kind)], ids=lambda one: one["comment"]
)
def test_transcripts(test):
    record = io.BytesIO(base64.b64decode(test["record"]))
    pins = [Digest.of_hex(pin) for pin in test["pins"]]
    if "state" not in test:
        outcome(test, lambda: judge(record, pins))
        return
    found = judge(record, pins)
    fault, standing, verdict = found.fault, found.standing, found.verdict
    assert {name: test[name] for name in JUDGED} == {
        "state": found.state,
        "turn": found.turn or "",
        "blamed": fault.blamed or "" if fault else "",
        "sequence": fault.sequence if fault else 0,
        "unseen": list(found.unseen),
        "differing": list(found.differing),
        "opening": standing.opening.time if standing.opening else 0,
        "ended": standing.end.time if standing.end else 0,
        "default": standing.default.verdict if standing.default else "",
        "verdict": verdict.digest().hex() if verdict else "",
        "overall": verdict.predicate["overall"] if verdict else "",
    }
    assert ("invalid" if fault else "valid") == test["result"]
    assert (fault.reason if fault else None) == test.get("reason")


def test_every_cheat_of_the_table_gives_a_record_that_names_its_party():
    cheats = [t for t in load("transcripts") if t.get("blamed")]
    assert len(cheats) == len(TOOL["CHEATS"]) + 1  # and the equivocation
    assert {t["reason"] for t in cheats} >= {"EQUIVOCATION", "BAD_COIN", "WRONG_INDEX", "WRONG_VERDICT"}
    assert {t["comment"] for t in load("transcripts")} >= set(TOOL["CHEATS"])
    sealed = {t["comment"]: (t["blamed"], t["reason"]) for t in load("transcripts_sealed") if t.get("blamed")}
    late = {"an attempt after the keys were released"}
    assert set(sealed) == {cheat[0] for cheat in TOOL["SEALED_CHEATS"]} | late
    assert {blamed for blamed, _ in sealed.values()} == {"prover", "verifier"}
    assert {"BAD_EVIDENCE", "BAD_SEAL", "BAD_RECEIPT", "WRONG_VERDICT"} <= {r for _, r in sealed.values()}
