"""The checked-in vectors as tests read them: every file in its published form."""

import functools
import json
from pathlib import Path

import fastjsonschema
import pytest
from parley_attestation.errors import PeerError

SPEC = Path(__file__).parent.parent.parent / "spec"
SCHEMA = SPEC / "vectors/schema/vectors.schema.json"


@functools.cache
def reader(kind: str):
    """The published schema's own form of one kind of files: what fits no form is refused."""
    schema = json.loads(SCHEMA.read_text())
    form = next(one for one in schema["oneOf"] if one["properties"]["kind"]["const"] == kind)
    return fastjsonschema.compile({**form, "definitions": schema["definitions"]})


@functools.cache
def document(kind: str) -> dict:
    return reader(kind)(json.loads((SPEC / f"vectors/{kind}.json").read_text()))


def load(kind: str) -> list[dict]:
    return document(kind)["tests"]


def each(kind: str):
    return pytest.mark.parametrize("test", load(kind), ids=lambda t: t["comment"])


def outcome(test: dict, check) -> None:
    """The vector's own result is what the check says."""
    if test["result"] == "valid":
        check()
    else:
        with pytest.raises(PeerError) as caught:
            check()
        assert caught.value.reason == test["reason"]
