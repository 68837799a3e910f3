"""Room: the suite. The one-RPC harness around the reference verifier; `parley conformance harness` starts it.

It shows what an implementer writes: a request becomes one run of the normal client, and what the client
decides becomes the answer. It holds keys that guard nothing and listens on the loopback.
"""

import contextlib
import re
import tempfile
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from parley.conformance.v1 import harness_pb2 as pb
from parley.conformance.v1 import harness_pb2_grpc as rpc
from parley_attestation import keys, merkle
from parley_attestation.commitment import Field, SetName, commit_item, content_digest
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.edge.journal import Journal
from parley_attestation.edge.party import Party, PeerCard
from parley_attestation.edge.records import write_record
from parley_attestation.encoding import Digest, Salt
from parley_attestation.errors import ParleyError, PeerError, Role
from parley_attestation.registration import read_registration
from parley_attestation.session.tables import State
from parley_verifier import client

MAX_MESSAGE = 64 << 20
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
Run = Callable[..., Any]


class ItemSet:
    """A hidden set (`parley_verifier.challenge.HiddenSet`) from the items of a request."""

    def __init__(self, request: Any) -> None:
        self.registration = request.registration
        root = PublicKey(request.verifier.root_key)
        public = read_registration(self.registration, root)
        self._items = request.items
        name = SetName(keys.fingerprint(root), public.set_id)
        self._commitments = [
            {field: self._commit(name, index, field) for field in Field} for index in range(len(self._items))
        ]
        self._tree = merkle.Tree(
            merkle.leaf_hash(one[Field.PROMPT] + one[Field.REFERENCE]) for one in self._commitments
        )

    def _commit(self, name: SetName, index: int, field: Field) -> Digest:
        content = self.prompt(index) if field is Field.PROMPT else self.reference(index)
        return commit_item(self.key(index, field), name, index, field, content_digest(content))

    def prompt(self, index: int) -> bytes:
        """The prompt of an item."""
        return bytes(self._items[index].prompt)

    def reference(self, index: int) -> bytes:
        """The reference of an item."""
        return bytes(self._items[index].reference)

    def key(self, index: int, field: Field) -> Salt:
        """The key that opens one field of an item."""
        item = self._items[index]
        return Salt(item.prompt_key if field is Field.PROMPT else item.reference_key)

    def commitment(self, index: int, field: Field) -> Digest:
        """The commitment to one field of an item."""
        return self._commitments[index][field]

    def inclusion(self, index: int) -> tuple[Digest, ...]:
        """The inclusion proof of an item."""
        return self._tree.inclusion(index)


class VerifierHarness(rpc.VerifierHarnessServicer):
    """Answers for the reference verifier; `run` is its client, and journals lie in `folder`."""

    def __init__(self, folder: Path, run: Run = client.run) -> None:
        self._folder, self._run = folder, run

    def RunSession(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - the name of the call
        """Run one session and say what the verifier decided."""
        if not _NAME.fullmatch(request.journal):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "expected a journal's name")
        job = self._job(request)
        answer = pb.RunSessionResponse()
        try:
            with contextlib.closing(Journal(job.journal)) as journal:
                unfinished = journal.unfinished(Role.VERIFIER)
            ended = self._run(job, resume=unfinished[0] if unfinished else None)
            if ended.machine.state is State.FINISHED:
                answer.verdict = ended.machine.facts.verdict.predicate["overall"]
        except ParleyError as error:
            answer.reason = error.reason.value
            if isinstance(error, PeerError) and error.blamed is not None:
                answer.blamed = error.blamed.value
        answer.transcript = _record(job.journal)
        return answer

    def _job(self, request: Any) -> client.Run:
        who = request.verifier
        root = PublicKey(who.root_key)
        card = PeerCard(
            name="verifier",
            role=Role.VERIFIER,
            root=keys.fingerprint(root).hex(),
            root_key=root.hex(),
            certificate=who.certificate.decode(),
        )
        own = Party(
            self._folder, card, SigningKey(who.session_seed), tuple(who.key_history), who.certificate_key
        )
        peer = PeerCard(
            name="prover",
            role=Role.PROVER,
            root=request.prover.root.hex(),
            root_key=bytes(32).hex(),  # not needed: the fingerprint is what is pinned
            certificate=request.prover.certificate.decode(),
            endpoint=request.endpoint,
        )
        return client.Run(
            party=own,
            peer=peer,
            terms=request.terms,
            tests=ItemSet(request),
            journal=self._folder / f"{request.journal}.journal",
            silence=float(request.deadline_seconds),
            seconds=float(request.deadline_seconds),
        )


def _record(path: Path) -> bytes:
    """The record of the journal's last session; empty where there is none."""
    with contextlib.closing(Journal(path)) as journal, tempfile.TemporaryDirectory() as folder:
        row = journal.last(Role.VERIFIER)
        if row is None:
            return b""
        made = Path(folder) / "record.parley"
        write_record(journal, row, made)
        return made.read_bytes()


def serve(harness: VerifierHarness, address: str) -> tuple[grpc.Server, int]:
    """Start a harness at `address` (host:port), in the clear; the server and its port.

    Raises:
        RuntimeError: The address cannot be bound.
    """
    server = grpc.server(
        futures.ThreadPoolExecutor(8, thread_name_prefix="harness"),
        options=[("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.so_reuseport", 0)],
    )
    rpc.add_VerifierHarnessServicer_to_server(harness, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port(address)
    server.start()
    return server, port
