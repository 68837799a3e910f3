"""Objects that the text writes in braces: a reader takes exactly their fields, and what it says of each."""

import base64
import dataclasses
import json
import re

import pytest
import worked
from documents import Document, Member, braces, limits, members, names
from evaluate import value_of
from parley.v1 import session_pb2
from parley_attestation import canonical, envelope, statement
from parley_attestation.canonical import Fields
from parley_attestation.errors import PeerError
from parley_attestation.evidence import archive, cose, tpm2
from parley_attestation.grading import read_grader
from parley_attestation.receipt import Count
from parley_attestation.runtime import read_runtime
from parley_attestation.script import read_script
from parley_attestation.sealed_terms import SECOND_PLACE, read_sealed_terms
from parley_attestation.session.bodies import ClaimedResult
from parley_attestation.terms import _operator
from reading import obj, section

HEX = "ab" * 32


def test_an_envelope_in_json_has_the_members_of_the_text():
    said = members(obj("envelopes", '{"payload"'))
    valid = json.loads(envelope.to_json(worked.record().turns[0].envelope))
    known = Document(valid, lambda doc: envelope.from_json(canonical.dump(doc)))
    known.has(said)
    known.has(members(said[2].rule), ("signatures", 0))
    assert base64.b64decode(valid["payload"]) == worked.record().turns[0].envelope.payload
    assert valid["signatures"][0]["keyid"] == worked.record().turns[0].envelope.signatures[0].key.hex()


def test_a_statement_has_the_members_of_the_text():
    said = members(obj("statements", '{"_type"'))
    valid = json.loads(worked.record().machine.facts.terms_statement.payload())
    known = Document(valid, lambda doc: statement.parse(canonical.dump(doc)))
    known.has(said)
    rules = {one.name: one.rule for one in said}
    assert known.at(("_type",)) == json.loads(rules["_type"])
    assert not known.with_value(("_type",), "https://in-toto.io/Statement/v2")
    subject = members(rules["subject"])
    known.has(subject, ("subject", 0))
    known.has(members(subject[1].rule), ("subject", 0, "digest"))
    assert known.follow(rules["predicateType"].removeprefix("text of "), ("predicateType",))
    assert known.follow(subject[0].rule.removeprefix("text of "), ("subject", 0, "name"))


def test_a_turn_of_a_script_has_the_members_of_the_text():
    said = names(obj("test-set", "{role"))
    turns = [{"role": "user", "content": "a"}, {"role": "assistant"}]
    assert list(turns[0]) == said
    assert read_script(canonical.dump(turns)).turns == (("user", "a"), ("assistant", None))
    for broken in ({"role": "user"}, {"content": "a"}, {**turns[0], "name": "x"}):
        with pytest.raises(PeerError):
            read_script(canonical.dump([broken, turns[1]]))


def test_an_operator_has_the_members_of_the_text():
    said = members(obj("terms", "{key, run_by"))
    known = Document(
        {"key": HEX, "run_by": "neutral", "reads": ["tests"]}, lambda doc: _operator(Fields(doc))
    )
    known.has(said)
    assert known.follow({one.name: one.rule for one in said}["run_by"], ("run_by",))
    assert "reads being a sorted subset of `tests`, `weights`" in section("terms")
    for reads in ([], ["tests"], ["weights"], ["tests", "weights"]):
        assert known.with_value(("reads",), reads)
    for reads in (["weights", "tests"], ["tests", "tests"], ["outputs"]):
        assert not known.with_value(("reads",), reads)


def test_a_resumption_has_the_members_of_the_text():
    said = names(obj("resumption", "Resume{"))
    assert said == [field.name for field in session_pb2.Resume.DESCRIPTOR.fields]


def test_an_item_of_evidence_has_the_members_of_the_text():
    said = members(obj("evidence", "{name (1..64"))
    valid = {
        "name": "cpu", "kind": "snp", "raw": "AAAA", "certificates": ["AAAA"], "crls": ["AAAA"], "ocsp": ["AAAA"],
        "collateral": {},
    }  # fmt: skip
    more = dict.fromkeys(("certificates", "crls", "ocsp"), lambda n: base64.b64encode(bytes([n])).decode())
    known = Document(valid, lambda doc: archive.read_item(Fields(doc)), more=more)
    known.has(said)
    understood = {one.name for one in said if known.follow(one.rule, (one.name,))}
    assert understood == {"name", "kind", "certificates", "crls", "ocsp"}
    most = re.search(r"raw at most (\d+) bytes", section("evidence"))
    assert most
    for size in (int(most[1]), int(most[1]) + 1):
        raw = base64.b64encode(bytes(size)).decode()
        assert known.with_value(("raw",), raw) == (size == int(most[1]))


def test_a_claimed_result_has_the_members_of_the_text():
    assert names(obj("open", "{codes")) == [one.name for one in dataclasses.fields(ClaimedResult)]


