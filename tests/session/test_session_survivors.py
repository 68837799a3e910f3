"""What survived when checks were weakened one by one: each test here kills one that nothing else did."""

from dataclasses import replace
from types import SimpleNamespace

import kit
import pytest
from parley.v1 import session_pb2 as pb
from parley_attestation import commitment, ed25519, merkle, statement, witnessing
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import MAX_BLOB, MAX_CHUNK, MAX_ENVELOPE, MAX_STATEMENT, Bytes32, Digest
from parley_attestation.envelope import Envelope, Signature, pae
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.evidence.archive import write_item
from parley_attestation.evidence.model import Endorsements, EvidenceItem
from parley_attestation.log.witness import Event
from parley_attestation.session import agreement, backing, messages, schedule
from parley_attestation.session import messages as m
from parley_attestation.session.audit import Audit
from parley_attestation.session.facts import Earlier
from parley_attestation.session.machine import Machine
from parley_attestation.session.turns import Assembler
from parley_attestation.statement import Statement, Subject
from parley_attestation.terms import Plan

ZERO, ONE = Digest(bytes(32)), Digest(bytes(31) + b"\x01")


def refused(reason, call, *args, **kwargs):
    with pytest.raises(PeerError) as caught:
        call(*args, **kwargs)
    assert caught.value.reason is reason


# -- signatures and envelopes


def test_a_signature_that_borrows_its_last_byte_from_the_message_is_refused():
    key = SigningKey(kit.seed("key"))
    value = key.sign(b"message")
    refused(Reason.BAD_SIGNATURE, ed25519.verify, key.public, value[63:] + b"message", value[:63])
    refused(Reason.BAD_SIGNATURE, ed25519.verify, key.public, b"essage", value + b"m")


def test_an_envelope_may_be_as_large_as_its_limits():
    signature = Signature(SigningKey(kit.seed("key")).public, bytes(64))
    Envelope("x" * 128, bytes(MAX_ENVELOPE), (signature,) * 8)
    refused(Reason.TOO_LARGE, Envelope, "x", bytes(MAX_ENVELOPE + 1), (signature,))
    refused(Reason.MALFORMED, Envelope, "x" * 129, b"", (signature,))
    refused(Reason.MALFORMED, Envelope, "", b"", (signature,))
    refused(Reason.MALFORMED, Envelope, "x", b"", (signature,) * 9)


def test_a_statement_may_be_as_large_as_its_limit():
    def said(size):
        return Statement("t", (Subject("s", ZERO),), {"p": "x" * size})

    room = MAX_STATEMENT - len(said(0).payload())
    key = SigningKey(kit.seed("key"))
    statement.seal(said(room), key)
    refused(Reason.TOO_LARGE, statement.seal, said(room + 1), key)


# -- trees and seeds


def test_two_trees_of_one_size_are_consistent_where_they_are_one_tree():
    merkle.verify_consistency(3, ZERO, 3, ZERO, ())
    refused(Reason.BAD_PROOF, merkle.verify_consistency, 3, ZERO, 3, ONE, ())
    refused(Reason.BAD_PROOF, merkle.verify_consistency, 3, ZERO, 3, ZERO, (ZERO,))


def test_a_consistency_proof_that_is_empty_or_too_long_is_refused():
    tree = merkle.Tree(merkle.leaf_hash(bytes([n])) for n in range(7))
    old = merkle.Tree(merkle.leaf_hash(bytes([n])) for n in range(3))
    refused(Reason.BAD_PROOF, merkle.verify_consistency, 3, old.root(), 7, tree.root(), ())
    refused(Reason.BAD_PROOF, merkle.verify_consistency, 3, old.root(), 7, tree.root(), (ZERO,) * 9)


def test_a_cover_of_seeds_has_heights_from_0_to_32():
    seed = Bytes32(kit.seed("seed"))
    assert len(list(commitment.expand_cover(((0, 0, seed),)))) == 1
    next(commitment.expand_cover(((0, 32, seed),)))
    for height in (-1, 33):
        refused(Reason.MALFORMED, next, commitment.expand_cover(((0, height, seed),)))


# -- messages


@pytest.mark.parametrize("field", ["session_id", "previous"])
@pytest.mark.parametrize("size", [1, 31, 33])
def test_a_header_digest_of_another_size_is_refused(field, size):
    message = pb.Stop(header=pb.Header(sequence=5, **{field: bytes(size)}), counts=[1])
    refused(Reason.MALFORMED, messages.parse, "stop", message.SerializeToString())


