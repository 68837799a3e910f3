"""Room: the suite. The cases for a chamber under test: one run, on the committed content, once both released."""

from collections.abc import Callable
from dataclasses import replace

from parley.v1 import chamber_pb2 as pb
from parley.v1 import session_pb2
from parley_attestation.edge.party import Party, PeerCard
from parley_attestation.encoding import MAX_CHUNK, Digest
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.runtime import OnnxRuntime
from parley_attestation.session.tables import State
from parley_attestation.session.turns import envelope_to_wire

from parley_conformance.arena import Session, Stop
from parley_conformance.cases.base import Case, Profile
from parley_conformance.deviations import flip
from parley_conformance.harness import Failure, Lost, Refused
from parley_conformance.roles.chamber import OTHER_MODEL, Chamber, Link, Plan, finished, outcome, refuses
from parley_conformance.roles.chamber_ended import ENDED
from parley_conformance.roles.chamber_faults import SHOWN
from parley_conformance.roles.chamber_further import FURTHER
from parley_conformance.roles.requirements import requirements
from parley_conformance.run import Suite

R, S = Reason, State
V, P = Role.VERIFIER, Role.PROVER
SEEDED = 6  # messages up to the seed
FUZZED = 40  # sessions with one changed bit that the extended profile shows


def _describe(target: Chamber) -> None:
    said = target.described
    if said.sandbox not in {"bubblewrap", "none"} or len(said.operator) != 32:
        raise Failure("Describe does not say how boxes are kept apart, or names no operator")
    if bytes(target.runtime.digest()) not in {bytes(one) for one in said.runtimes}:
        raise Failure("Describe does not list the runtime that the operator configured for the suite")


def _honest(target: Chamber) -> None:
    """A whole session: keys, two uploads, one run, a receipt that both parties accept."""
    session = target.session(target.plan())
    finished(session)
    for role in (V, P):
        if session.ends[role].machine.state is not S.FINISHED:
            raise Failure(f"the {role}'s session did not finish")


def _wrong_answers(target: Chamber) -> None:
    """References that no answer meets: the exact count, a violation."""
    items = [(prompt, b"9") for prompt, _ in target.plan().items]
    plan = target.plan(registered=items)
    finished(target.session(plan), "VIOLATION")


def _same_again(target: Chamber) -> None:
    """The same session gets the same keys, and after its run the same receipt."""
    session = target.session(target.plan())
    seeded = target.envelopes(session, count=SEEDED)
    first, second = target.open(seeded), target.open(seeded, P)
    if isinstance(first, Refused | Lost) or isinstance(second, Refused | Lost) or first.keys != second.keys:
        raise Failure("one session got two different keys")
    released = target.envelopes(session, count=SEEDED + 3)
    again, other = target.run(released), target.run(released, P)
    if (
        isinstance(again, Refused | Lost)
        or isinstance(other, Refused | Lost)
        or again.receipt != other.receipt
    ):
        raise Failure("one run gave two different receipts")


def _other_keys(target: Chamber) -> None:
    """Two sessions have different keys."""
    found = [target.session(target.plan(), Stop(V, S.EVIDENCED)) for _ in range(2)]
    keys = [one.ends[V].machine.facts for one in found]
    if keys[0].session_id == keys[1].session_id:
        raise Failure("two sessions have one id")
    opened = [target.open(target.envelopes(one, count=SEEDED)) for one in found]
    if any(isinstance(one, Refused | Lost) for one in opened) or opened[0].keys == opened[1].keys:
        raise Failure("two sessions got the same keys")


def _early(target: Chamber) -> None:
    """A session whose seed is not fixed gets no keys."""
    session = target.session(target.plan(), Stop(P, S.COIN_SHOWN))
    greeted = (R.UNKNOWN_PARTY, R.OUT_OF_ORDER, R.BAD_RUNTIME)
    reasons = {0: (R.UNKNOWN_PARTY,), 1: greeted, 2: greeted[1:]}
    for count in range(SEEDED):  # before the terms it is nobody's session, or of no runtime
        refuses(target.open(target.envelopes(session, count=count)), *reasons.get(count, (R.OUT_OF_ORDER,)))
    finished(target.session(target.plan()))


def _unreleased(target: Chamber) -> None:
    """Nothing runs before both parties released their keys on the record."""
    session = target.session(target.plan(), Stop(P, S.RELEASED))
    for count in (SEEDED, SEEDED + 1, SEEDED + 2):
        refuses(target.run(target.envelopes(session, count=count)), R.OUT_OF_ORDER)
    finished(target.session(target.plan()))


