"""Witnesses that look away, each in one way: name -> (requirement it breaks, how it is made)."""

import hashlib

import shared_mutants
import weakening
from parley_attestation import keys, statement
from parley_attestation.edge import witness_service, witness_store
from parley_attestation.encoding import Digest
from parley_attestation.envelope import Envelope, Signature, to_json
from parley_attestation.errors import PeerError, Reason
from parley_attestation.log import witness as log_witness
from parley_attestation.log import witness_state
from parley_attestation.log.witness_state import WitnessState
from weakening import nothing, without

MUTANTS = {}
ORDER = 2**252 + 27742317777372353535851937790883648493  # of the Ed25519 base point
CLOCK = iter(range(2_000_000_000, 0, -7))


def mutant(requirement):
    def register(make):
        MUTANTS[make.__name__] = (requirement, make)
        return make

    return register


def looks_away(patch, owner, name, weak):
    """In the threads that serve; the suite asks from its own."""
    weakening.weaken(patch, "witness", owner, name, weak)


@mutant("WIT-2")
def signs_two_heads(patch):
    looks_away(patch, WitnessState, "_one_head", nothing)


@mutant("WIT-2")
def signs_two_sessions(patch):
    looks_away(patch, WitnessState, "_one_session", nothing)


@mutant("WIT-2")
def opens_an_attempt_twice(patch):
    looks_away(patch, WitnessState, "_new_attempt", nothing)


@mutant("WIT-2")
def has_a_clock_that_runs_back(patch):
    looks_away(patch, witness_state, "_stamp", lambda _, facts, _now: (next(CLOCK), facts.number + 1))


@mutant("WIT-1")
def answers_anew(patch):
    looks_away(patch, WitnessState, "_known", nothing)


@mutant("W-CLAIM")
def takes_early_claims(patch):
    looks_away(patch, WitnessState, "_claim", without(Reason.CLAIM_EARLY))


@mutant("W-CLAIM")
def takes_void_claims(patch):
    looks_away(patch, WitnessState, "_claim", without(Reason.CLAIM_VOID))


@mutant("W-CLAIM")
def never_says_late(patch):
    looks_away(patch, WitnessState, "_claimed_before", nothing)


@mutant("W-ORDER")
def signs_about_what_nobody_opened(patch):
    looks_away(
        patch,
        WitnessState,
        "_event",
        without(Reason.OUT_OF_ORDER, value=lambda _self, request, *_: request.event),
    )


@mutant("KEY-2")
def takes_any_key(patch):
    looks_away(patch, keys.KeyHistory, "certified", without(Reason.KEY_NOT_CERTIFIED))


@mutant("KEY-2")
def ignores_when_a_key_holds(patch):
    def weak(original, self, key, role, _at):
        return original(self, key, role, None)

    looks_away(patch, keys.KeyHistory, "certified", weak)


@mutant("STMT-2")
def skips_the_signature(patch):
    looks_away(patch, statement, "verify", nothing)
    looks_away(patch, witness_service, "verify", nothing)


@mutant("WIT-6")
def keeps_any_record(patch):
    looks_away(patch, witness_service, "_placed", nothing)


@mutant("WIT-6")
def keeps_a_record_of_another_head(patch):
    def weak(original, message, asked):
        try:
            return original(message, asked)
        except PeerError as error:
            if error.reason is not Reason.HEAD_MISMATCH:
                raise
            return witness_service.read_record(message)

    looks_away(patch, witness_service, "_shown", weak)


@mutant("W-FORM")
def takes_any_event_for_any_call(patch):
    def weak(original, self, message, *_events):
        return original(self, message, *witness_service.Event)

    looks_away(patch, witness_service.WitnessService, "_read", weak)


@mutant("STMT-2")
def breaks_down_and_says_why(patch):
    def weak(original, *args):
        try:
            return original(*args)
        except PeerError as error:
            raise ValueError("a bug") from error

    looks_away(patch, witness_service, "read_request", weak)


@mutant("FRAME-1")
def hashes_records_without_a_label(patch):
    looks_away(patch, Envelope, "head", lambda _, record: Digest(hashlib.sha256(record.payload).digest()))


@mutant("ENV-1")
def signs_the_bare_payload(patch):
    def weak(_original, said, key):
        payload = said.payload()
        made = Envelope(statement.PAYLOAD_TYPE, payload, (Signature(key.public, key.sign(payload)),))
        return to_json(made)

    looks_away(patch, witness_store.statement, "seal", weak)


@mutant("SIG-1")
def takes_scalars_that_are_not_reduced(patch):
    def weak(original, public, message, value):
        scalar = int.from_bytes(value[32:], "little") % ORDER
        original(public, message, value[:32] + scalar.to_bytes(32, "little"))

    looks_away(patch, statement, "verify", weak)


@mutant("EXT-1")
def keeps_records_of_any_type(patch):
    looks_away(patch, witness_service, "_placed", without(Reason.UNSUPPORTED))


@mutant("ERR-1")
def tells_where_it_refuses(patch):
    def weak(original, *args):
        try:
            return original(*args)
        except PeerError as error:
            raise PeerError(error.reason, f"Traceback: witness_service.py: {error.message}") from error

    looks_away(patch, witness_service, "read_request", weak)


@mutant("KEY-1")
def takes_histories_of_others(patch):
    looks_away(patch, log_witness, "read_history", lambda original, sealed: original(sealed[:1]))


SHARED = (
    "reads_any_spelling",
    "keeps_the_last_of_two_keys",
    "passes_over_unknown_json",
    "reads_a_statement_before_it_verifies",
    "hashes_what_it_would_have_written",
    "has_no_limits_on_envelopes",
)
MUTANTS |= shared_mutants.shared("witness", SHARED)


@mutant("ENV-2")
def parses_before_it_verifies(patch):
    MUTANTS["reads_a_statement_before_it_verifies"][1](patch)
