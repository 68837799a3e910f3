"""Register a model on a Dask cluster; see README.md beside this file."""

import secrets
import sys
from pathlib import Path

from distributed import Client
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge import party
from parley_attestation.encoding import Bytes32
from parley_prover.weights import Registration, register_model


def register(client: Client, location: str, root_key: SigningKey, name: str) -> Registration:
    """Hash the files at `location` on the cluster behind `client`, and sign here."""
    return register_model(
        location,
        root_key=root_key,
        name=name,
        entropy=Bytes32(secrets.token_bytes(32)),
        executor=client.get_executor(),
        progress=lambda done, total: print(f"{done / 1e9:.2f} of {total / 1e9:.2f} GB", file=sys.stderr),
    )


if __name__ == "__main__":
    scheduler, location, folder, out = sys.argv[1:]
    with Client(scheduler) as client:
        made = register(client, location, party.load(Path(folder)).root, Path(location).name)
    secret = Path(out + ".secret")
    secret.touch(0o600)
    secret.write_bytes(made.secret.encode())
    Path(out).write_bytes(made.claim.sealed)
