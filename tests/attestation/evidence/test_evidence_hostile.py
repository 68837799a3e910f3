"""Hostile bytes: nothing signed can change, parsers only refuse, and nothing allocates out of proportion."""

import contextlib
import json
import tracemalloc
from dataclasses import replace

import cbor2
import evidence_cases as cases
import evidence_forge as forge
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parley_attestation.errors import PeerError, Reason
from parley_attestation.evidence import (
    Collateral,
    Endorsements,
    EvidenceItem,
    Finding,
    Kind,
    appraise,
    archive,
    azure,
    capture,
    cbor,
    cose,
    der,
    nitro,
    nvidia,
    ocsp,
    pem,
    read_result,
    snp,
    strictjson,
    tdx,
    tpm2,
    x509,
)

SAMPLES = [
    "snp-milan-trustee",
    "tdx-v4-qvl",
    "tdx-v5-gotdx",
    "sgx-v3-qvl",
    "nitro-base-2024-11-30-prod",
    "nitro-blocky-2024-09-07-debug-maxlen",
    "nv-hopper-nvtrust",
    "az-snp-v1",
]
ITEMS = {name: (cases.case(name).item(), cases.case(name).at) for name in SAMPLES}
PARSERS = {
    "snp": snp.parse,
    "tdx": tdx.parse,
    "nitro payload": nitro.parse_payload,
    "nvidia": nvidia.parse,
    "tpm quote": tpm2.parse_quote,
    "tpm signature": tpm2.parse_signature,
    "hcl": azure.parse_hcl,
    "hcl runtime": azure.attestation_key,
    "cose": lambda raw: cose.parse(raw, "x"),
    "cbor": lambda raw: cbor.load(raw, "x"),
    "certificate": x509.parse_certificate,
    "crl": lambda raw: x509.parse_crl(raw, 1 << 20),
    "ocsp": ocsp.parse,
    "der": der.parse,
    "pem": pem.chain,
    "json": lambda raw: strictjson.load(raw, 1 << 20, "x"),
    "archive": archive.load,
    "capture": lambda raw: capture.assemble("tdx", [raw]),
}
ANY = cases.make_policy(cases.rules())


def signed_positions(name: str) -> list[int]:
    """The bytes of a capture that a signature, or a hash under one, covers."""
    item, _ = ITEMS[name]
    raw = item.raw
    if item.kind == "snp":
        return list(range(0x2A0))
    if item.kind in {"tdx", "sgx"}:
        quote = tdx.parse(raw)
        start = len(quote.signed) + 4 + 64
        qe = raw.index(quote.qe_report_raw)
        auth = qe + 384 + 64 + 2
        return [
            *range(len(quote.signed)),
            *range(start, start + 64),
            *range(qe, qe + 384),
            *range(auth, auth + len(quote.auth_data)),
        ]
    if item.kind == "nvidia":
        return list(range(len(nvidia.parse(raw).signed)))
    parsed = cose.parse(raw, "x")
    at = raw.index(parsed.payload)
    return list(range(at, at + len(parsed.payload)))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_change_inside_signed_bytes_is_refused(data):
    name = data.draw(st.sampled_from([n for n in SAMPLES if ITEMS[n][0].kind != "az-snp-vtpm"]))
    item, at = ITEMS[name]
    where = data.draw(st.sampled_from(signed_positions(name)))
    raw = bytearray(item.raw)
    raw[where] ^= data.draw(st.integers(1, 255))
    assert not appraise(replace(item, raw=bytes(raw)), ANY, None, at).authentic


@pytest.mark.parametrize("field", ["message", "pcrs", "signature"])
def test_any_change_of_the_vtpm_quote_is_refused(field):
    item, at = ITEMS["az-snp-v1"]
    whole = json.loads(item.raw)
    text = whole["tpm_quote"][field]
    target = text if isinstance(text, str) else text[11]
    for where in range(0, len(target), 7):
        changed = target[:where] + ("0" if target[where] != "0" else "1") + target[where + 1 :]
        whole["tpm_quote"][field] = changed if isinstance(text, str) else [*text[:11], changed, *text[12:]]
        raw = json.dumps(whole).encode()
        assert not appraise(replace(item, raw=raw), ANY, None, at).authentic


def test_every_bit_of_every_certificate_in_a_nitro_bundle_matters():
    """Certificates lie inside the payload, so the document's signature covers them too."""
    item, at = ITEMS["nitro-base-2024-11-30-prod"]
    payload = cose.parse(item.raw, "x").payload
    start = item.raw.index(payload)
    for where in range(start, start + len(payload), 97):
        raw = bytearray(item.raw)
        raw[where] ^= 1
        assert not appraise(replace(item, raw=bytes(raw)), ANY, None, at).authentic


