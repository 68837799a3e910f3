"""Results, binders, collectors and archives: derived fields hold, nothing repeats, years change nothing."""

import json
from dataclasses import replace

import evidence_cases as cases
import evidence_forge as forge
import pytest
from evidence_forge import NOW
from hypothesis import given, settings
from hypothesis import strategies as st
from parley_attestation import canonical, statement
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Bytes32, Digest, Nonce
from parley_attestation.errors import LocalError, PeerError
from parley_attestation.evidence import (
    Assurance,
    Binder64,
    EvidenceItem,
    Exercise,
    Finding,
    GpuNonce,
    Kind,
    Status,
    appraise,
    appraise_all,
    archive,
    binders,
    gpu_nonce,
    read_result,
)
from parley_attestation.evidence.collect import ReplayCollector, SimulatedCollector, collect
from parley_attestation.evidence.simulated import SimulatedEnclave

EXERCISE = Exercise(Digest(b"\1" * 32), Nonce(b"\2" * 32), Nonce(b"\3" * 32), Bytes32(b"\4" * 32))
BOUND = Binder64(bytes(range(64)))


def everything():
    """Results of every capture under the strict policy."""
    return [appraise(c.item(), cases.make_policy(cases.rules()), None, c.at) for c in cases.captures()]


# Results --------------------------------------------------------------------------------------------


def test_every_result_reads_back_from_its_signed_statement():
    key = SigningKey(b"\5" * 32)
    for result in everything():
        sealed = statement.seal(result.statement(), key)
        assert read_result(statement.open_sealed(sealed, key.public)) == result


def test_hostile_names_are_escaped_and_read_back(aws):
    odd = forge.issue("\x1b[31m" + "\u202e\x00" * 14, forge.p384())
    items = [
        EvidenceItem("\x1b[2J" * 30, b"x"),
        EvidenceItem("nitro", aws.sign(forge.cbor2.dumps(aws.payload(cabundle=[odd.der, aws.zone.der])))),
        aws.item(module_id="\x07\u200b" * 60),
    ]
    for item in items:
        said = appraise(item, cases.make_policy(cases.rules()), None, NOW).statement()
        assert said.payload().isascii() or "\x1b" not in said.payload().decode()
        assert b"\\u001b" not in said.payload()
        assert read_result(statement.parse(said.payload())).statement().payload() == said.payload()


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(status="affirming"),
        lambda d: d.update(assurance="attested"),
        lambda d: d.update(key_covered=True),
        lambda d: d.update(roots=["intel"]),
        lambda d: d["submods"][0].update({"ear.status": "affirming"}),
        lambda d: d["submods"][0]["ear.trustworthiness-vector"].update(hardware=2),
        lambda d: d["submods"][0].update(evidence="00" * 32),
        lambda d: d.update(extra=1),
        lambda d: d.update(eat_profile="x"),
        lambda d: d["submods"][0].update(shown=[]),
        lambda d: d["submods"][0].update(shown={"a": True}),
        lambda d: d["submods"][0].update(shown={"a": [1]}),
        lambda d: d["submods"][0].update(shown={str(n): 1 for n in range(65)}),
    ],
)
def test_a_result_whose_derived_fields_were_edited_is_refused(change):
    result = appraise(cases.case("snp/sig_zero.bin").item(), cases.make_policy(cases.rules()), None, NOW)
    said = result.statement()
    document = json.loads(json.dumps(said.predicate))
    change(document)
    with pytest.raises(PeerError):
        read_result(replace(said, predicate=document))


def test_the_vector_says_what_ar4si_says():
    case = cases.case("tdx-v4-qvl")
    document = cases.rules(references=[cases.own_reference(case.item(), case.at)])
    result = appraise(
        case.item(), cases.make_policy(document), cases.own_binder(case.item(), case.at), case.at
    )
    vector = {claim.value: value for claim, value in result.submods[0].vector.items() if value}
    assert vector == {
        "instance-identity": 2,
        "configuration": 2,
        "executables": 3,
        "hardware": 2,
        "runtime-opaque": 2,
    }
    bad = appraise(cases.case("snp/sig_zero.bin").item(), cases.make_policy(document), None, case.at)
    assert {claim.value: v for claim, v in bad.submods[0].vector.items() if v} == {"instance-identity": 99}
    assert bad.status is Status.CONTRAINDICATED