def test_words_beside_a_reason_may_be_as_long_as_their_limit():
    def read(length):
        body = m.Abort("TIMEOUT", "x" * length)
        header = m.Header(ZERO, 5, ZERO)
        return messages.read("abort", messages.write(header, body))

    read(messages.MAX_DETAIL)
    refused(Reason.TOO_LARGE, read, messages.MAX_DETAIL + 1)


def test_content_may_be_as_large_as_its_limit():
    assert messages._size(MAX_BLOB) == MAX_BLOB
    refused(Reason.TOO_LARGE, messages._size, MAX_BLOB + 1)


def test_a_sealed_statement_in_a_message_is_neither_empty_nor_too_large():
    for size in (1, 2 * MAX_STATEMENT):
        assert messages._statement(bytes(size), "terms") == bytes(size)
    for size in (0, 2 * MAX_STATEMENT + 1):
        refused(Reason.TOO_LARGE, messages._statement, bytes(size), "terms")


def test_a_wrapped_key_has_one_length():
    assert messages._wrapped(bytes(messages.WRAPPED)) == bytes(messages.WRAPPED)
    for size in (0, messages.WRAPPED - 1, messages.WRAPPED + 1):
        refused(Reason.MALFORMED, messages._wrapped, bytes(size))


def test_chunks_have_from_1_byte_to_their_limit():
    for size in (1, MAX_CHUNK):
        found = Assembler((size,))
        found.add(pb.BlobChunk(offset=0, data=bytes(size)))
        assert found.complete
    refused(Reason.BLOB_MISMATCH, Assembler((1,)).add, pb.BlobChunk(offset=0, data=b""))
    too_large = pb.BlobChunk(offset=0, data=bytes(MAX_CHUNK + 1))
    refused(Reason.BLOB_MISMATCH, Assembler((MAX_CHUNK + 1,)).add, too_large)
    refused(Reason.BLOB_MISMATCH, Assembler((1,)).add, pb.BlobChunk(offset=0, data=b"xx"))


def test_a_chunk_after_the_last_byte_is_refused():
    found = Assembler((1,))
    found.add(pb.BlobChunk(offset=0, data=b"x"))
    refused(Reason.BLOB_MISMATCH, found.add, pb.BlobChunk(offset=1, data=b"x"))


# -- attempts


def proposal(**changes):
    return replace(m.Propose(b"terms", 2, (ONE,), ZERO, b"set"), **changes)


def earlier(*, over=False):
    facts = SimpleNamespace(attempt=1, earlier_heads=(), coin_commitments={Role.VERIFIER: ZERO})
    return Earlier(facts, ONE, over)


def test_a_later_attempt_names_number_heads_and_coin_of_the_earlier():
    agreement._check_attempt(proposal(), earlier())
    for wrong in ({"attempt": 3}, {"attempt": 1}, {"earlier_heads": ()}, {"earlier_heads": (ZERO,)}):
        refused(Reason.BAD_ATTEMPT, agreement._check_attempt, proposal(**wrong), earlier())
    refused(Reason.BAD_COIN, agreement._check_attempt, proposal(coin_commitment=ONE), earlier())


def test_nothing_continues_an_exercise_that_is_over():
    refused(Reason.BAD_ATTEMPT, agreement._check_attempt, proposal(), earlier(over=True))


def test_a_first_attempt_has_number_1_and_names_no_heads():
    agreement._check_attempt(proposal(attempt=1, earlier_heads=()), None)
    refused(Reason.BAD_ATTEMPT, agreement._check_attempt, proposal(attempt=1), None)
    refused(Reason.BAD_ATTEMPT, agreement._check_attempt, proposal(earlier_heads=()), None)


# -- greetings and acceptance


def greeted():
    """A session in which a verifier has said Hello under one key and nonce."""
    facts = SimpleNamespace(
        offers={(1, 1, "open")},
        session_keys={Role.VERIFIER: b"key"},
        nonces={Role.VERIFIER: b"nonce"},
        histories={},
    )
    return SimpleNamespace(facts=facts, mode="open", pins={}, channel=None)


def test_two_parties_that_sign_with_one_key_are_refused():
    reply = m.HelloReply(1, 1, "open", (), b"other", ZERO, ZERO)
    refused(Reason.BAD_KEY, agreement.greet, greeted(), Role.PROVER, b"key", reply)


