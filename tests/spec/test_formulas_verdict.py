"""Verdicts, levels, graders and witnesses: the formulas of the text against the code."""

import dataclasses
import json
from fractions import Fraction
from itertools import combinations
from types import SimpleNamespace

import pytest
import worked
from evaluate import NUMBERS, value_of
from hypothesis import strategies as st
from parley_attestation.canonical import Fields
from parley_attestation.claims import ASSURANCE_ORDER
from parley_attestation.envelope import from_json
from parley_attestation.errors import PeerError
from parley_attestation.frametest import Decision
from parley_attestation.grading import read_grader
from parley_attestation.log.witness import Event
from parley_attestation.profile import holm_adjusted
from parley_attestation.receipt import Count
from parley_attestation.sealed_verdict import _decision
from parley_attestation.verdict import decimal_above, short_of
from parley_attestation.witnessing import established
from reading import formula, section
from worked import inputs

shares = st.fractions(0, 1, max_denominator=10**15)


@inputs(p_values=st.lists(st.fractions(0, 1, max_denominator=50), min_size=1, max_size=6))
def test_accusations_are_corrected_as_the_text_says(p_values):
    said = formula("verdict", "min(1, (m - r) p").text
    greatest, expected = Fraction(0), [Fraction(0)] * len(p_values)
    for r, n in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        greatest = max(greatest, value_of(said, {"m": len(p_values), "r": r, "p": p_values[n], **NUMBERS}))
        expected[n] = greatest
    assert holm_adjusted(p_values) == tuple(expected)


@inputs(p=shares)
def test_p_values_are_printed_as_the_text_says(p):
    said = formula("verdict", "min(1, ceil(").text
    for one in (p, p / 10**9, Fraction(1), Fraction(0), Fraction(10**12 - 1, 10**12), Fraction(3, 2)):
        printed = decimal_above(one)
        assert Fraction(printed) == value_of(said, {"p": one, **NUMBERS})
        assert printed == (printed.rstrip("0").rstrip(".") if "." in printed else printed)


@inputs(
    population=st.integers(1, 60),
    steps=st.integers(0, 60),
    round_to=st.integers(1, 20),
    needed=st.integers(1, 60),
)
def test_a_rounded_count_lies_where_the_text_says(population, steps, round_to, needed):
    said = formula("sealed-verdict", "min(S + ").text
    stated = steps % (population // round_to + 1) * round_to
    highest = value_of(said, {"S": stated, "round_to": round_to, "F": population, **NUMBERS})
    assert Count("a", population, stated).highest(round_to) == highest
    exact = [n for n in range(population + 1) if n // round_to * round_to == stated]
    assert (exact[0], exact[-1]) == (stated, highest)
    met = {n >= needed for n in exact}
    expected = Decision.INCONCLUSIVE if len(met) == 2 else [Decision.VIOLATION, Decision.COMPLIANT][met.pop()]
    assert _decision(stated, highest, needed) is expected


def test_levels_of_assurance_stand_in_the_order_of_the_text():
    said = formula("terms", "declared < ").text
    levels = said.split(" < ")
    assert tuple(levels) == ASSURANCE_ORDER
    for n, given in enumerate(levels):
        for m, asked in enumerate(levels):
            claim = dataclasses.replace(worked.record().machine.facts.terms.claims[0], min_assurance=asked)
            assert bool(short_of(claim, given)) == (n < m)


@inputs(points=st.integers(2, 254), listed=st.integers(1, 12), found=st.integers(0, 12))
def test_points_of_a_checklist_are_those_of_the_text(points, listed, found):
    said = formula("graders", "floor(points").text
    found = min(found, listed)
    grader = read_grader(
        Fields({"kind": "checklist", "points": points, "ignore_case": False, "whole_words": True})
    )
    sought = [f"w{n}" for n in range(listed)]
    output = " ".join(sought[:found]).encode()
    reference = json.dumps(sought, separators=(",", ":")).encode()
    assert grader.score(output, reference) == value_of(
        said, {"points": points, "n": found, "m": listed, **NUMBERS}
    )


def test_an_event_is_established_by_as_many_witnesses_as_the_text_says():
    needed = formula("witnesses", "max(threshold").text
    assert f"An event is established where at least `{needed}` of the keys" in section("witnesses")
    judged = worked.record("transcripts_witnessed", "two of three witnesses, all up").judgement
    facts = judged.machine.facts
    signed = [one for one in judged.side_records if b'"accepted"' in from_json(one).payload]
    assert len(signed) == 3
    for threshold in range(4):
        witnesses = dataclasses.replace(facts.terms.witnesses, threshold=threshold)
        terms = dataclasses.replace(facts.terms, witnesses=witnesses)
        machine = SimpleNamespace(
            facts=dataclasses.replace(facts, terms=terms),
            heads=judged.machine.heads,
            sequence=judged.machine.sequence,
        )
        for cosigned in range(4):
            if cosigned >= value_of(needed, {"threshold": threshold, **NUMBERS}):
                established(machine, signed[:cosigned], Event.ACCEPTED)
            else:
                with pytest.raises(PeerError):
                    established(machine, signed[:cosigned], Event.ACCEPTED)


def test_the_witnesses_that_a_party_reaches_leave_too_few_for_a_claim():
    reached, again = (
        formula("guardian", "n - k + 1").text,
        formula("non-framing-and-accountability", "n - k + 1").text,
    )
    for n in range(1, 7):
        for k in range(1, n + 1):
            count = value_of(reached, {"n": n, "k": k})
            assert count == value_of(again, {"n": n, "k": k})
            assert all(set(group) & set(range(count)) for group in combinations(range(n), k))
            assert not all(set(group) & set(range(count - 1)) for group in combinations(range(n), k))


def test_as_many_witnesses_may_be_down_as_the_text_says():
    down = formula("operational-considerations", "n - k").text
    assert "a threshold k above half of n" in section("operational-considerations")
    for n in range(1, 7):
        for k in range(n // 2 + 1, n + 1):
            left = n - value_of(down, {"n": n, "k": k})
            assert left == k, "the threshold is met, and not with one more down"
            assert all(set(a) & set(b) for a in combinations(range(n), k) for b in combinations(range(n), k))
