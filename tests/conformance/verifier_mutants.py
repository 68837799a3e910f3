"""Verifiers that look away, each in one way: name -> (requirement it breaks, how it is made).

The reference verifier runs in the harness's threads; a guard is taken out for them alone.
"""

import hashlib
import ssl
from dataclasses import replace

import shared_mutants
import weakening
from parley_attestation import ed25519, keys
from parley_attestation.canonical import Fields
from parley_attestation.edge import endpoint, journal
from parley_attestation.edge.endpoint import Endpoint
from parley_attestation.encoding import Digest
from parley_attestation.envelope import Envelope, Signature, pae
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.session import agreement, backing, exercise, machine, messages
from parley_attestation.session import messages as m
from parley_attestation.session.machine import Duplicate
from parley_attestation.session.turns import Assembler
from parley_verifier import challenge, client
from weakening import always_equal, nothing, without

MUTANTS = {}


def mutant(requirement):
    def register(make):
        MUTANTS[make.__name__] = (requirement, make)
        return make

    return register


def looks_away(patch, owner, name, weak):
    weakening.weaken(patch, "harness", owner, name, weak)


@mutant("SIG-1")
def skips_the_signature(patch):
    looks_away(patch, ed25519, "verify", nothing)


@mutant("KEY-2")
def accepts_any_key(patch):
    looks_away(patch, keys.KeyHistory, "certified", without(Reason.KEY_NOT_CERTIFIED))


@mutant("HELLO-3")
def accepts_any_prover(patch):
    def unpinned(original, *args, **how):
        return original(*args, **{**how, "pins": {}})

    looks_away(patch, client, "Machine", unpinned)


@mutant("HELLO-1")
def accepts_another_version(patch):
    def weak(original, at, sender, key, body):
        if isinstance(body, m.HelloReply):
            at.facts.offers = frozenset({(body.version, body.suite, body.mode)})
        return original(at, sender, key, body)

    looks_away(patch, agreement, "greet", weak)


@mutant("CHAIN-1")
def passes_over_unknown_fields(patch):
    looks_away(patch, messages, "_refuse_unknown", nothing)


@mutant("CHAIN-1")
def ignores_the_predecessor(patch):
    looks_away(patch, machine.Machine, "_check_header", without(Reason.WRONG_PREVIOUS))


@mutant("CHAIN-2")
def passes_over_equivocation(patch):
    def weak(original, *args):
        try:
            original(*args)
        except Exception:  # noqa: BLE001 - whatever it is, the mutant calls it a duplicate
            raise Duplicate from None

    looks_away(patch, machine.Machine, "_refuse_second", weak)


@mutant("CHAIN-2")
def blames_nobody(patch):
    def weak(original, self, envelope):
        try:
            return original(self, envelope)
        except PeerError as error:
            error.blamed, error.evidence = None, ()
            raise

    looks_away(patch, machine.Machine, "begin", weak)


@mutant("CHAIN-2")
def blames_for_what_nobody_proves(patch):
    def weak(original, self, envelope):
        try:
            return original(self, envelope)
        except PeerError as error:
            raise error.blame(Role.PROVER) from None

    looks_away(patch, machine.Machine, "begin", weak)


@mutant("ACC-1")
def accepts_any_count(patch):
    looks_away(patch, agreement, "accept", weakening.any_counts)


@mutant("COIN-1")
def accepts_any_coin(patch):
    looks_away(patch, agreement, "coin_commitment", always_equal)


@mutant("COIN-2")
def has_one_coin(patch):
    looks_away(patch, challenge.VerifierPolicy, "_first", lambda *_: challenge.Secret(bytes(32)))


@mutant("ANS-1")
def accepts_any_output(patch):
    looks_away(patch, exercise, "verify_output", nothing)


@mutant("ANS-1")
def ignores_the_cap(patch):
    looks_away(patch, exercise, "_check_caps", nothing)


@mutant("WIRE-4")
def ignores_the_stream_digest(patch):
    looks_away(patch, machine, "stream_digest", always_equal)


@mutant("WIRE-2")
def takes_content_from_anywhere(patch):
    def weak(original, self, chunk):
        chunk.offset = len(self._content)
        original(self, chunk)

    looks_away(patch, Assembler, "add", weak)


@mutant("RES-1")
def forgets_its_sessions(patch):
    looks_away(patch, journal.Journal, "unfinished", lambda *_: [])


@mutant("RES-4")
def ignores_another_head(patch):
    looks_away(patch, Endpoint, "check_resume", without(Reason.HEAD_MISMATCH))


@mutant("WIT-5")
def goes_on_unwitnessed(patch):
    looks_away(patch, Endpoint, "_witness", lambda *_: iter(()))


@mutant("VERD-1")
def always_says_compliant(patch):
    def weak(original, *args, **how):
        ended = original(*args, **how)
        if ended.machine.facts.verdict is not None:
            ended.machine.facts.verdict.predicate["overall"] = "COMPLIANT"
        return ended

    looks_away(patch, client, "run", weak)


@mutant("H-1")
def breaks_down(patch):
    def weak(original, *args, **how):
        raise ValueError("a bug")

    looks_away(patch, client, "run", weak)


