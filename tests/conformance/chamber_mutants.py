"""Chambers that look away, each in one way: name -> (requirement it breaks, how it is made)."""

import hashlib
from dataclasses import replace

import grpc
import shared_mutants
import weakening
from parley_attestation import receipt, statement
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.envelope import Envelope, Signature, to_json
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.session import agreement, backing, sealed
from parley_attestation.session import messages as m
from parley_attestation.session.facts import plain
from parley_chamber import evaluation, ledger, packages, run, service
from parley_chamber.ledger import RunLedger
from parley_chamber.service import ChamberService
from parley_chamber.sessions import ChamberSession
from weakening import nothing, without

MUTANTS = {}


def mutant(requirement):
    def register(make):
        MUTANTS[make.__name__] = (requirement, make)
        return make

    return register


def looks_away(patch, owner, name, weak):
    weakening.weaken(patch, "chamber", owner, name, weak)


@mutant("CH-DESCRIBE")
def lists_no_runtime(patch):
    def weak(original, self, *args):
        said = original(self, *args)
        del said.runtimes[:]
        return said

    looks_away(patch, ChamberService, "Describe", weak)


@mutant("CH-RUN")
def counts_every_answer(patch):
    def weak(original, *args):
        return tuple(replace(one, successes=one.population) for one in original(*args))

    looks_away(patch, run.SealedRun, "_counts", weak)


@mutant("CH-ONCE")
def makes_new_keys_each_time(patch):
    def weak(original, self, request, card):
        self._held.clear()
        return original(self, request, card)

    looks_away(patch, ChamberService, "_open", weak)


@mutant("CH-ORDER")
def says_another_reason_before_the_releases(patch):
    def weak(original, *args):
        try:
            return original(*args)
        except PeerError as error:
            raise PeerError(Reason.WRONG_SESSION, "?") from error

    looks_away(patch, ChamberSession, "receipt", weak)


@mutant("CH-UPLOAD")
def takes_content_at_any_offset(patch):
    def weak(original, self, role, offset, data):
        del offset
        return original(self, role, self.received(role), data)

    looks_away(patch, ChamberSession, "append", weak)


@mutant("CH-UPLOAD")
def takes_parts_of_any_size(patch):
    patch.setattr(service, "MAX_CHUNK", 1 << 20)


@mutant("CH-SEAL")
def takes_content_for_another_session(patch):
    def weak(_original, self, role, offset, data):
        del offset
        self._folder.mkdir(exist_ok=True)
        with self._path(role).open("ab") as file:
            file.write(data)

    looks_away(patch, ChamberSession, "append", weak)


@mutant("CH-SEAL")
def runs_damaged_content(patch):
    def weak(original, *args):
        try:
            yield from original(*args)
        except PeerError as error:
            if error.reason is not Reason.BAD_SEAL:
                raise

    looks_away(patch, run, "unseal", weak)


@mutant("CH-COMMITTED")
def runs_weights_that_nobody_committed_to(patch):
    looks_away(patch, evaluation, "load", without(Reason.BAD_MODEL_CLAIM))


@mutant("CH-COMMITTED")
def keeps_the_reason_to_itself(patch):
    def weak(original, *args):
        try:
            return original(*args)
        except PeerError as error:
            if error.reason is Reason.BAD_OPENING:
                raise PeerError(Reason.BAD_SEAL, "?") from error
            raise

    looks_away(patch, packages, "read_tests", weak)


@mutant("CH-QUOTA")
def runs_again_and_again(patch):
    def weak(original, *args):
        original(*args)
        return 1

    looks_away(patch, RunLedger, "begin", weak)


@mutant("ERR-1")
def says_why_it_broke_down(patch):
    def weak(_original, context, error):
        context.abort(grpc.StatusCode.UNKNOWN, f"{type(error).__name__} in service.py: {error}")

    looks_away(patch, service.transport, "refuse", weak)


@mutant("FRAME-1")
def hashes_messages_without_a_label(patch):
    looks_away(patch, Envelope, "head", lambda _, one: Digest(hashlib.sha256(one.payload).digest()))


@mutant("ENV-1")
def signs_the_bare_payload(patch):
    def weak(original, said, *keys):
        if len(keys) != 1:
            return original(said, *keys)
        (key,), payload = keys, said.payload()
        made = Envelope(statement.PAYLOAD_TYPE, payload, (Signature(key.public, key.sign(payload)),))
        return to_json(made)

    looks_away(patch, receipt, "seal", weak)


@mutant("HELLO-1")
def takes_a_hello_of_any_version(patch):
    def weak(original, at, sender, key, body):
        if isinstance(body, m.Hello):
            body = replace(body, versions=(1,), suites=(1,), modes=("sealed",))
        return original(at, sender, key, body)

    looks_away(patch, agreement, "greet", weak)


@mutant("HELLO-2")
def takes_one_nonce_of_both(patch):
    looks_away(patch, agreement, "greet", weakening.one_nonce_of_both)


@mutant("HELLO-3")
def takes_greetings_over_two_channels(patch):
    looks_away(patch, agreement, "greet", weakening.any_channel)


@mutant("ACC-1")
def takes_any_number_of_counts(patch):
    looks_away(patch, agreement, "accept", weakening.any_counts)


@mutant("ACC-3")
def looks_at_the_counts_first(patch):
    looks_away(patch, agreement, "accept", weakening.counts_first)


@mutant("COMP-1")
def takes_loose_compute_records(patch):
    looks_away(patch, backing, "read_records", weakening.loose_records)


@mutant("SEAL-2")
def takes_chambers_twice(patch):
    looks_away(patch, sealed, "evidence", without(Reason.BAD_EVIDENCE, value=lambda *_: plain(nothing)))


