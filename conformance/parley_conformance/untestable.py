"""Room: the suite. The sentences that bind a role and that no run can test, each with the reason.

None stands here because nobody has written its case: what a run could show has one.
"""

from collections.abc import Mapping
from types import MappingProxyType


def _each(ids: str, reason: str) -> dict[str, str]:
    """One reason for several ids, separated by spaces; `SEAL-1..4` stands for four of them."""
    found: dict[str, str] = {}
    for one in ids.split():
        name, _, end = one.partition("..")
        stem, _, first = name.rpartition("-")
        found |= {f"{stem}-{n}": reason for n in range(int(first), int(end or first) + 1)}
    return found


_LABEL = {"FRAME-3": "a label shows only through the digest that it enters; a wrong one breaks FRAME-1"}
_SIZE = {"TREE-1": "no message carries a size beside its root, so there is no other one to take"}
_BLAME = {"ABORT-1": "blame is what a judge says"}
_WITNESSED = (
    "shows only towards witnesses whose addresses the prover's operator gave it; the suite can name none"
)
_PRINTS = {"VERD-3": "binds what is printed for people, and the suite reads nothing but what programs say"}

_PROVER_SENDS = "binds whoever receives that message, and a prover sends it"
_PROVER = (
    _LABEL
    | _SIZE
    | _BLAME
    | _PRINTS
    | _each("ACC-1 ACC-3 COMP-1 HELLO-2 ANS-1", _PROVER_SENDS)
    | _each("EVID-1..3", "the evidence of a session is the prover's own, and a prover need not show any")
    | _each("GUARD-1..3", _WITNESSED)
    | _each(
        "HPKE-1 SEAL-2..5", "no sealed session gets past its seed without a chamber that the prover knows"
    )
    | {
        "CLAIM-1": "whoever does not hold the model cannot tell its digest from 32 random bytes",
        "CUT-1": "whoever does not hold the model cannot tell how it was cut; the vectors of model files hold it",
        "RES-1": "needs the machine to lose power between two instructions",
        "RES-6": "where a verifier is ahead it has the turn, and the prover has nothing to propose",
        "AUD-5": "shows only under a receipt that a chamber gave the prover, and a prover needs no chamber",
        "VERD-2": "a prover reports no verdict; what it acknowledges is ACK-5",
        "BIND-1": "a prover is free to decline terms that name an operator whom it does not know",
        "PRIOR-3": "a prover may: it is free not to",
        "SEAL-14": "what a prover's operator has said cannot be seen from outside",
        "REC-1": "a prover under test is given no record file",
        "REC-2": "a prover under test is asked for no redacted record",
    }
)

_VERIFIER_SENDS = "binds whoever receives that message, and a verifier sends it"
_GIVEN = "the harness is given the registered set: how its owner made it is not to be seen"
_VERIFIER = (
    _LABEL
    | _SIZE
    | _PRINTS
    | _each("SCRIPT-1 SCRIPT-3 PAIR-2..4 TERMS-1..4 PRIOR-2 AUD-1 AUD-3 PROP-1 CHAL-1", _VERIFIER_SENDS)
    | _each("STOP-1 OPEN-1..2 BIND-1 ATT-1..3 TEST-1 TREE-2", _VERIFIER_SENDS)
    | _each("PAIR-1 REG-1..2 COMMIT-1", _GIVEN)
    | _each("RES-8 ATT-4", "a verifier opens every stream: nobody asks it to resume")
    | _each("GUARD-1..3", "binds from an acceptance that witnesses saw on; the harness reaches none")
    | _each(
        "SEAL-1..5 SEAL-13 HPKE-1",
        "the harness runs sessions of open mode: the draft defines no other for it",
    )
    | _each(
        "AUD-4..5",
        "an audit opens results under a verifier's own seed of the sealed session, and the harness is given none",
    )
    | {
        "TEST-4": "a verifier sends the terms, and what they leave decidable no declared count that ACC-1 admits undoes",
        "RES-6": "where a prover is ahead the turn is not the verifier's by its own state: it has nothing to propose",
        "ACK-1": "a verifier acknowledges first, when every reference is shown: a prover has no turn before",
        "REC-1": "a verifier under test is given no record file",
        "REC-2": "a verifier under test is asked for no redacted record",
        "ERR-1": "a verifier is the client of every call: it sends no error",
    }
)

