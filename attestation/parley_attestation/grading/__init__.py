"""Room: grading. Deterministic graders that anyone can rebuild in any language; everyone calls it.

A grader is a closed JSON document from the registry below. Terms and registrations name it by the
digest of that document; each grader's class states its rule. A new kind is one file and one line here.
"""

from dataclasses import replace

from parley_attestation.canonical import Fields
from parley_attestation.grading.checklist import Checklist
from parley_attestation.grading.choice import MultipleChoice
from parley_attestation.grading.contains import Contains
from parley_attestation.grading.exact import Exact
from parley_attestation.grading.grader import Grader, read_refusal, read_selection
from parley_attestation.grading.json_field import JsonField
from parley_attestation.grading.numeric import Numeric
from parley_attestation.grading.outcome import Outcome, OutcomeMap, read_outcome_map
from parley_attestation.grading.regex import Regex
from parley_attestation.grading.text import MAX_OUTPUT, MAX_REFERENCE

__all__ = [
    "MAX_OUTPUT",
    "MAX_REFERENCE",
    "REGISTRY",
    "Grader",
    "Outcome",
    "OutcomeMap",
    "read_grader",
    "read_outcome_map",
]

REGISTRY: dict[str, type[Grader]] = {
    kind.KIND: kind for kind in (Checklist, Contains, Exact, JsonField, MultipleChoice, Numeric, Regex)
}


def read_grader(fields: Fields) -> Grader:
    """Read a grader's document strictly.

    Args:
        fields: The document; its reason (BAD_TERMS in terms) is that of every refusal.

    Raises:
        PeerError: For an unknown kind, an unknown or missing field, or a value out of bounds.
    """
    kind = fields.choice("kind", REGISTRY)
    found = replace(kind.read(fields, read_refusal(fields)), answers=read_selection(fields))
    fields.end()
    return found
