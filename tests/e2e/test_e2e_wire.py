"""Over real gRPC on loopback: who is let in, what is said to whom, and what hostile frames get."""

import contextlib
import datetime as dt
import itertools
import logging
import queue
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from parley.v1 import session_pb2 as pb
from parley.v1 import session_pb2_grpc as rpc
from parley_attestation.edge import transport
from parley_attestation.edge.journal import Journal
from parley_attestation.edge.party import SERVER_NAME
from parley_attestation.encoding import MAX_CHUNK
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_prover.answering import Offer
from parley_prover.engines.config import OnnxConfig, open_engine
from parley_prover.service import ProverService, ServerLimits, serve
from parley_verifier import client
from world import World, make_party, world

SECRET = "the weights are 0xDEADBEEF"


@pytest.fixture(name="world")
def _world(tmp_path):
    with world(tmp_path) as made:
        yield made


@contextlib.contextmanager
def serving(made: World, *, peers=(), engine=None, **limits):
    """A server in this process."""
    admitted = [made.verifier.card, *peers]
    engine = engine or open_engine(OnnxConfig(kind="onnx", model=made.folder / "model.onnx", shape=[64]))
    offer = Offer(made.prover.history, (made.claim,))
    limits = ServerLimits(**{"sessions": 4, **limits})
    journal = made.folder / "prover.journal"
    service = ProverService(made.prover, admitted, engine, offer, journal, limits)
    server, _ = serve(service, made.prover, admitted, f"127.0.0.1:{made.port}", limits.sessions)
    try:
        yield service
    finally:
        server.stop(grace=0).wait()