def test_a_key_is_covered_only_by_references_that_say_so_and_a_binder_that_matches(amd):
    item = amd.item("genoa")
    reference = cases.own_reference(item, NOW)
    held = cases.make_policy(cases.rules(references=[reference]))
    loose = cases.make_policy(cases.rules(references=[reference | {"holds_key": False}]))
    assert appraise(item, held, BOUND, NOW).assurance is Assurance.ATTESTED
    without = appraise(item, loose, BOUND, NOW)
    assert without.affirming
    assert not without.key_covered
    assert without.assurance is Assurance.NONE
    assert not appraise(item, held, Binder64(bytes(64)), NOW).key_covered


# Binders --------------------------------------------------------------------------------------------


def test_the_binder_commits_to_every_input_and_to_the_order_of_the_gpus():
    base = binders(EXERCISE, [b"a", b"b"])
    others = [
        binders(replace(EXERCISE, transcript=Digest(b"\7" * 32)), [b"a", b"b"]),
        binders(replace(EXERCISE, prover_nonce=Nonce(b"\7" * 32)), [b"a", b"b"]),
        binders(replace(EXERCISE, verifier_nonce=Nonce(b"\7" * 32)), [b"a", b"b"]),
        binders(replace(EXERCISE, answering_key=Bytes32(b"\7" * 32)), [b"a", b"b"]),
        binders(replace(EXERCISE, hpke_key=b"k"), [b"a", b"b"]),
        binders(EXERCISE, [b"b", b"a"]),
        binders(EXERCISE, [b"ab"]),
        binders(EXERCISE, [b"a", b"b", b""]),
        binders(EXERCISE),
    ]
    assert len({base.bind64, *(o.bind64 for o in others)}) == len(others) + 1
    assert {o.gpu32 for o in others[:4]}.isdisjoint({base.gpu32})
    assert {o.gpu32 for o in others[4:]} == {base.gpu32}


def test_the_binder_is_what_the_specification_computes():
    """Fixed so that other implementations can check theirs."""
    assert gpu_nonce(EXERCISE).hex() == GPU32
    assert binders(EXERCISE, [b"gpu"]).bind64.hex() == BIND64


GPU32 = "2d16dd723347a6688ef11960e91cd42213927b4903073d7d3fa41de4e1a929dd"
BIND64 = (
    "547e7e1662e4e984f73ecd95d1a2c5e7b246ddf610bbfdb6176026a6effda57d"
    "e093fd1497453c455a9316c217047de2e1caf77b588aaf207c87850f8bd58292"
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(*(st.binary(min_size=32, max_size=32),) * 4), min_size=2, max_size=6, unique=True))
def test_a_binder_never_repeats_across_sessions(sessions):
    found = [binders(Exercise(Digest(a), Nonce(b), Nonce(c), Bytes32(d))) for a, b, c, d in sessions]
    assert len({f.bind64 for f in found}) == len({f.gpu32 for f in found}) == len(sessions)


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_a_binder_of_another_size_is_refused(size):
    with pytest.raises(PeerError):
        Binder64(bytes(size))


# Collecting -----------------------------------------------------------------------------------------


def test_gpus_are_collected_first_and_the_cpu_commits_to_them(gpus, aws):
    class Gpu:
        kind = Kind.NVIDIA

        def collect(self, binder):
            item = gpus.item(nonce=binder)
            return replace(item, endorsements=replace(item.endorsements, ocsp=gpus.ocsp()))

    class Cpu:
        kind = Kind.NITRO

        def collect(self, binder):
            return aws.item(nonce=binder)

    items = collect([Cpu(), Gpu(), Gpu()], EXERCISE)
    assert list(items) == ["gpu0", "gpu1", "cpu0"]
    references = [cases.own_reference(items[name], NOW) for name in ("gpu0", "cpu0")]
    document = cases.rules(references=references, composite={"cpus": 1, "gpus": 2, "roots": 2})
    policy = cases.make_policy(document)
    result = appraise_all(items, policy, EXERCISE, NOW)
    assert result.affirming
    assert result.assurance is Assurance.ATTESTED
    assert result.roots == ("aws", "nvidia")
    swapped = {"gpu0": items["gpu1"], "gpu1": items["gpu0"], "cpu0": items["cpu0"]}
    failed = appraise_all(swapped, policy, EXERCISE, NOW)
    assert [c.finding for c in failed.failures] == [Finding.BINDER_MISMATCH]
    fewer = {"gpu0": items["gpu0"], "cpu0": items["cpu0"]}
    assert Finding.COMPOSITE_INCOMPLETE in {
        c.finding for c in appraise_all(fewer, policy, EXERCISE, NOW).failures
    }
    other = appraise_all(items, policy, replace(EXERCISE, answering_key=Bytes32(b"\7" * 32)), NOW)
    assert {c.finding for c in other.failures} == {Finding.BINDER_MISMATCH}


