"""Provers that read documents too kindly: JSON, statements, key histories, terms, graders."""

import hashlib
import json
from dataclasses import replace

from mutant_kit import mutant, nothing, weaken, weaken_handler, without
from parley_attestation import (
    canonical,
    claims,
    envelope,
    grading,
    keys,
    registration,
    statement,
    terms,
    verdict,
)
from parley_attestation.canonical import Fields
from parley_attestation.encoding import Digest
from parley_attestation.envelope import from_json
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.grading import Outcome
from parley_attestation.session import agreement, audit, schedule
from parley_attestation.session import messages as m


@mutant("JSON-1")
def reads_any_spelling(patch):
    def weak(original, raw, **limits):
        try:
            return original(raw, **limits)
        except PeerError as error:
            if error.reason is not Reason.NOT_CANONICAL:
                raise
            return json.loads(raw)

    weaken(patch, canonical, "load", weak)


@mutant("JSON-2")
def rounds_fractions(patch):
    weaken(patch, canonical, "_refuse_float", lambda _, text: int(float(text)))
    weaken(patch, canonical, "load", lambda _, raw, **_limits: json.loads(raw, parse_float=float))


@mutant("JSON-2")
def keeps_the_last_of_two_keys(patch):
    weaken(patch, canonical, "_object", lambda _, pairs: dict(pairs))


@mutant("JSON-3")
def passes_over_unknown_json(patch):
    weaken(patch, Fields, "end", nothing)


@mutant("STMT-1", honest=False)
def names_a_statement_by_its_envelope(patch):
    names = {}

    def weak(original, sealed, *signers):
        found = original(sealed, *signers)
        names[found.payload()] = Digest(hashlib.sha256(sealed).digest())
        return found

    weaken(patch, statement, "open_sealed", weak)
    weaken(
        patch,
        statement.Statement,
        "digest",
        lambda original, said: names.get(said.payload()) or original(said),
    )


@mutant("STMT-2")
def looks_at_the_first_signature_alone(patch):
    def weak(original, sealed, *signers):
        found = from_json(sealed)
        return original(envelope.to_json(replace(found, signatures=found.signatures[:1])), *signers)

    weaken(patch, statement, "open_sealed", weak)


@mutant("STMT-2")
def takes_statements_signed_by_anybody(patch):
    weaken(
        patch,
        statement,
        "open_sealed",
        lambda original, sealed, *_: original(sealed, statement.signer(sealed)),
    )


@mutant("STMT-3")
def reads_a_statement_before_it_verifies(patch):
    def weak(original, sealed, *signers):
        statement.parse(from_json(sealed).payload)
        return original(sealed, *signers)

    weaken(patch, statement, "open_sealed", weak)


@mutant("KEY-1")
def takes_a_history_with_foreign_entries(patch):
    def weak(original, sealed):
        own = [one for one in sealed if statement.signer(one) == statement.signer(sealed[0])]
        return original(own)

    weaken(patch, keys, "read_history", weak)


@mutant("KEY-1")
def takes_a_history_of_two_roots(patch):
    weaken(patch, keys, "read_history", lambda original, sealed: original(sealed[:1]))


@mutant("KEY-2")
def takes_uncertified_keys(patch):
    weaken(patch, keys.KeyHistory, "certified", without(Reason.KEY_NOT_CERTIFIED))


@mutant("TERMS-1")
def takes_budgets_without_claims(patch):
    def weak(original, found):
        wanted = {claim.stratum for claim in found.metric_claims}
        budgets = tuple(one for one in found.plan.budgets if one[0] in wanted)
        original(replace(found, plan=replace(found.plan, budgets=budgets)))

    weaken(patch, terms, "_check", weak)
    weaken(
        patch,
        schedule,
        "frames",
        lambda original, found, tests: original(
            replace(found, plan=replace(found.plan, budgets=found.plan.budgets[:1])), tests
        ),
    )


@mutant("TERMS-2")
def takes_claims_that_contradict(patch):
    weaken(patch, terms, "refuse_contradictions", nothing)


@mutant("TERMS-3")
def takes_the_terms_of_others(patch):
    here = {}

    def proposed(original, at, sender, body):
        here["prover"] = at.facts.histories[Role.PROVER].owner
        return original(at, sender, body)

    weaken_handler(patch, m.Propose, proposed)
    weaken(
        patch, agreement, "read_terms", lambda original, said: replace(original(said), prover=here["prover"])
    )


@mutant("TERMS-3")
def takes_another_set_than_the_terms_name(patch):
    def weak(original, found, tests):
        own = replace(found.test_set, statement=tests.statement.digest(), root=tests.root, size=tests.size)
        return original(replace(found, test_set=own), tests)

    weaken(patch, schedule, "frames", weak)


@mutant("TERMS-4")
def takes_a_budget_beyond_the_set(patch):
    def weak(original, found, tests):
        budgets = tuple((name, min(units, tests.size)) for name, units in found.plan.budgets)
        return original(replace(found, plan=replace(found.plan, budgets=budgets)), tests)

    weaken(patch, schedule, "frames", weak)


@mutant("PROP-1")
def looks_at_the_set_before_the_attempt(patch):
    def weak(original, at, sender, body):
        said = terms.read_terms(statement.open_sealed(body.terms, at.facts.session_keys[sender]))
        owner = at.facts.histories[sender]
        schedule.frames(said, registration.read_registration(body.test_set, owner.root))
        return original(at, sender, body)

    weaken_handler(patch, m.Propose, weak)


@mutant("TEST-1")
def takes_a_threshold_that_decides_nothing(patch):
    weaken(patch, audit, "threshold_count", lambda original, *args, **how: max(1, original(*args, **how)))


@mutant("TEST-4")
def takes_a_budget_that_decides_nothing(patch):
    weaken(patch, audit, "require_decidable", nothing)


@mutant("TEST-3", honest=False)
def counts_units_after_the_decision(patch):
    def weak(original, mode, facts, tests):
        found = facts.audit
        for number, test in enumerate(tests):
            if test.n < len(list(found.frame_units(found.frame_of(found.claims[number])))):
                raise PeerError(Reason.WRONG_VERDICT, "the figures are those of every unit")
        return original(mode, facts, tests)

    weaken(patch, verdict, "derive", weak)


@mutant("VERD-4", honest=False)
def writes_a_sentence_of_its_own(patch):
    def weak(original, mode, facts, tests):
        made = original(mode, facts, tests)
        said = {**made.predicate, "not_concluded": [*made.predicate["not_concluded"], "All is well."]}
        return replace(made, predicate=said)

    weaken(patch, verdict, "derive", weak)


@mutant("GRADE-1", honest=False)
def grades_everything_as_failed(patch):
    weaken(patch, grading.Grader, "grade", lambda *_: Outcome.FAIL)


@mutant("EXT-1")
def takes_graders_of_unknown_kinds(patch):
    def weak(original, fields):
        document = dict(fields._left)
        return original(Fields({**document, "kind": "exact"}))

    weaken(patch, claims, "read_grader", weak)


@mutant("EXT-1")
def takes_items_of_unknown_kinds(patch):
    patch.setattr(registration, "ITEM_KINDS", (*registration.ITEM_KINDS, "dialog"))