class Raw:
    """A stream on which a test says what it likes."""

    def __init__(self, made: World, card=None, tls_key=None):
        card, tls_key = card or made.verifier.card, tls_key or made.verifier.tls_key
        self.channel = transport.open_channel(card, tls_key, made.card)
        self.stub = rpc.ProverStub(self.channel)
        self.out = queue.Queue()
        self.call = self.stub.Session(iter(self.out.get, None), timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.out.put(None)
        self.call.cancel()
        self.channel.close()

    def send(self, *frames):
        for frame in frames:
            self.out.put(pb.SessionRequest(frame=frame))

    def next(self):
        """The next frame but pings."""
        return next(f.frame for f in self.call if f.frame.WhichOneof("kind") != "ping")

    def refused(self):
        """The typed refusal that ends the stream."""
        with pytest.raises(grpc.RpcError) as caught:
            list(self.call)
        return transport.to_error(caught.value)


def hello(made: World):
    """A fresh verifier's end and its Hello."""
    made.folder.joinpath("raw").mkdir(exist_ok=True)
    journal = Journal(made.folder / "raw" / f"{next(_NAMES)}.journal")
    end = client.open_endpoint(made.job(), journal, None)
    return end, list(end.pump())


_NAMES = itertools.count()


def finishes(made: World):
    """The server still serves: an honest exercise runs to its end."""
    (made.folder / "verifier.journal").unlink(missing_ok=True)
    assert client.run(made.job()).machine.facts.verdict.predicate["overall"] == "COMPLIANT"


# -- who is let in


def test_a_client_whose_certificate_is_not_pinned_gets_no_further_than_tls(world):
    stranger = make_party(world.folder, Role.VERIFIER, "stranger")
    with serving(world):
        with pytest.raises(LocalError) as caught:
            client.run(world.job(party=stranger))
        assert caught.value.reason is Reason.UNREACHABLE
        assert not (world.folder / "prover.journal").exists()
        finishes(world)


def issued_by(owner):
    """A certificate that a pinned party, whose own is its own authority, made for somebody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(owner.card.certificate.encode())
    issuer_key = serialization.load_pem_private_key(owner.tls_key, None)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a friend")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(issuer.not_valid_before_utc)
        .not_valid_after(issuer.not_valid_before_utc + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), pem


def test_a_certificate_that_a_pinned_party_issued_is_not_the_pinned_one(world):
    certificate, key = issued_by(world.verifier)
    card = world.verifier.card.model_copy(update={"certificate": certificate})
    with serving(world), Raw(world, card, key) as raw:
        raw.send(*hello(world)[1])
        error = raw.refused()
        assert isinstance(error, PeerError)
        assert error.reason is Reason.UNKNOWN_PARTY
        with pytest.raises(grpc.RpcError) as caught:
            raw.stub.Describe(pb.DescribeRequest(), timeout=10)
        assert transport.to_error(caught.value).reason is Reason.UNKNOWN_PARTY


def test_a_server_that_is_not_the_pinned_one_gets_no_word(world):
    other = make_party(world.folder, Role.PROVER, "impostor")
    card = other.card.model_copy(update={"endpoint": world.card.endpoint})
    with serving(world):
        with pytest.raises(LocalError) as caught:
            client.run(world.job(peer=card))
        assert caught.value.reason is Reason.UNREACHABLE
    assert not (world.folder / "prover.journal").exists()


def test_the_verifier_on_the_channel_must_be_the_one_in_the_hello(world):
    """Two pinned verifiers: one cannot speak with the other's keys over its own connection."""
    other = make_party(world.folder, Role.VERIFIER, "other")
    with serving(world, peers=[other.card]), Raw(world, other.card, other.tls_key) as raw:
        raw.send(*hello(world)[1])
        assert raw.refused().reason in {Reason.UNKNOWN_PARTY, Reason.CHANNEL_MISMATCH}


# -- what is said


class FailingEngine:
    def __init__(self):
        self.fail = True
        self.inner = None

    def generate(self, prompts):
        if self.fail:
            raise RuntimeError(SECRET)
        return self.inner.generate(prompts)


def test_the_text_of_an_exception_reaches_neither_the_peer_nor_the_log(world, caplog):
    engine = FailingEngine()
    engine.inner = open_engine(OnnxConfig(kind="onnx", model=world.folder / "model.onnx", shape=[64]))
    with serving(world, engine=engine), caplog.at_level(logging.DEBUG):
        with pytest.raises(LocalError, match=r"internal error, reference [0-9a-f]{16}") as caught:
            client.run(world.job())
        assert SECRET not in str(caught.value)
        assert SECRET not in caplog.text
        assert "RuntimeError" in caplog.text
        engine.fail = False
        with contextlib.closing(Journal(world.folder / "verifier.journal")) as journal:
            (row,) = journal.unfinished(Role.VERIFIER)
        assert client.run(world.job(), resume=row).done


def test_describe_leaks_no_exception_text_either(world, monkeypatch):
    def broken(_context):
        raise RuntimeError(SECRET)

    with serving(world) as service, Raw(world) as raw:
        assert raw.stub.Describe(pb.DescribeRequest(), timeout=10).versions == [1]
        monkeypatch.setattr(service, "_peer", broken)
        with pytest.raises(grpc.RpcError) as caught:
            raw.stub.Describe(pb.DescribeRequest(), timeout=10)
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert SECRET not in str(caught.value)


# -- hostile frames


def envelope(**parts):
    signature = pb.Signature(key=bytes(32), value=bytes(64))
    return pb.Frame(envelope=pb.Envelope(**{"payload_type": "x", "signatures": [signature], **parts}))


FIRST = {
    "a chunk": (pb.Frame(chunk=pb.BlobChunk(data=b"content")), Reason.OUT_OF_ORDER),
    "a ping": (pb.Frame(ping=pb.Ping()), Reason.OUT_OF_ORDER),
    "a side record": (pb.Frame(side=pb.SideRecord(sealed=b"{}")), Reason.OUT_OF_ORDER),
    "nothing": (pb.Frame(), Reason.OUT_OF_ORDER),
    "a resume of no session": (pb.Frame(resume=pb.Resume()), Reason.WRONG_SESSION),
    "a resume of an unknown session": (
        pb.Frame(resume=pb.Resume(session_id=bytes(32), sequence=7, head=bytes(32))),
        Reason.WRONG_SESSION,
    ),
    "a resume of a long session": (pb.Frame(resume=pb.Resume(session_id=bytes(9999))), Reason.WRONG_SESSION),
    "an envelope of nothing": (pb.Frame(envelope=pb.Envelope()), Reason.MALFORMED),
    "an envelope that nobody signed": (envelope(payload=b"\xff" * 99), Reason.BAD_SIGNATURE),
    "an envelope with a type that is no ASCII": (envelope(payload_type="\u2603"), Reason.MALFORMED),
    "an envelope with nine signatures": (envelope(signatures=[pb.Signature()] * 9), Reason.MALFORMED),
}


@pytest.mark.parametrize("name", FIRST)
def test_a_first_frame_that_begins_nothing_is_refused_with_its_reason(world, name):
    frame, reason = FIRST[name]
    with serving(world):
        with Raw(world) as raw:
            raw.send(frame)
            error = raw.refused()
        assert isinstance(error, PeerError)
        assert error.reason is reason
        finishes(world)


def later_chunk(data=b"content", offset=0):
    return pb.Frame(chunk=pb.BlobChunk(offset=offset, data=data))


LATER = {
    "content that no message announced": (later_chunk(), Reason.BLOB_MISMATCH),
    "a chunk above the limit": (later_chunk(bytes(MAX_CHUNK + 1)), Reason.BLOB_MISMATCH),
    "an envelope that nobody signed": (envelope(payload=b"\xff" * 99), Reason.BAD_SIGNATURE),
    "an empty frame": (pb.Frame(), Reason.MALFORMED),
    "a resume of another session": (
        pb.Frame(resume=pb.Resume(session_id=bytes(32), sequence=2, head=bytes(32))),
        Reason.WRONG_SESSION,
    ),
}


@pytest.mark.parametrize("name", LATER)
def test_a_hostile_frame_ends_the_stream_and_not_the_session(world, name):
    frame, reason = LATER[name]
    with serving(world):
        end, frames = hello(world)
        with Raw(world) as raw:
            raw.send(*frames)
            said = list(end.feed(raw.next()))
            raw.send(frame)
            assert raw.refused().reason is reason
        with Raw(world) as raw:
            raw.send(end.resume())
            list(end.feed(raw.next()))
            raw.send(*said)
            assert raw.next().envelope.payload_type.endswith("accept.v1+proto")


def test_a_message_above_the_wire_limit_is_refused_before_it_is_read(world):
    with serving(world):
        credentials = grpc.ssl_channel_credentials(
            world.card.certificate.encode(), world.verifier.tls_key, world.verifier.card.certificate.encode()
        )
        options = [("grpc.ssl_target_name_override", SERVER_NAME), ("grpc.max_send_message_length", -1)]
        with grpc.secure_channel(world.card.endpoint, credentials, options=options) as channel:
            big = pb.SessionRequest(frame=later_chunk(bytes(transport.MAX_MESSAGE + 1)))
            call = rpc.ProverStub(channel).Session(iter([big]), timeout=30)
            with pytest.raises(grpc.RpcError) as caught:
                list(call)
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        finishes(world)


def test_bytes_that_are_no_frame_are_refused_without_an_explanation(world):
    with serving(world), Raw(world) as raw:
        method = raw.channel.stream_stream("/parley.v1.Prover/Session")
        with pytest.raises(grpc.RpcError) as caught:
            list(method(iter([b"\xff\xff\xff"]), timeout=10))
        assert caught.value.code() in {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}
        assert "Traceback" not in str(caught.value.details())
        finishes(world)


def test_a_prover_that_is_not_there_is_unreachable_and_nothing_is_lost(world):
    with pytest.raises(LocalError) as caught:
        client.run(world.job())
    assert caught.value.reason is Reason.UNREACHABLE
    with contextlib.closing(Journal(Path(world.folder / "verifier.journal"))) as journal:
        (row,) = journal.unfinished(Role.VERIFIER)
    with serving(world):
        assert client.run(world.job(), resume=row).done
