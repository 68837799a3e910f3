"""Judges that look away, each in one way: name -> (requirement it breaks, how it is made)."""

from dataclasses import replace

import shared_mutants
import weakening
from parley_attestation import (
    ed25519,
    judge,
    sealed_verdict,
    terms,
    transcript,
    verdict,
    witnessing,
)
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.log import panel
from parley_attestation.session import agreement, backing, exercise, machine, sealed
from parley_cli import record
from weakening import always_equal, nothing, without

MUTANTS = {}


def mutant(requirement):
    def register(make):
        MUTANTS[make.__name__] = (requirement, make)
        return make

    return register


def looks_away(patch, owner, name, weak):
    weakening.weaken(patch, "judge", owner, name, weak)


def says(patch, change):
    """A judge that judges well and says something else."""

    def weak(original, found):
        answer = original(found)
        return answer | change(found, answer)

    looks_away(patch, record, "summary", weak)


@mutant("SIG-1")
def skips_the_signature(patch):
    looks_away(patch, ed25519, "verify", nothing)


@mutant("REC-1")
def ignores_the_running_digest(patch):
    looks_away(patch, transcript, "_chain", always_equal)


@mutant("CHAIN-1")
def ignores_the_predecessor(patch):
    looks_away(patch, machine.Machine, "_check_header", without(Reason.WRONG_PREVIOUS))


@mutant("CHAIN-1")
def ignores_the_session(patch):
    looks_away(patch, machine.Machine, "_check_header", without(Reason.WRONG_SESSION))


@mutant("CHAIN-2")
def blames_for_what_nobody_proves(patch):
    def weak(original, self, envelope):
        try:
            return original(self, envelope)
        except PeerError as error:
            raise error.blame(Role.PROVER) from None

    looks_away(patch, machine.Machine, "begin", weak)


@mutant("WIRE-4")
def ignores_the_stream_digest(patch):
    looks_away(patch, machine, "stream_digest", always_equal)


@mutant("ANS-1")
def accepts_any_output(patch):
    looks_away(patch, exercise, "verify_output", nothing)


@mutant("JUDGE-1")
def ignores_the_pins(patch):
    def weak(_original, judgement, _pins):
        judgement.pinned = True

    looks_away(patch, judge, "_pins", weak)


@mutant("JUDGE-2")
def calls_unknown_parties_pinned(patch):
    says(patch, lambda found, _: {"pinned": found.valid})


@mutant("JUDGE-3")
def lists_nothing_unseen(patch):
    says(patch, lambda *_: {"unseen": []})


@mutant("JUDGE-4")
def repeats_an_acknowledged_verdict(patch):
    def acknowledged(found, answer):
        digests = list(found.acknowledged.values())
        return {"verdict": digests[0].hex()} if digests and not answer["verdict"] else {}

    says(patch, acknowledged)


@mutant("VERD-1")
def always_says_compliant(patch):
    says(patch, lambda _, answer: {"overall": "COMPLIANT" if answer["overall"] else ""})


@mutant("FRAME-1")
def hashes_outputs_without_a_label(patch):
    def weak(original, key, name, unit, content, said):
        return original(key, name, unit, content + b"\0", said)

    looks_away(patch, exercise, "verify_output", weak)


@mutant("SCRIPT-2")
def takes_any_output_of_a_dialogue(patch):
    looks_away(patch, exercise, "_check_answers", nothing)


@mutant("ATT-1")
def forgets_how_the_last_attempt_ended(patch):
    def weak(original, body, earlier):
        if earlier is None:
            return original(body, earlier)
        return original(replace(body, earlier_heads=(*earlier.facts.earlier_heads, earlier.head)), earlier)

    looks_away(patch, agreement, "_check_attempt", weak)


@mutant("ATT-1")
def takes_another_coin_in_a_later_attempt(patch):
    looks_away(patch, agreement, "_check_attempt", without(Reason.BAD_COIN))


@mutant("HELLO-3")
def takes_greetings_over_two_channels(patch):
    looks_away(patch, agreement, "greet", weakening.any_channel)


@mutant("HELLO-2")
def takes_one_nonce_of_both(patch):
    looks_away(patch, agreement, "greet", weakening.one_nonce_of_both)


@mutant("ACC-1")
def takes_any_number_of_counts(patch):
    looks_away(patch, agreement, "accept", weakening.any_counts)


@mutant("ACC-3")
def looks_at_the_counts_first(patch):
    looks_away(patch, agreement, "accept", weakening.counts_first)


@mutant("KEY-3")
def looks_at_no_time(patch):
    looks_away(patch, judge, "_judge_keys", nothing)


