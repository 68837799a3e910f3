"""Vectors of scripts and pairs: honest exercises, and each rule of theirs broken."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import test_session_pairs as pairs
import test_session_script as scripts
from cheats import CHALLENGED, READY, SEEDED, STOPPED, P, Standoff, V, terms
from kit import Exercise, metric, sums
from parley_attestation.commitment import commit_output
from parley_attestation.encoding import Salt
from parley_attestation.pairs import PairEvents, mark
from parley_attestation.session import messages as m
from parley_attestation.terms import Caps, Plan
from parley_verifier.challenge import VerifierPolicy

from kinds.basics import Test
from kinds.records import folder, judged, record_of
from kinds.staged import Cheat, Says, cheats, refused, staged, with_blobs


def _answering(output: bytes) -> Says:
    """The first output of the draft is another one, committed to like any."""

    def say(s: Standoff) -> Any:
        assert s.draft is not None
        facts = s.cheat.machine.facts
        assert facts.audit is not None
        assert facts.exercise is not None
        unit, key = facts.audit.waiting(facts.pending)[0], Salt(s.draft.blobs[0][:32])
        answer = m.Answer(commit_output(key, facts.exercise, *unit.name, output), len(output))
        answers = (answer, *s.draft.body.answers[1:])  # type: ignore[union-attr]
        return with_blobs(s, lambda blobs: [bytes(key) + output, *blobs[1:]], answers=answers)

    return say


def _terms(**changes: Any) -> Says:
    return lambda s: terms(s, **changes)


SCRIPTS: tuple[Cheat, ...] = (
    ("an output that is no list", "SCRIPT-2", P, CHALLENGED, 1, _answering(b"4")),
    ("one string for two slots", "SCRIPT-2", P, CHALLENGED, 1, _answering(b'["4"]')),
    ("a list in another spelling", "SCRIPT-2", P, CHALLENGED, 1, _answering(b'["4", "5"]')),
    (
        "a grader for single items over scripts",
        "SCRIPT-3",
        V,
        READY,
        1,
        _terms(claims=(metric(grader=pairs.GRADER),)),
    ),
)
PAIRS: tuple[Cheat, ...] = (
    (
        "a claim over items in a set of pairs",
        "PAIR-3",
        V,
        READY,
        1,
        _terms(claims=(metric(grader=pairs.GRADER),)),
    ),
    (
        "a claim that names no member of the set",
        "PAIR-3",
        V,
        READY,
        1,
        _terms(claims=(pairs.pair_claim(PairEvents((("kind", pairs.PASSED),))),)),
    ),
    ("a batch of one item", "PAIR-3", V, READY, 1, _terms(plan=Plan(1, 1, (("", 40),)))),
    (
        "caps under which two prompts do not fit one turn",
        "PAIR-3",
        V,
        READY,
        1,
        _terms(caps=Caps(1 << 16, 1 << 12, 1 << 12, (1 << 16) + 40)),
    ),
    (
        "a run that is excluded and ends within a pair",
        "PAIR-3",
        V,
        READY,
        1,
        lambda s: terms(s, test_set=replace(s.exercise.terms.test_set, excluded=((3, 2),))),
    ),
    (
        "a pair with one item challenged",
        "PAIR-4",
        V,
        SEEDED,
        1,
        lambda s: with_blobs(s, lambda blobs: blobs[:-1], units=s.draft.body.units[:-1]),  # type: ignore[union-attr]
    ),
)


def _no_scripts(where: Path) -> Exercise:
    honest = scripts.exercise(where)
    return Exercise(
        where,
        items=sums(),
        answer=scripts.model,
        graders=honest.graders,
        item_kind="script",
        terms_changes=honest.terms_changes,
    )


def _short_cap(where: Path) -> Exercise:
    honest = scripts.exercise(where)
    caps = Caps(1 << 16, 1 << 12, 6, 1 << 20)
    return replace(honest, terms_changes={**honest.terms_changes, "caps": caps})


def _marked(reference: bytes) -> Any:
    """A set in which every harmful item has this reference."""

    def make(where: Path) -> Exercise:
        honest = pairs.exercise(where)
        items = [(p, reference if r[0] == 1 else r) for p, r in honest.items]
        return replace(honest, items=items)

    return make


def _honest_draft(s: Standoff) -> Any:
    assert s.draft is not None
    return s.draft.body, s.draft.blobs


def kinds_of_items() -> Iterator[Test]:
    """Scripts and pairs."""
    for comment, requirement, make in (
        ("dialogues, graded by the last answer and by all", "SCRIPT-1", scripts.exercise),
        ("pairs of a harmful prompt and its twin", "PAIR-1", pairs.exercise),
    ):
        with folder() as where:
            exercise = make(where)
            v, _ = exercise.run()
            yield judged(comment, requirement, exercise, record_of(exercise, v))
    yield from cheats(_no_scripts, [("a prompt that is no script", "SCRIPT-1", V, SEEDED, 1, _honest_draft)])
    yield from cheats(
        _short_cap, [("a cap below the empty answers", "SCRIPT-1", V, SEEDED, 1, _honest_draft)]
    )
    yield from cheats(scripts.exercise, SCRIPTS)
    yield from cheats(pairs.exercise, PAIRS)
    for comment, reference in (
        ("a reference that names no member", mark(2, b"boom")),
        ("a pair whose two items name one member", mark(0, b"boom")),
    ):
        with folder() as where, mock.patch.object(VerifierPolicy, "_result", return_value=True):
            s = staged(_marked(reference)(where), V, STOPPED)
            yield judged(comment, "PAIR-2", s.exercise, refused(s, _honest_draft(s)))
