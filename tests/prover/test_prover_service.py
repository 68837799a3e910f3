"""The prover's streams where two of them, or none, want a session."""

import contextlib
import threading
from collections import Counter
from types import SimpleNamespace

import pytest
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_prover import service
from parley_prover.service import ProverService, _Stream


def test_a_session_that_stays_busy_on_another_stream_is_refused(monkeypatch):
    monkeypatch.setattr(service, "TAKEOVER_SECONDS", 0)
    cancelled = []

    def stream(name):
        return SimpleNamespace(cancel=lambda: cancelled.append(name))

    held = threading.Lock()
    held.acquire()
    prover = SimpleNamespace(_busy={b"key": (held, stream("first"))}, _busy_lock=threading.Lock())
    with pytest.raises(PeerError) as caught, ProverService._alone(prover, b"key", stream("second")):
        pytest.fail("two streams had one session")
    assert caught.value.reason is Reason.SESSION_LIMIT
    assert cancelled == ["first"]
    held.release()
    with ProverService._alone(prover, b"key", stream("third")):
        assert held.locked()
    assert not held.locked()


def test_a_verifier_has_its_share_of_streams_and_not_one_more():
    limits, calls = service.ServerLimits(sessions=2), Counter()
    prover = SimpleNamespace(_limits=limits, _calls=calls, _busy_lock=threading.Lock())
    one, other = SimpleNamespace(tls_digest=b"one"), SimpleNamespace(tls_digest=b"other")
    with contextlib.ExitStack() as held:
        for _ in range(2 + service.SPARE_CALLS):
            held.enter_context(ProverService._admitted(prover, one))
        with pytest.raises(PeerError) as caught, ProverService._admitted(prover, one):
            pytest.fail("a verifier had one stream more than its share")
        assert caught.value.reason is Reason.SESSION_LIMIT
        with ProverService._admitted(prover, other):
            assert calls == {b"one": 2 + service.SPARE_CALLS, b"other": 1}
    with ProverService._admitted(prover, one):
        assert calls[b"one"] == 1


def test_nothing_is_put_on_a_stream_that_is_gone():
    stream = _Stream(lambda _: None, SimpleNamespace(is_active=lambda: False))
    with pytest.raises(LocalError) as caught:
        stream._put("frame")
    assert caught.value.reason is Reason.UNREACHABLE
    assert stream._queue.empty()


def test_custody_is_taken_for_sealed_sessions_of_a_prover_that_has_a_model_for_a_chamber():
    taken = []

    @contextlib.contextmanager
    def custody(journal):
        taken.append(journal)
        yield "custody"

    def offered(mode, sealed):
        prover = SimpleNamespace(_offer=service.Offer((), (), {}, sealed=sealed))
        with ProverService._offering(prover, mode, "journal") as offer:
            return offer.custody

    model = SimpleNamespace(claim=b"claim", custody=custody)
    assert offered("open", model) is None
    assert offered("sealed", None) is None
    assert taken == []
    assert offered("sealed", model) == "custody"
    assert taken == ["journal"]