_ONE_FILE = "binds a party on a live stream, and a judge reads one file"
_JUDGE = (
    _LABEL
    | _SIZE
    | _PRINTS
    | _each("ENV-1 WIRE-1 ERR-1", "a judge sends nothing")
    | _each("WIRE-2 WIRE-3 WIRE-5 RES-1..8 SIDE-1 ATT-4", _ONE_FILE)
    | _each(
        "COIN-2 ACK-5 SEAL-3 HPKE-1 GUARD-1..3", "binds a party while it takes part, and a judge takes none"
    )
)

_AFTER_SEED = "a chamber's endpoint is shown the messages of sealed mode; none of this kind stands among them"
_CHAMBER = (
    _LABEL
    | _SIZE
    | _BLAME
    | _PRINTS
    | _each(
        "SCRIPT-1..2 PAIR-2..4 CHAL-1 ANS-1 STOP-1 OPEN-1..2 ACK-1..3 AUD-3..5 TREE-2 TEST-3 TEST-5 BIND-1",
        _AFTER_SEED,
    )
    | _each("WIRE-1..5 RES-1..8 SIDE-1", "binds the stream of a session, and a chamber answers single calls")
    | _each("COIN-2 ACK-5 ATT-4 SEAL-3..4 HPKE-1 GUARD-1..3", "binds the parties of an exercise")
    | _each("EVID-1..3", "a chamber shows evidence of its own and appraises none")
    | _each("VERD-2 VERD-4", "a chamber reports no verdict: it states counts")
    | _each(
        "SEAL-10 HPKE-3",
        "how a chamber keeps boxes apart, and what it reads when, cannot be seen from outside it",
    )
    | _each("REC-1..2", "a chamber is given no record file")
    | _each("CHAIN-2", "a chamber refuses a call to its caller, and such a refusal names nobody")
    | {
        "COMMIT-2": "a chamber opens no single commitments: it recomputes the root of the whole set, which is SEAL-7",
        "BIND-2": "a chamber re-executes for an operator who brings record and weights, not over its endpoint",
        "TEST-2": "a sealed exercise counts its whole population: there is no test that could be computed inexactly",
        "TEST-4": "a sealed exercise counts its whole population: its terms leave every claim decidable",
    }
)

_HEADS = "binds who reads the messages of a session, and a witness is shown heads and signed records alone"
_WITNESS = (
    _LABEL
    | _each(
        "TREE-1..2 SCRIPT-1..3 PAIR-2..4 COMMIT-2 TERMS-1..4 PRIOR-2 AUD-1 AUD-3..5 CHAIN-1..2 HELLO-1..3 PROP-1"
        " ACC-1..3 EVID-1..3 COMP-1 COIN-1 CHAL-1 ANS-1 STOP-1 OPEN-1..2 BIND-1 ACK-1..3 ATT-1..3 SEAL-1..2 SEAL-5"
        " GRADE-1 TEST-1..5 VERD-2..4",
        _HEADS,
    )
    | _each("WIRE-1..5 RES-1..8 SIDE-1", "binds the stream of a session, and a witness answers single calls")
    | _each("COIN-2 ACK-5 ABORT-1 ATT-4 SEAL-3..4 HPKE-1 GUARD-1..3", "binds the parties of an exercise")
    | _each("REC-1..2", "a witness is given no record file")
    | {
        "FRAME-2": "a witness computes no MAC",
        "STMT-1": "a witness names no statement: it is asked about heads and about digests that others computed",
    }
)

UNTESTABLE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"prover": _PROVER, "verifier": _VERIFIER, "judge": _JUDGE, "chamber": _CHAMBER, "witness": _WITNESS}
)
