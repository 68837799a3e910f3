"""Guards that every role has in the shared code: the prover's mutants, weakened in another role's threads."""

import mutant_kit
import prover_mutants  # noqa: F401 - registers mutants
import prover_mutants_documents  # noqa: F401 - registers mutants
import prover_mutants_kinds  # noqa: F401 - registers mutants
import prover_mutants_sessions  # noqa: F401 - registers mutants


def shared(threads, names):
    """Of a role whose threads begin with `threads`: name -> (requirement it breaks, how it is made)."""

    def made(one):
        def make(patch):
            patch.setattr(mutant_kit, "THREADS", [threads])
            assert one.make(patch) is None, "a mutant of the prover's own code"

        return one.requirement, make

    return {name: made(mutant_kit.MUTANTS[name]) for name in names}
