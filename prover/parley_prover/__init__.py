"""The prover: model engines, answering, disclosure budgets and the gRPC server."""