def test_two_parties_that_show_one_nonce_are_refused():
    reply = m.HelloReply(1, 1, "open", (), b"nonce", ZERO, ZERO)
    refused(Reason.MALFORMED, agreement.greet, greeted(), Role.PROVER, b"other", reply)


def test_a_reply_that_chooses_what_was_not_offered_is_refused():
    for choice in ((2, 1, "open"), (1, 2, "open"), (1, 1, "sealed")):
        reply = m.HelloReply(*choice, (), b"other", ZERO, ZERO)
        refused(Reason.UNSUPPORTED_VERSION, agreement.greet, greeted(), Role.PROVER, b"other", reply)


def test_terms_of_another_mode_than_the_sessions_are_refused(tmp_path):
    made = kit.Exercise(tmp_path)
    sealed = statement.seal(made.terms.statement(), made.verifier.session)
    histories = {Role.VERIFIER: made.verifier, Role.PROVER: made.prover}
    facts = SimpleNamespace(session_keys={Role.VERIFIER: made.verifier.session.public}, histories=histories)
    body = m.Propose(sealed, 1, (), ZERO, made.tests.registration)
    at = SimpleNamespace(facts=facts, mode="sealed", earlier=lambda _: None)
    refused(Reason.BAD_TERMS, agreement.propose, at, Role.VERIFIER, body)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"declared_counts": (1,)}, Reason.BAD_COUNT),
        ({"coin_commitment": ONE}, Reason.BAD_COIN),
        ({"terms_digest": ZERO}, Reason.WRONG_TERMS),
    ],
)
def test_a_later_attempt_is_accepted_with_the_counts_and_coin_of_the_first(tmp_path, changes, reason):
    made = kit.Exercise(tmp_path)
    said = made.terms.statement()
    history = SimpleNamespace(owner=made.prover.owner, root=made.prover.root.public)
    before = SimpleNamespace(
        audit=SimpleNamespace(declared=(0,), continued=lambda: None), coin_commitments={Role.PROVER: ZERO}
    )
    facts = SimpleNamespace(
        terms=made.terms,
        test_set=made.tests.public,
        terms_statement=said,
        histories={Role.PROVER: history},
        earlier=before,
    )
    body = replace(m.Accept(said.digest(), (0,), ZERO, made.claim, ()), **changes)
    refused(reason, agreement.accept, SimpleNamespace(facts=facts), Role.PROVER, body, ())


# -- populations


def begun(made, declared):
    frames = schedule.frames(made.terms, made.tests.public)
    return Audit.begin(made.terms, frames, (declared,))


def test_a_declared_count_lies_between_the_threshold_and_the_population(tmp_path):
    made = kit.Exercise(tmp_path)
    threshold, size = 48, 60  # four fifths of sixty sums
    for count in (0, threshold, size):
        begun(made, count)
    for count in (threshold - 1, size + 1):
        refused(Reason.BAD_COUNT, begun, made, count)


def test_a_budget_is_at_most_the_population_and_names_a_stratum_of_the_set(tmp_path):
    made = kit.Exercise(tmp_path)

    def frames(*budget):
        return schedule.frames(replace(made.terms, plan=Plan(1, 8, (budget,))), made.tests.public)

    assert frames("", 60)[0].size == 60
    refused(Reason.BAD_TERMS, frames, "", 61)
    refused(Reason.BAD_TERMS, frames, "none such", 10)


def test_an_excluded_run_takes_its_items_and_no_other_out_of_a_population(tmp_path):
    made = kit.Exercise(tmp_path)

    def runs(*excluded):
        terms = replace(
            made.terms, test_set=replace(made.terms.test_set, excluded=excluded), plan=Plan(1, 8, (("", 9),))
        )
        return schedule.frames(terms, made.tests.public)[0].runs

    assert runs() == ((0, 60),)
    assert runs((0, 1)) == ((1, 60),)
    assert runs((59, 1)) == ((0, 59),)
    assert runs((10, 1), (11, 1)) == ((0, 10), (12, 60))
    (frame,) = schedule.frames(replace(made.terms, plan=Plan(1, 8, (("", 9),))), made.tests.public)
    assert 0 in frame
    assert 59 in frame
    assert 60 not in frame


# -- evidence and witnesses


