"""What the protocol costs per item over mutually pinned TLS, beside plain grpcio moving the same bytes.

`python -m benchmarks exercise`. The plan cannot cross early: the prover is right on exactly the
threshold's share, so that every item is challenged, answered, opened and judged.
"""

import cProfile
import pstats
import resource
import secrets
import sys
import tempfile
import time
from concurrent import futures
from pathlib import Path

import grpc
from parley.v1 import session_pb2 as pb
from parley.v1 import session_pb2_grpc as rpc
from parley_attestation import statement
from parley_attestation.edge import party, transport
from parley_attestation.edge.journal import Journal
from parley_attestation.edge.records import write_record
from parley_attestation.errors import Role
from parley_attestation.judge import judge
from parley_attestation.session.turns import to_frames
from parley_prover.answering import Offer
from parley_prover.service import ProverService, ServerLimits, serve
from parley_verifier import client

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import kit

BATCH = 64


def main() -> None:
    """Print the table."""
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as folder:
        table(Path(folder), items)


def table(folder: Path, items: int) -> None:
    sums = kit.sums(items)
    wrong = {p for p, _ in sums[: items // 5]}
    engine = kit.FunctionEngine(lambda p, s: b"?" if p in wrong else kit.right(p, s))
    prover = make(folder / "p", Role.PROVER)
    verifier = make(folder / "v", Role.VERIFIER)
    tests = kit.MemorySet(kit.Side(verifier.root, verifier.session, Role.VERIFIER, verifier.history), sums)
    claim = kit.model_claim(kit.Side(prover.root, prover.session, Role.PROVER, prover.history))
    sides = [kit.Side(p.root, p.session, p.card.role, p.history) for p in (verifier, prover)]
    terms = kit.make_terms(*sides, tests, claim, plan=kit.Plan(1, BATCH, (("", items),)))
    sealed = statement.seal(terms.statement(), verifier.session)
    offer = Offer(prover.history, (claim,))
    service = ProverService(prover, [verifier.card], engine, offer, folder / "p.journal", ServerLimits())
    server, port = serve(service, prover, [verifier.card], "127.0.0.1:0", 2)
    peer = prover.card.model_copy(update={"endpoint": f"127.0.0.1:{port}"})
    job = client.Run(verifier, peer, sealed, tests, folder / "v.journal")
    profile = cProfile.Profile()
    began, cpu = time.perf_counter(), time.process_time()
    if "--profile" in sys.argv:
        profile.enable()
    ended = client.run(job)
    profile.disable()
    whole, used = time.perf_counter() - began, time.process_time() - cpu
    server.stop(0).wait()
    began = time.perf_counter()
    for start in range(0, items, BATCH):
        engine.generate([kit_prompt(p) for p, _ in sums[start : start + BATCH]])
    direct = time.perf_counter() - began
    answered = len(ended.machine.facts.audit.units)
    began = time.perf_counter()
    write_record(Journal(job.journal), ended.row, folder / "record.parley")
    writing = time.perf_counter() - began
    began = time.perf_counter()
    with (folder / "record.parley").open("rb") as source:
        assert judge(source).fault is None
    judging = time.perf_counter() - began
    frames = journal_frames(Journal(job.journal), ended.row)
    peer_time = plain_grpc(prover, verifier, frames)
    size = sum(f.ByteSize() for f in frames)
    cost = (whole - direct) / answered
    print(f"items answered                       {answered}, batch {BATCH}")
    print(f"whole exercise, wall                 {whole:8.3f} s   (process CPU, both parties {used:.3f} s)")
    print(f"same engine called directly          {direct:8.3f} s")
    print(f"protocol cost per item               {cost * 1e3:8.3f} ms  (goal: under 1 ms)")
    print(
        f"frames                               {len(frames)}, {size / 1e6:.2f} MB, {len(frames) / whole:.0f} frames/s"
    )
    print(f"plain grpcio, same bytes, same TLS   {peer_time:8.3f} s   ratio {whole / peer_time:.1f}")
    print(
        f"record written / judged              {writing:8.3f} s / {judging:.3f} s ({judging / answered * 1e3:.3f} ms an item)"
    )
    print(
        f"peak memory, both parties            {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MiB"
    )
    if "--profile" in sys.argv:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(30)


def kit_prompt(content: bytes):
    from parley_prover.engines.base import Prompt  # noqa: PLC0415

    return Prompt(content, 0, 4096)


def make(folder: Path, role: Role):
    return party.create(
        folder, name=role.value, role=role, entropy=secrets.token_bytes(64), now=int(time.time())
    )


def journal_frames(journal: Journal, row) -> list[pb.Frame]:
    return [frame for _, turn in journal.turns(row) for frame in to_frames(turn)]


class _Echo(rpc.ProverServicer):
    def Session(self, request_iterator, context):
        for request in request_iterator:
            yield pb.SessionResponse(frame=request.frame)


def plain_grpc(prover, verifier, frames: list[pb.Frame]) -> float:
    """Move the same frames through a bare grpcio stream in lock-step batches, half in each direction."""
    server = grpc.server(futures.ThreadPoolExecutor(4), options=transport.OPTIONS)
    rpc.add_ProverServicer_to_server(_Echo(), server)
    port = server.add_secure_port(
        "127.0.0.1:0", transport.server_credentials(prover.card, prover.tls_key, [verifier.card])
    )
    server.start()
    with transport.open_channel(verifier.card, verifier.tls_key, prover.card, f"127.0.0.1:{port}") as channel:
        stub = rpc.ProverStub(channel)
        began = time.perf_counter()
        half = frames[: len(frames) // 2]
        for _ in stub.Session(pb.SessionRequest(frame=f) for f in half):
            pass
        spent = time.perf_counter() - began
    server.stop(0).wait()
    return spent


if __name__ == "__main__":
    main()
