"""The session: literal state tables and one machine, blind to its role, with no input or output.

The prover, the verifier, the judge and the conformance suite all run this machine; roles are
policies that propose the next message.
"""
