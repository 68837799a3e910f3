"""Guards that every role has in the shared code: the prover's mutants, weakened in another role's threads."""

from functools import partial
from importlib import import_module

import mutant_kit
import prover_mutants  # noqa: F401 - registers mutants
import prover_mutants_documents  # noqa: F401 - registers mutants
import prover_mutants_kinds  # noqa: F401 - registers mutants
import prover_mutants_sessions  # noqa: F401 - registers mutants
import weakening
from parley_attestation import verdict
from parley_attestation.session import backing

APPRAISE = import_module("parley_attestation.evidence.appraise")  # the package has a function of that name


def shared(threads, names):
    """Of a role whose threads begin with `threads`: name -> (requirement it breaks, how it is made)."""

    def made(one):
        def make(patch):
            patch.setattr(mutant_kit, "THREADS", [threads])
            assert one.make(patch) is None, "a mutant of the prover's own code"

        return one.requirement, make

    return {name: made(mutant_kit.MUTANTS[name]) for name in names}


def appraising(threads):
    """Of a role that appraises evidence and derives verdicts by the shared code, in the same form."""
    guards = {
        "lets_simulated_evidence_count": ("EVID-1", verdict, "derived_assurance", weakening.any_evidence),
        "takes_evidence_for_any_key": ("EVID-2", APPRAISE, "_binder", weakening.nothing),
        "appraises_at_its_own_time": ("EVID-3", backing, "appraise_all", weakening.at_its_own_time),
        "calls_everything_re_executed": ("VERD-2", verdict, "derived_assurance", lambda *_: "re-executed"),
    }
    return {
        name: (requirement, partial(weakening.weaken, threads=threads, owner=owner, name=guard, weak=weak))
        for name, (requirement, owner, guard, weak) in guards.items()
    }
