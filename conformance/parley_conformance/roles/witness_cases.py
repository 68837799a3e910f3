"""Room: the suite. The cases for a witness under test: one head, one session, one time, and hostile bytes."""

import itertools
from collections.abc import Callable
from dataclasses import replace

from parley.v1 import witness_pb2 as pb
from parley_attestation.edge.witness_client import Address
from parley_attestation.encoding import Digest
from parley_attestation.errors import Reason, Role
from parley_attestation.log.witness import Event

from parley_conformance.cases.base import Case, Profile
from parley_conformance.harness import Failure, Lost, Refused
from parley_conformance.roles import witness_requests as requests
from parley_conformance.roles.requirements import requirements
from parley_conformance.roles.witness import Answer, Witness
from parley_conformance.run import Suite

E, R = Event, Reason
V, P = Role.VERIFIER, Role.PROVER
MAX_EVENTS = 256  # cosignatures of one exercise
FAR = 300 * 24 * 3600  # seconds that nobody waits


def _same(first: Answer, second: Answer) -> None:
    if first != second or not isinstance(first, bytes):
        raise Failure("the same was asked again and the answer is another")


# -- honest requests


def _events(target: Witness) -> None:
    """Every event, by the party that asks for it."""
    at = target.attempt()
    at.accept()
    for event, requester, sequence, author in (
        (E.POSTED, V, 5, V),
        (E.POSTED, P, 6, P),
        (E.RELAYED, P, 5, V),
        (E.DEFAULT, P, 6, P),
        (E.POSTED, V, 7, V),
        (E.END, V, 9, P),
    ):
        record = at.message(sequence, author)
        request = at.request(event, requester, sequence, record)
        said = target.cosigned(target.ask(request, record), request)
        wanted = E.LATE if sequence == 7 else event
        if said.event is not wanted or said.requester is not requester:
            raise Failure(f"asked for {event} by the {requester}, got {said.event} by the {said.requester}")
    other = target.attempt()
    target.cosigned(other.ask(E.DECLINE, P, 4))


def _asked_again(target: Witness) -> None:
    at = target.attempt()
    _same(at.ask(E.ACCEPTED, P, 4), at.ask(E.ACCEPTED, P, 4))
    _same(at.ask(E.POSTED, V, 5), at.ask(E.POSTED, V, 5))
    if at.ask(E.ACCEPTED, V, 4, P) != at.ask(E.ACCEPTED, P, 4):
        raise Failure("an acceptance has one cosignature, whoever asks")
    digest = target.arena.fresh()
    _same(target.register(digest), target.register(digest))


def _lookup(target: Witness) -> None:
    """What was signed is shown, from a number on, with the record behind a head; nothing of what is unknown."""
    at = target.attempt()
    first = at.accept()
    record = at.message(5, V)
    second = target.cosigned(at.ask(E.POSTED, V, 5))
    page = target.call("Lookup", pb.LookupRequest(exercise=at.exercise, head=record.head()))
    if isinstance(page, Refused | Lost) or len(page.sealed) != 2:
        raise Failure("a look-up does not show what was cosigned")
    if [target.cosigned(bytes(one)) for one in page.sealed] != [first, second]:
        raise Failure("a look-up shows other statements than were given")
    if page.record.payload != record.payload:
        raise Failure("a look-up does not show the record that was left")
    rest = target.call("Lookup", pb.LookupRequest(exercise=at.exercise, first_number=second.number))
    if isinstance(rest, Refused | Lost) or len(rest.sealed) != 1:
        raise Failure("a look-up from a number on shows something else")
    for unknown in (
        pb.LookupRequest(exercise=target.arena.fresh()),
        pb.LookupRequest(digest=target.arena.fresh()),
    ):
        found = target.call("Lookup", unknown)
        if isinstance(found, Refused | Lost) or found.sealed or found.HasField("record"):
            raise Failure("a look-up of what nobody showed is not empty")


def _registered(target: Witness) -> None:
    digest = target.arena.fresh()
    said = target.receipt(target.register(digest), digest)
    page = target.call("Lookup", pb.LookupRequest(digest=digest))
    if isinstance(page, Refused | Lost) or [target.receipt(bytes(one), digest) for one in page.sealed] != [
        said
    ]:
        raise Failure("a look-up of a digest does not show its receipt")
    for wrong in (b"", digest[:31], digest + b"\0"):
        target.refuses(target.register(wrong), R.MALFORMED)


# -- what may not be signed


