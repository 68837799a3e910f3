"""The strict helpers: DER, certificates, PEM, JSON, COSE, pinned roots."""

import base64
import hashlib
import warnings
from datetime import UTC, datetime
from importlib import resources

import evidence_cases as cases
import evidence_forge as forge
import pytest
from cryptography import x509 as pyca
from hypothesis import given, settings
from hypothesis import strategies as st
from parley_attestation.errors import LocalError
from parley_attestation.evidence import (
    EvidenceError,
    Finding,
    appraise,
    der,
    pem,
    roots,
    strictjson,
    tpm2,
    x509,
)
from parley_attestation.evidence.findings import Ledger
from parley_attestation.evidence.roots import pinned

VCEK = cases.read("snp/trustee/test-vcek.der")


# Serial number zero ---------------------------------------------------------------------------------


def test_a_vcek_with_serial_zero_is_read_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert x509.parse_certificate(VCEK).serial == 0


def test_an_snp_report_is_verified_where_cryptography_refuses_its_certificate(monkeypatch):
    """cryptography announces that serial number 0 will be an error; here it is one already."""

    def refuse(*_):
        raise ValueError("serial number")

    monkeypatch.setattr(pyca, "load_der_x509_certificate", refuse)
    monkeypatch.setattr(pyca, "load_pem_x509_certificate", refuse)
    case = cases.case("snp-milan-trustee")
    assert appraise(case.item(), cases.make_policy(cases.rules()), None, case.at).authentic


# Certificates ---------------------------------------------------------------------------------------


def every_certificate() -> list[bytes]:
    """Every certificate of the test data and of the package, but those with serial zero."""
    found = [pinned(name).raw for name in roots.PINS]
    for case in cases.captures():
        if case.passes:
            found += case.item().endorsements.certificates
    return [raw for raw in dict.fromkeys(found) if x509.parse_certificate(raw).serial]


def test_certificates_are_read_as_cryptography_reads_them():
    found = every_certificate()
    assert len(found) > 15
    for raw in found:
        ours, theirs = x509.parse_certificate(raw), pyca.load_der_x509_certificate(raw)
        assert ours.serial == theirs.serial_number
        assert ours.tbs == theirs.tbs_certificate_bytes
        assert ours.signature == theirs.signature
        assert ours.subject == theirs.subject.public_bytes()
        assert ours.issuer == theirs.issuer.public_bytes()
        assert datetime.fromtimestamp(ours.not_before, UTC) == theirs.not_valid_before_utc
        assert datetime.fromtimestamp(ours.not_after, UTC) == theirs.not_valid_after_utc
        assert set(ours.extensions) == {der.oid(e.oid.dotted_string) for e in theirs.extensions}


def test_crls_are_read_as_cryptography_reads_them():
    raw = cases.read("tdx/go-tdx-guest/pckcrl")
    ours, theirs = x509.parse_crl(raw, 1 << 20), pyca.load_der_x509_crl(raw)
    assert x509.revoked_serials(ours) == {one.serial_number for one in theirs}
    assert len(x509.revoked_serials(ours)) > 10
    assert datetime.fromtimestamp(ours.next_update, UTC) == theirs.next_update_utc


def link(issuer, **changes):
    return forge.issue("leaf", forge.p256(), issuer, ca=False, **changes)


def path_findings(path, root):
    ledger = Ledger()
    try:
        x509.verify_path([c.parsed() for c in path], [root.parsed()], forge.NOW, ledger)
    except EvidenceError as error:
        ledger.record(error)
    return {c.finding for c in ledger.checks if not c.ok}


