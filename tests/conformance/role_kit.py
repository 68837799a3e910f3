"""The reference implementations behind their real endpoints, for the suites of every role."""

import contextlib
import functools
import threading
from concurrent import futures
from dataclasses import replace

import grpc
import pytest
import suite_kit
from parley_attestation import judge
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge import witness_service
from parley_attestation.edge.witness_client import Address
from parley_attestation.edge.witness_store import WitnessStore
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Role
from parley_cli import record
from parley_conformance import harness_server
from parley_conformance.report import Status, failing
from parley_conformance.roles import verifier_cases, witness_cases
from parley_conformance.roles.judge import Said
from parley_conformance.run import execute
from parley_verifier import client


@contextlib.contextmanager
def verifier(folder, seconds=10.0):
    """The suite for the reference verifier behind its harness, for as long as the block lasts."""
    folder.mkdir(exist_ok=True)
    harness = harness_server.VerifierHarness(folder, client.run)
    server, port = harness_server.serve(harness, "127.0.0.1:0")
    try:
        yield verifier_cases.suite(f"127.0.0.1:{port}", seconds)
    finally:
        server.stop(0).wait()


def only(suite, *wanted):
    """The suite with the cases that `wanted` names, by id or requirement."""
    cases = [c for c in suite.cases if c.id in wanted or set(wanted) & set(c.requirements)]
    return replace(suite, cases=cases)


def failures(report):
    return [(r.case.id, r.detail) for r in report.results if r.status is not Status.PASSED]


def killed_by(suite, requirement, control=None):
    """Whether a case of the requirement fails, while the control does not; the first that does is enough."""
    cases = [c for c in suite.cases if c.id == control]
    cases += [c for c in suite.cases if requirement in c.requirements and c not in cases]

    def enough(result):
        if result.status is Status.FAILED and requirement in result.case.requirements:
            raise KeyboardInterrupt

    found = execute(replace(suite, cases=cases), seen=enough)
    assert control is None or found.results[0].status is Status.PASSED, failures(found)
    assert found.verdict == "partial"
    return requirement in failing(found.results), failures(found)


def judge_here(path, pins):
    """The reference judge in this process, in a thread of its own name."""
    found = []
    thread = threading.Thread(target=lambda: found.append(_judged(path, pins)), name="judge")
    thread.start()
    thread.join()
    return found[0] if found else Said(2, {})


def _judged(path, pins):
    with path.open("rb") as source:
        try:
            judged = judge.judge(source, [Digest.of_hex(pin) for pin in pins])
        except PeerError as error:
            return Said(1, {"valid": False, "reason": error.reason.value, "blamed": ""})
        return Said(0 if judged.valid and judged.pinned else 1, record.summary(judged))


@contextlib.contextmanager
def witness(folder):
    """The suite for the reference witness, in threads of its own name, for as long as the block lasts."""
    key = SigningKey(bytes(range(32)))
    store = WitnessStore(folder / "witness.sqlite", "w", key)
    with pytest.MonkeyPatch.context() as patch:
        pools = functools.partial(futures.ThreadPoolExecutor, thread_name_prefix="witness")
        patch.setattr(witness_service.futures, "ThreadPoolExecutor", pools)
        server, port = witness_service.serve(store, "127.0.0.1:0")
    try:
        yield witness_cases.suite(Address(f"127.0.0.1:{port}", key.public))
    finally:
        server.stop(0).wait()
        store.close()


@contextlib.contextmanager
def witness_of(folder):
    """The reference witness over TLS: its card's path, and where it serves."""
    own = suite_kit.make(folder / "witness", Role.WITNESS)
    store = WitnessStore(folder / "witness.sqlite", "w", own.root)
    credentials = grpc.ssl_server_credentials([(own.tls_key, own.card.certificate.encode())])
    server, port = witness_service.serve(store, "127.0.0.1:0", credentials)
    try:
        yield own.folder / "card.json", f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
        store.close()
