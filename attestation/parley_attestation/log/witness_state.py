"""Room: log. What a witness decides, as pure logic; only the witness's store calls it.

The store reads the facts, calls `decide` or `register`, writes the answer down durably, all in one
transaction, and only then signs. Whoever names a head shows the record behind it, and the witness keeps
it: a slot cannot be taken by a head without a record, neither to stop a claim nor to stop an answer. The
witness never reads a record: whose turn it was, and whether it is a right one, is the judge's to say.
"""

from dataclasses import dataclass

from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.log.witness import (
    ONCE,
    SILENT,
    Cosignature,
    Event,
    Receipt,
    Request,
    two_heads,
    voids,
)

MAX_EVENTS = 256  # cosignatures of one exercise
_OPENING = (Event.ACCEPTED, Event.DECLINE)


@dataclass(frozen=True, slots=True)
class Issued:
    """A cosignature that was decided, with the signed request that asked for it."""

    cosignature: Cosignature
    request: bytes


@dataclass(frozen=True, slots=True)
class Facts:
    """What the witness has written down and needs for one decision.

    Attributes:
        number: The highest number it ever gave out; 0 at first.
        time: The latest time it ever gave out, Unix seconds.
        parties: Fingerprints of prover and verifier that the first request for the exercise named.
        issued: All that was decided for the exercise, in order.
    """

    number: int = 0
    time: int = 0
    parties: tuple[Digest, Digest] | None = None
    issued: tuple[Issued, ...] = ()


