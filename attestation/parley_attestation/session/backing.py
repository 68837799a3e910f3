"""Room: the session. What stands behind a prover's word: its evidence and compute records in Accept.

Both are statements sealed by the session key that signs every Answers. The terms carry the agreed
policy, so that everyone appraises alike; the time of appraisal is the one the prover states, which the
checker compares with the witnessed time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from parley_attestation import statement
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.encoding import Bytes32, Digest, Label, Nonce, digest
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.evidence import AttestationResult, EvidenceItem, Exercise, appraise_all
from parley_attestation.evidence.archive import read_item, write_item
from parley_attestation.evidence.compute.records import RECORD, Records, read_records
from parley_attestation.evidence.compute.verdict import Backing, Inventory
from parley_attestation.evidence.policy import Policy
from parley_attestation.keys import MAX_TIME
from parley_attestation.receipt import ChamberKeys
from parley_attestation.session.facts import Facts
from parley_attestation.statement import Statement, Subject

EVIDENCE = "tag:parley,2026:evidence/v1"
MAX_ITEMS = 16  # environments and devices in one collection


@dataclass(frozen=True, slots=True)
class Support:
    """Evidence appraised under the agreed policy, and verified compute records; either may be missing."""

    result: AttestationResult | None
    binding: Exercise
    records: Records | None
    inventory: Inventory | None

    @property
    def backing(self) -> Backing | None:
        """The appraisal behind the records' key, for compute claims."""
        return Backing(self.result, self.binding) if self.result is not None else None


def binding(facts: Facts, heads: Sequence[Digest], key: bytes) -> Exercise:
    """What the binder of an exercise is made from: messages 1 to 3, both nonces, the answering key."""
    return Exercise(
        digest(Label.TRANSCRIPT, *heads[:3]),
        Nonce(facts.nonces[Role.PROVER]),
        Nonce(facts.nonces[Role.VERIFIER]),
        Bytes32(key),
    )


def seal_evidence(items: Mapping[str, EvidenceItem], at: int, key: SigningKey) -> bytes:
    """Sign a collection of raw evidence with its endorsements, collected at `at` (Unix seconds)."""
    predicate = {"at": at, "items": [write_item(name, item) for name, item in items.items()]}
    subject = Subject("answering-key", digest(Label.ROOT_KEY, key.public))
    return statement.seal(Statement(EVIDENCE, (subject,), predicate), key)


def read_support(facts: Facts, heads: Sequence[Digest], sealed: Sequence[bytes], key: bytes) -> Support:
    """Verify what an Accept brings, and appraise its evidence under the policy of the terms.

    Raises:
        PeerError: BAD_EVIDENCE, where a statement is of no known kind, the records are no chain, or
            evidence comes that the terms do not ask for. Evidence that fails the policy raises nothing:
            it only backs nothing.
    """
    assert facts.terms is not None
    bound = binding(facts, heads, key)
    records: list[bytes] = []
    collections: list[Statement] = []
    for one in sealed:
        said = statement.open_sealed(one, key)
        if said.predicate_type == RECORD:
            records.append(one)
        elif said.predicate_type == EVIDENCE:
            collections.append(said)
        else:
            raise PeerError(
                Reason.BAD_EVIDENCE, f"expected evidence or compute records, got {said.predicate_type}"
            )
    policy = facts.terms.evidence_policy
    if len(collections) > 1 or (collections and policy is None):
        raise PeerError(
            Reason.BAD_EVIDENCE, "expected one collection of evidence, where the terms have a policy"
        )
    result = None
    if collections:
        assert policy is not None
        items, at = _read(collections[0])
        result = appraise_all(items, policy, bound, at)
    chain = read_records(records, PublicKey(key)) if records else None
    return Support(result, bound, chain, facts.terms.inventory)


def read_chamber(
    facts: Facts, heads: Sequence[Digest], sealed: bytes, keys: ChamberKeys, own: Policy | None = None
) -> AttestationResult:
    """Appraise a chamber's evidence, whose binder carries both keys of the run.

    Args:
        facts: The session.
        heads: Its messages so far.
        sealed: The sealed evidence.
        keys: The keys that the chamber stated.
        own: A party's own policy; the terms' where it is None.

    Raises:
        PeerError: BAD_EVIDENCE, BAD_SIGNATURE, BAD_STATEMENT.
    """
    assert facts.terms is not None
    policy = own or facts.terms.evidence_policy
    if policy is None:
        raise PeerError(Reason.BAD_EVIDENCE, "evidence comes that the terms do not ask for")
    items, at = _read(statement.open_sealed(sealed, keys.receipt).expect(EVIDENCE))
    bound = replace(binding(facts, heads, keys.receipt), hpke_key=keys.hpke)
    return appraise_all(items, policy, bound, at)


def _read(said: Statement) -> tuple[dict[str, EvidenceItem], int]:
    fields = said.fields(Reason.BAD_EVIDENCE)
    at = fields.integer("at", 0, MAX_TIME)
    items = fields.items("items", read_item, MAX_ITEMS, 1)
    fields.end()
    found = dict(items)
    if len(found) != len(items):
        raise PeerError(Reason.BAD_EVIDENCE, "expected every piece of evidence under a name of its own")
    return found, at
