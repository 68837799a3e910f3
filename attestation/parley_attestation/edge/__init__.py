"""Room: the edge. The only part of `parley_attestation` that touches files; every role may call it."""
