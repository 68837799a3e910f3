"""Modules that decide anything hold no floating point: no float literal, no float(), no true division."""

import ast
from pathlib import Path

import parley_attestation
import pytest

ROOM = Path(parley_attestation.__file__).parent
EXACT = [
    "frametest.py",
    "profile.py",
    "comparison.py",
    "graded.py",
    "mcnemar.py",
    "strata.py",
    *sorted(f"grading/{p.name}" for p in (ROOM / "grading").glob("*.py")),
]


def inexact(node):
    match node:
        case ast.Constant(value=float() | complex()):
            return True
        case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
            return True
        case ast.Name(id="float" | "complex" | "round"):
            return True
        case ast.Import(names=names):
            return any(a.name in {"math", "cmath", "decimal"} for a in names)
        case ast.ImportFrom(module="math", names=names):
            return any(a.name not in {"comb", "gcd"} for a in names)
    return False


def floating(source):
    return [node.lineno for node in ast.walk(ast.parse(source)) if inexact(node)]


@pytest.mark.parametrize("name", EXACT)
def test_a_deciding_module_uses_no_floating_point(name):
    assert floating((ROOM / name).read_text()) == []


@pytest.mark.parametrize(
    "source",
    ["x = 1.5", "x = a / b", "x /= 2", "x = float(1)", "from math import sqrt", "import math", "round(x)"],
)
def test_the_rule_finds_floating_point(source):
    assert floating(source) == [1]
