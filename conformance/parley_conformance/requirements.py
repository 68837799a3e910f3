"""Room: the suite. What an implementation is held to: the draft's own sentences, by the draft's own ids.

The registry is extracted from the draft. Which sentences bind a role stands here; which of these no run
can test, in `untestable`.
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

from parley_conformance.untestable import UNTESTABLE

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
ROLES = ("prover", "verifier", "judge", "chamber", "witness")


def bound(role: str) -> dict[str, Requirement]:
    """The requirements that bind a role by the subject of their sentence, in the order of the draft."""
    return {name: one for name, one in REGISTRY.items() if one.subject in _EVERYONE | {role}}


def of_role(role: str) -> dict[str, Requirement]:
    """The requirements that bind a role and that a run can test, in the order of the draft."""
    return {name: one for name, one in bound(role).items() if name not in UNTESTABLE[role]}


REQUIREMENTS: Mapping[str, Requirement] = MappingProxyType(of_role("prover"))
