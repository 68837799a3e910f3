"""Room: log. What k of n witnesses establish together; session, judge and registration call it.

Time is the k-th smallest of the times given: fewer than k lying witnesses can make it neither earlier
than the first honest one's nor exist at all. A witness that contradicts itself counts for nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from parley_attestation import statement
from parley_attestation.encoding import Digest
from parley_attestation.errors import ParleyError, PeerError, Reason, Role
from parley_attestation.log.witness import (
    COSIGNATURE,
    ONCE,
    RECEIPT,
    SILENT,
    Cosignature,
    Event,
    Position,
    Receipt,
    Request,
    cosignature_of,
    read_cosignature,
    read_receipt,
    read_request,
    receipt_of,
    two_heads,
    voids,
)

MAX_PANEL = 32  # witnesses named in one set of terms
MAX_SHOWN = 256  # signed statements weighed in one call
S = TypeVar("S", Cosignature, Receipt)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two statements signed by one witness that no honest witness signs: proof against it."""

    key: bytes
    why: str
    first: bytes
    second: bytes


@dataclass(frozen=True, slots=True)
class Witnessed:
    """At least `threshold` of the named witnesses signed the same.

    Attributes:
        keys: The witnesses that did, in the order of the terms.
        of: How many the terms name.
        time: Unix seconds by which `threshold` of them had signed.
        faulty: Witnesses that contradict themselves; they count for nothing.
    """

    keys: tuple[bytes, ...]
    of: int
    threshold: int
    time: int
    faulty: tuple[Contradiction, ...] = ()

    def __str__(self) -> str:
        return f"witnessed by {len(self.keys)} of {self.of}"


def k_of_n(
    cosignatures: Sequence[bytes],
    witnesses: Sequence[bytes],
    threshold: int,
    *,
    position: Position,
    event: Event,
) -> Witnessed:
    """Check that at least `threshold` of the named witnesses cosigned `position` for `event`.

    Signatures of others, broken ones and cosignatures of other positions count for nothing.

    Args:
        cosignatures: Sealed cosignatures, in any order.
        witnesses: Public keys that the terms name.
        threshold: How many must have signed, at least 1.
        position: What they must have seen.
        event: Why.

    Raises:
        PeerError: BAD_COSIGNATURE, where too few did; it blames the witness where one that contradicts
            itself is missing.
    """
    panel = _weigh(cosignatures, witnesses, threshold, read_cosignature)
    times = {
        key: said.time
        for key, all_said in panel.said.items()
        for said in all_said
        if said.position == position and said.event is event
    }
    return _count(times, witnesses, threshold, panel.faulty)


def attempts(cosignatures: Sequence[bytes], witnesses: Sequence[bytes], exercise: Digest) -> tuple[int, ...]:
    """Numbers of the attempts of an exercise that any named witness cosigned as accepted, ascending.

    A gap means attempts that were not shown. What came after the last one nobody can know from here: a
    look-up at the witnesses tells.

    Raises:
        PeerError: BAD_COSIGNATURE for a list of witnesses out of form, TOO_LARGE.
    """
    said = _weigh(cosignatures, witnesses, 1, read_cosignature).said.values()
    places = [s.position for one in said for s in one if s.event is Event.ACCEPTED]
    return tuple(sorted({p.attempt for p in places if p.exercise == exercise}))


def registered(
    receipts: Sequence[bytes], witnesses: Sequence[bytes], threshold: int, *, digest: Digest
) -> Witnessed:
    """Check that at least `threshold` of the named witnesses gave a receipt for a statement's digest.

    The time in the answer is the one at which the statement is judged: its own dates prove nothing.

    Raises:
        PeerError: BAD_COSIGNATURE, as `k_of_n`.
    """
    panel = _weigh(receipts, witnesses, threshold, read_receipt)
    times = {
        key: said.time for key, all_said in panel.said.items() for said in all_said if said.digest == digest
    }
    return _count(times, witnesses, threshold, panel.faulty)


def check_before(witnessed: Witnessed, later: int, what: str) -> None:
    """Refuse a statement that was registered only after the time `later` (Unix seconds).

    A statement's own date may be any number; only the witnessed time says whether it was back-dated.

    Raises:
        PeerError: BAD_REGISTRATION. It names nobody: who registers late only loses the registration.
    """
    if witnessed.time > later:
        raise PeerError(
            Reason.BAD_REGISTRATION,
            f"{what} was registered at {witnessed.time}, after the time {later} by which it had to be",
        )


