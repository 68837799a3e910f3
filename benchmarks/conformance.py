"""Seconds of the conformance suite's core profile, on the loopback and across a simulated round trip.

`python -m benchmarks.conformance [ROUND-TRIP-MS]`, 100 by default. The same run goes twice against the
reference prover, witness, verifier and chamber: directly, and through a TCP relay that holds every byte
back for half the round trip each way. A run that is not conformant ends the benchmark. Goals: under 60 s
on the loopback and under 600 s at 100 ms.
"""

import asyncio
import contextlib
import hashlib
import logging
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import onnxruntime
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge import party, witness_service
from parley_attestation.edge.witness_client import Address
from parley_attestation.edge.witness_store import WitnessStore
from parley_attestation.errors import Role
from parley_attestation.runtime import OnnxRuntime
from parley_chamber import service as chamber_service
from parley_chamber.sandbox import Limits, Sandbox
from parley_chamber.service import Setup
from parley_conformance import harness_server
from parley_conformance.arena import Adder, Arena
from parley_conformance.report import Status
from parley_conformance.roles import chamber_cases, verifier_cases, witness_cases
from parley_conformance.run import Job, execute, run
from parley_prover.answering import Offer
from parley_prover.service import ProverService, ServerLimits, serve
from parley_verifier import client

SINCE = 1_700_000_000  # Unix seconds


def main() -> None:
    logging.disable(logging.CRITICAL)
    round_trip = float(sys.argv[1]) / 1000 if len(sys.argv) > 1 else 0.1
    print(f"{'core profile of':16}{'cases':>8}{'loopback':>12}{f'{round_trip * 1000:.0f} ms':>12}")
    row("prover", *(run_prover(delay) for delay in (0.0, round_trip)))
    row("witness", *(run_witness(delay) for delay in (0.0, round_trip)))
    row("verifier", *(run_verifier(delay) for delay in (0.0, round_trip)))
    row("chamber", *(run_chamber(delay) for delay in (0.0, round_trip)))


def row(role, near, far):
    shown = "".join(f"{one.seconds:>10.1f} s" for one in (near, far))
    print(f"{role:16}{len(near.results):>8}{shown}", flush=True)
    failed = [r for one in (near, far) for r in one.results if r.status is not Status.PASSED]
    for one in failed[:5]:
        print(f"  {one.case.id}: {one.status}: {one.detail}", file=sys.stderr)
    if failed:  # the time of a run that fails says nothing
        raise SystemExit(f"{role}: {near.verdict}, {far.verdict}")


@contextlib.contextmanager
def prover():
    with tempfile.TemporaryDirectory() as folder:
        arena = Arena(Path(folder), "benchmark")
        offer, limits = Offer(arena.prover.history, (arena.claim,)), ServerLimits(sessions=32)
        journal = Path(folder) / "prover.journal"
        service = ProverService(arena.prover, [arena.verifier.card], Adder(), offer, journal, limits)
        server, port = serve(service, arena.prover, [arena.verifier.card], "127.0.0.1:0", 32)
        yield arena, port
        server.stop(0).wait()


def run_prover(delay):
    with prover() as (arena, port), relay(port, delay) as near:
        peer = arena.prover.card.model_copy(update={"endpoint": f"127.0.0.1:{near}"})
        return run(Job(arena.verifier, peer))


def run_witness(delay):
    with tempfile.TemporaryDirectory() as folder:
        key = SigningKey(bytes(range(32)))
        store = WitnessStore(Path(folder) / "witness.sqlite", "w", key)
        server, port = witness_service.serve(store, "127.0.0.1:0")
        with relay(port, delay) as near:
            found = execute(witness_cases.suite(Address(f"127.0.0.1:{near}", key.public)))
        server.stop(0).wait()
        store.close()
        return found


def run_verifier(delay):
    """The harness is near; what the verifier says to the suite's prover goes through the relay."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as held:
        relays = {}

        def far(job, **how):
            port = int(job.peer.endpoint.rpartition(":")[2])
            if port not in relays:
                relays[port] = held.enter_context(relay(port, delay))
            peer = job.peer.model_copy(update={"endpoint": f"127.0.0.1:{relays[port]}"})
            return client.run(replace(job, peer=peer), **how)

        harness = harness_server.VerifierHarness(Path(folder), far)
        server, port = harness_server.serve(harness, "127.0.0.1:0")
        found = execute(verifier_cases.suite(f"127.0.0.1:{port}"))
        server.stop(0).wait()
        return found


def run_chamber(delay):
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        own, v, p = (
            party.create(where / role, name=role, role=role, entropy=entropy_of(role), now=SINCE, years=90)
            for role in (Role.CHAMBER, Role.VERIFIER, Role.PROVER)
        )
        runtime = OnnxRuntime(version=onnxruntime.__version__, file="model.onnx", shape=(3,))
        limits = Limits(memory=4 << 30, seconds=60)
        setup = Setup(
            own, (v.card, p.card), where / "work", (runtime,), Sandbox.find(), limits, sessions=1000
        )
        server, port = chamber_service.serve(setup, "127.0.0.1:0")
        with relay(port, delay) as near:
            card = own.card.model_copy(update={"endpoint": f"127.0.0.1:{near}"})
            found = execute(chamber_cases.suite(card, {Role.VERIFIER: v, Role.PROVER: p}, runtime))
        server.stop(0).wait()
        return found


def entropy_of(role):
    """64 bytes that are a role's own: parties with the same keys are one party, and talk to themselves."""
    return hashlib.sha512(role.encode()).digest()


# -- a round trip


@contextlib.contextmanager
def relay(port, round_trip):
    """A port on the loopback that leads to `port` and takes `round_trip` seconds there and back."""
    if not round_trip:
        yield port
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_listen(port, round_trip / 2), loop).result()
    yield server.sockets[0].getsockname()[1]
    asyncio.run_coroutine_threadsafe(_hang_up(server), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _hang_up(server):
    """Close the port and every connection, with what they hold back."""
    server.close()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def _listen(port, delay):
    async def accept(reader, writer):
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(delay)  # the handshake's own half
            await asyncio.gather(_held(reader, far_writer, delay), _held(far_reader, writer, delay))

    return await asyncio.start_server(accept, "127.0.0.1", 0)


async def _held(reader, writer, delay):
    """Every piece leaves `delay` seconds after it came, in order; pieces do not wait for one another."""
    loop = asyncio.get_running_loop()
    pieces = asyncio.Queue()

    async def send():
        while True:
            due, data = await pieces.get()
            await asyncio.sleep(max(due - loop.time(), 0))
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    sending = asyncio.ensure_future(send())
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            pieces.put_nowait((loop.time() + delay, data))
    pieces.put_nowait((loop.time() + delay, b""))
    with contextlib.suppress(OSError):
        await sending


if __name__ == "__main__":
    main()
