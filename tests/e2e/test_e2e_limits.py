"""How many sessions and streams a prover has for each verifier, how long, and who takes over from whom."""

import contextlib
import queue
import time

import grpc
import pytest
from parley_attestation.edge import transport
from parley_attestation.errors import PeerError, Reason, Role
from parley_prover import service as service_module
from parley_prover.service import SPARE_CALLS
from test_e2e_wire import Raw, finishes, hello, serving
from world import World, make_party, world


@pytest.fixture(name="world")
def _world(tmp_path):
    with world(tmp_path) as made:
        yield made


def test_a_session_over_the_limit_is_refused_with_its_reason_and_a_place_is_given_back(world):
    with serving(world, sessions=1):
        with Raw(world) as first:
            first.send(*hello(world)[1])
            assert first.next().WhichOneof("kind") == "envelope"
            with Raw(world) as second:
                second.send(*hello(world)[1])
                assert second.refused().reason is Reason.SESSION_LIMIT
        eventually(world)


def test_a_verifier_that_fills_its_streams_and_says_nothing_keeps_no_other_one_out(world):
    other = make_party(world.folder, Role.VERIFIER, "other")
    ended, share = queue.Queue(), 1 + SPARE_CALLS
    with serving(world, peers=[other.card], sessions=1), contextlib.ExitStack() as held:
        for _ in range(share + 3):
            one = held.enter_context(Raw(world, other.card, other.tls_key))
            one.call.add_done_callback(ended.put)
        refused = [ended.get(timeout=20) for _ in range(3)]
        assert {transport.to_error(one).reason for one in refused} == {Reason.SESSION_LIMIT}
        assert ended.empty(), "it has its share of streams"
        finishes(world)


def eventually(made: World):
    """The place of a stream that was dropped is free as soon as the server has noticed."""
    for _ in range(50):
        try:
            finishes(made)
        except PeerError:
            time.sleep(0.1)  # the server's side of the broken stream has to end first
        else:
            return
    pytest.fail("the place was never given back")


@pytest.mark.parametrize("sessions", [1, 4])
def test_a_returning_verifier_takes_over_from_its_own_broken_stream(world, sessions):
    """The first stream began with a Hello, the second with a Resume: it is one session all the same."""
    with serving(world, sessions=sessions), Raw(world) as first, Raw(world) as second:
        end, frames = hello(world)
        first.send(*frames)
        said = list(end.feed(first.next()))
        assert end.machine.sequence == 3
        second.send(end.resume())
        assert second.next().WhichOneof("kind") == "resume"
        with pytest.raises(grpc.RpcError) as caught:
            list(first.call)
        assert caught.value.code() is grpc.StatusCode.CANCELLED
        second.send(*said)
        assert second.next().envelope.payload_type.endswith("accept.v1+proto")


def test_another_verifier_neither_continues_nor_disturbs_a_session(world):
    other = make_party(world.folder, Role.VERIFIER, "other")
    with (
        serving(world, peers=[other.card]),
        Raw(world) as mine,
        Raw(world, other.card, other.tls_key) as theirs,
    ):
        end, frames = hello(world)
        mine.send(*frames)
        said = list(end.feed(mine.next()))
        theirs.send(end.resume())
        assert theirs.refused().reason is Reason.WRONG_SESSION
        mine.send(*said)
        assert mine.next().envelope.payload_type.endswith("accept.v1+proto")


def test_a_stream_that_lasts_too_long_is_ended(world, monkeypatch):
    monkeypatch.setattr(service_module, "PING_SECONDS", 0.05)
    with serving(world, stream_seconds=0.2), Raw(world) as raw:
        assert raw.refused().reason is Reason.TIMEOUT


def test_streams_that_break_one_after_the_other_leave_no_place_taken(world):
    """A verifier that is killed and comes back at once, more often than the server has places."""
    with serving(world, sessions=1):
        _, frames = hello(world)
        for _ in range(12):
            with Raw(world) as raw:
                raw.send(*frames)
                assert raw.next().WhichOneof("kind") == "envelope"
        eventually(world)
