"""Nitro documents and GPU reports, forged fresh: what passes, and what each defect is called."""

from dataclasses import replace

import cbor2
import pytest
from cryptography.x509 import ocsp
from evidence_cases import failures
from evidence_forge import DER, NOW
from parley_attestation.evidence import Endorsements, EvidenceItem, Finding, GpuNonce, authenticate
from parley_attestation.evidence.nvidia import DEFAULT_NONCE

F = Finding

# AWS ------------------------------------------------------------------------------------------------


def test_a_nitro_document_over_the_binder_is_affirming(aws):
    assert failures(aws.item()) == set()


def test_a_tagged_document_is_the_same_document(aws):
    item = aws.item()
    assert failures(replace(item, raw=b"\xd2" + item.raw)) == set()


def test_indefinite_length_maps_are_the_vendors_choice(aws):
    fields = aws.payload()
    payload = b"\xbf" + b"".join(cbor2.dumps(k) + cbor2.dumps(v) for k, v in fields.items()) + b"\xff"
    assert failures(EvidenceItem("nitro", aws.sign(payload))) == set()


def test_fields_of_1024_bytes_are_accepted_and_longer_ones_are_not(aws):
    assert failures(aws.item(user_data=bytes(1024), public_key=bytes(1024))) == set()
    assert failures(aws.item(user_data=bytes(1025))) == {F.MALFORMED}


NITRO_DEFECTS = {
    "debug": ({"pcrs": {n: bytes(48) for n in range(16)}}, {F.DEBUG_ENABLED}),
    "digest": ({"digest": "SHA256"}, {F.UNSUPPORTED_ALGORITHM}),
    "no PCR0": ({"pcrs": {1: bytes(48)}}, {F.MALFORMED}),
    "PCR size": ({"pcrs": {n: bytes(32) for n in range(16)}}, {F.MALFORMED}),
    "PCR index": ({"pcrs": dict.fromkeys((0, 1, 2, 32), b"\x01" * 48)}, {F.MALFORMED}),
    "nonce": ({"nonce": bytes(64)}, {F.BINDER_MISMATCH}),
    "no nonce": ({"nonce": None}, {F.BINDER_MISMATCH}),
    "no bundle": ({"cabundle": []}, {F.MALFORMED}),
    "null bundle": ({"cabundle": None}, {F.MALFORMED}),
    "future": ({"timestamp": (NOW + 301) * 1000}, {F.EVIDENCE_TIME}),
    "before the leaf": ({"timestamp": (NOW - 61) * 1000}, {F.EVIDENCE_TIME}),
    "float": ({"timestamp": 1.0}, {F.MALFORMED}),
}


@pytest.mark.parametrize("defect", NITRO_DEFECTS)
def test_every_defect_of_a_nitro_document_has_its_own_finding(aws, defect):
    changes, expected = NITRO_DEFECTS[defect]
    assert failures(aws.item(**changes)) == expected


def test_an_old_document_is_refused_live(aws):
    assert failures(aws.item(), at=NOW + 301) == {F.EVIDENCE_TIME}


def test_the_algorithm_must_stand_in_the_protected_header(aws):
    payload = cbor2.dumps(aws.payload())
    smuggled = aws.sign(payload, protected=b"", unprotected={1: -35})
    assert failures(EvidenceItem("nitro", smuggled)) == {F.UNPROTECTED_HEADER}
    bare = aws.sign(payload, protected=b"")
    assert failures(EvidenceItem("nitro", bare)) == {F.UNSUPPORTED_ALGORITHM}
    other = aws.sign(payload, protected=cbor2.dumps({1: -7}))
    assert failures(EvidenceItem("nitro", other)) == {F.UNSUPPORTED_ALGORITHM}


def test_a_byte_after_the_document_is_refused(aws):
    item = aws.item()
    assert failures(replace(item, raw=item.raw + b"\0")) == {F.TRAILING_BYTES}


