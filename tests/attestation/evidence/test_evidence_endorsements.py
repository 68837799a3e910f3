"""Endorsements of other shapes: OCSP answers, PCK extensions, policies and records, each read strictly."""

from dataclasses import replace

import evidence_cases as cases
import pytest
from evidence_forge import number, oid, tlv
from evidence_forge_intel import SGX, sgx_extension
from parley_attestation import statement
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import PeerError
from parley_attestation.evidence import EvidenceError, Finding, der, ocsp, pck
from parley_attestation.evidence.compute import Close, Window, read_records, seal_record
from parley_attestation.statement import Subject

F = Finding


def refusal(call, *arguments) -> Finding:
    with pytest.raises(EvidenceError) as caught:
        call(*arguments)
    return caught.value.finding


# OCSP -----------------------------------------------------------------------------------------------


@pytest.fixture
def answer(gpus):
    gpus.item()
    return gpus.ocsp(status="UNKNOWN")[0]


def test_an_ocsp_response_is_read_as_it_was_made(gpus, answer):
    found = ocsp.parse(answer)
    (one,) = found.answers
    assert one.is_about(gpus.path[1].parsed(), gpus.path[2].parsed())
    assert not one.is_about(gpus.path[2].parsed(), gpus.path[3].parsed())
    assert one.status is ocsp.CertificateStatus.UNKNOWN


def test_ocsp_responses_of_other_kinds_hashes_states_and_sizes_are_refused(answer):
    basic = der.oid("1.3.6.1.5.5.7.48.1.1")
    sha256 = der.oid("2.16.840.1.101.3.4.2.1")
    for old, new in (
        (basic, basic[:-1] + b"\x02"),
        (sha256, sha256[:-1] + b"\x04"),
        (b"\x82\x00\x18\x0f", b"\x83\x00\x18\x0f"),
        (b"\x0a\x01\x00", b"\x0a\x01\x03"),
    ):
        assert answer.count(old) == 1
        assert refusal(ocsp.parse, answer.replace(old, new)) is F.BAD_ENDORSEMENT
    assert refusal(ocsp.parse, answer + bytes(ocsp.MAX_OCSP)) is F.BAD_ENDORSEMENT


def test_an_ocsp_response_that_names_no_responder_is_refused(answer):
    at = answer.index(b"\xa2\x16\x04\x14")
    assert refusal(ocsp.parse, answer[:at] + b"\xa4" + answer[at + 1 :]) is F.BAD_ENDORSEMENT


# PCK ------------------------------------------------------------------------------------------------


def platform(intel, raw: bytes | None):
    intel.quote()
    extensions = {} if raw is None else {der.oid(SGX): raw}
    return pck.platform_of(replace(intel.pck.parsed(), extensions=extensions))


def pairs(*entries) -> bytes:
    return tlv(0x30, b"".join(tlv(0x30, oid(name) + value) for name, value in entries))


def test_a_pck_extension_is_read_exactly(intel):
    found = platform(intel, sgx_extension(range(16), 513, intel.fmspc))
    assert (found.components, found.pce_svn, found.fmspc) == (tuple(range(16)), 513, intel.fmspc)
    assert refusal(platform, intel, None) is F.WRONG_CERTIFICATE_ROLE


@pytest.mark.parametrize(
    "raw",
    [
        sgx_extension([256 if n == 3 else 0 for n in range(16)], 1, bytes(6)),
        sgx_extension(range(16), 65536, bytes(6)),
        sgx_extension(range(15), 1, bytes(6)),
        sgx_extension(range(16), 1, bytes(5)),
        sgx_extension(range(16), 1, bytes(7)),
        pairs((f"{SGX}.1", tlv(4, bytes(16)))),
        pairs((f"{SGX}.1", tlv(4, bytes(16))), (f"{SGX}.1", tlv(4, bytes(16)))),
        pairs((f"{SGX}.1", number(1))),
        b"\x30\x00",
    ],
)
def test_a_pck_extension_of_another_shape_is_refused(intel, raw):
    assert refusal(platform, intel, raw) is F.BAD_CERTIFICATE


def test_a_field_that_stands_twice_in_the_pck_extension_is_refused_though_each_would_do(intel):
    twice = sgx_extension(range(16), 1, intel.fmspc)
    body = der.parse(twice).body
    again = tlv(0x30, body + tlv(0x30, oid(f"{SGX}.4") + tlv(4, bytes(6))))
    assert refusal(platform, intel, again) is F.BAD_CERTIFICATE


# Policies and records -------------------------------------------------------------------------------


@pytest.mark.parametrize("root", ["00", "zz" * 32, "AB" * 32, "0" * 65])
def test_a_simulated_root_is_64_hexadecimal_digits(root):
    with pytest.raises(PeerError):
        cases.make_policy(cases.laboratory(cases.rules(), root))


@pytest.mark.parametrize(
    "values", [[], {}, "x", {"measurement": []}, {"measurement": [5]}, {"measurement": "x"}]
)
def test_reference_values_are_lists_by_name(values):
    reference = {"kind": "snp", "name": "x", "holds_key": True, "values": values}
    with pytest.raises(PeerError):
        cases.make_policy(cases.rules(references=[reference]))


def test_a_record_whose_subject_is_another_place_in_the_chain_is_refused():
    key = SigningKey(bytes(32))
    sealed = seal_record(None, 5, Window("d", "b", 0, 5, None), key)
    assert read_records([sealed], key.public).records[0].at == 5
    said = statement.open_sealed(sealed, key.public)
    other = replace(said, subjects=(Subject("compute-record", Digest(bytes(32))),), raw=b"")
    with pytest.raises(PeerError):
        read_records([statement.seal(other, key)], key.public)


@pytest.mark.parametrize("field", ["run", "boot", "start"])
def test_a_record_with_a_field_of_another_shape_is_refused(field):
    key = SigningKey(bytes(32))
    said = statement.open_sealed(
        seal_record(None, 5, Window("d", "b", 0, 5, Bytes32(bytes(32))), key), key.public
    )
    predicate = said.predicate | {"body": said.predicate["body"] | {field: -1}}
    with pytest.raises(PeerError):
        read_records([statement.seal(replace(said, predicate=predicate, raw=b""), key)], key.public)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("flop", text) for text in ("-1", "1.5", str(10**33), "", "0x10", 5)),
        *(("missing", value) for value in ([-1], [True], ["1"], [100_001], 5)),
    ],
)
def test_numbers_on_record_are_whole_and_within_bounds(field, value):
    key = SigningKey(bytes(32))
    close = Close(Bytes32(bytes(32)), 0, 5, Digest(bytes(32)), ())
    said = statement.open_sealed(seal_record(None, 5, close, key), key.public)
    predicate = said.predicate | {"body": said.predicate["body"] | {field: value}}
    with pytest.raises(PeerError):
        read_records([statement.seal(replace(said, predicate=predicate, raw=b""), key)], key.public)
