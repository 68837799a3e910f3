"""Provers that keep a session badly: hashes, envelopes, channels, streams, resumption, coins, attempts."""

import hashlib
import threading
from dataclasses import replace

import grpc
from mutant_kit import Liar, instead, mutant, nothing, weaken, weaken_handler, without
from parley.v1 import session_pb2 as pb
from parley_attestation import ed25519
from parley_attestation.edge import endpoint, transport
from parley_attestation.edge.endpoint import Endpoint, Secret
from parley_attestation.encoding import Digest, Salt
from parley_attestation.envelope import Envelope, Signature
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.session import agreement, exercise, messages
from parley_attestation.session import messages as m
from parley_attestation.session.facts import plain
from parley_attestation.session.machine import Duplicate, Machine
from parley_attestation.session.turns import Assembler
from parley_prover import answering, service
from parley_prover.service import ProverService

ORDER = 2**252 + 27742317777372353535851937790883648493


# -- hashes and envelopes


@mutant("FRAME-1", honest=False)
def hashes_outputs_without_a_label(patch):
    def weak(_original, key, _exercise, _item, _sample, output):
        return Digest(hashlib.sha256(key + output).digest())

    weaken(patch, answering, "commit_output", weak)


@mutant("FRAME-2")
def pads_short_keys(patch):
    weaken(patch, messages, "Salt", lambda _, key: Salt(key.ljust(32, b"\0")))


@mutant("SIG-1")
def takes_scalars_that_are_not_reduced(patch):
    def weak(original, public, message, value):
        scalar = int.from_bytes(value[32:], "little") % ORDER
        original(public, message, value[:32] + scalar.to_bytes(32, "little"))

    weaken(patch, ed25519, "verify", weak)


@mutant("ENV-1", honest=False)
def signs_the_bare_payload(_patch):
    class Bare(Liar):
        def lie(self, envelope, _first):
            value = self._party.session.sign(envelope.payload)
            return replace(envelope, signatures=(Signature(self._party.session.public, value),)), b""

    return Bare


@mutant("ENV-2")
def parses_before_it_verifies(patch):
    def weak(original, at, envelope):
        kind = m.KINDS.get(envelope.payload_type)
        if kind is not None:
            m.parse(kind, envelope.payload)
        return original(at, envelope)

    weaken(patch, Machine, "_signed", weak)


@mutant("ENV-3")
def hashes_what_it_would_have_written(patch):
    def weak(original, envelope):
        kind = m.KINDS.get(envelope.payload_type)
        if kind is None:
            return original(envelope)
        _, message = m.parse(kind, envelope.payload)
        return original(replace(envelope, payload=message.SerializeToString(deterministic=True)))

    weaken(patch, Envelope, "head", weak)


@mutant("ENV-4")
def has_no_limits_on_envelopes(patch):
    weaken(patch, Envelope, "__post_init__", nothing)


# -- the channel and Describe


@mutant("TLS-1")
def lets_everybody_in(patch):
    def credentials(card, tls_key, _peers):
        return grpc.ssl_server_credentials([(tls_key, card.certificate.encode())])

    patch.setattr(transport, "server_credentials", credentials)

    class Open(ProverService):
        def _peer(self, _context):
            (peer,) = self._peers.values()
            return peer

    return Open


def describes(**changes):
    """Describe says something else; the rest of the prover is honest."""

    class Describes(ProverService):
        def Describe(self, request, context):  # noqa: N802 - the name of the call
            said = super().Describe(request, context)
            for name in changes:
                said.ClearField(name)
            said.MergeFrom(pb.DescribeResponse(**changes))
            return said

    return Describes


@mutant("DESC-1")
def describes_no_open_mode(_patch):
    return describes(modes=["sealed"])


@mutant("DESC-2")
def claims_to_resume_and_does_not(_patch):
    class Forgets(ProverService):
        def _begin(self, at, row, frame):
            if frame.WhichOneof("kind") == "resume":
                raise PeerError(Reason.UNSUPPORTED, "sessions are not resumed here")
            return super()._begin(at, row, frame)

    return Forgets


@mutant("DESC-3")
def resumes_in_secret(_patch):
    return describes(capabilities=["redaction"])


@mutant("DESC-4")
def runs_one_session_at_a_time(_patch):
    class One(ProverService):
        def __init__(self, *args):
            super().__init__(*args)
            self._slots = {peer: threading.BoundedSemaphore(1) for peer in self._slots}

    return One


# -- turns and content


@mutant("WIRE-1", honest=False)
def leaves_a_gap_before_content(_patch):
    class Gap(ProverService):
        def Session(self, request_iterator, context):  # noqa: N802 - the name of the call
            for response in super().Session(request_iterator, context):
                if response.frame.WhichOneof("kind") == "chunk":
                    response.frame.chunk.offset += 1
                yield response

    return Gap


@mutant("WIRE-2")
def takes_chunks_at_any_offset(patch):
    def weak(original, found, chunk):
        original(found, pb.BlobChunk(offset=len(found._content), data=chunk.data))

    weaken(patch, Assembler, "add", weak)


@mutant("WIRE-2")
def passes_over_unannounced_content(patch):
    weaken(patch, Endpoint, "_chunk", without(Reason.BLOB_MISMATCH))


@mutant("WIRE-3")
def drops_half_a_turn_for_the_next(patch):
    def weak(original, at, envelope):
        at._pending = None
        original(at, envelope)

    weaken(patch, Endpoint, "_envelope", weak)


