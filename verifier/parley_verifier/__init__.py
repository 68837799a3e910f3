"""The verifier: test sets, challenges, planning, the gRPC client and the report."""
