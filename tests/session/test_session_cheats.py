"""Cheating peers: each is refused with its reason, the machine stays as it was, and the right party is blamed."""

from dataclasses import replace
from fractions import Fraction

import pytest
from cheats import P, Standoff, V, signed, standoff, unit
from kit import (
    Caps,
    MemorySet,
    Plan,
    metric,
    model_claim,
    right,
    seed,
    side,
    sums,
    wrong_every,
)
from parley.v1 import session_pb2 as pb
from parley_attestation import keys, statement
from parley_attestation.canonical import Fields
from parley_attestation.commitment import Field, commit_output
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.endpoint import Draft
from parley_attestation.encoding import MAX_CHUNK, MAX_ENVELOPE, Digest, Nonce, Salt
from parley_attestation.envelope import Signature
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.grading import read_grader
from parley_attestation.session import messages as m
from parley_attestation.session.results import result_root
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn, stream_digest, to_frames

SIX_UNITS = {"terms_changes": {"plan": Plan(1, 8, (("", 6),))}}
WIDE = {  # prompts of which two do not fit one turn
    "items": [(p + b" " * 600, r) for p, r in sums(20)],
    "answer": lambda p, _: right(p.strip()),
    "terms_changes": {"plan": Plan(1, 8, (("", 20),)), "caps": Caps(1000, 100, 100, 1100)},
}
NUMERIC = {"kind": "numeric", "absolute": "0", "relative": "0", "pick": "only", "thousands": False}
STRANGER = SigningKey(seed("a stranger"))


def flip(value, at=0):
    return type(value)(value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :])


def again(body, blobs):
    """A body over changed content, with the stream digest that fits the content."""
    return replace(body, stream_digest=stream_digest(blobs)), tuple(blobs)


def terms(s: Standoff, **changes):
    """The honest proposal with other terms, sealed by the verifier."""
    made = replace(s.exercise.terms, **changes)
    return replace(s.draft.body, terms=statement.seal(made.statement(), s.key))


def foreign_set(s: Standoff):
    other = MemorySet(side(V, "other"), sums(60))
    return replace(s.draft.body, test_set=other.registration)


def other_set(s: Standoff):
    other = MemorySet(s.exercise.verifier, sums(60), set_seed=b"other set")
    return replace(s.draft.body, test_set=other.registration)


def changed_blob(s: Standoff, at=0, where=-1):
    blobs = list(s.draft.blobs)
    blobs[at] = flip(blobs[at], len(blobs[at]) - 1 if where < 0 else where)
    return again(s.draft.body, blobs)


def swapped(s: Standoff):
    units, blobs = list(s.draft.body.units), list(s.draft.blobs)
    units[0], units[1] = units[1], units[0]
    blobs[0], blobs[1] = blobs[1], blobs[0]
    return again(replace(s.draft.body, units=tuple(units)), blobs)


def skipped(s: Standoff):
    return again(replace(s.draft.body, units=s.draft.body.units[1:]), s.draft.blobs[1:])


def twice(s: Standoff):
    body, blobs = s.draft.body, s.draft.blobs
    return again(replace(body, units=(body.units[0], body.units[0])), (blobs[0], blobs[0]))


def past_the_budget(s: Standoff):
    item = next(n for n in range(60) if all(n != u.name[0] for u in s.cheat.machine.facts.audit.units))
    return challenge_of(s, [(item, 0)])


def challenge_of(s: Standoff, names):
    tests = s.exercise.tests
    units = tuple(
        m.Unit(
            n,
            j,
            tests.commitment(n, Field.PROMPT),
            tests.commitment(n, Field.REFERENCE),
            tests.inclusion(n),
            len(tests.prompt(n)),
        )
        for n, j in names
    )
    blobs = tuple(tests.key(n, Field.PROMPT) + tests.prompt(n) for n, _ in names)
    return again(m.Challenge(units, Digest(bytes(32))), blobs)


def too_many(s: Standoff):
    orders = s.cheat.machine.facts.audit._orders[0]
    return challenge_of(s, orders[:9])


def two_wide(s: Standoff):
    return challenge_of(s, s.cheat.machine.facts.audit._orders[0][:2])


def wrong_bits(s: Standoff):
    (blob,) = s.draft.blobs
    secret, codes = blob[:32], [bytes([c ^ 1]) for c in blob[32:]]
    root = result_root(Salt(secret), s.cheat.machine.facts.exercise, codes)
    return again(replace(s.draft.body, result_root=root), [secret + b"".join(codes)])


