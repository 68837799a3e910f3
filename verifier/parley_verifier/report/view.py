"""Room: the report. What a report shows, as plain values; whoever judged a record fills it.

Every string may come from a peer: the page shows it as text and nothing else.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a value, such as an identifier or a budget."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class SignerRow:
    """Who signed what.

    Attributes:
        role: Of the party.
        fingerprint: Of its root key, in hexadecimal.
        signed: What it signed, in words.
        known: Whether the reader pinned this root.
    """

    role: str
    fingerprint: str
    signed: str
    known: bool


@dataclass(frozen=True, slots=True)
class ExposureRow:
    """How many items stand at one exposure level, and what that means."""

    level: str
    items: int
    meaning: str


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt under the exercise."""

    number: int
    outcome: str
    witnessed: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """One message of the session; `time` is empty without a witness."""

    sequence: int
    sender: str
    message: str
    time: str


@dataclass(frozen=True, slots=True)
class ClaimView:
    """One claim with its bounds and, for a metric, its sequential path.

    Attributes:
        claim_id: As in the terms.
        statement: The claim in words.
        verdict: What may be said.
        because: Why no more may be said; empty where nothing held it back.
        facts: Risks, counts and p-values to list.
        frame: Units in the population; 0 where the claim has no frame test.
        threshold: Least count that meets the claim.
        count_low: Least count of successes not rejected.
        count_high: Greatest count of successes not rejected.
        units: Results in ticket order: one of "1", "0" and "?" each.
        compliant_boundary: Least successes that cross, per n from 0 (`planning.boundaries`).
        violation_boundary: Greatest successes that cross the other way, per n from 0.
    """

    claim_id: str
    statement: str
    verdict: str
    because: tuple[str, ...]
    facts: tuple[Fact, ...]
    frame: int = 0
    threshold: int = 0
    count_low: int = 0
    count_high: int = 0
    units: str = ""
    compliant_boundary: tuple[int, ...] = ()
    violation_boundary: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportView:
    """Everything on the page.

    Attributes:
        title: Of the exercise.
        verdict: The overall verdict.
        assurance: The level that the checker derived.
        validity: Whether the record holds, in a few words.
        labels: Honest labels that limit the verdict, such as "unwitnessed".
        integrity: The claim-integrity word of a comparison audit; empty otherwise.
        identifiers: Digests and names that tie the page to its record.
        shown: What was shown, one sentence each.
        not_shown: What was not shown, one sentence each.
        signers: Who signed what.
        claims: The claims in the order of the terms.
        burn: Budgets and what the exercise used of them.
        exposure: Items per exposure level.
        attempts: Attempts under the exercise, this one last.
        timeline: The session's messages.
        recheck: Commands that recompute the verdict.
        not_concluded: Sentences that say what may not be concluded.
    """

    title: str
    verdict: str
    assurance: str
    validity: str
    labels: tuple[str, ...]
    integrity: str
    identifiers: tuple[Fact, ...]
    shown: tuple[str, ...]
    not_shown: tuple[str, ...]
    signers: tuple[SignerRow, ...]
    claims: tuple[ClaimView, ...]
    burn: tuple[Fact, ...]
    exposure: tuple[ExposureRow, ...]
    attempts: tuple[AttemptRow, ...]
    timeline: tuple[EventRow, ...]
    recheck: tuple[str, ...]
    not_concluded: tuple[str, ...]