@mutant("WIT-3")
def believes_whoever_contradicts_itself(patch):
    looks_away(patch, panel, "_contradiction", lambda *_: "")


@mutant("WIT-4")
def blames_before_the_deadline(patch):
    looks_away(patch, witnessing, "deadline", lambda *_: 1)


@mutant("JUDGE-5")
def calls_every_set_qualified(patch):
    says(patch, lambda *_: {"unqualified": False})


@mutant("JUDGE-6")
def passes_over_dissent(patch):
    says(patch, lambda *_: {"differing": []})


@mutant("ABORT-1")
def blames_who_gave_up(patch):
    def ended(found, _):
        ending = found.machine.facts.ending
        return {"blamed": ending.role.value} if ending is not None and ending.kind == "abort" else {}

    says(patch, ended)


@mutant("REC-2")
def takes_no_redacted_record(patch):
    def weak(original, entry):
        raise PeerError(Reason.MALFORMED, "content is withheld")

    looks_away(patch, judge, "withheld", weak)


@mutant("COMP-1")
def takes_loose_compute_records(patch):
    def weak(original, sealed_ones, key):
        return original(sealed_ones[:1], key)

    looks_away(patch, backing, "read_records", weak)


@mutant("BIND-1")
def counts_a_provers_own_chamber(patch):
    looks_away(patch, verdict, "_independent", lambda _, bound: bound is not None)


@mutant("AUD-5")
def takes_false_results_for_true(patch):
    def weak(original, frame, opened, *how):
        return original(frame, [True] * len(opened), *how)

    looks_away(patch, verdict, "claim_integrity", weak)


@mutant("AUD-5")
def calls_a_breached_claim_compliant(patch):
    def weak(original, claim, test, assurance, units):
        found = original(claim, test, assurance, units)
        return found | verdict.sampled(claim, test, assurance)

    looks_away(patch, verdict, "compared", weak)


@mutant("SEAL-1")
def takes_sealed_terms_in_any_mode(patch):
    looks_away(patch, terms, "_check", without(Reason.BAD_TERMS))


@mutant("SEAL-2")
def takes_any_evidence_of_chambers(patch):
    looks_away(patch, sealed, "_one_each", nothing)


@mutant("SEAL-4")
def says_nothing_of_own_chambers(patch):
    looks_away(patch, sealed_verdict, "assurance", lambda *_: "attested")


@mutant("SEAL-5")
def takes_any_receipt(patch):
    looks_away(patch, sealed, "check_outcome", nothing)


SHARED = (
    "accepts_any_index",
    "accepts_any_prompt",
    "accepts_any_reference",
    "passes_over_unknown_fields",
    "accepts_any_coin",
    "runs_an_exercise_twice",
    "accepts_an_early_stop",
    "accepts_any_verdict",
    "reads_any_spelling",
    "rounds_fractions",
    "keeps_the_last_of_two_keys",
    "passes_over_unknown_json",
    "names_a_statement_by_its_envelope",
    "looks_at_the_first_signature_alone",
    "reads_a_statement_before_it_verifies",
    "takes_a_history_of_two_roots",
    "takes_uncertified_keys",
    "takes_budgets_without_claims",
    "takes_claims_that_contradict",
    "takes_the_terms_of_others",
    "takes_a_budget_beyond_the_set",
    "looks_at_the_set_before_the_attempt",
    "takes_a_threshold_that_decides_nothing",
    "takes_a_budget_that_decides_nothing",
    "computes_in_floating_point",
    "counts_units_after_the_decision",
    "writes_a_sentence_of_its_own",
    "grades_everything_as_failed",
    "takes_graders_of_unknown_kinds",
    "takes_prompts_that_are_no_scripts",
    "takes_any_grader_for_scripts",
    "takes_references_of_nobody",
    "takes_any_claim_over_pairs",
    "answers_one_of_a_pair",
    "weighs_scores_without_room_to_round",
    "takes_audits_of_any_form",
    "takes_results_out_of_place",
    "takes_any_count_of_a_receipt",
    "takes_an_exercise_named_twice",
    "pads_short_keys",
    "parses_before_it_verifies",
    "hashes_what_it_would_have_written",
    "has_no_limits_on_envelopes",
    "takes_a_hello_of_any_version",
    "takes_any_number_of_stop_counts",
    "acknowledges_before_every_reference_is_shown",
    "takes_any_result_bits",
    "continues_what_never_began",
    "takes_an_abort_for_any_reason",
    "skips_the_inclusion_proof",
)
MUTANTS |= shared_mutants.shared("judge", SHARED) | shared_mutants.appraising("judge")