def long_output(s: Standoff):
    cap = s.exercise.terms.caps.output
    return replace(
        s.draft.body, answers=(replace(s.draft.body.answers[0], size=cap + 1), *s.draft.body.answers[1:])
    )


def foreign_commitment(s: Standoff):
    """The output for one unit, offered as the answer to another."""
    facts = s.cheat.machine.facts
    one, two = facts.audit.waiting(facts.pending)[:2]
    key, output = Salt(s.draft.blobs[0][:32]), s.draft.blobs[0][32:]
    answer = m.Answer(commit_output(key, facts.exercise, *two.name, output), len(output))
    assert one.name != two.name
    return replace(s.draft.body, answers=(answer, *s.draft.body.answers[1:]))


def uncertified(s: Standoff):
    return Turn(signed(STRANGER, s.header, s.draft.body))


def certified_as(role):
    def say(s: Standoff):
        party = s.exercise.verifier if s.cheat.policy.role is V else s.exercise.prover
        certificate = keys.Certificate(party.root.public, party.session.public, role, 0, 1 << 40)
        return replace(s.draft.body, key_history=(certificate.sealed(party.root),))

    return say


def unpinned(s: Standoff):
    other = side(s.cheat.policy.role, "unpinned")
    body = replace(s.draft.body, key_history=other.history)
    return Turn(signed(other.session, s.header, body))


def body(**changes):
    return lambda s: replace(s.draft.body, **{k: v(s) if callable(v) else v for k, v in changes.items()})


def always(other):
    return lambda _: other


def in_unit(position=0, **changes):
    return lambda s: unit(
        s.draft.body, position, **{k: v(s.draft.body.units[position]) for k, v in changes.items()}
    )


ZERO = Digest(bytes(32))
START, GREETED, READY, PROPOSED = State.START, State.GREETED, State.READY, State.PROPOSED
ACCEPTED, SHOWN, SEEDED, CHALLENGED = State.ACCEPTED, State.COIN_SHOWN, State.SEEDED, State.CHALLENGED
STOPPED, OPENED, CONFIRMED = State.STOPPED, State.OPENED, State.CONFIRMED

