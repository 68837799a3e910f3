"""Provers that are careless with scripts, pairs, scores, audits and earlier exercises."""

import threading

from mutant_kit import mutant, nothing, weaken, without
from parley_attestation import frametest, graded, terms
from parley_attestation.edge import journal
from parley_attestation.errors import PeerError, Reason
from parley_attestation.session import audit, exercise, schedule
from parley_prover import answering
from parley_prover.service import ProverService


@mutant("SCRIPT-1")
def takes_prompts_that_are_no_scripts(patch):
    class Anything:
        slots = 0

    weaken(patch, exercise, "read_script", without(Reason.BAD_REGISTRATION, value=lambda *_: Anything))
    weaken(patch, answering, "dialogues", lambda _original, _engine, prompts: [b'["?"]' for _ in prompts])


@mutant("SCRIPT-1")
def takes_scripts_that_no_output_can_hold(patch):
    weaken(patch, exercise, "least_output", lambda *_: 0)


@mutant("SCRIPT-2", honest=False)
def answers_a_dialogue_with_one_text(patch):
    weaken(patch, answering, "dialogues", lambda _original, _engine, prompts: [b"?" for _ in prompts])


@mutant("SCRIPT-3")
def takes_any_grader_for_scripts(patch):
    weaken(patch, schedule, "_check_kind", nothing)


@mutant("PAIR-2")
def takes_references_of_nobody(patch):
    def weak(original, reference, members):
        return original(bytes([min(reference[0], 1)]) + reference[1:] if members else reference, members)

    weaken(patch, audit, "unmark", weak)


@mutant("PAIR-2")
def takes_two_items_of_one_member(patch):
    def weak(original, found, items, references):
        try:
            return original(found, items, references)
        except PeerError:
            return [
                (name, reference[1:])
                for name, reference in zip(("one", "two") * 64, references, strict=False)
            ]

    weaken(patch, audit.Audit, "unmark", weak)


@mutant("PAIR-3")
def takes_any_claim_over_pairs(patch):
    weaken(patch, schedule, "_check_pairs", nothing)


@mutant("PAIR-4")
def answers_one_of_a_pair(patch):
    weaken(
        patch, audit.Audit, "check_challenge", without(Reason.WRONG_UNITS, value=lambda _, u: [0] * len(u))
    )


@mutant("TEST-5", honest=False)
def weighs_scores_without_room_to_round(patch):
    def weak(original, process, size, null):
        original(process, size, null)
        process.products = [1] * len(graded.BETS)

    weaken(patch, graded.GradedProcess, "__init__", weak)


@mutant("TEST-2")
def computes_in_floating_point(patch):
    def weak(original, self, alpha):
        if self.certain:
            return original(self, alpha)
        numerator, denominator = self._ratio()
        return numerator / denominator * float(alpha) >= 1

    weaken(patch, frametest.OneSided, "crosses", weak)


@mutant("AUD-1")
def takes_audits_of_any_form(patch):
    def weak(original, found):
        if found.audited is None:
            original(found)

    weaken(patch, terms, "_check", weak)


@mutant("AUD-2")
def takes_audits_of_receipts_that_it_does_not_know(patch):
    weaken(patch, answering, "check_audited", nothing)


@mutant("AUD-3")
def takes_results_out_of_place(patch):
    weaken(patch, exercise, "_check_claimed", nothing)


@mutant("AUD-4")
def takes_any_count_of_a_receipt(patch):
    def weak(original, plan, claimed):
        return original(plan, max(plan.threshold, min(plan.frame, claimed)))

    weaken(patch, audit, "comparison_plan", weak)


@mutant("PRIOR-2")
def takes_an_exercise_named_twice(patch):
    weaken(patch, terms, "_check", without(Reason.BAD_TERMS))


@mutant("ATT-4")
def resumes_what_a_later_attempt_replaced(patch):
    weaken(patch, journal.Journal, "superseded", lambda *_: False)


@mutant("RES-9")
def lets_two_streams_live(_patch):
    """A newer stream gets the session, and the older one is not ended."""

    class Both(ProverService):
        def _alone(self, key, context):
            return super()._alone(
                key + threading.current_thread().name.encode() + id(context).to_bytes(8, "big"), context
            )

    return Both


@mutant("DESC-3")
def audits_in_secret(_patch):
    class Silent(ProverService):
        def Describe(self, request, context):  # noqa: N802 - the name of the call
            said = super().Describe(request, context)
            said.capabilities.remove("audit")
            return said

    return Silent


@mutant("SEAL-1")
def takes_what_belongs_to_sealed_mode(patch):
    weaken(patch, terms, "_check", without(Reason.BAD_TERMS))