@mutant("WIRE-5")
def passes_over_empty_frames(patch):
    def weak(original, at, frame):
        return iter(()) if frame.WhichOneof("kind") is None else original(at, frame)

    weaken(patch, Endpoint, "feed", weak)


@mutant("WIRE-5")
def begins_with_content(patch):
    weaken(patch, service, "_hello", instead(Reason.OUT_OF_ORDER, Reason.MALFORMED))


# -- resumption, streams, side records


@mutant("RES-5")
def knows_every_session(patch):
    weaken(patch, service, "_hello", instead(Reason.WRONG_SESSION, Reason.HEAD_MISMATCH))


@mutant("RES-7")
def never_says_anything_again(patch):
    weaken(patch, Endpoint, "resend", lambda *_: iter(()))


@mutant("RES-9")
def holds_on_to_the_older_stream(_patch):
    class Holds(ProverService):
        def _alone(self, key, context):
            with self._busy_lock:
                if key in self._busy:
                    raise PeerError(Reason.SESSION_LIMIT, "this session is busy")
            return super()._alone(key, context)

    return Holds


@mutant("SIDE-1")
def keeps_every_side_record(patch):
    patch.setattr(endpoint, "MAX_SIDE_RECORDS", 1 << 20)


# -- the machine


@mutant("CHAIN-2")
def blames_for_everything(patch):
    def weak(original, at, envelope):
        try:
            return original(at, envelope)
        except PeerError as error:
            raise error.blame(Role.VERIFIER, b"{}") from None

    weaken(patch, Machine, "begin", weak)


@mutant("CHAIN-2")
def blames_for_nothing(patch):
    def weak(original, at, envelope):
        try:
            return original(at, envelope)
        except PeerError as error:
            raise PeerError(error.reason, error.message) from None

    weaken(patch, Machine, "begin", weak)


@mutant("HELLO-1")
def takes_a_hello_of_any_version(patch):
    def weak(original, at, sender, key, body):
        if isinstance(body, m.Hello):
            body = replace(body, versions=(1,), suites=(1,), modes=("open",))
        return original(at, sender, key, body)

    weaken(patch, agreement, "greet", weak)


@mutant("HELLO-3")
def takes_a_hello_over_another_channel(patch):
    def weak(original, at, sender, key, body):
        channel = at.channel
        return original(
            at, sender, key, replace(body, verifier_tls=channel.verifier, prover_tls=channel.prover)
        )

    weaken(patch, agreement, "greet", weak)


@mutant("COIN-2")
def shows_one_coin_for_ever(patch):
    def weak(original, secret, *what):
        return bytes(32) if what == (b"coin",) else original(secret, *what)

    weaken(patch, Secret, "derive", weak)


@mutant("COIN-2")
def draws_another_coin_for_a_later_attempt(patch):
    weaken(patch, answering.ProverPolicy, "_first", lambda _original, _policy, _machine, secret: secret)


@mutant("CHAL-1")
def takes_a_challenge_of_any_size(patch):
    weaken_handler(patch, m.Challenge, _larger_batches)


def _larger_batches(original, at, sender, body):
    facts = at.facts
    honest, facts.terms = facts.terms, replace(facts.terms, plan=replace(facts.terms.plan, batch=1024))
    try:
        return original(at, sender, body)
    finally:
        facts.terms = honest


@mutant("ANS-2")
def commits_to_outputs_under_one_key(patch):
    def weak(original, secret, *what):
        return original(secret, what[0], *((b"",) if what[0] == b"output" else what[1:]))

    weaken(patch, Secret, "derive", weak)


@mutant("STOP-1")
def takes_any_number_of_stop_counts(patch):
    weaken_handler(patch, m.Stop, without(Reason.WRONG_UNITS, value=lambda *_: plain(nothing)))


@mutant("ACK-1")
def acknowledges_before_every_reference_is_shown(patch):
    weaken(patch, exercise, "_all_open", nothing)


@mutant("ACK-3")
def takes_any_result_bits(patch):
    weaken_handler(patch, m.Acknowledge, lambda original, *args: _blind(original(*args)))


def _blind(made):
    def finish(blobs):
        without(Reason.WRONG_RESULT_BITS)(made.finish, blobs)

    return replace(made, finish=finish)


@mutant("ATT-1")
def forgets_how_the_last_attempt_ended(patch):
    def weak(original, body, earlier):
        if earlier is None:
            return original(body, earlier)
        expected = (*earlier.facts.earlier_heads, earlier.head)
        return original(replace(body, earlier_heads=expected), earlier)

    weaken(patch, agreement, "_check_attempt", weak)


@mutant("ATT-1")
def takes_another_coin_in_a_later_attempt(patch):
    weaken(patch, agreement, "_check_attempt", without(Reason.BAD_COIN))


@mutant("ATT-2")
def continues_what_never_began(patch):
    weaken(
        patch,
        agreement,
        "_check_attempt",
        lambda original, body, earlier: None if earlier is None else original(body, earlier),
    )


@mutant("EXT-1")
def passes_over_unknown_messages(patch):
    def weak(original, at, envelope):
        try:
            return original(at, envelope)
        except PeerError as error:
            if error.reason is Reason.UNSUPPORTED:
                raise Duplicate from None
            raise

    weaken(patch, Machine, "begin", weak)


@mutant("ACC-2")
def takes_an_abort_for_any_reason(patch):
    weaken(patch, messages, "_reason", lambda _, text: text)
