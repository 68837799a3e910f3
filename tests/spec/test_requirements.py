"""The registry of requirements: what CI refuses, each rule broken once."""

import runpy
from pathlib import Path

import pytest

SPEC = Path(__file__).parent.parent.parent / "spec"
TOOL = runpy.run_path(str(SPEC / "tools/requirements.py"))
DRAFT = (SPEC / "draft-parley-mutual-verification.md").read_text()
LEDGER = (SPEC / "requirements.ledger").read_text()
PROTO = "\n".join(p.read_text() for p in sorted((SPEC.parent / "proto/parley/v1").glob("*.proto")))
ONE = "A receiver MUST refuse a MAC key of any length but 32 bytes with MALFORMED (FRAME-2)."


def problems(draft: str, ledger: str = LEDGER) -> list[str]:
    found, wrong = TOOL["extract"](draft)
    return wrong + TOOL["check_ledger"](found, ledger) + TOOL["check_proto"](draft, PROTO)


def test_the_registry_is_what_the_draft_gives():
    found, _ = TOOL["extract"](DRAFT)
    assert problems(DRAFT) == []
    assert len(found) > 75
    assert (SPEC / "requirements.json").read_text() == TOOL["render"](found)
    assert {one.role for one in found} <= set(TOOL["_ROLES"])


@pytest.mark.parametrize(
    ("instead", "complaint"),
    [
        (ONE.replace(" (FRAME-2)", ""), "keyword without identifier"),
        (ONE.replace("MUST", "must"), "FRAME-2: identifier without keyword"),
        (ONE.replace("FRAME-2", "FRAME-1"), "FRAME-1: stands twice"),
        (ONE.replace("FRAME-2", "FRAME-9"), "FRAME-9: is FRAME-2 under another number"),
        (ONE.replace("32", "33"), "FRAME-2: new or changed without a ledger entry"),
        (ONE.replace(" with MALFORMED", ", which MAY be MALFORMED"), "FRAME-2: expected one keyword"),
        (ONE.replace("A receiver", "Everything"), "FRAME-2: names nobody"),
        ("", "FRAME-2: left the draft without being retired"),
    ],
)
def test_a_broken_sentence_is_found(instead, complaint):
    draft = DRAFT.replace("An implementation MUST refuse a MAC key", "A receiver MUST refuse a MAC key")
    ledger = TOOL["accept"](TOOL["extract"](draft)[0], LEDGER)
    assert problems(draft, ledger) == []
    assert ONE in draft
    assert any(one.startswith(complaint) for one in problems(draft.replace(ONE, instead), ledger))


def test_a_retired_number_is_never_used_again():
    assert "FRAME-2: was retired and cannot be used again" in problems(DRAFT, LEDGER + "FRAME-2 retired\n")


def test_a_protobuf_block_that_differs_is_found():
    changed = DRAFT.replace("bytes session_id = 1;", "bytes session_id = 4;")
    assert problems(changed) == ["protobuf block differs from proto/: message Header "]
