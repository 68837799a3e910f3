"""The reference prover behind a real gRPC server, for the suite to play against; mutants change it."""

import contextlib
import json
from pathlib import Path

import kit
from parley_attestation.edge import party
from parley_attestation.errors import Role
from parley_conformance.run import Job
from parley_prover.answering import Offer
from parley_prover.service import ProverService, ServerLimits, serve


def answer(prompt: bytes, _seed: int) -> bytes:
    """Right for sums, also for the last one of a dialogue; anything else breaks the engine, loudly."""
    if prompt.startswith(b"["):
        prompt = json.loads(prompt)[-1]["content"].encode()
    try:
        return kit.right(prompt)
    except ValueError as error:
        raise ValueError(f"Exception: cannot add {prompt!r}") from error


def make(folder: Path, role: Role) -> party.Party:
    entropy = kit.seed(role, 1) + kit.seed(role, 2)
    return party.create(folder, name=role.value, role=role, entropy=entropy, now=1_700_000_000, years=90)


@contextlib.contextmanager
def prover(folder: Path, service_type=ProverService, answers=answer, sessions=32):
    """A job against a reference prover that serves for as long as the block lasts."""
    own, suite = make(folder / "p", Role.PROVER), make(folder / "v", Role.VERIFIER)
    claim = kit.model_claim(kit.Side(own.root, own.session, Role.PROVER, own.history))
    service = service_type(
        own,
        [suite.card],
        kit.FunctionEngine(answers),
        Offer(own.history, (claim,)),
        folder / "prover.journal",
        ServerLimits(sessions=sessions),
    )
    server, port = serve(service, own, [suite.card], "127.0.0.1:0", sessions)
    try:
        yield Job(suite, own.card.model_copy(update={"endpoint": f"127.0.0.1:{port}"}), seconds=10.0)
    finally:
        server.stop(0).wait()