@dataclass(frozen=True, slots=True)
class WitnessState:
    """Decides about one exercise from the stored facts; `name` goes into what is signed."""

    name: str
    facts: Facts

    def decide(self, request: Request, sealed: bytes, now: int) -> Cosignature:
        """Decide one verified request; spec section "Witness", rules 1 to 7.

        Args:
            request: The request, read and verified by `read_request`.
            sealed: The same as it came, kept as evidence.
            now: The witness's clock, Unix seconds.

        Returns:
            The cosignature to write down and sign. Its number is at most `facts.number` where it was
            given before; the same request always gets the same answer.

        Raises:
            PeerError: EQUIVOCATION, BAD_ATTEMPT, UNKNOWN_PARTY, OUT_OF_ORDER, CLAIM_VOID, CLAIM_EARLY,
                SESSION_LIMIT; with the signed requests as evidence where two contradict each other.
            LocalError: CLOCK, where the clock stands before a time already given out.
        """
        self._parties(request, sealed)  # (1)
        self._one_head(request, sealed)  # (2)
        self._one_session(request, sealed)  # (3)
        if (known := self._known(request)) is not None:  # (4) the same answer again
            return known
        event = self._event(request, sealed, now)  # (5)
        if len(self.facts.issued) >= MAX_EVENTS:  # (6)
            raise PeerError(Reason.SESSION_LIMIT, f"expected at most {MAX_EVENTS} events in an exercise")
        time, number = _stamp(self.facts, now)  # (7)
        return Cosignature(request.position, event, request.requester, time, number, self.name)

    def _parties(self, request: Request, sealed: bytes) -> None:
        """The first request names the parties; who knows the exercise id before has the terms."""
        if self.facts.parties not in (None, request.parties):
            raise PeerError(
                Reason.UNKNOWN_PARTY,
                "the exercise was opened for other parties",
                evidence=(self.facts.issued[0].request, sealed),
            )

    def _one_head(self, request: Request, sealed: bytes) -> None:
        for one in self.facts.issued:
            place = one.cosignature.position
            if two_heads(one.cosignature, request):
                raise _contradiction(
                    Reason.EQUIVOCATION,
                    f"another head was cosigned for attempt {place.attempt}, sequence number "
                    f"{place.sequence}",
                    one,
                    request,
                    sealed,
                )

    def _one_session(self, request: Request, sealed: bytes) -> None:
        for one in self.facts.issued:
            place = one.cosignature.position
            if place.attempt == request.position.attempt and place.session != request.position.session:
                raise _contradiction(
                    Reason.BAD_ATTEMPT,
                    f"attempt {place.attempt} has another session: a new session is a new attempt",
                    one,
                    request,
                    sealed,
                )

    def _known(self, request: Request) -> Cosignature | None:
        for one in self.facts.issued:
            said = one.cosignature
            if said.position != request.position:
                continue
            if said.requester is not request.requester and request.event not in ONCE:
                continue
            if said.event is request.event or (said.event is Event.LATE and request.event is Event.POSTED):
                return said
        return None

    def _event(self, request: Request, sealed: bytes, now: int) -> Event:
        """Check that the request may come now, and say what the cosignature calls it."""
        opened = [
            i.cosignature
            for i in self.facts.issued
            if i.cosignature.position.attempt == request.position.attempt and i.cosignature.event in _OPENING
        ]
        if request.event in _OPENING:
            if opened:
                raise PeerError(Reason.OUT_OF_ORDER, "the attempt was accepted or declined before")
            self._new_attempt(request.position.attempt)
            return request.event
        if not opened or opened[0].event is Event.DECLINE:
            raise PeerError(Reason.OUT_OF_ORDER, "expected an accepted attempt")
        if request.position.sequence < opened[0].position.sequence:
            raise PeerError(Reason.OUT_OF_ORDER, "expected a record that follows the acceptance")
        if request.event is Event.DEFAULT:
            self._claim(request, sealed, now)
        elif request.event is Event.POSTED and self._claimed_before(request):
            return Event.LATE
        return request.event

    def _new_attempt(self, attempt: int) -> None:
        said = [i.cosignature for i in self.facts.issued]
        if any(c.event in (Event.END, Event.DECLINE) for c in said):
            raise PeerError(Reason.BAD_ATTEMPT, "the exercise has ended: no further attempt")
        last = max((c.position.attempt for c in said if c.event is Event.ACCEPTED), default=0)
        if attempt != last + 1:
            raise PeerError(Reason.BAD_ATTEMPT, f"expected attempt {last + 1}, got {attempt}")

    def _claim(self, request: Request, sealed: bytes, now: int) -> None:
        """A claim needs a witnessed head, a passed deadline and an awaited slot that is still empty."""
        place = request.position
        times = [
            i.cosignature.time
            for i in self.facts.issued
            if i.cosignature.position == place and i.cosignature.event not in SILENT
        ]
        if not times:
            raise PeerError(
                Reason.OUT_OF_ORDER,
                "the head that the claim names was never witnessed",
                hint="post the record first: the deadline counts from that time",
            )
        for one in self.facts.issued:
            if voids(one.cosignature, place, request.requester):
                raise PeerError(
                    Reason.CLAIM_VOID, "the awaited record was shown first", evidence=(one.request, sealed)
                )
        if now < min(times) + request.deadline:
            raise PeerError(
                Reason.CLAIM_EARLY, f"the deadline passes at {min(times) + request.deadline}, it is {now}"
            )

    def _claimed_before(self, request: Request) -> bool:
        place = request.position
        return any(
            i.cosignature.event is Event.DEFAULT
            and i.cosignature.requester is not request.requester
            and place.later(i.cosignature.position)
            for i in self.facts.issued
        )


def register(name: str, facts: Facts, known: Receipt | None, digest: Digest, now: int) -> Receipt:
    """Decide the registration of a statement's digest: its first time stands for ever.

    Args:
        name: The witness's name.
        facts: Highest number and time given out.
        known: The receipt that was given for this digest before.
        digest: The statement's digest.
        now: The witness's clock, Unix seconds.

    Raises:
        LocalError: CLOCK, where the clock stands before a time already given out.
    """
    if known is not None:
        return known
    time, number = _stamp(facts, now)
    return Receipt(digest, time, number, name)


def _stamp(facts: Facts, now: int) -> tuple[int, int]:
    if now < facts.time:
        raise LocalError(
            Reason.CLOCK,
            f"the clock says {now}, and {facts.time} was given out before",
            hint="set the clock; what this witness signs is never out of order",
        )
    return now, facts.number + 1


def _contradiction(
    reason: Reason, message: str, before: Issued, request: Request, sealed: bytes
) -> PeerError:
    """Two signed requests that exclude each other: proof against the party that signed both."""
    same = before.cosignature.requester is request.requester
    return PeerError(
        reason,
        message,
        blamed=request.requester if same else None,
        evidence=(before.request, sealed),
    )
