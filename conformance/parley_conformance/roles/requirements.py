"""Room: the suite. What roles other than the prover are held to, under the ids of the draft.

The words say what the sentence of the draft means for whoever is under test. Ids that begin with `H-`, `W-`
or `CH-` stand for what this suite itself defines (its harness) or what the draft does not number.
"""

from collections.abc import Iterable
from dataclasses import replace

from parley_conformance.cases.base import Case
from parley_conformance.requirements import REGISTRY, Level, Requirement

_TEXTS = {
    # reading and refusing
    "SIG-1": "A message whose signature does not hold is refused.",
    "ENV-2": "The signature is checked over the payload as it came, before the payload is read.",
    "ENV-4": "An envelope out of form is refused.",
    "EXT-1": "An unknown payload type is refused.",
    "KEY-1": "A key history with an entry of another key or root is refused.",
    "KEY-2": "A key that the root does not certify for the sender's role is refused.",
    "CHAIN-1": "The checks of a message come in their order; the first that fails gives the reason.",
    "CHAIN-2": "Whose signed bytes prove a fault is blamed, and nobody else.",
    "WIRE-2": "Content at another offset, empty, too long or unannounced is refused.",
    "WIRE-3": "A message before the content of the last one is refused.",
    "WIRE-4": "Content that the message does not sign is refused, and nobody is blamed.",
    "RES-1": "What was said is kept before it is sent.",
    "RES-2": "A message that is said again is the same, byte for byte.",
    "RES-3": "The same bytes for a filled slot change nothing.",
    "RES-4": "A resumption that names another head is refused, and the journal is kept.",
    "RES-5": "A resumption of another session is refused.",
    "SIDE-1": "More side records than a session may have are refused.",
    "TLS-2": "Only a server whose certificate is pinned is talked to.",
    # what the parties say
    "HELLO-1": "A reply that chooses what was not offered is refused.",
    "HELLO-2": "A reply under the verifier's key or with its nonce is refused.",
    "HELLO-3": "A reply of another party, or over another channel, is refused.",
    "ACC-1": "An acceptance of other terms, under another claim, or with counts that cannot be is refused.",
    "PROP-1": "A proposal out of form or of others' terms, sets and attempts is refused.",
    "COIN-1": "A coin that does not open its commitment is refused.",
    "COIN-2": "Coins differ from exercise to exercise.",
    "CHAL-1": "A challenge out of ticket order, over a cap or over the budget is refused.",
    "ANS-1": "Answers of another number, above a cap, or that do not open their commitments are refused.",
    "STOP-1": "A stop at other counts than the decision gives is refused.",
    "OPEN-1": "References that do not open their commitments are refused.",
    "COMMIT-2": "Content that does not open its commitment is refused.",
    "TREE-2": "A proof that does not lead to the root is refused.",
    "ACK-2": "An acknowledgement of another verdict is refused.",
    "ACK-3": "Result bits other than the derived ones are refused.",
    "ABORT-1": "Nobody is blamed for an abort.",
    "ATT-1": "A later attempt continues the earlier one.",
    "ATT-2": "A second attempt that nothing preceded is refused.",
    "TERMS-3": "Terms that name others than the session's parties, set and mode are refused.",
    "TEST-1": "Terms that decide nothing are refused.",
    "VERD-1": "The verdict is the one that the record gives.",
    "WIT-5": "Where the terms pause without witnesses, nothing follows the acceptance.",
    # the judge
    "REC-1": "A file that is not a whole record is refused as MALFORMED.",
    "REC-2": "Redaction leaves every other entry as it was.",
    "JUDGE-1": "The judge's steps come in their order; the first fault is the fault.",
    "JUDGE-2": "A record with unknown parties is not valid without reservation.",
    "JUDGE-3": "Items whose content was withheld are listed.",
    "JUDGE-4": "A redacted record gives no recomputed verdict.",
    "WIT-3": "A witness that contradicts itself counts for nothing.",
    "WIT-4": "Nobody is blamed for silence without a standing claim.",
    # the witness
    "WIT-1": "What is asked again gets the same answer, byte for byte.",
    "WIT-2": "No two heads for a slot, no two sessions for an attempt; times and numbers run on together.",
    "WIT-6": "A record that is no message of the slot and head that the request names is refused.",
    "W-CLAIM": "A claim without a witnessed head, before its deadline, or that is void is refused.",
    "W-ORDER": "Nothing is signed of an exercise whose acceptance was not shown, nor of too many events.",
    "W-FORM": "A request out of form, or for another call, is refused.",
    "STMT-2": "A statement counts only under the key that it was to be signed by.",
    "JSON-1": "JSON in another form than RFC 8785 gives is refused.",
    "JSON-3": "A field that is not defined is refused.",
    "ERR-1": "No text of an internal failure reaches the peer.",
    # the chamber
    "CH-DESCRIBE": "What Describe lists works; a runtime that it does not list is refused.",
    "CH-RUN": "An honest session ends with the exact counts over the whole committed set.",
    "CH-ONCE": "A session has one set of keys and one receipt, and no other session has them.",
    "CH-ORDER": "No keys before the seed, and no run before both releases and both contents.",
    "CH-UPLOAD": "An upload goes on where it stopped, and nowhere else.",
    "CH-SEAL": "Content that is damaged, or sealed for another session or party, is not run.",
    "CH-COMMITTED": "Content other than the committed one is not run, and the reason leaves the chamber.",
    "CH-QUOTA": "One set and one model are run as often as agreed.",
    # the suite's own
    "H-1": "Every call of the harness is answered before its deadline.",
    "H-2": "An honest run ends with the verdict, and its transcript judges to the same.",
    "H-3": "Other sessions go on beside a faulty one.",
}


def requirements(cases: Iterable[Case]) -> dict[str, Requirement]:
    """The requirements that cases name: those of the draft in its order, in this table's words where it has any."""
    named = {one for case in cases for one in case.requirements}
    order = dict.fromkeys([*REGISTRY, *_TEXTS])
    return {name: _words(name) for name in order if name in named}


def _words(name: str) -> Requirement:
    drafted = REGISTRY.get(name)
    if drafted is None:
        return Requirement(name, Level.MUST, _TEXTS[name])
    return replace(drafted, text=_TEXTS.get(name, drafted.text))
