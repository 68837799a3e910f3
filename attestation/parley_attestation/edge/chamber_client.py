"""Room: the edge. The way to a chamber over gRPC; both roles call it in sealed mode."""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import grpc
from parley.v1 import chamber_pb2 as pb
from parley.v1 import chamber_pb2_grpc as rpc

from parley_attestation.edge import transport
from parley_attestation.edge.journal import Journal, SessionRow
from parley_attestation.edge.party import Party, PeerCard
from parley_attestation.encoding import MAX_CHUNK
from parley_attestation.errors import LocalError, Reason, Role
from parley_attestation.session.machine import Machine
from parley_attestation.session.turns import envelope_to_wire

_READING = threading.Lock()  # chambers run at once, and a journal is one thread's at a time


class ChamberClient:
    """A party's way to one pinned chamber; it shows sessions from the party's own journal.

    Args:
        party: The caller.
        chamber: The chamber's pinned card.
        journal: Where the session's messages are.
        seconds: Deadline of one call; a run may take most of it.
    """

    def __init__(self, party: Party, chamber: PeerCard, journal: Journal, seconds: float = 3600.0) -> None:
        self._channel = transport.open_channel(party.card, party.tls_key, chamber)
        self._stub = rpc.ChamberStub(self._channel)  # type: ignore[no-untyped-call]
        self._journal = journal
        self._seconds = seconds

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def open(self, machine: Machine) -> tuple[bytes, bytes]:
        """The chamber's sealed keys for this session, and its sealed evidence or nothing."""
        answer = self._open(machine)
        return answer.keys, answer.evidence

    def upload(self, machine: Machine, role: Role, parts: Iterable[bytes]) -> None:
        """Send sealed content from where an earlier call stopped; the same bytes come from `parts` again."""
        del role  # the chamber knows the caller by its certificate
        received = self._open(machine).received
        session = bytes(machine.facts.session_id)
        with self._calling():
            self._stub.Upload(_requests(session, parts, received), timeout=self._seconds)

    def receipt(self, machine: Machine) -> bytes:
        """Have the chamber run; its sealed receipt."""
        request = pb.RunRequest(**self._shown(machine))
        with self._calling():
            return bytes(self._stub.Run(request, timeout=self._seconds).receipt)

    def results(self, machine: Machine) -> bytes:
        """The sealed results of an ended session; the chamber gives them to its verifier alone."""
        request = pb.ResultsRequest(**self._shown(machine))
        with self._calling():
            return bytes(self._stub.Results(request, timeout=self._seconds).sealed)

    def _open(self, machine: Machine) -> Any:
        request = pb.OpenRequest(**self._shown(machine))
        with self._calling():
            return self._stub.Open(request, timeout=self._seconds)

    def _shown(self, machine: Machine) -> dict[str, Any]:
        """The session, and the earlier attempts at its exercise, from the journal."""
        with _READING:
            row = self._journal.find(session_id=bytes(machine.facts.session_id))
            if row is None:
                raise LocalError(Reason.CORRUPT, f"{self._journal.path}: the session is not in the journal")
            exercise = machine.facts.exercise
            assert exercise is not None
            earlier = self._journal.attempts(row.role, exercise, row.id)
            return {
                "envelopes": self._envelopes(row),
                "earlier": [pb.Attempt(envelopes=self._envelopes(one)) for one in earlier],
            }

    def _envelopes(self, row: SessionRow) -> list[Any]:
        return [envelope_to_wire(turn.envelope) for _, turn in self._journal.turns(row)]

    @contextlib.contextmanager
    def _calling(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            raise transport.to_error(error) from None


def _requests(session: bytes, parts: Iterable[bytes], received: int) -> Iterator[Any]:
    at = 0
    for part in parts:
        rest = memoryview(part)[min(max(received - at, 0), len(part)) :]
        start = at + len(part) - len(rest)
        at += len(part)
        for offset in range(0, len(rest), MAX_CHUNK):
            data = bytes(rest[offset : offset + MAX_CHUNK])
            yield pb.UploadRequest(session_id=session, offset=start + offset, data=data)
