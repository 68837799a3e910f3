"""Room: the suite. Channels, envelopes, coins, keys and attempts: what a prover keeps, and whom it lets in."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
from parley.v1 import session_pb2 as pb
from parley.v1 import session_pb2_grpc as rpc
from parley_attestation import envelope
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge import party, transport
from parley_attestation.edge.endpoint import Draft, Endpoint
from parley_attestation.edge.journal import Also
from parley_attestation.edge.party import SERVER_NAME
from parley_attestation.encoding import MAX_ENVELOPE, Digest
from parley_attestation.envelope import pae
from parley_attestation.errors import Reason, Role
from parley_attestation.session import messages as m
from parley_attestation.session.machine import Machine
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Turn, stream_digest, to_frames

from parley_conformance.cases.base import RESUME, After, Case, Say, Where, fault, go_on
from parley_conformance.cases.says import ZERO, always, body, changed_content, frames, payload, signatures
from parley_conformance.deviations import long_type, unread
from parley_conformance.harness import (
    Failure,
    Lost,
    Player,
    Refused,
    Target,
    ending,
    expect_refusal,
    sealed,
    shown,
    signed,
)

S = State
MAX_SIDE_RECORDS = 64
_ORDER = 2**252 + 27742317777372353535851937790883648493  # of the Ed25519 base point
_SECOND = Where(S.SEEDED, 2)


# -- the channel


def _describes(target: Target, credentials: grpc.ChannelCredentials) -> pb.DescribeResponse | Refused | Lost:
    options = [*transport.OPTIONS, ("grpc.ssl_target_name_override", SERVER_NAME)]
    with grpc.secure_channel(target.peer.endpoint, credentials, options=options) as channel:
        stub: Any = rpc.ProverStub(channel)  # type: ignore[no-untyped-call]
        try:
            found: pb.DescribeResponse = stub.Describe(pb.DescribeRequest(), timeout=target.seconds)
        except grpc.RpcError as error:
            return ending(error)
        return found


def _let_in(target: Target, credentials: grpc.ChannelCredentials, who: str) -> None:
    """The one place where a broken connection is what must happen: right after it the pinned party gets in."""
    got = _describes(target, credentials)
    if isinstance(got, pb.DescribeResponse):
        raise Failure(f"the prover answered {who}")
    if isinstance(got, Refused) and got.reason != Reason.UNKNOWN_PARTY:
        raise Failure(f"expected no connection or UNKNOWN_PARTY, got {shown(got)}")
    own = transport.channel_credentials(target.party.card, target.party.tls_key, target.peer)
    if not isinstance(_describes(target, own), pb.DescribeResponse):
        raise Failure("the prover no longer answers the party that it pinned")


def _no_certificate(target: Target) -> None:
    roots = target.peer.certificate.encode()
    _let_in(target, grpc.ssl_channel_credentials(root_certificates=roots), "a client without a certificate")


def _strangers_certificate(target: Target) -> None:
    with tempfile.TemporaryDirectory() as folder:
        entropy = target.fresh() + target.fresh()
        made = party.create(
            Path(folder) / "v", name="stranger", role=Role.VERIFIER, entropy=entropy, now=0, years=99
        )
        credentials = transport.channel_credentials(made.card, made.tls_key, target.peer)
    _let_in(target, credentials, "a client with a certificate that nobody pinned")


# -- envelopes


def malleated(p: Player) -> list[pb.Frame]:
    """The honest message, the group order added to the scalar of its signature: the same point equation."""
    found = frames(p)
    (one,) = found[0].envelope.signatures
    scalar = int.from_bytes(one.value[32:], "little") + _ORDER
    one.value = one.value[:32] + scalar.to_bytes(32, "little")
    return found


def oversized(p: Player) -> list[pb.Frame]:
    """A signed payload of one byte more than a payload may have."""
    found = frames(p)
    one = found[0].envelope
    one.payload = bytes(MAX_ENVELOPE + 1)
    one.signatures[0].value = p.target.party.session.sign(pae(one.payload_type, one.payload))
    return found


def uncertified_elsewhere(p: Player) -> Turn:
    """A Hello under an uncertified key that names another channel: the key is looked at first."""
    said: Any = p.draft.body
    made = signed(SigningKey(p.target.fresh()), p.header, replace(said, prover_tls=ZERO))
    return Turn(made, p.draft.blobs)


def unknown_and_misplaced(p: Player) -> Turn:
    """A message with an unknown field that names another predecessor: the place is looked at first."""

    def change(message: Any) -> None:
        message.header.previous = ZERO
        message.MergeFromString(b"\xf8\x3f\x01")

    made: Turn = payload(change)(p)  # type: ignore[assignment]
    return made


class Wordy(Endpoint):
    """Signs payloads that spell their header twice: the same message in other bytes."""

    def _propose(self) -> tuple[Turn, tuple[Also, ...]]:
        honest, also = super()._propose()
        kind = honest.envelope.payload_type
        _, message = m.parse(m.KINDS[kind], honest.envelope.payload)
        head = type(message)(header=message.header).SerializeToString()
        return Turn(sealed(self._key, kind, head + honest.envelope.payload), honest.blobs), also


def _other_bytes(target: Target) -> None:
    player = Player(target, target.exercise(), endpoint=Wordy)
    player.play()
    if player.machine.state is not S.FINISHED:
        raise Failure(f"messages in another encoding: the session ended in state {player.machine.state}")


# -- what is drawn, and what is kept


def _coins(target: Target) -> None:
    """Two exercises have two coins and two keys."""
    first, second = (target.begin(S.SEEDED).machine.facts for _ in range(2))
    if first.coins[Role.PROVER] == second.coins[Role.PROVER]:
        raise Failure("the prover shows the same coin in two exercises")


def _keys(target: Target) -> None:
    """Every output is committed to under a key of its own, also in another exercise."""
    seen: set[bytes] = set()
    for _ in range(2):
        player = target.begin()
        audit = player.machine.facts.audit
        assert audit is not None
        for unit in audit.units:
            blob = player.machine.contents.get(unit.output) if unit.output is not None else None
            if blob is None or blob[:32] in seen:
                raise Failure("two outputs are committed to under one key")
            seen.add(blob[:32])


def _aborts(machine: Machine, draft: Draft) -> Draft:
    """A verifier that gives up when its first challenge was answered."""
    answered = machine.facts.audit is not None and bool(machine.facts.audit.units)
    return Draft(m.Abort("TIMEOUT", "the suite tries again")) if answered else draft


def _tries_again(target: Target, state: State | None = None) -> Player:
    """A second attempt at an exercise whose first ended after one answered challenge."""
    first = target.begin(shape="plain", mutate=_aborts)
    if first.machine.state is not S.ABORTED:
        raise Failure(f"an aborted session ended in state {first.machine.state}")
    player = Player(target, first.exercise, state, journal=first.journal)
    player.play()
    return player


def _second_attempt(target: Target) -> None:
    """The second attempt goes on with the coins, the order and the answers of the first, and ends."""
    player = _tries_again(target)
    facts = player.machine.facts
    if player.machine.state is not S.FINISHED or facts.attempt != 2:
        raise Failure(f"attempt {facts.attempt} ended in state {player.machine.state}")


def _continues(name: str, what: str, say: Say, reason: Reason) -> Case:
    def run(target: Target) -> None:
        player = _tries_again(target, S.READY)
        said = say(player)
        player.stream.send(to_frames(said) if isinstance(said, Turn) else said)
        expect_refusal(player.stream, frozenset({reason}))
        go_on(player, After.ENDED)
        _second_attempt(target)

    return Case(name, what, ("ATT-1",), run, frozenset({reason}))


def half_opened(_: Machine, draft: Draft) -> Draft:
    """A verifier that shows one reference at a time."""
    if not isinstance(draft.body, m.Open):
        return draft
    one = draft.blobs[:1]
    return Draft(m.Open(draft.body.sizes[:1], stream_digest(one)), one)


def side_records(p: Player) -> list[pb.Frame]:
    """One side record more than a session may have, all different."""
    key = p.target.party.session
    made = (envelope.to_json(sealed(key, "x", bytes([n]))) for n in range(MAX_SIDE_RECORDS + 1))
    return [pb.Frame(side=pb.SideRecord(sealed=one)) for one in made]


def _short_key(message: Any) -> None:
    message.key = bytes(31)


def _first_head(_: Player) -> tuple[Digest, ...]:
    return (ZERO,)


_POSITIVE: tuple[tuple[str, str, str, Callable[[Target], None]], ...] = (
    ("no-certificate", "a client without a certificate is let in nowhere", "TLS-1", _no_certificate),
    (
        "strangers-certificate",
        "a client that nobody pinned is let in nowhere",
        "TLS-1",
        _strangers_certificate,
    ),
    ("other-encoding", "the same messages in other bytes, signed as they are", "ENV-3", _other_bytes),
    ("coins-drawn", "two exercises, two coins", "COIN-2", _coins),
    ("keys-drawn", "as many keys as outputs", "ANS-2", _keys),
    ("second-attempt", "an attempt that goes on where the first gave up", "ATT-1 COIN-2", _second_attempt),
)

CASES: tuple[Case, ...] = (
    *(Case(name, what, tuple(needs.split()), run) for name, what, needs, run in _POSITIVE),
    _continues("attempt-skipped", "attempt 3 after attempt 1", body(attempt=3), Reason.BAD_ATTEMPT),
    _continues(
        "attempt-of-another-past",
        "a second attempt that names another end of the first",
        lambda p: body(earlier_heads=_first_head(p))(p),
        Reason.BAD_ATTEMPT,
    ),
    _continues(
        "attempt-with-another-coin",
        "a second attempt with another coin",
        body(coin_commitment=ZERO),
        Reason.BAD_COIN,
    ),
    fault(
        "malleated-signature",
        "a signature whose scalar is not reduced",
        "SIG-1",
        _SECOND,
        malleated,
        {Reason.BAD_SIGNATURE},
        After.RESUMES,
    ),
    fault(
        "signature-before-payload",
        "a payload that does not parse under a signature that does not hold",
        "ENV-2",
        _SECOND,
        unread,
        {Reason.BAD_SIGNATURE},
        After.RESUMES,
    ),
    fault(
        "nine-signatures",
        "a message with its signature nine times",
        "ENV-4",
        _SECOND,
        signatures(9),
        {Reason.MALFORMED},
        After.RESUMES,
    ),
    fault(
        "payload-over-limit",
        "a payload of one byte more than the limit",
        "ENV-4",
        _SECOND,
        oversized,
        {Reason.TOO_LARGE},
        After.RESUMES,
    ),
    fault(
        "payload-type-over-limit",
        "a payload type of one character more than the limit",
        "ENV-4",
        _SECOND,
        long_type,
        {Reason.MALFORMED},
        After.RESUMES,
    ),
    fault(
        "key-before-channel",
        "an uncertified key over another channel",
        "HELLO-3",
        S.START,
        uncertified_elsewhere,
        {Reason.KEY_NOT_CERTIFIED},
        After.FRESH,
    ),
    fault(
        "place-before-content",
        "an unknown field in a message that names another predecessor",
        "CHAIN-1",
        _SECOND,
        unknown_and_misplaced,
        {Reason.WRONG_PREVIOUS},
        After.RESUMES,
    ),
    fault(
        "key-of-31-bytes",
        "a coin under a key of 31 bytes",
        "FRAME-2",
        S.ACCEPTED,
        payload(_short_key),
        {Reason.MALFORMED},
        After.ENDED,
    ),
    fault(
        "abort-for-no-reason",
        "an abort with a reason that no table has",
        "ACC-2",
        S.SEEDED,
        always(m.Abort("BECAUSE", "")),
        {Reason.MALFORMED},
        After.ENDED,
    ),
    fault(
        "counts-of-another-plan",
        "a stop with two counts where there is one population",
        "STOP-1",
        S.SEEDED,
        always(m.Stop((1, 1))),
        {Reason.WRONG_UNITS},
        After.ENDED,
    ),
    fault(
        "acknowledged-half-opened",
        "an acknowledgement when one reference was shown",
        "ACK-1",
        Where(S.OPENED, mutate=half_opened),
        always(m.Acknowledge(ZERO, ZERO, ZERO)),
        {Reason.OUT_OF_ORDER},
        After.ENDED,
    ),
    fault(
        "other-result-root",
        "an acknowledgement with another root of the result bits",
        "ACK-3",
        S.OPENED,
        body(result_root=ZERO),
        {Reason.WRONG_RESULT_BITS},
        After.ENDED,
    ),
    fault(
        "other-result-bits",
        "an acknowledgement with one result bit changed",
        "ACK-3",
        S.OPENED,
        changed_content,
        {Reason.WRONG_RESULT_BITS},
        After.ENDED,
    ),
    replace(
        fault(
            "side-records-over-limit",
            "one side record more than a session may have",
            "SIDE-1",
            _SECOND,
            side_records,
            {Reason.TOO_LARGE},
            After.RESUMES,
        ),
        capability=RESUME,
    ),
)
