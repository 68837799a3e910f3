"""Room: the edge. What both roles do alike in sealed mode: judge the chamber, release or refuse, agree.

Roles bring their content and their rule of custody; the way to the chamber is an interface.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Protocol

from parley_attestation.edge.endpoint import Draft, Secret
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.evidence import Assurance, AttestationResult
from parley_attestation.evidence.findings import Finding
from parley_attestation.evidence.policy import Policy
from parley_attestation.receipt import StatedKeys
from parley_attestation.sealing import seal, wrap
from parley_attestation.session import messages as m
from parley_attestation.session.backing import read_chamber
from parley_attestation.session.machine import Machine
from parley_attestation.session.sealed import (
    grants,
    read_evidence,
    read_outcomes,
    result_root_of,
    sealed_content,
)
from parley_attestation.session.turns import stream_digest
from parley_attestation.terms import Terms

_FINDINGS = 16  # of failed checks, in the words of a refusal
_SIMULATED = Finding.SIMULATED_EVIDENCE  # no fault under a laboratory's policy


class ChamberLink(Protocol):
    """The way to a chamber, for one party."""

    def open(self, machine: Machine) -> tuple[bytes, bytes]:
        """The chamber's sealed keys for this session, and its sealed evidence or nothing."""

    def upload(self, machine: Machine, role: Role, parts: Iterable[bytes]) -> None:
        """Send sealed content; goes on where an earlier call stopped."""

    def receipt(self, machine: Machine) -> bytes:
        """Have the chamber run; its sealed receipt or refusal. Called for all chambers at once, in threads."""

    def results(self, machine: Machine) -> bytes:
        """The sealed results of an ended session; for the verifier alone."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a party demands of every chamber before it releases its key, besides what the terms say.

    Attributes:
        operators: Keys of the operators it accepts; empty accepts those that the terms name.
        other_party: Whether a chamber that the other party runs may have its secret.
        unsandboxed: Whether a chamber may run without boxes.
        swap: Whether the chamber's machine may have swap space, to which memory could be written in the clear.
        policy: Its own policy for the chambers' evidence; None leaves it at the one in the terms.
    """

    operators: frozenset[Bytes32] = frozenset()
    other_party: bool = False
    unsandboxed: bool = False
    swap: bool = False
    policy: Policy | None = None

    def check_operators(self, terms: Terms) -> None:
        """Raise `PeerError` (BAD_CUSTODY) where the terms name too few of the accepted operators."""
        assert terms.sealed is not None
        known = self.operators & {one.key for one in terms.operators}
        if self.operators and len(known) < terms.sealed.quorum:
            raise PeerError(
                Reason.BAD_CUSTODY,
                f"the terms need {terms.sealed.quorum} chambers and name {len(known)} operators accepted here",
            )

    def check(self, role: Role, stated: StatedKeys) -> None:
        """Raise `PeerError` (BAD_CUSTODY) where this chamber may not have the secret of `role`."""
        run_by = stated.operator.run_by
        if self.operators and stated.operator.key not in self.operators:
            raise PeerError(Reason.BAD_CUSTODY, "the chamber's operator is none that is accepted here")
        if run_by not in {"neutral", role.value} and not self.other_party:
            raise PeerError(Reason.BAD_CUSTODY, f"the chamber is run by the {run_by}")
        if stated.keys.sandbox == "none" and not self.unsandboxed:
            raise PeerError(Reason.BAD_CUSTODY, "the chamber runs without a sandbox")
        if stated.keys.swap == "present" and not self.swap:
            raise PeerError(
                Reason.BAD_CUSTODY, "the chamber's machine could write memory to a disk in the clear"
            )


