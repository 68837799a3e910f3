"""Quiet retries as constrained Horn clauses: what number of attempts means where witnesses are demanded.

One honest verifier, one honest witness, any number of sessions one after the other under one exercise id.
The verifier shows no coin before the witness cosigned the acceptance of that session (WIT-5); the witness
gives one session to an attempt, and attempts in order (WIT-2).
"""

import z3

NAMES = ("session", "attempt", "cosigned", "shown", "runs", "last", "owner")


def check(name: str, _mode: str, broken: frozenset[str] = frozenset(), seconds: float = 30.0) -> bool:
    """Say whether no more sessions ever showed a coin than the witness knows attempts.

    Raises:
        ValueError: Another lemma is asked for, or Spacer gave no answer.
    """
    if name != "attempts-are-witnessed":
        raise ValueError(f"no lemma {name}")
    v, number = {n: z3.Int(n) for n in NAMES}, z3.Int("number")
    reach = z3.Function("reach", *[z3.IntSort()] * len(NAMES), z3.BoolSort())
    bad = z3.Function("bad", z3.BoolSort())
    solver = z3.Fixedpoint()
    solver.set(engine="spacer", timeout=int(seconds * 1000))
    solver.register_relation(reach, bad)
    solver.declare_var(*v.values(), number)

    def rule(guards: list[z3.BoolRef], **changes: z3.ArithRef) -> None:
        solver.rule(reach(*(changes.get(n, v[n]) for n in NAMES)), [reach(*v.values()), *guards])

    zero, one = z3.IntVal(0), z3.IntVal(1)
    solver.rule(reach(*v.values()), [v[n] == 0 for n in NAMES])
    # A session begins, new each time, under any attempt number that its parties like.
    rule([], session=v["session"] + 1, attempt=number, cosigned=zero, shown=zero)
    # The witness cosigns the acceptance: a new attempt, or again the session that has this one.
    begun = [v["session"] > 0]
    rule(
        [*begun, v["attempt"] == v["last"] + 1],
        cosigned=one,
        last=v["attempt"],
        owner=v["session"],
    )
    again = [*begun, v["attempt"] == v["last"]]
    if "two-sessions-an-attempt" not in broken:
        again.append(v["owner"] == v["session"])
    rule(again, cosigned=one)
    # The verifier shows its coin.
    waits = [] if "does-not-wait" in broken else [v["cosigned"] == 1]
    rule([*begun, v["shown"] == 0, *waits], shown=one, runs=v["runs"] + 1)
    solver.rule(bad(), [reach(*v.values()), v["runs"] > v["last"]])
    answer = solver.query(bad())
    if answer == z3.unknown:
        raise ValueError(f"{name}: {solver.reason_unknown()}")
    return bool(answer == z3.unsat)
