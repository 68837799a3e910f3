"""The state machine as constrained Horn clauses for z3's Spacer, generated from the code's own tables.

The transitions are `parley_attestation.session.tables`, so they cannot drift. What a message must
satisfy and what it fixes is `messages` below, by hand after the handlers of `session`: the kinds named
there and those in the tables must be the same, or nothing is checked. Sessions, turns, units and
attempts are unbounded. The messages are those that the machine accepts, whoever sent them: both parties
may be hostile.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import z3
from parley_attestation.session.tables import FINAL, MODES, State

# What the model remembers, each with its value at the start; whole numbers, flags 0 or 1.
START = {
    "commit_v": 0,  # V's coin is committed, in this attempt
    "commit_p": 0,
    "coin_v": 0,  # V's coin is shown, in this attempt
    "coin_p": 0,
    "challenged": 0,  # units, over all attempts
    "answered": 0,
    "pending": 0,  # units of the last challenge, while it waits
    "opened": 0,  # references, in this attempt
    "shown": 0,  # a reference was shown, in any attempt
    "value_v": 0,  # the committed coins: commitments to different coins differ
    "value_p": 0,
    "again": 0,  # an earlier attempt at this exercise was proposed
    "accepted": 0,  # an attempt at this exercise was accepted
    "seeded": 0,  # an attempt at this exercise got its seed
    "seed_v": 0,  # the coins that gave the first seed
    "seed_p": 0,
    "bound": 0,  # a binding stands
    "demanded": 0,  # the terms demand one
    "evidence": 0,  # a chamber's evidence was shown
    "release_v": 0,
    "release_p": 0,
}
ORDER = [State(s) for s in State]
Values = dict[str, z3.ArithRef]
Unless = Callable[..., list[z3.BoolRef]]


@dataclass(frozen=True, slots=True)
class Message:
    """Guards and effects of one kind: with the values before and a free number, what must hold and what changes."""

    guard: Callable[[Values, z3.ArithRef], list[z3.BoolRef]] = lambda _v, _f: []
    effect: Callable[[Values, z3.ArithRef], Values] = lambda _v, _f: {}


def number(state: State) -> int:
    """A state as a number."""
    return ORDER.index(state)


def _unless(broken: frozenset[str], switch: str, *guards: z3.BoolRef) -> list[z3.BoolRef]:
    """Guards, but where their switch is among the broken ones."""
    return [] if switch in broken else list(guards)


def _agreement(unless: Unless) -> dict[str, Message]:
    """Greetings, terms and coins."""
    one = z3.IntVal(1)
    return {
        "hello": Message(),
        "hello-reply": Message(),
        "propose": Message(
            guard=lambda v, f: [
                z3.Or(f == 0, f == 1),
                *unless("another-coin", z3.Or(v["again"] == 0, f == v["value_v"])),
            ],
            effect=lambda _, f: {"commit_v": one, "value_v": f, "again": one},
        ),
        "accept": Message(
            guard=lambda v, f: [
                z3.Or(f == 0, f == 1),
                *unless("another-coin", z3.Or(v["accepted"] == 0, f == v["value_p"])),
            ],
            effect=lambda _, f: {"commit_p": one, "value_p": f, "accepted": one},
        ),
        "decline": Message(),
        # A coin opens its commitment: its value is the committed one.
        "coin": Message(
            effect=lambda v, _: {
                "coin_v": one,
                "coin_p": v["coin_v"],
                "seed_v": z3.If(z3.And(v["coin_v"] == 1, v["seeded"] == 0), v["value_v"], v["seed_v"]),
                "seed_p": z3.If(z3.And(v["coin_v"] == 1, v["seeded"] == 0), v["value_p"], v["seed_p"]),
                "seeded": z3.If(v["coin_v"] == 1, one, v["seeded"]),
            }
        ),
    }


def _units(unless: Unless) -> dict[str, Message]:
    """Challenges, answers, references and what ends a session in mode `open`."""
    one = z3.IntVal(1)
    return {
        "challenge": Message(
            guard=lambda _, f: [f >= 1],
            effect=lambda v, f: {"challenged": v["challenged"] + f, "pending": f},
        ),
        "answers": Message(
            guard=lambda v, f: unless("more-answers", f == v["pending"]),
            effect=lambda v, f: {"answered": v["answered"] + f, "pending": z3.IntVal(0)},
        ),
        # A stop with nothing challenged is refused: no verdict follows from no unit.
        "stop": Message(guard=lambda v, _: [v["challenged"] >= 1]),
        "open": Message(
            guard=lambda v, f: [f >= 1, *unless("open-anything", v["opened"] + f <= v["challenged"])],
            effect=lambda v, f: {"opened": v["opened"] + f, "shown": one},
        ),
        "binding": Message(
            guard=lambda v, _: unless("early-verdict", v["opened"] == v["challenged"]),
            effect=lambda _v, _f: {"bound": one},
        ),
        "acknowledge": Message(
            guard=lambda v, _: [
                *unless("early-verdict", v["opened"] == v["challenged"]),
                *unless("no-binding", z3.Or(v["demanded"] == 0, v["bound"] == 1)),
            ]
        ),
        "dissent": Message(guard=lambda v, _: unless("early-verdict", v["opened"] == v["challenged"])),
        "abort": Message(),
    }


def _sealed() -> dict[str, Message]:
    """The messages of mode `sealed`."""
    one = z3.IntVal(1)
    return {
        "evidence": Message(effect=lambda _v, _f: {"evidence": one}),
        "release": Message(
            effect=lambda v, _: {
                "release_p": z3.If(v["state"] == number(State.EVIDENCED), v["release_p"], one),
                "release_v": z3.If(v["state"] == number(State.EVIDENCED), one, v["release_v"]),
            }
        ),
        "refusal": Message(),
        "receipt": Message(),
    }


def messages(broken: frozenset[str]) -> dict[str, Message]:
    """What each kind must satisfy and fixes; `broken` names guards that are left out."""
    unless = partial(_unless, broken)
    return _agreement(unless) | _units(unless) | _sealed()


def table(mode: str, broken: frozenset[str]) -> list[tuple[State, str, State]]:
    """The transitions of a mode, with those that a switch adds."""
    rows = [(s, kind, after) for s, (_, moves) in MODES[mode].items() for kind, after in moves.items()]
    extra = {
        "challenge-before-coins": (State.ACCEPTED, "challenge", State.CHALLENGED),
        "challenge-after-open": (State.OPENED, "challenge", State.CHALLENGED),
        "coin-before-accept": (State.PROPOSED, "coin", State.COIN_SHOWN),
        "release-before-evidence": (State.SEEDED, "release", State.RELEASED),
        "receipt-before-both": (State.RELEASED, "receipt", State.RECEIVED),
        "message-after-end": (State.DECLINED, "challenge", State.CHALLENGED),
    }
    return rows + [row for switch, row in extra.items() if switch in broken]


@dataclass(frozen=True, slots=True)
class Lemma:
    """What must never be about to happen: a message of `kinds` (any where empty) where `bad` holds.

    Only the variables in `over` are kept; guards over others are dropped, which allows more, never less.
    """

    over: tuple[str, ...]
    bad: Callable[[Values], z3.BoolRef]
    kinds: frozenset[str] = frozenset()


def _missing(v: Values, *names: str) -> z3.BoolRef:
    return z3.Or([v[name] == 0 for name in names])


_COINS = ("commit_v", "commit_p", "coin_v", "coin_p")
LEMMAS = {
    # Both commitments stand before any coin.
    "commitments-before-coins": Lemma(
        ("commit_v", "commit_p"), lambda v: _missing(v, "commit_v", "commit_p"), frozenset({"coin"})
    ),
    # Both coins are shown before any challenge.
    "coins-before-challenge": Lemma(_COINS, lambda v: _missing(v, *_COINS), frozenset({"challenge"})),
    # One exercise has one seed, however many attempts it takes: both coins stay. Two coins stand for all.
    "one-coin-of-the-verifier": Lemma(
        ("value_v", "again", "coin_v", "seeded", "seed_v"),
        lambda v: v["seed_v"] != v["value_v"],
        frozenset({"challenge"}),
    ),
    "one-coin-of-the-prover": Lemma(
        ("value_p", "accepted", "coin_v", "seeded", "seed_p"),
        lambda v: v["seed_p"] != v["value_p"],
        frozenset({"challenge"}),
    ),
    # What is opened was challenged, and never more of it.
    "opened-was-challenged": Lemma(("challenged", "opened"), lambda v: v["opened"] > v["challenged"]),
    # No challenge and no answer comes after a reference was shown, in any attempt.
    "nothing-after-open": Lemma(
        ("opened", "shown"), lambda v: v["shown"] == 1, frozenset({"challenge", "answers"})
    ),
    # Nobody answers what was not asked.
    "answers-are-asked": Lemma(
        ("challenged", "answered", "pending"), lambda v: v["answered"] > v["challenged"]
    ),
    # A verdict is acknowledged only when every reference was shown.
    "verdict-when-all-is-open": Lemma(
        ("challenged", "opened"), lambda v: v["opened"] != v["challenged"], frozenset({"acknowledge"})
    ),
    # A verdict is acknowledged only where the binding that the terms demand stands.
    "verdict-when-bound": Lemma(
        ("demanded", "bound"),
        lambda v: z3.And(v["demanded"] == 1, v["bound"] == 0),
        frozenset({"acknowledge"}),
    ),
    # A final state is final.
    "final-is-final": Lemma((), lambda v: z3.Or([v["state"] == number(s) for s in FINAL])),
    # Sealed mode: no key leaves before the chamber's evidence, no receipt comes before both keys.
    "evidence-before-keys": Lemma(("evidence",), lambda v: v["evidence"] == 0, frozenset({"release"})),
    "both-keys-before-receipt": Lemma(
        ("release_v", "release_p"), lambda v: _missing(v, "release_v", "release_p"), frozenset({"receipt"})
    ),
}
PER_SESSION = (*_COINS, "pending", "opened", "bound", "evidence", "release_v", "release_p")
OVER = (State.DECLINED, State.REFUSED, State.FINISHED)


def _only(expressions: list[z3.BoolRef], kept: set[str]) -> list[z3.BoolRef]:
    """Those that speak of kept variables alone."""
    return [one for one in expressions if _names(one) <= kept]


def _names(one: z3.ExprRef) -> set[str]:
    if z3.is_const(one):
        return {one.decl().name()} if one.decl().kind() == z3.Z3_OP_UNINTERPRETED else set()
    return set().union(*(_names(child) for child in one.children()))


def _complete(rules: dict[str, Message]) -> dict[str, Message]:
    """The rules, where they name every kind of the tables and no other."""
    named = {kind for moves in MODES.values() for _, m in moves.values() for kind in m}
    if named != set(rules):
        raise ValueError(f"the tables and the model differ in {sorted(named ^ set(rules))}")
    return rules


def check(name: str, mode: str, broken: frozenset[str] = frozenset(), seconds: float = 30.0) -> bool:
    """Say whether a lemma holds in all reachable states of a mode.

    Raises:
        ValueError: The tables and the model name different kinds of message, or Spacer gave no answer.
    """
    rules, lemma = _complete(messages(broken)), LEMMAS[name]
    v, free = {n: z3.Int(n) for n in START}, z3.Int("free")
    kept = {*lemma.over, "free"}
    sorts = [z3.IntSort()] * len(lemma.over)
    reach = {state: z3.Function(f"reach-{state}", *sorts, z3.BoolSort()) for state in State}
    bad = z3.Function("bad", z3.BoolSort())
    solver = z3.Fixedpoint()
    solver.set(engine="spacer", timeout=int(seconds * 1000))
    solver.register_relation(*reach.values(), bad)
    solver.declare_var(*(v[n] for n in lemma.over), free)

    def at(state: State, values: Values) -> z3.BoolRef:
        return reach[state](*(values[n] for n in lemma.over))

    start = [v[n] == value for n, value in START.items() if n != "demanded"]
    solver.rule(at(State.START, v), _only(start, kept))
    for state in MODES[mode].keys() | {State.ABORTED}:
        if state not in OVER:
            guard, changed = _next_attempt(v, broken)
            solver.rule(at(State.START, v | changed), [at(state, v), *_only(guard, kept)])
    for state, kind, after in table(mode, broken):
        message, here = rules[kind], v | {"state": z3.IntVal(number(state))}
        taken = [at(state, v), *_only(message.guard(here, free), kept)]
        effect = message.effect(here, free)
        if any(not _names(value) <= kept for n, value in effect.items() if n in kept):
            raise ValueError(f"{name}: {kind} needs more variables than {lemma.over}")
        solver.rule(at(after, v | effect), taken)
        if not lemma.kinds or kind in lemma.kinds:
            solver.rule(bad(), [*taken, lemma.bad(here)])
    answer = solver.query(bad())
    if answer == z3.unknown:
        raise ValueError(f"{name}: {solver.reason_unknown()}")
    return bool(answer == z3.unsat)


def _next_attempt(v: Values, broken: frozenset[str]) -> tuple[list[z3.BoolRef], Values]:
    """Another attempt at the exercise: coins, order and answered units stay; nothing continues an end."""
    guard: list[z3.BoolRef] = []
    if "attempt-after-open" not in broken:
        guard = [v["opened"] == 0, v["release_v"] == 0, v["release_p"] == 0]
    return guard, dict.fromkeys(PER_SESSION, z3.IntVal(0))