# name -> (who cheats, where, the nth time, what it says, the reason, who is blamed, changes of the exercise)
CHEATS = {
    # greetings: before they hold, no signature is known to be a party's
    "a Hello of another version": (V, START, 1, body(versions=(2,)), Reason.UNSUPPORTED_VERSION, None, {}),
    "a Hello of another suite": (V, START, 1, body(suites=(9,)), Reason.UNSUPPORTED_VERSION, None, {}),
    "a Hello of another mode": (V, START, 1, body(modes=("secret",)), Reason.UNSUPPORTED_VERSION, None, {}),
    "a Hello over another channel": (V, START, 1, body(prover_tls=ZERO), Reason.CHANNEL_MISMATCH, None, {}),
    "a Hello under an uncertified key": (V, START, 1, uncertified, Reason.KEY_NOT_CERTIFIED, None, {}),
    "a Hello under a prover's key": (V, START, 1, certified_as(P), Reason.KEY_NOT_CERTIFIED, None, {}),
    "a Hello of an unpinned party": (V, START, 1, unpinned, Reason.UNKNOWN_PARTY, None, {}),
    "a Hello with garbage for a history": (
        V,
        START,
        1,
        body(key_history=(b"{}",)),
        Reason.MALFORMED,
        None,
        {},
    ),
    "a reply of a version not offered": (
        P,
        GREETED,
        1,
        body(version=2),
        Reason.UNSUPPORTED_VERSION,
        None,
        {},
    ),
    "a reply over another channel": (
        P,
        GREETED,
        1,
        body(verifier_tls=ZERO),
        Reason.CHANNEL_MISMATCH,
        None,
        {},
    ),
    "a reply under an uncertified key": (P, GREETED, 1, uncertified, Reason.KEY_NOT_CERTIFIED, None, {}),
    "a reply of an unpinned party": (P, GREETED, 1, unpinned, Reason.UNKNOWN_PARTY, None, {}),
    "a reply with the verifier's nonce": (
        P,
        GREETED,
        1,
        body(nonce=lambda s: Nonce(s.cheat.machine.facts.nonces[V])),
        Reason.MALFORMED,
        None,
        {},
    ),
    # terms
    "a second attempt that nothing preceded": (V, READY, 1, body(attempt=2), Reason.BAD_ATTEMPT, V, {}),
    "terms of another prover": (V, READY, 1, lambda s: terms(s, prover=ZERO), Reason.BAD_TERMS, V, {}),
    "terms that decide nothing": (
        V,
        READY,
        1,
        lambda s: terms(s, claims=(metric(threshold=Fraction(0)),)),
        Reason.BAD_TERMS,
        V,
        {},
    ),
    "terms over more units than there are": (
        V,
        READY,
        1,
        lambda s: terms(s, plan=Plan(1, 8, (("", 61),))),
        Reason.BAD_TERMS,
        V,
        {},
    ),
    "terms with a grader the set was not registered for": (
        V,
        READY,
        1,
        lambda s: terms(
            s,
            claims=(
                metric(grader=read_grader(Fields({"kind": "exact", "trim": False, "ignore_case": False}))),
            ),
        ),
        Reason.BAD_TERMS,
        V,
        {},
    ),
    "terms sealed by somebody else": (
        V,
        READY,
        1,
        lambda s: replace(s.draft.body, terms=statement.seal(s.exercise.terms.statement(), STRANGER)),
        Reason.BAD_SIGNATURE,
        V,
        {},
    ),
    "somebody else's test set": (V, READY, 1, foreign_set, Reason.BAD_SIGNATURE, V, {}),
    "a test set that the terms do not name": (V, READY, 1, other_set, Reason.BAD_TERMS, V, {}),
    "other terms accepted": (P, PROPOSED, 1, body(terms_digest=ZERO), Reason.WRONG_TERMS, P, {}),
    "a model claim the terms do not name": (
        P,
        PROPOSED,
        1,
        body(model_claim=lambda s: model_claim(s.exercise.prover, b"other weights")),
        Reason.BAD_MODEL_CLAIM,
        P,
        {},
    ),
    "somebody else's model claim": (
        P,
        PROPOSED,
        1,
        body(model_claim=lambda _: model_claim(side(P, "other"))),
        Reason.BAD_SIGNATURE,
        P,
        {},
    ),
    "no declared count": (P, PROPOSED, 1, body(declared_counts=()), Reason.BAD_COUNT, P, {}),
    "a declared count below the threshold": (
        P,
        PROPOSED,
        1,
        body(declared_counts=(47,)),
        Reason.BAD_COUNT,
        P,
        {},
    ),
    "a declared count above the population": (
        P,
        PROPOSED,
        1,
        body(declared_counts=(61,)),
        Reason.BAD_COUNT,
        P,
        {},
    ),
    # coins
    "a verifier's coin it did not commit to": (
        V,
        ACCEPTED,
        1,
        body(coin=Nonce(ZERO)),
        Reason.BAD_COIN,
        V,
        {},
    ),
    "a coin under another key": (V, ACCEPTED, 1, body(key=Salt(ZERO)), Reason.BAD_COIN, V, {}),
    "a prover's coin it did not commit to": (P, SHOWN, 1, body(coin=Nonce(ZERO)), Reason.BAD_COIN, P, {}),
    # challenges
    "a challenge out of ticket order": (V, SEEDED, 1, swapped, Reason.WRONG_INDEX, V, {}),
    "a ticket skipped": (V, SEEDED, 2, skipped, Reason.WRONG_INDEX, V, {}),
    "a unit challenged twice": (V, SEEDED, 1, twice, Reason.WRONG_INDEX, V, {}),
    "a sample that is not in the plan": (
        V,
        SEEDED,
        1,
        in_unit(sample=lambda _: 1),
        Reason.WRONG_INDEX,
        V,
        {},
    ),
    "an index outside the population": (V, SEEDED, 1, in_unit(item=lambda _: 60), Reason.WRONG_INDEX, V, {}),
    "an index of 2^64 - 1": (V, SEEDED, 1, in_unit(item=lambda _: 2**64 - 1), Reason.WRONG_INDEX, V, {}),
    "a challenge over the budget": (V, SEEDED, 2, past_the_budget, Reason.OVER_BUDGET, V, SIX_UNITS),
    "a challenge over the plan's batch": (V, SEEDED, 1, too_many, Reason.OVER_CAP, V, {}),
    "a forged proof": (
        V,
        SEEDED,
        1,
        in_unit(proof=lambda u: (flip(u.proof[0]), *u.proof[1:])),
        Reason.BAD_PROOF,
        V,
        {},
    ),
    "a proof of another item": (
        V,
        SEEDED,
        1,
        lambda s: unit(s.draft.body, 0, proof=s.draft.body.units[1].proof),
        Reason.BAD_PROOF,
        V,
        {},
    ),
    "a proof too short": (V, SEEDED, 1, in_unit(proof=lambda u: u.proof[:-1]), Reason.BAD_PROOF, V, {}),
    "a proof too long": (V, SEEDED, 1, in_unit(proof=lambda u: (*u.proof, ZERO)), Reason.BAD_PROOF, V, {}),
    "no proof": (V, SEEDED, 1, in_unit(proof=lambda _: ()), Reason.BAD_PROOF, V, {}),
    "a proof of a hundred hashes": (
        V,
        SEEDED,
        1,
        in_unit(proof=lambda _: (ZERO,) * 100),
        Reason.TOO_LARGE,
        V,
        {},
    ),
    "an uncommitted reference swapped in at the challenge": (
        V,
        SEEDED,
        1,
        in_unit(reference_commitment=lambda _: ZERO),
        Reason.BAD_PROOF,
        V,
        {},
    ),
    "a changed prompt": (V, SEEDED, 1, changed_blob, Reason.BAD_OPENING, V, {}),
    "a changed prompt key": (V, SEEDED, 1, lambda s: changed_blob(s, 2, 0), Reason.BAD_OPENING, V, {}),
    "a prompt over the cap": (
        V,
        SEEDED,
        1,
        in_unit(size=lambda _: (1 << 16) + 1),
        Reason.OVER_CAP,
        V,
        {},
    ),
    "a turn over the cap": (V, SEEDED, 1, two_wide, Reason.OVER_CAP, V, WIDE),
    # answers
    "too few answers": (
        P,
        CHALLENGED,
        1,
        lambda s: again(replace(s.draft.body, answers=s.draft.body.answers[1:]), s.draft.blobs[1:]),
        Reason.WRONG_UNITS,
        P,
        {},
    ),
    "an output over the cap": (P, CHALLENGED, 1, long_output, Reason.OVER_CAP, P, {}),
    "an output it did not commit to": (P, CHALLENGED, 2, changed_blob, Reason.BAD_OPENING, P, {}),
    "an answer committed for another unit": (P, CHALLENGED, 1, foreign_commitment, Reason.BAD_OPENING, P, {}),
    # stop and open
    "a Stop before anything was asked": (V, SEEDED, 1, always(m.Stop((0,))), Reason.STOP_TOO_EARLY, V, {}),
    "a Stop over more than was asked": (V, SEEDED, 2, always(m.Stop((9,))), Reason.STOP_TOO_EARLY, V, {}),
    "a Stop for frames that are not there": (V, SEEDED, 2, always(m.Stop((8, 8))), Reason.WRONG_UNITS, V, {}),
    "a changed reference": (V, STOPPED, 1, changed_blob, Reason.BAD_OPENING, V, {}),
    "a reference over the cap": (
        V,
        STOPPED,
        1,
        lambda s: replace(s.draft.body, sizes=((1 << 12) + 1, *s.draft.body.sizes[1:])),
        Reason.OVER_CAP,
        V,
        {},
    ),
    "more references than were asked": (
        V,
        STOPPED,
        1,
        lambda s: again(replace(s.draft.body, sizes=(*s.draft.body.sizes, 1)), (*s.draft.blobs, bytes(33))),
        Reason.WRONG_UNITS,
        V,
        {},
    ),
    "a challenge after Stop": (
        V,
        STOPPED,
        1,
        lambda s: challenge_of(s, [(0, 0)]),
        Reason.OUT_OF_ORDER,
        V,
        {},
    ),
    # the end
    "an acknowledgement before Open": (
        V,
        STOPPED,
        1,
        always(m.Acknowledge(ZERO, ZERO, ZERO)),
        Reason.OUT_OF_ORDER,
        V,
        {},
    ),
    "a binding that the terms do not ask for": (
        V,
        OPENED,
        1,
        always(m.Binding(b"{}")),
        Reason.BAD_BINDING,
        V,
        {},
    ),
    "references after the last": (V, OPENED, 1, always(m.Open((1,), ZERO)), Reason.WRONG_UNITS, V, {}),
    "a verifier's other verdict": (V, OPENED, 1, body(verdict_digest=ZERO), Reason.WRONG_VERDICT, V, {}),
    "a prover's other verdict": (P, CONFIRMED, 1, body(verdict_digest=ZERO), Reason.WRONG_VERDICT, P, {}),
    "a verifier's other result bits": (V, OPENED, 1, wrong_bits, Reason.WRONG_RESULT_BITS, V, {}),
    "a prover's other result bits": (P, CONFIRMED, 1, wrong_bits, Reason.WRONG_RESULT_BITS, P, {}),
    "result bits under another root": (
        P,
        CONFIRMED,
        1,
        body(result_root=ZERO),
        Reason.WRONG_RESULT_BITS,
        P,
        {},
    ),
}


