import hashlib

import grpc
import pytest
from parley.v1 import witness_pb2, witness_pb2_grpc
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.witness_client import Address, WitnessPanel
from parley_attestation.edge.witness_service import serve
from parley_attestation.edge.witness_store import WitnessStore
from parley_attestation.edge.witness_wire import record_message
from parley_attestation.encoding import Digest
from parley_attestation.envelope import Envelope, Signature, pae
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.log.panel import DefaultVerdict, default_stands, k_of_n, registered
from parley_attestation.log.witness import Event, read_cosignature
from witness_kit import EXERCISE, PROVER, T0, VERIFIER, Party, head, position, record, request


class Running:
    def __init__(self, path, seed):
        self.key, self.now = SigningKey(bytes([seed]) * 32), T0
        self.store = WitnessStore(path / f"{seed}.sqlite", f"w{seed}", self.key)
        self.server, self.port = serve(self.store, "127.0.0.1:0", clock=lambda: self.now)
        self.address = Address(f"127.0.0.1:{self.port}", self.key.public)

    def stop(self):
        self.server.stop(None).wait()


@pytest.fixture
def three(tmp_path):
    running = [Running(tmp_path, seed) for seed in (1, 2, 3)]
    yield running
    for one in running:
        one.stop()
        one.store.close()


@pytest.fixture
def panel(three):
    with WitnessPanel([w.address for w in three], timeout=5) as one:
        yield one


def keys(three):
    return [w.key.public for w in three]


def cosign(panel, party, event, sequence, detail="a signed record"):
    one, at = record(party, sequence, detail)
    return panel.cosign(request(party, event, at), party.key, party.history, one)


def accept(panel):
    return cosign(panel, PROVER, Event.ACCEPTED, 4)


def post(panel, party, sequence, detail="a signed record"):
    one, at = record(party, sequence, detail)
    return panel.post(request(party, Event.POSTED, at), party.key, party.history, one), at


def claim(panel, party, at, deadline=60):
    return panel.claim(request(party, Event.DEFAULT, at, deadline), party.key, party.history)


def test_three_witnesses_cosign_an_acceptance(three, panel):
    found = accept(panel)
    assert found.refusals == {}
    counted = k_of_n(found.sealed, keys(three), 3, position=record(PROVER, 4)[1], event=Event.ACCEPTED)
    assert str(counted) == "witnessed by 3 of 3"


def test_a_witness_that_is_gone_is_listed_and_the_others_carry_the_exercise(three, panel):
    three[0].stop()
    found = accept(panel)
    assert len(found.sealed) == 2
    (error,) = found.refusals.values()
    assert isinstance(error, LocalError)
    assert error.reason is Reason.UNREACHABLE


def test_a_refusal_crosses_with_its_code_and_both_signed_requests(panel):
    accept(panel)
    found = cosign(panel, PROVER, Event.ACCEPTED, 4, "another record")
    assert found.sealed == ()
    for error in found.refusals.values():
        assert isinstance(error, PeerError)
        assert error.reason is Reason.EQUIVOCATION
        assert error.blamed is None
        assert len(error.evidence) == 2


def test_a_posted_record_is_kept_for_the_other_party(three, panel):
    accept(panel)
    _, at = post(panel, VERIFIER, 7)
    found = panel.lookup(three[0].key.public, EXERCISE, head=record(VERIFIER, 7)[1].head)
    assert found.record == record(VERIFIER, 7)[0]
    assert [read_cosignature(s, three[0].key.public).position for s in found.sealed] == [
        record(PROVER, 4)[1],
        at,
    ]
    assert panel.lookup(three[0].key.public, EXERCISE, head=head(8)).record is None


def test_silence_after_a_posted_record_ends_in_a_default_that_anyone_can_check(three, panel):
    accept(panel)
    posted, at = post(panel, VERIFIER, 7)
    for w in three:
        w.now += 60
    claimed = claim(panel, VERIFIER, at)
    late, _ = post(panel, PROVER, 8, "too late")
    shown = posted.sealed + claimed.sealed + late.sealed
    found = default_stands(shown, keys(three), 2, position=at, claimant=Role.VERIFIER, deadline=60)
    assert found.verdict is DefaultVerdict.PROVER
    assert {read_cosignature(s, k).event for s, k in zip(late.sealed, keys(three), strict=True)} == {
        Event.LATE
    }


