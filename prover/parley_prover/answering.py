"""Room: the prover. The prover's policy: what it accepts, and how it answers a challenge."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from parley_attestation.commitment import commit_output
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.attempts import earlier_attempts
from parley_attestation.edge.endpoint import Draft, Secret, acknowledgement
from parley_attestation.edge.guardian import MIN_DEADLINE
from parley_attestation.edge.journal import Also, Journal
from parley_attestation.edge.sealed import Custody, agree
from parley_attestation.edge.spending import require_prior, spent_before
from parley_attestation.encoding import Digest, Nonce, u64
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.evidence.collect import Collector, collect
from parley_attestation.graded import GradedPlan
from parley_attestation.model.claim import read_claim
from parley_attestation.session import messages as m
from parley_attestation.session.agreement import SUITE, VERSION, coin_commitment
from parley_attestation.session.audit import Audit
from parley_attestation.session.audited import check_audited
from parley_attestation.session.backing import binding, seal_evidence
from parley_attestation.session.facts import Channel
from parley_attestation.session.machine import Machine
from parley_attestation.session.schedule import frames, sampling_seed
from parley_attestation.session.tables import FINAL, State
from parley_attestation.session.turns import stream_digest
from parley_attestation.terms import Terms

from parley_prover.budget import DisclosureBudget
from parley_prover.engines.base import Engine, Prompt
from parley_prover.scripts import dialogues, generate
from parley_prover.sealed import SealedModel


@dataclass(frozen=True, slots=True)
class Offer:
    """What the prover brings to every session.

    Attributes:
        history: Its key history.
        model_claims: Its registered claims.
        declared_rates: By claim id, the success rate it declares.
        max_turn_bytes: Largest content of one turn it accepts.
        records: Compute records, sealed by its session key.
        collectors: Where evidence comes from, if the terms ask for it.
        key: The session key, which seals collected evidence.
        now: The clock, Unix seconds.
        sealed: The model that a chamber may have; None where there is no sealed mode.
        custody: The prover's part in one sealed session, over its journal.
        verifier_chamber: Whether a chamber that the verifier runs may read the weights.
        hand_over: Whether a chamber may give the verifier the result of every unit.
        require_prior: Whether terms must name every earlier exercise that the journal knows on the set and model.
    """

    history: tuple[bytes, ...]
    model_claims: tuple[bytes, ...]
    declared_rates: dict[str, float] = field(default_factory=dict)
    max_turn_bytes: int = 256 << 20
    records: tuple[bytes, ...] = ()
    collectors: tuple[Collector, ...] = ()
    key: SigningKey | None = None
    now: Callable[[], int] = lambda: int(time.time())
    verifier_chamber: bool = False
    hand_over: bool = False
    require_prior: bool = False
    sealed: SealedModel | None = None
    custody: Custody | None = None


class ProverPolicy:
    """The prover's side of one session."""

    role = Role.PROVER

    def __init__(
        self,
        offer: Offer,
        channel: Channel,
        engine: Engine | None,
        journal: Journal,
        budget: DisclosureBudget,
        lock: contextlib.AbstractContextManager[Any] | None = None,
    ) -> None:
        """Take what the prover brings, and the engine that answers; `lock` guards a shared engine.

        Without an engine there are sealed sessions alone.
        """
        self._offer = offer
        self._channel = channel
        self._engine = engine
        self._journal = journal
        self._budget = budget
        self._lock = lock or threading.Lock()
        self._claims = {read_claim(claim).statement.digest(): claim for claim in offer.model_claims}

    def propose(self, machine: Machine, secret: Secret) -> Draft:
        """The prover's next message."""
        match machine.state:
            case State.GREETED:
                return Draft(self._reply(machine, secret))
            case State.PROPOSED:
                return self._decide(machine, secret)
            case State.COIN_SHOWN:
                secret = self._first(machine, secret)
                return Draft(m.Coin(Nonce(secret.derive(b"coin")), secret.derive(b"coin-key")))
            case State.RELEASED if self._offer.custody is not None:
                return self._offer.custody.decide(machine, secret)
            case State.CONFIRMED if machine.mode == "sealed":
                return replace(agree(machine), also=(self._close(machine),))
            case State.CHALLENGED:
                return self._answer(machine, secret)
            case State.CONFIRMED:
                return acknowledgement(machine, secret, (self._close(machine),))
        raise LocalError(Reason.INTERNAL, f"the prover has nothing to say in state {machine.state}")

    def received(self, machine: Machine, body: m.Body) -> tuple[Also, ...]:
        """Account for what came: an end, or own turns that a journal restored from an old copy had lost."""
        exercise, terms = machine.facts.exercise, machine.facts.terms
        if exercise is None or terms is None:
            return ()
        if isinstance(body, m.Accept):
            return self._reserve(exercise, machine)
        if isinstance(body, m.Answers):
            count, size = len(body.answers), sum(a.size for a in body.answers)
            return (lambda db: self._budget.debit(db, exercise, count, size),)
        return (self._close(machine),) if machine.state in FINAL else ()

    def side_record(self, machine: Machine, sealed: bytes) -> None:
        """Side records are kept; none changes what the prover does."""

    def _close(self, machine: Machine) -> Also:
        exercise = machine.facts.exercise
        assert exercise is not None
        return lambda db: self._budget.close(db, exercise)

    def _reply(self, machine: Machine, secret: Secret) -> m.HelloReply:
        return m.HelloReply(
            VERSION,
            SUITE,
            machine.mode,
            self._offer.history,
            Nonce(secret.derive(b"nonce")),
            self._channel.verifier,
            self._channel.prover,
        )

    def _decide(self, machine: Machine, secret: Secret) -> Draft:
        terms, exercise = machine.facts.terms, machine.facts.exercise
        assert terms is not None
        assert exercise is not None
        assert machine.facts.terms_statement is not None
        answers = _most_answers(machine)
        free, _ = self._budget.left()
        try:
            claim = self._claims.get(terms.model_claim)
            if claim is None:
                raise PeerError(Reason.BAD_MODEL_CLAIM, "no model is registered under the claim in the terms")
            self._check_mode(machine.mode, terms)
            if terms.caps.turn > self._offer.max_turn_bytes:
                raise PeerError(
                    Reason.OVER_CAP, f"turns of more than {self._offer.max_turn_bytes} bytes are not accepted"
                )
            if terms.witnesses.keys and min(terms.answer_seconds, terms.turn_seconds) < MIN_DEADLINE:
                raise PeerError(
                    Reason.BAD_TERMS,
                    f"witnesses are watched every few seconds: expected deadlines of {MIN_DEADLINE} s or more",
                )
            if answers > free:
                raise PeerError(
                    Reason.BUDGET_EXHAUSTED, f"the terms ask for {answers} answers, {max(free, 0)} are left"
                )
            self._check_custody(terms)
            if terms.audited is not None:
                earlier = earlier_attempts(self._journal, Role.PROVER)(terms.audited.exercise)
                check_audited(terms, earlier.facts if earlier is not None else None)
            if self._offer.require_prior:
                require_prior(terms, spent_before(self._journal, Role.PROVER, terms, exercise))
            counts = self._declared(machine)
        except PeerError as error:
            return Draft(m.Decline(error.reason.value, error.message[: m.MAX_DETAIL]))
        secret = self._first(machine, secret)
        coin, key = secret.derive(b"coin"), secret.derive(b"coin-key")
        accept = m.Accept(
            machine.facts.terms_statement.digest(),
            counts,
            coin_commitment(key, exercise, Role.PROVER, coin),
            claim,
            (*self._offer.records, *self._evidence(machine)),
        )
        return Draft(accept, also=self._reserve(exercise, machine))

    def _reserve(self, exercise: Digest, machine: Machine) -> tuple[Also, ...]:
        """The exercise's whole budget; a sealed one draws no answer."""
        answers = _most_answers(machine)
        return (lambda db: self._budget.reserve(db, exercise, answers),) if answers else ()

    def _check_mode(self, mode: str, terms: Terms) -> None:
        """Raise where this prover has no part in an exercise of this mode."""
        if mode == "open" and self._engine is None:
            raise PeerError(Reason.UNSUPPORTED, "no engine is configured here: sealed exercises only")
        if mode == "sealed":
            if self._offer.custody is None:
                raise PeerError(
                    Reason.UNSUPPORTED, "sealed mode needs a chamber, and none is configured here"
                )
            self._offer.custody.rules.check_operators(terms)

    def _check_custody(self, terms: Terms) -> None:
        """Raise where the terms would show the verifier more than this prover accepts."""
        reads = any(one.run_by == "verifier" and "weights" in one.reads for one in terms.operators)
        if reads and not self._offer.verifier_chamber:
            raise PeerError(
                Reason.BAD_CUSTODY, "weights are not given to a chamber that the verifier runs and could read"
            )
        if terms.sealed is not None and terms.sealed.hand_over and not self._offer.hand_over:
            raise PeerError(
                Reason.BAD_CUSTODY, "the verifier is to get the counts, and not the result of every unit"
            )

    def _evidence(self, machine: Machine) -> tuple[bytes, ...]:
        """Evidence over a binder that carries the answering key, where the terms have a policy for it."""
        terms, key = machine.facts.terms, self._offer.key
        if not self._offer.collectors or key is None or terms is None or terms.evidence_policy is None:
            return ()
        items = collect(self._offer.collectors, binding(machine.facts, machine.heads, key.public))
        return (seal_evidence(items, self._offer.now(), key),)

    def _first(self, machine: Machine, secret: Secret) -> Secret:
        """The secret of the first attempt: coins stay what they were."""
        exercise = machine.facts.exercise
        assert exercise is not None
        rows = self._journal.attempts(Role.PROVER, exercise)
        return Secret(rows[0].secret) if rows else secret

    def _declared(self, machine: Machine) -> tuple[int, ...]:
        """The counts that the prover's declared rates give, never outside what a claim admits."""
        terms, test_set, earlier = machine.facts.terms, machine.facts.test_set, machine.facts.earlier
        assert terms is not None
        assert test_set is not None
        if earlier is not None and earlier.audit is not None:
            return earlier.audit.declared
        claims = terms.sampled_claims
        audit = Audit.begin(terms, frames(terms, test_set), (0,) * len(claims))
        found = []
        for number, claim in enumerate(claims):
            rate = self._offer.declared_rates.get(claim.claim_id)
            plan = audit.plan(number)
            found.append(
                0
                if rate is None or isinstance(plan, GradedPlan)
                else min(max(round(rate * plan.frame), plan.threshold), plan.frame)
            )
        return tuple(found)

    def _answer(self, machine: Machine, secret: Secret) -> Draft:
        facts = machine.facts
        assert facts.audit is not None
        assert facts.exercise is not None
        assert facts.seed is not None
        assert facts.terms is not None
        units = facts.audit.waiting(facts.pending)
        assert facts.test_set is not None
        prompts = [
            Prompt(self._prompt(unit.prompt), sampling_seed(facts.seed, unit.name), facts.terms.caps.output)
            for unit in units
        ]
        assert self._engine is not None
        try:
            with self._lock:
                outputs = (dialogues if facts.test_set.scripted else generate)(self._engine, prompts)
        except LocalError as error:
            if error.reason is not Reason.BAD_PROMPT:
                raise
            return Draft(
                m.Abort(error.reason.value, "a prompt is not of the form that this model takes"),
                also=(self._close(machine),),
            )
        answers, blobs = [], []
        for unit, output in zip(units, outputs, strict=True):
            cut = output[: facts.terms.caps.output]
            key = secret.derive(b"output", facts.exercise, u64(unit.name[0]), u64(unit.name[1]))
            answers.append(m.Answer(commit_output(key, facts.exercise, *unit.name, cut), len(cut)))
            blobs.append(key + cut)
        exercise, size = facts.exercise, sum(a.size for a in answers)
        if size > self._budget.left()[1]:
            return Draft(
                m.Abort(Reason.BUDGET_EXHAUSTED.value, "this party's disclosure budget in bytes is used up"),
                also=(self._close(machine),),
            )
        return Draft(
            m.Answers(tuple(answers), stream_digest(blobs)),
            tuple(blobs),
            (lambda db: self._budget.debit(db, exercise, len(answers), size),),
        )

    def _prompt(self, digest: Digest) -> bytes:
        blob = self._journal.get(digest)
        if blob is None:
            raise LocalError(Reason.CORRUPT, f"{self._journal.path}: a prompt is missing")
        return blob[32:]


def _most_answers(machine: Machine) -> int:
    """Answers that an exercise may draw: two a unit where the units are pairs, none in sealed mode."""
    terms, test_set = machine.facts.terms, machine.facts.test_set
    assert terms is not None
    assert test_set is not None
    if terms.mode == "sealed":
        return 0
    return test_set.group * sum(units for _, units in terms.plan.budgets)