def said(s: Standoff, what) -> Turn:
    """The turn that a cheat describes: a turn, a body over the honest content, or a body with its content."""
    if isinstance(what, Turn):
        return what
    if isinstance(what, tuple):
        return s.turn(*what)
    return s.turn(what, s.draft.blobs)


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_refused_and_judged_as_what_it_is(tmp_path, name):
    role, state, nth, what, reason, blamed, changes = CHEATS[name]
    s = standoff(tmp_path, role, state, nth, **changes)
    honest = s.honest()
    error = s.refused(said(s, what(s)))
    assert (error.reason, error.blamed) == (reason, blamed), error.message
    if s.victim.row is not None:
        found = s.judged()
        assert (found.fault.blamed if found.fault else None) is blamed
        assert (found.fault.reason if found.fault else None) == (reason if blamed else None)
        assert found.verdict is None
    if blamed is None:
        s.go_on()
    else:
        s.victim.machine.step(honest)
        if s.victim.row is not None:
            with pytest.raises(PeerError, match="provable fault has ended"):
                reopened(s).load(s.victim.row)


def reopened(s: Standoff):
    """The victim's endpoint after a restart, with nothing loaded."""
    role = s.victim.policy.role
    return s.exercise.prover_end(load=False) if role is P else s.exercise.verifier_end()


