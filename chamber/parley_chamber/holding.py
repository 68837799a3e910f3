"""Room: the chamber. The sessions that its service holds at once, and which of them makes room for another.

A session goes where its outcome is there, where a later attempt took its place, or where nobody has called
for longer than its own terms allow; what was uploaded to it goes with it. A prover and a verifier have places
of their own: no other pair fills them or pushes a session out of them. The service calls it.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.session.machine import Machine

from parley_chamber.sessions import ChamberSession

PATIENCE = 4  # turns without a call after which a session is given up, once another one needs its place
_LEAST = 60  # seconds


@dataclass
class Held:
    """A session, its one outcome once there is one, and the lock of both.

    Attributes:
        session: The session.
        exercise: Its exercise.
        parties: Fingerprints of its two parties.
        patience: Seconds without a call after which it may go.
        touched: When it was last called for.
        receipt: Its outcome.
        gone: Whether it has made room.
    """

    session: ChamberSession
    exercise: Digest
    parties: frozenset[Digest]
    patience: float
    touched: float
    receipt: bytes = b""
    gone: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Sessions:
    """Sessions by their ids.

    Args:
        most: How many are held at once of one prover and one verifier.
        clock: Seconds that only grow.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._held: dict[bytes, Held] = {}
        self._lock = threading.Lock()

    def open(self, machine: Machine, begin: Callable[[], ChamberSession]) -> Held:
        """The session that `machine` has replayed; a new one begins where there is room.

        Raises:
            PeerError: SESSION_LIMIT, where nothing makes room; what `begin` raises.
        """
        facts = machine.facts
        with self._lock:
            found = self._held.get(facts.session_id)
            if found is None:
                parties = frozenset(history.owner for history in facts.histories.values())
                with self._room(parties, facts.exercise):
                    session, terms = begin(), facts.terms
                assert terms is not None
                assert facts.exercise is not None
                patience = max(_LEAST, PATIENCE * max(terms.turn_seconds, terms.answer_seconds))
                found = Held(session, facts.exercise, parties, patience, 0)
                self._held[facts.session_id] = found
            found.touched = self._clock()
            return found

    @contextlib.contextmanager
    def using(self, session: bytes, party: Digest) -> Iterator[Held]:
        """A session of the caller's, for as long as nobody else uses it. Raises `PeerError` (WRONG_SESSION)."""
        with self._lock:
            found = self._held.get(session)
        if found is None or party not in found.parties:
            raise PeerError(Reason.WRONG_SESSION, "this chamber holds no such session of the caller's")
        found.touched = self._clock()
        with found.lock:
            if found.gone:
                raise PeerError(Reason.WRONG_SESSION, "this chamber has given the session up")
            yield found
            found.touched = self._clock()

    @contextlib.contextmanager
    def _room(self, parties: frozenset[Digest], exercise: Digest | None) -> Iterator[None]:
        """Room for one more session of these parties; where its beginning fails, nothing has gone for it.

        Waits for no session: what is taken out is held by nobody else from here on.
        """
        name = self._going(parties, exercise)
        if name is None:
            yield
            return
        held = self._held[name]
        try:
            yield
            del self._held[name]
            held.gone = True
            held.session.discard()
        finally:
            held.lock.release()

    def _going(self, parties: frozenset[Digest], exercise: Digest | None) -> bytes | None:
        """The session that makes room for one of `exercise`, its lock taken; None where there is room."""
        theirs = {name: held for name, held in self._held.items() if held.parties == parties}
        if len(theirs) < self._most:
            return None
        now = self._clock()
        for may_go in (
            lambda held: bool(held.receipt),
            lambda held: held.exercise == exercise,
            lambda held: now - held.touched > held.patience,
        ):
            for name, held in theirs.items():
                if may_go(held) and held.lock.acquire(blocking=False):
                    return name
        raise PeerError(Reason.SESSION_LIMIT, f"this chamber holds {self._most} sessions of one pair")