def _monotone(target: Witness) -> None:
    """Numbers rise with every statement, and times never fall."""
    seen: list[tuple[int, int]] = []
    for _ in range(6):
        digest = target.arena.fresh()
        receipt = target.receipt(target.register(digest), digest)
        accepted = target.attempt().accept()
        seen += [(receipt.number, receipt.time), (accepted.number, accepted.time)]
    _rising(seen)


def _at_once(target: Witness) -> None:
    """Sixteen calls at once: sixteen numbers, and times that run with them."""
    digests = [target.arena.fresh() for _ in range(16)]
    calls: list[Callable[[], Answer]] = [lambda d=d: target.register(d) for d in digests]  # type: ignore[misc]
    answers = target.at_once(calls)
    found = [target.receipt(one, digest) for one, digest in zip(answers, digests, strict=True)]
    _rising(sorted((one.number, one.time) for one in found))


def _rising(seen: list[tuple[int, int]]) -> None:
    for (number, time), (next_number, next_time) in itertools.pairwise(seen):
        if next_number <= number:
            raise Failure(f"number {next_number} came after number {number}")
        if next_time < time:
            raise Failure(f"time {next_time} came after time {time}")


def _race(target: Witness) -> None:
    """Eight heads for one slot at once: one of them is signed."""
    at = target.attempt()
    at.accept()
    texts = [str(n) for n in range(8)]
    calls: list[Callable[[], Answer]] = [lambda t=t: at.ask(E.POSTED, V, 5, text=t) for t in texts]  # type: ignore[misc]
    answers = target.at_once(calls)
    if sum(isinstance(one, bytes) for one in answers) != 1:
        raise Failure("of several heads for one slot not exactly one was signed")


def _two_heads(target: Witness) -> None:
    """A second head for a slot, of one party; and of the end, whoever asks."""
    at = target.attempt()
    at.accept()
    first = at.ask(E.POSTED, V, 5)
    refused = target.refuses(at.ask(E.POSTED, V, 5, text="another"), R.EQUIVOCATION)
    del refused
    _same(first, at.ask(E.POSTED, V, 5))
    target.cosigned(at.ask(E.END, P, 9))
    target.refuses(at.ask(E.END, V, 9, text="another"), R.EQUIVOCATION)
    target.cosigned(at.ask(E.POSTED, P, 6))


def _two_acceptances(target: Witness) -> None:
    at = target.attempt()
    at.accept()
    target.refuses(at.ask(E.ACCEPTED, P, 4, text="another"), R.EQUIVOCATION)
    target.refuses(at.ask(E.DECLINE, P, 4), R.OUT_OF_ORDER)
    _same(at.ask(E.ACCEPTED, P, 4), at.ask(E.ACCEPTED, P, 4))


def _two_sessions(target: Witness) -> None:
    at = target.attempt()
    at.accept()
    other = replace(at, session=Digest(target.arena.fresh()))
    target.refuses(other.ask(E.POSTED, V, 5), R.BAD_ATTEMPT)
    target.cosigned(at.ask(E.POSTED, V, 5))


def _attempts(target: Witness) -> None:
    """The second attempt after the first, none out of nothing, none after the end."""
    at = target.attempt()
    target.refuses(at.later().ask(E.ACCEPTED, P, 4), R.BAD_ATTEMPT)
    at.accept()
    second = at.later()
    target.refuses(second.later().ask(E.ACCEPTED, P, 4), R.BAD_ATTEMPT)
    second.accept()
    target.cosigned(second.ask(E.END, V, 9))
    target.refuses(second.later().ask(E.ACCEPTED, P, 4), R.BAD_ATTEMPT)
    declined = target.attempt()
    target.cosigned(declined.ask(E.DECLINE, P, 4))
    target.refuses(declined.later().ask(E.ACCEPTED, P, 4), R.BAD_ATTEMPT)


def _unknown(target: Witness) -> None:
    """Nothing is signed about an exercise whose acceptance nobody showed."""
    at = target.attempt()
    for event, sequence in ((E.POSTED, 5), (E.RELAYED, 5), (E.DEFAULT, 5), (E.END, 9)):
        target.refuses(at.ask(event, V, sequence), R.OUT_OF_ORDER)
    at.accept()
    target.cosigned(at.ask(E.POSTED, V, 5))
    target.refuses(at.ask(E.POSTED, V, 3), R.OUT_OF_ORDER)