def unasked(policy=None):
    """Facts of a session whose terms have no evidence policy."""
    terms = SimpleNamespace(evidence_policy=policy, inventory=None)
    return SimpleNamespace(terms=terms, nonces={Role.PROVER: bytes(32), Role.VERIFIER: bytes(32)})


def test_a_statement_of_another_kind_among_the_evidence_is_refused():
    key = SigningKey(kit.seed("key"))
    made = statement.seal(Statement("tag:parley,2026:other/v1", (Subject("s", ZERO),), {}), key)
    refused(Reason.BAD_EVIDENCE, backing.read_support, unasked(), (ZERO,) * 3, (made,), key.public)


def test_evidence_that_the_terms_do_not_ask_for_is_refused():
    key = SigningKey(kit.seed("key"))
    made = backing.seal_evidence({}, 1, key)
    refused(Reason.BAD_EVIDENCE, backing.read_support, unasked(), (ZERO,) * 3, (made,), key.public)
    refused(
        Reason.BAD_EVIDENCE, backing.read_support, unasked("a policy"), (ZERO,) * 3, (made,) * 2, key.public
    )
    keys = SimpleNamespace(receipt=key.public, hpke=bytes(32))
    refused(Reason.BAD_EVIDENCE, backing.read_chamber, unasked(), (ZERO,) * 3, made, keys)


def test_two_pieces_of_evidence_under_one_name_are_refused():
    item = write_item("gpu", EvidenceItem("simulated", b"raw", Endorsements((), (), (), None)))
    said = Statement(backing.EVIDENCE, (Subject("s", ZERO),), {"at": 1, "items": [item]})
    assert list(backing._read(said)[0]) == ["gpu"]
    refused(Reason.BAD_EVIDENCE, backing._read, replace(said, predicate={"at": 1, "items": [item, item]}))


@pytest.mark.parametrize(("heads", "keys"), [(3, (b"key",)), (4, ())])
def test_nothing_is_established_before_the_decision_or_without_witnesses(heads, keys):
    terms = SimpleNamespace(witnesses=SimpleNamespace(keys=keys, threshold=0))
    facts = SimpleNamespace(terms=terms, exercise=ZERO, attempt=1, session_id=ZERO)
    machine = SimpleNamespace(facts=facts, heads=[ZERO] * heads, sequence=heads)
    with pytest.raises(PeerError, match="nothing to be witnessed") as caught:
        witnessing.established(machine, (), Event.ACCEPTED)
    assert caught.value.reason is Reason.BAD_COSIGNATURE


# -- words


def test_a_reason_is_a_code_of_the_error_table():
    assert messages._reason("TIMEOUT") == "TIMEOUT"
    refused(Reason.MALFORMED, messages._reason, "BECAUSE")


def test_the_name_of_a_mode_has_from_1_character_to_its_limit_and_is_printable():
    for name in ("x", "x" * messages.MAX_MODE):
        assert messages._mode(name) == name
    for name in ("", "x" * (messages.MAX_MODE + 1), "a\nb"):
        refused(Reason.MALFORMED, messages._mode, name)


def test_a_message_of_another_session_in_a_slot_that_is_filled_blames_nobody(tmp_path):
    made = kit.Exercise(tmp_path)
    key = made.verifier.session

    def machine():
        found = Machine(SimpleNamespace(get=lambda _: None))
        found.facts.session_keys[Role.VERIFIER] = key.public
        found.facts.session_id = ONE
        found.heads, found.authors = [ZERO] * 4, [Role.VERIFIER, Role.PROVER] * 2
        return found

    def said(session, sequence, previous=ZERO):
        made = m.write(m.Header(session, sequence, previous), m.Stop((1,)))
        kind = m.payload_type("stop")
        return Envelope(kind, made, (Signature(key.public, key.sign(pae(kind, made))),))

    refused(Reason.WRONG_SESSION, machine().begin, said(ZERO, 3))
    refused(Reason.WRONG_SESSION, machine().begin, said(ZERO, 5))
    refused(Reason.WRONG_SESSION, machine().begin, said(b"", 0))
    refused(Reason.EQUIVOCATION, machine().begin, said(ONE, 3))
    for sequence, previous, blamed in ((4, ZERO, Role.VERIFIER), (4, ONE, None)):
        with pytest.raises(PeerError) as caught:
            machine().begin(said(ONE, sequence, previous))
        assert (caught.value.reason, caught.value.blamed) == (Reason.OUT_OF_ORDER, blamed)
