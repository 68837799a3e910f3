"""The chamber's service over mutually pinned TLS: a whole sealed session, and what it refuses."""

import contextlib
import os
import queue
import secrets
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from chamber_kit import LIMITS, RUNTIME, boxed
from kit import pipe, seed
from parley.v1 import chamber_pb2 as pb
from parley.v1 import chamber_pb2_grpc as rpc
from parley_attestation import canonical
from parley_attestation.edge import party, transport
from parley_attestation.edge.chamber_client import ChamberClient
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.session.tables import State
from parley_attestation.terms import Operator
from parley_chamber.ledger import RunLedger
from parley_chamber.sandbox import Sandbox
from parley_chamber.service import SPARE_CALLS, ChamberService, Setup, serve
from test_chamber_session import SealedExercise

pytestmark = boxed


def started(folder, runtime):
    """A chamber in a process of its own, its output in a file, and its port."""
    (folder / "runtime.json").write_bytes(canonical.dump(runtime.document()))
    home = folder / "home"
    home.mkdir(exist_ok=True)
    with (folder / "said").open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("chamber_child.py"), folder, folder / "runtime.json"],
            stdout=subprocess.PIPE,
            stderr=said,
            cwd=home,
            env={"PYTHONPATH": str(Path(__file__).parents[1]), "HOME": str(home), "TMPDIR": str(home)}
            | {"PATH": os.environ["PATH"], "GRPC_VERBOSITY": "debug"},
        )
    return process, int(process.stdout.readline())


class Place:
    """A chamber that serves on the loopback, and the two parties it admits."""

    def __init__(self, folder, runtimes=(RUNTIME,), *, child=False, operator="", **changes):
        self.folder, self.clients, self.waits = folder, [], []
        names = {Role.PROVER: "", Role.VERIFIER: "", Role.CHAMBER: operator}
        entropy = {
            role: seed(role, name, "root") + seed(role, name, "session") for role, name in names.items()
        }
        self.parties = {
            role: party.create(
                folder / f"party-{role}",
                name=role,
                role=role,
                entropy=entropy[role],
                now=1_700_000_000,
                years=90,
            )
            for role in names
        }
        if child:
            self.process, port = started(folder, *runtimes)
        else:
            peers = (self.parties[Role.PROVER].card, self.parties[Role.VERIFIER].card)
            place = folder / "chamber"
            operator = self.parties[Role.CHAMBER]
            boxes = Sandbox.find()
            changes.setdefault("wait", self.waits.append)
            setup = Setup(operator, peers, place, runtimes, boxes, LIMITS, **changes)
            self.server, port = serve(setup, "127.0.0.1:0")
        self.card = self.at(port)

    def at(self, port):
        return self.parties[Role.CHAMBER].card.model_copy(update={"endpoint": f"127.0.0.1:{port}"})

    def exercise(self, **more):
        key = Bytes32(self.parties[Role.CHAMBER].session.public)
        exercise = SealedExercise(
            self.folder, operators=(Operator(key, "neutral", ("tests", "weights")),), **more
        )
        custody = exercise.custody
        exercise.custody = lambda role: replace(
            custody(role), links=(self.client(role, exercise.journal(role)),)
        )
        return exercise

    def client(self, role, journal):
        self.clients.append(ChamberClient(self.parties[role], self.card, journal, 120))
        return self.clients[-1]


def test_a_sealed_session_over_the_wire_ends_with_one_verdict(place):
    v, p = place.exercise().run()
    assert v.machine.state is p.machine.state is State.FINISHED
    assert v.machine.facts.verdict.predicate["overall"] == "COMPLIANT"
    assert RunLedger(place.folder / "chamber" / "runs").outcomes() == ["done"]


def test_of_swapped_content_only_the_reason_code_leaves_the_chamber(place):
    v, _ = place.exercise(tests=[(b"[1,2,3]", b"2")] * 60).run()
    assert v.machine.state is State.FINISHED
    (chamber,) = v.machine.facts.verdict.predicate["chambers"]
    assert (chamber["refused"], chamber["blamed"]) == ("BAD_OPENING", "verifier")


def test_the_same_session_gets_the_same_keys_and_the_same_receipt(place):
    exercise = place.exercise()
    v, p = exercise.ends()
    pipe(v, p)
    link = v.policy._custody.links[0]
    keys, _ = link.open(v.machine)
    assert keys == link.open(v.machine)[0]


def test_an_outcome_is_held_back_until_the_time_that_the_terms_fix_whatever_it_is(place):
    rules = SealedTerms(release_seconds=600)
    place.exercise(sealed=rules).run()
    (first,) = place.waits
    assert 0 < first <= 600


def test_a_refusal_is_held_back_like_a_receipt(place):
    v, _ = place.exercise(sealed=SealedTerms(release_seconds=600), tests=[(b"[1,2,3]", b"2")] * 60).run()
    assert v.machine.facts.verdict.predicate["chambers"][0]["refused"] == "BAD_OPENING"
    assert len(place.waits) == 1


@pytest.fixture
def waiting(tmp_path):
    """A chamber whose waits end at once, after what a test puts into `meanwhile`."""
    meanwhile = []
    made = Place(tmp_path, wait=lambda seconds: [one(seconds) for one in meanwhile])
    made.meanwhile = meanwhile
    yield made
    for client in made.clients:
        client.close()
    made.server.stop(None).wait()