def test_an_answer_posted_in_time_voids_the_claim(three, panel):
    accept(panel)
    _, at = post(panel, VERIFIER, 7)
    post(panel, PROVER, 8)
    for w in three:
        w.now += 60
    assert {e.reason for e in claim(panel, VERIFIER, at).refusals.values()} == {Reason.CLAIM_VOID}


def test_a_claim_before_the_deadline_is_refused(panel):
    accept(panel)
    _, at = post(panel, VERIFIER, 7)
    assert {e.reason for e in claim(panel, VERIFIER, at).refusals.values()} == {Reason.CLAIM_EARLY}


def test_a_record_of_another_head_or_another_signer_is_refused(panel):
    accept(panel)
    one, at = record(VERIFIER, 7)
    other, _ = record(VERIFIER, 7, "another record")
    foreign = Envelope(one.payload_type, one.payload, record(PROVER, 7)[0].signatures)
    broken = Envelope(one.payload_type, one.payload, (Signature(VERIFIER.key.public, bytes(64)),))
    for wrong, reason in (
        (other, Reason.HEAD_MISMATCH),
        (foreign, Reason.HEAD_MISMATCH),
        (broken, Reason.BAD_SIGNATURE),
    ):
        found = panel.post(request(VERIFIER, Event.POSTED, at), VERIFIER.key, VERIFIER.history, wrong)
        assert {e.reason for e in found.refusals.values()} == {reason}
        if wrong is not foreign:
            found = panel.cosign(request(VERIFIER, Event.END, at), VERIFIER.key, VERIFIER.history, wrong)
            assert {e.reason for e in found.refusals.values()} == {reason}


def test_a_record_that_is_no_message_for_its_slot_is_refused(panel):
    accept(panel)
    elsewhere, _ = record(PROVER, 9)
    payload, kind = elsewhere.payload, "application/vnd.parley.unheard-of.v1"
    unknown = Envelope(kind, payload, (Signature(PROVER.key.public, PROVER.key.sign(pae(kind, payload))),))
    for wrong, reason in ((elsewhere, Reason.HEAD_MISMATCH), (unknown, Reason.UNSUPPORTED)):
        at = position(8, of=wrong.head())
        found = panel.post(request(PROVER, Event.POSTED, at), PROVER.key, PROVER.history, wrong)
        assert {e.reason for e in found.refusals.values()} == {reason}
        found = panel.cosign(request(PROVER, Event.END, at), PROVER.key, PROVER.history, wrong)
        assert {e.reason for e in found.refusals.values()} == {reason}


def test_either_party_may_have_the_other_ones_record_cosigned_and_both_can_read_it(three, panel):
    one, at = record(PROVER, 4)
    found = panel.cosign(request(VERIFIER, Event.ACCEPTED, at), VERIFIER.key, VERIFIER.history, one)
    assert len(found.sealed) == 3
    assert accept(panel).sealed == found.sealed
    assert panel.lookup(three[0].key.public, EXERCISE, head=at.head).record == one


def test_a_slot_is_taken_by_a_record_that_the_other_party_can_read(three, panel):
    """A party that ends an exercise with a made-up record stops the claim and leaves the proof."""
    accept(panel)
    _, at = post(panel, VERIFIER, 7)
    post(panel, PROVER, 8, "made up")
    for w in three:
        w.now += 60
    assert {e.reason for e in claim(panel, VERIFIER, at).refusals.values()} == {Reason.CLAIM_VOID}
    made, at = record(PROVER, 8, "made up")
    assert panel.lookup(three[0].key.public, EXERCISE, head=at.head).record == made


def test_registrations_keep_their_first_time_at_every_witness(three, panel):
    panel.register(head(1))
    for w in three:
        w.now += 100
    found = registered(panel.register(head(1)).sealed, keys(three), 3, digest=head(1))
    assert found.time == T0


def test_a_cosign_call_takes_no_claim_and_a_claim_call_no_end(panel):
    found = cosign(panel, VERIFIER, Event.DEFAULT, 7)
    assert {e.reason for e in found.refusals.values()} == {Reason.BAD_STATEMENT}
    found = panel.claim(request(VERIFIER, Event.END, position(7)), VERIFIER.key, VERIFIER.history)
    assert {e.reason for e in found.refusals.values()} == {Reason.BAD_STATEMENT}


