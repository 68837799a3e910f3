"""Room: the suite. What the suite holds a prover to: provisional ids until the specification numbers its own.

An id is never reused for another sentence. Cases, mutants and the report name requirements by these ids.
"""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How binding a requirement is (BCP 14)."""

    MUST = "MUST"
    SHOULD = "SHOULD"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence that an implementation keeps or breaks."""

    id: str
    level: Level
    text: str


def _must(name: str, text: str) -> Requirement:
    return Requirement(name, Level.MUST, text)


_ALL = (
    _must("P-DESCRIBE-1", "Describe names version 1, suite 1, the open mode and the pinned root."),
    _must("P-DESCRIBE-2", "A claimed capability works; an unclaimed one is answered UNIMPLEMENTED."),
    _must("P-RUN-1", "An honest exercise runs to acknowledgement and leaves a record that judges valid."),
    _must("P-GREET-1", "A Hello without a common version, suite and mode is refused."),
    _must("P-GREET-2", "A Hello that names other TLS certificates than the channel's is refused."),
    _must("P-GREET-3", "A Hello under a key that the pinned root does not certify as a verifier is refused."),
    _must("P-SIGN-1", "A message whose signature does not hold, or is not the party's, is refused."),
    _must("P-SIGN-2", "A message carries exactly one signature."),
    _must("P-FORM-1", "An unknown field anywhere in a signed payload is refused."),
    _must("P-FORM-2", "An unknown payload type is refused before anything in it is read."),
    _must("P-FORM-3", "A payload that does not parse, or whose fields have a wrong size, is refused."),
    _must("P-CHAIN-1", "A message of another session is refused."),
    _must("P-CHAIN-2", "A message with another sequence number than the next is refused."),
    _must("P-CHAIN-3", "A message that names another predecessor than the chain has is refused."),
    _must("P-ORDER-1", "A message that the state table does not allow is refused."),
    _must("P-SLOT-1", "A second, different message for a filled slot is refused as equivocation."),
    _must("P-SLOT-2", "The prover never says two different messages for one slot of one session."),
    _must("P-SLOT-3", "A replayed session gets the same bytes again, or a refusal, and nothing new."),
    _must("P-FAULT-1", "A provable fault of the verifier ends the session: it cannot be resumed."),
    _must(
        "P-TERMS-1", "Terms that are not the verifier's, the parties' or the registered set's are refused."
    ),
    _must("P-ATTEMPT-1", "An exercise that has ended cannot be run again, nor begun at a later attempt."),
    _must("P-COIN-1", "A coin that does not open its commitment is refused."),
    _must("P-TICKET-1", "A challenge whose units are not the next in ticket order is refused."),
    _must("P-TICKET-2", "A challenge beyond the budget of the terms is refused."),
    _must("P-CAP-1", "A prompt or a challenge beyond the caps of the terms is refused."),
    _must("P-PROOF-1", "An item whose inclusion proof does not hold is refused."),
    _must("P-OPEN-1", "A prompt that does not open its commitment is refused."),
    _must("P-OPEN-2", "A reference that does not open its commitment is refused."),
    _must("P-STREAM-1", "Content that is not the one its message signs is refused."),
    _must("P-STREAM-2", "Content out of place, too long, or that no message announced is refused."),
    _must("P-STOP-1", "A stop before every claim is decided is refused."),
    _must("P-STOP-2", "A stop after every claim was decided is refused."),
    _must("P-VERDICT-1", "An acknowledgement of another verdict than the record gives is refused."),
    _must("P-VERDICT-2", "The prover acknowledges the verdict that the record gives."),
    _must("P-RESUME-1", "A session that broke off at any step resumes and ends as if it had not."),
    _must("P-RESUME-2", "A resumption that names an unknown session or another head is refused."),
    _must("P-STREAMS-1", "One session runs on one stream: a returning verifier takes over."),
    _must("P-STREAMS-2", "Sessions of different exercises run side by side."),
    _must("P-ERROR-1", "A frame that is not one, or comes first where it cannot, is refused with a reason."),
    _must("P-ERROR-2", "No text of an internal failure reaches the peer."),
)

REQUIREMENTS = {one.id: one for one in _ALL}