@dataclass(frozen=True, slots=True)
class Custody:
    """One party's part in a sealed session.

    Attributes:
        role: The party.
        links: The ways to the chambers of the terms' quorum, in any order.
        content: Gives the plain content, again and again the same; the result seed goes into tests.
        size: Bytes of it.
        rules: What the party demands of the chambers.
    """

    role: Role
    links: tuple[ChamberLink, ...]
    content: Callable[[Secret], Iterator[bytes]] = field(repr=False)
    size: int
    rules: Rules = field(default_factory=Rules)

    def show(self, machine: Machine) -> Draft:
        """Put every chamber's keys and evidence on the record; a chamber that refuses or lies ends it."""
        try:
            shown = m.Evidence(tuple(m.ChamberEvidence(*link.open(machine)) for link in self.links))
            read_evidence(machine.facts, shown, machine.heads)
        except PeerError as error:
            _unless_busy(error)
            return Draft(m.Abort(error.reason.value, _words(f"a chamber: {error.message}")))
        return Draft(shown)

    def decide(self, machine: Machine, secret: Secret) -> Draft:
        """Release the key to the chambers on the record, or refuse with the reason."""
        data_key = Bytes32(secret.derive(b"data-key"))
        what = sealed_content(machine.facts, self.role, self.size)
        try:
            self._judge(machine)
            for link in self._ordered(machine):
                link.upload(machine, self.role, seal(what, data_key, _reader(self.content(secret))))
            given = zip(machine.facts.chambers, grants(machine.facts, self.role, self.size), strict=True)
            keys = tuple(
                m.WrappedKey(stated.statement.digest(), wrap(data_key, stated.keys.hpke, grant))
                for stated, grant in given
            )
        except PeerError as error:
            _unless_busy(error)
            return Draft(m.Refusal(error.reason.value, _words(error.message)))
        return Draft(m.Release(keys, self.size))

    def outcomes(self, machine: Machine) -> Draft:
        """Have all chambers run at once, and put what each left on the record; one that left nothing ends it."""
        try:
            runs = [partial(link.receipt, machine) for link in self._ordered(machine)]
            left = m.Receipt(tuple(_at_once(runs)))
            read_outcomes(machine.facts, left)
        except PeerError as error:
            _unless_busy(error)
            return Draft(m.Abort(error.reason.value, _words(f"no receipt: {error.message}")))
        return Draft(left)

    def _ordered(self, machine: Machine) -> list[ChamberLink]:
        """The ways in the order of the record.

        Raises:
            PeerError: BAD_EVIDENCE, where a chamber shows this party something else than stands on the record.
        """
        shown = {link.open(machine): link for link in self.links}
        found = [shown.get(said) for said in machine.facts.chambers_said]
        links = [link for link in found if link is not None]
        if len(links) != len(found):
            raise PeerError(
                Reason.BAD_EVIDENCE,
                "a chamber shows this party other keys or evidence than stand on the record: it was restarted, "
                "or it has two faces",
            )
        return links

    def _judge(self, machine: Machine) -> None:
        """Raise unless these chambers may have the secret."""
        facts = machine.facts
        assert facts.terms is not None
        own = self.rules.policy
        for stated, result, said in zip(facts.chambers, facts.appraisals, facts.chambers_said, strict=True):
            self.rules.check(self.role, stated)
            if facts.terms.evidence_policy is not None:
                _affirming(result, "the policy of the terms")
            if own is not None:
                found = read_chamber(facts, machine.heads, said[1], stated.keys, own) if said[1] else None
                _affirming(found, "this party's own policy")


def _words(text: str) -> str:
    """A detail that a message can hold, however much a chamber said: else this party would fall silent."""
    return text[: m.MAX_DETAIL]


def _at_once(calls: Sequence[Callable[[], bytes]]) -> list[bytes]:
    """What each of the calls gives; the first error of any, without waiting for the others."""
    ended: SimpleQueue[tuple[int, bytes | Exception]] = SimpleQueue()

    def make(number: int, call: Callable[[], bytes]) -> None:
        try:
            ended.put((number, call()))
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits for it
            ended.put((number, error))

    for number, call in enumerate(calls):
        Thread(target=make, args=(number, call), daemon=True).start()
    found: dict[int, bytes] = {}
    while len(found) < len(calls):
        number, result = ended.get()
        if isinstance(result, Exception):
            raise result
        found[number] = result
    return [found[number] for number in range(len(calls))]


def _unless_busy(error: PeerError) -> None:
    """Raise what a chamber refuses now and may not refuse later."""
    if error.reason is Reason.SESSION_LIMIT:
        raise error


def _affirming(result: AttestationResult | None, under: str) -> None:
    """Raise `PeerError` (BAD_EVIDENCE), with the findings, unless a policy affirms what a chamber shows."""
    if result is None:
        raise PeerError(Reason.BAD_EVIDENCE, f"the chamber shows no evidence, and {under} demands some")
    if result.assurance is not Assurance.NONE:
        return
    failed = [
        one.finding.value for one in result.failures if result.production or one.finding is not _SIMULATED
    ]
    found = ", ".join(dict.fromkeys(failed[:_FINDINGS])) or "no measured code holds the key of the run"
    raise PeerError(Reason.BAD_EVIDENCE, f"the chamber's evidence is not affirming under {under}: {found}")


def agree(machine: Machine) -> Draft:
    """Acknowledge the verdict that follows from what the chambers left."""
    facts = machine.facts
    assert facts.verdict is not None
    return Draft(m.Acknowledge(facts.verdict.digest(), result_root_of(facts), stream_digest([])))


def _reader(parts: Iterator[bytes]) -> Callable[[int], bytes]:
    """A `read` over an iterator of byte strings."""
    rest = memoryview(b"")

    def read(size: int) -> bytes:
        nonlocal rest
        while not rest:
            part = next(parts, None)
            if part is None:
                return b""
            rest = memoryview(part)
        found, rest = bytes(rest[:size]), rest[size:]
        return found

    return read
