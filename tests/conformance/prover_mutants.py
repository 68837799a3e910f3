"""Provers that lie or look away, each in one way: name -> (requirement it breaks, how it is made).

A guard is taken out of the shared code for the prover's worker threads alone, so that the suite's own
verifier, in the same process, stays honest.
"""

import functools
import threading
from dataclasses import replace

from parley.v1 import session_pb2 as pb
from parley_attestation import ed25519, merkle
from parley_attestation.commitment import commit_output
from parley_attestation.edge import endpoint, journal, transport
from parley_attestation.edge.endpoint import Endpoint
from parley_attestation.encoding import Digest, Salt
from parley_attestation.errors import PeerError, Reason
from parley_attestation.session import agreement, audit, exercise, machine, messages
from parley_attestation.session import messages as m
from parley_attestation.session.machine import Duplicate
from parley_attestation.session.turns import envelope_from_wire, envelope_to_wire, stream_digest
from parley_conformance.harness import signed
from parley_prover import service
from parley_prover.service import ProverService

MUTANTS = {}


def in_prover():
    return threading.current_thread().name == "parley-session"


def mutant(requirement):
    def register(make):
        MUTANTS[make.__name__] = (requirement, make)
        return make

    return register


def weaken(patch, owner, name, weak):
    """Replace a function of the shared code in the prover's threads; `weak` also gets the original."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def choose(*args, **kwargs):
        return weak(original, *args, **kwargs) if in_prover() else original(*args, **kwargs)

    patch.setattr(owner, name, choose)


def nothing(*_args, **_kwargs):
    return None


def without(*reasons, value=None):
    """Run the guard and look away from what it says."""

    def weak(original, *args, **kwargs):
        try:
            return original(*args, **kwargs)
        except PeerError as error:
            if error.reason not in reasons:
                raise
            return value(*args) if callable(value) else value

    return weak


class Equal(bytes):
    """A digest that equals every other."""

    __hash__ = bytes.__hash__

    def __eq__(self, _other):
        return True

    def __ne__(self, _other):
        return False


def always_equal(original, *args):
    return Equal(original(*args))


# -- guards taken out


@mutant("P-TICKET-1")
def accepts_any_index(patch):
    weaken(
        patch, audit.Audit, "check_challenge", without(Reason.WRONG_INDEX, value=lambda _, u: [0] * len(u))
    )


@mutant("P-TICKET-2")
def ignores_the_budget(patch):
    weaken(
        patch, audit.Audit, "check_challenge", without(Reason.OVER_BUDGET, value=lambda _, u: [0] * len(u))
    )


@mutant("P-CAP-1")
def ignores_the_caps(patch):
    weaken(patch, exercise, "_check_caps", nothing)


@mutant("P-PROOF-1")
def skips_the_inclusion_proof(patch):
    weaken(patch, merkle, "verify_inclusion", nothing)


@mutant("P-OPEN-1")
def accepts_any_prompt(patch):
    weaken(patch, exercise, "verify_item", _unless("prompt"))


@mutant("P-OPEN-2")
def accepts_any_reference(patch):
    weaken(patch, exercise, "verify_item", _unless("reference"))


def _unless(field):
    def weak(original, key, name, index, which, *rest):
        if which.value != field:
            original(key, name, index, which, *rest)

    return weak


@mutant("P-STREAM-1")
def ignores_the_stream_digest(patch):
    weaken(patch, machine, "stream_digest", always_equal)


@mutant("P-SIGN-1")
def skips_the_signature(patch):
    weaken(patch, ed25519, "verify", nothing)


@mutant("P-FORM-1")
def passes_over_unknown_fields(patch):
    weaken(patch, messages, "_refuse_unknown", nothing)


@mutant("P-COIN-1")
def accepts_any_coin(patch):
    weaken(patch, agreement, "coin_commitment", always_equal)


@mutant("P-CHAIN-1")
def ignores_the_session(patch):
    weaken(patch, machine.Machine, "_check_header", without(Reason.WRONG_SESSION))


@mutant("P-CHAIN-2")
def ignores_the_sequence(patch):
    weaken(patch, machine.Machine, "_check_header", without(Reason.WRONG_SEQUENCE))


@mutant("P-CHAIN-3")
def ignores_the_predecessor(patch):
    weaken(patch, machine.Machine, "_check_header", without(Reason.WRONG_PREVIOUS))


@mutant("P-SLOT-1")
def passes_over_equivocation(patch):
    def weak(original, *args):
        try:
            original(*args)
        except PeerError:
            raise Duplicate from None

    weaken(patch, machine.Machine, "_refuse_second", weak)


@mutant("P-FAULT-1")
def forgets_faults(patch):
    weaken(patch, journal.Journal, "broken", lambda *_: False)


@mutant("P-ATTEMPT-1")
def runs_an_exercise_twice(patch):
    weaken(patch, agreement, "_check_attempt", nothing)


@mutant("P-SLOT-3")
def accepts_a_replay(patch):
    """Every Hello begins a new session, also one that was there before."""
    weaken(patch, service, "_known", _only_resumes)
    weaken(patch, endpoint.Journal, "start", _forgetful)


def _only_resumes(original, log, frame):
    return None if frame.WhichOneof("kind") == "envelope" else original(log, frame)


def _forgetful(original, log, role, secret, first, *rest):
    log.connection.execute("UPDATE session SET hello=randomblob(32) WHERE hello=?", (first.envelope.head(),))
    return original(log, role, secret, first, *rest)


@mutant("P-STOP-1")
def accepts_an_early_stop(patch):
    weaken(patch, audit.Audit, "check_stop", _any_stop(Reason.STOP_TOO_EARLY))
    weaken(patch, exercise, "_stop", without(Reason.STOP_TOO_EARLY, value=lambda *_: exercise.plain(nothing)))


@mutant("P-STOP-2")
def accepts_a_late_stop(patch):
    weaken(patch, audit.Audit, "check_stop", _any_stop(Reason.STOP_TOO_LATE))


def _any_stop(reason):
    return without(reason, value=lambda found, _counts: found.tests()[0])


@mutant("P-VERDICT-1")
def accepts_any_verdict(patch):
    def weak(original, at, sender, body):
        verdict = at.facts.verdict
        return original(at, sender, replace(body, verdict_digest=verdict.digest()) if verdict else body)

    original = exercise._HANDLERS[m.Acknowledge]
    patch.setitem(
        exercise._HANDLERS,
        m.Acknowledge,
        lambda *args: weak(original, *args) if in_prover() else original(*args),
    )


@mutant("P-RESUME-2")
def ignores_another_head(patch):
    weaken(patch, Endpoint, "check_resume", without(Reason.HEAD_MISMATCH))


@mutant("P-ERROR-2")
def leaks_exception_text(patch):
    def fail(context, error):
        context.abort(transport.grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")

    patch.setattr(transport, "fail", fail)


# -- lies, told between the honest prover and the wire


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
                    yield pb.SessionResponse(frame=pb.Frame(chunk=pb.BlobChunk(data=content)))
                    continue
            elif skip and frame.WhichOneof("kind") == "chunk":
                continue
            yield response


@mutant("P-VERDICT-2")
def acknowledges_another_verdict(_patch):
    class OtherVerdict(Liar):
        def lie(self, envelope, _first):
            kind = m.KINDS[envelope.payload_type]
            if kind != "acknowledge":
                return None
            header, body = m.read(kind, envelope.payload)
            body = replace(body, verdict_digest=Digest(bytes(32)))
            return signed(self._party.session, header, body), b"x"

    return OtherVerdict


@mutant("P-SLOT-2")
def answers_twice_and_differently(_patch):
    class TwoAnswers(Liar):
        def lie(self, envelope, first):
            kind = m.KINDS[envelope.payload_type]
            if kind != "answers" or first != "resume":
                return None
            header, body = m.read(kind, envelope.payload)
            key, zero = Salt(bytes(32)), Digest(bytes(32))
            made = tuple(m.Answer(commit_output(key, zero, n, 0, b"?"), 1) for n in range(len(body.answers)))
            blobs = [key + b"?"] * len(made)
            return signed(self._party.session, header, m.Answers(made, stream_digest(blobs))), b"".join(blobs)

    return TwoAnswers
