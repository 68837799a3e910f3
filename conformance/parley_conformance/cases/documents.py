"""Room: the suite. Faults in the documents that messages carry: their JSON, their seals, and what terms say."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from parley_attestation import envelope, keys
from parley_attestation.ed25519 import SigningKey
from parley_attestation.envelope import Signature, pae
from parley_attestation.errors import Reason, Role
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn
from parley_attestation.terms import Plan

from parley_conformance.cases.base import After, Case, Say, fault
from parley_conformance.cases.says import terms
from parley_conformance.harness import Failure, Player, Target, sealed
from parley_conformance.world import BATCH, ITEMS

S = State
_BAD = {Reason.BAD_TERMS}


def rewritten(change: Callable[[bytes], bytes]) -> Say:
    """The honest proposal, the JSON of its terms changed before the verifier signed them."""

    def say(p: Player) -> Turn:
        honest = envelope.from_json(p.exercise.sealed)
        made = sealed(p.target.party.session, honest.payload_type, change(honest.payload))
        said: Any = p.draft.body
        return p.turn(replace(said, terms=envelope.to_json(made)))

    return say


def swapped(old: bytes, new: bytes) -> Say:
    """The honest proposal with one piece of the JSON of its terms replaced."""

    def change(payload: bytes) -> bytes:
        assert payload.count(old) >= 1
        return payload.replace(old, new, 1)

    return rewritten(change)


def unsigned_and_unread(p: Player) -> Turn:
    """Terms that are no JSON, sealed by somebody else: the signature is looked at first."""
    made = sealed(SigningKey(p.target.fresh()), envelope.from_json(p.exercise.sealed).payload_type, b"{")
    said: Any = p.draft.body
    return p.turn(replace(said, terms=envelope.to_json(made)))


def unknown_items(p: Player) -> Turn:
    """The honest proposal over a registered set of items of an unknown kind."""
    honest = envelope.from_json(p.exercise.tests.registration)
    changed = honest.payload.replace(b'"single"', b'"dialog"')
    assert changed != honest.payload
    made = sealed(p.target.party.root, honest.payload_type, changed)
    said: Any = p.draft.body
    return p.turn(replace(said, test_set=envelope.to_json(made)))


def history(*more: Callable[[Player], bytes]) -> Say:
    """A Hello whose key history has more entries."""

    def say(p: Player) -> Turn:
        said: Any = p.draft.body
        return p.turn(replace(said, key_history=(*said.key_history, *(one(p) for one in more))))

    return say


def _by_a_stranger(p: Player) -> bytes:
    party = p.target.party
    made = keys.Certificate(party.root.public, party.session.public, Role.VERIFIER, 0, 1 << 40)
    return made.sealed(SigningKey(p.target.fresh()))


def _of_another_root(p: Player) -> bytes:
    party, other = p.target.party, SigningKey(p.target.fresh())
    made = keys.Certificate(other.public, party.session.public, Role.VERIFIER, 0, 1 << 40)
    return made.sealed(party.root)


def contradicting(p: Player) -> Turn:
    """Terms with a claim of at least one half, and one of at most a quarter about the same thing."""
    (claim,) = p.exercise.terms.metric_claims
    other = replace(claim, claim_id="other", at_most=True, threshold=Fraction(1, 4))
    made: Turn = terms(claims=(claim, other))(p)  # type: ignore[assignment]
    return made


def threshold_of_nothing(p: Player) -> Turn:
    """Terms whose claim no result can miss."""
    (claim,) = p.exercise.terms.metric_claims
    made: Turn = terms(claims=(replace(claim, threshold=Fraction(0)),))(p)  # type: ignore[assignment]
    return made


def two_faults(p: Player) -> Turn:
    """A second attempt of nothing, over another registered set: the attempt is looked at first."""
    said: Any = p.draft.body
    other = p.target.world.tests("other").registration
    return p.turn(replace(said, attempt=2, test_set=other))


def signed_also(carrier: bytes, stranger: SigningKey) -> bytes:
    """A sealed statement that a stranger signed as well, ahead of its signer: the same statement."""
    found = envelope.from_json(carrier)
    value = stranger.sign(pae(found.payload_type, found.payload))
    return envelope.to_json(replace(found, signatures=(Signature(stranger.public, value), *found.signatures)))


def _signed_twice(target: Target) -> None:
    """Terms that a stranger signed as well: the same terms."""
    exercise = target.exercise()
    exercise = replace(exercise, sealed=signed_also(exercise.sealed, SigningKey(target.fresh())))
    player = target.begin(exercise=exercise)
    if player.machine.state is not S.FINISHED:
        raise Failure(
            f"the session under terms with one signature more ended in state {player.machine.state}"
        )


CASES: tuple[Case, ...] = (
    fault(
        "terms-not-canonical",
        "terms with a space before the JSON",
        "JSON-1",
        S.READY,
        rewritten(lambda payload: b" " + payload),
        {Reason.NOT_CANONICAL},
        After.ENDED,
    ),
    fault(
        "terms-with-a-fraction",
        "terms with a number that is no integer",
        "JSON-2",
        S.READY,
        swapped(b'"samples":1', b'"samples":1.5'),
        {Reason.MALFORMED},
        After.ENDED,
    ),
    fault(
        "terms-with-a-key-twice",
        "terms with one key twice in one object",
        "JSON-2",
        S.READY,
        swapped(b'"title":"conformance"', b'"title":"conformance","title":"conformance"'),
        {Reason.MALFORMED},
        After.ENDED,
    ),
    fault(
        "terms-with-an-unknown-field",
        "terms with a field that no document defines",
        "JSON-3",
        S.READY,
        swapped(b'}},"predicateType"', b'},"zone":1},"predicateType"'),
        _BAD,
        After.ENDED,
    ),
    fault(
        "terms-sealed-before-read",
        "terms that are no JSON and that another key sealed",
        "STMT-3",
        S.READY,
        unsigned_and_unread,
        {Reason.BAD_SIGNATURE},
        After.ENDED,
    ),
    fault(
        "grader-of-an-unknown-kind",
        "terms with a grader of an unknown kind",
        "EXT-1",
        S.READY,
        swapped(b'"kind":"exact"', b'"kind":"exalt"'),
        _BAD,
        After.ENDED,
    ),
    fault(
        "items-of-an-unknown-kind",
        "a registered set of items of an unknown kind",
        "EXT-1",
        S.READY,
        unknown_items,
        {Reason.BAD_REGISTRATION},
        After.ENDED,
    ),
    fault(
        "history-with-a-strangers-entry",
        "a key history with an entry that another key signed",
        "KEY-1",
        S.START,
        history(_by_a_stranger),
        {Reason.BAD_SIGNATURE},
        After.FRESH,
    ),
    fault(
        "history-of-another-root",
        "a key history with an entry that names another root",
        "KEY-1",
        S.START,
        history(_of_another_root),
        {Reason.BAD_KEY},
        After.FRESH,
    ),
    fault(
        "budget-without-a-claim",
        "a budget of a stratum that no claim names",
        "TERMS-1",
        S.READY,
        terms(plan=Plan(1, BATCH, (("", ITEMS), ("rest", BATCH)))),
        _BAD,
        After.ENDED,
    ),
    fault(
        "claims-that-contradict",
        "at least one half, and at most a quarter, of the same thing",
        "TERMS-2",
        S.READY,
        contradicting,
        _BAD,
        After.ENDED,
    ),
    fault(
        "threshold-of-nothing",
        "a claim that no result can miss",
        "TEST-1",
        S.READY,
        threshold_of_nothing,
        _BAD,
        After.ENDED,
    ),
    fault(
        "budget-that-decides-nothing",
        "a budget within which no results decide the claim",
        "TEST-4",
        S.READY,
        terms(plan=Plan(1, BATCH, (("", BATCH),))),
        _BAD,
        After.ENDED,
    ),
    fault(
        "attempt-before-registration",
        "a wrong attempt over another set: refused for the attempt, which is looked at first",
        "PROP-1",
        S.READY,
        two_faults,
        {Reason.BAD_ATTEMPT},
        After.ENDED,
    ),
    Case(
        "signed-by-a-stranger-too",
        "terms that a stranger signed as well are the same terms",
        ("STMT-1", "STMT-2"),
        _signed_twice,
    ),
)