def test_a_key_that_has_expired_by_the_witnesss_clock_is_refused(panel):
    late = Party(Role.PROVER, 10, not_after=T0 - 1)
    found = cosign(panel, late, Event.ACCEPTED, 4)
    assert {e.reason for e in found.refusals.values()} == {Reason.KEY_NOT_CERTIFIED}


def test_a_witness_that_answers_with_another_head_is_refused_by_the_client(three, panel, monkeypatch):
    accept(panel)
    one, at = record(PROVER, 4, "another record")
    monkeypatch.setattr(WitnessStore, "cosign", lambda s, *_: s.exercise(EXERCISE)[0][0])
    found = panel.cosign(request(PROVER, Event.ACCEPTED, at), PROVER.key, PROVER.history, one)
    assert {e.reason for e in found.refusals.values()} == {Reason.BAD_COSIGNATURE}


def test_the_text_of_an_exception_never_leaves_the_witness(three, panel, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("/home/operator/secret-path")

    monkeypatch.setattr(WitnessStore, "cosign", fail)
    with grpc.insecure_channel(three[0].address.target) as channel:
        stub = witness_pb2_grpc.WitnessStub(channel)
        one, at = record(PROVER, 4)
        asked = request(PROVER, Event.ACCEPTED, at)
        message = witness_pb2.CosignRequest(
            request=witness_pb2.SignedRequest(sealed=asked.sealed(PROVER.key), key_history=PROVER.history),
            record=record_message(one),
        )
        with pytest.raises(grpc.RpcError) as caught:
            stub.Cosign(message, timeout=5)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in caught.value.debug_error_string()
    reference = caught.value.details().removeprefix("reference ")
    assert len(reference) == 16
    assert reference in caplog.text


def test_our_own_failure_crosses_without_its_text(three, panel, monkeypatch):
    def fail(*_):
        raise LocalError(Reason.CORRUPT, "/home/operator/secret-path")

    monkeypatch.setattr(WitnessStore, "register", fail)
    with grpc.insecure_channel(three[0].address.target) as channel:
        stub = witness_pb2_grpc.WitnessStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Register(witness_pb2.RegisterRequest(digest=bytes(32)), timeout=5)
    assert "secret" not in caught.value.debug_error_string()
    found = panel.register(head(1))
    assert {type(e) for e in found.refusals.values()} == {LocalError}


SEALED = request(PROVER, Event.ACCEPTED, position(4)).sealed(PROVER.key)


@pytest.mark.parametrize(
    ("sealed", "history", "text"),
    [
        (b"", [], "expected one JSON value"),
        (b"x" * 3000, [], "expected a request of at most 2048 bytes"),
        (SEALED, [b"x"] * 65, "key history entries"),
        (SEALED, [b"x" * 5000], "key history entries"),
        (SEALED, [], "entries in a key history"),
    ],
)
def test_garbage_is_refused_and_typed(three, sealed, history, text):
    message = witness_pb2.CosignRequest(request=witness_pb2.SignedRequest(sealed=sealed, key_history=history))
    with grpc.insecure_channel(three[0].address.target) as channel, pytest.raises(grpc.RpcError) as caught:
        witness_pb2_grpc.WitnessStub(channel).Cosign(message, timeout=5)
    bad_form = grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.code() is (
        bad_form if history or sealed != SEALED else grpc.StatusCode.FAILED_PRECONDITION
    )
    assert text in caught.value.details()


def test_a_look_up_of_garbage_is_refused_and_of_the_unknown_is_empty(three, panel):
    with grpc.insecure_channel(three[0].address.target) as channel:
        stub = witness_pb2_grpc.WitnessStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Lookup(witness_pb2.LookupRequest(exercise=b"short"), timeout=5)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        huge = witness_pb2.LookupRequest(exercise=bytes(32), first_number=2**64 - 1, head=b"short")
        assert list(stub.Lookup(huge, timeout=5).sealed) == []
        panel.register(head(1))
        assert len(stub.Lookup(witness_pb2.LookupRequest(digest=head(1)), timeout=5).sealed) == 1
    assert panel.lookup(three[0].key.public, Digest(hashlib.sha256(b"").digest())).sealed == ()
