"""How provers that lie or look away are made, each in one way: the registry and the tools.

A guard is taken out of the shared code for the prover's worker threads alone, so that the suite's own
verifier, in the same process, stays honest.
"""

import functools
import threading
from dataclasses import dataclass

from parley.v1 import session_pb2 as pb
from parley_attestation.errors import PeerError
from parley_attestation.session import exercise
from parley_attestation.session.turns import envelope_from_wire, envelope_to_wire
from parley_prover.service import ProverService
from weakening import always_equal, nothing, without  # noqa: F401 - for the modules of mutants


@dataclass(frozen=True)
class Mutant:
    """What a mutant breaks, how it is made, and whether honest runs still work with it."""

    requirement: str
    make: object
    honest: bool


MUTANTS: dict[str, Mutant] = {}


def mutant(requirement, *, honest=True):
    """Register a maker: it patches shared code, and may return the service to serve with."""

    def register(make):
        assert make.__name__ not in MUTANTS
        MUTANTS[make.__name__] = Mutant(requirement, make, honest)
        return make

    return register


# The threads that are weakened, by the beginnings of their names: the prover's, unless a test says otherwise.
THREADS = ["parley-session"]


def in_prover():
    return threading.current_thread().name.startswith(tuple(THREADS))


def weaken(patch, owner, name, weak):
    """Replace a function of the shared code in the prover's threads; `weak` also gets the original."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def choose(*args, **kwargs):
        return weak(original, *args, **kwargs) if in_prover() else original(*args, **kwargs)

    patch.setattr(owner, name, choose)


def weaken_handler(patch, kind, weak):
    """As `weaken`, for the function that checks one kind of message."""
    original = exercise._HANDLERS[kind]
    patch.setitem(
        exercise._HANDLERS,
        kind,
        lambda *args: weak(original, *args) if in_prover() else original(*args),
    )


def instead(reason, other):
    """Refuse for another reason."""

    def weak(original, *args, **kwargs):
        try:
            return original(*args, **kwargs)
        except PeerError as error:
            if error.reason is reason:
                raise PeerError(other, "something else") from None
            raise

    return weak


class Liar(ProverService):
    """Re-signs what the honest prover says."""

    def lie(self, envelope, first):
        """The envelope to send, and the content to send after it; None for the honest one."""

    def Session(self, request_iterator, context):  # noqa: N802 - the name of the call
        taken = []

        def watched():
            for request in request_iterator:
                taken.append(request.frame.WhichOneof("kind"))
                yield request

        skip = False
        for response in super().Session(watched(), context):
            frame = response.frame
            if frame.WhichOneof("kind") == "envelope":
                made = self.lie(envelope_from_wire(frame.envelope), taken[0])
                skip = made is not None
                if made is not None:
                    envelope, content = made
                    yield pb.SessionResponse(frame=pb.Frame(envelope=envelope_to_wire(envelope)))
                    if content:
                        yield pb.SessionResponse(frame=pb.Frame(chunk=pb.BlobChunk(data=content)))
                    continue
            elif skip and frame.WhichOneof("kind") == "chunk":
                continue
            yield response