def refused_or_read(parser, raw: bytes) -> None:
    with contextlib.suppress(PeerError):
        parser(raw)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(PARSERS)), st.binary(max_size=3000))
def test_no_bytes_make_a_parser_raise_anything_but_a_typed_refusal(name, raw):
    refused_or_read(PARSERS[name], raw)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SAMPLES), st.data())
def test_no_mutation_of_genuine_evidence_makes_appraisal_raise(name, data):
    item, at = ITEMS[name]
    raw = bytearray(item.raw)
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(raw) - 1))
        how = data.draw(st.sampled_from(["set", "cut", "insert", "repeat"]))
        if how == "set":
            raw[where] = data.draw(st.integers(0, 255))
        elif how == "cut":
            del raw[where : where + data.draw(st.integers(1, 40))]
        elif how == "insert":
            raw[where:where] = data.draw(st.binary(min_size=1, max_size=20))
        else:
            raw[where:where] = raw[where : where + 200]
        if not raw:
            break
    appraise(replace(item, raw=bytes(raw)), ANY, None, at)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([*(k.value for k in Kind), "sample", "", "\x00\x1b[31m"]),
    st.binary(max_size=200),
    st.lists(st.binary(max_size=100), max_size=3),
    st.lists(st.binary(max_size=100), max_size=2),
    st.booleans(),
    st.integers(0, 1 << 41),
)
def test_appraisal_never_raises_whatever_item_it_is_given(kind, raw, certificates, lists, collateral, at):
    endorsements = Endorsements(
        tuple(certificates), tuple(lists), tuple(lists), Collateral(*(raw,) * 9) if collateral else None
    )
    result = appraise(EvidenceItem(kind, raw, endorsements), ANY, None, at)
    assert not result.affirming
    assert not result.authentic


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(Collateral.__dataclass_fields__)), st.data())
def test_no_collateral_makes_appraisal_raise(part, data):
    item, at = ITEMS["tdx-v4-qvl"]
    raw = bytearray(getattr(item.endorsements.collateral, part))
    where = data.draw(st.integers(0, len(raw) - 1))
    raw[where : where + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    changed = replace(item.endorsements.collateral, **{part: bytes(raw)})
    appraise(replace(item, endorsements=Endorsements(collateral=changed)), ANY, None, at)


HOSTILE_CBOR = {
    "announced 4 GiB": bytes.fromhex("5b00000000ffffffff"),
    "announced 16 EiB": bytes.fromhex("5bffffffffffffffff"),
    "array of 2^64": bytes.fromhex("9bffffffffffffffff"),
    "map of 2^32": bytes.fromhex("baffffffff"),
    "depth 2000": b"\x81" * 2000 + b"\x00",
    "indefinite depth 2000": b"\x9f" * 2000,
    "big number": b"\xc2\x5a\x00\x01\x00\x00" + b"\xff" * 65536,
    "shared references": bytes.fromhex("d81c81d81d00"),
    "self reference": bytes.fromhex("d81c9fd81d00ff"),
    "regular expression": bytes.fromhex("d8236161"),
    "date": bytes.fromhex("c11bffffffffffffffff"),
    "float": bytes.fromhex("fb3ff0000000000000"),
    "undefined": b"\xf7",
    "simple": b"\xe0",
    "break": b"\xff",
    "string in chunks of another type": bytes.fromhex("5f6161ff"),
    "nested indefinite string": bytes.fromhex("5f5f4100ffff"),
    "list as a key": bytes.fromhex("a1810000"),
    "map as a key": bytes.fromhex("a1a00000"),
    "float as a key": bytes.fromhex("a1f93c0000"),
    "bad UTF-8": bytes.fromhex("62c328"),
    "odd indefinite map": bytes.fromhex("bf00ff"),
    "trailing": b"\x00\x00",
    "reserved length": b"\x1c",
    "nothing": b"",
}


@pytest.mark.parametrize("name", HOSTILE_CBOR)
def test_hostile_cbor_is_refused_without_allocating_what_it_announces(name):
    raw = HOSTILE_CBOR[name]
    tracemalloc.start()
    try:
        with pytest.raises(PeerError) as caught:
            cbor.load(raw, "x")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.reason is Reason.BAD_EVIDENCE
    assert peak < 64 * len(raw) + 100_000


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.binary(max_size=30)
        | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(max_size=5) | st.integers(0, 99), inner, max_size=4)
        ),
        max_leaves=20,
    )
)
def test_well_formed_cbor_is_read_as_cbor2_reads_it(value):
    raw = cbor2.dumps(value)
    try:
        assert cbor.load(raw, "x") == value
    except PeerError as error:
        assert "levels" in error.message  # noqa: PT017 - depth is the one thing we bound and cbor2 does not