def test_paths_are_exact():
    root = forge.issue("root", forge.p256())
    middle = forge.issue("middle", forge.p256(), root)
    leaf = link(middle)
    plain = forge.issue("middle", forge.p256(), root, ca=False)
    imposter = forge.issue("root", forge.p256())
    assert path_findings([leaf, middle, root], root) == set()
    assert path_findings([leaf, middle], root) == set()
    assert path_findings([leaf, root], root) == {Finding.CHAIN_BROKEN}
    assert path_findings([middle, leaf, root], root) == {Finding.CHAIN_BROKEN}
    assert path_findings([leaf, middle, imposter], root) == {Finding.ROOT_NOT_PINNED}
    assert path_findings([leaf, middle, imposter, root], root) == {Finding.CHAIN_BROKEN}
    assert path_findings([link(plain), plain, root], root) == {Finding.CHAIN_BROKEN}
    assert path_findings([link(imposter)], root) == {Finding.CHAIN_BROKEN}
    assert path_findings([leaf] * 9, root) == {Finding.CHAIN_BROKEN}
    assert path_findings([], root) == {Finding.CHAIN_BROKEN}


def test_a_critical_extension_that_nobody_understands_is_refused():
    root = forge.issue("root", forge.p256())
    odd = link(root, extensions=[("1.2.3.4", b"\x05\x00")], critical=True)
    with pytest.raises(EvidenceError):
        odd.parsed()
    assert link(root, extensions=[("1.2.3.4", b"\x05\x00")]).parsed().common_name == "leaf"


def test_a_signature_by_another_hash_than_the_curves_is_refused():
    root = forge.issue("root", forge.p384())
    with pytest.raises(EvidenceError):
        x509.verify_issued(link(root, digest=forge.hashes.SHA256()).parsed(), root.parsed())


@pytest.mark.parametrize("name", sorted(roots.PINS))
def test_every_root_is_the_one_whose_digest_stands_in_the_code(name):
    assert hashlib.sha256(pinned(name).raw).hexdigest() == roots.PINS[name]
    assert pinned(name).is_ca


def test_a_root_file_that_was_exchanged_is_our_own_fault(monkeypatch):
    monkeypatch.setitem(roots.PINS, "intel_sgx_root_ca", "00" * 32)
    pinned.cache_clear()
    with pytest.raises(LocalError):
        pinned("intel_sgx_root_ca")
    monkeypatch.undo()
    pinned.cache_clear()


def test_no_certificate_lies_in_the_package_that_is_not_pinned():
    files = {f.name.removesuffix(".pem") for f in resources.files(roots).iterdir() if f.name.endswith(".pem")}
    assert files == set(roots.PINS)


# DER ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "30",
        "3001",
        "3080",
        "308000",
        "308100",
        "30817f" + "00" * 127,
        "3082000100",
        "3085000000000100",
        "1f8100",
        "300000",
        "020100",
        "3003020180ff",
    ],
)
def test_der_that_is_not_minimal_definite_and_exact_is_refused(raw):
    with pytest.raises(EvidenceError):
        der.parse(bytes.fromhex(raw))


@pytest.mark.parametrize("inner", ["0205ff", "1f0100", "02", "028100", "02850000000001ff"])
def test_elements_inside_others_are_as_strict_and_stay_inside(inner):
    raw = bytes.fromhex(inner)
    node = der.parse(bytes((0x30, len(raw))) + raw)
    with pytest.raises(EvidenceError):
        der.children(node)


@pytest.mark.parametrize(
    ("read", "tag", "good", "bad"),
    [
        (der.boolean, der.BOOLEAN, {"00": False, "ff": True}, ["01", "", "0000"]),
        (der.bits, der.BIT_STRING, {"00": b"", "00aa": b"\xaa"}, ["", "01aa"]),
        (
            der.named_bits,
            der.BIT_STRING,
            {"0106": 96, "0780": 1, "078000": 1},
            ["", "00", "0806", "00000000"],
        ),
    ],
)
def test_booleans_and_bit_strings_are_read_in_one_form_only(read, tag, good, bad):
    for text, value in good.items():
        raw = bytes.fromhex(text)
        assert read(der.parse(bytes((tag, len(raw))) + raw, tag)) == value
    for text in bad:
        raw = bytes.fromhex(text)
        with pytest.raises(EvidenceError):
            read(der.parse(bytes((tag, len(raw))) + raw, tag))


