"""Room: the core. Every sentence with which a verdict says why; spec registry "Sentences of a verdict".

Both parties sign the digest of the verdict statement, so its words are fixed byte for byte: no module
that derives a verdict writes a sentence of its own.
"""

from enum import StrEnum

MOST = 20  # sentences of one compute claim


class Because(StrEnum):
    """One sentence; names in braces are replaced by the values that `says` is given."""

    # Metric and identity claims.
    DEGRADABLE = "at declared assurance, refusing or degrading outputs would meet this claim"
    ASSURANCE_BELOW = "the claim asks for assurance {asked}, the exercise gives {given}"
    ASSURANCE_NONE = "the claim asks for assurance {asked}, {given} is none"
    UNDECIDED_AGAIN = "nothing is decided once outputs that do not come out again count as failures"
    ONLY_PROVERS_WORD = "nothing but the prover's own program shows which weights answered"
    NOT_REPRODUCED = (
        "{number} of {answered} outputs do not come out of the registered weights under the terms' runtime"
    )
    NO_ANSWER = "no unit was answered"
    # Sealed mode.
    CHAMBER_REFUSED = "a chamber refused: {reasons}"
    CHAMBERS_DIFFER = "the chambers state different counts; this alone says nothing about either party"
    ROUNDED = "the stated count is rounded, and the threshold lies within what it can mean"
    LABORATORY = "simulated evidence supports nothing outside a laboratory"
    PROVERS_CHAMBER = "a chamber that the prover runs adds nothing to the prover's word"
    PROVERS_PROGRAM = "the prover's program ran: nothing shows that it used the weights"
    # Compute claims.
    NO_RECORDS = "the prover showed no compute records"
    CONTRADICTION = "the records contradict themselves"
    FAULT = "record {sequence}: {problem}"
    OWNERS_WORD = "no appraised evidence stands behind the records key: the records are the owner's word"
    OTHER_KEY = "the appraised evidence binds another key than the records key"
    NOT_ATTESTED = "the evidence behind the records key is {assurance}, not attested"
    NO_INVENTORY = "no complete chip-time inventory in the terms"
    NOT_IN_INVENTORY = "device {device} is on record but not in the inventory"
    UNACCOUNTED = "device {device} is unaccounted for from {time}"
    OVERCOUNTED = "device {device}: more seconds counted than its windows hold"
    CLAIMED_NOT_IN_INVENTORY = "device {device} is claimed but not in the inventory"
    ABSENCE = "records never show absence"
    ABOVE = "{flop} FLOP on record, at most {bound} claimed"
    WITHIN = "{flop} FLOP on record over all chip time of the inventory"
    ATTESTED_COUNT = "attested code counted {flop} FLOP, at least {bound} claimed"
    UNRECORDED_WORK = "{flop} FLOP on record; work without a record may exist"
    BELOW = "{flop} FLOP over all chip time of the inventory, {bound} claimed"
    OTHER_RUN = "device {device} served another run"
    EXCLUSIVE = "every second of the devices is accounted for"
    NOT_CLAIMED = "device {device} is not among those claimed"
    NO_DEVICE = "no device is on record"
    ALL_CLAIMED = "{runs} runs on record, all on the devices claimed"

    def says(self, **values: object) -> str:
        """The sentence with its values in place."""
        return self.value.format(**values)
