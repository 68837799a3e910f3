"""Room: the session. The numbered checks that judging consists of; printed by `parley check`."""

from enum import Enum


class Check(Enum):
    """One kind of check: its number, its section in the specification, and what it establishes."""

    CHAIN = (1, "Envelopes", "every message is signed by its sender and names its predecessor")
    IDENTITY = (2, "Identity", "session keys are certified by the parties' root keys")
    CHANNEL = (3, "Channel binding", "both parties name the same two TLS certificates")
    ORDER = (4, "State table", "messages come in the order of the state table")
    TERMS = (5, "Terms", "the terms are well formed and both parties signed them")
    TEST_SET = (6, "Registration", "the verifier's test set was registered and is the one in the terms")
    MODEL_CLAIM = (7, "Model claim", "the prover's model claim was registered and is the one in the terms")
    COINS = (8, "Joint seed", "both coins open their commitments; the seed follows from both")
    TICKETS = (9, "Tickets", "units were challenged in ticket order and within budget")
    INCLUSION = (10, "Inclusion", "challenged items stand in the committed test set")
    PROMPTS = (11, "Openings", "prompts open their commitments")
    OUTPUTS = (12, "Openings", "outputs open their commitments")
    REFERENCES = (13, "Openings", "references open the commitments made before the exercise")
    GRADES = (14, "Grading", "outputs were graded against the references")
    STOP = (15, "Stopping rule", "the test stopped where it had to, neither earlier nor later")
    BINDING = (16, "Binding", "a chamber re-executed every opened item")
    VERDICT = (17, "Verdict", "the verdict follows from the record and is the one acknowledged")
    RESULT_BITS = (18, "Result bits", "the committed result bits are the derived ones")
    CHAMBER = (20, "Chamber", "the chamber's keys are its operator's, for this session, as its evidence says")
    RELEASES = (21, "Release", "both parties released their keys to that chamber and no other")
    RECEIPT = (22, "Receipt", "the receipt is of that run, over the whole committed set")
    WITNESSED = (19, "Witnesses", "witnesses cosigned the decision, and the keys were valid at that time")

    def __init__(self, number: int, section: str, title: str) -> None:
        self.number = number
        self.section = section
        self.title = title