# -- bytes that nobody signed: refused, nobody is blamed, and the exercise goes on


def frames_of(turn: Turn):
    return list(to_frames(turn))


def with_signatures(turn: Turn, *signatures):
    (first, *rest) = frames_of(turn)
    del first.envelope.signatures[:]
    for signature in signatures:
        first.envelope.signatures.add(key=signature.key, value=signature.value)
    return [first, *rest]


def altered(s: Standoff):
    frames = frames_of(s.honest())
    frames[0].envelope.payload = flip(frames[0].envelope.payload, 50)
    return frames


def altered_and_signed_by(key):
    def say(s: Standoff):
        body, blobs = changed_blob(s)
        return frames_of(Turn(signed(key, s.header, body), blobs))

    return say


def altered_chunk(s: Standoff):
    frames = frames_of(s.honest())
    frames[1].chunk.data = flip(frames[1].chunk.data, 40)
    return frames


def chunk_at(offset):
    def say(s: Standoff):
        frames = frames_of(s.honest())
        frames[1].chunk.offset = offset
        return frames

    return say


def too_much_content(s: Standoff):
    frames = frames_of(s.honest())
    frames[1].chunk.data += b"!"
    return frames


def long_chunk(s: Standoff):
    frames = frames_of(s.honest())
    frames[1].chunk.data += bytes(MAX_CHUNK)
    return frames


def small_order(s: Standoff):
    """A key of order 1: with it, R = [S]B verifies any message in libraries that do not refuse it."""
    identity = bytes([1]) + bytes(31)
    return with_signatures(s.honest(), Signature(identity, identity + bytes(32)))


def malleated(s: Standoff):
    """S + L for S: the same point, another encoding."""
    (signature,) = s.honest().envelope.signatures
    order = 2**252 + 27742317777372353535851937790883648493
    moved = (int.from_bytes(signature.value[32:], "little") + order).to_bytes(32, "little")
    return with_signatures(s.honest(), Signature(signature.key, signature.value[:32] + moved))


def of_type(kind):
    return lambda s: frames_of(
        Turn(signed(s.key, s.header, None, kind=kind, payload=s.honest().envelope.payload))
    )


def oversized(s: Standoff):
    (first, *_) = frames_of(s.honest())
    first.envelope.payload = bytes(MAX_ENVELOPE + 1)
    return [first]


def terms_as_a_message(s: Standoff):
    """A verifier's session key does sign statements: that is no fault, whoever carries it here."""
    return frames_of(
        Turn(
            signed(
                s.key, None, None, kind=statement.PAYLOAD_TYPE, payload=s.exercise.terms.statement().payload()
            )
        )
    )


def garbage(s: Standoff):
    return frames_of(Turn(signed(s.key, None, None, kind=m.payload_type("challenge"), payload=b"\xff\xff")))


def headless(s: Standoff):
    return frames_of(Turn(signed(s.key, None, None, kind=m.payload_type("challenge"), payload=b"")))