def test_what_a_party_sees_of_its_upload_does_not_tell_it_when_the_run_was_over(waiting):
    """The time of a run is up to the prover's program, which has read the tests."""
    exercise, seen = waiting.exercise(sealed=SealedTerms(release_seconds=600)), []
    v, p = exercise.ends()
    ours, theirs = p.policy._offer.custody.links[0], v.policy._custody.links[0]
    honest = theirs.receipt

    def watched(machine):
        seen.append(ours._open(p.machine).received)
        waiting.meanwhile.append(lambda _: seen.append(ours._open(p.machine).received))
        return honest(machine)

    theirs.receipt = watched
    pipe(v, p)
    assert v.machine.state is State.FINISHED
    assert seen[0] == seen[1] > 0
    assert ours._open(p.machine).received == 0, "it went with the outcome"
    assert not list((waiting.folder / "chamber").glob("*/*.sealed"))


def test_a_run_that_ends_in_a_failure_of_the_chamber_is_held_back_too(place, monkeypatch):
    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunLedger, "end", fails)
    with pytest.raises(LocalError, match="internal error"):
        place.exercise(sealed=SealedTerms(release_seconds=600)).run()
    assert len(place.waits) == 1


def test_a_refusal_to_run_is_given_at_once(place):
    v, p = place.exercise(sealed=SealedTerms(release_seconds=600)).ends()
    for custody in (v.policy._custody, p.policy._offer.custody):
        custody.links[0].upload = lambda *_: None
    pipe(v, p)
    assert v.machine.facts.ending.reason == Reason.OUT_OF_ORDER
    assert place.waits == []


def test_an_outcome_without_a_time_in_the_terms_leaves_at_once(place):
    place.exercise().run()
    assert place.waits == []


def test_a_chamber_without_the_runtime_of_the_terms_refuses(tmp_path):
    made = Place(tmp_path, ())
    try:
        v, _ = made.exercise().run()
        assert v.machine.state is State.ABORTED
        assert v.machine.facts.ending.reason == Reason.BAD_RUNTIME
    finally:
        for client in made.clients:
            client.close()
        made.server.stop(None).wait()


def test_a_stranger_does_not_get_in(place, tmp_path):
    stranger = party.create(
        tmp_path / "stranger",
        name="s",
        role=Role.VERIFIER,
        entropy=secrets.token_bytes(64),
        now=1_700_000_000,
        years=90,
    )
    with (
        transport.open_channel(stranger.card, stranger.tls_key, place.card) as channel,
        pytest.raises(grpc.RpcError),
    ):
        rpc.ChamberStub(channel).Describe(pb.ChamberDescribeRequest(), timeout=5)


def test_uploads_and_runs_of_sessions_that_are_not_there_are_refused(place):
    me = place.parties[Role.VERIFIER]
    with transport.open_channel(me.card, me.tls_key, place.card) as channel:
        stub = rpc.ChamberStub(channel)
        described = stub.Describe(pb.ChamberDescribeRequest(), timeout=5)
        assert described.sandbox == "bubblewrap"
        assert list(described.runtimes) == [RUNTIME.digest()]
        for call in (
            lambda: stub.Upload(iter([pb.UploadRequest(session_id=b"x" * 32, data=b"x")]), timeout=5),
            lambda: stub.Run(pb.RunRequest(), timeout=5),
            lambda: stub.Open(pb.OpenRequest(), timeout=5),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                call()
            assert isinstance(transport.to_error(caught.value), PeerError)


def test_a_party_that_repeats_its_runs_keeps_no_other_party_from_its_session(place, monkeypatch):
    """Its calls wait for an outcome that is held back; more than its share are refused at once."""
    going, free = threading.Event(), threading.Event()

    def held_back(_self, _request, _card):
        going.set()
        assert free.wait(60)
        return pb.RunResponse(receipt=b"{}")

    monkeypatch.setattr(ChamberService, "_run", held_back)
    me, other = place.parties[Role.PROVER], place.parties[Role.VERIFIER]
    share = 16 + SPARE_CALLS
    with (
        transport.open_channel(me.card, me.tls_key, place.card) as channel,
        transport.open_channel(other.card, other.tls_key, place.card) as another,
        contextlib.ExitStack() as held,
    ):
        held.callback(free.set)
        stub = rpc.ChamberStub(channel)
        calls = [stub.Run.future(pb.RunRequest(), timeout=60) for _ in range(share + 9)]
        refused = as_refused(calls, 9)
        assert len(refused) == 9
        assert {transport.to_error(one.exception()).reason for one in refused} == {Reason.SESSION_LIMIT}
        assert going.is_set()
        with pytest.raises(grpc.RpcError) as caught:
            rpc.ChamberStub(another).Open(pb.OpenRequest(), timeout=20)
        assert transport.to_error(caught.value).reason is not Reason.SESSION_LIMIT, "it was answered"
        free.set()
        assert sum(one.exception() is None for one in calls) == share


def as_refused(calls, count):
    """The first `count` calls that end, of calls that wait for the test."""
    ended = queue.Queue()
    for one in calls:
        one.add_done_callback(ended.put)
    return [ended.get(timeout=60) for _ in range(count)]


def test_an_upload_beyond_the_operators_limit_ends_in_a_refusal_that_names_it(tmp_path):
    made = Place(tmp_path, upload=1000)
    try:
        v, _ = made.exercise().run()
        assert v.machine.state is State.REFUSED
        assert v.machine.facts.ending.reason == Reason.TOO_LARGE
        assert "at most 1000 bytes" in v.machine.facts.ending.detail
    finally:
        for client in made.clients:
            client.close()
        made.server.stop(None).wait()


def test_what_was_uploaded_to_a_chamber_that_has_ended_is_gone_when_the_next_one_begins(tmp_path):
    left = tmp_path / "chamber" / seed("session").hex() / "prover.sealed"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"sealed under keys that nobody has")
    made = Place(tmp_path)
    assert not left.exists()
    made.server.stop(None).wait()