@dataclass(frozen=True, slots=True)
class _Panel(Generic[S]):
    """What the named witnesses said, each verified, and those that contradict themselves set aside."""

    said: dict[bytes, list[S]]
    faulty: tuple[Contradiction, ...]


def _weigh(
    sealed: Sequence[bytes],
    witnesses: Sequence[bytes],
    threshold: int,
    read: Callable[[bytes, bytes], S],
) -> _Panel[S]:
    if not 1 <= threshold <= len(witnesses) <= MAX_PANEL or len(set(witnesses)) != len(witnesses):
        raise PeerError(Reason.BAD_COSIGNATURE, f"expected 1 <= threshold <= witnesses <= {MAX_PANEL}")
    if len(sealed) > MAX_SHOWN:
        raise PeerError(Reason.TOO_LARGE, f"expected at most {MAX_SHOWN} signed statements")
    found: dict[bytes, list[tuple[bytes, S]]] = {}
    faulty: dict[bytes, Contradiction] = {}
    for one in dict.fromkeys(sealed):
        try:
            key = bytes(statement.signer(one))
            if key not in witnesses:
                continue
            said = read(one, key)
        except ParleyError:
            continue  # not a named witness's word, so it counts for nothing
        earlier = found.setdefault(key, [])
        for raw, before in earlier:
            if why := _contradiction(before, said):
                faulty.setdefault(key, Contradiction(key, why, raw, one))
        earlier.append((one, said))
    return _Panel(
        {key: [s for _, s in all_said] for key, all_said in found.items() if key not in faulty},
        tuple(faulty.values()),
    )


def _count(
    times: dict[bytes, int], witnesses: Sequence[bytes], threshold: int, faulty: tuple[Contradiction, ...]
) -> Witnessed:
    if len(times) < threshold:
        error = PeerError(
            Reason.BAD_COSIGNATURE,
            f"expected {threshold} of {len(witnesses)} witnesses, got {len(times)}",
        )
        raise error.blame(Role.WITNESS, faulty[0].first, faulty[0].second) if faulty else error
    keys = tuple(bytes(k) for k in witnesses if k in times)
    return Witnessed(keys, len(witnesses), threshold, sorted(times.values())[threshold - 1], faulty)


def check_consistent(witness_key: bytes, first: bytes, second: bytes) -> None:
    """Check that two statements that one witness signed can both be an honest witness's.

    An honest one gives a number once, in the order of time; has one head for a slot, one session for an
    attempt and one time for a digest; and takes no claim once the awaited record was shown. A witness
    whose database was put back to a backup breaks one of these as soon as it signs anything new.

    Raises:
        PeerError: EQUIVOCATION, blaming the witness, with both statements as evidence.
    """
    one, two = (_either(s, witness_key) for s in (first, second))
    if why := _contradiction(one, two):
        error = PeerError(Reason.EQUIVOCATION, f"the witness {witness_key.hex()[:16]}… {why}")
        raise error.blame(Role.WITNESS, first, second)


def _contradiction(one: Cosignature | Receipt, two: Cosignature | Receipt) -> str:
    if one == two:
        return ""
    if one.number == two.number:
        return "gave one number twice"
    if one.time != two.time and (one.number < two.number) != (one.time < two.time):
        return "gave numbers that run against its times"
    if isinstance(one, Receipt) and isinstance(two, Receipt):
        return "registered one digest twice" if one.digest == two.digest else ""
    if isinstance(one, Cosignature) and isinstance(two, Cosignature):
        return _contradicts(one, two) or _contradicts(two, one)
    return ""


def _either(sealed: bytes, key: bytes) -> Cosignature | Receipt:
    said = statement.open_sealed(sealed, key)
    if said.predicate_type == RECEIPT:
        return receipt_of(said)
    return cosignature_of(said.expect(COSIGNATURE))


def _contradicts(one: Cosignature, two: Cosignature) -> str:
    if two_heads(one, two):
        return "cosigned two heads for one slot"
    if one.position.slot()[:2] == two.position.slot()[:2] and one.position.session != two.position.session:
        return "cosigned two sessions for one attempt"
    same = one.position == two.position and one.event is two.event
    if same and (one.event in ONCE or one.requester is two.requester):
        return "cosigned one event twice"
    if one.event is not Event.DEFAULT:
        return ""
    if voids(two, one.position, one.requester) and two.number < one.number:
        return "took a claim after it was shown the awaited record"
    posted = two.event is Event.POSTED and two.requester is not one.requester
    if posted and two.position.later(one.position):
        return "did not call a record late that came after a claim"
    return ""


