"""Room: the session. The states as data: whose turn it is and what may come; one file, no role.

The diagram and the tables of the specification are drawn from these literals by a script, and a test
compares them.
"""

from enum import StrEnum

from parley_attestation.errors import Role


class State(StrEnum):
    """Where a session stands. Every state but the final ones names whose turn it is."""

    START = "start"
    GREETED = "greeted"
    READY = "ready"
    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    COIN_SHOWN = "coin-shown"
    SEEDED = "seeded"
    CHALLENGED = "challenged"
    STOPPED = "stopped"
    OPENED = "opened"
    BOUND = "bound"
    CONFIRMED = "confirmed"
    FINISHED = "finished"
    DECLINED = "declined"
    ABORTED = "aborted"


V, P = Role.VERIFIER, Role.PROVER

# state -> (whose turn, {message kind: next state})
OPEN_MODE: dict[State, tuple[Role, dict[str, State]]] = {
    State.START: (V, {"hello": State.GREETED}),
    State.GREETED: (P, {"hello-reply": State.READY}),
    State.READY: (V, {"propose": State.PROPOSED, "abort": State.ABORTED}),
    State.PROPOSED: (P, {"accept": State.ACCEPTED, "decline": State.DECLINED, "abort": State.ABORTED}),
    State.ACCEPTED: (V, {"coin": State.COIN_SHOWN, "abort": State.ABORTED}),
    State.COIN_SHOWN: (P, {"coin": State.SEEDED, "abort": State.ABORTED}),
    State.SEEDED: (V, {"challenge": State.CHALLENGED, "stop": State.STOPPED, "abort": State.ABORTED}),
    State.CHALLENGED: (P, {"answers": State.SEEDED, "abort": State.ABORTED}),
    State.STOPPED: (V, {"open": State.OPENED, "abort": State.ABORTED}),
    State.OPENED: (
        V,
        {
            "open": State.OPENED,
            "binding": State.BOUND,
            "acknowledge": State.CONFIRMED,
            "dissent": State.CONFIRMED,
            "abort": State.ABORTED,
        },
    ),
    State.BOUND: (
        V,
        {"acknowledge": State.CONFIRMED, "dissent": State.CONFIRMED, "abort": State.ABORTED},
    ),
    State.CONFIRMED: (P, {"acknowledge": State.FINISHED, "dissent": State.FINISHED, "abort": State.ABORTED}),
}

FINAL = frozenset({State.FINISHED, State.DECLINED, State.ABORTED})

MODES: dict[str, dict[State, tuple[Role, dict[str, State]]]] = {"open": OPEN_MODE}