def _altered(target: Chamber) -> None:
    """A session with a changed signature, in another order, cut, or of garbage."""
    session = target.session(target.plan(), Stop(V, S.EVIDENCED))
    honest = target.envelopes(session, count=SEEDED)
    changed = [session_pb2.Envelope.FromString(one.SerializeToString()) for one in honest]
    changed[3].signatures[0].value = flip(changed[3].signatures[0].value)
    refuses(target.open(changed), R.BAD_SIGNATURE)
    refuses(target.open([honest[1], honest[0], *honest[2:]]), R.WRONG_SEQUENCE)
    refuses(target.open([*honest[:2], *honest[3:]]), R.WRONG_SEQUENCE)
    refuses(target.open([session_pb2.Envelope(payload_type="x", payload=b"?")]), R.MALFORMED)
    refuses(target.open(honest * 20), R.TOO_LARGE)
    if isinstance(target.open(honest), Refused | Lost):
        raise Failure("the honest session is refused after the others")


def _runtime(target: Chamber) -> None:
    """Terms that name a runtime which Describe does not list."""
    plan = target.plan(runtime=Digest(target.arena.fresh()))
    session = _until_open(target, plan)
    refuses(session, R.BAD_RUNTIME)
    finished(target.session(target.plan()))


def _until_open(target: Chamber, plan: Plan) -> object:
    """Show the chamber a session that it should not take: how the call ended."""
    session = target.session(plan, Stop(P, S.COIN_SHOWN))
    speaker = session.speaker(P)
    shown = target.envelopes(session, P)
    wire = speaker.turn()
    return target.open([*shown, envelope_to_wire(wire.envelope)])


def _resumed(target: Chamber) -> None:
    """An upload in pieces, over several calls, goes on where it stopped."""

    def upload(link: Link, session: bytes, content: bytes) -> None:
        for at, end in ((0, 200), (200, 201), (201, len(content))):
            if link.send(session, at, content[at:end]) != end:
                raise Failure("the chamber says another size than was sent")

    plan = replace(target.plan(), uploads={V: upload, P: upload})
    finished(target.session(plan))


def _elsewhere(target: Chamber) -> None:
    """Content at another offset: a gap, and bytes that are there; then the right ones."""

    def upload(link: Link, session: bytes, content: bytes) -> None:
        link.send(session, 0, content[:300])
        for offset in (0, 299, 301, len(content)):
            _bad_seal(lambda o=offset: link.send(session, o, content[o : o + 10] or b"x"))  # type: ignore[misc]
        link.send(session, 300, content[300:])

    finished(target.session(replace(target.plan(), uploads={V: upload})))


def _bad_seal(send: Callable[[], object]) -> None:
    try:
        send()
    except PeerError as error:
        if error.reason is not R.BAD_SEAL:
            raise Failure(f"expected a refusal with BAD_SEAL, got {error.reason}") from None
        return
    raise Failure("expected a refusal with BAD_SEAL, got acceptance")


def _spliced(target: Chamber) -> None:
    """Content that was sealed for another session, and for the other party."""
    taken: dict[Role, bytes] = {}

    def keep(link: Link, session: bytes, content: bytes) -> None:
        taken[link.role] = content
        link.send(session, 0, content)

    finished(target.session(replace(target.plan(), uploads={V: keep, P: keep})))

    def splice(link: Link, session: bytes, content: bytes) -> None:
        for foreign in (taken[V], taken[P]):
            _bad_seal(lambda f=foreign: link.send(session, 0, f))  # type: ignore[misc]
        link.send(session, 0, content)

    finished(target.session(replace(target.plan(), uploads={V: splice})))


def _refused(session: Session, reason: Reason, blamed: Role | None) -> None:
    """Check how a session ended without a receipt."""
    got, named = outcome(session)
    if got != reason:
        raise Failure(f"expected {reason}, got {got or 'a receipt'}")
    wanted = blamed.value if blamed is not None else ""
    if named != wanted:
        raise Failure(f"expected to name {wanted or 'nobody'}, got {named or 'nobody'}")


def _damaged(change: Callable[[bytes], bytes], role: Role) -> Callable[[Chamber], None]:
    """Sealed content that was damaged: nothing is run, and the reason leaves the chamber."""

    def upload(link: Link, session: bytes, content: bytes) -> None:
        link.send(session, 0, change(content))

    def run(target: Chamber) -> None:
        _refused(target.session(replace(target.plan(), uploads={role: upload})), R.BAD_SEAL, role)
        finished(target.session(target.plan()))

    return run


def _swapped_tests(target: Chamber) -> None:
    items = [(prompt, b"0") for prompt, _ in target.plan().items]
    _refused(target.session(target.plan(items=items)), R.BAD_OPENING, V)
    finished(target.session(target.plan()))


def _swapped_weights(target: Chamber) -> None:
    _refused(target.session(target.plan(weights=OTHER_MODEL)), R.BAD_MODEL_CLAIM, P)
    finished(target.session(target.plan()))


def _quota(target: Chamber) -> None:
    """A second exercise over the same set and model is not run."""
    plan = target.plan()
    finished(target.session(plan))
    _refused(target.session(target.again(plan)), R.QUOTA_EXHAUSTED, None)
    finished(target.session(target.plan()))


