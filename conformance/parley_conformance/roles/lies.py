"""Room: the suite. What a lying prover says in the fields of its messages, and how it must be refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from parley_attestation import envelope, keys, statement
from parley_attestation.commitment import commit_output
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Bytes32, Digest, Nonce, Salt
from parley_attestation.errors import Reason, Role
from parley_attestation.evidence.compute.records import Close, seal_record
from parley_attestation.model.claim import read_claim
from parley_attestation.session import messages as m
from parley_attestation.session.results import result_root
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn, stream_digest

from parley_conformance.arena import Speaker
from parley_conformance.deviations import ZERO, Deviation, Said, Say, flip
from parley_conformance.harness import sealed, signed

S, R = State, Reason


def body(**changes: Any) -> Say:
    """The honest message with fields changed; a function of the speaker gives a value that depends on it."""

    def say(p: Speaker) -> Turn:
        made = {name: value(p) if callable(value) else value for name, value in changes.items()}
        said: Any = p.draft.body
        return p.turn(replace(said, **made))

    return say


def over(p: Speaker, said: Any, blobs: list[bytes]) -> Turn:
    """A message over other content, under the stream digest that fits it."""
    return p.turn(replace(said, stream_digest=stream_digest(blobs)), tuple(blobs))


def changed_content(p: Speaker) -> Turn:
    """The honest message over other content, which it signs: the commitments do not open."""
    blobs = list(p.draft.blobs)
    blobs[-1] = flip(blobs[-1], len(blobs[-1]) - 1)
    return over(p, p.draft.body, blobs)


def certified_as(role: Role) -> Say:
    """A greeting whose key the root certifies for another role."""

    def say(p: Speaker) -> Said:
        own = p.target.party
        made = keys.Certificate(own.root.public, own.session.public, role, 0, 1 << 40)
        return body(key_history=(made.sealed(own.root),))(p)

    return say


def unpinned(p: Speaker) -> Said:
    """A greeting of a party with a root of its own, well certified."""
    root, session = SigningKey(p.target.fresh()), SigningKey(p.target.fresh())
    made = keys.Certificate(root.public, session.public, p.target.party.card.role, 0, 1 << 40)
    said: Any = p.draft.body
    return Turn(signed(session, p.header, replace(said, key_history=(made.sealed(root),))))


def strangers_entry(p: Speaker) -> tuple[bytes, ...]:
    """A key history with a second entry that another root signed."""
    root, own = SigningKey(p.target.fresh()), p.target.party
    made = keys.Certificate(own.root.public, own.session.public, own.card.role, 0, 1 << 40)
    return (*own.history, made.sealed(root))


def other_claim(p: Speaker) -> bytes:
    """The claim of another model of the same prover."""
    honest: Any = p.draft.body
    said = read_claim(honest.model_claim).statement
    changed = replace(said, predicate={**said.predicate, "claim_id": p.target.fresh().hex()}, raw=b"")
    return statement.seal(changed, p.target.party.root)


def strangers_claim(p: Speaker) -> bytes:
    """The honest claim, signed by somebody else."""
    honest: Any = p.draft.body
    return statement.seal(read_claim(honest.model_claim).statement, SigningKey(p.target.fresh()))


def rewritten_claim(change: Callable[[bytes], bytes]) -> Callable[[Speaker], bytes]:
    """The honest claim, its JSON changed before the prover signed it."""

    def say(p: Speaker) -> bytes:
        honest: Any = p.draft.body
        found = envelope.from_json(honest.model_claim)
        return envelope.to_json(sealed(p.target.party.root, found.payload_type, change(found.payload)))

    return say


def unread_claim(p: Speaker) -> bytes:
    """A claim that is no JSON, signed by somebody else: the signature is looked at first."""
    honest: Any = p.draft.body
    kind = envelope.from_json(honest.model_claim).payload_type
    return envelope.to_json(sealed(SigningKey(p.target.fresh()), kind, b"{"))


def strange_field(p: Speaker) -> tuple[bytes, ...]:
    """The honest certificate with a field that no document defines."""
    own = p.target.party
    made = envelope.from_json(
        keys.Certificate(own.root.public, own.session.public, own.card.role, 0, 1 << 40).sealed(own.root)
    )
    said = statement.parse(made.payload)
    return (statement.seal(replace(said, predicate={**said.predicate, "zone": 1}, raw=b""), own.root),)


def loose_records(p: Speaker) -> tuple[bytes, ...]:
    """Two compute records, each of which begins a chain."""
    one = Close(Bytes32(bytes(32)), 0, 0, ZERO, ())
    return tuple(seal_record(None, at, one, p.target.party.session) for at in (1, 2))


def too_few(p: Speaker) -> Turn:
    """One answer fewer than units were challenged."""
    said: Any = p.draft.body
    return over(p, replace(said, answers=said.answers[1:]), list(p.draft.blobs[1:]))


def too_many(p: Speaker) -> Turn:
    """One answer more than units were challenged."""
    said: Any = p.draft.body
    return over(
        p, replace(said, answers=(*said.answers, said.answers[0])), [*p.draft.blobs, p.draft.blobs[0]]
    )


def too_long(p: Speaker) -> Turn:
    """An output of one byte more than the cap."""
    said: Any = p.draft.body
    size = p.exercise.terms.caps.output + 1
    blob = p.draft.blobs[0][:32] + bytes(size)
    first = replace(said.answers[0], size=size)
    return over(p, replace(said, answers=(first, *said.answers[1:])), [blob, *p.draft.blobs[1:]])


def for_another_unit(p: Speaker) -> Turn:
    """The output to one unit, committed to for another one."""
    facts, said = p.machine.facts, p.draft.body
    assert isinstance(said, m.Answers)
    assert facts.audit is not None
    assert facts.exercise is not None
    other = facts.audit.waiting(facts.pending)[1].name
    key, output = Salt(p.draft.blobs[0][:32]), p.draft.blobs[0][32:]
    first = m.Answer(commit_output(key, facts.exercise, *other, output), len(output))
    return p.turn(replace(said, answers=(first, *said.answers[1:])))


def for_another_exercise(p: Speaker) -> Turn:
    """An output committed to for another exercise."""
    said = p.draft.body
    assert isinstance(said, m.Answers)
    assert p.machine.facts.audit is not None
    name = p.machine.facts.audit.waiting(p.machine.facts.pending)[0].name
    key, output = Salt(p.draft.blobs[0][:32]), p.draft.blobs[0][32:]
    first = m.Answer(commit_output(key, Digest(p.target.fresh()), *name, output), len(output))
    return p.turn(replace(said, answers=(first, *said.answers[1:])))


def swapped_answers(p: Speaker) -> Turn:
    """The first two answers, each for the other's unit."""
    said: Any = p.draft.body
    first, second, *rest = said.answers
    blobs = [p.draft.blobs[1], p.draft.blobs[0], *p.draft.blobs[2:]]
    return over(p, replace(said, answers=(second, first, *rest)), blobs)