def check_requests(first: bytes, second: bytes, *histories: Sequence[bytes]) -> None:
    """Check that two requests to witnesses do not contradict each other.

    A party asks for one head in a slot and for one session in an attempt; a retry under a new session
    id in the same attempt breaks that. A witness that refuses shows both requests; this is the check
    that whoever is shown them repeats.

    Args:
        first: A signed request.
        second: Another one.
        histories: Key histories of the parties; each request must fit one.

    Raises:
        PeerError: EQUIVOCATION or BAD_ATTEMPT, blaming the party where it signed both, else nobody;
            UNKNOWN_PARTY or as `read_request`, where a request fits no history.
    """
    one, two = (_request(sealed, histories) for sealed in (first, second))
    if one.position.slot()[:2] != two.position.slot()[:2]:
        return
    reason, why = Reason.BAD_ATTEMPT, "two sessions are named for one attempt"
    if one.position.session == two.position.session:
        if not two_heads(one, two):
            return
        reason, why = Reason.EQUIVOCATION, "two heads are named for one slot"
    error = PeerError(reason, why, evidence=(first, second))
    if (one.requester, one.parties) == (two.requester, two.parties):
        error.blame(one.requester, first, second)
    raise error


def _request(sealed: bytes, histories: Sequence[Sequence[bytes]]) -> Request:
    failed = PeerError(Reason.UNKNOWN_PARTY, "the request fits no key history that was given")
    for history in histories:
        try:
            return read_request(sealed, history, None)
        except PeerError as error:
            failed = error
    raise failed


class DefaultVerdict(StrEnum):
    """Who is held to have fallen silent; spec section "Verdicts"."""

    PROVER = "PROVER-DEFAULT"
    VERIFIER = "VERIFIER-DEFAULT"


@dataclass(frozen=True, slots=True)
class Default:
    """A timeout claim that stands: its consequence is in the terms."""

    verdict: DefaultVerdict
    position: Position
    witnessed: Witnessed


def default_stands(
    cosignatures: Sequence[bytes],
    witnesses: Sequence[bytes],
    threshold: int,
    *,
    position: Position,
    claimant: Role,
    deadline: int,
) -> Default:
    """Decide whether a timeout claim stands against the other party.

    A witness counts for the claim if it cosigned the head itself and the claim at least `deadline`
    seconds later. One named witness that was shown the awaited record by the time of the claim voids it:
    where witnesses disagree, nobody is blamed. What was shown may be wrong: the judge reads it. The
    caller knows from the session's table that it was the other party's turn; this function does not.

    Args:
        cosignatures: All sealed cosignatures that were shown.
        witnesses: Public keys that the terms name.
        threshold: How many must agree, at least 1.
        position: The record that nothing followed, as the claim names it.
        claimant: The role that claims.
        deadline: Seconds that the terms allow for the answer.

    Raises:
        PeerError: CLAIM_VOID, CLAIM_EARLY, BAD_COSIGNATURE where too few witnesses cosigned it.
    """
    panel = _weigh(cosignatures, witnesses, threshold, read_cosignature)
    claims: dict[bytes, int] = {}
    early = 0
    for key, said in panel.said.items():
        claim = next((s for s in said if _is_claim(s, position, claimant)), None)
        if claim is None:
            continue
        shown = [s.time for s in said if s.position == position and s.event not in SILENT]
        if shown and claim.time >= min(shown) + deadline:
            claims[key] = claim.time
        else:
            early += 1
    if len(claims) < threshold <= len(claims) + early:
        raise PeerError(Reason.CLAIM_EARLY, "the deadline had not passed since the head was witnessed")
    witnessed = _count(claims, witnesses, threshold, panel.faulty)
    for key, said in panel.said.items():
        for s in said:
            if key not in claims and voids(s, position, claimant) and s.time <= witnessed.time:
                raise PeerError(Reason.CLAIM_VOID, "a witness was shown the awaited record in time")
    verdict = DefaultVerdict.PROVER if claimant is Role.VERIFIER else DefaultVerdict.VERIFIER
    return Default(verdict, position, witnessed)


def _is_claim(said: Cosignature, position: Position, claimant: Role) -> bool:
    return said.event is Event.DEFAULT and said.position == position and said.requester is claimant
