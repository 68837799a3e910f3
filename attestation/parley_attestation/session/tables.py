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
    EVIDENCED = "evidenced"
    RELEASED = "released"
    RUNNING = "running"
    RECEIVED = "received"
    CONFIRMED = "confirmed"
    FINISHED = "finished"
    DECLINED = "declined"
    REFUSED = "refused"
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

_GREETING = (State.START, State.GREETED, State.READY, State.PROPOSED, State.ACCEPTED, State.COIN_SHOWN)

# The same up to the joint seed; then the chamber's evidence, both releases and its receipt.
SEALED_MODE: dict[State, tuple[Role, dict[str, State]]] = {
    **{state: OPEN_MODE[state] for state in _GREETING},
    State.SEEDED: (V, {"evidence": State.EVIDENCED, "abort": State.ABORTED}),
    State.EVIDENCED: (
        V,
        {"release": State.RELEASED, "refusal": State.REFUSED, "abort": State.ABORTED},
    ),
    State.RELEASED: (P, {"release": State.RUNNING, "refusal": State.REFUSED, "abort": State.ABORTED}),
    State.RUNNING: (V, {"receipt": State.RECEIVED, "abort": State.ABORTED}),
    State.RECEIVED: (
        V,
        {"acknowledge": State.CONFIRMED, "dissent": State.CONFIRMED, "abort": State.ABORTED},
    ),
    State.CONFIRMED: OPEN_MODE[State.CONFIRMED],
}

FINAL = frozenset({State.FINISHED, State.DECLINED, State.REFUSED, State.ABORTED})

MODES: dict[str, dict[State, tuple[Role, dict[str, State]]]] = {"open": OPEN_MODE, "sealed": SEALED_MODE}
