"""A witness in a process of its own that kills itself at a named point; used by test_witness_kill.

Usage: python witness_child.py DATABASE SIGNED POINT. It prints its port. Everything it signs is first
appended to the file SIGNED, so that the test knows of signatures that never left.
"""

import os
import signal
import sys
from pathlib import Path

from parley_attestation import statement
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge import witness_service, witness_store
from parley_attestation.edge.witness_store import WitnessStore
from witness_kit import T0


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Dying(WitnessStore):
    point = ""

    def _write(self, *args):
        if self.point == "before-write":
            die()
        super()._write(*args)
        if self.point == "before-commit":
            die()

    def cosign(self, *args):
        answer = super().cosign(*args)
        if self.point == "before-reply":
            die()
        return answer


def main(database, signed, point):
    seal = statement.seal

    def recorded(said, *keys):
        if point == "before-sign":
            die()
        sealed = seal(said, *keys)
        with Path(signed).open("ab") as file:
            file.write(sealed + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if point == "after-sign":
            die()
        return sealed

    statement.seal = recorded
    Dying.point = point
    assert witness_store.WitnessStore is WitnessStore
    store = Dying(Path(database), "w", SigningKey(b"k" * 32))
    server, port = witness_service.serve(store, "127.0.0.1:0", clock=lambda: T0)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    sys.stdin.read()  # until the test closes it
    server.stop(None).wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
