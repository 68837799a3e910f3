"""A chamber in a process of its own: python chamber_child.py FOLDER RUNTIME; prints its port."""

import resource
import sys
from pathlib import Path

from parley_attestation import canonical
from parley_attestation.edge import party
from parley_attestation.runtime import read_runtime
from parley_chamber.sandbox import Limits, Sandbox
from parley_chamber.service import Setup, serve

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    limit = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))  # so that a core would come where one may
    peers = tuple(party.load(folder / f"party-{role}").card for role in ("prover", "verifier"))
    runtime = read_runtime(canonical.load(Path(sys.argv[2]).read_bytes()))
    setup = Setup(
        party.load(folder / "party-chamber"),
        peers,
        folder / "chamber",
        (runtime,),
        Sandbox.find(),
        Limits(seconds=600),
    )
    server, port = serve(setup, "127.0.0.1:0")
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()
