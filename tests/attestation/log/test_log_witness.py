import pytest
from parley_attestation import statement
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.keys import Revocation
from parley_attestation.log.witness import (
    COSIGNATURE,
    Event,
    Receipt,
    read_cosignature,
    read_receipt,
    read_request,
)
from witness_kit import PROVER, SESSION, STRANGER, T0, VERIFIER, Party, position, request, witness


def refused(reason):
    return pytest.raises(PeerError, check=lambda e: e.reason is reason)


def test_a_cosignature_reads_back_as_it_was_signed():
    w = witness()
    sealed = w.ask(PROVER, Event.ACCEPTED, position(4), T0)
    said = read_cosignature(sealed, w.key.public)
    assert said.position == position(4)
    assert (said.event, said.requester, said.time, said.number) == (Event.ACCEPTED, Role.PROVER, T0, 1)
    assert said.position.session == SESSION


def test_a_cosignature_under_another_key_is_refused():
    sealed = witness(50).ask(PROVER, Event.ACCEPTED, position(4), T0)
    with refused(Reason.BAD_SIGNATURE):
        read_cosignature(sealed, witness(51).key.public)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attempt", 0),
        ("sequence", 0),
        ("event", "other"),
        ("requester", "witness"),
        ("time", -1),
        ("number", 0),
        ("witness", ""),
        ("head", "00"),
        ("extra", 1),
    ],
)
def test_a_cosignature_with_a_field_out_of_range_is_refused(name, value):
    w = witness()
    said = statement.open_sealed(w.ask(PROVER, Event.ACCEPTED, position(4), T0), w.key.public)
    changed = statement.Statement(COSIGNATURE, said.subjects, said.predicate | {name: value})
    with refused(Reason.BAD_COSIGNATURE):
        read_cosignature(statement.seal(changed, w.key), w.key.public)


def test_a_cosignature_about_another_subject_is_refused():
    w = witness()
    said = statement.open_sealed(w.ask(PROVER, Event.ACCEPTED, position(4), T0), w.key.public)
    changed = statement.Statement(
        COSIGNATURE, (statement.Subject("head", Digest(bytes(32))),), said.predicate
    )
    with refused(Reason.BAD_STATEMENT):
        read_cosignature(statement.seal(changed, w.key), w.key.public)


def test_a_receipt_is_no_cosignature_and_a_cosignature_no_receipt():
    w = witness()
    receipt = Receipt(Digest(bytes(32)), T0, 1, "w").sealed(w.key)
    assert read_receipt(receipt, w.key.public).time == T0
    with refused(Reason.BAD_COSIGNATURE):
        read_cosignature(receipt, w.key.public)
    with refused(Reason.BAD_REGISTRATION):
        read_receipt(w.ask(PROVER, Event.ACCEPTED, position(4), T0), w.key.public)


def test_a_request_is_read_under_the_key_history_of_the_party_it_names():
    asked = request(VERIFIER, Event.DEFAULT, position(7), 60)
    assert read_request(asked.sealed(VERIFIER.key), VERIFIER.history, T0) == asked


def test_a_request_with_the_key_history_of_a_stranger_is_refused():
    sealed = request(VERIFIER, Event.END, position(9)).sealed(STRANGER.key)
    with refused(Reason.UNKNOWN_PARTY):
        read_request(sealed, STRANGER.history, T0)


def test_a_request_by_an_uncertified_or_expired_key_is_refused():
    asked = request(VERIFIER, Event.END, position(9))
    with refused(Reason.KEY_NOT_CERTIFIED):
        read_request(asked.sealed(SigningKey(bytes(32))), VERIFIER.history, T0)
    late = Party(Role.VERIFIER, 20, not_after=T0 - 1)
    with refused(Reason.KEY_NOT_CERTIFIED):
        read_request(asked.sealed(late.key), late.history, T0)


def test_a_key_is_judged_at_the_witnessed_time_against_its_revocation():
    revoked = Revocation(VERIFIER.root.public, VERIFIER.key.public, T0).sealed(VERIFIER.root)
    history = (*VERIFIER.history, revoked)
    sealed = request(VERIFIER, Event.END, position(9)).sealed(VERIFIER.key)
    assert read_request(sealed, history, T0 - 1).requester is Role.VERIFIER
    with refused(Reason.KEY_NOT_CERTIFIED):
        read_request(sealed, history, T0)


@pytest.mark.parametrize("event", [Event.ACCEPTED, Event.POSTED, Event.END])
def test_a_deadline_belongs_to_claims_only(event):
    sealed = request(PROVER, event, position(9), deadline=5).sealed(PROVER.key)
    with refused(Reason.BAD_STATEMENT):
        read_request(sealed, PROVER.history, T0)


def test_nobody_can_ask_for_a_record_to_be_called_late():
    sealed = request(PROVER, Event.LATE, position(9)).sealed(PROVER.key)
    with refused(Reason.BAD_STATEMENT):
        read_request(sealed, PROVER.history, T0)