def wrong_bits(p: Speaker) -> Turn:
    """Result bits other than the derived ones, under a root that fits them."""
    said: Any = p.draft.body
    (blob,) = p.draft.blobs
    assert p.machine.facts.exercise is not None
    seed, codes = Salt(blob[:32]), [bytes([code ^ 1]) for code in blob[32:]]
    changed = replace(said, result_root=result_root(seed, p.machine.facts.exercise, codes))
    return over(p, changed, [seed + b"".join(codes)])


def _threshold(p: Speaker) -> int:
    """The fewest successes that meet the claim."""
    assert p.machine.facts.terms is not None
    claim, size = p.machine.facts.terms.metric_claims[0], p.exercise.tests.public.size
    return -(-claim.threshold.numerator * size // claim.threshold.denominator)


def short_key(p: Speaker) -> Turn:
    """A coin whose key lacks a byte."""
    honest = p.turn()
    _, message = m.parse(p.draft.body.kind, honest.envelope.payload)
    message.key = bytes(31)
    kind = honest.envelope.payload_type
    return Turn(sealed(p.target.party.session, kind, message.SerializeToString()))


def answers_to_a_script(output: bytes) -> Say:
    """One output to every unit of the challenge, rightly committed to."""

    def say(p: Speaker) -> Turn:
        facts = p.machine.facts
        assert facts.audit is not None
        assert facts.exercise is not None
        key = Salt(p.target.fresh())
        names = [unit.name for unit in facts.audit.waiting(facts.pending)]
        made = tuple(m.Answer(commit_output(key, facts.exercise, *one, output), len(output)) for one in names)
        blobs = [key + output] * len(made)
        return p.turn(m.Answers(made, stream_digest(blobs)), tuple(blobs))

    return say


def _lie(
    what: tuple[str, str, str], state: State, say: Say, reason: Reason, nth: int = 1, shape: str = "plain"
) -> Deviation:
    """One lie: its name, what it is, the requirements; greetings prove nothing, anything later does."""
    name, text, needs = what
    provable = state is not S.GREETED
    return Deviation(name, text, tuple(needs.split()), Role.PROVER, state, say, reason, provable, nth, shape)


_P = S.PROPOSED
LIES: tuple[Deviation, ...] = (
    _lie(("reply-version", "a version that was not offered", "HELLO-1"), S.GREETED, body(version=2),
         R.UNSUPPORTED_VERSION),
    _lie(("reply-suite", "a suite that was not offered", "HELLO-1"), S.GREETED, body(suite=2),
         R.UNSUPPORTED_VERSION),
    _lie(("reply-mode", "a mode that was not offered", "HELLO-1"), S.GREETED, body(mode="sealed"),
         R.UNSUPPORTED_VERSION),
    _lie(("reply-channel", "a reply over another channel", "HELLO-3"), S.GREETED, body(verifier_tls=ZERO),
         R.CHANNEL_MISMATCH),
    _lie(("reply-other-server", "a reply that names another certificate of its own", "HELLO-3"), S.GREETED,
         body(prover_tls=ZERO), R.CHANNEL_MISMATCH),
    _lie(("reply-unpinned", "a reply of a party that is not pinned", "HELLO-3"), S.GREETED, unpinned,
         R.UNKNOWN_PARTY),
    _lie(("reply-as-verifier", "a key that is certified as a verifier's", "KEY-2"), S.GREETED,
         certified_as(Role.VERIFIER), R.KEY_NOT_CERTIFIED),
    _lie(("reply-strange-entry", "a key history with an entry of another root", "KEY-1"), S.GREETED,
         body(key_history=strangers_entry), R.BAD_SIGNATURE),
    _lie(("reply-unknown-field", "a certificate with a field that no document defines", "JSON-3"), S.GREETED,
         body(key_history=strange_field), R.BAD_KEY),
    _lie(("reply-nonce", "the verifier's own nonce", "HELLO-2"), S.GREETED,
         body(nonce=lambda p: Nonce(p.machine.facts.nonces[Role.VERIFIER])), R.MALFORMED),
    _lie(("other-terms", "an acceptance of other terms", "ACC-1"), _P, body(terms_digest=ZERO), R.WRONG_TERMS),
    _lie(("other-claim", "a model claim that the terms do not name", "ACC-1"), _P, body(model_claim=other_claim),
         R.BAD_MODEL_CLAIM),
    _lie(("strangers-claim", "a model claim that somebody else signed", "ACC-1 STMT-2"), _P,
         body(model_claim=strangers_claim), R.BAD_SIGNATURE),
    _lie(("claim-not-canonical", "a claim with a space before its JSON", "JSON-1"), _P,
         body(model_claim=rewritten_claim(lambda b: b" " + b)), R.NOT_CANONICAL),
    _lie(("claim-with-a-key-twice", "a claim with one key twice", "JSON-2"), _P,
         body(model_claim=rewritten_claim(lambda b: b.replace(b"{", b'{"_type":"x",', 1))), R.MALFORMED),
    _lie(("claim-signed-before-read", "a claim that is no JSON and that another key signed", "STMT-3"), _P,
         body(model_claim=unread_claim), R.BAD_SIGNATURE),
    _lie(("loose-records", "compute records that are no whole chain", "COMP-1"), _P,
         body(evidence=loose_records), R.BAD_EVIDENCE),
    _lie(("no-count", "no declared count", "ACC-1"), _P, body(declared_counts=()), R.BAD_COUNT),
    _lie(("two-counts", "two declared counts for one claim", "ACC-1"), _P, body(declared_counts=(24, 24)),
         R.BAD_COUNT),
    _lie(("count-too-low", "a declared count below the threshold", "ACC-1"), _P,
         body(declared_counts=lambda p: (_threshold(p) - 1,)), R.BAD_COUNT),
    _lie(("count-too-high", "a declared count above the population", "ACC-1"), _P,
         body(declared_counts=lambda p: (p.exercise.tests.public.size + 1,)), R.BAD_COUNT),
    _lie(("terms-before-counts", "other terms and no count: the terms are looked at first", "ACC-3"), _P,
         body(terms_digest=ZERO, declared_counts=()), R.WRONG_TERMS),
    _lie(("decline-for-no-reason", "a decline with a reason that no table has", "ACC-2"), _P,
         lambda p: p.turn(m.Decline("BECAUSE", ""), ()), R.MALFORMED),
    _lie(("key-of-31-bytes", "a coin under a key of 31 bytes", "FRAME-2"), S.COIN_SHOWN, short_key, R.MALFORMED),
    _lie(("no-list-of-answers", "an output to a script that is no list", "SCRIPT-2"), S.CHALLENGED,
         answers_to_a_script(b"5"), R.WRONG_UNITS, shape="scripts"),
    _lie(("an-answer-too-few", "an output to a script with one answer for two slots", "SCRIPT-2"), S.CHALLENGED,
         answers_to_a_script(b'["5"]'), R.WRONG_UNITS, shape="scripts"),
    _lie(("other-coin", "a coin that was not committed to", "COIN-1"), S.COIN_SHOWN, body(coin=Nonce(ZERO)),
         R.BAD_COIN),
    _lie(("other-coin-key", "a coin under another key", "COIN-1"), S.COIN_SHOWN, body(key=Salt(ZERO)), R.BAD_COIN),
    _lie(("too-few-answers", "an answer too few", "ANS-1"), S.CHALLENGED, too_few, R.WRONG_UNITS),
    _lie(("too-many-answers", "an answer too many", "ANS-1"), S.CHALLENGED, too_many, R.WRONG_UNITS, nth=2),
    _lie(("answer-over-cap", "an output above the cap", "ANS-1"), S.CHALLENGED, too_long, R.OVER_CAP),
    _lie(("answer-changed", "an output that was not committed to", "ANS-1 COMMIT-2"), S.CHALLENGED, changed_content,
         R.BAD_OPENING, nth=2),
    _lie(("answer-of-another-unit", "an output committed to for another unit", "ANS-1 COMMIT-2"), S.CHALLENGED,
         for_another_unit, R.BAD_OPENING),
    _lie(("answers-swapped", "two answers, each for the other's unit", "ANS-1 COMMIT-2"), S.CHALLENGED,
         swapped_answers, R.BAD_OPENING),
    _lie(("answer-of-another-exercise", "an output committed to for another exercise", "ANS-1 COMMIT-2"),
         S.CHALLENGED, for_another_exercise, R.BAD_OPENING),
    _lie(("other-verdict", "an acknowledgement of another verdict", "ACK-2"), S.CONFIRMED,
         body(verdict_digest=ZERO), R.WRONG_VERDICT),
    _lie(("other-bits", "result bits other than the derived ones", "ACK-3"), S.CONFIRMED, wrong_bits,
         R.WRONG_RESULT_BITS),
    _lie(("other-root", "result bits under a root that they do not give", "ACK-3"), S.CONFIRMED,
         body(result_root=ZERO), R.WRONG_RESULT_BITS),
)  # fmt: skip
