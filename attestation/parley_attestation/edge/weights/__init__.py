"""Room: the edge. Reads and hashes models on disk or in object stores; prover, chamber and judge call it."""

from parley_attestation.edge.weights.verify import VerifiedModel, verify_model

__all__ = ["VerifiedModel", "verify_model"]
