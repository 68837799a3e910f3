"""Room: the session. Which mode a session is in, from its first message; judge, prover and journals call it."""

from contextlib import suppress

from parley_attestation.envelope import Envelope
from parley_attestation.errors import PeerError
from parley_attestation.session import messages
from parley_attestation.session.tables import MODES


def offered_mode(first: Envelope) -> str:
    """The mode that a first message offers, "open" where it offers none; whether it holds, the machine says."""
    with suppress(PeerError):
        _, body = messages.read("hello", first.payload)
        if isinstance(body, messages.Hello):
            return next((mode for mode in body.modes if mode in MODES), "open")
    return "open"
