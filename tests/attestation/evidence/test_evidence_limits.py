"""Sizes and shapes that no vendor sends: each is refused by its own rule, signed or not."""

import base64
import json
import struct
from dataclasses import replace

import cbor2
import evidence_cases as cases
import pytest
from evidence_cases import failures
from evidence_forge import NOW
from parley_attestation import canonical
from parley_attestation.ed25519 import SigningKey
from parley_attestation.evidence import (
    Endorsements,
    EvidenceError,
    EvidenceItem,
    Finding,
    GpuNonce,
    appraise,
    azure,
    cose,
    nitro,
    nvidia,
    pem,
    tdx,
    tpm2,
    x509,
)
from parley_attestation.evidence.simulated import SimulatedEnclave

F = Finding
GPU = GpuNonce(bytes(range(32)))


def refusal(parse, *arguments) -> Finding:
    with pytest.raises(EvidenceError) as caught:
        parse(*arguments)
    return caught.value.finding


def test_pem_has_a_size_and_one_spelling():
    block = b"-----BEGIN CERTIFICATE-----\n%b\n-----END CERTIFICATE-----\n"
    assert pem.chain(block % b"AA==") == (b"\0",)
    assert refusal(pem.chain, block % b"AB==") is F.BAD_CERTIFICATE
    assert refusal(pem.chain, block % (b"AAAA\n" * 14_000).strip()) is F.BAD_CERTIFICATE


def test_a_certificate_and_a_crl_have_a_size():
    assert refusal(x509.parse_certificate, bytes(x509.MAX_CERTIFICATE + 1)) is F.BAD_CERTIFICATE
    assert refusal(x509.parse_crl, bytes(11), 10) is F.BAD_ENDORSEMENT


@pytest.mark.parametrize("binder", ["0", "zz", "AB"])
def test_a_simulated_binder_is_hexadecimal(binder):
    root = SigningKey(bytes(32))
    body = json.loads(SimulatedEnclave(root, "s", b"\0").collect(b""))["body"] | {"binder": binder}
    raw = canonical.dump({"body": body, "signature": "00" * 64})
    policy = cases.make_policy(cases.laboratory(cases.rules(), root.public.hex()))
    found = appraise(EvidenceItem("simulated", raw), policy, None, 0).failures
    assert [c.finding for c in found] == [F.MALFORMED]


def test_simulated_evidence_of_another_profile_is_refused():
    root = SigningKey(bytes(32))
    body = json.loads(SimulatedEnclave(root, "s", b"\0").collect(b""))["body"] | {"profile": "hardware"}
    raw = canonical.dump({"body": body, "signature": "00" * 64})
    policy = cases.make_policy(cases.laboratory(cases.rules(), root.public.hex()))
    found = appraise(EvidenceItem("simulated", raw), policy, None, 0).failures
    assert [c.finding for c in found] == [F.UNSUPPORTED_VERSION]


def gpu_report(blocks=b"", count=0, opaque=b"") -> bytes:
    raw = (
        b"\x11\xe0\x01\xff"
        + bytes(33)
        + b"\x11\x60\0\0"
        + bytes((count,))
        + len(blocks).to_bytes(3, "little")
    )
    return raw + blocks + bytes(32) + struct.pack("<H", len(opaque)) + opaque + bytes(96)


def block(index: int, specification: int = 1, value: bytes = b"abc") -> bytes:
    inner = b"\1" + struct.pack("<H", len(value)) + value
    return bytes((index, specification)) + struct.pack("<H", len(inner)) + inner


@pytest.mark.parametrize("change", [lambda r: r + b"\0", lambda r: r[:-1], lambda r: r[:0x2A0]])
def test_an_snp_report_has_exactly_one_size(amd, change):
    item = amd.item("genoa")
    assert failures(replace(item, raw=change(item.raw))) == {F.SIZE}


def test_a_report_without_its_certificate_is_refused(amd):
    assert failures(replace(amd.item("genoa"), endorsements=Endorsements())) == {F.ENDORSEMENT_MISSING}


def test_a_gpu_report_has_a_size_and_names_everything_once():
    assert nvidia.parse(gpu_report(block(1) + block(2), 2)).measurements == {1: b"abc", 2: b"abc"}
    assert refusal(nvidia.parse, bytes(nvidia.MAX_REPORT + 1)) is F.SIZE
    assert refusal(nvidia.parse, gpu_report(block(1) + block(1), 2)) is F.MALFORMED
    assert refusal(nvidia.parse, gpu_report(block(1, 2), 1)) is F.MALFORMED
    assert refusal(nvidia.parse, gpu_report(block(1), 0)) is F.TRAILING_BYTES
    assert refusal(nvidia.parse, gpu_report(block(1), 2)) is F.MALFORMED
    field = struct.pack("<HH", 3, 1) + b"x"
    assert nvidia.parse(gpu_report(opaque=field)).opaque == {"driver": b"x"}
    assert refusal(nvidia.parse, gpu_report(opaque=field * 2)) is F.DUPLICATE_KEY
    assert refusal(nvidia.parse, gpu_report(opaque=field[:-1])) is F.MALFORMED