@mutant("FRAME-1")
def commits_to_coins_without_a_label(patch):
    looks_away(
        patch, challenge, "coin_commitment", lambda _, key, *_what: Digest(hashlib.sha256(key).digest())
    )


@mutant("JSON-3")
def passes_over_unknown_json(patch):
    looks_away(patch, Fields, "end", nothing)


@mutant("ENV-1")
def signs_the_bare_payload(patch):
    def weak(original, at, body, key):
        made = original(at, body, key)
        return replace(made, signatures=(Signature(key.public, key.sign(made.payload)),))

    looks_away(patch, endpoint, "signed", weak)


@mutant("ENV-2")
def parses_before_it_verifies(patch):
    def weak(original, at, envelope):
        kind = m.KINDS.get(envelope.payload_type)
        if kind is not None:
            m.parse(kind, envelope.payload)
        return original(at, envelope)

    looks_away(patch, machine.Machine, "_signed", weak)


@mutant("ENV-4")
def has_no_limits_on_envelopes(patch):
    looks_away(patch, Envelope, "__post_init__", nothing)


@mutant("SCRIPT-2")
def takes_any_output_of_a_dialogue(patch):
    looks_away(patch, exercise, "_check_answers", nothing)


@mutant("COMMIT-2")
def opens_nothing(patch):
    looks_away(patch, exercise, "verify_output", nothing)


@mutant("TLS-2")
def talks_to_whoever_answers(patch):
    def weak(original, own, tls_key, peer):
        host, _, port = peer.endpoint.rpartition(":")
        there = ssl.get_server_certificate((host, int(port)))
        return original(own, tls_key, peer.model_copy(update={"certificate": there}))

    looks_away(patch, client.transport, "open_channel", weak)


@mutant("WIRE-1")
def leaves_a_gap_before_content(patch):
    def weak(original, turn):
        for frame in original(turn):
            if frame.WhichOneof("kind") == "chunk":
                frame.chunk.offset += 1
            yield frame

    looks_away(patch, endpoint, "to_frames", weak)


@mutant("RES-2")
def says_it_again_in_other_bytes(patch):
    def weak(original, at, after):
        for frame in original(at, after):
            if frame.WhichOneof("kind") == "envelope":
                one = frame.envelope
                one.payload += one.payload
                one.signatures[0].value = at._key.sign(pae(one.payload_type, one.payload))
            yield frame

    looks_away(patch, Endpoint, "resend", weak)


@mutant("RES-3")
def refuses_what_it_has(patch):
    def weak(original, *args):
        try:
            return original(*args)
        except Duplicate:
            raise PeerError(Reason.OUT_OF_ORDER, "again?") from None

    looks_away(patch, machine.Machine, "begin", weak)


@mutant("RES-5")
def goes_on_in_any_session(patch):
    looks_away(patch, Endpoint, "check_resume", without(Reason.WRONG_SESSION))


@mutant("HELLO-2")
def takes_one_nonce_of_both(patch):
    looks_away(patch, agreement, "greet", weakening.one_nonce_of_both)


@mutant("ACC-3")
def looks_at_the_counts_first(patch):
    looks_away(patch, agreement, "accept", weakening.counts_first)


@mutant("COMP-1")
def takes_loose_compute_records(patch):
    looks_away(patch, backing, "read_records", weakening.loose_records)


@mutant("ACK-5")
def acknowledges_another_verdict(patch):
    def weak(original, *args):
        draft = original(*args)
        if isinstance(draft.body, m.Acknowledge):
            return replace(draft, body=replace(draft.body, verdict_digest=Digest(bytes(32))))
        return draft

    looks_away(patch, challenge.VerifierPolicy, "propose", weak)


@mutant("ABORT-1")
def blames_who_gave_up(patch):
    def weak(original, *args, **how):
        ended = original(*args, **how)
        ending = ended.machine.facts.ending
        if ending is not None and ending.kind == "abort":
            raise PeerError(Reason.ABORTED, "?").blame(Role.PROVER)
        return ended

    looks_away(patch, client, "run", weak)


SHARED = (
    "ignores_the_sequence",
    "accepts_any_verdict",
    "reads_any_spelling",
    "keeps_the_last_of_two_keys",
    "names_a_statement_by_its_envelope",
    "looks_at_the_first_signature_alone",
    "takes_statements_signed_by_anybody",
    "reads_a_statement_before_it_verifies",
    "takes_a_history_of_two_roots",
    "computes_in_floating_point",
    "counts_units_after_the_decision",
    "writes_a_sentence_of_its_own",
    "grades_everything_as_failed",
    "weighs_scores_without_room_to_round",
    "pads_short_keys",
    "hashes_what_it_would_have_written",
    "drops_half_a_turn_for_the_next",
    "passes_over_empty_frames",
    "never_says_anything_again",
    "keeps_every_side_record",
    "takes_any_result_bits",
    "passes_over_unknown_messages",
    "takes_an_abort_for_any_reason",
)
MUTANTS |= shared_mutants.shared("harness", SHARED) | shared_mutants.appraising("harness")
