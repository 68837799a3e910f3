"""Predicates that the prose lists field by field: the statements of the vectors' records have exactly those."""

import dataclasses
import re
from functools import cache

import worked
from parley_attestation import envelope, statement
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Role
from parley_attestation.log import witness
from parley_attestation.qualification import QUALIFICATION, seal_qualification
from parley_attestation.verdict import VERDICT
from reading import also_table, section

KEY, ZERO = SigningKey(bytes(32)), Digest(bytes(32))


def listed(text: str) -> set[str]:
    """The names in code spans, less what stands in parentheses."""
    while re.search(r"\([^()]*\)", text):
        text = re.sub(r"\([^()]*\)", "", text)
    return set(re.findall(r"`(\w+)`", text))


def said(where: str, begin: str, end: str = "\n") -> set[str]:
    """The names that a section lists between two words."""
    found = re.search(re.escape(begin) + "(.*?)" + re.escape(end), section(where), re.DOTALL)
    assert found, f"{where} does not say {begin!r}"
    return listed(found[1])


def statements(value) -> list[statement.Statement]:
    """Every sealed statement in a body of a message."""
    if isinstance(value, bytes):
        try:
            return [statement.parse(envelope.from_json(value).payload)]
        except PeerError:
            return []
    if isinstance(value, tuple):
        return [one for part in value for one in statements(part)]
    if dataclasses.is_dataclass(value):
        return [one for part in dataclasses.fields(value) for one in statements(getattr(value, part.name))]
    return []


@cache
def predicates() -> dict[str, set[frozenset[str]]]:
    """The fields of every kind of predicate in the valid records of the vectors."""
    found: dict[str, set[frozenset[str]]] = {}
    for path in sorted(worked.VECTORS.glob("transcripts*.json")):
        for test in worked.tests(path.stem):
            if test["result"] == "valid":
                record = worked.record(path.stem, test["comment"])
                bodies = tuple(turn.body for turn in record.turns)
                for one in statements((*bodies, *record.judgement.side_records)):
                    found.setdefault(one.predicate_type, set()).add(frozenset(one.predicate))
    return found


def receipts() -> dict[str, set[str]]:
    """What the outcomes of a chamber have, by their types."""
    common = said("sealed-messages", "subject `exercise`; each has ", ".\n")
    receipt = common | said("sealed-messages", "* `tag:parley,2026:receipt/v1`: also ")
    simulated = "* `tag:parley,2026:simulated-receipt/v1#NOT-HARDWARE`: the same under simulated evidence"
    assert simulated in section("sealed-messages")
    refusal = common | said("sealed-messages", "* `tag:parley,2026:chamber-refusal/v1`: also ")
    return {
        "tag:parley,2026:receipt/v1": receipt,
        "tag:parley,2026:simulated-receipt/v1#NOT-HARDWARE": receipt,
        "tag:parley,2026:chamber-refusal/v1": refusal,
    }


def witnessed() -> dict[str, set[str]]:
    """What the statements about witnesses have, by their types."""
    position = said("witnesses", "A position is ", ".\n")
    request = said("witnesses", "`tag:parley,2026:cosignature-request/v1`, subject `head`: the position, ")
    cosignature = said("witnesses", "`tag:parley,2026:cosignature/v1`, subject `head`: the position, ")
    receipt = said("witnesses", "`tag:parley,2026:registration-receipt/v1`, subject `statement`: ")
    return {
        "tag:parley,2026:cosignature-request/v1": position | request,
        "tag:parley,2026:cosignature/v1": position | cosignature,
        "tag:parley,2026:registration-receipt/v1": receipt,
    }


def made() -> dict[str, set[frozenset[str]]]:
    """The fields of the statements that no record holds."""
    position = witness.Position(ZERO, 1, ZERO, 1, ZERO)
    request = witness.Request(position, witness.Event.END, Role.PROVER, ZERO, ZERO, 0)
    receipt = witness.Receipt(ZERO, 1, 1, "w")
    sealed = (request.sealed(KEY), receipt.sealed(KEY), seal_qualification(KEY, ZERO, "basis"))
    return {one.predicate_type: {frozenset(one.predicate)} for one in statements(sealed)}


def test_every_predicate_has_the_fields_that_the_text_lists():
    text = {
        "tag:parley,2026:key-certificate/v1": said("keys", "* `tag:parley,2026:key-certificate/v1`: "),
        "tag:parley,2026:key-revocation/v1": said("keys", "* `tag:parley,2026:key-revocation/v1`: "),
        "tag:parley,2026:model-claim/v1": said(
            "model-claim", "with the commitment. Predicate: ", ". The name of a claim"
        ),
        "tag:parley,2026:evidence/v1": {"at", "items"},
        "tag:parley,2026:compute-record/v1": said("compute-records", "Predicate: ", ". The subject"),
        "tag:parley,2026:binding/v1": said("binding", "Predicate: ", ". `units` is"),
        "tag:parley,2026:chamber-keys/v1": said("sealed-messages", "Its predicate is ", ". A receiver"),
        QUALIFICATION: said("judge", "with the set's root, predicate ", ". It counts"),
        **receipts(),
        **witnessed(),
    }
    assert "`tag:parley,2026:evidence/v1` (`at`, and 1..16 `items`)" in section("accept")
    tabled = {"tag:parley,2026:test-set/v1", "tag:parley,2026:terms/v1", VERDICT}
    assert {row[0].strip("`") for row in also_table("predicates").rows} == set(text) | tabled
    found = predicates() | made()
    for kind, names in text.items():
        assert found[kind] == {frozenset(names)}, kind


def test_every_claim_of_the_terms_has_the_fields_that_the_text_lists():
    common = said("terms", "Claims are objects with ", ", and:")
    metric = common | said("terms", "* `metric`: ")
    text = {
        "metric": metric,
        "graded": common | said("terms", "* `graded`: ", ", all as in a metric"),
        "identity": common,
        "compute": common | said("terms", "* `compute`: "),
    }
    assert "* `identity`: nothing else." in section("terms")
    found: dict[str, set[frozenset[str]]] = {}
    for path in sorted(worked.VECTORS.glob("transcripts*.json")):
        for test in worked.tests(path.stem):
            if test["result"] == "valid" and (
                terms := worked.record(path.stem, test["comment"]).machine.facts.terms
            ):
                for claim in terms.document()["claims"]:
                    found.setdefault(claim["type"], set()).add(frozenset(claim))
    assert found == {kind: {frozenset(names)} for kind, names in text.items()}
