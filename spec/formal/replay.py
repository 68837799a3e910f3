"""Replays traces of session.qnt against the implementation's one machine.

In every state of a trace every move of the model's universe is offered to the machine, signed by its
sender, rightly chained and honest in content: the machine takes exactly those that the model enables,
and blames the sender for each of the others. Then the trace's own move is made. A message that is taken
is offered again (a duplicate) and in another form (an equivocation of its author).
"""

import json
import sys
import tempfile
from copy import deepcopy
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # the exercise in memory that all tests share

import kit  # noqa: E402 - found through the path above
from parley_attestation import statement  # noqa: E402
from parley_attestation.commitment import Field, commit_output  # noqa: E402
from parley_attestation.edge.endpoint import Secret  # noqa: E402
from parley_attestation.encoding import Digest, Nonce, Salt  # noqa: E402
from parley_attestation.envelope import Envelope, Signature, pae  # noqa: E402
from parley_attestation.errors import PeerError, Reason, Role  # noqa: E402
from parley_attestation.session import messages as m  # noqa: E402
from parley_attestation.session.agreement import coin_commitment  # noqa: E402
from parley_attestation.session.machine import Duplicate, Machine  # noqa: E402
from parley_attestation.session.results import result_root  # noqa: E402
from parley_attestation.session.tables import OPEN_MODE  # noqa: E402
from parley_attestation.session.turns import Turn, blob_digest, stream_digest  # noqa: E402
from parley_attestation.terms import Plan, exercise_id  # noqa: E402
from parley_prover.answering import Offer, ProverPolicy  # noqa: E402
from parley_prover.budget import DisclosureBudget  # noqa: E402
from parley_verifier.challenge import VerifierPolicy  # noqa: E402

V, P = Role.VERIFIER, Role.PROVER
ZERO = Digest(bytes(32))
BUDGET, DECIDED, BATCH = 6, 3, 2  # as in session.qnt
OPEN_KINDS = {kind for _, moves in OPEN_MODE.values() for kind in moves} - {"binding"}  # no chamber here
Move = tuple[str, str, int]  # sender, kind, count


class Mismatch(Exception):  # noqa: N818 - a finding, not an error of this program
    """Model and implementation differ."""


def _plain(value: Any) -> Any:
    """A value of the Informal Trace Format."""
    if isinstance(value, dict):
        if "#bigint" in value:
            return int(value["#bigint"])
        if "#set" in value:
            return [_plain(one) for one in value["#set"]]
        return {k: _plain(v) for k, v in value.items() if k != "#meta"}
    return value


def compact(traces: list[dict[str, Any]]) -> str:
    """Traces of the simulator without what differs from run to run (times, paths): one JSON line each."""
    kept = [{"vars": t["vars"], "states": [_without(s) for s in t["states"]]} for t in traces]
    return "".join(json.dumps(one, sort_keys=True, separators=(",", ":")) + "\n" for one in kept)


def _without(state: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in state.items() if k != "#meta"}
    kept["possible"] = {"#set": sorted(kept["possible"]["#set"], key=json.dumps)}
    return kept


def read(text: str) -> list[list[dict[str, Any]]]:
    """The states of every trace in a file that `compact` wrote."""
    return [[_plain(state) for state in json.loads(line)["states"]] for line in text.splitlines()]


def _move(record: dict[str, Any]) -> Move:
    return record["sender"], record["kind"], record["count"]


