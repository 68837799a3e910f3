"""Room: the suite. What an implementation is held to: the draft's own sentences, by the draft's own ids.

The registry is extracted from the draft. Which sentences bind a role, and which of these no run of the
suite can test, stands here: each of the latter with the reason.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType

DRAFT = "draft-parley-mutual-verification.md"
_REGISTRY = "requirements.json"
_CHECKOUT = Path(__file__).parent.parent.parent / "spec"


class Level(StrEnum):
    """How binding a requirement is (BCP 14)."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


_LEVELS = {
    "MUST": Level.MUST,
    "MUST NOT": Level.MUST,
    "SHALL": Level.MUST,
    "SHALL NOT": Level.MUST,
    "REQUIRED": Level.MUST,
    "SHOULD": Level.SHOULD,
    "SHOULD NOT": Level.SHOULD,
    "RECOMMENDED": Level.SHOULD,
    "NOT RECOMMENDED": Level.SHOULD,
    "MAY": Level.MAY,
    "OPTIONAL": Level.MAY,
}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence that an implementation keeps or breaks; `subject` is whom the sentence names."""

    id: str
    level: Level
    text: str
    subject: str = ""
    section: str = ""


def spec_bytes(name: str) -> bytes:
    """A file of the specification that this suite tests: from the installed package, else from the checkout."""
    packaged = resources.files("parley_conformance") / "spec" / name
    return packaged.read_bytes() if packaged.is_file() else (_CHECKOUT / name).read_bytes()


@cache
def spec_digests() -> Mapping[str, str]:
    """SHA-256 of the draft and of its requirement registry, hexadecimal: what a report was made against."""
    return MappingProxyType(
        {
            "draft_sha256": hashlib.sha256(spec_bytes(DRAFT)).hexdigest(),
            "requirements_sha256": hashlib.sha256(spec_bytes(_REGISTRY)).hexdigest(),
        }
    )


def _read() -> dict[str, Requirement]:
    rows = json.loads(spec_bytes(_REGISTRY))
    return {
        row["id"]: Requirement(row["id"], _LEVELS[row["level"]], row["text"], row["role"], row["section"])
        for row in rows
    }


REGISTRY: Mapping[str, Requirement] = MappingProxyType(_read())

_EVERYONE = frozenset({"receiver", "sender", "party", "implementation"})
_BOUND: Mapping[str, frozenset[str]] = {"prover": _EVERYONE | {"prover"}}

_NOT_RECEIVED = "binds whoever receives that message, and a prover sends it"
_WITNESSED = "shows only towards witnesses that both sides reach; the terms of the suite name none"
_EVIDENCE = "shows in a verdict only with evidence of the prover's own hardware, which the suite cannot make"

_SEALED = "the exercises of the suite are of open mode"

# What binds a role by its subject and no case of this version tests, with the reason: most cannot be seen from outside.
UNTESTABLE: Mapping[str, Mapping[str, str]] = {
    "prover": {
        "FRAME-3": "a label shows only through the digest that it enters; a wrong one breaks FRAME-1",
        "TREE-1": "no message carries a size beside its root, so there is no other one to take",
        "CLAIM-1": "whoever does not hold the model cannot tell its digest from 32 random bytes",
        "RES-1": "needs the machine to lose power between two instructions",
        "RES-6": "where a verifier is ahead it has the turn, and the prover has nothing to propose",
        "ACC-1": _NOT_RECEIVED,
        "ACC-3": _NOT_RECEIVED,
        "COMP-1": _NOT_RECEIVED,
        "HELLO-2": _NOT_RECEIVED,
        "ANS-1": _NOT_RECEIVED,
        "EVID-1": _EVIDENCE,
        "EVID-2": _EVIDENCE,
        "EVID-3": _EVIDENCE,
        "CUT-1": "whoever does not hold the model cannot tell how it was cut; the vectors of model files hold it",
        "HPKE-1": "the exercises of the suite are of open mode",
        "AUD-5": "shows only under a receipt that a chamber gave the prover, and a prover needs no chamber",
        "TEST-2": "shows only where rounding would change a decision; the frame-test vectors hold such values",
        "VERD-2": "a prover reports no verdict; what it acknowledges is ACK-5",
        "VERD-3": "a prover under test prints nothing that the suite sees",
        "BIND-1": "a prover may decline terms that name a chamber; the judge's suite holds the same rule",
        **dict.fromkeys((f"SEAL-{n}" for n in (*range(1, 6), 14)), _SEALED),
        "ABORT-1": "blame is what a judge says",
        "PRIOR-3": "a prover may: it is free not to",
        "GUARD-1": _WITNESSED,
        "GUARD-2": _WITNESSED,
        "GUARD-3": _WITNESSED,
        "REC-1": "a prover under test is given no record file",
        "REC-2": "a prover under test is asked for no redacted record",
    },
}


def of_role(role: str) -> dict[str, Requirement]:
    """The requirements that bind a role and that a run can test, in the order of the draft."""
    bound, exempt = _BOUND[role], UNTESTABLE[role]
    return {name: one for name, one in REGISTRY.items() if one.subject in bound and name not in exempt}


REQUIREMENTS: Mapping[str, Requirement] = MappingProxyType(of_role("prover"))