def _claims(target: Witness) -> None:
    """A claim needs a witnessed head, a passed deadline, and silence."""
    at = target.attempt()
    at.accept()
    target.refuses(at.ask(E.DEFAULT, V, 5), R.OUT_OF_ORDER)
    target.cosigned(at.ask(E.POSTED, V, 5))
    target.refuses(at.ask(E.DEFAULT, V, 5, deadline=FAR), R.CLAIM_EARLY)
    target.cosigned(at.ask(E.POSTED, P, 6))
    target.refuses(at.ask(E.DEFAULT, V, 5), R.CLAIM_VOID)
    silent = target.attempt()
    silent.accept()
    target.cosigned(silent.ask(E.POSTED, V, 5))
    target.cosigned(silent.ask(E.DEFAULT, V, 5))
    late = target.cosigned(silent.ask(E.POSTED, P, 6))
    if late.event is not E.LATE:
        raise Failure("a record after a claim is not called late")


def _full(target: Witness) -> None:
    """An exercise with as many events as one may have."""
    at = target.attempt()
    at.accept()
    for number in range(1, MAX_EVENTS):
        target.cosigned(at.ask(E.POSTED, V, 4 + number))
    target.refuses(at.ask(E.POSTED, V, 5 + MAX_EVENTS), R.SESSION_LIMIT)
    _same(at.ask(E.POSTED, V, 5), at.ask(E.POSTED, V, 5))
    page = target.call("Lookup", pb.LookupRequest(exercise=at.exercise))
    if isinstance(page, Refused | Lost) or len(page.sealed) != MAX_EVENTS or page.more:
        raise Failure("a look-up does not show all that an exercise may have")
    target.attempt().accept()


def _case(
    name: str, what: str, needs: str, run: Callable[[Witness], None], profile: Profile = Profile.CORE
) -> Case:
    return Case(name, what, tuple(needs.split()), run, profile=profile)


WITNESS: tuple[Case, ...] = (
    _case("events", "every event that a party may ask for", "STMT-2 FRAME-1 ENV-1", _events),
    _case("registered", "the receipt of a digest", "STMT-2", _registered),
    _case("lookup", "what a look-up shows", "WIT-1", _lookup),
    _case("asked-again", "the same requests again", "WIT-1", _asked_again),
    _case("monotone", "numbers and times of a row of statements", "WIT-2", _monotone),
    _case("at-once", "sixteen registrations at once", "WIT-2", _at_once),
    _case("race", "eight heads for one slot at once", "WIT-2", _race),
    _case("two-heads", "a second head for a slot", "WIT-2", _two_heads),
    _case("two-acceptances", "a second head for the acceptance", "WIT-2", _two_acceptances),
    _case("two-sessions", "a second session in an attempt", "WIT-2", _two_sessions),
    _case("attempts", "attempts out of their order", "WIT-2", _attempts),
    _case("unknown-exercise", "an exercise that nobody opened", "W-ORDER", _unknown),
    _case("claims", "claims that are early, void, or stand", "WIT-2 W-CLAIM", _claims),
    _case("strangers", "requests of others than the parties", "KEY-2", requests.strangers),
    _case("key-times", "keys that are not valid at the witness's time", "KEY-2", requests.times),
    _case("records", "records that are not the one behind the head", "WIT-6 EXT-1", requests.records),
    _case("histories", "key histories with entries of others", "KEY-1", requests.histories),
    _case("documents", "what is signed and no request", "JSON-2 STMT-3 ENV-2", requests.documents),
    _case("malleated", "a signature whose scalar is not reduced", "SIG-1", requests.malleated),
    _case("other-encoding", "a record in other bytes", "ENV-3", requests.other_encoding),
    _case("methods", "events that are not for the call", "W-FORM", requests.methods),
    _case("bad-signature", "a request whose signature does not hold", "STMT-2", requests.signatures),
    _case("forms", "requests out of form", "W-FORM JSON-1 JSON-3 ERR-1", requests.forms),
    _case("large-record", "a record above the limit", "ENV-4", requests.large),
    _case("full-exercise", "as many events as there may be", "W-ORDER", _full, Profile.EXTENDED),
    _case(
        "one-changed-bit",
        f"{requests.FUZZED} requests with one changed bit",
        "ERR-1 W-FORM",
        requests.fuzz,
        Profile.EXTENDED,
    ),
)


def suite(address: Address, seconds: float = 10.0) -> Suite:
    """The suite for the witness at an address."""
    return Suite(
        "witness",
        requirements(WITNESS),
        WITNESS,
        lambda seed, folder: Witness(address, seed, folder, seconds),
    )
