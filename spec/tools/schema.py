"""Writes the schema of the vector files, `spec/vectors/schema/vectors.schema.json`: `python spec/tools/schema.py`.

Every object is closed. A kind has one form for each way in which its tests can end, so that a field that
says nothing about a test cannot stand in it either. Draft 7 of JSON Schema, which every validator knows.
"""

import json
import sys
from pathlib import Path
from typing import Any

from parley_attestation.evidence.compute import Problem

SPEC = Path(__file__).parent.parent
SCHEMA = SPEC / "vectors/schema/vectors.schema.json"
Form = dict[str, Any]

HEX = {"type": "string", "pattern": "^([0-9a-f]{2})*$"}
KEY = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
RATIO = {"type": "string", "pattern": "^(0|[1-9][0-9]*)(/[1-9][0-9]*)?$"}
DECIMAL = {"type": "string", "pattern": "^(0|[1-9][0-9]*)$"}
BASE64 = {"type": "string", "pattern": "^[A-Za-z0-9+/]*={0,2}$"}
PARTY = {"enum": ["", "prover", "verifier"]}
DECISION = {"enum": ["", "COMPLIANT", "VIOLATION", "INCONCLUSIVE"]}
EVIDENCE = {"type": "string", "pattern": "^(infinite|[0-9]+(/[0-9]+)?)$"}


def _list(of: Form, **bounds: int) -> Form:
    return {"type": "array", "items": of, **bounds}


def _closed(**fields: Form) -> Form:
    return {"type": "object", "additionalProperties": False, "required": list(fields), "properties": fields}


def _all(of: Form, *names: str) -> dict[str, Form]:
    return dict.fromkeys(names, of)


_PAIR = _list(COUNT, minItems=2, maxItems=2)
# A grader document is the input of a test and may be malformed: which fields it may have is what is tested.
_ANY_OBJECT = {"type": "object"}
_FILES = {"type": "object", "additionalProperties": {"type": "string"}}
_SEGMENT = _closed(
    path=TEXT, kind={"enum": ["tensor", "structure", "file"]}, offset=COUNT, size=COUNT,
    name=TEXT, dtype=TEXT, shape=_list(COUNT, maxItems=16),
)  # fmt: skip
_RECORD = {"record": BASE64, "pins": _list(KEY, minItems=2, maxItems=2)}
_JUDGED = _RECORD | {
    **_all(PARTY, "turn", "blamed"),
    **_all(COUNT, "sequence", "opening", "ended"),
    "state": {"type": "string", "pattern": "^[a-z-]+$"},
    "unseen": _list(COUNT),
    "differing": _list({"enum": ["prover", "verifier"]}, maxItems=2),
    "default": {"enum": ["", "PROVER-DEFAULT", "VERIFIER-DEFAULT"]},
    "verdict": {"type": "string", "pattern": "^([0-9a-f]{64})?$"},
    "overall": DECISION,
}
_TEST = {"alpha_compliant": RATIO, "alpha_violation": RATIO, "budget": COUNT, "decision": DECISION}
_P_VALUES = {"p_compliant": RATIO, "p_violation": RATIO}