TAMPERED = {
    "an altered byte": (altered, Reason.BAD_SIGNATURE),
    "an altered message signed again by a stranger": (altered_and_signed_by(STRANGER), Reason.BAD_SIGNATURE),
    "content that is not the signed one": (altered_chunk, Reason.STREAM_MISMATCH),
    "a chunk from elsewhere": (chunk_at(1), Reason.BLOB_MISMATCH),
    "more content than was signed": (too_much_content, Reason.BLOB_MISMATCH),
    "a chunk above the limit": (long_chunk, Reason.BLOB_MISMATCH),
    "content without a message": (lambda s: frames_of(s.honest())[1:], Reason.BLOB_MISMATCH),
    "a message inside another's content": (lambda s: frames_of(s.honest())[:1] * 2, Reason.OUT_OF_ORDER),
    "a small-order key": (small_order, Reason.BAD_SIGNATURE),
    "a malleated signature": (malleated, Reason.BAD_SIGNATURE),
    "no signature": (lambda s: with_signatures(s.honest()), Reason.MALFORMED),
    "two signatures": (
        lambda s: with_signatures(s.honest(), *(s.honest().envelope.signatures * 2)),
        Reason.MALFORMED,
    ),
    "an unknown payload type": (of_type("application/vnd.parley.secret.v1+proto"), Reason.UNSUPPORTED),
    "a later version's payload type": (
        of_type("application/vnd.parley.challenge.v2+proto"),
        Reason.UNSUPPORTED,
    ),
    "terms carried as a message": (terms_as_a_message, Reason.UNSUPPORTED),
    "bytes that are no message": (garbage, Reason.MALFORMED),
    "a message without a header": (headless, Reason.MALFORMED),
    "a payload above the limit": (oversized, Reason.TOO_LARGE),
    "an empty frame": (lambda _: [pb.Frame()], Reason.MALFORMED),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_bytes_that_nobody_provably_signed_here_blame_nobody(tmp_path, name):
    say, reason = TAMPERED[name]
    s = standoff(tmp_path, V, SEEDED, 2)
    error = s.refused(say(s))
    assert (error.reason, error.blamed) == (reason, None)
    assert s.judged().fault is None
    s.go_on()


# -- shapes that only the signer can have made


def with_payload(change):
    def say(s: Standoff):
        honest = s.honest().envelope
        message = pb.Challenge.FromString(honest.payload)
        change(message)
        payload = message.SerializeToString(deterministic=True)
        return Turn(signed(s.key, None, None, kind=honest.payload_type, payload=payload), s.draft.blobs)

    return say


def unknown(message):
    message.MergeFromString(b"\xf8\x3f\x01")  # field 1023


SHAPES = {
    "an unknown field": (with_payload(unknown), Reason.UNKNOWN_FIELD),
    "an unknown field inside a unit": (with_payload(lambda c: unknown(c.units[0])), Reason.UNKNOWN_FIELD),
    "an unknown field in the header": (with_payload(lambda c: unknown(c.header)), Reason.UNKNOWN_FIELD),
    "no unit": (with_payload(lambda c: c.ClearField("units")), Reason.TOO_LARGE),
    "a commitment of 31 bytes": (
        with_payload(lambda c: setattr(c.units[0], "prompt_commitment", bytes(31))),
        Reason.MALFORMED,
    ),
    "a prompt of 2^40 bytes": (
        with_payload(lambda c: setattr(c.units[0], "size", 1 << 40)),
        Reason.TOO_LARGE,
    ),
    "another type over the same bytes": (
        lambda s: Turn(
            signed(s.key, None, None, kind=m.payload_type("coin"), payload=s.honest().envelope.payload)
        ),
        Reason.MALFORMED,
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_malformed_message_of_this_session_blames_its_signer(tmp_path, name):
    say, reason = SHAPES[name]
    s = standoff(tmp_path, V, SEEDED, 2)
    honest = s.honest()
    error = s.refused(say(s))
    assert (error.reason, error.blamed) == (reason, V)
    assert s.judged().fault.blamed is V
    s.victim.machine.step(honest)


HEADERS = {
    "another session": (lambda h: replace(h, session=ZERO), Reason.WRONG_SESSION),
    "a slot to come": (lambda h: replace(h, sequence=h.sequence + 2), Reason.WRONG_SEQUENCE),
    "slot zero": (lambda h: replace(h, sequence=0), Reason.WRONG_SEQUENCE),
    "another predecessor": (lambda h: replace(h, previous=ZERO), Reason.WRONG_PREVIOUS),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_message_for_another_place_blames_nobody(tmp_path, name):
    """It may be honest where it belongs: on the other side of somebody else's equivocation."""
    change, reason = HEADERS[name]
    s = standoff(tmp_path, V, SEEDED, 2)
    error = s.refused(s.turn(s.draft.body, s.draft.blobs, header=change(s.header)))
    assert (error.reason, error.blamed) == (reason, None)
    s.go_on()


# -- two messages for one slot, messages out of turn, messages of other sessions


def test_two_answers_for_one_slot_are_kept_as_evidence_and_blame_the_prover(tmp_path):
    s = standoff(tmp_path, P, CHALLENGED, 2)
    header = s.header
    for frame in frames_of(s.honest()):
        list(s.victim.feed(frame))
    facts = s.cheat.machine.facts
    names = [u.name for u in facts.audit.waiting(facts.pending)]
    keys_ = [Salt(b[:32]) for b in s.draft.blobs]
    answers = [
        m.Answer(commit_output(k, facts.exercise, *n, b"7"), 1) for k, n in zip(keys_, names, strict=True)
    ]
    body, blobs = again(m.Answers(tuple(answers), ZERO), [k + b"7" for k in keys_])
    error = s.refused(s.turn(body, blobs, header=header))
    assert (error.reason, error.blamed) == (Reason.EQUIVOCATION, P)
    found = s.judged()
    assert (found.fault.reason, found.fault.blamed) == (Reason.EQUIVOCATION, P)


def test_two_challenges_for_one_slot_blame_the_verifier(tmp_path):
    s = standoff(tmp_path, V, SEEDED, 2)
    header = s.header
    for frame in frames_of(s.honest()):
        list(s.victim.feed(frame))
    error = s.refused(s.turn(m.Stop((8,)), header=header))
    assert (error.reason, error.blamed) == (Reason.EQUIVOCATION, V)
    found = s.judged()
    assert (found.fault.reason, found.fault.blamed) == (Reason.EQUIVOCATION, V)


def test_the_same_bytes_again_change_nothing(tmp_path):
    s = standoff(tmp_path, V, SEEDED, 2)
    turn = s.honest()
    for frame in frames_of(turn):
        list(s.victim.feed(frame))
    before = s.victim.machine.head
    for frame in frames_of(turn):
        assert list(s.victim.feed(frame)) == []
    assert s.victim.machine.head == before


def test_a_message_in_the_others_turn_blames_its_sender(tmp_path):
    s = standoff(tmp_path, V, SEEDED, 2)
    s.cheat, s.victim = s.victim, s.cheat  # now the prover speaks where the verifier should
    error = s.refused(s.turn(m.Abort("WHY", "because"), header=s.header))
    assert (error.reason, error.blamed) == (Reason.OUT_OF_ORDER, P)
    assert s.judged().fault.blamed is P


def test_a_message_for_a_slot_that_the_other_has_filled_blames_its_sender(tmp_path):
    s = standoff(tmp_path, V, SEEDED, 2)
    header = s.header
    turn = s.honest()
    s.cheat.machine.step(turn)
    s.cheat._keep(turn, ())
    s.cheat, s.victim = s.victim, s.cheat
    error = s.refused(s.turn(m.Abort("WHY", "because"), header=header))
    assert (error.reason, error.blamed) == (Reason.OUT_OF_ORDER, P)
    assert s.judged().fault.blamed is P


@pytest.mark.parametrize("state", [READY, SEEDED, STOPPED])
def test_a_replay_from_another_session_blames_nobody(tmp_path, state):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    other = standoff(tmp_path / "one", V, state, answer=wrong_every(3))
    s = standoff(tmp_path / "two", V, state)
    header = replace(s.header, session=Digest(seed("the other session")))
    error = s.refused(s.turn(other.draft.body, other.draft.blobs, header=header))
    assert (error.reason, error.blamed) == (Reason.WRONG_SESSION, None)
    s.go_on()


@pytest.mark.parametrize("role", [V, P])
def test_the_greeting_of_another_session_is_no_equivocation(tmp_path, role):
    """A party greets in many sessions under one key; its nonce says which this is."""
    state = START if role is V else GREETED
    other = standoff(tmp_path, role, state)
    body = replace(other.draft.body, nonce=Nonce(seed("another session")))
    stray = signed(other.key, other.header, body)
    (tmp_path / "here").mkdir()
    s = standoff(tmp_path / "here", role, SEEDED if role is V else CHALLENGED)
    error = s.refused(Turn(stray))
    assert (error.reason, error.blamed) == (Reason.WRONG_SESSION, None)
    s.go_on()


@pytest.mark.parametrize("role", [V, P])
def test_two_greetings_with_one_nonce_are_an_equivocation(tmp_path, role):
    s = standoff(tmp_path, role, SEEDED if role is V else CHALLENGED)
    turns = dict(s.victim.journal.turns(s.victim.row))
    envelope = turns[1 if role is V else 2].envelope
    header, body = m.read(m.KINDS[envelope.payload_type], envelope.payload)
    error = s.refused(s.turn(replace(body, prover_tls=ZERO), header=header))
    assert (error.reason, error.blamed) == (Reason.EQUIVOCATION, role)
    assert s.judged().fault.blamed is role


# -- when to stop


def stop_at(count):
    """A verifier that says it counted `count` units, whatever the test says."""
    return lambda _, draft: (
        replace(draft, body=m.Stop((count(draft.body.counts[0]),)))
        if isinstance(draft.body, m.Stop)
        else draft
    )


def stop_after(units):
    """A verifier that stops after `units`, undecided."""

    def change(machine, draft):
        audit = machine.facts.audit
        if isinstance(draft.body, m.Challenge) and len(audit.units) >= units:
            return replace(draft, body=m.Stop((units,)), blobs=())
        return draft

    return change


def one_more(machine, draft):
    """A verifier that goes on for one more challenge after its test has decided."""
    audit = machine.facts.audit
    if not isinstance(draft.body, m.Stop) or one_more.done:
        return draft
    one_more.done = True
    return one_more.say(audit._orders[0][len(audit.units) :][:1])


STOPS = {
    "undecided": (stop_after(8), Reason.STOP_TOO_EARLY),
    "one unit before the decision": (stop_at(lambda n: n - 1), Reason.STOP_TOO_EARLY),
    "one unit after the decision": (stop_at(lambda n: n + 1), Reason.STOP_TOO_LATE),
}


@pytest.mark.parametrize("name", STOPS)
def test_a_stop_at_the_wrong_unit_is_caught_at_the_last_open(tmp_path, name):
    mutate, reason = STOPS[name]
    s = standoff(tmp_path, V, STOPPED, mutate=mutate)
    error = s.refused(s.honest())
    assert (error.reason, error.blamed) == (reason, V)
    found = s.judged()
    assert (found.fault.reason, found.fault.blamed) == (reason, V)
    s.cheat.policy.state = None
    with pytest.raises(LocalError, match="own next message is refused"):  # its own machine would not say it
        list(s.cheat.pump())


def test_going_on_after_the_decision_is_caught_at_the_last_open(tmp_path):
    (tmp_path / "first").mkdir()
    honest = standoff(tmp_path / "first", V, STOPPED)
    decided = honest.cheat.machine.facts.stop_counts[0]
    one_more.done = False
    one_more.say = lambda names: _draft(challenge_of(honest, names))
    s = standoff(tmp_path, V, STOPPED, mutate=one_more)
    assert one_more.done
    assert s.cheat.machine.facts.stop_counts == (decided,)
    error = s.refused(s.honest())
    assert (error.reason, error.blamed) == (Reason.STOP_TOO_LATE, V)
    assert s.judged().fault.blamed is V


def _draft(content):
    return replace(_EMPTY, body=content[0], blobs=content[1])


_EMPTY = Draft(m.Stop((1,)))


def test_a_withheld_open_ends_without_a_verdict_and_without_blame(tmp_path):
    s = standoff(tmp_path, V, STOPPED)
    found = s.judged()
    assert found.valid
    assert found.verdict is None
    assert (found.state, found.turn) == (STOPPED, V)
    s.go_on()


def test_a_reference_that_its_grader_cannot_use_blames_the_verifier(tmp_path):
    """Else a verifier could commit to references that fail every output."""
    number = read_grader(Fields(NUMERIC))
    claim = metric(grader=number)
    s = standoff(
        tmp_path,
        V,
        STOPPED,
        items=[(p, b"not a number") for p, _ in sums(10)],
        graders=(number,),
        terms_changes={"claims": (claim,), "plan": Plan(1, 8, (("", 10),))},
    )
    error = s.refused(s.honest())
    assert (error.reason, error.blamed) == (Reason.BAD_REGISTRATION, V)
    assert s.judged().fault.blamed is V


def test_a_stranger_cannot_make_a_record_that_blames_the_prover(tmp_path):
    """A verifier that invents the prover's reply, badly, has invented nothing that blames anybody."""
    s = standoff(tmp_path, P, GREETED)
    nobody = Turn(signed(STRANGER, s.header, replace(s.draft.body, version=7)))
    with pytest.raises(PeerError) as caught:
        s.victim.machine.step(nobody)
    assert caught.value.blamed is None