def _nothing_uploaded(target: Chamber) -> None:
    """Both released, and one content is not there."""
    session = target.session(replace(target.plan(), uploads={P: lambda *_: None}))
    _refused(session, R.OUT_OF_ORDER, None)
    finished(target.session(target.plan()))


def _strange_sessions(target: Chamber) -> None:
    """Uploads and runs of sessions that are not there."""
    unknown = target.arena.fresh()
    part = pb.UploadRequest(session_id=unknown, data=b"x")
    refuses(target.call(V, "Upload", iter([part])), R.WRONG_SESSION)
    session = target.session(target.plan(), Stop(V, S.EVIDENCED))
    held = bytes(session.ends[V].machine.facts.session_id)
    for data in (b"", bytes(MAX_CHUNK + 1)):
        part = pb.UploadRequest(session_id=held, data=data)
        refuses(target.call(V, "Upload", iter([part])), R.TOO_LARGE)
    refuses(target.run([]), R.OUT_OF_ORDER, R.UNKNOWN_PARTY)
    finished(target.session(target.plan()))


def _fuzz(target: Chamber) -> None:
    """One bit of a session changes: a typed refusal, never an internal failure."""
    session = target.session(target.plan(), Stop(V, S.EVIDENCED))
    honest = target.envelopes(session, count=SEEDED)
    for _ in range(FUZZED):
        drawn = int.from_bytes(target.arena.fresh()[:8], "big")
        one = session_pb2.Envelope.FromString(honest[drawn % SEEDED].SerializeToString())
        at = drawn % (len(one.payload) * 8)
        changed = bytearray(one.payload)
        changed[at // 8] ^= 1 << at % 8
        one.payload = bytes(changed)
        answer = target.open([*honest[: drawn % SEEDED], one, *honest[drawn % SEEDED + 1 :]])
        if not isinstance(answer, Refused):
            raise Failure(f"a changed bit ({drawn}): expected a typed refusal")
    finished(target.session(target.plan()))


def _case(
    name: str, what: str, needs: str, run: Callable[[Chamber], None], profile: Profile = Profile.CORE
) -> Case:
    return Case(name, what, tuple(needs.split()), run, profile=profile)


_DAMAGES: tuple[tuple[str, str, Callable[[bytes], bytes], Role], ...] = (
    ("cut", "cut off", lambda c: c[:-1], P),
    ("longer", "with a byte more", lambda c: c + b"x", V),
    ("flipped", "with one bit changed", lambda c: flip(c, len(c) - 20), V),
)
CHAMBER: tuple[Case, ...] = (
    _case("describe", "Describe says what it must", "CH-DESCRIBE", _describe),
    _case("honest", "a whole sealed session", "CH-RUN FRAME-1 ENV-1 GRADE-1", _honest),
    _case("wrong-answers", "answers that meet no reference", "CH-RUN GRADE-1", _wrong_answers),
    _case("same-again", "keys and receipt asked for again", "CH-ONCE", _same_again),
    _case("other-keys", "keys of two sessions", "CH-ONCE", _other_keys),
    _case("early", "a session before its seed", "CH-ORDER", _early),
    _case("unreleased", "a run before both releases", "CH-ORDER", _unreleased),
    _case("nothing-uploaded", "a run without one content", "CH-ORDER", _nothing_uploaded),
    _case("altered-session", "sessions that no honest party shows", "CHAIN-1 ERR-1", _altered),
    _case("strange-sessions", "sessions and parts that are not there", "CH-UPLOAD ERR-1", _strange_sessions),
    _case("other-runtime", "a runtime that Describe does not list", "CH-DESCRIBE", _runtime),
    _case("upload-in-pieces", "an upload over several calls", "CH-UPLOAD", _resumed),
    _case("upload-elsewhere", "content at another offset", "CH-UPLOAD", _elsewhere),
    _case("upload-spliced", "content of another session or party", "CH-SEAL HPKE-2", _spliced),
    *(
        _case(f"upload-{name}", f"content {what}", "CH-SEAL HPKE-2", _damaged(change, role))
        for name, what, change, role in _DAMAGES
    ),
    _case("swapped-tests", "tests that were not committed to", "CH-COMMITTED SEAL-7", _swapped_tests),
    _case("swapped-weights", "weights that were not committed to", "CH-COMMITTED SEAL-7", _swapped_weights),
    *SHOWN,
    *FURTHER,
    *ENDED,
    _case("quota", "a second run of one set and model", "CH-QUOTA SEAL-6", _quota),
    _case("one-changed-bit", f"{FUZZED} changed bits", "CHAIN-1 ERR-1", _fuzz, Profile.EXTENDED),
)


def suite(card: PeerCard, parties: dict[Role, Party], runtime: OnnxRuntime, seconds: float = 120.0) -> Suite:
    """The suite for the chamber on a card, with the parties that it admits and a runtime that it offers."""
    return Suite(
        "chamber",
        requirements(CHAMBER),
        CHAMBER,
        lambda seed, folder: Chamber(card, parties, runtime, seed, folder, seconds),
    )