# kind -> result -> the forms of such a test, without id, comment, requirement, result and reason
FORMS: dict[str, dict[str, list[dict[str, Form]]]] = {
    "framing": {
        "valid": [{"label": TEXT, "parts": _list(HEX), "key": KEY, "frame": HEX, "digest": KEY, "mac": KEY}]
    },
    "ed25519": {r: [{"key": HEX, "message": HEX, "signature": HEX}] for r in ("valid", "invalid")},
    "commitments": {
        "valid": [
            {
                **_all(KEY, "owner", "set_id", "master", "prompt_key", "prompt_commitment"),
                **_all(KEY, "reference_commitment", "leaf", "exercise", "output_key", "output_commitment"),
                **_all(COUNT, "size", "index", "sample"),
                **_all(HEX, "prompt", "reference", "output"),
            }
        ]
    },
    "tree": {
        r: [{"leaf": KEY, "index": COUNT, "size": COUNT, "proof": _list(KEY), "root": KEY}]
        for r in ("valid", "invalid")
    },
    "tickets": {
        "valid": [
            {
                **_all(KEY, "root", "seed"),
                "runs": _list(_PAIR),
                **_all(COUNT, "samples", "budget"),
                "order": _list(_PAIR),
                "sampling_seeds": _list(DECIMAL),
            }
        ]
    },
    "frame_test": {
        "valid": [
            {
                **_TEST, **_P_VALUES,
                **_all(COUNT, "frame", "threshold_count", "declared_count", "count_low", "count_high"),
                "path": {"type": "string", "pattern": "^[01-]*$"},
                **_all(EVIDENCE, "e_compliant", "e_violation"),
            }
        ]
    },
    "graded_test": {
        "valid": [
            {
                **_TEST, **_P_VALUES,
                **_all(COUNT, "size", "top", "threshold_total", "total", "total_low", "total_high"),
                "path": _list({"type": "integer", "minimum": -1}),
                **_all(_list(DECIMAL, minItems=7, maxItems=7), "w_compliant", "w_violation"),
            }
        ]
    },
    "json": {r: [{"text": HEX}] for r in ("valid", "invalid")},
    "statements": {
        r: [{"sealed": TEXT, "keys": _list(KEY), "digest": digest}]
        for r, digest in (("valid", KEY), ("invalid", {"const": ""}))
    },
    "key_histories": {
        r: [
            {
                "entries": _list(TEXT), "key": KEY, "role": {"enum": ["prover", "verifier"]},
                "at": {"type": "integer", "minimum": -1}, "root": KEY,
            }
        ]
        for r in ("valid", "invalid")
    },
    "graders": {
        "valid": [
            {
                "grader": _ANY_OBJECT, "digest": KEY, **_all(HEX, "output", "reference"),
                "usable": {"type": "boolean"}, "outcome": {"enum": ["pass", "fail", "refuse", "invalid"]},
            }
        ],
        "invalid": [{"grader": _ANY_OBJECT}],
    },
    "model_claim": {
        "valid": [
            {
                "owner": KEY, "sealed": TEXT, "files": _FILES,
                **_all(KEY, "claim_id", "key", "series", "tree_root", "total", "content", "commitment"),
                **_all(_list(TEXT), "what", "where"),
            }
        ],
        "invalid": [{"owner": KEY, "sealed": TEXT, "root": KEY}],
    },
    "model_files": {r: [{"files": _FILES, "segments": _list(_SEGMENT)}] for r in ("valid", "invalid")},
    "binder": {
        "valid": [
            {
                **_all(KEY, "transcript", "prover_nonce", "verifier_nonce", "answering_key", "gpu32"),
                **_all(HEX, "hpke_key", "bind64"), "gpu_reports": _list(HEX),
            }
        ]
    },
    "sealing": {
        r: [
            {
                "role": {"enum": ["prover", "verifier"]}, "size": COUNT,
                **_all(KEY, "session", "commitment", "keys", "terms", "recipient", "data_key"),
                **_all(HEX, "info", "wrapped", "sealed"),
            }
        ]
        for r in ("valid", "invalid")
    },
    "compute_records": {
        r: [
            {
                "key": KEY, "records": _list(TEXT),
                "faults": _list(_closed(sequence=COUNT, problem={"enum": [one.value for one in Problem]}), **most),
            }
        ]
        for r, most in (("valid", {}), ("invalid", {"maxItems": 0}))
    },
    **{
        "transcripts" + more: {"valid": [_JUDGED], "invalid": [_JUDGED]}
        for more in (
            "_attempts", "_audits", "_backed", "_chamber", "_dissents", "_graded", "_items", "_prior", "_sealed",
            "_witnessed",
        )
    },
    # A file that is broken as a file has no judgement but its reason.
    "transcripts": {"valid": [_JUDGED], "invalid": [_JUDGED, _RECORD]},
}  # fmt: skip


def _test(result: str, form: dict[str, Form]) -> Form:
    common = {
        "id": {"type": "integer", "minimum": 1},
        "comment": TEXT,
        "requirement": {"$ref": "#/definitions/id"},
    }
    end: dict[str, Form] = {"result": {"const": result}}
    if result == "invalid":
        end["reason"] = {"type": "string", "pattern": "^[A-Z]+(_[A-Z0-9]+)*$"}
    return _closed(**common, **form, **end)


def _file(kind: str) -> Form:
    tests = [_test(result, form) for result, forms in FORMS[kind].items() for form in forms]
    return _closed(kind={"const": kind}, version={"const": 1}, tests=_list({"oneOf": tests}, minItems=1))


def render() -> str:
    """The schema of all files, by kind."""
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A file of Parley test vectors",
        "definitions": {"id": {"type": "string", "pattern": "^[A-Z]+-[1-9][0-9]*$"}},
        "oneOf": [_file(kind) for kind in FORMS],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the schema."""
    SCHEMA.parent.mkdir(exist_ok=True)
    SCHEMA.write_text(render())
    sys.stdout.write(f"{SCHEMA.name}\n")


if __name__ == "__main__":
    main()
