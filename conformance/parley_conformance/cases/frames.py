"""Room: the suite. Hostile frames: bytes below the signed messages, and bytes that change in random places."""

import random

import grpc
from parley.v1 import session_pb2 as pb
from parley_attestation.encoding import MAX_CHUNK
from parley_attestation.errors import Reason
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn, to_frames

from parley_conformance.cases.base import After, Case, Profile, Say, Where, fault
from parley_conformance.cases.says import frames
from parley_conformance.harness import Failure, Lost, Player, Target, sealed, shown
from parley_conformance.world import CANARY

S = State
FUZZED = 40  # messages with one changed bit that the extended profile sends
_TRACES = ("Traceback", "Exception", "Error:", ".py", ".go:", ".rs:", ".ts:", ".js:", ".java:", "panic")


def chunk_at(offset: int) -> Say:
    """The honest message whose content starts elsewhere."""

    def say(p: Player) -> list[pb.Frame]:
        found = frames(p)
        found[1].chunk.offset = offset
        return found

    return say


def too_much(p: Player) -> list[pb.Frame]:
    """The honest message and one byte of content more than it says."""
    found = frames(p)
    found[1].chunk.data += b"!"
    return found


def large_chunk(p: Player) -> list[pb.Frame]:
    """The honest message, and content in a chunk above the limit."""
    return [frames(p)[0], pb.Frame(chunk=pb.BlobChunk(data=bytes(MAX_CHUNK + 1)))]


def interrupted(p: Player) -> list[pb.Frame]:
    """The honest message again before its content has come."""
    return [frames(p)[0], frames(p)[0]]


def _leaks(text: str) -> bool:
    canary = CANARY.decode("latin-1")[2:]
    return canary in text or any(trace in text for trace in _TRACES)


def _canary(target: Target) -> None:
    """Prompts that are no text: answered, or refused without a word of what went wrong inside."""
    player = target.begin(S.SEEDED, shape="canary")
    player.stream.send(frames(player))
    got = player.stream.answer()
    if not isinstance(got, pb.Frame) and _leaks(got.text):
        raise Failure("the text of an internal failure reached the peer")
    player.stream.close()
    target.begin()


def _fuzz(target: Target) -> None:
    """One random bit changes before a challenge is signed: refused, or its content is waited for."""
    drawn = random.Random(target.fresh())  # noqa: S311 - reproducible from the seed of the run
    for _ in range(FUZZED):
        player = target.begin(S.SEEDED)
        honest = player.turn()
        changed = bytearray(honest.envelope.payload)
        at = drawn.randrange(len(changed) * 8)
        changed[at // 8] ^= 1 << at % 8
        envelope = sealed(target.party.session, honest.envelope.payload_type, bytes(changed))
        player.stream.send(to_frames(Turn(envelope, honest.blobs)))
        player.stream.finish()
        got = player.stream.answer()
        if isinstance(got, pb.Frame) or (isinstance(got, Lost) and got.code is not grpc.StatusCode.OK):
            raise Failure(f"bit {at} of a challenge: expected a typed refusal, got {shown(got)}")
        if _leaks(got.text):
            raise Failure(f"bit {at} of a challenge: the text of an internal failure reached the peer")
    target.begin()


CASES: tuple[Case, ...] = (
    fault(
        "empty-frame",
        "a frame that carries nothing",
        "WIRE-5",
        S.SEEDED,
        lambda _: [pb.Frame()],
        {Reason.MALFORMED},
        After.RESUMES,
    ),
    fault(
        "chunk-first",
        "content as the first frame of a stream",
        "WIRE-5",
        S.START,
        lambda _: [pb.Frame(chunk=pb.BlobChunk(data=b"x"))],
        {Reason.OUT_OF_ORDER},
        After.FRESH,
    ),
    fault(
        "empty-frame-first",
        "a frame that carries nothing as the first of a stream",
        "WIRE-5",
        S.START,
        lambda _: [pb.Frame()],
        {Reason.OUT_OF_ORDER},
        After.FRESH,
    ),
    fault(
        "chunk-unannounced",
        "content that no message announced",
        "WIRE-2",
        S.SEEDED,
        lambda _: [pb.Frame(chunk=pb.BlobChunk(data=b"x"))],
        {Reason.BLOB_MISMATCH},
        After.RESUMES,
    ),
    fault(
        "chunk-with-a-gap",
        "content that does not start at its beginning",
        "WIRE-2",
        S.SEEDED,
        chunk_at(1),
        {Reason.BLOB_MISMATCH},
        After.RESUMES,
    ),
    fault(
        "chunk-too-much",
        "one byte of content more than the message says",
        "WIRE-2",
        S.SEEDED,
        too_much,
        {Reason.BLOB_MISMATCH},
        After.RESUMES,
    ),
    fault(
        "chunk-too-large",
        "a chunk above the limit",
        "WIRE-2",
        S.SEEDED,
        large_chunk,
        {Reason.BLOB_MISMATCH, Reason.TOO_LARGE},
        After.RESUMES,
    ),
    fault(
        "message-before-content",
        "a message before the content of the last one has come",
        "WIRE-3",
        Where(S.SEEDED, 2),
        interrupted,
        {Reason.OUT_OF_ORDER},
        After.RESUMES,
    ),
    Case("nothing-leaks", "prompts that are no text, with a marker in them", ("ERR-1",), _canary),
    Case(
        "one-changed-bit",
        f"{FUZZED} challenges, each with one random bit changed before it was signed",
        ("CHAIN-1", "ERR-1"),
        _fuzz,
        frozenset(Reason),
        Profile.EXTENDED,
    ),
)
