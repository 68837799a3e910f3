"""Room: the suite. The cases for a prover under test, in the order in which they run."""

from parley_conformance.cases import content, documents, frames, keeping, kinds, order, sessions
from parley_conformance.cases.base import Case, Profile

PROVER: tuple[Case, ...] = (
    *sessions.CASES,
    *keeping.CASES,
    *order.CASES,
    *documents.CASES,
    *content.CASES,
    *kinds.CASES,
    *frames.CASES,
)

__all__ = ["PROVER", "Case", "Profile"]