@mutant("SEAL-5")
def takes_receipts_twice(patch):
    looks_away(patch, sealed, "receipt", without(Reason.BAD_RECEIPT, value=lambda *_: plain(nothing)))


@mutant("SEAL-6")
def counts_no_run_that_fails(patch):
    def weak(original, self, *pair):
        broken = [one for one in self.outcomes() if one not in {"begun", "done"}]
        return original(self, *pair) - len(broken)

    looks_away(patch, RunLedger, "begin", weak)


@mutant("SEAL-7")
def runs_weights_of_another_claim(patch):
    looks_away(patch, evaluation, "load", without(Reason.BAD_MODEL_CLAIM))


@mutant("SEAL-8")
def hands_on_what_it_has_at_once(patch):
    looks_away(
        patch,
        ChamberService,
        "_outcome",
        lambda _original, _self, session, machine: session.receipt(machine, 1),
    )


@mutant("SEAL-8")
def shows_that_its_run_has_ended(patch):
    def weak(original, self, *args):
        made = original(self, *args)
        self.discard()
        return made

    looks_away(patch, ChamberSession, "receipt", weak)


@mutant("SEAL-11")
def says_nothing_of_pickles(patch):
    def weak(original, *args):
        try:
            return original(*args)
        except PeerError as error:
            raise PeerError(Reason.BAD_MODEL_CLAIM, "?") from error

    looks_away(patch, evaluation, "load", weak)


@mutant("SEAL-12")
def gives_results_before_the_end(patch):
    looks_away(
        patch, service, "results_of", lambda _, folder, _machine: (folder / "results.sealed").read_bytes()
    )


@mutant("SEAL-12")
def gives_results_to_the_prover(patch):
    looks_away(
        patch,
        ChamberService,
        "_results",
        without(Reason.BAD_CUSTODY, value=lambda *_: service.pb.ResultsResponse(sealed=b"results")),
    )


@mutant("SEAL-9")
def keeps_results_that_nobody_agreed_on(patch):
    def kept(original, *args):
        made = original(*args)
        return replace(made, handed_over=0)

    looks_away(patch, run, "hands_over", lambda *_: True)
    looks_away(patch, run.SealedRun, "_run", kept)


@mutant("CH-RUN")
def gives_other_results_than_it_counted(patch):
    def weak(original, self, seed, root, codes):
        return original(self, seed, root, bytes([codes[0] ^ 1]) + codes[1:])

    looks_away(patch, run.SealedRun, "_sealed_results", weak)


@mutant("CH-RUN")
def seals_results_under_a_seed_of_its_own(patch):
    def weak(original, self, seed, *what):
        return original(self, Bytes32(bytes(len(seed))), *what)

    looks_away(patch, run.SealedRun, "_sealed_results", weak)


def knows_not(patch, words):
    """A ledger of attempts that passes over one of its refusals."""

    def weak(original, *args):
        try:
            original(*args)
        except PeerError as error:
            if words not in error.message:
                raise

    looks_away(patch, RunLedger, "attempt", weak)


@mutant("SEAL-15")
def remembers_the_first_attempt_alone(patch):
    knows_not(patch, "attempt 2 at this exercise was another session")


@mutant("SEAL-15")
def runs_what_another_attempt_has_followed(patch):
    patch.setattr(ledger, "_FOLLOWED", "SELECT 1 FROM attempt WHERE session=? AND 0")


@mutant("SEAL-15")
def forgets_what_it_has_run(patch):
    knows_not(patch, "an earlier attempt at this exercise has had its run")


@mutant("SEAL-15")
def takes_two_sessions_in_one_place(patch):
    looks_away(patch, RunLedger, "attempt", nothing)


@mutant("HPKE-2")
def opens_damaged_content(patch):
    MUTANTS["runs_damaged_content"][1](patch)


@mutant("HPKE-4")
def breaks_down_at_a_wrong_key(patch):
    def weak(original, *args):
        try:
            return original(*args)
        except PeerError as error:
            raise LocalError(Reason.BOX_FAILED, "?") from error

    looks_away(patch, run, "unwrap", weak)


@mutant("GRADE-1")
def grades_everything_as_passed(patch):
    MUTANTS["counts_every_answer"][1](patch)


SHARED = (
    "skips_the_signature",
    "passes_over_unknown_fields",
    "accepts_any_coin",
    "runs_an_exercise_twice",
    "reads_any_spelling",
    "keeps_the_last_of_two_keys",
    "passes_over_unknown_json",
    "names_a_statement_by_its_envelope",
    "takes_statements_signed_by_anybody",
    "reads_a_statement_before_it_verifies",
    "takes_a_history_of_two_roots",
    "takes_uncertified_keys",
    "takes_budgets_without_claims",
    "takes_claims_that_contradict",
    "takes_the_terms_of_others",
    "takes_a_budget_beyond_the_set",
    "looks_at_the_set_before_the_attempt",
    "takes_a_threshold_that_decides_nothing",
    "takes_graders_of_unknown_kinds",
    "takes_any_grader_for_scripts",
    "takes_audits_of_any_form",
    "takes_an_exercise_named_twice",
    "takes_what_belongs_to_sealed_mode",
    "pads_short_keys",
    "parses_before_it_verifies",
    "hashes_what_it_would_have_written",
    "has_no_limits_on_envelopes",
    "forgets_how_the_last_attempt_ended",
    "continues_what_never_began",
    "takes_an_abort_for_any_reason",
)
MUTANTS |= shared_mutants.shared("chamber", SHARED)