def test_a_gpu_certificate_must_be_a_leaf_under_a_named_model(gpus):
    item = gpus.item()
    short = replace(
        item, endorsements=replace(item.endorsements, certificates=item.endorsements.certificates[1:])
    )
    assert failures(short, binder=GPU) == {F.WRONG_CERTIFICATE_ROLE}
    unnamed = gpus.item("")
    assert failures(unnamed, binder=GPU) == {F.WRONG_CERTIFICATE_ROLE}


@pytest.mark.parametrize(
    "value", [{}, [], [b""] * 3, [b"", {}, b"", "text"], [b"", {}, 1, b""], ["", {}, b"", b""]], ids=str
)
def test_cose_of_another_shape_is_refused(value):
    assert refusal(cose.parse, cbor2.dumps(value), "x") is F.MALFORMED


def test_cose_with_more_in_its_protected_header_is_refused():
    header = cbor2.dumps({1: -35, 4: b"kid"})
    assert refusal(cose.parse, cbor2.dumps([header, {}, b"", b""]), "x") is F.UNSUPPORTED_ALGORITHM


def test_a_nitro_document_has_a_size():
    item = EvidenceItem("nitro", bytes(nitro.MAX_DOCUMENT + 1))
    assert failures(item) == {F.SIZE}


NITRO_SHAPES = [
    {"module_id": ""},
    {"module_id": 5},
    {"module_id": "x" * 201},
    {"timestamp": 0},
    {"timestamp": True},
    {"timestamp": 1 << 52},
    {"pcrs": []},
    {"pcrs": 5},
    {"pcrs": "pcr"},
    {"pcrs": {}},
    {"pcrs": {"0": b""}},
    {"certificate": b""},
    {"certificate": "x"},
    {"certificate": bytes(4097)},
    {"cabundle": [b"x"] * 8},
    {"cabundle": ["x"]},
    {"nonce": "x"},
]


@pytest.mark.parametrize("change", NITRO_SHAPES, ids=str)
def test_nitro_fields_of_another_shape_are_refused(aws, change):
    payload = cbor2.dumps(aws.payload(**change))
    assert refusal(nitro.parse_payload, payload) is F.MALFORMED


@pytest.mark.parametrize("name", ["module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"])
def test_nitro_fields_that_are_missing_are_refused(aws, name):
    payload = aws.payload()
    del payload[name]
    assert refusal(nitro.parse_payload, cbor2.dumps(payload)) is F.MALFORMED
    assert refusal(nitro.parse_payload, cbor2.dumps([1])) is F.MALFORMED


def test_nitro_leaf_that_is_an_authority_is_refused(aws):
    import evidence_forge as forge  # noqa: PLC0415 - one certificate

    key = aws.leaf.key
    leaf = forge.issue("leaf", key, aws.zone, since=NOW - 60, until=NOW + 60)
    assert failures(aws.item(certificate=leaf.der)) == {F.WRONG_CERTIFICATE_ROLE}


# Quotes ---------------------------------------------------------------------------------------------


def edited(raw: bytes, at: int, value: bytes) -> bytes:
    return raw[:at] + value + raw[at + len(value) :]


def test_quotes_of_another_kind_are_refused(intel):
    raw = intel.quote()
    assert refusal(tdx.parse, edited(raw, 0, b"\2\0")) is F.UNSUPPORTED_VERSION
    assert refusal(tdx.parse, edited(raw, 0, b"\3\0")) is F.UNSUPPORTED_VERSION
    assert refusal(tdx.parse, edited(raw, 2, b"\3\0")) is F.UNSUPPORTED_ALGORITHM
    assert refusal(tdx.parse, edited(raw, 4, b"\x82")) is F.UNSUPPORTED_VERSION
    assert refusal(tdx.parse, edited(raw, 12, b"\0")) is F.UNSUPPORTED_VERSION
    at = 632 + 4 + 128
    assert refusal(tdx.parse, edited(raw, at, b"\5\0")) is F.UNSUPPORTED_ALGORITHM
    inner = at + 6 + 384 + 64 + 2 + 32
    assert refusal(tdx.parse, edited(raw, inner, b"\1\0")) is F.UNSUPPORTED_ALGORITHM


