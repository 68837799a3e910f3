"""Room: the suite. For a judge under test: records of sessions in which the verifier broke one rule.

The faults are those that a prover is shown over the network; what a frame alone can break leaves nothing
in a record.
"""

from dataclasses import replace

from parley_attestation.errors import Role

from parley_conformance.arena import Stop
from parley_conformance.cases import PROVER
from parley_conformance.cases.base import After, Case
from parley_conformance.harness import Failure
from parley_conformance.roles.judge import Judge
from parley_conformance.roles.records import entries, join, left, so_far

# Shown by frames, side records and resumptions, and by bodies that no record can hold.
_NO_RECORD = frozenset({"WIRE-2", "WIRE-3", "WIRE-5", "SIDE-1", "RES-8"})
# Above the limit of an entry (REC-1); a channel that a judge does not know.
_NOT_IN_A_RECORD = frozenset({"payload-over-limit", "hello-over-another-channel"})


def _shown(case: Case) -> Case:
    assert case.fault is not None
    where, said_by, after = case.fault.where, case.fault.say, case.fault.after

    def run(target: Judge) -> None:
        exercise = target.arena.exercise(where.shape)
        stop = Stop(Role.VERIFIER, where.state, where.nth, where.mutate)
        session = target.arena.session(exercise, stop)
        if session.draft is None:
            raise Failure(f"the session did not come to state {where.state}")
        speaker = session.speaker(Role.VERIFIER)
        before = so_far(session, Role.VERIFIER)
        added = left(said_by(speaker), [len(blob) for blob in speaker.draft.blobs])  # type: ignore[arg-type]
        reasons = frozenset(reason.value for reason in case.reasons)
        blamed = Role.VERIFIER.value if after is After.ENDED else ""
        target.expect(join([*before, *added]), valid=False, reason=reasons, blamed=blamed, verdict="")
        place = ("control", Role.VERIFIER, where.state, where.nth, where.shape)
        if where.mutate is None and not where.control and place not in target.controls:
            target.expect(join([*before, *entries(speaker.turn())]), valid=True, reason="", sequence=0)
            target.controls.add(place)

    return replace(case, id=f"record-of-{case.id}", run=run, capability="", fault=None)


FAULTS: tuple[Case, ...] = tuple(
    _shown(case)
    for case in PROVER
    if case.fault is not None and not _NO_RECORD & set(case.requirements) and case.id not in _NOT_IN_A_RECORD
)