@pytest.mark.parametrize("body", ["", "80", "0000", "0001", "00" + "80" * 64])
def test_integers_that_are_negative_or_padded_are_refused(body):
    raw = bytes.fromhex(body)
    with pytest.raises(EvidenceError):
        der.integer(der.parse(bytes((2, len(raw))) + raw, der.INTEGER))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1 << 500))
def test_integers_read_back(value):
    assert der.integer(der.parse(forge.number(value), der.INTEGER)) == value


@pytest.mark.parametrize(
    ("text", "tag", "seconds"),
    [
        ("700101000000Z", 0x17, 0),
        ("491231235959Z", 0x17, 2_524_607_999),
        ("99991231235959Z", 0x18, 253_402_300_799),
        ("7001010000Z", 0x17, None),
        ("700101000000+0000", 0x17, None),
        ("701301000000Z", 0x17, None),
        ("19700101000000.5Z", 0x18, None),
        ("1970010100000０Z", 0x18, None),
    ],
)
def test_times_are_read_in_one_form_only(text, tag, seconds):
    raw = text.encode()
    node = der.parse(bytes((tag, len(raw))) + raw, tag)
    if seconds is None:
        with pytest.raises(EvidenceError):
            der.time(node)
    else:
        assert der.time(node) == seconds


# PEM and JSON ---------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=4), st.sampled_from(["\n", "\r\n"]))
def test_pem_reads_what_any_tool_writes(certificates, end):
    text = ""
    for raw in certificates:
        body = base64.b64encode(raw).decode()
        lines = [body[n : n + 64] for n in range(0, len(body), 64)]
        text += end.join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
    assert pem.chain(text.encode() + b"\0") == tuple(certificates)
    noisy = b"subject=/CN=x\n" + text.encode() + b"\nbag attributes\n"
    assert pem.chain(pem.anywhere(noisy)) == tuple(certificates)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t + b"x",
        lambda t: b"x" + t,
        lambda t: t.replace(b"MII", b"M!I"),
        lambda t: t.replace(b"=\n", b"\n"),
        lambda t: t[:-30],
        lambda t: t * 9,
        lambda t: t[:0],
        lambda t: t.replace(b"\n-----END", b"\x0b-----END"),
    ],
)
def test_pem_with_anything_else_in_it_is_refused(change):
    text = resources.files(roots).joinpath("intel_sgx_root_ca.pem").read_bytes()
    assert pem.chain(text)
    with pytest.raises(EvidenceError):
        pem.chain(change(text))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":2}',
        b'{"a":1.5}',
        b'{"a":NaN}',
        b'{"a":1e9}',
        b"[" * 14 + b"]" * 14,
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
        b"{} {}",
        b"\xff",
        b"",
    ],
)
def test_json_with_duplicates_floats_depth_or_rests_is_refused(raw):
    with pytest.raises(EvidenceError):
        strictjson.load(raw, 1 << 20, "x")


def test_json_has_a_size_and_its_integers_64_bits():
    assert strictjson.load(b'{"a":18446744073709551615}', 26, "x") == {"a": 2**64 - 1}
    with pytest.raises(EvidenceError) as caught:
        strictjson.load(b'{"a":18446744073709551615}', 25, "x")
    assert caught.value.finding is Finding.SIZE
    with pytest.raises(EvidenceError):
        strictjson.load(b'{"a":118446744073709551615}', 99, "x")


@pytest.mark.parametrize("value", ["00ff", "AP8=", "AP8", "AP_=".replace("_", "8"), [0, 255]])
def test_bytes_are_read_in_every_spelling_of_evidence_files(value):
    assert tpm2.octets(value, "x") == b"\x00\xff"


@pytest.mark.parametrize("value", [None, 5, "!", "é", [256], [True], {"a": 1}, "0"])
def test_bytes_in_another_spelling_are_refused(value):
    with pytest.raises(EvidenceError):
        tpm2.octets(value, "x")