def test_every_length_of_a_quote_must_be_exact(intel):
    raw = intel.quote()
    at = 632
    for where, size in ((at, 4), (at + 4 + 130, 4), (at + 4 + 134 + 448, 2), (at + 4 + 134 + 450 + 34, 4)):
        value = int.from_bytes(raw[where : where + size], "little")
        for wrong in (value - 1, value + 1):
            broken = edited(raw, where, wrong.to_bytes(size, "little"))
            with pytest.raises(EvidenceError):
                tdx.parse(broken)
    five = intel.quote(version=5)
    for wrong in (583, 585, 648):
        assert refusal(tdx.parse, edited(five, 50, wrong.to_bytes(4, "little"))) is F.UNSUPPORTED_VERSION


def test_an_attestation_key_off_its_curve_is_refused(intel):
    raw = intel.quote()
    item = EvidenceItem("tdx", edited(raw, 632 + 4 + 64, bytes(64)))
    assert F.SIGNATURE_INVALID in failures(item)


# TPM and HCL ----------------------------------------------------------------------------------------


def quote_message(**changes) -> bytes:
    parts = {
        "magic": b"\xffTCG",
        "type": b"\x80\x18",
        "signer": b"\0\0",
        "extra": b"\0\2hi",
        "clock": bytes(17 + 8),
        "selections": b"\0\0\0\1\0\x0b\3\1\0\0",
        "digest": b"\0\1d",
        "tail": b"",
    } | changes
    return b"".join(parts.values())


def test_a_tpm_quote_is_read_exactly():
    quote = tpm2.parse_quote(quote_message())
    assert (quote.extra_data, quote.selections, quote.pcr_digest) == (b"hi", ((0x0B, (0,)),), b"d")


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"magic": b"\xffTCH"}, F.UNSUPPORTED_VERSION),
        ({"type": b"\x80\x17"}, F.UNSUPPORTED_VERSION),
        ({"extra": b"\xff\xff"}, F.MALFORMED),
        ({"selections": b"\0\0\0\5"}, F.MALFORMED),
        ({"selections": b"\0\0\0\1\0\x0f\3\1\0\0"}, F.UNSUPPORTED_ALGORITHM),
        ({"selections": b"\0\0\0\1\0\x0b\5\1\0\0\0\0"}, F.UNSUPPORTED_ALGORITHM),
        ({"tail": b"\0"}, F.TRAILING_BYTES),
    ],
)
def test_a_tpm_quote_of_another_shape_is_refused(change, finding):
    assert refusal(tpm2.parse_quote, quote_message(**change)) is finding


def hcl(**changes) -> bytes:
    runtime = changes.get("runtime", b"{}")
    size = changes.get("size", len(runtime) + 20)
    fields = (size, changes.get("version", 1), changes.get("kind", 2), changes.get("digest", 1), len(runtime))
    return changes.get("magic", b"HCLA") + bytes(28 + 0x4A0) + struct.pack("<5I", *fields) + runtime


def test_an_hcl_report_is_read_exactly():
    assert azure.parse_hcl(hcl()).runtime == b"{}"
    assert azure.parse_hcl(hcl(size=2) + bytes(99)).runtime == b"{}"


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"magic": b"HCLB"}, F.UNSUPPORTED_VERSION),
        ({"version": 2}, F.UNSUPPORTED_VERSION),
        ({"kind": 3}, F.UNSUPPORTED_VERSION),
        ({"digest": 2}, F.UNSUPPORTED_VERSION),
        ({"size": 23}, F.MALFORMED),
    ],
)
def test_an_hcl_report_of_another_shape_is_refused(change, finding):
    assert refusal(azure.parse_hcl, hcl(**change)) is finding
    assert refusal(azure.parse_hcl, hcl() + b"\1") is F.TRAILING_BYTES


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [{"kid": "HCLEkPub", "kty": "RSA", "n": "AQAB", "e": "AQAB"}],
        [{"kid": "HCLAkPub", "kty": "EC", "n": "AQAB", "e": "AQAB"}],
        [{"kid": "HCLAkPub", "kty": "RSA", "n": "AQAB", "e": "AQAB"}] * 2,
    ],
)
def test_a_runtime_without_one_attestation_key_is_refused(keys):
    assert refusal(azure.attestation_key, json.dumps({"keys": keys}).encode()) is F.MALFORMED


@pytest.mark.parametrize(("bits", "exponent"), [(1024, 65537), (9000, 65537), (2048, 1), (2048, 1 << 33)])
def test_a_runtime_key_of_an_unreasonable_size_is_refused(bits, exponent):
    def spell(number: int) -> str:
        return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode()

    key = {"kid": "HCLAkPub", "kty": "RSA", "n": spell((1 << bits) - 1), "e": spell(exponent)}
    found = refusal(azure.attestation_key, json.dumps({"keys": [key]}).encode())
    assert found in {F.UNSUPPORTED_ALGORITHM, F.MALFORMED}


def test_evidence_for_the_other_azure_kind_is_refused():
    case = cases.case("az-snp-v1")
    item = replace(case.item(), kind="az-tdx-vtpm")
    assert failures(item, at=case.at) == {F.UNKNOWN_KIND}