@dataclass
class Table:
    """One exercise in memory whose parties say anything at any time; contents are kept by digest."""

    exercise: kit.Exercise
    machine: Machine = field(init=False)
    contents: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin a session and exchange greetings."""
        one = self.exercise
        self.machine = Machine(self.contents, pins=one.pins, channel=kit.CHANNEL)
        self.secrets = {V: Secret(kit.seed("v")), P: Secret(kit.seed("p"))}
        self.keys = {V: one.verifier.session, P: one.prover.session}
        journal = one.journal(P)
        self.policies = {
            V: VerifierPolicy(one.verifier.history, kit.CHANNEL, one.sealed_terms, one.tests),
            P: ProverPolicy(
                Offer(one.prover.history, (one.claim,)),
                kit.CHANNEL,
                one.engine,
                journal,
                DisclosureBudget(journal.connection, one.verifier.owner, one.limits),
            ),
        }
        self.terms = statement.open_sealed(one.sealed_terms, one.verifier.session.public)
        self.id = exercise_id(self.terms)
        self.greetings = {}
        for role in (V, P):
            body = self.policies[role].propose(self.machine, self.secrets[role]).body
            self.greetings[body.kind] = body
            self.machine.step(self.turn(role, body))

    def turn(self, role: Role, body: m.Body, blobs: tuple[bytes, ...] = ()) -> Turn:
        """A signed turn at the next place of the chain."""
        payload, kind = m.write(self.machine.next_header(), body), m.payload_type(body.kind)
        key = self.keys[role]
        return Turn(Envelope(kind, payload, (Signature(key.public, key.sign(pae(kind, payload))),)), blobs)

    def say(self, move: Move) -> Turn:
        """What a party says by a move: as right as it can be in this state."""
        sender, kind, count = move
        role = Role(sender)
        body, blobs = self._body(role, kind, count)
        if blobs:
            body = replace(body, stream_digest=stream_digest(blobs))
        return self.turn(role, body, blobs)

    def _coin(self, role: Role) -> tuple[Nonce, Salt]:
        return Nonce(self.secrets[role].derive(b"coin")), self.secrets[role].derive(b"coin-key")

    def _commitment(self, role: Role) -> Digest:
        coin, key = self._coin(role)
        return coin_commitment(key, self.id, role, coin)

    def _body(self, role: Role, kind: str, count: int) -> tuple[m.Body, tuple[bytes, ...]]:  # noqa: PLR0911 - one a kind
        one, facts = self.exercise, self.machine.facts
        match kind:
            case "hello" | "hello-reply":
                return self.greetings[kind], ()
            case "propose":
                return m.Propose(one.sealed_terms, 1, (), self._commitment(V), one.tests.registration), ()
            case "accept":
                return m.Accept(self.terms.digest(), (0,), self._commitment(P), one.claim, ()), ()
            case "decline":
                return m.Decline("DECLINED", ""), ()
            case "coin":
                return m.Coin(*self._coin(role)), ()
            case "challenge":
                return self._challenge(count)
            case "answers":
                return self._answers(count)
            case "stop":
                done = len(facts.audit.units) if facts.audit else 0
                return m.Stop((DECIDED if done >= DECIDED else max(done, 1),)), ()
            case "open":
                return self._open(count)
            case "acknowledge":
                return self._acknowledge()
            case "dissent":
                return m.Dissent(facts.verdict.digest() if facts.verdict else ZERO, "no"), ()
        return m.Abort("ABORTED", ""), ()

    def _units(self) -> list[tuple[int, int]]:
        audit = self.machine.facts.audit
        return [unit.name for unit in audit.units] if audit else []

    def _challenge(self, count: int) -> tuple[m.Body, tuple[bytes, ...]]:
        tests, audit = self.exercise.tests, self.machine.facts.audit
        due = audit.next_units(0, count) if audit and self.machine.facts.seed else []
        names = [*due, *((item, 0) for item in range(count - len(due)))]
        units = tuple(
            m.Unit(
                n,
                j,
                tests.commitment(n, Field.PROMPT),
                tests.commitment(n, Field.REFERENCE),
                tests.inclusion(n),
                len(tests.prompt(n)),
            )
            for n, j in names
        )
        return m.Challenge(units, ZERO), tuple(tests.key(n, Field.PROMPT) + tests.prompt(n) for n, _ in names)

    def _answers(self, count: int) -> tuple[m.Body, tuple[bytes, ...]]:
        waiting = self._units()[len(self._units()) - self.machine.facts.pending :]
        names = [*waiting, *[(0, 0)] * count][:count]
        answers, blobs = [], []
        for item, sample in names:
            key, output = Salt(kit.seed("output", item)), kit.right(self.exercise.tests.prompt(item))
            answers.append(m.Answer(commit_output(key, self.id, item, sample, output), len(output)))
            blobs.append(key + output)
        return m.Answers(tuple(answers), ZERO), tuple(blobs)

    def _open(self, count: int) -> tuple[m.Body, tuple[bytes, ...]]:
        audit, tests = self.machine.facts.audit, self.exercise.tests
        due = self._units()[audit.opened :] if audit else []
        items = [n for n, _ in [*due, *[(0, 0)] * count][:count]]
        blobs = tuple(tests.key(n, Field.REFERENCE) + tests.reference(n) for n in items)
        return m.Open(tuple(len(blob) - 32 for blob in blobs), ZERO), blobs

    def _acknowledge(self) -> tuple[m.Body, tuple[bytes, ...]]:
        facts = self.machine.facts
        codes = facts.audit.outcome_bytes() if facts.audit and facts.audit.units else [b"\0"]
        blob = Salt(kit.seed("bits")) + b"".join(codes)
        digest = facts.verdict.digest() if facts.verdict else ZERO
        return m.Acknowledge(digest, result_root(Salt(blob[:32]), self.id, codes), ZERO), (blob,)

    def refusal(self, move: Move) -> PeerError | None:
        """Why the machine refuses a move; None where it takes it. Nothing changes."""
        turn = self.say(move)
        try:
            pending = self.machine.begin(turn.envelope)
            if move[1] == "open":  # what the references show is known with the content alone
                trial = deepcopy(self.machine)
                trial.complete(trial.begin(turn.envelope), turn.blobs)
            del pending
        except PeerError as error:
            return error
        return None

    def make(self, move: Move) -> None:
        """Make an enabled move; then offer the same again, and another message for its slot."""
        turn, second = self.say(move), self.turn(Role(move[0]), m.Abort("ABORTED", "a second message"))
        for blob in turn.blobs:
            self.contents[blob_digest(blob)] = blob
        self.machine.step(turn)
        try:
            self.machine.begin(turn.envelope)
        except Duplicate:
            pass
        else:
            raise Mismatch(f"{move}: the same message was taken twice")
        try:
            self.machine.begin(second.envelope)
        except PeerError as error:
            if (error.reason, error.blamed) != (Reason.EQUIVOCATION, Role(move[0])):
                raise Mismatch(f"{move}: a second message gives {error.reason}, {error.blamed}") from error
        else:
            raise Mismatch(f"{move}: a second message for its slot was taken")


COUNTS = {"challenge": 3, "answers": 3, "open": 3}  # how many units a move may be about, as in session.qnt


def universe(states: list[dict[str, Any]]) -> list[Move]:
    """All moves of the model: every kind of message of open mode after the greetings, and the greetings."""
    kinds = [kind for kind in m.KINDS.values() if kind in OPEN_KINDS]
    found = [(r.value, k, n) for r in (V, P) for k in kinds for n in range(1, COUNTS.get(k, 1) + 1)]
    unknown = {_move(one) for state in states for one in state["possible"]} - set(found)
    if unknown:
        raise Mismatch(f"moves that no message makes: {sorted(unknown)}")
    return found


def new_table(folder: Path) -> Table:
    """The exercise of the model: six items, all answered rightly, decided after three."""
    changes = {
        "plan": Plan(1, BATCH, (("", BUDGET),)),
        "claims": (kit.metric(threshold=Fraction(1, 2)),),
    }
    return Table(kit.Exercise(folder, items=kit.sums(BUDGET), terms_changes=changes))


def replay(states: list[dict[str, Any]]) -> tuple[int, int]:
    """Replay one trace; the numbers of moves taken and refused.

    Raises:
        Mismatch: The machine takes what the model forbids, refuses what it enables, or blames wrongly.
    """
    taken = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        table, moves = new_table(Path(folder)), universe(states)
        for number, state in enumerate(states):
            if number and state["taken"]:
                table.make(_move(state["move"]))
                taken += 1
            if table.machine.state.value != state["state"]:
                raise Mismatch(f"step {number}: model {state['state']}, machine {table.machine.state}")
            possible = {_move(one) for one in state["possible"]}
            for move in moves:
                error = table.refusal(move)
                if (error is None) is not (move in possible):
                    raise Mismatch(f"step {number}, {state['state']}: {move} is {error or 'taken'}")
                if error is not None and error.blamed is not Role(move[0]):
                    raise Mismatch(f"step {number}: {move} refused ({error.reason}), blaming {error.blamed}")
                refused += error is not None
    return taken, refused


def main(path: str) -> int:
    """Replay all traces of a file and say what was seen."""
    total = [replay(states) for states in read(Path(path).read_text())]
    print(f"{len(total)} traces: {sum(t for t, _ in total)} moves taken, {sum(r for _, r in total)} refused")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except Mismatch as found:
        print(found)
        sys.exit(1)