def test_a_capture_answers_only_its_own_binder():
    case = cases.case("tdx-v4-qvl")
    binder = cases.own_binder(case.item(), case.at)
    collector = ReplayCollector(case.item(), binder)
    assert collector.kind is Kind.TDX
    assert collector.collect(binder) == case.item()
    with pytest.raises(LocalError):
        collector.collect(bytes(64))


def test_a_simulated_enclave_is_collected_like_any_other():
    enclave = SimulatedEnclave(SigningKey(b"\6" * 32), "sim", b"\0" * 32)
    items = collect([SimulatedCollector(enclave)], EXERCISE)
    assert items["cpu0"].raw == enclave.collect(binders(EXERCISE).bind64)


# Archives -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases.captures(), ids=lambda case: case.name)
def test_an_archive_appraises_identically_when_it_is_opened_years_later(case, monkeypatch):
    item = case.item()
    made = archive.make({"cpu0": item}, cases.make_policy(cases.rules()), BOUND, case.at, b"proof")
    raw = made.dump()
    # The clock is set 40 years ahead for everything that could read it.
    monkeypatch.setattr("time.time", lambda: case.at + 40 * 365 * 86_400.0)
    again = archive.load(raw)
    assert again.dump() == raw
    assert again.time_proof == b"proof"
    assert again.replay().document() == made.result.document()


@pytest.mark.parametrize("binding", [None, BOUND, GpuNonce(bytes(32)), EXERCISE])
def test_an_archive_keeps_its_binding(binding):
    item = EvidenceItem("snp", b"x")
    again = archive.load(archive.make({"cpu0": item}, cases.make_policy(cases.rules()), binding, NOW).dump())
    assert again.binding == binding
    assert type(again.binding) is type(binding)


def test_an_archive_whose_evidence_or_conclusion_was_changed_is_refused():
    case = cases.case("tdx-v4-qvl")
    document = cases.rules(references=[cases.own_reference(case.item(), case.at)])
    binder = cases.own_binder(case.item(), case.at)
    made = archive.make({"cpu0": case.item()}, cases.make_policy(document), binder, case.at)
    bad = archive.make({"cpu0": case.item()}, cases.make_policy(document), Binder64(bytes(64)), case.at)
    with pytest.raises(PeerError):
        archive.load(replace(made, result=bad.result).dump()).replay()
    with pytest.raises(PeerError):
        archive.load(replace(made, at=case.at + 86_400 * 60).dump()).replay()


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_change_of_an_archives_bytes_is_refused_or_replays_to_what_it_says(data):
    made = archive.make({"cpu0": EvidenceItem("snp", b"xyz")}, cases.make_policy(cases.rules()), BOUND, NOW)
    raw = bytearray(made.dump())
    where = data.draw(st.integers(0, len(raw) - 1))
    raw[where] ^= data.draw(st.integers(1, 127))
    try:
        again = archive.load(bytes(raw))
        result = again.replay()
    except PeerError:
        return
    # What still reads is the same conclusion about the same evidence: names and proofs may differ.
    assert result.document() == again.result.document()
    assert again.dump() == bytes(raw)


def test_an_archive_is_one_canonical_json_file():
    raw = archive.make({"cpu0": EvidenceItem("snp", b"x")}, cases.make_policy(cases.rules()), None, 5).dump()
    assert canonical.load(raw)["format"] == archive.FORMAT
    with pytest.raises(PeerError):
        archive.load(raw + b"\n")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(format="tag:other"),
        lambda d: d.update(items=[]),
        lambda d: d.update(items=d["items"] * 2),
        lambda d: d["items"][0].update(raw="!"),
        lambda d: d["items"][0].update(raw="AB=="),
        lambda d: d["items"][0].update(certificates=["!"]),
        lambda d: d["items"][0].update(crls=[5]),
        lambda d: d["items"][0].update(certificates=[""] * 17),
        lambda d: d["items"][0].update(collateral={"tcb_info": ""}),
        lambda d: d["items"][0].update(extra=1),
        lambda d: d["binding"].update(rule="bind64"),
        lambda d: d["binding"].update(rule="perhaps"),
        lambda d: d["policy"].update(type="production", simulated_root=""),
        lambda d: d.update(at=-1),
        lambda d: d.update(result=""),
        lambda d: d.update(extra=1),
    ],
)
def test_an_archive_of_another_shape_is_refused(change):
    made = archive.make({"cpu0": EvidenceItem("snp", b"x")}, cases.make_policy(cases.rules()), None, 5)
    document = json.loads(made.dump())
    change(document)
    with pytest.raises(PeerError):
        archive.load(canonical.dump(document))