def test_duplicate_keys_are_refused_in_definite_and_indefinite_maps(aws):
    fields = b"".join(cbor2.dumps(k) + cbor2.dumps(v) for k, v in aws.payload().items())
    twice = cbor2.dumps("nonce") + cbor2.dumps(b"x")
    indefinite = b"\xbf" + fields + twice + b"\xff"
    definite = bytes((0xA0 + len(aws.payload()) + 1,)) + fields + twice
    for payload in (indefinite, definite):
        assert failures(EvidenceItem("nitro", aws.sign(payload))) == {F.DUPLICATE_KEY}


def test_a_bundle_in_the_wrong_order_is_refused(aws):
    item = aws.item(cabundle=[aws.zone.der, aws.root.der])
    assert failures(item) & {F.ROOT_NOT_PINNED, F.CHAIN_BROKEN}


# NVIDIA ---------------------------------------------------------------------------------------------

GPU = GpuNonce(bytes(range(32)))


def with_ocsp(gpus, item, **changes):
    return replace(item, endorsements=replace(item.endorsements, ocsp=gpus.ocsp(**changes)))


@pytest.mark.parametrize("model", ["GH100", "GB100", "GB20X"])
@pytest.mark.parametrize("delegate", [False, True])
def test_a_gpu_with_good_ocsp_answers_is_affirming(gpus, model, delegate):
    assert failures(with_ocsp(gpus, gpus.item(model), delegate=delegate), binder=GPU) == set()


def test_a_gpu_without_ocsp_answers_is_never_affirming(gpus):
    item = gpus.item()
    assert failures(item, binder=GPU, revocation_required=[]) == {F.REVOCATION_UNKNOWN}


def test_ocsp_answers_that_say_otherwise_are_not_good(gpus):
    item = gpus.item()
    assert failures(with_ocsp(gpus, item, status="REVOKED"), binder=GPU) == {F.CERTIFICATE_REVOKED}
    assert failures(with_ocsp(gpus, item, status="UNKNOWN"), binder=GPU) == {F.REVOCATION_UNKNOWN}
    assert failures(with_ocsp(gpus, item, until=NOW - 1), binder=GPU) == {F.COLLATERAL_EXPIRED}


def test_an_answer_for_only_part_of_the_chain_leaves_revocation_unknown(gpus):
    item = gpus.item()
    part = replace(item, endorsements=replace(item.endorsements, ocsp=gpus.ocsp()[:2]))
    assert failures(part, binder=GPU) == {F.REVOCATION_UNKNOWN}


def test_an_ocsp_answer_signed_by_a_stranger_is_refused(gpus):
    item = gpus.item()
    raw = bytearray(gpus.ocsp()[0])
    raw[-20] ^= 1
    forged = replace(item, endorsements=replace(item.endorsements, ocsp=(bytes(raw),)))
    assert failures(forged, binder=GPU) == {F.COLLATERAL_SIGNATURE_INVALID}


def test_a_responder_needs_the_issuers_word_for_signing_answers(gpus):
    """Without the extended key usage its certificate counts for nothing; expired, it counts for nothing."""
    item = gpus.item()
    plain = with_ocsp(gpus, item, delegate=True, usage=None)
    assert failures(plain, binder=GPU) == {F.COLLATERAL_SIGNATURE_INVALID}
    late = with_ocsp(gpus, item, delegate=True, responder_until=NOW - 1)
    assert failures(late, binder=GPU) == {F.COLLATERAL_SIGNATURE_INVALID}
    other = with_ocsp(gpus, item, delegate=True, responder_issuer=gpus.path[0])
    assert failures(other, binder=GPU) == {F.CHAIN_BROKEN}


def test_an_answer_from_the_future_or_without_an_end_is_not_good(gpus):
    item = gpus.item()
    assert failures(with_ocsp(gpus, item, since=NOW + 1), binder=GPU) == {F.COLLATERAL_NOT_YET_VALID}
    assert failures(with_ocsp(gpus, item, until=None), binder=GPU) == {F.COLLATERAL_EXPIRED}
    assert failures(with_ocsp(gpus, item, since=NOW, until=NOW), binder=GPU) == set()


