"""Room: the suite. The cases for a prover under test, in the order in which they run."""

from parley_conformance.cases import content, frames, order, sessions
from parley_conformance.cases.base import Case, Profile

PROVER: tuple[Case, ...] = (*sessions.CASES, *order.CASES, *content.CASES, *frames.CASES)

__all__ = ["PROVER", "Case", "Profile"]