def test_the_rules_of_sealed_mode_are_those_of_the_text():
    said = names(obj("sealed-terms", "{bits"))
    listed = re.findall(r"^\* `(\w+)`(?: \(((?:0, or )?[\d.^]+)\))?: ", section("sealed-terms"), re.MULTILINE)
    assert [name for name, _ in listed] == said
    valid = worked.record(
        "transcripts_sealed", "a sealed exercise that ends COMPLIANT"
    ).machine.facts.terms.document()

    def mend(document, path):
        document["notice"] = SECOND_PLACE if document["quorum"] != 1 else ""

    known = Document(valid["binding"]["sealed"], lambda doc: read_sealed_terms(Fields(doc)), mend)
    known.has(tuple(Member(name, "", optional=False) for name in said))
    ranged = {name: rule for name, rule in listed if rule}
    for name, rule in ranged.items():
        assert known.follow(rule.removeprefix("0, or "), (name,)) or rule.startswith("0, or ")
    assert set(ranged) == {"bits", "quorum", "release_seconds", "round_to", "runs"}
    assert known.with_value(("release_seconds",), 0)
    notice = re.search(r"`notice`: with quorum 1 empty, else exactly `([^`]+)`", section("sealed-terms"))
    assert notice
    assert notice[1] == SECOND_PLACE


def test_a_count_of_a_receipt_has_the_members_of_the_text():
    assert names(obj("sealed-messages", "{id, population")) == list(Count("a", 1, 1).document())


def test_a_runtime_document_of_a_program_has_the_members_of_the_text():
    said = members(obj("sealed-chamber", "{kind, command"))
    bounds = re.search(r"processes}`: (.*?)\. Its files", section("sealed-chamber"))
    assert bounds
    words, files, processes = limits(bounds[1])
    valid = {"kind": "program", "command": ["/run"], "files": [{"path": "f", "sha256": HEX}], "processes": 1}
    more = {"command": lambda n: f"/w{n}", "files": lambda n: {"path": f"f{n:05}", "sha256": HEX}}
    known = Document(valid, read_runtime, more=more)
    known.has(said)
    known.has(members(said[2].rule), ("files", 0))
    for name, (low, high) in (("command", words), ("files", files), ("processes", processes)):
        assert known.follow(f"{low}..{high}", (name,))
    assert not known.with_value(("command",), ["run"])
    pair = [{"path": name, "sha256": HEX} for name in ("b", "a")]
    assert not known.with_value(("files",), pair)
    assert known.with_value(("files",), pair[::-1])


def test_a_pattern_has_the_members_of_the_text():
    said = members(obj("graders", "{pattern"))
    valid = {
        "kind": "exact",
        "trim": True,
        "ignore_case": False,
        "refusal": {"pattern": "no", "ignore_case": True},
    }
    known = Document(valid, lambda doc: read_grader(Fields(doc)))
    known.has(said, ("refusal",))
    bounds = re.search(r"RE2 syntax over code points, (\d+\.\.\d+) bytes", section("graders"))
    assert bounds
    assert known.follow(bounds[1], ("refusal", "pattern"))


def test_documents_of_graders_have_the_members_of_the_text():
    said = {
        "exact": obj("graders", "{kind, trim"),
        "multiple_choice": obj("graders", "{kind, choices"),
        "numeric": obj("graders", "{kind, absolute"),
        "contains": obj("graders", "{kind, ignore_case, whole_words"),
        "regex": obj("graders", "{kind, whole, "),
        "json_field": obj("graders", "{kind, path"),
        "checklist": obj("graders", "{kind, points"),
    }
    valid = {
        "trim": True, "ignore_case": True, "choices": ["a", "b"], "absolute": "0", "relative": "0.5",
        "pick": "only", "thousands": False, "whole_words": True, "whole": True, "path": ["a"], "points": 5,
    }  # fmt: skip
    more = {"choices": lambda n: "x" + "abcdefghij"[n // 10] + "abcdefghij"[n % 10], "path": "k{}".format}
    for kind, text in said.items():
        assert f"{kind}:\n: `{text}`" in section("graders")
        fields = members(text)
        document = {"kind": kind} | {one.name: valid[one.name] for one in fields if one.name in valid}
        known = Document(document, lambda doc: read_grader(Fields(doc)), more=more)
        general = (Member("refusal", "", optional=True), Member("answers", "", optional=True))
        known.has((*fields, *general))
        ruled = {one.name for one in fields if one.rule and known.follow(one.rule, (one.name,))}
        assert ruled == {"numeric": {"pick"}}.get(kind, {"choices", "path", "points"} & set(document))
        for one in fields:
            if one.optional:
                assert known.takes({**document, one.name: "x" * 64})
                assert not known.takes({**document, one.name: "x" * 65})
        if kind == "json_field":
            bound = re.search(r"keys of at most (\d+) characters or positions below (\S+)$", fields[1].rule)
            assert bound
            known.between(("path",), 0, int(bound[1]), lambda size: ["x" * size])
            known.between(("path",), 0, value_of(bound[2], {}) - 1, lambda size: [size])
    assert "`marker` (1..64 characters)" in section("graders")


def test_the_header_of_a_nitro_document_is_the_one_of_the_text():
    key, algorithm = braces(obj("layout-nitro", "{1"))[0].split(": ")
    assert int(key) == 1
    assert -value_of(algorithm.removeprefix("-"), {}) == cose._ES384


def test_a_tpm_quote_has_the_members_of_the_text():
    first, *rest = names(obj("layout-tpm", "{ak_public"))
    assert first == "ak_public"
    given = {"message": "00", "signature": "00" * 256, "pcrs": []}
    assert list(given) == rest
    for n, name in enumerate(rest):
        with pytest.raises(PeerError, match=f"^MALFORMED: {name}: expected .*, found nothing"):
            tpm2.read_signed(Fields({key: given[key] for key in rest[:n]}))
    with pytest.raises(PeerError, match="unknown field 'flags'"):
        tpm2.read_signed(Fields({**given, "flags": []}))