def test_answers_about_other_certificates_are_ignored(gpus):
    item = gpus.item()
    other = gpus.item()
    answers = gpus.ocsp()
    mixed = replace(item, endorsements=replace(item.endorsements, ocsp=answers))
    assert failures(mixed, binder=GPU) == {F.REVOCATION_UNKNOWN}
    right = replace(other, endorsements=replace(other.endorsements, ocsp=answers))
    assert failures(right, binder=GPU) == set()


@pytest.mark.parametrize("change", [lambda r: b"x" + r, lambda r: r[:-1], lambda r: r * 20, lambda r: r + r])
def test_an_ocsp_response_that_cannot_be_read_is_refused(gpus, change):
    item = gpus.item()
    raw = change(gpus.ocsp()[0])
    broken = replace(item, endorsements=replace(item.endorsements, ocsp=(raw,)))
    assert failures(broken, binder=GPU) <= {F.BAD_ENDORSEMENT, F.BAD_CERTIFICATE}
    refusing = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    later = replace(item, endorsements=replace(item.endorsements, ocsp=(refusing.public_bytes(DER),)))
    assert failures(later, binder=GPU) == {F.BAD_ENDORSEMENT}


@pytest.mark.parametrize("field", [23, 24, 25])
def test_a_switch_never_passes_as_a_gpu(gpus, field):
    switch = gpus.item("LS10", opaque=[(field, b"\1")])
    assert failures(with_ocsp(gpus, switch), binder=GPU, products=["ls10"]) == {F.WRONG_DEVICE}
    fields_only = gpus.item("GH100", opaque=[(field, b"\1")])
    assert failures(with_ocsp(gpus, fields_only), binder=GPU) == {F.WRONG_DEVICE}
    model_only = gpus.item("LS10")
    assert failures(with_ocsp(gpus, model_only), binder=GPU, products=["ls10"]) == {F.WRONG_DEVICE}


def test_an_old_report_without_fwid_is_genuine_but_not_affirming(gpus):
    item = with_ocsp(gpus, gpus.item(reported=False))
    assert authenticate(item, NOW).product == "gh100"
    assert failures(item, binder=GPU) == {F.FIRMWARE_ID_ABSENT}


def test_a_fwid_that_the_certificate_does_not_name_is_refused(gpus):
    item = gpus.item(opaque=[(99, b"x")])
    other = gpus.item(fwid=b"\x67" * 48)
    mixed = replace(item, endorsements=other.endorsements)
    assert failures(mixed, binder=GPU) == {F.FIRMWARE_ID_MISMATCH, F.SIGNATURE_INVALID}


def test_the_sdk_default_nonce_is_refused_even_as_a_binder(gpus):
    item = with_ocsp(gpus, gpus.item(nonce=DEFAULT_NONCE))
    assert failures(item, binder=GpuNonce(DEFAULT_NONCE)) == {F.DEFAULT_NONCE}


def test_one_zero_after_the_signature_is_accepted_and_anything_else_is_not(gpus):
    assert failures(with_ocsp(gpus, gpus.item(tail=b"\0")), binder=GPU) == set()
    assert failures(gpus.item(tail=b"\1"), binder=GPU) == {F.TRAILING_BYTES}
    assert failures(gpus.item(tail=bytes(65)), binder=GPU) == {F.TRAILING_BYTES}


def test_a_chain_out_of_order_or_incomplete_is_refused(gpus):
    item = gpus.item()
    for chain in (item.endorsements.certificates[::-1], item.endorsements.certificates[:2]):
        broken = replace(item, endorsements=Endorsements(chain))
        assert failures(broken, binder=GPU) & {F.CHAIN_BROKEN, F.ROOT_NOT_PINNED, F.WRONG_CERTIFICATE_ROLE}
    assert failures(replace(item, endorsements=Endorsements()), binder=GPU) == {F.ENDORSEMENT_MISSING}


def test_a_gpu_report_without_the_pinned_root_at_its_end_still_ends_there(gpus):
    item = with_ocsp(gpus, gpus.item())
    short = replace(
        item,
        endorsements=replace(item.endorsements, certificates=item.endorsements.certificates[:-1]),
    )
    assert failures(short, binder=GPU) == set()
