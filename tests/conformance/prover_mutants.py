"""Provers from which one guard was taken out, or whose answers are a lie: what they break, and how."""

from dataclasses import replace

from mutant_kit import Liar, always_equal, mutant, nothing, weaken, weaken_handler, without
from parley_attestation import ed25519, merkle
from parley_attestation.commitment import commit_output
from parley_attestation.edge import endpoint, journal, transport
from parley_attestation.edge.endpoint import Endpoint
from parley_attestation.encoding import Digest, Salt
from parley_attestation.errors import PeerError, Reason
from parley_attestation.session import agreement, audit, exercise, machine, messages
from parley_attestation.session import messages as m
from parley_attestation.session.facts import plain
from parley_attestation.session.machine import Duplicate
from parley_attestation.session.turns import stream_digest
from parley_conformance.harness import signed
from parley_prover import service

# -- guards taken out


@mutant("CHAL-1")
def accepts_any_index(patch):
    weaken(
        patch, audit.Audit, "check_challenge", without(Reason.WRONG_INDEX, value=lambda _, u: [0] * len(u))
    )


@mutant("CHAL-1")
def ignores_the_budget(patch):
    weaken(
        patch, audit.Audit, "check_challenge", without(Reason.OVER_BUDGET, value=lambda _, u: [0] * len(u))
    )


@mutant("CHAL-1")
def ignores_the_caps(patch):
    weaken(patch, exercise, "_check_caps", nothing)


@mutant("TREE-2")
def skips_the_inclusion_proof(patch):
    weaken(patch, merkle, "verify_inclusion", nothing)


@mutant("COMMIT-2")
def accepts_any_prompt(patch):
    weaken(patch, exercise, "verify_item", _unless("prompt"))


@mutant("OPEN-1")
def accepts_any_reference(patch):
    weaken(patch, exercise, "verify_item", _unless("reference"))


def _unless(field):
    def weak(original, key, name, index, which, *rest):
        if which.value != field:
            original(key, name, index, which, *rest)

    return weak


@mutant("WIRE-4")
def ignores_the_stream_digest(patch):
    weaken(patch, machine, "stream_digest", always_equal)


@mutant("SIG-1")
def skips_the_signature(patch):
    weaken(patch, ed25519, "verify", nothing)


@mutant("CHAIN-1")
def passes_over_unknown_fields(patch):
    weaken(patch, messages, "_refuse_unknown", nothing)


@mutant("COIN-1")
def accepts_any_coin(patch):
    weaken(patch, agreement, "coin_commitment", always_equal)


@mutant("CHAIN-1")
def ignores_the_session(patch):
    weaken(patch, machine.Machine, "_check_header", without(Reason.WRONG_SESSION))


@mutant("CHAIN-1")
def ignores_the_sequence(patch):
    weaken(patch, machine.Machine, "_check_header", without(Reason.WRONG_SEQUENCE))


@mutant("CHAIN-1")
def ignores_the_predecessor(patch):
    weaken(patch, machine.Machine, "_check_header", without(Reason.WRONG_PREVIOUS))


@mutant("CHAIN-1")
def passes_over_equivocation(patch):
    def weak(original, *args):
        try:
            original(*args)
        except PeerError:
            raise Duplicate from None

    weaken(patch, machine.Machine, "_refuse_second", weak)


@mutant("RES-8")
def forgets_faults(patch):
    weaken(patch, journal.Journal, "broken", lambda *_: False)


@mutant("ATT-3")
def runs_an_exercise_twice(patch):
    weaken(patch, agreement, "_check_attempt", nothing)


@mutant("RES-3")
def accepts_a_replay(patch):
    """Every Hello begins a new session, also one that was there before."""
    weaken(patch, service, "_known", _only_resumes)
    weaken(patch, endpoint.Journal, "start", _forgetful)


def _only_resumes(original, log, frame):
    return None if frame.WhichOneof("kind") == "envelope" else original(log, frame)


def _forgetful(original, log, role, secret, first, *rest):
    log.connection.execute("UPDATE session SET hello=randomblob(32) WHERE hello=?", (first.envelope.head(),))
    return original(log, role, secret, first, *rest)


@mutant("OPEN-2")
def accepts_an_early_stop(patch):
    weaken(patch, audit.Audit, "check_stop", _any_stop(Reason.STOP_TOO_EARLY))
    weaken_handler(patch, m.Stop, without(Reason.STOP_TOO_EARLY, value=lambda *_: plain(nothing)))


@mutant("OPEN-2")
def accepts_a_late_stop(patch):
    weaken(patch, audit.Audit, "check_stop", _any_stop(Reason.STOP_TOO_LATE))


def _any_stop(reason):
    return without(reason, value=lambda found, _counts: found.tests()[0])


@mutant("ACK-2")
def accepts_any_verdict(patch):
    def weak(original, at, sender, body):
        verdict = at.facts.verdict
        return original(at, sender, replace(body, verdict_digest=verdict.digest()) if verdict else body)

    weaken_handler(patch, m.Acknowledge, weak)


@mutant("RES-4")
def ignores_another_head(patch):
    weaken(patch, Endpoint, "check_resume", without(Reason.HEAD_MISMATCH))


@mutant("ERR-1")
def leaks_exception_text(patch):
    def fail(context, error):
        context.abort(transport.grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")

    patch.setattr(transport, "fail", fail)


# -- lies, told between the honest prover and the wire


@mutant("ACK-5", honest=False)
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


@mutant("RES-2")
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
