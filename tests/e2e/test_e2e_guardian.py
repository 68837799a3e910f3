"""A witness, a prover and its guardian over real gRPC: what a verifier hides is shown, its claim is void."""

import contextlib
import time

import pytest
from parley_attestation.edge import party, transport, witness_service
from parley_attestation.edge.claiming import awaiting, claim_default
from parley_attestation.edge.endpoint import Endpoint
from parley_attestation.edge.guardian import Guardian, guarding
from parley_attestation.edge.journal import Journal
from parley_attestation.edge.notary import PanelNotary
from parley_attestation.edge.witness_store import WitnessStore
from parley_attestation.errors import LocalError, Reason, Role
from parley_attestation.log.panel import Default, DefaultVerdict
from parley_attestation.log.witness import Event
from parley_attestation.session import messages as m
from parley_prover.answering import Offer
from parley_prover.engines.config import OnnxConfig, open_engine
from parley_prover.service import ProverService, ServerLimits, serve
from parley_verifier import client
from world import make_party, make_world


class Hidden(Exception):  # noqa: N818 - what a verifier does that takes an answer and says nothing
    """The answer came and is not acknowledged."""


class Place:
    """A world with one witness, whose clock the test moves."""

    def __init__(self, folder):
        witness = make_party(folder, Role.WITNESS)
        self.world = make_world(folder, witnesses=[witness.card.root_key], witness_threshold=1)
        self.now = int(time.time())
        self.store = WitnessStore(folder / "witness.sqlite", witness.card.name, witness.root)
        admitted = [self.world.prover.card, self.world.verifier.card]
        self.witness, port = witness_service.serve(
            self.store,
            "127.0.0.1:0",
            transport.server_credentials(witness.card, witness.tls_key, admitted),
            clock=lambda: self.now,
        )
        self.card = witness.card.model_copy(update={"endpoint": f"127.0.0.1:{port}"})
        self.prover_journal = folder / "prover.journal"

    def notary(self, me: party.Party) -> PanelNotary:
        return PanelNotary(me, [self.card])

    def guardian(self) -> Guardian:
        me = self.world.prover
        return Guardian(Role.PROVER, me.session, self.prover_journal, self.notary(me), lambda: self.now)

    @contextlib.contextmanager
    def serving(self):
        made = self.world
        engine = open_engine(OnnxConfig(kind="onnx", model=made.folder / "model.onnx", shape=[64]))
        service = ProverService(
            made.prover,
            [made.verifier.card],
            engine,
            Offer(made.prover.history, (made.claim,)),
            self.prover_journal,
            ServerLimits(),
            self.notary(made.prover),
        )
        server, _ = serve(service, made.prover, [made.verifier.card], f"127.0.0.1:{made.port}", 4)
        try:
            yield
        finally:
            server.stop(grace=0).wait()

    def close(self):
        self.witness.stop(grace=0).wait()
        self.store.close()
        self.world.tests.close()


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.close()


@pytest.fixture
def hiding(monkeypatch):
    """The verifier of this process hides the first answers that come."""
    taken = Endpoint._envelope

    def envelope(self, given):
        if self.policy.role is Role.VERIFIER and given.payload_type == m.payload_type("answers"):
            raise Hidden
        taken(self, given)

    monkeypatch.setattr(Endpoint, "_envelope", envelope)


def claim(place):
    with contextlib.closing(Journal(place.world.folder / "verifier.journal")) as journal:
        row = awaiting(journal, Role.VERIFIER)
        return claim_default(journal, Role.VERIFIER, row, place.notary(place.world.verifier))


def run_and_hide(place):
    job = place.world.job(notary=place.notary(place.world.verifier))
    with place.serving(), pytest.raises(Hidden):
        client.run(job)


@pytest.mark.usefixtures("hiding")
def test_the_attack_works_on_a_prover_without_a_guardian(place):
    run_and_hide(place)
    early = claim(place)
    assert "CLAIM_EARLY" in early
    place.now += 10**6
    found = claim(place)
    assert isinstance(found, Default)
    assert found.verdict is DefaultVerdict.PROVER


@pytest.mark.usefixtures("hiding")
def test_a_guardian_shows_the_hidden_answer_and_the_claim_is_void(place):
    run_and_hide(place)
    claim(place)
    place.guardian().look()
    place.now += 10**6
    assert "CLAIM_VOID" in claim(place)
    exercise = place.world.folder / "prover.journal"
    with contextlib.closing(Journal(exercise)) as journal:
        (row,) = journal.proposed(Role.PROVER)
        events = [
            c.event for c in place.notary(place.world.prover).shown(journal.exercise(row))[0].cosignatures
        ]
    assert events == [Event.ACCEPTED, Event.POSTED, Event.POSTED]


def test_nobody_claims_where_nobody_waits(place):
    job = place.world.job(notary=place.notary(place.world.verifier))
    with place.serving(), guarding(place.guardian()):
        assert client.run(job).done
    with pytest.raises(LocalError) as caught:
        claim(place)
    assert caught.value.reason is Reason.CONFIG