SIZES = {
    "snp": lambda n: EvidenceItem("snp", bytes(n)),
    "tdx": lambda n: EvidenceItem("tdx", ITEMS["tdx-v4-qvl"][0].raw[:600] + b"\xff" * n),
    "nitro": lambda n: EvidenceItem("nitro", b"\x84\x44\xa1\x01\x38\x22\xa0\x59\xff\xff" + b"\x80" * n),
    "nvidia": lambda n: EvidenceItem("nvidia", b"\x11\xe0\x01\xff" + b"\x01" * n),
    "json list": lambda n: EvidenceItem("tpm2", b'{"ak_public":[' + b"1," * n + b"1]}"),
    "json objects": lambda n: EvidenceItem("az-snp-vtpm", b"[" + b"{}," * n + b"{}]"),
    "json depth": lambda n: EvidenceItem("az-tdx-vtpm", b"[" * n),
    "der of nulls": lambda n: EvidenceItem(
        "snp", cases.read("snp/trustee/test-report.bin"), Endorsements((der_of_nulls(min(n, 8000)),))
    ),
    "crl of entries": lambda n: EvidenceItem(
        "nitro", ITEMS["nitro-base-2024-11-30-prod"][0].raw, Endorsements(crls=(der_of_nulls(n),))
    ),
}


def der_of_nulls(size: int) -> bytes:
    return b"\x30\x83" + (2 * (size // 2)).to_bytes(3, "big") + b"\x05\x00" * (size // 2)


@pytest.mark.parametrize("name", SIZES)
def test_memory_stays_within_a_small_multiple_of_hostile_input(name):
    item = SIZES[name](60_000)
    size = len(item.raw) + sum(map(len, (*item.endorsements.certificates, *item.endorsements.crls)))
    appraise(item, ANY, None, 0)  # loads the pinned roots
    tracemalloc.start()
    try:
        result = appraise(item, ANY, None, 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not result.authentic
    assert peak < 20 * size + 200_000


def test_oversized_evidence_is_refused_before_it_is_read():
    item = EvidenceItem("tdx", bytes((256 << 10) + 1))
    assert [c.finding for c in appraise(item, ANY, None, 0).failures] == [Finding.SIZE]
    report = cases.read("snp/trustee/test-report.bin")
    for many in (
        Endorsements(certificates=(b"",) * 17),
        Endorsements(crls=(b"",) * 17),
        Endorsements(ocsp=(b"",) * 17),
    ):
        item = EvidenceItem("snp", report, many)
        assert [c.finding for c in appraise(item, ANY, None, 0).failures] == [Finding.SIZE]
    assert [c.finding for c in appraise(EvidenceItem("nvidia", b""), ANY, None, 0).failures] == [Finding.SIZE]


JUNK = [None, [], {}, -1, 99_999_999_999, "x", True, {"a": 1}]


def scramble(document: dict, rng) -> bytes:
    """Replace or remove one value somewhere inside a JSON document."""
    node = document = json.loads(json.dumps(document))
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            break
        key = rng.choice(keys)
        if isinstance(node[key], dict | list) and rng.random() < 0.7:
            node = node[key]
        elif rng.random() < 0.3:
            del node[key]
            break
        else:
            node[key] = rng.choice(JUNK)
            break
    return json.dumps(document, separators=(",", ":")).encode()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False), st.booleans())
def test_collateral_that_the_vendor_signed_in_another_shape_makes_nothing_raise(intel, rng, both):
    base = intel.collateral()
    info, identity = base.tcb_info, scramble(json.loads(base.qe_identity), rng)
    if both:
        info = scramble(json.loads(info), rng)
    sign = lambda raw: forge.raw_signature(intel.signer.key, raw, forge.hashes.SHA256(), 32)  # noqa: E731
    changed = replace(
        base,
        tcb_info=info,
        qe_identity=identity,
        tcb_info_signature=sign(info),
        qe_identity_signature=sign(identity),
    )
    item = EvidenceItem("tdx", intel.quote(), Endorsements(collateral=changed))
    result = appraise(item, ANY, None, forge.NOW)
    assert read_result(result.statement()) == result


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_payload_that_the_vendor_signed_in_another_shape_makes_nothing_raise(aws, data):
    payload = bytearray(cbor2.dumps(aws.payload()))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    result = appraise(EvidenceItem("nitro", aws.sign(bytes(payload))), ANY, None, forge.NOW)
    assert read_result(result.statement()) == result


def test_a_file_that_is_too_large_is_refused_before_it_is_read():
    with pytest.raises(PeerError):
        capture.assemble("snp", [bytes(capture.MAX_FILE + 1)])
